"""Rows of X, whatever X is: the only file that knows what kinds of X there are.

numpy arrays (memory-mapped ones too), scipy sparse matrices, pandas objects, torch tensors, lists, dicts of any
of these (``skorch.helper.SliceDict`` among them) and ``torch.utils.data.Dataset``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
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
    "torch tensor, list, dict of these, SliceDict or torch Dataset"
)


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
    if isinstance(X, dict):
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
    same kind as X; for an int a single row

    Examples
    --------
    >>> from alkit.rows import take
    >>> take(["a", "b", "c"], [2, 0])
    ['c', 'a']
    """
    if isinstance(X, SliceDict):
        return SliceDict(**{key: take(value, rows) for key, value in X.items()})
    if isinstance(X, dict):
        return {key: take(value, rows) for key, value in X.items()}
    if isinstance(X, (pd.DataFrame, pd.Series)):
        return X.iloc[rows]
    if sp.issparse(X):
        return (X if X.format in ("csr", "csc", "lil") else X.tocsr())[rows]
    if isinstance(X, (np.ndarray, torch.Tensor)):
        return X[rows]
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
    if isinstance(first, dict):
        _same("keys", [sorted(block) for block in blocks])
        return type(first)(**{key: stack([block[key] for block in blocks]) for key in first})
    if isinstance(first, (pd.DataFrame, pd.Series)):
        blocks = [b if isinstance(b, (pd.DataFrame, pd.Series)) else type(first)(b) for b in blocks]
        if isinstance(first, pd.DataFrame):
            _same("columns", [list(block.columns) for block in blocks])
        return pd.concat(blocks)
    if isinstance(first, np.ndarray):
        return np.concatenate([np.asarray(block) for block in blocks])
    if isinstance(first, torch.Tensor):
        return torch.cat([torch.as_tensor(block) for block in blocks])
    if isinstance(first, list):
        return list(chain.from_iterable(blocks))
    if isinstance(first, Dataset):
        known = first.datasets if isinstance(first, ConcatDataset) else [first]  # flat, however often rows are added
        return ConcatDataset([*known, *blocks[1:]])
    raise TypeError(_UNKNOWN.format(kind=type(first).__name__))


def _same(what: str, found: list[list]) -> None:
    for other in found[1:]:
        if other != found[0]:
            raise ValueError(f"rows with {what} {other} cannot be stacked on rows with {what} {found[0]}")


def slices(n: int, size: int) -> Iterator[slice]:
    """Cut ``range(n)`` into slices of at most `size`."""
    return (slice(start, min(start + size, n)) for start in range(0, n, size))


def row_shape(X: Rows) -> Any:
    """Return the shape of one row: a tuple, a dict of tuples, or None where it has no shape."""
    if isinstance(X, dict):
        return {key: row_shape(value) for key, value in X.items()}
    return tuple(X.shape[1:]) if hasattr(X, "shape") else None


def row_bytes(X: Rows) -> int:
    """Return about how much memory one row of X takes, in bytes (1,024 where X does not tell)."""
    if isinstance(X, dict):
        return sum(row_bytes(value) for value in X.values())
    if sp.issparse(X):
        return 12 * X.nnz // max(1, X.shape[0])
    if hasattr(X, "itemsize") and hasattr(X, "shape"):
        return int(np.prod(X.shape[1:], dtype=int)) * X.itemsize
    return 8 * X.shape[1] if isinstance(X, pd.DataFrame) else 1024


def non_finite_rows(X: Rows, *, allow_nan: bool = False) -> np.ndarray:
    """Return the positions of rows that hold infinity or, unless allowed, NaN or None, as an int array."""
    bad = [np.empty(0, dtype=np.intp)]
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
    if isinstance(X, dict):
        for value in X.values():
            yield from _arrays(value)
    elif isinstance(X, pd.DataFrame):
        yield from (X.iloc[:, j].to_numpy() for j in range(X.shape[1]))
    elif isinstance(X, torch.Tensor):
        yield (X.detach().cpu() if X.dtype != torch.bfloat16 else X.detach().cpu().float()).numpy()
    elif isinstance(X, (np.ndarray, pd.Series)) or (isinstance(X, list) and X and not isinstance(X[0], str)):
        yield np.asarray(X)


def sums_to_finite(values: np.ndarray) -> bool:
    """Whether the sum of all values is finite, which clears an array at once; False may also mean an overflow."""
    if values.dtype in (np.float32, np.float64) and values.flags.writeable and values.flags.c_contiguous:
        return math.isfinite(torch.from_numpy(values).sum())  # four times as fast as numpy
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(values.sum()))


def _non_finite(values: np.ndarray, allow_nan: bool) -> np.ndarray:
    """Mark infinity and, unless allowed, missing values; one False for all where there are none."""
    if values.dtype.kind == "f":
        if sums_to_finite(values):
            return np.zeros(1, dtype=bool)
        return np.isinf(values) if allow_nan else ~np.isfinite(values)
    if values.dtype.kind == "O":
        infinite = np.isin(values, [np.inf, -np.inf])
        return infinite if allow_nan else infinite | pd.isna(values)
    return np.zeros(1, dtype=bool)
