"""Scorers of a run: one or several, by scikit-learn's names, of labels that are text as well."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import check_scoring

from alkit.rows import Rows


def named_scorers(scoring: Any) -> dict[str, Any]:
    """Return scorers by name, from one, a list of scikit-learn's names, or a dict.

    Examples
    --------
    >>> from alkit.experiment.scorers import named_scorers
    >>> named_scorers(None), named_scorers(["accuracy", "f1"])
    ({'score': None}, {'accuracy': 'accuracy', 'f1': 'f1'})
    """
    if isinstance(scoring, Mapping):
        named = {str(name): scorer for name, scorer in scoring.items()}
    elif isinstance(scoring, (list, tuple)):
        named = {name_of_scorer(scorer): scorer for scorer in scoring}
        if len(named) < len(scoring):
            raise ValueError(f"two of scoring={scoring} have the same name; pass a dict of name to scorer")
    else:
        named = {name_of_scorer(scoring): scoring}
    if not named:
        raise ValueError(f"scoring is {scoring!r}, which names no scorer; pass some, or None for accuracy or R^2")
    return named


def name_of_scorer(scorer: Any) -> str:
    """Return what a scorer is called, "score" where it has no name."""
    return scorer if isinstance(scorer, str) else getattr(scorer, "__name__", "score")


class Scorers:
    """Several scorers of one loop, of which those of scikit-learn share its predictions.

    Parameters
    ----------
    loop : SimulatedLoop
        What will be scored; scorers that do not suit it are refused.
    named : dict of name to scorer
        As `named_scorers` returns it.
    """

    def __init__(self, loop: Any, named: dict[str, Any]) -> None:
        self.names = list(named)
        by_name = {name: scorer for name, scorer in named.items() if isinstance(scorer, str)}
        own = {name: scorer for name, scorer in named.items() if name not in by_name}
        self._by_name = check_scoring(loop, scoring=by_name) if by_name else None
        self._own = check_scoring(loop, scoring=own) if own else None

    def __call__(self, loop: Any, X: Rows, y: np.ndarray) -> dict[str, float]:
        """Return each scorer's number for a fitted loop, in the order in which they were given."""
        found: dict[str, Any] = {}
        if self._by_name is not None:
            found |= self._by_name(*_with_codes(loop, X, y))
        if self._own is not None:
            found |= self._own(loop, X, y)
        return {name: float(found[name]) for name in self.names}


def _with_codes(loop: Any, X: Rows, y: np.ndarray) -> tuple[Any, Rows, np.ndarray]:
    """Return a loop and labels as they are; of two labels that are text both as 0 and 1.

    scikit-learn's "f1", "average_precision" and others take 1 for the positive label, and refuse text.
    """
    classes = getattr(loop, "classes_", None)
    if classes is None or len(classes) != 2 or np.ndim(y) != 1 or np.asarray(classes).dtype.kind not in "OSU":
        return loop, X, y
    return _InCodes(loop), X, np.searchsorted(classes, y)


class _InCodes(ClassifierMixin, BaseEstimator):
    """A fitted loop of two labels that answers with 0 for the first and 1 for the second."""

    def __init__(self, loop: Any) -> None:
        self.loop = loop
        self.classes_ = np.arange(2)

    def __getattr__(self, name: str) -> Any:
        # where the loop has no probabilities, neither has this
        if name != "predict_proba":
            raise AttributeError(name)
        return self.loop.predict_proba

    def predict(self, X: Rows) -> np.ndarray:
        """Predict 0 or 1, (n,)."""
        return np.searchsorted(self.loop.classes_, self.loop.predict(X))
