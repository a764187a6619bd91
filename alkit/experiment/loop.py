"""The simulated loop as an estimator: hide the labels, buy them back a batch at a time."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from numbers import Integral
from time import perf_counter
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.exceptions import NotFittedError
from sklearn.utils import assert_all_finite, check_scalar, column_or_1d
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, _raise_for_params, process_routing
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    _check_feature_names,
    _check_method_params,
    _check_n_features,
    check_is_fitted,
)

from alkit._inner import take_over_tags, tell_classes
from alkit._random import RandomState, draw_seed, generator, isolated_rng, seed_estimator
from alkit.learners import ActiveLearner, QueryStrategy
from alkit.rows import Rows, row_shape, take
from alkit.strategies import Strategy, as_strategy
from alkit.validation import as_labels, check_label_a_row

_MAX_WATCHED = 1000


def _gives_proba(loop: ActiveLearningClassifier) -> bool:
    """Whether the estimator inside gives probabilities."""
    return hasattr(getattr(loop, "estimator_", loop.estimator), "predict_proba")


class ActiveLearningClassifier(MetaEstimatorMixin, ClassifierMixin, BaseEstimator):
    """Active learning played against known labels, as a scikit-learn classifier.

    `fit` hides y, labels a few rows, and then trains, queries and reveals the labels asked for, round by round,
    through the same `ActiveLearner` a person would use. Query strategies and network parameters can so be searched
    over with ``GridSearchCV``.

    Parameters
    ----------
    estimator : classifier
        Any scikit-learn or skorch classifier, or a Pipeline.
    query_strategy : str, Strategy or callable, default="margin"
        See `ActiveLearner`.
    n_initial : int, default=20
        Labels to begin with.
    n_instances : int, default=10
        Labels bought a round.
    n_queries : int, default=20
        Rounds.
    initial : {"random", "stratified"} or Strategy, default="random"
        How the first rows are chosen. "random" buys on, row by row, until two classes are there. "stratified" covers
        as many classes as fit; it reads hidden labels, which a person could not. A strategy must need no model.
    missing_label : label or None, default=None
        Marks rows in y that nobody can label (``np.nan`` for NaN and None); they are never bought.
    stopping : object with ``update(model, X) -> bool``, optional
        Asked after each round whether to stop, on up to 1,000 rows drawn at the start: see `alkit.stopping`.
    random_state : int, RandomState or None
        Seeds the choice of rows, the queries, every ``random_state`` inside `estimator` that is None and, while it
        trains and rows are picked, the global generators of torch, numpy and Python; these are put back after.

    Attributes
    ----------
    classes_ : array (C,)
        Every label in y, whether bought or not.
    estimator_ : classifier
        Fitted on all labels bought.
    estimators_ : list of classifier
        As it was after each round, ``estimator_`` last.
    labeled_indices_ : int array
        Rows bought, in the order of purchase.
    n_labels_ : int array (rounds + 1,)
        Labels in hand when each of `estimators_` was fitted.
    query_seconds_, fit_seconds_ : arrays (rounds + 1,)
        What it took to choose the rows of each round (the first: the initial ones), and to train on them.
    stopped_ : bool
        Whether `stopping` ended the loop.
    n_features_in_, feature_names_in_
        As in scikit-learn, where X has them.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.model_selection import GridSearchCV
    >>> from alkit import ActiveLearningClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> loop = ActiveLearningClassifier(LogisticRegression(max_iter=1000), n_queries=3, random_state=0)
    >>> search = GridSearchCV(loop, {"query_strategy": ["random", "margin"], "estimator__C": [0.1, 1.0]}).fit(X, y)
    >>> search.best_estimator_.n_labels_
    array([20, 30, 40, 50])
    """

    estimator_: Any
    estimators_: list[Any]

    def __init__(
        self,
        estimator: Any,
        query_strategy: QueryStrategy = "margin",
        n_initial: int = 20,
        n_instances: int = 10,
        n_queries: int = 20,
        initial: str | Strategy = "random",
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
        """Return what becomes of metadata: see scikit-learn's user guide."""
        to_fit = MethodMapping().add(caller="fit", callee="fit")
        return MetadataRouter(owner=self).add_self_request(self).add(estimator=self.estimator, method_mapping=to_fit)

    def fit(self, X: Rows, y: Any, **params: Any) -> Self:
        """Play the loop.

        Parameters
        ----------
        X : rows of any kind
            Initial rows and pool together.
        y : labels
            Every row's label, hidden until bought.
        **params : dict
            Metadata that `estimator` asks for in ``fit``, such as ``sample_weight``, with one entry a row of X; needs
            ``sklearn.set_config(enable_metadata_routing=True)``.

        Returns
        -------
        self
        """
        _raise_for_params(params, self, "fit")
        routed = process_routing(self, "fit", **params).estimator.fit if params else {}
        models = [copy.deepcopy(loop.estimator_) for loop in self.iter_fit(X, y, fit_params=routed)]
        self.estimators_, self.estimator_ = models, models[-1]
        return self

    def iter_fit(
        self,
        X: Rows,
        y: Any,
        purchases: Iterable[np.ndarray] | None = None,
        fit_params: Mapping[str, Any] | None = None,
    ) -> Iterator[Self]:
        """Play the loop a round at a time, for pools and models of which no copy should be kept for each round.

        Parameters
        ----------
        X, y : rows and labels
            As in `fit`.
        purchases : iterable of int arrays, optional
            The rows in hand in each round, as another loop bought them; by default this one buys its own.
        fit_params : dict, optional
            Passed to the estimator's ``fit``; of what has an entry a row of X, those of the rows in hand.

        Yields
        ------
        self
            After each round, fitted on the labels in hand; without `estimators_`.
        """
        X, y = self._validate(X, y)
        rng = generator(self.random_state)
        estimator, seed = self._seeded_clone(rng), draw_seed(rng)
        learner = ActiveLearner(estimator, self.query_strategy, random_state=seed)
        self.estimator_, self.estimators_ = learner.estimator, []
        self.n_labels_, self.query_seconds_, self.fit_seconds_ = np.empty(0, int), np.empty(0), np.empty(0)
        unlabeled = ~_is_missing(y, self.missing_label)
        started = perf_counter()
        if purchases is None:
            purchases = self._buy(learner, X, y, unlabeled, self._buy_initial(X, y, unlabeled, rng), rng)
        stops = self._stopping(X, unlabeled, rng)
        for bought in purchases:
            queried = perf_counter()
            given = _check_method_params(y, fit_params or {}, indices=bought)
            with isolated_rng(seed=seed):  # for networks and callables that draw from global generators
                learner.fit(take(X, bought), y[bought], **given)
            self.labeled_indices_, self.n_labels_ = bought, np.append(self.n_labels_, len(bought))
            self.query_seconds_ = np.append(self.query_seconds_, queried - started)
            self.fit_seconds_ = np.append(self.fit_seconds_, perf_counter() - queried)
            self.stopped_ = stops(learner)
            yield self
            if self.stopped_:
                return
            started = perf_counter()

    def _buy(
        self,
        learner: ActiveLearner,
        X: Rows,
        y: np.ndarray,
        labelable: np.ndarray,
        bought: np.ndarray,
        rng: np.random.Generator,
    ) -> Iterator[np.ndarray]:
        """Yield the rows in hand after each purchase, the first one given, until enough or all are bought."""
        # a modAL callable is not offered the labels that only a simulation has
        known: dict[str, Any] = {"y_pool": y} if isinstance(as_strategy(self.query_strategy), Strategy) else {}
        unlabeled = labelable.copy()
        unlabeled[bought] = False
        wanted = len(bought) + self.n_queries * self.n_instances
        yield bought
        while len(bought) < wanted and unlabeled.any():
            n = min(self.n_instances, int(unlabeled.sum()))
            with isolated_rng(seed=draw_seed(rng)):
                picked = np.atleast_1d(learner.query(X, n_instances=n, candidates=unlabeled, **known)[0])
            distinct = len(np.unique(picked))
            if not distinct == len(picked) == n:
                raise ValueError(
                    f"{self.query_strategy} picked {len(picked)} rows, {distinct} of them different, but "
                    f"n_instances={n} were asked for; return as many different positions"
                )
            unlabeled[picked] = False
            bought = np.concatenate([bought, picked])
            yield bought
        if len(bought) < wanted:
            warnings.warn(
                f"the pool ran out: {len(bought)} labels bought of the {wanted} asked for (n_initial + n_queries * "
                "n_instances); lower n_queries or n_instances",
                stacklevel=4,
            )

    def _stopping(self, X: Rows, labelable: np.ndarray, rng: np.random.Generator) -> Callable[[Any], bool]:
        """Return what says after a round whether to stop."""
        if self.stopping is None:
            return lambda learner: False
        rows = np.flatnonzero(labelable)
        watched = take(X, rng.choice(rows, min(_MAX_WATCHED, len(rows)), replace=False))
        stopping = clone(self.stopping, safe=False)
        return lambda learner: stopping.update(learner, watched)

    def predict(self, X: Rows) -> np.ndarray:
        """Predict labels with all labels bought.

        Parameters
        ----------
        X : rows of the kind fitted

        Returns
        -------
        array (n,)
        """
        check_is_fitted(self)
        return self.estimator_.predict(X)

    @available_if(_gives_proba)
    def predict_proba(self, X: Rows) -> np.ndarray:
        """Predict probabilities with all labels bought.

        Parameters
        ----------
        X : rows of the kind fitted

        Returns
        -------
        array (n, C)
            Columns in the order of `classes_`; a class of which no label was bought is zero.
        """
        check_is_fitted(self)
        return self._proba(self.estimator_, X)

    def staged_predict(self, X: Rows) -> Iterator[np.ndarray]:
        """Predict labels as the model would have after each round.

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

    @available_if(_gives_proba)
    def staged_predict_proba(self, X: Rows) -> Iterator[np.ndarray]:
        """Predict probabilities as the model would have after each round.

        Parameters
        ----------
        X : rows of the kind fitted

        Yields
        ------
        array (n, C)
        """
        check_is_fitted(self)
        for estimator in self.estimators_:
            yield self._proba(estimator, X)

    def _validate(self, X: Rows, y: Any) -> tuple[Rows, np.ndarray]:
        """Check what scikit-learn checks, record features and classes, and return X and y as arrays where they are."""
        for name, least in (("n_initial", 1), ("n_instances", 1), ("n_queries", 0)):
            check_scalar(getattr(self, name), name, Integral, min_val=least)
        if y is None:
            raise ValueError("requires y to be passed, but the target y is None; the loop buys its labels from y")
        y = column_or_1d(as_labels(y), warn=True)
        X = np.asarray(X) if hasattr(X, "__array__") and not hasattr(X, "shape") else X
        check_label_a_row(X, y)
        known = y[~_is_missing(y, self.missing_label)]
        assert_all_finite(known, input_name="y")
        check_classification_targets(known)
        self.classes_ = np.unique(known)
        if len(self.classes_) < 2:
            raise ValueError(f"y has {len(self.classes_)} class: {self.classes_.tolist()}; a classifier needs two")
        if row_shape(X) is not None and not isinstance(X, dict):
            _check_feature_names(self, X, reset=True)
            _check_n_features(self, X, reset=True)
        return X, y

    def _seeded_clone(self, rng: np.random.Generator) -> Any:
        """Clone the estimator, seeded, and told of all classes where it can be."""
        estimator = clone(self.estimator)
        seed_estimator(estimator, rng)
        return tell_classes(estimator, self.classes_)

    def _buy_initial(self, X: Rows, y: np.ndarray, unlabeled: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Choose the first rows to label."""
        pool = rng.permutation(np.flatnonzero(unlabeled))
        n = min(self.n_initial, len(pool))
        if n < self.n_initial:
            warnings.warn(f"n_initial={self.n_initial}, but only {n} rows can be labelled; took them all", stacklevel=3)
        if self.initial == "random":
            other = np.flatnonzero(y[pool] != y[pool[0]])[0]
            return pool[: max(n, other + 1)]
        if self.initial == "stratified":
            firsts = np.sort(np.unique(y[pool], return_index=True)[1])
            return np.concatenate([pool[firsts], np.delete(pool, firsts)])[:n]
        strategy = as_strategy(self.initial)
        remedy = "pass 'random', 'stratified', or a strategy that needs none, such as 'typiclust'"
        if not isinstance(strategy, Strategy):
            raise TypeError(f"initial is {strategy!r}, which is given a model, but there is none yet; {remedy}")
        try:
            return strategy.select(self.estimator, X, n, candidates=unlabeled, random_state=rng).indices
        except NotFittedError as error:
            raise ValueError(f"initial is {strategy}, which asks a model, but there is none yet; {remedy}") from error

    def _proba(self, estimator: Any, X: Rows) -> np.ndarray:
        """Spread an estimator's columns over all classes."""
        known = estimator.predict_proba(X)
        proba = np.zeros((len(known), len(self.classes_)), known.dtype)  # of its precision: rows sum to one within it
        proba[:, np.searchsorted(self.classes_, estimator.classes_)] = known
        return proba


def _is_missing(y: np.ndarray, missing_label: Any) -> np.ndarray:
    """Mark the rows nobody can label."""
    if missing_label is None:
        return np.zeros(len(y), dtype=bool)
    return pd.isna(y) if pd.isna(missing_label) else y == missing_label
