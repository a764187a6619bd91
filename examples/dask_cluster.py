"""Score a pool on a Dask cluster: the same query, inside ``joblib.parallel_config("dask")`` and nothing else.

    python examples/dask_cluster.py [--rows 200000]

Starts a cluster of two worker processes on this machine, writes a pool of digits (each one jittered many times over) to
a memory-mapped file, and asks for the 20 rows to label by BALD, first serially, then on the cluster. The picks are the
same. A cluster of other machines needs no other change than the address given to ``Client``: its workers are sent the
rows they score, and need not see the file.
"""

import argparse
import tempfile
import time
from pathlib import Path

import joblib
import numpy as np
from distributed import Client, LocalCluster
from sklearn.datasets import load_digits

from alkit import ActiveLearner, DropoutMLPClassifier


def write_pool(path: Path, digits: np.ndarray, n_rows: int) -> np.ndarray:
    """Jitter digits until there are enough of them."""
    rng = np.random.default_rng(0)
    pool = np.memmap(path, np.float32, "w+", shape=(n_rows, digits.shape[1]))
    for start in range(0, n_rows, len(digits)):
        rows = pool[start : start + len(digits)]
        rows[:] = digits[: len(rows)] + 0.1 * rng.standard_normal(rows.shape, dtype=np.float32)
    pool.flush()
    return np.memmap(path, np.float32, "r", shape=pool.shape)


def query(digits: np.ndarray, labels: np.ndarray, pool: np.ndarray) -> tuple[np.ndarray, float]:
    """Train on 100 digits, ask for 20 rows of the pool; return them and the seconds the query took."""
    model = DropoutMLPClassifier(random_state=0)
    learner = ActiveLearner(model, "bald", digits[:100], labels[:100], random_state=0)
    start = time.perf_counter()
    indices, _ = learner.query(pool, n_instances=20, chunk_bytes=2**22)
    return indices, time.perf_counter() - start


def main() -> None:
    """Query the pool serially and on a cluster."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=200_000)
    digits, labels = load_digits(return_X_y=True)
    digits = (digits / 16).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        pool = write_pool(Path(folder) / "pool.f32", digits, parser.parse_args().rows)
        serial, seconds = query(digits, labels, pool)
        print(f"{len(pool):,} rows, serially:    {seconds:5.1f} s, rows {serial[:5].tolist()} ...")
        with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster):
            with joblib.parallel_config("dask"):
                picked, seconds = query(digits, labels, pool)
            print(f"{len(pool):,} rows, two workers: {seconds:5.1f} s, rows {picked[:5].tolist()} ...")
    print("the same rows" if picked.tolist() == serial.tolist() else "OTHER ROWS")


if __name__ == "__main__":
    main()
