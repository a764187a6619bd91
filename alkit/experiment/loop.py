"""The simulated loop as an estimator: all labels are hidden, and acquired batch by batch."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from numbers import Integral
from time import perf_counter
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.exceptions import NotFittedError
from sklearn.utils import assert_all_finite, check_scalar
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
from alkit.experiment.hidden_labels import first_other_row, first_rows_of_classes, is_missing, label_array
from alkit.labels import check_one_type
from alkit.learners import ActiveLearner, QueryStrategy
from alkit.rows import Rows, row_shape, take
from alkit.strategies import Strategy, as_strategy
from alkit.strategies.answers import has_several_labels
from alkit.validation import check_label_a_row

_MAX_WATCHED = 1000  # rows that a stopping rule predicts in each round


def _gives_proba(loop: ActiveLearningClassifier) -> bool:
    """Return whether the estimator inside has probabilities."""
    return hasattr(getattr(loop, "estimator_", loop.estimator), "predict_proba")


class ActiveLearningClassifier(MetaEstimatorMixin, ClassifierMixin, BaseEstimator):
    """Active learning simulated on known labels, as a scikit-learn classifier.

    `fit` hides y, labels a few rows, and then trains, queries and reveals the labels queried, round by round, through
    the same `ActiveLearner` a person would use. So ``GridSearchCV`` can search over query strategies and parameters of
    networks.

    Parameters
    ----------
    estimator : classifier
        Any scikit-learn or skorch classifier, or a Pipeline.
    query_strategy : str, Strategy or callable, default="margin"
        See `ActiveLearner`.
    n_initial : int, default=20
        Labels to begin with.
    n_instances : int, default=10
        Labels acquired per round.
    n_queries : int, default=20
        Rounds.
    initial : {"random", "stratified"} or Strategy, default="random"
        How the first rows are chosen. "random" goes on, row by row, until there are labels of two classes.
        "stratified" covers as many classes as `n_initial` allows; it reads hidden labels, which a person could not. A
        strategy must not need a model.
    missing_label : label or None, default=None
        Marks rows in y that nobody can label (``np.nan`` for NaN and None); they are never queried.
    stopping : object with ``update(model, X) -> bool``, optional
        Asked after each round whether to stop, on up to 1,000 rows drawn at the start: see `alkit.stopping`.
    random_state : int, RandomState or None
        Seeds the choice of rows, the queries, every ``random_state`` inside `estimator` that is None and, while it
        trains and rows are picked, the global generators of torch, numpy and Python; these are restored afterwards.

    Attributes
    ----------
    classes_ : array (C,)
        Every label in y, whether acquired or not.
    estimator_ : classifier
        Fitted on all labels acquired.
    estimators_ : list of classifier
        As it was after each round, ``estimator_`` last.
    labeled_indices_ : int array
        Labelled rows, in the order in which their labels were acquired.
    n_labels_ : int array (rounds + 1,)
        Number of labels that each of `estimators_` was fitted on.
    query_seconds_, fit_seconds_ : arrays (rounds + 1,)
        Time taken to choose the rows of each round (of the first, the initial ones), and to train on them.
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
        y : labels (n,), 0/1 matrix (n, L) of several per row, or labels of positions (n, *S)
            The labels of every row, hidden until they are acquired.
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

        Yields
        ------
        self
            After each round, fitted on the labels acquired so far; without `estimators_`.
        """
        X, y = self._validate(X, y)
        rng = generator(self.random_state)
        estimator, seed = self._seeded_clone(rng), draw_seed(rng)
        if y.ndim == 1:
            estimator = tell_classes(estimator, self.classes_)
        learner = ActiveLearner(estimator, self.query_strategy, random_state=seed)
        self.estimator_, self.estimators_ = learner.estimator, []
        self.n_labels_ = np.empty(0, int)
        self.query_seconds_ = np.empty(0)
        self.fit_seconds_ = np.empty(0)
        labelable = ~is_missing(y, self.missing_label)
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
                learner.fit(take(X, labelled), y[labelled], **params)
            fitted = perf_counter()
            self.labeled_indices_ = labelled
            self.n_labels_ = np.append(self.n_labels_, len(labelled))
            self.query_seconds_ = np.append(self.query_seconds_, queried - started)
            self.fit_seconds_ = np.append(self.fit_seconds_, fitted - queried)
            self.stopped_ = stops(learner)
            yield self
            if self.stopped_:
                return
            started = perf_counter()

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

    def score(self, X: Rows, y: Any, sample_weight: Any = None) -> float:
        """Return the accuracy; of several answers per row, what the estimator's ``score`` is.

        Parameters
        ----------
        X : rows of the kind fitted
        y : labels
        sample_weight : array (n,), optional

        Returns
        -------
        float
        """
        if np.asarray(y).ndim < 2:
            return super().score(X, y, sample_weight)
        check_is_fitted(self)
        weights = {} if sample_weight is None else {"sample_weight": sample_weight}
        return self.estimator_.score(X, y, **weights)

    @available_if(_gives_proba)
    def predict_proba(self, X: Rows) -> np.ndarray:
        """Predict probabilities by the model fitted on all labels acquired.

        Parameters
        ----------
        X : rows of the kind fitted

        Returns
        -------
        array (n, C)
            Columns in the order of `classes_`; the column of a class without acquired labels is zero.
        """
        check_is_fitted(self)
        return self._proba(self.estimator_, X)

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

    @available_if(_gives_proba)
    def staged_predict_proba(self, X: Rows) -> Iterator[np.ndarray]:
        """Predict probabilities by the model of each round.

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
        """Check parameters, X and y, set the attributes of features and classes, and return X and y as arrays."""
        for name, least in (("n_initial", 1), ("n_instances", 1), ("n_queries", 0)):
            check_scalar(getattr(self, name), name, Integral, min_val=least)
        if y is None:
            raise ValueError("requires y to be passed, but the target y is None; the loop acquires its labels from y")
        y = label_array(y)
        check_label_a_row(X, y)
        known = y[~is_missing(y, self.missing_label)]
        assert_all_finite(known, input_name="y")
        check_one_type(known)
        if y.ndim < 3:
            check_classification_targets(known)
        # of several labels, their numbers
        self.classes_ = np.arange(y.shape[1]) if y.ndim == 2 else np.unique(known)
        if not len(known) or first_other_row(known) == len(known):
            raise ValueError(f"y has {len(known[:1])} class: {known[:1].tolist()}; a classifier needs two")
        if isinstance(row_shape(X), tuple):
            _check_feature_names(self, X, reset=True)
            _check_n_features(self, X, reset=True)
        return X, y

    def _seeded_clone(self, rng: np.random.Generator) -> Any:
        """Clone the estimator, and seed it."""
        estimator = clone(self.estimator)
        seed_estimator(estimator, rng)
        return estimator

    def _acquire_initial(self, X: Rows, y: np.ndarray, labelable: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return the first rows to label."""
        pool = rng.permutation(np.flatnonzero(labelable))
        n = min(self.n_initial, len(pool))
        if n < self.n_initial:
            warnings.warn(f"n_initial={self.n_initial}, but only {n} rows can be labelled; took them all", stacklevel=3)
        if self.initial == "random":
            # classifiers cannot be fitted on one class
            return pool[: max(n, first_other_row(y[pool]) + 1)]
        if self.initial == "stratified":
            # the first row of each class in the shuffled pool, in its order
            firsts = first_rows_of_classes(y[pool])
            return np.concatenate([pool[firsts], np.delete(pool, firsts)])[:n]
        strategy = as_strategy(self.initial)
        remedy = "pass 'random', 'stratified', or a strategy that needs none, such as 'typiclust'"
        if not isinstance(strategy, Strategy):
            raise TypeError(f"initial is {strategy!r}, which takes a model, but there is none yet; {remedy}")
        try:
            return strategy.select(self.estimator, X, n, candidates=labelable, random_state=rng).indices
        except NotFittedError as error:
            raise ValueError(f"initial is {strategy}, which needs a model, but there is none yet; {remedy}") from error

    def _proba(self, estimator: Any, X: Rows) -> np.ndarray:
        """Return an estimator's probabilities with one column for each of all classes; of several labels as it does."""
        known = estimator.predict_proba(X)
        if has_several_labels(estimator) or np.ndim(known) > 2:
            return known
        # its dtype is kept: rows sum to one within its precision, which scorers check
        proba = np.zeros((len(known), len(self.classes_)), known.dtype)
        proba[:, np.searchsorted(self.classes_, estimator.classes_)] = known
        return proba
