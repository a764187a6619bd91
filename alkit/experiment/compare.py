"""Strategies compared over several seeds: the same initial labels for all, in parallel, resumable."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from numbers import Integral
from pathlib import Path
from typing import Any

from sklearn.utils import check_scalar

from alkit._random import RandomState, draw_seed, generator
from alkit.experiment.comparison import Comparison
from alkit.experiment.loop import simulated
from alkit.experiment.runs import Data, play, seeded
from alkit.labels import as_labels
from alkit.rows import Rows
from alkit.strategies import Strategy, as_strategy, get_strategy


def compare_strategies(
    estimator: Any,
    X: Rows,
    y: Any,
    strategies: Any,
    *,
    X_test: Rows,
    y_test: Any,
    n_seeds: int = 5,
    n_initial: int = 20,
    n_instances: int = 10,
    n_queries: int = 20,
    initial: str | Strategy = "random",
    scoring: str | Callable | None = None,
    stopping: Any = None,
    random_state: RandomState = 0,
    n_jobs: int | None = None,
    store: str | Path | None = None,
) -> Comparison:
    """Play the loop with several strategies and seeds, each seed with the same initial labels for all.

    Each run computes on one thread, so that results do not depend on `n_jobs`. Only the current model of a run is kept
    in memory.

    Parameters
    ----------
    estimator : classifier or regressor, or dict of name to one
        The model to train, or several; see `ActiveLearningClassifier` and `ActiveLearningRegressor`.
    X, y : rows and labels
        Initial rows and pool together; labels are hidden until they are acquired.
    strategies : list, or dict of name to strategy
        Names, `Strategy` objects or modAL callables. "random" is added if it is not among them.
    X_test, y_test : rows and labels
        To score each round's model on.
    n_seeds : int, default=5
        Runs of each strategy.
    n_initial, n_instances, n_queries, initial
        As in `ActiveLearningClassifier`.
    scoring : str or callable, optional
        A scikit-learn scorer, by name such as ``"neg_root_mean_squared_error"``; by default accuracy, or R^2 of a
        regressor. It is called with the loop, whose probabilities have one column per class in y, which is zero while
        no label of the class is acquired. Scores are the higher the better; errors, whose names begin with ``neg_``,
        are drawn as errors that fall.
    stopping : object with ``update(model, X) -> bool``, optional
        As in `ActiveLearningClassifier`. Curves end with the first run that stops.
    random_state : int, RandomState or None, default=0
        Seeds the runs; with the same int, the first runs are the same for any `n_seeds`.
    n_jobs : int, optional
        Number of runs played at the same time, by joblib.
    store : str or Path, optional
        A folder to keep finished runs in. The same call reads them from there, and plays only those that are missing. A
        run is identified by the names and parameters of its estimator and strategy, sizes, seed, data and the version
        of alkit: when you change the code of your own strategy, scorer or network, take another folder.

    Returns
    -------
    Comparison
        With ``to_frame()``, ``summary()``, ``penalty_matrix()`` and ``plot()``.

    Raises
    ------
    ValueError
        If a strategy is not known, names clash, sizes make no sense, or `store` holds other files than runs.

    Warns
    -----
    UserWarning
        Once for each warning of one or several runs, such as of a pool that ran out.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from alkit.experiment import compare_strategies
    >>> X, y = load_iris(return_X_y=True)
    >>> comparison = compare_strategies(
    ...     GaussianNB(), X[::2], y[::2], ["margin"], X_test=X[1::2], y_test=y[1::2], n_seeds=3, n_queries=3
    ... )
    >>> comparison.summary()[["area", "gain", "p_value"]].index.tolist()
    ['random', 'margin']
    """
    check_scalar(n_seeds, "n_seeds", Integral, min_val=1)
    named, baseline = _with_baseline(named_strategies(strategies))
    estimators = _named_estimators(estimator)
    data = Data(X, as_labels(y), X_test, as_labels(y_test))
    rng = generator(random_state)
    seeds = tuple(draw_seed(rng) for _ in range(n_seeds))
    labels = [(model, name, seed) for model in estimators for name in named for seed in range(n_seeds)]
    loops = [
        simulated(
            seeded(estimators[model], seeds[seed]),
            named[name],
            n_initial=n_initial,
            n_instances=n_instances,
            n_queries=n_queries,
            initial=initial,
            stopping=stopping,
            random_state=seeds[seed],
        )
        for model, name, seed in labels
    ]
    runs = play(loops, labels, data, scoring, n_jobs, store)
    return Comparison(runs, baseline, estimators, seeds, scoring)


def _named_estimators(estimator: Any) -> dict[str, Any]:
    """Return estimators by name; a single one is called by its class."""
    if not isinstance(estimator, Mapping):
        return {type(estimator).__name__: estimator}
    if not estimator:
        raise ValueError("estimator is an empty dict; pass an estimator, or a dict of name to estimator")
    return dict(estimator)


def named_strategies(strategies: Any) -> dict[str, Any]:
    """Return strategies by name, from a list or a dict."""
    if isinstance(strategies, Mapping):
        return {str(name): as_strategy(strategy) for name, strategy in strategies.items()}
    if isinstance(strategies, (str, Strategy)) or callable(strategies):
        raise TypeError(f"strategies is {strategies!r}; pass a list of strategies, or a dict of name to strategy")
    pairs = [(_name_of(strategy), strategy) for strategy in strategies]
    named = {name: as_strategy(strategy) for name, strategy in pairs}
    if len(named) < len(pairs):
        raise ValueError(f"strategies {[name for name, _ in pairs]} share names; pass a dict of name to strategy")
    return named


def _name_of(strategy: Any) -> str:
    """Return the name of a strategy for which none was given."""
    if isinstance(strategy, (str, Strategy)):
        return str(strategy)
    return getattr(strategy, "__name__", type(strategy).__name__)


def _with_baseline(named: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """Return the strategies, with random sampling added if it is missing, and the name of random sampling."""
    random = get_strategy("random")
    for name, strategy in named.items():
        if strategy == random:
            return named, name
    if "random" in named:
        raise ValueError("'random' names another strategy, but is the name of the baseline; rename yours")
    return {"random": random, **named}, "random"
