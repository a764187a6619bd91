"""BatchBALD: seconds, memory, the picks of full greedy, and joint entropies against exact ones; peers beside it.

``python tests/benchmarks/batch_bald.py [--rows 10000] [--threads 2]``. K = 50 posterior samples, C = 10 classes,
k = 10 picks, 10,000 configurations; on the MC-dropout samples of a network trained on 100 digits (pool: the others,
with noise added) and on Dirichlet noise (every probability vector equally likely). Each measurement is a process of
its own: the median of three runs after a small one, and the peak of RssAnon above what it was before them (Linux
only). Peers run where they are installed, on fewer rows, because they take long; alkit is measured on these rows too.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from memory import MB, PeakMemory, anonymous_bytes
from sklearn.datasets import load_digits
from torch import nn

from alkit import NetClassifier
from alkit.strategies.scores.by_row import entropy
from alkit.strategies.scores.joint_entropy import Configurations, conditional_entropy

# the package `picks` has a function of the same name
MODULE = import_module("alkit.strategies.picks.batch_bald")
K, C, PICKS, CONFIGURATIONS = 50, 10, 10, 10_000


def mc_dropout_samples(n_rows):
    """Draw posterior samples of a network that has seen 100 digits."""
    X, y = load_digits(return_X_y=True)
    X, rng = (X / 16).astype(np.float32), np.random.default_rng(0)
    labelled, pool = np.split(rng.permutation(len(X)), [100])
    hidden = nn.Linear(64, 256), nn.ReLU(), nn.Dropout(), nn.Linear(256, 256), nn.ReLU(), nn.Dropout()
    net = NetClassifier(nn.Sequential(*hidden, nn.Linear(256, C)), max_epochs=100, random_state=0)
    net.fit(X[labelled], y[labelled])
    rows = X[rng.choice(pool, n_rows)]
    jitter = rng.normal(0, 0.1, rows.shape).astype(np.float32)
    return net.sample_proba(rows + jitter, n_samples=K, random_state=0)


def noise(n_rows):
    return np.random.default_rng(0).dirichlet(np.ones(C), size=(n_rows, K)).astype(np.float32)


# ---- contestants: samples (N, K, C) -> rows picked


def alkit(samples, n_configurations):
    rng = np.random.default_rng(0)
    picks = MODULE.batch_bald(torch.from_numpy(samples), k=PICKS, rng=rng, n_configurations=n_configurations)
    return picks.indices.tolist()


def full_greedy(samples, n_configurations):
    """Look at every row at every step: what lazy greedy must agree with."""
    MODULE._LAZY_ROWS = len(samples)
    return alkit(samples, n_configurations)


def baal(samples, n_configurations):
    from baal.active.heuristics import BatchBALD

    # baal draws `num_draw` configurations from each posterior sample
    heuristic = BatchBALD(num_samples=PICKS, num_draw=n_configurations // K)
    return heuristic.get_ranks(samples.transpose(0, 2, 1))[0][:PICKS].tolist()


def scikit_activeml(samples, n_configurations):
    from skactiveml.pool import batch_bald

    probas = samples.transpose(1, 0, 2).astype(float)
    utilities = batch_bald(probas, PICKS, n_MC_samples=n_configurations, random_state=0)
    return np.nanargmax(utilities, axis=1).tolist()


CONTESTANTS = {function.__name__: function for function in (alkit, full_greedy, baal, scikit_activeml)}


# ---- measurements


def measure(contestant, path, n_rows, n_configurations, n_rounds, threads):
    """Print picks, seconds and bytes as JSON; runs in a process of its own."""
    torch.set_num_threads(threads)
    samples, pick = np.load(path)[:n_rows], CONTESTANTS[contestant]
    pick(samples[:50].copy(), 100)
    before, seconds = anonymous_bytes(), []
    with PeakMemory() as memory:
        for _ in range(n_rounds):
            started = time.perf_counter()
            rows = pick(samples, n_configurations)
            seconds.append(time.perf_counter() - started)
    print(json.dumps([rows, statistics.median(seconds), memory.peak - before]))


def conditioned_on(samples, rows, n_configurations):
    """Return the configurations of some rows."""
    labels = Configurations(torch.ones(1).double(), torch.full((1, K), 1 / K, dtype=torch.float64))
    for row in rows:
        labels = MODULE._extended(labels, samples[row].double(), n_configurations, np.random.default_rng(0))
    return labels


def information(samples, rows):
    """I(y_1, ..., y_k; w) in nats, from 100,000 configurations."""
    samples = torch.from_numpy(samples[rows])
    given = [conditioned_on(samples, range(b), 100_000) for b in range(len(rows))]
    entropies = torch.cat([conditional_entropy(samples[b, None], labels) for b, labels in enumerate(given)])
    return (entropies - entropy(samples).mean(1)).sum().item()


def table(paths, jobs, threads):
    """Print one line per measurement and return the picks."""
    print(f"{'':17}{'samples':12}{'rows':>7}{'configurations':>16}{'seconds':>9}{'MB above':>10}{'I(picks; w)':>13}")
    picked = {}
    for contestant, name, n_rows, n_configurations in jobs:
        rounds = 3 if contestant == "alkit" else 1
        command = [contestant, str(paths[name]), str(n_rows), str(n_configurations), str(rounds), str(threads)]
        run = subprocess.run([sys.executable, __file__, "--measure", *command], stdout=subprocess.PIPE, text=True)
        line = f"{contestant:17}{name:12}{n_rows:7,}{n_configurations:16,}"
        if run.returncode:
            print(line, "  failed")
            continue
        rows, seconds, peak = json.loads(run.stdout.splitlines()[-1])
        nats = information(np.load(paths[name]), rows)
        print(f"{line}{seconds:9.2f}{peak / MB:10.0f}{nats:13.4f}")
        picked[contestant, name, n_rows] = rows
    return picked


def joint_entropy_errors(paths, picked, n_rows):
    """Compare the joint entropy of the first picks and each of 50 other rows with the exact one."""
    print("\njoint entropies, largest relative error over 50 rows (bar: 0.1 %)")
    for name, path in paths.items():
        samples = torch.from_numpy(np.load(path))
        rows, others = picked["alkit", name, n_rows], samples[-50:]
        for b in (5, 6):
            exact = conditioned_on(samples, rows[:b], 10**b)
            first = -(exact.weight * exact.weight.log()).sum()
            joint = first + conditional_entropy(others, exact)
            for n in (1000, CONFIGURATIONS):
                sampled = first + conditional_entropy(others, conditioned_on(samples, rows[:b], n))
                error = ((sampled - joint) / joint).abs().max()
                print(f"  {name:12}{b + 1} rows, 10^{b} configurations exact, {n:6,} sampled: {100 * error:.4f} %")


def main():
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    gigabytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    print(f"{platform.machine()}, {os.cpu_count()} CPUs, {gigabytes:.0f} GB, {args.threads} torch threads, "
          f"torch {torch.__version__}; K = {K}, C = {C}, k = {PICKS}")  # fmt: skip
    peers = [name for name, module in {"baal": "baal", "scikit_activeml": "skactiveml"}.items() if find_spec(module)]
    with tempfile.TemporaryDirectory() as folder:
        paths = {name: Path(folder) / f"{name}.npy" for name in ("MC dropout", "noise")}
        for path, draw in zip(paths.values(), (mc_dropout_samples, noise), strict=True):
            np.save(path, draw(args.rows))
        jobs = [(name, kind, args.rows, CONFIGURATIONS) for kind in paths for name in ("alkit", "full_greedy")]
        jobs += [(name, "MC dropout", 1000, n) for n in (1000, CONFIGURATIONS) for name in ("alkit", *peers)]
        picked = table(paths, jobs, args.threads)
        for kind in paths:
            same = picked["alkit", kind, args.rows] == picked["full_greedy", kind, args.rows]
            print(f"{kind}: the picks of full greedy on {args.rows:,} rows: {'yes' if same else 'NO'}")
        joint_entropy_errors(paths, picked, args.rows)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        measure(*sys.argv[2:4], *map(int, sys.argv[4:]))
    else:
        main()
