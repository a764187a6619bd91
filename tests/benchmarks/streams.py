"""Time and memory per row of a stream, one row at a time: alkit, scikit-activeml's loop, and predicting alone.

``python tests/benchmarks/streams.py`` takes about two minutes; scikit-activeml is left out where it is not installed
(``pip install -e ".[bench]"``).
"""

import argparse
import tracemalloc
from importlib.util import find_spec
from time import perf_counter

import numpy as np
from sklearn.naive_bayes import GaussianNB

from alkit._budgets import MANAGERS
from alkit.streams import StreamSampler

BUDGET = 0.1


def rows(n):
    """Rows of two classes of which one moves while they stream by."""
    rng = np.random.default_rng(0)
    y = rng.integers(2, size=n)
    X = rng.normal(size=(n, 10))
    X[:, 0] += np.where(y == 1, 1 + np.linspace(0, 2, n), 0)
    return X, y


def by_alkit(X, y, manager="quantile"):
    """Ask and teach row by row."""
    model = GaussianNB().fit(X[:50], y[:50])
    sampler = StreamSampler("margin", budget=BUDGET, manager=manager, random_state=0)
    for i in range(50, len(X)):
        if sampler.query(model, X[i : i + 1])[0]:
            model.partial_fit(X[i : i + 1], y[i : i + 1])
    return sampler.n_queried_ / sampler.n_seen_


def by_scikit_activeml(X, y):
    """Ask and teach row by row, by probabilistic active learning and its quantile filter."""
    from skactiveml.classifier import SklearnClassifier
    from skactiveml.stream import StreamProbabilisticAL

    model = SklearnClassifier(GaussianNB(), classes=[0, 1])
    model.fit(X[:50], y[:50])
    strategy = StreamProbabilisticAL(budget=BUDGET, random_state=0, metric="rbf")
    n_queried = 0
    for i in range(50, len(X)):
        row = X[i : i + 1]
        indices, utilities = strategy.query(row, clf=model, X=X[:50], y=y[:50], return_utilities=True)
        strategy.update(row, indices, budget_manager_param_dict={"utilities": utilities})
        if len(indices):
            model.partial_fit(row, y[i : i + 1])
            n_queried += 1
    return n_queried / (len(X) - 50)


def predicting_alone(X, y):
    """Predict row by row."""
    model = GaussianNB().fit(X[:50], y[:50])
    for i in range(50, len(X)):
        model.predict_proba(X[i : i + 1])
    return float("nan")


def bytes_kept(n):
    """Memory that a sampler holds after n rows."""
    X, y = rows(n)
    model = GaussianNB().fit(X[:50], y[:50])
    sampler = StreamSampler("margin", budget=BUDGET, random_state=0)
    sampler.query(model, X[:100])
    tracemalloc.start()
    for start in range(100, n, 1000):
        sampler.query(model, X[start : start + 1000])
    kept = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return kept


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--peer-rows", type=int, default=2_000, help="rows of the stream that the peer is timed on")
    args = parser.parse_args()
    X, y = rows(args.rows)
    ways = {"predicting alone": (predicting_alone, args.rows), "alkit": (by_alkit, args.rows)}
    if find_spec("skactiveml"):
        ways["scikit-activeml"] = (by_scikit_activeml, args.peer_rows)
    seconds = {}
    for name, (way, n) in ways.items():
        start = perf_counter()
        share = way(X[:n], y[:n])
        seconds[name] = (perf_counter() - start) / n
        print(f"{name:<18} {seconds[name] * 1e6:8.0f} us per row, asked {share:.3f} of {n:,} rows")
    if "scikit-activeml" in seconds:
        print(f"alkit takes {seconds['alkit'] / seconds['scikit-activeml']:.2f} of the time of scikit-activeml")
    print(f"memory gained over {args.rows:,} rows: {bytes_kept(args.rows) / 1e3:.0f} kB")
    print("\nshare asked by manager, budget .100")
    for manager in MANAGERS:
        print(f"  {manager:<16} {by_alkit(X, y, manager):.3f}")


if __name__ == "__main__":
    main()
