"""Memory of scoring a memory-mapped pool by BALD: peak anonymous memory above what the import takes.

``python tests/benchmarks/memory.py [ROWS ...]`` (default 200000 1000000; a million rows take 3 GB of disk). Mapped
pages of the pool itself count as RssFile and are left out. Linux only.
"""

import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

FEATURES, MB = 784, 2**20


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
    started = time.perf_counter()
    with PeakMemory() as memory:
        indices, _ = learner.query(pool, n_instances=1000)
    seconds = time.perf_counter() - started
    above = (memory.peak - imported) / MB
    print(f"{n_rows:>9,} rows x {FEATURES}  {len(indices)} picks  {seconds:6.1f} s  {above:6.0f} MB above the import")


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
