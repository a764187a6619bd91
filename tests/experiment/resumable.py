"""A comparison to be killed: ``python -m tests.experiment.resumable STORE LOG TABLE N_JOBS``.

Each score of a round appends a line to LOG; TABLE is written when all runs are done.
"""

import sys
import time
from pathlib import Path

from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

from alkit.experiment import compare_strategies

N_RUNS, N_ROUNDS = 18, 5


class LoggedAccuracy:
    """Accuracy, slowly, and on record."""

    def __init__(self, log):
        self.log = log

    def __call__(self, estimator, X, y):
        time.sleep(0.01)
        with Path(self.log).open("a") as file:
            file.write(f"{estimator.query_strategy} {estimator.random_state} {estimator.n_labels_[-1]}\n")
        return estimator.score(X, y)


def main(store, log, table, n_jobs):
    X, y = load_iris(return_X_y=True)
    print("ready", flush=True)
    comparison = compare_strategies(
        LogisticRegression(max_iter=500),
        X[::2],
        y[::2],
        ["random", "margin", "entropy"],
        X_test=X[1::2],
        y_test=y[1::2],
        n_seeds=N_RUNS // 3,
        n_initial=6,
        n_instances=4,
        n_queries=N_ROUNDS - 1,
        scoring=LoggedAccuracy(log),
        n_jobs=int(n_jobs),
        store=store,
    )
    comparison.to_frame().drop(columns=["query_seconds", "fit_seconds"]).to_csv(table)


if __name__ == "__main__":
    main(*sys.argv[1:])
