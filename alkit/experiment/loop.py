"""Active learning simulated on known labels, as a scikit-learn classifier and a regressor."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils import assert_all_finite
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from alkit._inner import tell_classes
from alkit._random import RandomState
from alkit.experiment.coded_labels import CodedLabels, are_codes
from alkit.experiment.hidden_labels import first_other_row, first_rows_of_classes, is_missing, label_array
from alkit.experiment.simulated_loop import SimulatedLoop
from alkit.labels import as_labels, as_numbers, check_one_type
from alkit.learners import ActiveLearner, QueryStrategy
from alkit.rows import Rows
from alkit.strategies import Strategy
from alkit.strategies.answers import has_several_labels
from alkit.strategies.regressors import predicts_numbers
from alkit.validation import check_label_a_row


def _gives_proba(loop: ActiveLearningClassifier) -> bool:
    """Return whether the estimator inside has probabilities."""
    return hasattr(getattr(loop, "estimator_", loop.estimator), "predict_proba")


class ActiveLearningClassifier(ClassifierMixin, SimulatedLoop):
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
    initial : {"random", "stratified"}, Strategy or int array, default="random"
        How the first rows are chosen. "random" goes on, row by row, until there are labels of two classes.
        "stratified" covers as many classes as `n_initial` allows; it reads hidden labels, which a person could not. A
        strategy must not need a model, and is followed by random rows until there are two classes. Or the rows
        themselves, as positions in X.
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

    def _checked_labels(self, X: Rows, y: Any) -> tuple[np.ndarray, np.ndarray]:
        y = label_array(y)
        check_label_a_row(X, y)
        labelable = ~is_missing(y, self.missing_label)
        known = y[labelable]
        assert_all_finite(known, input_name="y")
        check_one_type(known)
        if y.ndim < 3:
            check_classification_targets(known)
        # of several labels, their numbers
        self.classes_ = np.arange(y.shape[1]) if y.ndim == 2 else np.unique(known)
        if not len(known) or first_other_row(known) == len(known):
            raise ValueError(f"y has {len(known[:1])} class: {known[:1].tolist()}; a classifier needs two")
        return y, labelable

    def _seeded_clone(self, y: np.ndarray, rng: np.random.Generator) -> Any:
        """Clone the estimator, seed it, and declare all classes where it has such a parameter."""
        estimator = super()._seeded_clone(y, rng)
        return tell_classes(estimator, self.classes_) if y.ndim == 1 else estimator

    def _train(self, learner: ActiveLearner, X: Rows, y: np.ndarray, fit_params: Mapping[str, Any]) -> None:
        """Fit the learner; of an estimator that refuses labels which leave gaps, on their positions instead."""
        plain = learner.estimator
        try:
            super()._train(learner, X, y, fit_params)
        except ValueError as refused:
            # A class may not have been acquired yet, so gaps are no fault of whoever passed y.
            if isinstance(plain, CodedLabels) or y.ndim > 1 or are_codes(y):
                raise
            learner.estimator = CodedLabels(plain)
            try:
                super()._train(learner, X, y, fit_params)
            except ValueError:
                learner.estimator = plain
                raise refused from None

    def _starts(self) -> dict[str, Callable[[np.ndarray, np.ndarray, int], np.ndarray]]:
        return {"random": _until_two_classes, "stratified": _of_all_classes}

    def _proba(self, estimator: Any, X: Rows) -> np.ndarray:
        """Return an estimator's probabilities with one column for each of all classes; of several labels as it does."""
        known = estimator.predict_proba(X)
        if has_several_labels(estimator) or np.ndim(known) > 2:
            return known
        # its dtype is kept: rows sum to one within its precision, which scorers check
        proba = np.zeros((len(known), len(self.classes_)), known.dtype)
        proba[:, np.searchsorted(self.classes_, estimator.classes_)] = known
        return proba


def _until_two_classes(y: np.ndarray, pool: np.ndarray, n: int) -> np.ndarray:
    """Return the first n rows of a pool, or more: classifiers cannot be fitted on one class."""
    return pool[: max(n, first_other_row(y[pool]) + 1)]


def _of_all_classes(y: np.ndarray, pool: np.ndarray, n: int) -> np.ndarray:
    """Return n rows, of as many classes as there can be: first the first row of each, in the order of the pool."""
    firsts = first_rows_of_classes(y[pool])
    return np.concatenate([pool[firsts], np.delete(pool, firsts)])[:n]


class ActiveLearningRegressor(RegressorMixin, SimulatedLoop):
    """Active learning simulated on known numbers, as a scikit-learn regressor: see :class:`ActiveLearningClassifier`.

    Parameters
    ----------
    estimator : regressor
        Any scikit-learn or skorch regressor, or a Pipeline.
    query_strategy : str, Strategy or callable, default="igs"
        See `ActiveLearner`; "igs" reads features and predictions, which every regressor has.
    n_initial, n_instances, n_queries : int, default=20, 10, 20
        Labels to begin with, labels acquired per round, and rounds.
    initial : "random", Strategy or int array, default="random"
        How the first rows are chosen. A strategy must not need a model: "gsx", for example. Or the rows themselves.
    missing_label : number or None, default=None
        Marks rows in y that nobody can label (``np.nan`` for NaN and None), in any of several numbers; they are never
        queried.
    stopping, random_state
        As in :class:`ActiveLearningClassifier`.

    Attributes
    ----------
    estimator_, estimators_, labeled_indices_, n_labels_, query_seconds_, fit_seconds_, stopped_
        As in :class:`ActiveLearningClassifier`.
    n_features_in_, feature_names_in_
        As in scikit-learn, where X has them.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from alkit import ActiveLearningRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> loop = ActiveLearningRegressor(Ridge(0.1), n_queries=3, random_state=0).fit(X, y)
    >>> loop.n_labels_, loop.predict(X).shape
    (array([20, 30, 40, 50]), (442,))
    """

    def __init__(
        self,
        estimator: Any,
        query_strategy: QueryStrategy = "igs",
        n_initial: int = 20,
        n_instances: int = 10,
        n_queries: int = 20,
        initial: str | Strategy | Sequence[int] = "random",
        missing_label: Any = None,
        stopping: Any = None,
        random_state: RandomState = None,
    ) -> None:
        # the same parameters, of which one has another default
        super().__init__(
            estimator,
            query_strategy,
            n_initial,
            n_instances,
            n_queries,
            initial,
            missing_label,
            stopping,
            random_state,
        )

    def _checked_labels(self, X: Rows, y: Any) -> tuple[np.ndarray, np.ndarray]:
        labels = np.asarray(as_labels(y))
        check_label_a_row(X, labels)
        labelable = ~is_missing(labels, self.missing_label)
        if not labelable.any():
            raise ValueError(f"all {len(labels)} numbers in y are missing_label={self.missing_label!r}; give some")
        try:
            known = as_numbers(labels[labelable])
        except ValueError as error:
            if self.missing_label is None and "NaN" in str(error):
                error.add_note("missing_label=np.nan says that nobody can label these rows")
            raise
        numbers = np.full((len(labels), *known.shape[1:]), np.nan)
        numbers[labelable] = known
        return numbers, labelable

    def _starts(self) -> dict[str, Callable[[np.ndarray, np.ndarray, int], np.ndarray]]:
        return {"random": lambda y, pool, n: pool[:n]}


def simulated(estimator: Any, *args: Any, **params: Any) -> SimulatedLoop:
    """Return the loop that suits an estimator, see :class:`ActiveLearningClassifier` for its parameters."""
    loop = ActiveLearningRegressor if predicts_numbers(estimator) else ActiveLearningClassifier
    return loop(estimator, *args, **params)
