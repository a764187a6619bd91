"""Lists, whose rows may be of any type."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np

from alkit._finite import marked_rows
from alkit.rows.kind import RowKind, Rows, register


class _List(RowKind):
    """Rows of any type: texts, numbers, lists of numbers."""

    def n_rows(self, X: Rows) -> int:
        return len(X)

    def take(self, X: Rows, rows: Any) -> Rows:
        if isinstance(rows, (int, np.integer)):
            return X[rows]
        # numpy turns slices and masks into positions
        positions = np.arange(len(X))[rows]
        return [X[i] for i in positions.tolist()]

    def stack(self, blocks: Sequence[Rows]) -> Rows:
        return list(chain.from_iterable(blocks))

    def non_finite_rows(self, X: Rows, allow_nan: bool) -> np.ndarray:
        if not X or isinstance(X[0], str):
            return np.empty(0, dtype=np.intp)
        try:
            values = np.asarray(X)
        except ValueError:  # rows of several shapes, or None among them
            values = np.asarray(X, dtype=object)
        return marked_rows(values, allow_nan)


register(list, _List())
