"""The simulated loop, whatever the estimator predicts: all labels are hidden, and acquired batch by batch."""

from __future__ import annotations

import copy
import warnings
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from numbers import Integral
from time import perf_counter
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.exceptions import NotFittedError
from sklearn.utils import check_scalar
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, _raise_for_params, process_routing
from sklearn.utils.validation import (
    _check_feature_names,
    _check_method_params,
    _check_n_features,
    check_is_fitted,
)

from alkit._inner import take_over_tags
from alkit._random import RandomState, draw_seed, generator, isolated_rng, seed_estimator
from alkit.experiment.checks import check_needs, is_start
from alkit.learners import ActiveLearner, QueryStrategy
from alkit.rows import Rows, row_shape, take
from alkit.strategies import Strategy, as_strategy
from alkit.validation import candidate_rows

_MAX_WATCHED = 1000  # rows that a stopping rule predicts in each round


class SimulatedLoop(MetaEstimatorMixin, BaseEstimator):
    """What the loops of classifiers and of regressors share; they say what labels are, and how to start."""

    estimator_: Any
    estimators_: list[Any]

    def __init__(
        self,
        estimator: Any,
        query_strategy: QueryStrategy = "margin",
        n_initial: int = 20,
        n_instances: int = 10,
        n_queries: int = 20,
        initial: str | Strategy | Sequence[int] = "random",
        missing_label: Any = None,
        stopping: Any = None,
        random_state: RandomState = None,
    ) -> None:
        self.estimator = estimator
        self.query_strategy = query_strategy
        self.n_initial = n_initial
        self.n_instances = n_instances
        self.n_queries = n_queries
        self.initial = initial
        self.missing_label = missing_label
        self.stopping = stopping
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        return take_over_tags(super().__sklearn_tags__(), self.estimator)

    def get_metadata_routing(self) -> MetadataRouter:
        """Return where metadata is passed on to, see scikit-learn's user guide on metadata routing."""
        to_fit = MethodMapping().add(caller="fit", callee="fit")
        router = MetadataRouter(owner=self).add_self_request(self)
        return router.add(estimator=self.estimator, method_mapping=to_fit)

    def fit(self, X: Rows, y: Any, **params: Any) -> Self:
        """Play the loop.

        Parameters
        ----------
        X : rows of any kind
            Initial rows and pool together.
        y : array (n,), (n, L), (n, T) or ``(n, *S)``
            Labels or numbers, a 0/1 matrix of several labels, several numbers, or labels of positions: what every row
            has, hidden until it is acquired.
        **params : dict
            Metadata that `estimator` asks for in ``fit``, such as ``sample_weight``, with one entry per row of X; needs
            ``sklearn.set_config(enable_metadata_routing=True)``.

        Returns
        -------
        self
        """
        _raise_for_params(params, self, "fit")
        routed = process_routing(self, "fit", **params).estimator.fit if params else {}
        rounds = self.iter_fit(X, y, fit_params=routed)
        # each is copied, because the next round trains the same object
        models = [copy.deepcopy(loop.estimator_) for loop in rounds]
        self.estimators_, self.estimator_ = models, models[-1]
        return self

    def iter_fit(
        self,
        X: Rows,
        y: Any,
        purchases: Iterable[np.ndarray] | None = None,
        fit_params: Mapping[str, Any] | None = None,
        pool: np.ndarray | None = None,
    ) -> Iterator[Self]:
        """Play the loop round by round, without keeping a copy of the model for each round.

        Parameters
        ----------
        X, y : rows and labels
            As in `fit`.
        purchases : iterable of int arrays, optional
            The labelled rows of each round, as another loop acquired them; by default this one acquires its own.
        fit_params : dict, optional
            Passed to the estimator's ``fit``; values with one entry per row of X are cut down to the labelled rows.
        pool : int array, optional
            The only rows of X whose labels may be acquired; by default all.

        Yields
        ------
        self
            After each round, fitted on the labels acquired so far; without `estimators_`.
        """
        X, y, labelable = self._validate(X, y)
        if pool is not None:
            labelable &= np.isin(np.arange(len(y)), pool)
        if purchases is None:
            self.check_before_fit(y)
        rng = generator(self.random_state)
        estimator, seed = self._seeded_clone(y, rng), draw_seed(rng)
        learner = ActiveLearner(estimator, self.query_strategy, random_state=seed)
        self.estimator_, self.estimators_ = learner.estimator, []
        self.n_labels_ = np.empty(0, int)
        self.query_seconds_ = np.empty(0)
        self.fit_seconds_ = np.empty(0)
        started = perf_counter()
        if purchases is None:
            initial = self._acquire_initial(X, y, labelable, rng)
            purchases = self._acquire(learner, X, y, labelable, initial, rng)
        stops = self._stopping(X, labelable, rng)
        for labelled in purchases:
            queried = perf_counter()
            params = _check_method_params(y, fit_params or {}, indices=labelled)
            with isolated_rng(seed=seed):  # for networks and callables that draw from global generators
                # A person's loop calls `teach`, which stacks the new rows onto a copy of those taught before; the
                # simulated one drives the same learner by `fit` on all labelled rows, since it has them in X already.
                self._train(learner, take(X, labelled), y[labelled], params)
            fitted = perf_counter()
            self.estimator_ = learner.estimator
            self.labeled_indices_ = labelled
            self.n_labels_ = np.append(self.n_labels_, len(labelled))
            self.query_seconds_ = np.append(self.query_seconds_, queried - started)
            self.fit_seconds_ = np.append(self.fit_seconds_, fitted - queried)
            self.stopped_ = stops(learner)
            yield self
            if self.stopped_:
                return
            started = perf_counter()

    def _train(self, learner: ActiveLearner, X: Rows, y: np.ndarray, fit_params: Mapping[str, Any]) -> None:
        """Fit the learner on the labels acquired so far."""
        learner.fit(X, y, **fit_params)

    def _acquire(
        self,
        learner: ActiveLearner,
        X: Rows,
        y: np.ndarray,
        labelable: np.ndarray,
        labelled: np.ndarray,
        rng: np.random.Generator,
    ) -> Iterator[np.ndarray]:
        """Yield the labelled rows of each round, the first as given, until there are enough or the pool runs out."""
        unlabelled = labelable.copy()
        unlabelled[labelled] = False
        wanted = len(labelled) + self.n_queries * self.n_instances
        yield labelled
        while len(labelled) < wanted and unlabelled.any():
            with isolated_rng(seed=draw_seed(rng)):
                picked = self._query(learner, X, y, unlabelled)
            unlabelled[picked] = False
            labelled = np.concatenate([labelled, picked])
            yield labelled
        if len(labelled) < wanted:
            warnings.warn(
                f"the pool ran out: {len(labelled)} labels acquired of the {wanted} asked for (n_initial + n_queries * "
                "n_instances); lower n_queries or n_instances",
                stacklevel=4,
            )

    def _query(self, learner: ActiveLearner, X: Rows, y: np.ndarray, unlabelled: np.ndarray) -> np.ndarray:
        """Return the rows that the strategy picks, or refuse them if they are not as many as asked for."""
        n = min(self.n_instances, int(unlabelled.sum()))
        # strategies such as "ideal_loss" read true labels; a modAL callable does not expect the argument
        known: dict[str, Any] = {}
        if isinstance(as_strategy(self.query_strategy), Strategy):
            known = {"y_pool": y}
        indices, *_ = learner.query(X, n_instances=n, candidates=unlabelled, **known)
        picked = np.atleast_1d(indices)
        n_distinct = len(np.unique(picked))
        if not n_distinct == len(picked) == n:
            raise ValueError(
                f"{self.query_strategy} picked {len(picked)} rows, {n_distinct} of them different, but "
                f"n_instances={n} were asked for; return as many different positions"
            )
        return picked

    def _stopping(self, X: Rows, labelable: np.ndarray, rng: np.random.Generator) -> Callable[[Any], bool]:
        """Return a function of the learner that returns, after a round, whether to stop."""
        if self.stopping is None:
            return lambda learner: False
        rows = np.flatnonzero(labelable)
        size = min(_MAX_WATCHED, len(rows))
        watched = take(X, rng.choice(rows, size, replace=False))
        stopping = clone(self.stopping, safe=False)
        return lambda learner: stopping.update(learner, watched)

    def predict(self, X: Rows) -> np.ndarray:
        """Predict labels by the model fitted on all labels acquired.

        Parameters
        ----------
        X : rows of the kind fitted

        Returns
        -------
        array (n,)
        """
        check_is_fitted(self)
        return self.estimator_.predict(X)

    def staged_predict(self, X: Rows) -> Iterator[np.ndarray]:
        """Predict labels by the model of each round.

        Parameters
        ----------
        X : rows of the kind fitted

        Yields
        ------
        array (n,)
        """
        check_is_fitted(self)
        for estimator in self.estimators_:
            yield estimator.predict(X)

    def _validate(self, X: Rows, y: Any) -> tuple[Rows, np.ndarray, np.ndarray]:
        """Check parameters, X and y; return X, y as an array, and a mask of the rows that somebody can label."""
        for name, least in (("n_initial", 1), ("n_instances", 1), ("n_queries", 0)):
            check_scalar(getattr(self, name), name, Integral, min_val=least)
        if y is None:
            raise ValueError("requires y to be passed, but the target y is None; the loop acquires its labels from y")
        y, labelable = self._checked_labels(X, y)
        if isinstance(row_shape(X), tuple):
            _check_feature_names(self, X, reset=True)
            _check_n_features(self, X, reset=True)
        return X, y, labelable

    @abstractmethod
    def _checked_labels(self, X: Rows, y: Any) -> tuple[np.ndarray, np.ndarray]:
        """Return labels as an array and a mask of those that somebody can give, or refuse them."""

    @abstractmethod
    def _starts(self) -> dict[str, Callable[[np.ndarray, np.ndarray, int], np.ndarray]]:
        """Return the ways to start, ``start(y, pool, n) -> rows``, by name; `pool` is shuffled."""

    def _seeded_clone(self, y: np.ndarray, rng: np.random.Generator) -> Any:
        """Clone the estimator and seed it."""
        estimator = clone(self.estimator)
        seed_estimator(estimator, rng)
        return estimator

    def _acquire_initial(self, X: Rows, y: np.ndarray, labelable: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return the first rows to label."""
        pool = rng.permutation(np.flatnonzero(labelable))
        n = min(self.n_initial, len(pool))
        if n < self.n_initial:
            warnings.warn(f"n_initial={self.n_initial}, but only {n} rows can be labelled; took them all", stacklevel=3)
        named = self._starts()
        start = self._start()
        if isinstance(start, str):
            return named[start](y, pool, n)
        if isinstance(start, Strategy):
            picked = self._query_without_model(start, X, n, labelable, rng)
            # of rows of one class no classifier learns: what is picked at random follows those picked
            rest = pool[~np.isin(pool, picked)]
            return named["random"](y, np.concatenate([picked, rest]), n)
        return self._given_rows(start, labelable)

    def _start(self) -> str | Strategy | np.ndarray:
        """Return how to start: one of `_starts`, a strategy, or the rows themselves."""
        if not (isinstance(self.initial, (str, Strategy)) or callable(self.initial)):
            return np.asarray(self.initial)
        if isinstance(self.initial, str) and self.initial in self._starts():
            return self.initial
        strategy = as_strategy(self.initial)
        if not isinstance(strategy, Strategy):
            raise TypeError(f"initial is {strategy!r}, which takes a model, but there is none yet; {self._remedy()}")
        return strategy

    def _remedy(self) -> str:
        """Return what may be passed as `initial`, for error messages."""
        named = ", ".join(map(repr, self._starts()))
        return f"pass {named}, or a strategy that needs none, such as 'typiclust', or rows"

    def _query_without_model(
        self, strategy: Strategy, X: Rows, n: int, labelable: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        """Return the rows that a strategy picks before there is a model, unless it needs one."""
        try:
            return strategy.select(self.estimator, X, n, candidates=labelable, random_state=rng).indices
        except NotFittedError as error:
            raise self._needs_model(strategy) from error

    def _needs_model(self, strategy: Strategy) -> ValueError:
        return ValueError(f"initial is {strategy}, which needs a model, but there is none yet; {self._remedy()}")

    def _given_rows(self, rows: np.ndarray, labelable: np.ndarray) -> np.ndarray:
        """Return the rows to begin with as they were given, or refuse them."""
        try:
            given = candidate_rows(rows, len(labelable))
        except ValueError as error:
            error.add_note("initial was taken for rows to begin with")
            raise
        assert given is not None
        outside = given[~labelable[given]]
        if not len(given) or len(outside):
            raise ValueError(
                f"initial has {len(given)} rows, of which {len(outside)} cannot be labelled or are not in the pool "
                f"{outside[:5].tolist()}; give rows of the pool with labels, one at least"
            )
        return given

    def check_before_fit(self, y: np.ndarray) -> None:
        """Refuse a strategy that asks for what the estimator lacks, or a start that needs a model.

        Parameters
        ----------
        y : array
            Labels, as `fit` takes them.

        Raises
        ------
        TypeError, ValueError
            Which name the strategy and what it needs.
        """
        check_needs(as_strategy(self.query_strategy), self.estimator, y)
        start = self._start()
        if isinstance(start, Strategy) and not is_start(start):
            try:
                check_is_fitted(self.estimator)
            except NotFittedError as error:
                raise self._needs_model(start) from error
