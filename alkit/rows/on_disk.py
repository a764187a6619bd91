"""Arrays on disk, such as those of h5py and zarr: read block by block, and by slices alone."""

from __future__ import annotations

from typing import Any

import numpy as np

from alkit.rows.functions import n_rows, non_finite_rows, slices, take
from alkit.rows.kind import RowKind, Rows, joined

_BLOCK_BYTES = 2**26
"""How much is read at a time in a search for rows that are not finite."""
_NEAR = 4
"""Rows this close are read at once: cheaper than another read, and never four times what was asked for."""


class _OnDisk(RowKind):
    """Whatever is of no other kind, but has a shape and gives rows by slices."""

    lazy = True

    def take(self, X: Rows, rows: Any) -> Rows:
        return _read_slices(X, rows)

    def dense(self, X: Rows) -> Any:
        return _read_slices(X, slice(None))

    def non_finite_rows(self, X: Rows, allow_nan: bool) -> np.ndarray:
        rows_per_block = _BLOCK_BYTES // max(1, self.row_bytes(X))
        blocks = slices(n_rows(X), max(1, rows_per_block))
        return joined(part.start + non_finite_rows(take(X, part), allow_nan=allow_nan) for part in blocks)


ON_DISK = _OnDisk()


def is_on_disk(X: Rows) -> bool:
    """Tell whether X has a shape and gives rows: arrays on disk have no type in common."""
    has_dimensions = hasattr(X, "shape") and getattr(X, "ndim", 1) != 0
    return has_dimensions and hasattr(X, "__getitem__")


def _read_slices(X: Rows, rows: Any) -> np.ndarray:
    """Take rows by slices alone, in order and each once: h5py refuses other indices, and zarr unpacks whole blocks."""
    if isinstance(rows, slice):
        start, stop, step = rows.indices(n_rows(X))
        if step == 1:
            return np.asarray(X[start : max(start, stop)])
        rows = np.arange(start, stop, step)
    positions = _positions(rows, n_rows(X))
    distinct, places = np.unique(positions, return_inverse=True)
    nothing = np.asarray(X[0:0])  # tells dtype and shape where no rows are asked for
    read = [nothing]
    for run in _runs(distinct):
        first, last = run[0], run[-1]
        block = np.asarray(X[first : last + 1])
        read.append(block[run - first])
    return np.concatenate(read)[places]


def _runs(positions: np.ndarray) -> list[np.ndarray]:
    """Cut rising positions where the gap is too wide to be read along."""
    if not len(positions):
        return []
    gaps = np.flatnonzero(np.diff(positions) > _NEAR)
    return np.split(positions, gaps + 1)


def _positions(rows: Any, n: int) -> np.ndarray:
    """Return an int, a mask or positions (negative ones count from the end) as positions from 0 to n - 1."""
    positions = np.asarray(rows)
    if positions.dtype == bool:
        if positions.shape != (n,):
            raise IndexError(f"a mask of shape {positions.shape} cannot choose from {n} rows")
        positions = np.flatnonzero(positions)
    positions = positions.astype(np.intp)
    outside = positions[(positions < -n) | (positions >= n)]
    if outside.size:
        raise IndexError(f"row {outside.flat[0]} is asked for, but X has {n} rows")
    return positions % n if n else positions
