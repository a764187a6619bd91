"""Correlation of score and gain: how well the score of a row predicts what training on it improves."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.metrics import check_scoring
from sklearn.pipeline import Pipeline
from sklearn.utils import check_scalar
from sklearn.utils.parallel import delayed
from tqdm.auto import tqdm

from alkit._inner import tell_classes
from alkit._progress import inside
from alkit._random import RandomState, draw_seed, generator
from alkit.experiment.compare import named_strategies
from alkit.experiment.plots import ScoreGainDisplay
from alkit.experiment.runs import one_thread, run_apart, seeded
from alkit.labels import as_labels
from alkit.rows import Rows, n_rows, take
from alkit.strategies import Strategy
from alkit.strategies.picks.single import top_k
from alkit.strategies.regressors import predicts_numbers
from alkit.validation import check_label_a_row


@dataclass(frozen=True, eq=False)
class ScoreGainCorrelation:
    """The gain of groups of pool rows, and their mean score. Made by `score_gain_correlation`.

    Parameters
    ----------
    groups : DataFrame
        Columns score (the name), seed, group, mean_score, gain.
    """

    groups: pd.DataFrame

    def to_frame(self) -> pd.DataFrame:
        """Return every group of every seed.

        Returns
        -------
        DataFrame
            With columns score, seed, group, mean_score, gain.
        """
        return self.groups.copy()

    def summary(self, confidence: float = 0.95) -> pd.DataFrame:
        """Return Pearson's correlation of mean score and gain.

        Parameters
        ----------
        confidence : float, default=0.95
            Of the intervals `low` to `high`, by Fisher's transformation.

        Returns
        -------
        DataFrame
            One row per score and seed; columns r, low, high, p_value (two-sided) and n, the number of groups. NaN where
            all groups have the same mean score, or the same gain.
        """
        rows = {
            key: _pearson(groups["mean_score"].to_numpy(), groups["gain"].to_numpy(), confidence)
            for key, groups in self.groups.groupby(["score", "seed"], sort=False)
        }
        index = pd.MultiIndex.from_tuples(rows, names=["score", "seed"])
        columns = ["r", "low", "high", "p_value", "n"]
        return pd.DataFrame(list(rows.values()), index, columns)

    def plot(self, *, ax: Any = None) -> Any:
        """Draw gain over mean score, see `ScoreGainDisplay.from_correlation`.

        Parameters
        ----------
        ax : array of matplotlib Axes, optional
            One per score.

        Returns
        -------
        ScoreGainDisplay
        """
        return ScoreGainDisplay.from_correlation(self, ax=ax)


def score_gain_correlation(
    estimator: Any,
    X: Rows,
    y: Any,
    scores: Any,
    *,
    n_train: int = 2000,
    n_pool: int = 10_000,
    n_groups: int = 100,
    X_test: Rows = None,
    y_test: Any = None,
    scoring: str | Callable[..., Any] | None = None,
    n_seeds: int = 5,
    random_state: RandomState = 0,
    n_jobs: int | None = None,
    progress: bool = True,
) -> ScoreGainCorrelation:
    """Correlate the score of pool rows with the gain of one more epoch on them.

    The model is trained on `n_train` rows and scores `n_pool` others. These are sorted by score and cut into groups.
    From the same trained weights, the model is trained for one more epoch on each group alone; the change of its test
    score is the gain. Each seed draws other rows and weights.

    Parameters
    ----------
    estimator : classifier or regressor with ``partial_fit``, or Pipeline that ends in one
        An epoch of it is one call of ``partial_fit``, with ``max_epochs=1`` where it has that parameter.
    X, y : rows and labels
        The rows to train on and to score are drawn from these.
    scores : list, or dict of name to strategy
        Names or `Strategy` objects that score row by row, ``"ideal_loss"`` (the true loss) and ``"learning_loss"``
        (the predicted one, of a `LearningLossClassifier`) among them.
    n_train, n_pool, n_groups : int, default=2000, 10,000, 100
        Rows to train on, rows to score, and groups that these are cut into.
    X_test, y_test : rows and labels, optional
        The gain is measured on these; by default, on all rows of X that are not drawn.
    scoring : str or callable, optional
        A scikit-learn scorer; by default accuracy, or R^2 of a regressor.
    n_seeds : int, default=5
        Repetitions, of which the spread is part of the result.
    random_state : int, RandomState or None, default=0
        Seeds the repetitions; with the same int, the first repetitions are the same for any `n_seeds`.
    n_jobs : int, optional
        Number of repetitions at the same time, by joblib; each computes on one thread.
    progress : bool, default=True
        Whether to show a bar.

    Returns
    -------
    ScoreGainCorrelation
        With ``to_frame()``, ``summary()`` and ``plot()``.

    Raises
    ------
    TypeError
        If the estimator has no ``partial_fit``, or a strategy does not score row by row.
    ValueError
        If there are too few rows for the sizes.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.neural_network import MLPClassifier
    >>> from alkit.experiment import score_gain_correlation
    >>> X, y = load_digits(return_X_y=True)
    >>> correlation = score_gain_correlation(
    ...     MLPClassifier(max_iter=200, batch_size=10), X / 16, y, ["margin", "ideal_loss"],
    ...     n_train=200, n_pool=400, n_groups=20, n_seeds=2,
    ... )
    >>> correlation.summary()["n"].tolist()
    [20, 20, 20, 20]
    """
    for name, value in (("n_train", n_train), ("n_pool", n_pool), ("n_seeds", n_seeds)):
        check_scalar(value, name, Integral, min_val=1)
    check_scalar(n_groups, "n_groups", Integral, min_val=3, max_val=n_pool)
    _check_estimator(estimator)
    strategies = named_strategies(scores).items()
    by_row = {name: _scored_by_row(name, strategy) for name, strategy in strategies}
    y = as_labels(y)
    if y_test is not None:
        y_test = as_labels(y_test)
    _check_data(X, y, X_test, y_test, n_train, n_pool)
    rng = generator(random_state)
    sizes = n_train, n_pool, n_groups
    jobs = (
        delayed(_repetition)(estimator, X, y, by_row, sizes, (X_test, y_test), scoring, seed)
        for seed in [draw_seed(rng) for _ in range(n_seeds)]
    )
    done = run_apart(jobs, n_jobs, ordered=True)
    repetitions = enumerate(tqdm(done, total=n_seeds, desc="repetitions", disable=not progress))
    groups = pd.concat([frame.assign(seed=seed) for seed, frame in repetitions], ignore_index=True)
    return ScoreGainCorrelation(groups[["score", "seed", "group", "mean_score", "gain"]])


def _check_estimator(estimator: Any) -> None:
    """Refuse an estimator that cannot be trained for one more epoch."""
    last = estimator[-1] if isinstance(estimator, Pipeline) else estimator
    if not hasattr(last, "partial_fit"):
        raise TypeError(
            f"{type(last).__name__} has no partial_fit, so it cannot be trained one epoch more; use "
            "alkit.NetClassifier, alkit.NetRegressor, or another estimator that has"
        )


def _check_data(X: Rows, y: np.ndarray, X_test: Rows, y_test: Any, n_train: int, n_pool: int) -> None:
    """Refuse rows and labels that do not fit together, or are too few for the sizes."""
    check_label_a_row(X, y)
    if X_test is not None or y_test is not None:
        # where only one of the two is passed, the other counts as empty, so that the error names both
        check_label_a_row([] if X_test is None else X_test, [] if y_test is None else y_test, "_test")
    n_left = n_rows(X) - n_train - n_pool
    if n_left < (1 if X_test is None else 0):
        raise ValueError(
            f"X has {n_rows(X)} rows, but n_train={n_train} and n_pool={n_pool} take {n_train + n_pool}, and what is "
            "left is to test on; lower them, or pass X_test and y_test"
        )


def _repetition(
    estimator: Any, X: Rows, y: np.ndarray, by_row: dict, sizes: tuple, test: tuple, scoring: Any, seed: int
) -> pd.DataFrame:
    """Train, score, cut into groups and train on each; return one row per score and group."""
    n_train, n_pool, n_groups = sizes
    shuffled = np.random.default_rng(seed).permutation(n_rows(X))
    train, pool, rest = np.split(shuffled, [n_train, n_train + n_pool])
    X_test, y_test = test
    if X_test is None:
        X_test, y_test = take(X, rest), y[rest]
    rows = []
    with one_thread(), inside():
        model = seeded(estimator, seed)
        if np.ndim(y) == 1 and not predicts_numbers(model):
            model = tell_classes(model, np.unique(y))
        model = model.fit(take(X, train), y[train])
        model, X_pool, X_test = _last_step_on(model, take(X, pool), X_test)
        score = check_scoring(model, scoring)
        before = score(model, X_test, y_test)
        for name, strategy in by_row.items():
            picks = strategy.select(model, X_pool, n_pool, y_pool=y[pool], random_state=seed)
            lowest_first = np.arange(n_pool)[::-1]  # picks come in the order of falling scores
            for group, ranks in enumerate(np.array_split(lowest_first, n_groups)):
                members = picks.indices[ranks]
                trained = _one_more_epoch(model, take(X_pool, members), y[pool[members]])
                gain = score(trained, X_test, y_test) - before
                rows.append((name, group, picks.scores[ranks].mean(), gain))
    return pd.DataFrame(rows, columns=["score", "group", "mean_score", "gain"])


def _scored_by_row(name: str, strategy: Any) -> Strategy:
    """Return a strategy that picks by its scores alone."""
    if not isinstance(strategy, Strategy) or strategy.score is None:
        raise TypeError(
            f"{name} does not score row by row, so there is nothing to correlate; use a strategy that does, such as "
            "'margin', 'bald' or 'ideal_loss'"
        )
    return replace(strategy, pick=top_k, pick_needs=(), part=None)


def _last_step_on(model: Any, *rows: Rows) -> tuple[Any, ...]:
    """Return the last step of a fitted model, and rows transformed by the steps before it, once for all groups."""
    if not isinstance(model, Pipeline):
        return model, *rows
    if len(model) == 1:
        return model[-1], *rows
    return model[-1], *(model[:-1].transform(X) for X in rows)


def _one_more_epoch(model: Any, X: Rows, y: np.ndarray) -> Any:
    """Return a copy of a fitted model, trained for one more epoch on some rows alone."""
    model = copy.deepcopy(model)
    if "max_epochs" in model.get_params(deep=False):
        model.set_params(max_epochs=1)
    return model.partial_fit(X, y)


def _pearson(mean_score_G: np.ndarray, gain_G: np.ndarray, confidence: float) -> tuple[float, ...]:
    """Return the correlation, its interval, its p-value and the number of groups."""
    n, nan = len(gain_G), float("nan")
    if np.ptp(mean_score_G) == 0 or np.ptp(gain_G) == 0:
        return nan, nan, nan, nan, n
    result = stats.pearsonr(mean_score_G, gain_G)
    low, high = result.confidence_interval(confidence)
    return result.statistic, low, high, result.pvalue, n
