"""Items that the last ranking says nothing of: predicted while there is nothing else to do, for exports."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence

import numpy as np

from alkit.annotate.database.ranking import add_predictions
from alkit.annotate.database.store import LabelStore

QUIET_SECONDS = 3.0
"""How long there must have been no new ranking: the next one would replace what was predicted."""

_AT_ONCE = 2000  # rows; new labels wait as long as predicting these takes

Predictions = tuple[Sequence[str | None], Sequence[float | None]]


class Others:
    """Rows that are to be predicted.

    Parameters
    ----------
    store : LabelStore
    predict : callable
        ``predict(rows)`` returns the most probable class of each row of X, and its probability.
    """

    def __init__(self, store: LabelStore, predict: Callable[[np.ndarray], Predictions]):
        self._store, self._predict = store, predict
        self.rows = self.items = np.empty(0, dtype=np.intp)
        self._ranked = 0.0

    def are(self, rows: np.ndarray, item_ids: np.ndarray) -> None:
        """Take the rows that a new ranking says nothing of, in place of those of the last one.

        Parameters
        ----------
        rows : int array (M,)
        item_ids : int array (N,)
            Which item is which row.
        """
        self.rows, self.items = rows, item_ids[rows]
        self._ranked = time.monotonic()

    def predict_some(self) -> None:
        """Predict some of them, unless the ranking is so new that the next labels may be about to come."""
        if self.rows.size and time.monotonic() - self._ranked >= QUIET_SECONDS:
            self._predict_next()

    def predict_until(self, until: float) -> None:
        """Predict as many as can be until a time of `time.monotonic`.

        Parameters
        ----------
        until : float
        """
        while self.rows.size and time.monotonic() < until:
            self._predict_next()

    def _predict_next(self) -> None:
        rows, self.rows = np.split(self.rows, [_AT_ONCE])
        items, self.items = np.split(self.items, [_AT_ONCE])
        try:
            predictions, confidences = self._predict(rows)
        except Exception as error:  # a model may raise anything; people go on with the last ranking
            n_left = len(rows) + len(self.rows)
            print(
                f"alkit: {n_left} items are not predicted: {type(error).__name__}: {error}", file=sys.stderr, flush=True
            )
            self.rows = self.items = np.empty(0, dtype=np.intp)
            return
        add_predictions(self._store, list(zip(items.tolist(), predictions, confidences, strict=True)))
