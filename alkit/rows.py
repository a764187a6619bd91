"""Rows of X, whatever X is: the only file that knows what kinds of X there are.

numpy arrays (memory-mapped ones too), scipy sparse matrices, pandas objects, torch tensors, lists, dicts of any
of these (or other mappings, such as ``skorch.helper.SliceDict`` and what tokenizers return),
``torch.utils.data.Dataset``, and arrays on disk: whatever has a ``shape`` and gives rows by slices, such as those of
h5py and zarr. Rows taken of an array on disk are a numpy array.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
import torch
from skorch.helper import SliceDict
from torch.utils.data import ConcatDataset, Dataset, Subset

Rows = Any
"""Anything with rows: see the module's docstring."""

_UNKNOWN = (
    "X is a {kind}, which alkit cannot take rows of; pass a numpy array, scipy sparse matrix, DataFrame, "
    "torch tensor, list, dict of these, SliceDict, torch Dataset or an array of h5py or zarr"
)

_BLOCK_BYTES = 2**26
_NEAR = 4  # rows this close are read at once: cheaper than another read, and never four times what was asked for


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
    if isinstance(X, Mapping):
        lengths = {key: n_rows(value) for key, value in X.items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"the entries of X differ in length: {lengths}; give every key the same rows")
        return next(iter(lengths.values()), 0)
    if getattr(X, "ndim", 1) == 0 or isinstance(X, str) or not (hasattr(X, "shape") or hasattr(X, "__len__")):
        raise TypeError(_UNKNOWN.format(kind=type(X).__name__))
    return int(X.shape[0]) if hasattr(X, "shape") else len(X)


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
    if isinstance(X, SliceDict):
        return SliceDict(**{key: take(value, rows) for key, value in X.items()})
    if isinstance(X, Mapping):
        return {key: take(value, rows) for key, value in X.items()}
    if isinstance(X, (pd.DataFrame, pd.Series)):
        return X.iloc[rows]
    if sp.issparse(X):
        return (X if X.format in ("csr", "csc", "lil") else X.tocsr())[rows]
    if isinstance(X, (np.ndarray, torch.Tensor)):
        return X[rows]
    if on_disk(X):
        return _read(X, rows)
    if isinstance(rows, (int, np.integer)):
        return X[rows]
    if isinstance(X, (list, Dataset)):
        positions = np.arange(n_rows(X))[rows].tolist()
        return Subset(X, positions) if isinstance(X, Dataset) else [X[i] for i in positions]
    raise TypeError(_UNKNOWN.format(kind=type(X).__name__))


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
    first = blocks[0]
    if any(sp.issparse(block) for block in blocks):
        return sp.vstack(blocks, format="csr")
    if isinstance(first, Mapping):
        _same("keys", [sorted(block) for block in blocks])
        stacked = {key: stack([block[key] for block in blocks]) for key in first}
        return SliceDict(**stacked) if isinstance(first, SliceDict) else stacked
    if isinstance(first, (pd.DataFrame, pd.Series)):
        blocks = [b if isinstance(b, (pd.DataFrame, pd.Series)) else type(first)(b) for b in blocks]
        if isinstance(first, pd.DataFrame):
            _same("columns", [list(block.columns) for block in blocks])
        return pd.concat(blocks)
    if isinstance(first, np.ndarray) or on_disk(first):
        return np.concatenate([np.asarray(take(b, slice(None)) if on_disk(b) else b) for b in blocks])
    if isinstance(first, torch.Tensor):
        return torch.cat([torch.as_tensor(block) for block in blocks])
    if isinstance(first, list):
        return list(chain.from_iterable(blocks))
    if isinstance(first, Dataset):
        known = first.datasets if isinstance(first, ConcatDataset) else [first]  # flat, however often rows are added
        return ConcatDataset([*known, *blocks[1:]])
    raise TypeError(_UNKNOWN.format(kind=type(first).__name__))


def on_disk(X: Rows) -> bool:
    """Whether X is of no other kind, but has a shape and gives rows by slices."""
    known = (np.ndarray, torch.Tensor, pd.DataFrame, pd.Series, list, Mapping, Dataset)
    return hasattr(X, "shape") and hasattr(X, "__getitem__") and not isinstance(X, known) and not sp.issparse(X)


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


def slices(n: int, size: int) -> Iterator[slice]:
    """Cut ``range(n)`` into slices of at most `size`."""
    return (slice(start, min(start + size, n)) for start in range(0, n, size))


def row_shape(X: Rows) -> Any:
    """Return the shape of one row: a tuple, a dict of tuples, or None where it has no shape."""
    if isinstance(X, Mapping):
        return {key: row_shape(value) for key, value in X.items()}
    return tuple(X.shape[1:]) if hasattr(X, "shape") else None


def row_bytes(X: Rows) -> int:
    """Return about how much memory one row of X takes, in bytes (1,024 where X does not tell)."""
    if isinstance(X, Mapping):
        return sum(row_bytes(value) for value in X.values())
    if sp.issparse(X):
        return 12 * X.nnz // max(1, X.shape[0])
    if isinstance(X, pd.Series) or not hasattr(X, "shape"):
        return 1024
    return math.prod(X.shape[1:]) * getattr(getattr(X, "dtype", None), "itemsize", 8)


def non_finite_rows(X: Rows, *, allow_nan: bool = False) -> np.ndarray:
    """Return the positions of rows that hold infinity or, unless allowed, NaN or None, as an int array."""
    bad = [np.empty(0, dtype=np.intp)]
    if isinstance(X, Mapping):
        bad += [non_finite_rows(values, allow_nan=allow_nan) for values in X.values()]
    if on_disk(X):
        blocks = slices(n_rows(X), max(1, _BLOCK_BYTES // max(1, row_bytes(X))))
        bad += [part.start + non_finite_rows(take(X, part), allow_nan=allow_nan) for part in blocks]
    if sp.issparse(X):
        entries = X.tocoo()
        marked = _non_finite(entries.data, allow_nan)
        if marked.any():
            bad.append(entries.row[marked])
    for values in () if sp.issparse(X) else _arrays(X):
        marked = _non_finite(values, allow_nan)
        if marked.any():
            bad.append(np.nonzero(marked)[0])
    return np.unique(np.concatenate(bad))


def _arrays(X: Rows) -> Iterator[np.ndarray]:
    """Yield what X holds as numpy arrays, row by row the same; nothing for Datasets, whose rows are made on demand."""
    if isinstance(X, pd.DataFrame):
        yield from (X.iloc[:, j].to_numpy() for j in range(X.shape[1]))
    elif isinstance(X, torch.Tensor):
        yield (X.detach().cpu() if X.dtype != torch.bfloat16 else X.detach().cpu().float()).numpy()
    elif isinstance(X, (np.ndarray, pd.Series)):
        yield np.asarray(X)
    elif isinstance(X, list) and X and not isinstance(X[0], str):
        try:
            yield np.asarray(X)
        except ValueError:  # rows of several shapes, or None among them
            yield np.asarray(X, dtype=object)


def sums_to_finite(values: np.ndarray) -> bool:
    """Whether the sum of all values is finite, which clears an array at once; False may also mean an overflow."""
    plain = values.flags.writeable and values.flags.c_contiguous and all(stride >= 0 for stride in values.strides)
    if plain and values.dtype in (np.float32, np.float64):
        return math.isfinite(torch.from_numpy(values).sum())  # four times as fast as numpy
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(values.sum()))


def _non_finite(values: np.ndarray, allow_nan: bool) -> np.ndarray:
    """Mark infinity and, unless allowed, missing values; one False for all where there are none."""
    if values.dtype.kind == "f":
        if sums_to_finite(values):
            return np.zeros(1, dtype=bool)
        return np.isinf(values) if allow_nan else ~np.isfinite(values)
    if values.dtype.kind == "O" and any(np.ndim(cell) for cell in values.flat):  # a cell holds a whole array
        return np.array([_non_finite(np.asarray(cell), allow_nan).any() for cell in values.flat]).reshape(values.shape)
    if values.dtype.kind == "O":
        infinite = np.isin(values, [np.inf, -np.inf])
        return infinite if allow_nan else infinite | pd.isna(values)
    return np.zeros(1, dtype=bool)
