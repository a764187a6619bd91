"""Rows of X, whatever X is: the only file that knows what kinds of X there are.

numpy arrays (memory-mapped ones too), scipy sparse matrices, pandas objects, torch tensors, lists, dicts of any
of these (or other mappings, such as ``skorch.helper.SliceDict`` and what tokenizers return),
``torch.utils.data.Dataset``, and arrays on disk: whatever has a ``shape`` and gives rows by slices, such as those of
h5py and zarr. Rows taken of an array on disk are a numpy array.

`RowKind` says what a kind of X must offer, and `register` adds one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import singledispatch
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
import torch
from skorch.helper import SliceDict
from torch.utils.data import ConcatDataset, Dataset, Subset, default_collate

from alkit._finite import marked_rows

Rows = Any
"""Anything with rows: see the module's docstring."""

_UNKNOWN = (
    "X is a {kind}, which alkit cannot take rows of; pass a numpy array, scipy sparse matrix, DataFrame, "
    "torch tensor, list, dict of these, SliceDict, torch Dataset or an array of h5py or zarr"
)

_BLOCK_BYTES = 2**26
_NEAR = 4  # rows this close are read at once: cheaper than another read, and never four times what was asked for
_BYTES_OF_UNKNOWN = 1024  # of a row that does not tell its size, such as a text


def n_rows(X: Rows) -> int:
    """Return the number of rows of X.

    Parameters
    ----------
    X : array, sparse matrix, DataFrame, tensor, list, dict or Dataset
        The rows.

    Returns
    -------
    int

    Raises
    ------
    ValueError
        If the entries of a dict differ in length.
    TypeError
        If X has no rows.

    Examples
    --------
    >>> from alkit.rows import n_rows
    >>> n_rows({"text": ["a", "b"], "size": [1, 2]})
    2
    """
    return kind_of(X).n_rows(X)


def take(X: Rows, rows: Any) -> Rows:
    """Return some rows of X, in the kind X is.

    Parameters
    ----------
    X : array, sparse matrix, DataFrame, tensor, list, dict or Dataset
        The rows.
    rows : int, slice, or array of int
        Positions, never labels of a pandas index. A slice of an array is a view.

    Returns
    -------
    same kind as X, but a numpy array of an array on disk, and a dict of any mapping; for an int a single row

    Examples
    --------
    >>> from alkit.rows import take
    >>> take(["a", "b", "c"], [2, 0])
    ['c', 'a']
    """
    return kind_of(X).take(X, rows)


def stack(blocks: Sequence[Rows]) -> Rows:
    """Return the rows of all blocks, one after the other, in the kind of the first (sparse if any block is).

    Parameters
    ----------
    blocks : sequence of arrays, sparse matrices, DataFrames, tensors, lists, dicts or Datasets
        Rows of one kind and width.

    Returns
    -------
    same kind as the first block

    Raises
    ------
    ValueError
        If widths, columns or keys differ.

    Examples
    --------
    >>> from alkit.rows import stack
    >>> stack([["a"], ["b", "c"]])
    ['a', 'b', 'c']
    """
    sparse = next((block for block in blocks if sp.issparse(block)), None)
    first = blocks[0] if sparse is None else sparse
    return kind_of(first).stack(blocks)


def row_shape(X: Rows) -> Any:
    """Return the shape of one row: a tuple, a dict of tuples, or None where it has no shape."""
    return kind_of(X).row_shape(X)


def row_bytes(X: Rows) -> int:
    """Return about how much memory one row of X takes, in bytes (1,024 where X does not tell)."""
    return kind_of(X).row_bytes(X)


def dense(X: Rows) -> Any:
    """Return all rows as one numpy array or tensor, read from disk and densified where need be; of a mapping, a dict.

    Of a Dataset's items ``x`` or ``(x, ...)``, x is taken.
    """
    return kind_of(X).dense(X)


def is_lazy(X: Rows) -> bool:
    """Tell whether the rows of X are made or read when they are needed: from a disk, or by a Dataset."""
    return kind_of(X).lazy or isinstance(X, np.memmap)


def non_finite_rows(X: Rows, *, allow_nan: bool = False) -> np.ndarray:
    """Return the positions of rows that hold infinity or, unless allowed, NaN or None, as an int array."""
    return np.unique(kind_of(X).non_finite_rows(X, allow_nan))


def slices(n: int, size: int) -> Iterator[slice]:
    """Cut ``range(n)`` into slices of at most `size`."""
    return (slice(start, min(start + size, n)) for start in range(0, n, size))


class RowKind:
    """What alkit must know of a kind of X; the methods here are those of arrays in memory.

    To have alkit take another kind, override what differs and register it: ``register(Table, TableKind())``. Nothing
    else in the package asks what kind X is.

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
        return np.concatenate([np.asarray(dense(block)) for block in blocks])

    def row_shape(self, X: Rows) -> Any:
        """Return the shape of one row, or None."""
        return tuple(X.shape[1:]) if hasattr(X, "shape") else None

    def row_bytes(self, X: Rows) -> int:
        """Return about how many bytes one row takes."""
        if not hasattr(X, "shape"):
            return _BYTES_OF_UNKNOWN
        return math.prod(X.shape[1:]) * getattr(getattr(X, "dtype", None), "itemsize", 8)

    def dense(self, X: Rows) -> Any:
        """Return the rows as one array or tensor."""
        return np.asarray(X)

    def non_finite_rows(self, X: Rows, allow_nan: bool) -> np.ndarray:
        """Return the positions of rows with infinity or, unless allowed, missing values."""
        return marked_rows(np.asarray(X), allow_nan)


class _Mapping(RowKind):
    """Each entry holds the same rows."""

    def n_rows(self, X: Rows) -> int:
        lengths = {key: n_rows(value) for key, value in X.items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"the entries of X differ in length: {lengths}; give every key the same rows")
        return next(iter(lengths.values()), 0)

    def take(self, X: Rows, rows: Any) -> Rows:
        return {key: take(value, rows) for key, value in X.items()}

    def stack(self, blocks: Sequence[Rows]) -> Rows:
        _same("keys", [sorted(block) for block in blocks])
        return {key: stack([block[key] for block in blocks]) for key in blocks[0]}

    def row_shape(self, X: Rows) -> Any:
        return {key: row_shape(value) for key, value in X.items()}

    def row_bytes(self, X: Rows) -> int:
        return sum(row_bytes(value) for value in X.values())

    def dense(self, X: Rows) -> Any:
        return {key: dense(X.get(key)) for key in X}  # a SliceDict's [] takes keys and rows

    def non_finite_rows(self, X: Rows, allow_nan: bool) -> np.ndarray:
        return _joined(non_finite_rows(value, allow_nan=allow_nan) for value in X.values())


class _SliceDict(_Mapping):
    """skorch's dict, which stays one."""

    def take(self, X: Rows, rows: Any) -> Rows:
        return SliceDict(**super().take(X, rows))

    def stack(self, blocks: Sequence[Rows]) -> Rows:
        return SliceDict(**super().stack(blocks))


class _Sparse(RowKind):
    def take(self, X: Rows, rows: Any) -> Rows:
        return (X if X.format in ("csr", "csc", "lil") else X.tocsr())[rows]

    def stack(self, blocks: Sequence[Rows]) -> Rows:
        return sp.vstack(blocks, format="csr")

    def row_bytes(self, X: Rows) -> int:
        return 12 * X.nnz // max(1, X.shape[0])

    def dense(self, X: Rows) -> Any:
        return X.toarray()

    def non_finite_rows(self, X: Rows, allow_nan: bool) -> np.ndarray:
        entries = X.tocoo()
        return entries.row[marked_rows(entries.data, allow_nan)]


class _Series(RowKind):
    def take(self, X: Rows, rows: Any) -> Rows:
        return X.iloc[rows]

    def stack(self, blocks: Sequence[Rows]) -> Rows:
        kind = type(blocks[0])
        return pd.concat([block if isinstance(block, (pd.DataFrame, pd.Series)) else kind(block) for block in blocks])

    def row_bytes(self, X: Rows) -> int:
        return _BYTES_OF_UNKNOWN  # its cells may be texts, or arrays


class _DataFrame(_Series):
    def stack(self, blocks: Sequence[Rows]) -> Rows:
        blocks = [block if isinstance(block, pd.DataFrame) else pd.DataFrame(block) for block in blocks]
        _same("columns", [list(block.columns) for block in blocks])
        return pd.concat(blocks)

    def row_bytes(self, X: Rows) -> int:
        return 8 * X.shape[1]

    def dense(self, X: Rows) -> Any:
        values = X.to_numpy()
        if values.dtype == object and all(map(pd.api.types.is_numeric_dtype, X.dtypes)):
            return X.to_numpy(dtype=np.float64, na_value=np.nan)  # numbers and bools side by side would make objects
        return values

    def non_finite_rows(self, X: Rows, allow_nan: bool) -> np.ndarray:
        return _joined(marked_rows(X.iloc[:, j].to_numpy(), allow_nan) for j in range(X.shape[1]))


class _Tensor(RowKind):
    def stack(self, blocks: Sequence[Rows]) -> Rows:
        return torch.cat([torch.as_tensor(block) for block in blocks])

    def dense(self, X: Rows) -> Any:
        return X.detach()  # gradients of the user's tensors are not ours to write

    def non_finite_rows(self, X: Rows, allow_nan: bool) -> np.ndarray:
        values = X.detach().cpu()
        return marked_rows((values.float() if values.dtype == torch.bfloat16 else values).numpy(), allow_nan)


class _List(RowKind):
    """Rows of any type: texts, numbers, lists of numbers."""

    def n_rows(self, X: Rows) -> int:
        return len(X)

    def take(self, X: Rows, rows: Any) -> Rows:
        if isinstance(rows, (int, np.integer)):
            return X[rows]
        return [X[i] for i in np.arange(len(X))[rows].tolist()]

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


class _Dataset(RowKind):
    """Rows are made on demand, and so not looked at before they are needed."""

    lazy = True

    def n_rows(self, X: Rows) -> int:
        return len(X)

    def take(self, X: Rows, rows: Any) -> Rows:
        if isinstance(rows, (int, np.integer)):
            return X[rows]
        return Subset(X, np.arange(len(X))[rows].tolist())

    def stack(self, blocks: Sequence[Rows]) -> Rows:
        first = blocks[0]
        known = first.datasets if isinstance(first, ConcatDataset) else [first]  # flat, however often rows are added
        return ConcatDataset([*known, *blocks[1:]])

    def dense(self, X: Rows) -> Any:
        items = (X[i] for i in range(len(X)))
        return default_collate([item[0] if isinstance(item, (tuple, list)) else item for item in items])

    def non_finite_rows(self, X: Rows, allow_nan: bool) -> np.ndarray:
        return np.empty(0, dtype=np.intp)


class _OnDisk(RowKind):
    """Whatever is of no other kind, but has a shape and gives rows by slices."""

    lazy = True

    def take(self, X: Rows, rows: Any) -> Rows:
        return _read(X, rows)

    def dense(self, X: Rows) -> Any:
        return _read(X, slice(None))

    def non_finite_rows(self, X: Rows, allow_nan: bool) -> np.ndarray:
        blocks = slices(n_rows(X), max(1, _BLOCK_BYTES // max(1, self.row_bytes(X))))
        return _joined(part.start + non_finite_rows(take(X, part), allow_nan=allow_nan) for part in blocks)


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
        return np.empty(0, dtype=np.intp)


_ON_DISK, _UNKNOWN_KIND = _OnDisk(), _Unknown()


@singledispatch
def kind_of(X: Rows) -> RowKind:
    """Return what is known of the kind of X, found by its type."""
    has_rows = hasattr(X, "shape") and hasattr(X, "__getitem__") and getattr(X, "ndim", 1) != 0
    return _ON_DISK if has_rows else _UNKNOWN_KIND


def register(of: type, kind: RowKind) -> None:
    """Have rows of a type, and of its subclasses, taken as `kind` says.

    Parameters
    ----------
    of : type
    kind : RowKind
    """
    kind_of.register(of, lambda X: kind)


_KINDS: dict[type, RowKind] = {
    np.ndarray: RowKind(),
    torch.Tensor: _Tensor(),
    pd.DataFrame: _DataFrame(),
    pd.Series: _Series(),
    sp.spmatrix: _Sparse(),
    sp.sparray: _Sparse(),
    sp.dok_matrix: _Sparse(),  # these two are dicts as well
    sp.dok_array: _Sparse(),
    list: _List(),
    Mapping: _Mapping(),
    SliceDict: _SliceDict(),
    Dataset: _Dataset(),
}
for _type, _row_kind in _KINDS.items():
    register(_type, _row_kind)


def _read(X: Rows, rows: Any) -> np.ndarray:
    """Take rows by slices alone, in order and each once: h5py refuses other indices, and zarr unpacks whole blocks."""
    if isinstance(rows, slice):
        start, stop, step = rows.indices(n_rows(X))
        if step == 1:
            return np.asarray(X[start : max(start, stop)])
        rows = np.arange(start, stop, step)
    positions = _positions(rows, n_rows(X))
    distinct, places = np.unique(positions, return_inverse=True)
    runs = np.split(distinct, np.flatnonzero(np.diff(distinct) > _NEAR) + 1) if len(distinct) else []
    read = [np.asarray(X[run[0] : run[-1] + 1])[run - run[0]] for run in runs]
    return np.concatenate([np.asarray(X[0:0]), *read])[places]


def _positions(rows: Any, n: int) -> np.ndarray:
    """Return an int, a mask or positions (negative ones count from the end) as positions from 0 to n - 1."""
    positions = np.asarray(rows)
    if positions.dtype == bool and positions.shape != (n,):
        raise IndexError(f"a mask of shape {positions.shape} cannot choose from {n} rows")
    positions = np.flatnonzero(positions) if positions.dtype == bool else positions.astype(np.intp)
    outside = positions[(positions < -n) | (positions >= n)]
    if outside.size:
        raise IndexError(f"row {outside.flat[0]} is asked for, but X has {n} rows")
    return positions % n if n else positions


def _same(what: str, found: list[list]) -> None:
    for other in found[1:]:
        if other != found[0]:
            raise ValueError(f"rows with {what} {other} cannot be stacked on rows with {what} {found[0]}")


def _joined(positions: Iterator[np.ndarray]) -> np.ndarray:
    return np.concatenate([np.empty(0, dtype=np.intp), *positions])
