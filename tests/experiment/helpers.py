"""A small data set, comparisons on it, and comparisons of given curves."""

import numpy as np
import torch
from sklearn.datasets import load_iris
from sklearn.naive_bayes import GaussianNB

from alkit import NetClassifier
from alkit.experiment import Comparison, compare_strategies
from alkit.experiment.runs import Run

X, y = load_iris(return_X_y=True)
X, names = X.astype(np.float32), np.array(["setosa", "versicolor", "virginica"])[y]
DATA = {"X": X[::2], "y": names[::2], "X_test": X[1::2], "y_test": names[1::2]}
TIMES = ["query_seconds", "fit_seconds"]


def compare(estimator=None, strategies=("margin",), **kwargs):
    settings = {"n_seeds": 3, "n_initial": 6, "n_instances": 3, "n_queries": 4} | DATA | kwargs
    return compare_strategies(GaussianNB() if estimator is None else estimator, strategies=strategies, **settings)


def table(comparison):
    return comparison.to_frame().drop(columns=TIMES)


def small_net():
    layers = torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Dropout(0.2), torch.nn.Linear(8, 3)
    return NetClassifier(torch.nn.Sequential(*layers), max_epochs=3)


def synthetic(curves, n_labels=(10, 20, 30, 40), **kwargs):
    """A comparison of given curves, dict of strategy to (seeds, rounds)."""
    n_labels = np.array(n_labels)
    runs = [
        Run("model", name, seed, n_labels, np.array(score), np.zeros(4), np.ones(4), np.arange(40))
        for name, scores in curves.items()
        for seed, score in enumerate(scores)
    ]
    return Comparison(runs, **kwargs)


def contents(folder):
    """Every file with its bytes and when it was written."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return [(path.name, path.read_bytes(), path.stat().st_mtime_ns) for path in files]
