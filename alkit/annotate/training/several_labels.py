"""Rounds of learning where items may have several labels: the learner is fitted on a 0/1 matrix, a column per class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from alkit.annotate.database.label_kinds import SEVERAL_LABELS, write_proba
from alkit.annotate.training.choosing import constant_labels
from alkit.annotate.training.learners import check_finite, estimators_of
from alkit.annotate.training.rounds import Training
from alkit.rows import take
from alkit.strategies.answers import label_proba_of


class SeveralLabelsTraining(Training):
    """Fitting and ranking, for as long as there are new labels; the columns of y are the classes, in their order.

    The model starts once some items have a label that others lack. Labels that all items have so far, or none, are
    fitted as such, but not predicted: that would rest on nothing.

    Parameters
    ----------
    store : LabelStore
    job : Job
    """

    least_known = 1

    def _tell_classes(self, estimator: Any) -> None:
        """Tell nothing: the width of y says how many labels there are."""

    def _as_y(self, values: Sequence[str]) -> np.ndarray:
        """Return labels as a 0/1 matrix (n, L)."""
        column = {name: number for number, name in enumerate(self.classes)}
        y = np.zeros((len(values), len(self.classes)), dtype=np.int64)
        for row, value in enumerate(values):
            y[row, [column[name] for name in SEVERAL_LABELS.read(value)]] = 1
        return y

    def _known(self, y: np.ndarray) -> set[str]:
        """Return the classes that some rows have and others lack."""
        return {self.classes[column] for column in np.flatnonzero(y.any(0) & ~y.all(0))}

    def _can_go_on(self, known: set[str]) -> bool:
        """Return whether a fit may start from the learner's weights.

        Forests have a list of the answers that each label has had; a warm start would mix up labels that get another.
        """
        if self.fitted_on is None or known == self.fitted_on:
            return True
        return not isinstance(getattr(self.learner, "classes_", None), list)

    def _fit(self, rows: np.ndarray, y: np.ndarray, **weights: Any) -> None:
        with constant_labels():
            super()._fit(rows, y, **weights)

    def _proba(self, rows: np.ndarray) -> np.ndarray | None:
        """Return the probability that each label is on, (n, L); None where the learner has none."""
        if not rows.size or not all(hasattr(one, "predict_proba") for one in estimators_of(self.learner)):
            return None
        proba = np.asarray(label_proba_of(self.learner, take(self.X, rows)), dtype=float)
        check_finite(proba)
        return proba

    def _predict(self, rows: np.ndarray, proba: np.ndarray | None) -> tuple[list[str | None], list[float | None]]:
        """Return the probability of each label of each row, and that of the prediction that is the least sure.

        A learner without probabilities predicts 0 and 1, of which nothing tells how sure they are.
        """
        if not rows.size:
            return [], []
        told = [column for column, name in enumerate(self.classes) if name in (self.fitted_on or ())]
        names = [self.classes[column] for column in told]
        if proba is None:
            shares = np.asarray(self.learner.predict(take(self.X, rows)), dtype=float)[:, told]
            confidences: list[float | None] = [None] * len(rows)
        else:
            shares = proba[:, told]
            confidences = np.maximum(shares, 1 - shares).min(1).tolist()
        predictions = [write_proba(dict(zip(names, share, strict=True))) for share in shares.tolist()]
        return list(predictions), confidences
