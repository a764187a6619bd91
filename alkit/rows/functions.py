"""What the package asks of X, whatever kind it is: each function hands over to the kind that X is of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp

from alkit.rows.kind import Rows, kind_of


def n_rows(X: Rows) -> int:
    """Return the number of rows of X.

    Parameters
    ----------
    X : rows of any kind
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
    X : rows of any kind
        The rows.
    rows : int, slice, or array of int
        Positions, never labels of a pandas index. A slice of an array is a view.

    Returns
    -------
    same kind as X, but a numpy array of an array on disk, a dict of any mapping, and a list of any sequence that is no
    tuple; for an int a single row

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
    blocks : sequence of rows of one kind and width

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
    # dense rows are stacked on sparse ones, whichever come first: the other way round they might not fit in memory
    decisive = next((block for block in blocks if sp.issparse(block)), blocks[0])
    return kind_of(decisive).stack(blocks)


def columns(X: Rows) -> list | None:
    """Return the names of the columns of a table, or the sorted keys of a mapping; None where rows have no names."""
    return kind_of(X).columns(X)


def is_of_numbers(X: Rows) -> bool:
    """Tell whether each row is a single number."""
    return kind_of(X).is_of_numbers(X)


def readable(X: Rows) -> Rows:
    """Return rows as an estimator can read them: X itself, but for what numpy would read wrongly or not at all.

    Masked cells become NaN, tensors have no gradient and no dtype that numpy lacks, array-likes are arrays.
    """
    return kind_of(X).readable(X)


def fetched(X: Rows) -> Rows:
    """Return rows in memory, and readable: those that a Dataset makes on demand are made once, here."""
    return kind_of(X).fetched(X)


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
    return kind_of(X).lazy


def non_finite_rows(X: Rows, *, allow_nan: bool = False) -> np.ndarray:
    """Return the positions of rows that hold infinity or, unless allowed, NaN or None, as an int array."""
    # a kind may name a row once for each of its cells
    return np.unique(kind_of(X).non_finite_rows(X, allow_nan))


def slices(n: int, size: int) -> Iterator[slice]:
    """Cut ``range(n)`` into slices of at most `size`."""
    starts = range(0, n, size)
    return (slice(start, min(start + size, n)) for start in starts)
