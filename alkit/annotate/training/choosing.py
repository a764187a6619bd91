"""Choosing: of a few quick models, the one that does best on the labels so far, and again as labels grow."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.metrics import f1_score
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.utils.metaestimators import available_if

from alkit._random import RandomState, generator, seed_estimator
from alkit._weights import weights_parameter
from alkit.rows import Rows, n_rows, take

_N_FOLDS = 3
_LEAST_LABELS = 20
"""Below these the first candidate is taken: folds of fewer labels tell nothing."""
_GROWTH = 1.5
"""How much labels grow before candidates are compared again, so that all comparisons cost a few of the last one."""


def _has(name: str) -> Any:
    """Tell whether a candidate, or the one that was chosen, has a method."""
    return lambda self: hasattr(getattr(self, "best_estimator_", self.candidates[0][1]), name)


class BestCandidate(ClassifierMixin, BaseEstimator):
    """Classifier that chooses among others by cross-validation on its labels, by macro-F1.

    Copies of a row are kept on one side of each split. As long as a choice stands, its estimator is fitted again, from
    its weights where it has a warm start.

    Parameters
    ----------
    candidates : list of (str, classifier)
        By name; the first is taken while there are fewer than 20 labels.
    random_state : int, RandomState, Generator or None, default=None
        Seeds splits, and candidates without a seed of their own.

    Attributes
    ----------
    best_estimator_ : classifier
        The one that was chosen, fitted on all labels.
    chosen_ : str
        Its name.
    scores_ : dict of str to float
        Macro-F1 of each candidate when they were last compared; empty before.
    n_compared_on_ : int
        Number of labels then.
    classes_ : array (n_classes,)

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.dummy import DummyClassifier
    >>> from sklearn.linear_model import LogisticRegression
    >>> from alkit.annotate.training.choosing import BestCandidate
    >>> candidates = [("constant", DummyClassifier()), ("linear", LogisticRegression(max_iter=500))]
    >>> BestCandidate(candidates, random_state=0).fit(*load_iris(return_X_y=True)).chosen_
    'linear'
    """

    def __init__(self, candidates: list[tuple[str, Any]], random_state: RandomState = None):
        self.candidates = candidates
        self.random_state = random_state

    def fit(self, X: Rows, y: Any, sample_weight: Any = None) -> BestCandidate:
        """Choose, if labels have grown by half since the last choice, and fit what is chosen.

        Parameters
        ----------
        X : rows of any kind
        y : array (n,), or 0/1 array (n, L) of several labels
        sample_weight : array (n,), optional

        Returns
        -------
        self
        """
        y = np.asarray(y)
        weights = None if sample_weight is None else np.asarray(sample_weight, dtype=float)
        if not hasattr(self, "chosen_"):
            self.scores_: dict[str, float] = {}
            self.n_compared_on_ = 0
            self._take(self.candidates[0][0])
        with constant_labels():
            if len(y) >= max(_LEAST_LABELS, _GROWTH * self.n_compared_on_):
                self._compare(X, y, weights)
            self.best_estimator_.fit(X, y, **_weights_for(self.best_estimator_, weights))
        self.classes_ = self.best_estimator_.classes_
        return self

    def unfitted_choice(self) -> Any:
        """Return an unfitted copy of the candidate that was chosen, or of the first one before that."""
        return clone(dict(self.candidates)[getattr(self, "chosen_", self.candidates[0][0])])

    def _take(self, name: str) -> None:
        """Choose a candidate; one that is chosen already keeps its weights."""
        if getattr(self, "chosen_", None) == name:
            return
        self.chosen_ = name
        self.best_estimator_ = self._seeded(name)

    def _seeded(self, name: str) -> Any:
        """Return an unfitted copy of a candidate, seeded."""
        estimator = clone(dict(self.candidates)[name])
        seed_estimator(estimator, generator(self.random_state))
        return estimator

    def _compare(self, X: Rows, y: np.ndarray, weights: np.ndarray | None) -> None:
        """Take the candidate that predicts best what it was not fitted on, where labels allow a comparison."""
        rng = generator(self.random_state)
        splits = _splits(y, _copies(X), rng) if y.ndim == 1 else _splits_of_labels(y, _copies(X), rng)
        if not splits:
            return
        scores = {name: self._score(name, X, y, weights, splits) for name, _ in self.candidates}
        self.scores_, self.n_compared_on_ = scores, len(y)
        self._take(max(scores, key=lambda name: scores[name]))

    def _score(self, name: str, X: Rows, y: np.ndarray, weights: np.ndarray | None, splits: list) -> float:
        """Return a candidate's macro-F1 of predictions for rows that it was not fitted on."""
        predicted = np.empty_like(y)
        for train, test in splits:
            estimator = self._seeded(name)
            of_fold = None if weights is None else weights[train]
            estimator.fit(take(X, train), y[train], **_weights_for(estimator, of_fold))
            predicted[test] = estimator.predict(take(X, test))
        if y.ndim == 2:
            y, predicted = y[:, y.any(0)], predicted[:, y.any(0)]  # labels without a row tell nothing of a candidate
        return float(f1_score(y, predicted, average="macro", sample_weight=weights, zero_division=0))

    def predict(self, X: Rows) -> np.ndarray:
        """Return the class of each row, (n,), by the candidate that was chosen."""
        return self.best_estimator_.predict(X)

    @available_if(_has("predict_proba"))
    def predict_proba(self, X: Rows) -> np.ndarray:
        """Return class probabilities, (n, n_classes), by the candidate that was chosen."""
        return self.best_estimator_.predict_proba(X)


def _weights_for(estimator: Any, sample_weight: Any) -> dict[str, Any]:
    """Return weights as keywords of an estimator's `fit`; none where there are no weights."""
    return {} if sample_weight is None else {weights_parameter(estimator): sample_weight}


@contextmanager
def constant_labels() -> Iterator[None]:
    """Let scikit-learn fit labels that all rows have, or none, without a warning for each.

    Yields
    ------
    None
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Label not", category=UserWarning)
        yield


def _splits(y: np.ndarray, groups: np.ndarray, rng: np.random.Generator) -> list:
    """Return the rows to fit and to test on of each fold; none where labels allow no comparison."""
    _, first_of_group = np.unique(groups, return_index=True)
    _, counts = np.unique(y[first_of_group], return_counts=True)
    # each fold must leave two classes to learn from
    if (counts >= _N_FOLDS).sum() < 2:
        return []
    folds = StratifiedGroupKFold(_N_FOLDS, shuffle=True, random_state=int(rng.integers(2**31 - 1)))
    with warnings.catch_warnings():
        # a class with fewer rows than folds is in some of them only
        warnings.filterwarnings("ignore", message="The least populated class", category=UserWarning)
        return list(folds.split(np.zeros(len(y)), y, groups))


def _splits_of_labels(y: np.ndarray, groups: np.ndarray, rng: np.random.Generator) -> list:
    """Return the same of several labels per row, by folds drawn at random: sets of labels are too many for strata."""
    _, first_of_group = np.unique(groups, return_index=True)
    n_on = y[first_of_group].sum(0)
    if not (np.minimum(n_on, len(first_of_group) - n_on) >= _N_FOLDS).any():
        return []
    fold = (rng.permutation(len(first_of_group)) % _N_FOLDS)[groups]
    return [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(_N_FOLDS)]


def _copies(X: Rows) -> np.ndarray:
    """Number rows so that equal ones have equal numbers, (n,)."""
    numbers: dict[Any, int] = {}
    return np.array([numbers.setdefault(_content(take(X, slice(i, i + 1))), len(numbers)) for i in range(n_rows(X))])


def _content(row: Rows) -> Any:
    """Return what tells a row, given as rows, from others."""
    if isinstance(row, dict):
        return tuple(_content(part) for part in row.values())
    if hasattr(row, "indices"):
        return row.indices.tobytes(), row.data.tobytes()
    return np.asarray(row).tobytes()
