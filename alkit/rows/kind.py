"""A kind of X: what alkit must know of it, and how it is found by the type of X."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import singledispatch
from typing import Any

import numpy as np

from alkit._finite import marked_rows

Rows = Any
"""Anything with rows: see `alkit.rows`."""

BYTES_OF_UNKNOWN = 1024
"""What a row counts as that does not tell its size, such as a text."""

_UNKNOWN = (
    "X is a {kind}, which alkit cannot take rows of; pass a numpy array, scipy sparse matrix, DataFrame of pandas, "
    "polars or pyarrow (a LazyFrame after collect()), torch tensor, list or other sequence, dict of these, SliceDict, "
    "torch Dataset, Hugging Face Dataset (one with a length), or an array of h5py or zarr"
)


class RowKind:
    """What alkit must know of a kind of X; the methods here are those of arrays in memory.

    To have alkit take another kind, override what differs and register it: ``register(Table, TableKind())``. Where
    ``np.asarray(X)`` is not the rows, `dense` and `readable` differ, too.

    Examples
    --------
    >>> import numpy as np
    >>> from alkit.rows import RowKind, n_rows, register, stack, take
    >>> class Words:
    ...     def __init__(self, text):
    ...         self.words = text.split()
    >>> class WordsKind(RowKind):
    ...     def n_rows(self, X):
    ...         return len(X.words)
    ...     def take(self, X, rows):
    ...         words = np.array(X.words)[rows]
    ...         return str(words) if words.ndim == 0 else Words(" ".join(words))
    ...     def stack(self, blocks):
    ...         return Words(" ".join(word for block in blocks for word in block.words))
    >>> register(Words, WordsKind())
    >>> X = Words("to be or not")
    >>> n_rows(X), take(stack([X, X]), 4)
    (4, 'to')
    """

    lazy = False
    """Whether rows are made or read when they are needed."""

    def n_rows(self, X: Rows) -> int:
        """Return the number of rows."""
        if len(X.shape) == 0:
            raise TypeError(_UNKNOWN.format(kind=f"{type(X).__name__} of no dimension"))
        return int(X.shape[0])

    def take(self, X: Rows, rows: Any) -> Rows:
        """Return rows by positions (an int: one row, else the same kind): int, slice, mask or int array."""
        return X[rows]

    def stack(self, blocks: Sequence[Rows]) -> Rows:
        """Return the rows of all blocks, the first of which is of this kind."""
        # later blocks may be of another kind: a list, or a part of an array on disk
        arrays = [kind_of(block).dense(block) for block in blocks]
        return np.concatenate([np.asarray(array) for array in arrays])

    def columns(self, X: Rows) -> list | None:
        """Return the names of the columns in order, as they are stacked and compared, or None."""
        return None

    def column(self, X: Rows, name: Any) -> Any:
        """Return one of the columns that `columns` names: an array, Series or list."""
        return X[name]

    def is_of_numbers(self, X: Rows) -> bool:
        """Tell whether each row is a single number."""
        dtype = getattr(X, "dtype", None)
        return self.row_shape(X) == () and getattr(dtype, "kind", "") in tuple("biufc")

    def row_shape(self, X: Rows) -> Any:
        """Return the shape of one row, or None."""
        if not hasattr(X, "shape"):
            return None
        return tuple(X.shape[1:])

    def row_bytes(self, X: Rows) -> int:
        """Return about how many bytes one row takes."""
        if not hasattr(X, "shape"):
            return BYTES_OF_UNKNOWN
        dtype = getattr(X, "dtype", None)
        return math.prod(X.shape[1:]) * getattr(dtype, "itemsize", 8)

    def dense(self, X: Rows) -> Any:
        """Return the rows as one array or tensor, or a dict of these; NaN stands for what is missing."""
        return np.asarray(X)

    def readable(self, X: Rows) -> Rows:
        """Return the rows as an estimator can read them, without copying them where it can read X itself."""
        return X

    def fetched(self, X: Rows) -> Rows:
        """Return the rows in memory, as an estimator can read them: whoever reads these twice makes nothing twice."""
        return self.readable(X)

    def non_finite_rows(self, X: Rows, allow_nan: bool) -> np.ndarray:
        """Return the positions of rows with infinity or, unless allowed, missing values."""
        return marked_rows(np.asarray(self.dense(X)), allow_nan)

    def is_searched(self, X: Rows) -> bool:
        """Tell whether `non_finite_rows` looks at all values, and whoever trains on X need not do so again."""
        return True


class _Unknown(RowKind):
    """What has a length may be counted, as labels are, but no rows are taken of it."""

    def n_rows(self, X: Rows) -> int:
        if getattr(X, "ndim", 1) == 0 or isinstance(X, str) or not hasattr(X, "__len__"):
            raise TypeError(_UNKNOWN.format(kind=type(X).__name__))
        return len(X)

    def take(self, X: Rows, rows: Any) -> Rows:
        raise TypeError(_UNKNOWN.format(kind=type(X).__name__))

    def stack(self, blocks: Sequence[Rows]) -> Rows:
        raise TypeError(_UNKNOWN.format(kind=type(blocks[0]).__name__))

    def non_finite_rows(self, X: Rows, allow_nan: bool) -> np.ndarray:
        # no rows are taken of it, so there are none to look at
        return np.empty(0, dtype=np.intp)

    def is_searched(self, X: Rows) -> bool:
        return False


UNKNOWN_KIND = _Unknown()


@singledispatch
def kind_of(X: Rows) -> RowKind:
    """Return what is known of the kind of X, found by its type."""
    # `alkit.rows.by_look` registers `object`, so that it decides on types that nobody else registers
    return UNKNOWN_KIND


def register(of: type, kind: RowKind) -> None:
    """Have rows of a type, and of its subclasses, taken as `kind` says.

    Parameters
    ----------
    of : type
    kind : RowKind
    """
    kind_of.register(of, lambda X: kind)


def check_same(what: str, of_blocks: Sequence[list]) -> None:
    """Refuse blocks that differ in their columns or keys, since their rows cannot be stacked."""
    first, *others = of_blocks
    for other in others:
        if other != first:
            raise ValueError(f"rows with {what} {other} cannot be stacked on rows with {what} {first}")


def joined(positions: Iterable[np.ndarray]) -> np.ndarray:
    """Return positions found in several parts of X as one int array, which is empty where there are no parts."""
    return np.concatenate([np.empty(0, dtype=np.intp), *positions])


class _OnDemand(RowKind):
    """Arrays that are read from a disk as numpy sees fit."""

    lazy = True


register(np.ndarray, RowKind())
register(np.memmap, _OnDemand())
