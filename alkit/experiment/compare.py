"""Strategies compared over several seeds: the same initial labels for all, in parallel, resumable."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.utils import check_scalar

from alkit._random import RandomState, draw_seed, generator
from alkit.experiment.comparison import Comparison
from alkit.experiment.loop import simulated
from alkit.experiment.runs import Round, play, seeded
from alkit.experiment.scorers import named_scorers
from alkit.experiment.simulated_loop import SimulatedLoop
from alkit.experiment.splits import Data, Split, data_of, splits_of
from alkit.labels import as_labels
from alkit.learners import QueryStrategy
from alkit.rows import Rows
from alkit.strategies import Strategy, as_strategy, get_strategy
from alkit.strategies.regressors import predicts_numbers

# a strategy, or how to start and how to go on
_Entry = QueryStrategy | tuple[Any, QueryStrategy]


def compare_strategies(
    estimator: Any,
    X: Rows,
    y: Any,
    strategies: Sequence[_Entry] | Mapping[str, _Entry],
    *,
    X_test: Rows = None,
    y_test: Any = None,
    cv: Any = None,
    groups: Any = None,
    n_seeds: int = 5,
    n_initial: int = 20,
    n_instances: int = 10,
    n_queries: int = 20,
    initial: str | Strategy | Sequence[int] = "random",
    scoring: str | Callable[..., Any] | Sequence[str] | Mapping[str, Any] | None = None,
    stopping: Any = None,
    random_state: RandomState = 0,
    n_jobs: int | None = None,
    store: str | Path | None = None,
    only_stored: bool = False,
    callbacks: Sequence[Callable[[Round], Any]] = (),
    progress: bool = True,
) -> Comparison:
    """Play the loop with several strategies and seeds, each seed with the same initial labels for all.

    What a strategy needs of an estimator is checked before anything is fitted; what rows hold, once they are read.

    Each run computes on one thread, so that results do not depend on `n_jobs`. Only the current model of a run is kept
    in memory.

    Parameters
    ----------
    estimator : classifier or regressor, or dict of name to one
        The model to train, or several; see `ActiveLearningClassifier` and `ActiveLearningRegressor`.
    X, y : rows and labels
        Initial rows and pool together; labels are hidden until they are acquired.
    strategies : list, or dict of name to strategy
        Names, `Strategy` objects or modAL callables; or pairs of how to start and how to go on, such as ``("typiclust",
        "margin")``, of which the first is an `initial` of its own. "random" is added if it is not among them.
    X_test, y_test : rows and labels, optional
        To score each round's model on. Needed unless `cv` is given.
    cv : int, splitter of scikit-learn, or iterable of (pool, test), optional
        Splits of X into a pool and a test set, in place of `X_test`. Seeds take turns on them: with ``cv=5`` and
        ``n_seeds=20``, four seeds play on each of five shuffled folds, stratified by class. Intervals are then those of
        a mean over splits.
    groups : array (n,), optional
        Rows of the same group are all in the pool or all in the test set: pictures of one patient, mails of one thread.
        Needs `cv`.
    n_seeds : int, default=5
        Runs of each strategy.
    n_initial, n_instances, n_queries, initial
        As in `ActiveLearningClassifier`.
    scoring : str, callable, list of str, or dict of name to scorer, optional
        Scorers of scikit-learn, by names such as ``"neg_root_mean_squared_error"``; by default accuracy, or R^2 of a
        regressor. Of several, the first is shown, and `Comparison.scored_by` shows another. They are called with the
        loop, whose probabilities have one column per class in y, which is zero while no label of the class is acquired.
        Of two labels that are text, names such as ``"f1"`` and ``"average_precision"`` take the second in sorted order
        for the positive one, ``"spam"`` of ham and spam. Scores are the higher the better; errors, whose names begin
        with ``neg_``, are drawn as errors that fall.
    stopping : object with ``update(model, X) -> bool``, optional
        As in `ActiveLearningClassifier`. Curves end with the first run that stops.
    random_state : int, RandomState or None, default=0
        Seeds the runs; with the same int, the first runs are the same for any `n_seeds`.
    n_jobs : int, optional
        Number of runs played at the same time, by joblib.
    store : str or Path, optional
        A folder to keep finished runs in. The same call reads them from there, and plays only those that are missing. A
        run is identified by the names and parameters of its estimator and strategy, sizes, seed, data and the version
        of alkit: when you change the code of your own strategy, scorer or network, take another folder. Scores of
        each scorer are kept, so that any of them can be asked for without playing again.
    only_stored : bool, default=False
        Whether to play nothing and return what the store has: the seeds of which all runs are finished. So another
        process can look at a comparison that is running.
    callbacks : sequence of callable, optional
        Called with a `Round` after each round that is played, in the process that plays it: ``lambda round:
        mlflow.log_metrics(round.scores, step=round.n_labels)``. Its fields are estimator, strategy, seed, round,
        n_labels, scores, query_seconds, fit_seconds and model.
    progress : bool, default=True
        Whether to show a bar, with the best strategies so far.

    Returns
    -------
    Comparison
        With ``to_frame()``, ``summary()``, ``penalty_matrix()`` and ``plot()``.

    Raises
    ------
    ValueError
        If a strategy is not known, names clash, sizes make no sense, there is no test set, or `store` holds other files
        than runs.
    TypeError
        If an estimator lacks what a strategy needs.

    Warns
    -----
    UserWarning
        Once for each warning of one or several runs, such as of a pool that ran out.

    See Also
    --------
    ActiveLearningClassifier : The loop as an estimator, to search over.
    evaluate_transfer : Whether labels acquired for one model serve another.
    score_gain_correlation : Whether a score predicts what a label gives.

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
    entries, baseline = _with_baseline(_named_entries(strategies))
    estimators = _named_estimators(estimator)
    rng = generator(random_state)
    y = as_labels(y)
    _check_test_set(X_test, y_test, cv, groups)
    splits: list[Split] = []
    if cv is None:
        data = [Data(X, y, X_test, as_labels(y_test))]
    else:
        y = np.asarray(y)
        are_classes = np.ndim(y) == 1 and not any(map(predicts_numbers, estimators.values()))
        splits = splits_of(cv, X, y, groups, draw_seed(rng), stratify=are_classes)
        data = data_of(X, y, splits)
    seeds = tuple(draw_seed(rng) for _ in range(n_seeds))
    labels = [(model, name, seed) for model in estimators for name in entries for seed in range(n_seeds)]
    sizes = {"n_initial": n_initial, "n_instances": n_instances, "n_queries": n_queries}
    loops = [
        _loop(estimators[model], entries[name], initial, seeds[seed], stopping=stopping, **sizes)
        for model, name, seed in labels
    ]
    # one seed stands for all
    for loop in loops[::n_seeds]:
        loop.check_before_fit(y)
    runs = play(
        loops, labels, data, scoring, n_jobs, store, callbacks=callbacks, progress=progress, only_stored=only_stored
    )
    scorers = named_scorers(scoring)
    return Comparison(runs, baseline, estimators, seeds, next(iter(scorers.values())), scorers, tuple(splits))


def _loop(estimator: Any, entry: Any, initial: Any, seed: int, **settings: Any) -> SimulatedLoop:
    """Return the loop of one run, with an estimator of its own."""
    start, strategy = _start_and_strategy(entry, initial)
    return simulated(seeded(estimator, seed), strategy, initial=start, random_state=seed, **settings)


def _check_test_set(X_test: Rows, y_test: Any, cv: Any, groups: Any) -> None:
    """Refuse what leaves open which rows to test on."""
    given = [name for name, value in (("X_test", X_test), ("y_test", y_test), ("cv", cv)) if value is not None]
    if given not in (["X_test", "y_test"], ["cv"]):
        raise ValueError(f"of X_test, y_test and cv, {given or 'none'} given; pass X_test and y_test, or cv")
    if groups is not None and cv is None:
        raise ValueError("groups are kept together by splits of X, but X_test is given; pass cv in its place")


def _named_estimators(estimator: Any) -> dict[str, Any]:
    """Return estimators by name; a single one is called by its class."""
    if not isinstance(estimator, Mapping):
        return {type(estimator).__name__: estimator}
    if not estimator:
        raise ValueError("estimator is an empty dict; pass an estimator, or a dict of name to estimator")
    return dict(estimator)


def named_strategies(strategies: Any) -> dict[str, Any]:
    """Return strategies by name, from a list or a dict."""
    return {name: as_strategy(entry) for name, entry in _named_entries(strategies).items()}


def _named_entries(strategies: Any) -> dict[str, Any]:
    """Return what a list or dict holds, by name."""
    if isinstance(strategies, Mapping):
        return {str(name): entry for name, entry in strategies.items()}
    if isinstance(strategies, (str, Strategy)) or callable(strategies):
        raise TypeError(f"strategies is {strategies!r}; pass a list of strategies, or a dict of name to strategy")
    names = [_name_of(entry) for entry in strategies]
    named = dict(zip(names, strategies, strict=True))
    if len(named) < len(names):
        raise ValueError(f"strategies {names} share names; pass a dict of name to strategy")
    return named


def _name_of(entry: Any) -> str:
    """Return the name of a strategy, or of a start and a strategy, for which none was given."""
    if isinstance(entry, (str, Strategy)):
        return str(entry)
    if isinstance(entry, tuple):
        return ", then ".join(map(_name_of, entry))
    return getattr(entry, "__name__", type(entry).__name__)


def _start_and_strategy(entry: Any, initial: Any) -> tuple[Any, Any]:
    """Return how a run starts and goes on: as a pair says, or with the start that is given for all."""
    if not isinstance(entry, tuple):
        return initial, as_strategy(entry)
    if len(entry) != 2:
        raise ValueError(f"strategies has a tuple of {len(entry)}: {entry!r}; pass pairs (start, strategy)")
    start, strategy = entry
    return start, as_strategy(strategy)


def _with_baseline(entries: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """Return the strategies, with random sampling added if it is missing, and the name of random sampling."""
    random = get_strategy("random")
    for name, entry in entries.items():
        if not isinstance(entry, tuple) and as_strategy(entry) == random:
            return entries, name
    if "random" in entries:
        raise ValueError("'random' names another strategy, but is the name of the baseline; rename yours")
    return {"random": random, **entries}, "random"
