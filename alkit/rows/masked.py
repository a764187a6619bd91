"""Masked arrays of numpy, whose masked cells are missing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from alkit._finite import marked_rows
from alkit.rows.kind import RowKind, Rows, kind_of, register


class _Masked(RowKind):
    def stack(self, blocks: Sequence[Rows]) -> Rows:
        arrays = [block if isinstance(block, np.ma.MaskedArray) else kind_of(block).dense(block) for block in blocks]
        return np.ma.concatenate([np.ma.asarray(array) for array in arrays])

    def dense(self, X: Rows) -> Any:
        if not np.ma.is_masked(X):
            return X.data
        # integers have no NaN, and texts None only as objects
        numbers = X.dtype.kind in "biufc"
        values = X.data.astype(np.result_type(X.dtype, np.float32) if numbers else object)
        values[np.ma.getmaskarray(X)] = np.nan if numbers else None
        return values

    def readable(self, X: Rows) -> Rows:
        # scikit-learn, and whoever else asks numpy for an array, would read the values beneath the mask
        return self.dense(X)

    def non_finite_rows(self, X: Rows, allow_nan: bool) -> np.ndarray:
        return marked_rows(self.dense(X), allow_nan)


register(np.ma.MaskedArray, _Masked())
