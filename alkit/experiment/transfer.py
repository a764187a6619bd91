"""Transfer of labels: how well a model learns from labels that were acquired for another model."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from alkit.experiment.comparison import Comparison
from alkit.experiment.loop import simulated
from alkit.experiment.runs import Run, play, seeded
from alkit.experiment.splits import Data, data_of
from alkit.labels import as_labels
from alkit.rows import Rows


def evaluate_transfer(
    comparison: Comparison,
    estimator: Any,
    X: Rows,
    y: Any,
    *,
    X_test: Rows = None,
    y_test: Any = None,
    n_jobs: int | None = None,
    progress: bool = True,
) -> pd.DataFrame:
    """Train a model on the labels that other models acquired, round by round, to compare with its own.

    Parameters
    ----------
    comparison : Comparison
        The runs that acquired the labels, from `compare_strategies` on the same X and y. Its strategy "random" is the
        baseline that labels acquired for another model should stay above.
    estimator : str or classifier
        The model to train: the name of one of the comparison's estimators, whose own runs are then in the table, too,
        or another classifier.
    X, y, X_test, y_test, n_jobs, progress
        As in `compare_strategies`; scores are those of the comparison's `scoring`. If X was split by ``cv=``, the same
        splits are taken, and there is no `X_test`.

    Returns
    -------
    DataFrame
        With columns bought_by (the name of the estimator that acquired the labels), strategy, seed, round, n_labels,
        score; in the order of the comparison's runs.

    References
    ----------
    Lowell, Lipton & Wallace (2019), Practical Obstacles to Deploying Active Learning.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from alkit.experiment import compare_strategies, evaluate_transfer
    >>> X, y = load_iris(return_X_y=True)
    >>> data = dict(X=X[::2], y=y[::2], X_test=X[1::2], y_test=y[1::2])
    >>> models = {"bayes": GaussianNB(), "tree": DecisionTreeClassifier()}
    >>> comparison = compare_strategies(models, **data, strategies=["margin"], n_seeds=2, n_queries=2)
    >>> evaluate_transfer(comparison, "tree", **data).groupby(["strategy", "bought_by"])["score"].count()
    strategy  bought_by
    margin    bayes        6
              tree         6
    random    bayes        6
              tree         6
    Name: score, dtype: int64
    """
    known = comparison.estimators or {}
    if isinstance(estimator, str) and estimator not in known:
        raise ValueError(f"the comparison has no estimator {estimator!r}, but {list(known)}; pass one of these names")
    model = known[estimator] if isinstance(estimator, str) else estimator
    others = [run for run in comparison.runs if run.estimator != estimator]
    seeds = [comparison.seeds[run.seed] for run in others]
    # the labels that each run had acquired by each of its rounds
    purchases = [[run.labeled_indices[:n] for n in run.n_labels] for run in others]
    y = as_labels(y)
    if comparison.splits:
        data = data_of(X, np.asarray(y), list(comparison.splits))
    else:
        data = [Data(X, y, X_test, as_labels(y_test))]
    trained = play(
        [simulated(seeded(model, seed), random_state=seed) for seed in seeds],
        [(run.estimator, run.strategy, run.seed) for run in others],
        data,
        comparison.scoring,
        n_jobs,
        purchases=purchases,
        progress=progress,
    )
    # the runs of the model itself, if it is one of the comparison's, keep their scores
    scores = {run[:3]: run.score for run in [*comparison.runs, *trained]}
    frames = [_rounds_with(run, scores[run[:3]]) for run in comparison.runs]
    return pd.concat(frames, ignore_index=True)


def _rounds_with(run: Run, score: np.ndarray) -> pd.DataFrame:
    """Return the rounds of a run, with the scores of the model trained on its labels."""
    return pd.DataFrame(
        {
            "bought_by": run.estimator,
            "strategy": run.strategy,
            "seed": run.seed,
            "round": np.arange(len(run.score)),
            "n_labels": run.n_labels,
            "score": score,
        }
    )
