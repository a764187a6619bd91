"""Classifiers that take labels 0 to C - 1 alone, as those of xgboost do, on the labels acquired so far."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from alkit._inner import take_over_features, take_over_tags
from alkit.rows import Rows


def are_codes(y: np.ndarray) -> bool:
    """Tell whether labels are 0 to C - 1, each of them there.

    Examples
    --------
    >>> from alkit.experiment.coded_labels import are_codes
    >>> are_codes(np.array([1, 0, 2])), are_codes(np.array([0, 2]))
    (True, False)
    """
    classes = np.unique(y)
    return np.array_equal(classes, np.arange(len(classes)))


def _gives_proba(coded: CodedLabels) -> bool:
    return hasattr(coded.estimator, "predict_proba")


class CodedLabels(MetaEstimatorMixin, ClassifierMixin, BaseEstimator):
    """A classifier that is taught each label's position in `classes_`, and answers with labels.

    Parameters
    ----------
    estimator : classifier
        It is fitted itself, no clone of it.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from alkit.experiment.coded_labels import CodedLabels
    >>> coded = CodedLabels(LogisticRegression()).fit([[0.0], [1.0]], ["ham", "spam"])
    >>> coded.predict([[9.0]]), coded.estimator.classes_
    (array(['spam'], dtype='<U4'), array([0, 1]))
    """

    def __init__(self, estimator: Any):
        self.estimator = estimator

    def __sklearn_tags__(self) -> Any:
        return take_over_tags(super().__sklearn_tags__(), self.estimator)

    def fit(self, X: Rows, y: Any, **params: Any) -> Self:
        """Fit the estimator on positions of labels."""
        self.classes_, codes = np.unique(y, return_inverse=True)
        self.estimator.fit(X, codes, **params)
        take_over_features(self, self.estimator)
        return self

    def predict(self, X: Rows) -> np.ndarray:
        """Predict labels, (n,)."""
        check_is_fitted(self)
        return self.classes_[self.estimator.predict(X)]

    @available_if(_gives_proba)
    def predict_proba(self, X: Rows) -> np.ndarray:
        """Predict probabilities (n, C), columns in the order of `classes_`."""
        check_is_fitted(self)
        return self.estimator.predict_proba(X)
