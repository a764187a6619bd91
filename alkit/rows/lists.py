"""Lists, tuples and other sequences, whose rows may be of any type."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd
import torch

from alkit._finite import marked_rows
from alkit.rows.kind import BYTES_OF_UNKNOWN, UNKNOWN_KIND, RowKind, Rows, kind_of, register

_PLAIN = {bool, int, float, list, tuple, type(None)}
"""Types of rows that numpy reads fast as one array."""


class _Sequence(RowKind):
    """Rows of any type: texts, numbers, lists of numbers, pictures of different sizes; rows taken are a list."""

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

    def row_shape(self, X: Rows) -> Any:
        return None

    def row_bytes(self, X: Rows) -> int:
        return int(getattr(X[0], "nbytes", BYTES_OF_UNKNOWN)) if len(X) else BYTES_OF_UNKNOWN

    def is_of_numbers(self, X: Rows) -> bool:
        return len(X) > 0 and isinstance(X[0], (bool, int, float, complex, np.number, np.bool_))

    def dense(self, X: Rows) -> Any:
        rows = list(X)
        shapes = sorted({str(tuple(getattr(row, "shape", ()))) for row in rows})
        if len(shapes) > 1:
            raise ValueError(
                f"rows of {len(shapes)} shapes, such as {' and '.join(shapes[:2])}, make no one array; "
                "give rows of one shape, or make them so first (by a transformer, or a collate_fn)"
            )
        if rows and isinstance(rows[0], torch.Tensor):
            return torch.stack(rows).detach()
        return np.asarray(rows)

    def fetched(self, X: Rows) -> Rows:
        return list(X)

    def non_finite_rows(self, X: Rows, allow_nan: bool) -> np.ndarray:
        rows = list(X)
        if {*map(type, rows)} <= _PLAIN:
            try:
                values = np.asarray(rows)
            except ValueError:  # lists of several lengths
                values = np.empty(0, dtype=object)
            if values.dtype.kind in "biufc":
                return marked_rows(values, allow_nan)
        marked = [i for i, row in enumerate(rows) if _is_marked(row, allow_nan)]
        return np.array(marked, dtype=np.intp)


def _is_marked(row: Any, allow_nan: bool) -> bool:
    """Tell whether a row, with rows of its own such as an array or a list, or a single value, is to be marked."""
    if getattr(row, "ndim", None) == 0:
        row = row.item()
    kind = kind_of(row)
    if kind is not UNKNOWN_KIND:
        return len(kind.non_finite_rows(row, allow_nan)) > 0
    infinite = isinstance(row, float) and math.isinf(row)
    # pandas knows None, NA and NaT too; of what it does not know, such as a picture, nothing is missing
    return infinite or (not allow_nan and bool(pd.isna(row)))


class _List(_Sequence):
    def fetched(self, X: Rows) -> Rows:
        return X


class _Tuple(_Sequence):
    def take(self, X: Rows, rows: Any) -> Rows:
        taken = super().take(X, rows)
        return taken if isinstance(rows, (int, np.integer)) else tuple(taken)

    def stack(self, blocks: Sequence[Rows]) -> Rows:
        return tuple(chain.from_iterable(blocks))


register(Sequence, _Sequence())
register(list, _List())
register(tuple, _Tuple())
# these are sequences as well, of letters
for _text in (str, bytes, bytearray, memoryview):
    register(_text, UNKNOWN_KIND)
