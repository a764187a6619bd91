"""Tables that narwhals knows, such as DataFrames of polars and Tables of pyarrow, and their columns.

pandas' own are in ``tables``, as their rows have labels (an index), which narwhals leaves out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import narwhals as nw
import numpy as np

from alkit._finite import marked_rows
from alkit.rows.functions import n_rows
from alkit.rows.kind import BYTES_OF_UNKNOWN, RowKind, Rows, check_same, joined


class _Series(RowKind):
    def n_rows(self, X: Rows) -> int:
        return len(X)

    def take(self, X: Rows, rows: Any) -> Rows:
        series = nw.from_native(X, series_only=True)
        if isinstance(rows, (int, np.integer)):
            return series.item(_positions(rows, len(series)))
        return series[_positions(rows, len(series))].to_native()

    def stack(self, blocks: Sequence[Rows]) -> Rows:
        first, *others = [_as_frame(block, blocks[0]) for block in blocks]
        return _stacked([first, *others]).get_column("rows").to_native()

    def row_shape(self, X: Rows) -> Any:
        return ()

    def row_bytes(self, X: Rows) -> int:
        return BYTES_OF_UNKNOWN  # its cells may be texts, or lists

    def is_of_numbers(self, X: Rows) -> bool:
        return nw.from_native(X, series_only=True).dtype.is_numeric()

    def dense(self, X: Rows) -> Any:
        return nw.from_native(X, series_only=True).to_numpy()

    def non_finite_rows(self, X: Rows, allow_nan: bool) -> np.ndarray:
        return _marked_cells(nw.from_native(X, series_only=True), allow_nan)


class _Frame(RowKind):
    def n_rows(self, X: Rows) -> int:
        return len(nw.from_native(X, eager_only=True))

    def take(self, X: Rows, rows: Any) -> Rows:
        frame = nw.from_native(X, eager_only=True)
        positions = _positions(rows, len(frame))
        if isinstance(rows, (int, np.integer)):
            return frame[[positions]].rows(named=True)[0]
        return frame[positions].to_native()

    def stack(self, blocks: Sequence[Rows]) -> Rows:
        for block in blocks:
            if type(block) is not type(blocks[0]):
                raise TypeError(
                    f"rows of a {type(block).__module__}.{type(block).__name__} cannot be stacked on rows of a "
                    f"{type(blocks[0]).__module__}.{type(blocks[0]).__name__}; give rows of one kind"
                )
        frames = [nw.from_native(block, eager_only=True) for block in blocks]
        check_same("columns", [frame.columns for frame in frames])
        return _stacked(frames).to_native()

    def columns(self, X: Rows) -> list:
        return nw.from_native(X, eager_only=True).columns

    def column(self, X: Rows, name: Any) -> Any:
        column = nw.from_native(X, eager_only=True).get_column(name)
        return column.to_numpy() if column.dtype.is_numeric() else column.to_list()

    def row_shape(self, X: Rows) -> Any:
        return (len(self.columns(X)),)

    def row_bytes(self, X: Rows) -> int:
        return 8 * len(self.columns(X))

    def dense(self, X: Rows) -> Any:
        columns = [column.to_numpy() for column in nw.from_native(X, eager_only=True).iter_columns()]
        # numpy would make texts of numbers beside texts
        numbers = all(column.dtype.kind in "biuf" for column in columns)
        dtype = np.result_type(*columns) if columns and numbers else object
        values = np.empty((n_rows(X), len(columns)), dtype)
        for j, column in enumerate(columns):
            values[:, j] = column
        return values

    def non_finite_rows(self, X: Rows, allow_nan: bool) -> np.ndarray:
        frame = nw.from_native(X, eager_only=True)
        return joined(_marked_cells(column, allow_nan) for column in frame.iter_columns())


def _positions(rows: Any, n: int) -> Any:
    """Return slices as they are, an int as an int from 0, all else as an int array."""
    if isinstance(rows, slice):
        return rows
    positions = np.arange(n)[rows]
    return positions if positions.ndim else int(positions)


def _as_frame(column: Any, like: Any) -> nw.DataFrame:
    """Return a column as a frame, one of the same package as another."""
    if type(column) is not type(like):
        like = nw.from_native(like, series_only=True)
        return nw.new_series("rows", list(column), like.dtype, backend=like.implementation).to_frame()
    return nw.from_native(column, series_only=True).alias("rows").to_frame()


def _stacked(frames: list[nw.DataFrame]) -> nw.DataFrame:
    """Put frames below each other, whose columns must be of one type: nothing is rounded or made text in silence."""
    first, *others = [dict(frame.schema) for frame in frames]
    for other in others:
        for name, dtype in other.items():
            if dtype != first[name]:
                raise ValueError(
                    f"column {name!r} of type {dtype} cannot be stacked on one of type {first[name]}; cast one of them"
                )
    return nw.concat(frames)


def _marked_cells(column: nw.Series, allow_nan: bool) -> np.ndarray:
    """Return the positions of infinity and, unless allowed, of nulls and NaN."""
    marked = marked_rows(column.to_numpy(), allow_nan)
    if allow_nan:
        return marked
    return np.concatenate([marked, np.flatnonzero(column.is_null().to_numpy())])


SERIES = _Series()
FRAME = _Frame()
