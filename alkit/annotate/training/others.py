"""Items that the last ranking says nothing of: predicted while there is nothing else to do, for exports."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np

from alkit.annotate.database.ranking import add_predictions
from alkit.annotate.database.store import LabelStore

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

    def are(self, rows: np.ndarray, item_ids: np.ndarray) -> None:
        """Take the rows that a new ranking says nothing of, in place of those of the last one.

        Parameters
        ----------
        rows : int array (M,)
        item_ids : int array (N,)
            Which item is which row.
        """
        self.rows, self.items = rows, item_ids[rows]

    def predict(self, until: float = 0.0) -> None:
        """Predict some of them, or as many as can be until a time of `time.monotonic`.

        Parameters
        ----------
        until : float
        """
        while self.rows.size:
            rows, self.rows = np.split(self.rows, [_AT_ONCE])
            items, self.items = np.split(self.items, [_AT_ONCE])
            predictions, confidences = self._predict(rows)
            add_predictions(self._store, list(zip(items.tolist(), predictions, confidences, strict=True)))
            if time.monotonic() >= until:
                return
