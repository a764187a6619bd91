"""Rows of several modalities, in any form, as a dict with an array for each; NaN stands for a missing modality."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
import torch
from pandas.api.extensions import ExtensionArray
from torch.utils.data import Dataset

from alkit.nets.training.tensors import RowAdapter, RowDataset, Tensors, scoring_rows, to_tensors
from alkit.rows import Rows, dense, kind_of, n_rows, row_shape, slices, take
from alkit.rows import columns as column_names
from alkit.validation import check_shape

Shape = tuple[int, ...]
Modalities = Mapping[str, int | Shape | slice]
"""By name: the width of a vector, the shape of a row, or the columns of one matrix that hold them all."""

JOINT = "joint"


def check_modalities(modalities: Modalities) -> None:
    """Raise ValueError unless there are modalities, and each has a usable name and a width, shape or slice."""
    if not isinstance(modalities, Mapping) or not modalities:
        raise ValueError(f"modalities={modalities!r}: give a dict of one or more, name to width, shape or slice")
    for name, size in modalities.items():
        # Encoders and heads are entries of a ModuleDict, and rows are keyword arguments of the network's forward.
        is_taken = name in (JOINT, "self") or hasattr(torch.nn.ModuleDict(), str(name))
        if not isinstance(name, str) or not name or "." in name or is_taken:
            raise ValueError(f"a modality cannot be called {name!r}: that name is taken, or not a name of a submodule")
        if not _is_size(size):
            raise ValueError(
                f"modalities={{{name!r}: {size!r}}}: give a width, a tuple of widths, or a slice of columns such as "
                "slice(0, 384)"
            )


def _is_size(size: Any) -> bool:
    """Tell whether a modality's size is a width, a shape, or a slice of one column or more."""
    if isinstance(size, slice):
        start = size.start or 0
        has_columns = size.stop is None or size.stop > start
        return size.step in (None, 1) and start >= 0 and has_columns
    shape = size if isinstance(size, tuple) else (size,)
    return bool(shape) and all(isinstance(width, (int, np.integer)) and width > 0 for width in shape)


def by_modality(X: Rows, modalities: Modalities) -> Rows:
    """Return rows as a dict with an array (n, ...) for each modality; a Dataset as a Dataset of such dicts.

    Parameters
    ----------
    X : dict of arrays, DataFrame with a column for each modality, matrix or Dataset
        The rows. Cells of a column are arrays, or None or NaN where the modality is missing. A matrix (array, tensor,
        sparse matrix or DataFrame of numbers) holds all modalities side by side. The items of a Dataset are x or
        (x, ...), x a dict or vector.
    modalities : dict of str to int, tuple of int or slice
        Width or shape of each modality's rows, or its columns in a matrix.

    Returns
    -------
    dict of str to array (n, ...), or Dataset
        In the order of `modalities`. Rows that a modality is missing in are NaN.

    Raises
    ------
    ValueError
        If X lacks a modality altogether or has one that is not declared, if rows have another shape than declared, or
        if modalities differ in length.

    Examples
    --------
    >>> import pandas as pd
    >>> from alkit.nets.multimodal.rows import by_modality
    >>> by_modality(pd.DataFrame({"text": [[1, 2], None], "age": [30, 40]}), {"text": 2, "age": 1})
    {'text': array([[ 1.,  2.],
           [nan, nan]]), 'age': array([[30],
           [40]])}
    """
    if isinstance(X, Dataset):
        return X if isinstance(X, ModalityDataset) else ModalityDataset(X, modalities)
    if isinstance(X, Mapping) and not sp.issparse(X):  # one of scipy's formats is a dict
        columns: Mapping[str, Any] = X
    elif not modalities.keys().isdisjoint(column_names(X) or ()):
        columns = {name: kind_of(X).column(X, name) for name in column_names(X) or ()}
    else:
        columns = CutMatrix(_columns_of_matrix(X, modalities), X)
    _check_names(columns, modalities)
    rows = {name: _as_array(name, columns[name], _declared_shape(size)) for name, size in modalities.items()}
    n_rows(rows)  # raises where they differ in length
    return CutMatrix(rows, columns.matrix) if isinstance(columns, CutMatrix) else rows


class CutMatrix(dict):
    """Rows by modality that were cut out of one matrix, which has columns as scikit-learn counts them.

    Parameters
    ----------
    rows : dict of str to array (n, ...)
        The rows of each modality.
    matrix : array, sparse matrix or DataFrame of shape (n, n_features)
        What they were cut out of.
    """

    def __init__(self, rows: Mapping[str, Any], matrix: Rows):
        super().__init__(rows)
        self.matrix = matrix


def _check_names(columns: Mapping[str, Any], modalities: Modalities) -> None:
    """Raise unless X has the modalities that are declared."""
    faults = [f"{name!r} is not in X" for name in modalities if name not in columns]
    faults += [f"{name!r} is not declared" for name in columns if name not in modalities]
    if faults:
        raise ValueError(
            f"X has {len(columns)} modalities, {', '.join(map(repr, columns))}, but {len(modalities)} are declared, "
            f"{', '.join(map(repr, modalities))}: {'; '.join(faults)}"
        )


def _declared_shape(size: int | Shape | slice) -> Shape | None:
    """Return the shape of a modality's rows, None for a slice without an end."""
    if not isinstance(size, slice):
        return size if isinstance(size, tuple) else (size,)
    if size.stop is None:
        return None
    return (size.stop - (size.start or 0),)


def _columns_of_matrix(X: Rows, modalities: Modalities) -> dict[str, Any]:
    """Cut one matrix that holds all modalities side by side."""
    if not hasattr(X, "shape"):  # lists, and whatever else numpy makes an array of
        X = dense(X)
    if len(getattr(X, "shape", ())) != 2:
        raise ValueError(
            f"X is a {type(X).__name__} of shape {getattr(X, 'shape', 'unknown')}; pass a dict of arrays, a DataFrame "
            f"with the columns {', '.join(map(repr, modalities))}, a Dataset of dicts, or one matrix. "
            "Reshape your data with X.reshape(1, -1) if it is one row"
        )
    check_shape(X)
    columns_of = _checked_slices(modalities, width=X.shape[1])
    X = X if column_names(X) is None else dense(X)
    X = X.tocsr() if sp.issparse(X) else X  # other formats cannot be cut
    return {name: X[:, columns] for name, columns in columns_of.items()}


def _checked_slices(modalities: Modalities, width: int) -> dict[str, slice]:
    """Return the columns of each modality, after checking that the last of them is the last of the matrix."""
    columns_of: dict[str, slice] = {}
    ends: dict[str, int] = {}
    for name, columns in modalities.items():
        if not isinstance(columns, slice):
            raise ValueError(
                f"X is one matrix of {width} columns, but modalities={dict(modalities)} does not say which of them are "
                f"{name!r}; give a slice for each, or pass X as a dict of arrays"
            )
        columns_of[name] = columns
        ends[name] = width if columns.stop is None else columns.stop
    for name, columns in columns_of.items():
        if columns.stop is None and (columns.start or 0) >= width:
            raise ValueError(f"modality {name!r} begins with column {columns.start}, but X has {width} columns")
    last = max(ends, key=lambda name: ends[name])
    if ends[last] != width:
        raise ValueError(
            f"modality {last!r} ends with column {ends[last]}, but X has {width} columns; they must be as many"
        )
    return columns_of


def _as_array(name: str, values: Any, shape: Shape | None) -> Any:
    """Return one modality's rows as an array (n, ...), of the shape declared."""
    if not isinstance(values, (list, tuple)) and not hasattr(values, "shape"):
        raise ValueError(f"modality {name!r} is a {type(values).__name__}; give an array, or a list of rows")
    has_cells = isinstance(values, (list, tuple, pd.Series, ExtensionArray))
    if has_cells or (len(values.shape) == 1 and values.dtype == object):
        values = _stack_cells(name, list(values), shape)
    if isinstance(values, (np.ndarray, torch.Tensor)) and values.ndim == 1:
        values = values.reshape(-1, 1)
    actual = row_shape(values)
    if shape is not None and actual != shape:
        raise ValueError(f"modality {name!r} has rows of shape {actual}, but {shape} is declared in modalities")
    return values


def _stack_cells(name: str, cells: list, shape: Shape | None) -> np.ndarray:
    """Stack cells that are arrays, or None or NaN where the modality is missing."""
    missing = np.array([_is_missing(cell) for cell in cells], dtype=bool)
    present = [np.asarray(cell) for cell in cells if not _is_missing(cell)]
    if present:
        shape = present[0].shape
    elif shape is None:
        raise ValueError(f"modality {name!r} is missing in all {len(cells)} rows, and its width is not declared")
    for cell in present:
        if cell.shape != shape:
            raise ValueError(
                f"modality {name!r} has rows of shape {shape} and of shape {cell.shape}; give all rows one shape"
            )
    if not missing.any():
        return np.stack(present)
    dtype = np.result_type(np.float32, *{cell.dtype for cell in present})  # floats: integers have no NaN
    stacked = np.full((len(cells), *shape), np.nan, dtype=dtype)
    if present:
        stacked[~missing] = present
    return stacked


def _is_missing(cell: Any) -> bool:
    """Tell whether a cell is None or NaN instead of an array."""
    return np.ndim(cell) == 0 and bool(pd.isna(cell))


class ModalityRows(RowAdapter):
    """How rows of several modalities reach a network: by modality, each row with one that the head can read.

    Parameters
    ----------
    modalities : dict of str to int, tuple of int or slice
        See :func:`by_modality`.
    head : str
        The head that is asked, see :func:`check_present`.
    """

    def __init__(self, modalities: Modalities, head: str):
        self.modalities = modalities
        self.head = head
        # A row that lacks its only modality has nothing to be read.
        self.allow_nan = len(modalities) > 1

    def arrange(self, X: Rows) -> Rows:
        """Return rows as a dict with an array for each modality."""
        check_modalities(self.modalities)
        return by_modality(X, self.modalities)

    def matrix_of(self, X: Rows) -> Rows | None:
        """Return the matrix that the rows were cut out of, if they were."""
        return X.matrix if isinstance(X, CutMatrix) else None

    def check(self, X: Rows) -> int:
        """Return how many rows there are, after checking that none lacks every modality."""
        n = super().check(X)
        # The items of a Dataset are checked as they are read.
        if not isinstance(X, Dataset):
            rows = RowDataset(X)
            for part in slices(n, scoring_rows(rows)):
                batch, _ = rows.batch(part)
                check_present(batch, part.start)
        return n

    def check_batch(self, batch: Tensors, first_row: int) -> None:
        """Check that the head has something to read in each row."""
        super().check_batch(batch, first_row)
        check_present(batch, first_row, self.head)

    def is_sized(self, takes_integers: bool) -> bool:
        """Rows have the shapes declared, whatever they hold."""
        return True


class ModalityDataset(Dataset):
    """A Dataset whose items are dicts of modalities, checked one by one as they are read.

    Parameters
    ----------
    items : Dataset
        Its items are x or (x, ...), x a dict by modality or one vector.
    modalities : dict of str to int, tuple of int or slice
        See :func:`by_modality`.
    """

    def __init__(self, items: Dataset, modalities: Modalities):
        self.items = items
        self.modalities = modalities

    def __len__(self) -> int:
        return n_rows(self.items)

    def __getitem__(self, i: int) -> Any:
        item = self.items[i]
        x, *rest = item if isinstance(item, (tuple, list)) else (item,)
        one_row: Any
        if isinstance(x, Mapping):
            one_row = {name: [value] for name, value in x.items()}
        else:
            one_row = np.asarray(x)[None]
        rows = by_modality(one_row, self.modalities)
        check_present(to_tensors(rows), i)
        row = take(rows, 0)
        return (row, *rest) if rest else row


def present_rows(values: torch.Tensor) -> torch.Tensor:
    """Mark the rows that hold no NaN, (n, ...) -> (n,)."""
    if not values.is_floating_point():
        return torch.ones(len(values), dtype=torch.bool, device=values.device)
    return ~values.flatten(1).isnan().any(1)


def check_present(batch: Tensors, first_row: int = 0, head: str = JOINT) -> None:
    """Refuse rows that hold infinity, or nothing of what a head reads.

    Parameters
    ----------
    batch : dict of str to tensor (n, ...)
        Rows by modality.
    first_row : int, default=0
        Position of the first, for error messages.
    head : str, default="joint"
        The joint head needs one modality or more, the head of a modality needs that one.

    Raises
    ------
    ValueError
        If a row does; the message has the position of the first.
    """
    assert isinstance(batch, dict)
    for name, values in batch.items():
        if values.is_floating_point() and values.isinf().any():
            row = int(values.flatten(1).isinf().any(1).nonzero()[0])
            raise ValueError(f"modality {name!r} holds infinity in row {first_row + row}; only NaN means missing")
    read = list(batch) if head == JOINT else [head]
    missing = ~torch.stack([present_rows(batch[name]) for name in read]).any(0)
    if missing.any():
        first = first_row + int(missing.nonzero()[0])
        rows = f"{int(missing.sum())} of {len(missing)} rows of X (first: row {first})"
        if head != JOINT:
            raise ValueError(f"modality {head!r}, which head {head!r} reads, is missing in {rows}; ask head={JOINT!r}")
        raise ValueError(
            f"all {len(read)} modalities, {', '.join(map(repr, read))}, are missing in {rows}; drop these rows"
        )
