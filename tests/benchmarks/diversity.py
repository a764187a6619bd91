"""Diversity and cold-start picks: time and peak memory, each case in a process of its own, peers beside it.

``python tests/benchmarks/diversity.py [--threads 0] [--rounds 9] [CASE ...]``. Peers that are not installed are left
out. Memory is anonymous memory above the inputs, sampled every 2 ms. Linux only.
"""

import argparse
import importlib.util
import os
import platform
import statistics
import subprocess
import sys
import time

import numpy as np
import torch
from memory import MB, PeakMemory, anonymous_bytes

from alkit.strategies.picks import cold_start, density, diversity


def normal(n, d, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32))


def clumps(n, d=64, n_centres=30):
    """Rows of 30 overlapping clusters."""
    return 2 * normal(n_centres, d, 1)[np.random.default_rng(2).integers(n_centres, size=n)] + normal(n, d, 3)


def labels_of(pool, labelled):
    """Return rows and labels as scikit-activeml takes them: NaN where there is no label."""
    y = np.r_[np.full(len(pool), np.nan), np.zeros(len(labelled))]
    return np.r_[pool.numpy(), labelled.numpy()], y


def torch_loop(embedding, train_embedding, k, rng):
    """Greedy k-centre as one would write it down."""
    nearest, picked = torch.cdist(embedding, train_embedding).amin(1), []
    for _ in range(k):
        picked.append(int(nearest.argmax()))
        nearest = torch.minimum(nearest, torch.cdist(embedding, embedding[picked[-1], None])[:, 0])
    return np.array(picked)


def torch_loop_by_differences(embedding, train_embedding, k, rng):
    """Take the norm of differences in place of cdist for the distances to one row."""
    nearest, picked = torch.cdist(embedding, train_embedding).amin(1), []
    for _ in range(k):
        picked.append(int(nearest.argmax()))
        nearest = torch.minimum(nearest, torch.linalg.vector_norm(embedding - embedding[picked[-1]], dim=1))
    return np.array(picked)


def activeml_coreset(embedding, train_embedding, k, rng):
    from skactiveml.pool import CoreSet

    return CoreSet(random_state=0).query(*labels_of(embedding, train_embedding), batch_size=k)


def activeml_badge(proba, embedding, k, rng):
    from skactiveml.base import SkactivemlClassifier
    from skactiveml.pool import Badge

    class Reader(SkactivemlClassifier):
        """Takes each row as its probabilities followed by its embedding."""

        def fit(self, X, y, sample_weight=None):
            return self

        def predict_proba(self, X, return_embeddings=False):
            return (X[:, : proba.shape[1]], X[:, proba.shape[1] :]) if return_embeddings else X[:, : proba.shape[1]]

    X, classes = np.c_[proba.numpy(), embedding.numpy()], np.arange(proba.shape[1])
    clf = Reader(classes=classes)
    clf.classes_ = classes
    badge = Badge(clf_embedding_flag_name="return_embeddings", random_state=0)
    return badge.query(X, np.full(len(X), np.nan), clf, fit_clf=False, batch_size=k)


def activeml_typiclust(features, train_features, k, rng):
    from skactiveml.pool import TypiClust

    return TypiClust(k=20, random_state=0).query(*labels_of(features, train_features), batch_size=k)


def activeml_probcover(features, train_features, k, rng):
    from skactiveml.pool import ProbCover

    return ProbCover(n_classes=10, random_state=0).query(*labels_of(features, train_features), batch_size=k)


def alkit(pick):
    return lambda *inputs, k, rng: pick(*inputs, k=k, rng=rng).indices


def embeddings():
    return normal(20_000, 128), normal(1_000, 128, 1)


def gradients():
    return normal(50_000, 20).mul(3).softmax(1), normal(50_000, 64, 1).relu()


def features(n):
    return lambda: (clumps(n), torch.empty(0, 64))


def scored(n, with_labelled):
    rows = (clumps(n), normal(1_000, 64)) if with_labelled else (clumps(n),)
    return np.random.default_rng(0).random(n), *rows


# name: (function that makes the inputs, number of picks, {contestant: function}, what alkit has to reach)
CASES = {
    "coreset": (
        embeddings,
        100,
        {
            "alkit": alkit(diversity.coreset),
            "torch loop": torch_loop,
            "torch loop (differences)": torch_loop_by_differences,
            "scikit-activeml": activeml_coreset,
        },
        "<= 1.2 x the torch loop",
    ),
    "badge": (
        gradients,
        100,
        {"alkit": alkit(diversity.badge), "scikit-activeml": activeml_badge},
        "<= 1 s, < 200 MB",
    ),
    "typiclust": (
        features(10_000),
        100,
        {"alkit": alkit(cold_start.typiclust), "scikit-activeml": activeml_typiclust},
        "<= 2 s, < 300 MB",
    ),
    "probcover": (
        features(10_000),
        100,
        {"alkit": alkit(cold_start.probcover), "scikit-activeml": activeml_probcover},
        "<= 2 s, < 300 MB",
    ),
    "typiclust 100,000": (features(100_000), 100, {"alkit": alkit(cold_start.typiclust)}, "runs"),
    "probcover 100,000": (features(100_000), 100, {"alkit": alkit(cold_start.probcover)}, "runs"),
    "kmeans": (embeddings, 100, {"alkit": lambda X, _, k, rng: diversity.kmeans(X, k=k, rng=rng).indices}, ""),
    "information_density": (
        lambda: scored(10_000, with_labelled=False),
        100,
        {"alkit": alkit(density.information_density)},
        "",
    ),
    "ranked_batch": (lambda: scored(50_000, with_labelled=True), 100, {"alkit": alkit(density.ranked_batch)}, ""),
}


def seconds(contestant, inputs, k):
    """Return how long a contestant takes, and how many distinct rows it picks."""
    started = time.perf_counter()
    indices = contestant(*inputs, k=k, rng=np.random.default_rng(0))
    elapsed = time.perf_counter() - started
    assert len(indices) == k
    return elapsed, len(np.unique(indices))


def measure(case, name):
    """Print time and memory of one contestant; runs in a process of its own."""
    make_inputs, k, contestants, bar = CASES[case]
    inputs = make_inputs()
    # a small run first: imports and thread pools are not the contestant's memory
    seconds(contestants[name], [rows[:200] for rows in inputs], 2)
    before = anonymous_bytes()
    with PeakMemory() as memory:
        elapsed, n_distinct = seconds(contestants[name], inputs, k)
    above = max(0, memory.peak - before) / MB
    note = ""
    if n_distinct < k:
        note = f"{n_distinct} of {k} picks distinct"
    elif name == "alkit":
        note = bar
    print(f"{case:<20} {name:<25} {elapsed:>8.2f} s {above:>7.0f} MB  {note}", flush=True)


def interleave(case, rounds):
    """Time contestants in turn, so that a busy machine slows all of them alike; medians of the ratio to the first."""
    make_inputs, k, contestants, _ = CASES[case]
    inputs = make_inputs()
    contestants = {n: c for n, c in contestants.items() if n != "scikit-activeml"}
    times = {name: [] for name in contestants}
    for _ in range(rounds + 1):
        for name, contestant in contestants.items():
            times[name].append(seconds(contestant, inputs, k)[0])
    # the first round warms up
    times = {name: taken[1:] for name, taken in times.items()}
    for name, taken in times.items():
        ratio = statistics.median(a / b for a, b in zip(times["alkit"], taken, strict=True))
        print(f"{case:<20} {name:<25} {statistics.median(taken):>8.3f} s   alkit takes {ratio:.2f} of it", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", default=[], metavar="CASE")
    parser.add_argument("--threads", type=int, default=0, help="torch and BLAS threads; 0: as many as they choose")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--interleave", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        return measure(*args.measure)
    if args.interleave:
        return interleave(args.interleave, args.rounds)
    threads = {"OMP_NUM_THREADS": str(args.threads)} if args.threads else {}
    environment = {**os.environ, **threads, "PYTHONWARNINGS": "ignore"}  # peers on today's scikit-learn warn a lot
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    print(f"{platform.machine()}, {os.cpu_count()} CPUs, {memory:.0f} GB, threads: {args.threads or 'default'}")
    with_peers = importlib.util.find_spec("skactiveml") is not None
    command = [sys.executable, __file__, "--rounds", str(args.rounds)]
    for case in args.cases or CASES:
        for name in CASES[case][2]:
            if with_peers or name != "scikit-activeml":
                subprocess.run([*command, "--measure", case, name], env=environment, check=False)
    if not args.cases or "coreset" in args.cases:
        subprocess.run([*command, "--interleave", "coreset"], env=environment, check=True)


if __name__ == "__main__":
    main()
