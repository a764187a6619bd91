"""Whatever numpy makes an array of by ``__array__``, and nothing else is known of; rows taken of it are an array."""

from __future__ import annotations

from typing import Any

import numpy as np

from alkit.rows.kind import RowKind, Rows


class _ArrayLike(RowKind):
    def n_rows(self, X: Rows) -> int:
        return super().n_rows(np.asarray(X))

    def take(self, X: Rows, rows: Any) -> Rows:
        return np.asarray(X)[rows]

    def row_shape(self, X: Rows) -> Any:
        return super().row_shape(np.asarray(X))

    def row_bytes(self, X: Rows) -> int:
        return super().row_bytes(np.asarray(X))

    def is_of_numbers(self, X: Rows) -> bool:
        return super().is_of_numbers(np.asarray(X))

    def readable(self, X: Rows) -> Rows:
        return np.asarray(X)


ARRAY_LIKE = _ArrayLike()


def is_array_like(X: Rows) -> bool:
    """Tell whether numpy can make an array of X."""
    # a scalar of numpy has the method too
    return hasattr(X, "__array__") and not isinstance(X, np.generic)
