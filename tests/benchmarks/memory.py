"""Scoring a memory-mapped pool by BALD: peak anonymous memory above what the import takes, and time in plain passes.

``python tests/benchmarks/memory.py [ROWS ...]`` (default 200000 1000000; a million rows take 3 GB of disk). Mapped
pages of the pool itself count as RssFile and are left out. A plain pass is ``eval()`` under ``no_grad`` over the same
memmap, in batches of 4,096 rows, its outputs kept; query and plain pass are timed three times in turn. Linux only.
"""

import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

FEATURES, BATCH, MB = 784, 4096, 2**20


def anonymous_bytes():
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("RssAnon"))
    return int(line.split()[1]) * 1024


class PeakMemory(threading.Thread):
    """Samples anonymous memory every 2 ms while the body of a ``with`` runs."""

    def __enter__(self):
        self.peak, self.done = 0, threading.Event()
        self.start()
        return self

    def run(self):
        while not self.done.wait(0.002):
            self.peak = max(self.peak, anonymous_bytes())

    def __exit__(self, *exception):
        self.done.set()
        self.join()


def write_pool(path, n_rows):
    rng = np.random.default_rng(0)
    pool = np.memmap(path, np.float32, "w+", shape=(n_rows, FEATURES))
    for start in range(0, n_rows, 10_000):
        pool[start : start + 10_000] = rng.random(pool[start : start + 10_000].shape, dtype=np.float32)
    pool.flush()


def measure(path, n_rows):
    """Print the figures of one query; runs in a process of its own."""
    import torch

    from alkit import ActiveLearner, NetClassifier

    imported = anonymous_bytes()
    pool = np.memmap(path, np.float32, "r", shape=(n_rows, FEATURES))
    layers = torch.nn.Linear(FEATURES, 256), torch.nn.ReLU(), torch.nn.Dropout(), torch.nn.Linear(256, 10)
    net = NetClassifier(torch.nn.Sequential(*layers), max_epochs=1, random_state=0)
    learner = ActiveLearner(net, "bald", pool[:200], np.arange(200) % 10, random_state=0)
    module = learner.estimator.module_.eval()
    with PeakMemory() as memory:
        indices, _ = learner.query(pool, n_instances=1000)
    ways = {"plain": lambda: plain_pass(module, pool), "query": lambda: learner.query(pool, n_instances=1000)}
    seconds = {name: [] for name in ways}
    for _ in range(3):
        for name, way in ways.items():
            started = time.perf_counter()
            way()
            seconds[name].append(time.perf_counter() - started)
    plain, query = (statistics.median(seconds[name]) for name in ways)
    print(
        f"{n_rows:>9,} rows x {FEATURES}  {len(indices)} picks  query {query:5.2f} s  plain pass {plain:5.2f} s  "
        f"{query / plain:4.2f}x  {(memory.peak - imported) / MB:4.0f} MB above the import"
    )


def plain_pass(module, pool):
    import torch

    with torch.no_grad():
        starts = range(0, len(pool), BATCH)
        return torch.cat([module(torch.from_numpy(np.array(pool[start : start + BATCH]))) for start in starts])


def main():
    if sys.argv[1:2] == ["--measure"]:
        return measure(sys.argv[2], int(sys.argv[3]))
    print("BALD, K = 20, MLP 784-256-dropout-10; peak RssAnon sampled every 2 ms")
    for n_rows in map(int, sys.argv[1:] or ("200000", "1000000")):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "pool.f32"
            write_pool(path, n_rows)
            subprocess.run([sys.executable, __file__, "--measure", str(path), str(n_rows)], check=True)


if __name__ == "__main__":
    main()
