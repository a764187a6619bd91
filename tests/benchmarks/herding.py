"""Herding: time, peak memory, and the ratio to scikit-activeml's MaxHerding, each measurement in a process of its own.

``python tests/benchmarks/herding.py [--threads 2] [--rows 100000]``. To reach, at 100,000 x 384 with k = 100: 60 s of
two cores, 1 GB; faster than scikit-activeml on 10,000 rows, where all rows are references for both. Seconds of the
processor, over threads, are printed beside the clock, which a busy machine slows down. Linux only.
"""

import argparse
import importlib.util
import os
import subprocess
import sys
import time
import warnings

import numpy as np
import torch
from memory import MB, PeakMemory, anonymous_bytes

from alkit.strategies.picks import max_herding, uncertainty_herding

WIDTH, PICKS = 384, 100


def embeddings(n):
    """Return rows of 300 overlapping clusters, which are as far apart as they are wide."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(300, WIDTH)).astype(np.float32)
    noise = rng.normal(size=(n, WIDTH)).astype(np.float32)
    return torch.from_numpy(centres[rng.integers(300, size=n)] + noise)


def by_coverage(X, k, n_references):
    return max_herding(X, X[:0], k=k, rng=np.random.default_rng(0), n_references=n_references)


def by_uncertainty(X, k, n_references):
    scores = np.random.default_rng(1).random(len(X))
    rng = np.random.default_rng(0)
    # as with a thousand labels, whose smallest distance makes the kernel narrow
    return uncertainty_herding(scores, X, X[:1000], k=k, rng=rng, n_references=n_references)


def scikit_activeml(X, k, n_references):
    from skactiveml.pool import MaxHerding

    # the same kernel: its gamma is 1 / bandwidth^2
    query = MaxHerding(metric_dict={"gamma": 1.0}, random_state=0).query
    return query(X.numpy(), np.full(len(X), np.nan), batch_size=k)


CONTESTANTS = {function.__name__: function for function in (by_coverage, by_uncertainty, scikit_activeml)}


def measure(name, n, references):
    """Print clock, processor and memory of one contestant; runs in a process of its own."""
    X, pick = embeddings(n), CONTESTANTS[name]
    # a small run first: imports and thread pools are not the contestant's memory
    pick(X[:200], 5, references)
    before = anonymous_bytes()
    with PeakMemory() as memory:
        started, busy = time.perf_counter(), time.process_time()
        pick(X, PICKS, references)
        clock, busy = time.perf_counter() - started, time.process_time() - busy
    above = max(0, memory.peak - before) / MB
    kind = "all" if references is None else f"{references:,}"
    print(
        f"{name:<16} {n:>8,} rows {kind:>6} references {clock:>8.1f} s {busy:>8.1f} CPU s {above:>7.0f} MB", flush=True
    )


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    if args.measure:
        warnings.simplefilter("ignore")  # peers on today's scikit-learn warn a lot
        name, n, references = args.measure
        return measure(name, int(n), int(references) or None)
    environment = {**os.environ, "OMP_NUM_THREADS": str(args.threads)}
    cases = [("by_coverage", args.rows, 5000), ("by_uncertainty", args.rows, 5000), ("by_coverage", 10_000, 0)]
    if importlib.util.find_spec("skactiveml"):
        cases.append(("scikit_activeml", 10_000, 0))
    seconds = {}
    for name, n, references in cases:
        command = [sys.executable, __file__, "--threads", str(args.threads), "--measure", name, str(n), str(references)]
        run = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
        print(run.stdout, end="", flush=True)
        seconds[name, n] = float(run.stdout.split("references")[1].split()[0])
    if ("scikit_activeml", 10_000) in seconds:
        ratio = seconds["by_coverage", 10_000] / seconds["scikit_activeml", 10_000]
        print(f"alkit takes {ratio:.2f} of scikit-activeml's time on 10,000 rows")


if __name__ == "__main__":
    main()
