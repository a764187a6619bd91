"""Is the test of `Comparison.summary` honest? Trials of 5 seeds each, with real loops on digits.

A strategy against itself, with seeds of its own, should be called different in 5 % of the trials; one that is truly
better (margin; and margins of a model trained on the whole pool, labels and all) nearly always.
Run: ``python tests/benchmarks/honesty.py [--trials 200] [--n-jobs 2]``; some minutes.
"""

import argparse
import time

import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

from alkit import get_strategy
from alkit.experiment import Comparison, compare_strategies
from alkit.experiment.curves import mean_interval, paired_savings

N_SEEDS, LEVEL = 5, 0.05

X, Y = load_digits(return_X_y=True)
X, X_TEST, Y, Y_TEST = train_test_split(X / 16, Y, test_size=0.5, random_state=0)
KNOWS_ALL = LogisticRegression(max_iter=1000).fit(X, Y)


def informed(learner, X_pool, n_instances=1):
    """Margin sampling by a model that has seen every label."""
    return get_strategy("margin")(KNOWS_ALL, X_pool, n_instances, random_state=0)


def share_told_apart(runs, others):
    """Share of trials in which the others' area differs from the runs', N_SEEDS of each a trial."""
    found = []
    for start in range(0, len(runs), N_SEEDS):
        trial = [run._replace(strategy="random", seed=i) for i, run in enumerate(runs[start : start + N_SEEDS])]
        trial += [run._replace(strategy="other", seed=i) for i, run in enumerate(others[start : start + N_SEEDS])]
        found.append(Comparison(trial).summary().loc["other", "p_value"] < LEVEL)
    return np.mean(found)


def savings(runs, others):
    """Mean of `saved` by the others over trials, and the share of trials whose interval excludes 0."""
    means, excluded = [], []
    for start in range(0, len(runs), N_SEEDS):
        curves = [(run.n_labels, run.score) for run in others[start : start + N_SEEDS]]
        base = [(run.n_labels, run.score) for run in runs[start : start + N_SEEDS]]
        saved = paired_savings(*zip(*curves, strict=True), *zip(*base, strict=True))
        low, high = mean_interval(saved)
        means.append(saved.mean())
        excluded.append(not low <= 0 <= high)
    return np.mean(means), np.mean(excluded)


def main():
    """Play the loops and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--n-jobs", type=int, default=2)
    options = parser.parse_args()
    started = time.perf_counter()
    settings = {"X_test": X_TEST, "y_test": Y_TEST, "n_instances": 20, "n_queries": 6, "n_jobs": options.n_jobs}
    n = options.trials * N_SEEDS
    model = LogisticRegression(max_iter=200, tol=1e-2)
    strategies = {"random": "random", "margin": "margin", "informed": informed}
    first = compare_strategies(model, X, Y, strategies, n_seeds=n, random_state=0, **settings)
    again = compare_strategies(model, X, Y, strategies, n_seeds=n, random_state=1, **settings)
    runs = {name: [run for run in first.runs if run.strategy == name] for name in strategies}
    second = {name: [run for run in again.runs if run.strategy == name] for name in strategies}
    print(f"\n{options.trials} trials of {N_SEEDS} seeds, level {LEVEL:.0%}: told apart in\n")
    for name in strategies:
        share = share_told_apart(runs[name], second[name])
        print(f"{name + ' against itself':>24}  {share:6.1%}   (to reach: 2 to 8 %)")
        saved, excluded = savings(runs[name], second[name])
        print(f"{'saved':>24}  {saved:+6.3f}   (to reach: within .03)")
        print(f"{'interval without 0':>24}  {excluded:6.1%}   (to reach: 2 to 8 %)")
    for name in ("margin", "informed"):
        share = share_told_apart(runs["random"], runs[name])
        print(f"{name + ' against random':>24}  {share:6.1%}   (to reach: 80 %)")
    print(f"\n{time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
