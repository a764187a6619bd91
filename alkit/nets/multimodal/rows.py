"""Rows of several modalities, whatever form they come in, as a dict with an array for each; NaN: missing."""

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

Shape = tuple[int, ...]
Modalities = Mapping[str, int | Shape | slice]
"""By name: the width of a vector, the shape of a row, or the columns of one matrix that hold them all."""

JOINT = "joint"


def check_modalities(modalities: Modalities) -> None:
    """Raise ValueError unless there are modalities, and each has a usable name and a width, shape or slice."""
    if not isinstance(modalities, Mapping) or not modalities:
        raise ValueError(f"modalities={modalities!r}: give a dict of one or more, name to width, shape or slice")
    for name, given in modalities.items():
        taken = name in (JOINT, "self") or hasattr(torch.nn.ModuleDict(), str(name))
        if not isinstance(name, str) or not name or "." in name or taken:
            raise ValueError(f"a modality cannot be called {name!r}: that name is taken, or not a name of a submodule")
        sizes = given if isinstance(given, tuple) else (given,)
        if isinstance(given, slice):
            start, stop = given.start or 0, given.stop
            right = given.step in (None, 1) and start >= 0 and (stop is None or stop > start)
        else:
            right = bool(sizes) and all(isinstance(size, (int, np.integer)) and size > 0 for size in sizes)
        if not right:
            raise ValueError(
                f"modalities={{{name!r}: {given!r}}}: give a width, a tuple of widths, or a slice of columns such as "
                "slice(0, 384)"
            )


def by_modality(X: Rows, modalities: Modalities) -> Rows:
    """Return rows as a dict with an array (n, ...) for each modality; a Dataset as one of such dicts.

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
        If a modality is missing altogether or unknown, or of another width than declared, or modalities differ in
        length.

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
    if isinstance(X, Mapping):
        columns: Mapping[str, Any] = X
    elif not modalities.keys().isdisjoint(column_names(X) or ()):
        columns = {name: kind_of(X).column(X, name) for name in column_names(X) or ()}
    else:
        columns = _columns_of_matrix(X, modalities)
    unknown = [name for name in columns if name not in modalities]
    lacking = [name for name in modalities if name not in columns]
    if unknown or lacking:
        raise ValueError(
            f"X has {len(columns)} modalities, {', '.join(map(repr, columns))}, but {len(modalities)} are declared, "
            f"{', '.join(map(repr, modalities))}: "
            + "; ".join(f"{name!r} is not in X" for name in lacking)
            + "; " * bool(unknown and lacking)
            + "; ".join(f"{name!r} is not declared" for name in unknown)
        )
    rows = {name: _as_array(name, columns[name], _declared_shape(modalities[name])) for name in modalities}
    n_rows(rows)  # raises where they differ in length
    return rows


def _declared_shape(given: int | Shape | slice) -> Shape | None:
    """Return the shape of a modality's rows, None where a slice is open."""
    if isinstance(given, slice):
        return None if given.stop is None else (given.stop - (given.start or 0),)
    return given if isinstance(given, tuple) else (given,)


def _columns_of_matrix(X: Rows, modalities: Modalities) -> dict[str, Any]:
    """Cut one matrix that holds all modalities side by side."""
    if len(getattr(X, "shape", ())) != 2:
        raise ValueError(
            f"X is a {type(X).__name__} of shape {getattr(X, 'shape', 'unknown')}; pass a dict of arrays, a DataFrame "
            f"with the columns {', '.join(map(repr, modalities))}, a Dataset of dicts, or one matrix"
        )
    width = X.shape[1]
    slices = {name: given for name, given in modalities.items() if isinstance(given, slice)}
    if len(slices) < len(modalities):
        other = next(name for name in modalities if name not in slices)
        raise ValueError(
            f"X is one matrix of {width} columns, but modalities={dict(modalities)} does not say which of them are "
            f"{other!r}; give a slice for each, or pass X as a dict of arrays"
        )
    late = next((name for name, given in slices.items() if given.stop is None and (given.start or 0) >= width), None)
    if late is not None:
        raise ValueError(f"modality {late!r} begins with column {slices[late].start}, but X has {width} columns")
    last = max(slices, key=lambda name: width if slices[name].stop is None else slices[name].stop)
    end = width if slices[last].stop is None else slices[last].stop
    if end != width:
        raise ValueError(f"modality {last!r} ends with column {end}, but X has {width} columns; they must be as many")
    X = X if column_names(X) is None else dense(X)
    X = X.tocsr() if sp.issparse(X) else X  # other formats cannot be cut
    return {name: X[:, columns] for name, columns in slices.items()}


def _as_array(name: str, values: Any, shape: Shape | None) -> Any:
    """Return one modality's rows as an array (n, ...), of the shape declared."""
    if not isinstance(values, (list, tuple)) and not hasattr(values, "shape"):
        raise ValueError(f"modality {name!r} is a {type(values).__name__}; give an array, or a list of rows")
    cells = isinstance(values, (list, tuple, pd.Series, ExtensionArray))
    if cells or (len(values.shape) == 1 and values.dtype == object):
        values = _stack_cells(name, list(values), shape)
    if isinstance(values, (np.ndarray, torch.Tensor)) and values.ndim == 1:
        values = values.reshape(-1, 1)
    actual = row_shape(values)
    if shape is not None and actual != shape:
        raise ValueError(f"modality {name!r} has rows of shape {actual}, but {shape} is declared in modalities")
    return values


def _stack_cells(name: str, cells: list, shape: Shape | None) -> np.ndarray:
    """Stack cells that are arrays, or None or NaN where the modality is missing."""
    missing = np.array([np.ndim(cell) == 0 and bool(pd.isna(cell)) for cell in cells], dtype=bool)
    known = [np.asarray(cell) for cell, gone in zip(cells, missing, strict=True) if not gone]
    if not known and shape is None:
        raise ValueError(f"modality {name!r} is missing in all {len(cells)} rows, and its width is not declared")
    shape = known[0].shape if known else shape
    odd = next((cell.shape for cell in known if cell.shape != shape), None)
    if odd is not None:
        raise ValueError(f"modality {name!r} has rows of shape {shape} and of shape {odd}; give all rows one shape")
    if not missing.any():
        return np.stack(known)
    dtype = np.result_type(np.float32, *{cell.dtype for cell in known})
    stacked = np.full((len(cells), *(shape or ())), np.nan, dtype=dtype)
    if known:
        stacked[~missing] = known
    return stacked


class ModalityRows(RowAdapter):
    """How rows of several modalities reach a network: by modality, each row with something that a head can read.

    Parameters
    ----------
    modalities : dict of str to int, tuple of int or slice
        See :func:`by_modality`.
    head : str
        The head that is asked, see :func:`check_present`.
    """

    allow_nan = True

    def __init__(self, modalities: Modalities, head: str):
        self.modalities = modalities
        self.head = head

    def arrange(self, X: Rows) -> Rows:
        """Return rows as a dict with an array for each modality."""
        check_modalities(self.modalities)
        return by_modality(X, self.modalities)

    def check(self, X: Rows) -> int:
        """Return how many rows there are, after checking that none lacks every modality."""
        n = super().check(X)
        if not isinstance(X, Dataset):  # whose items are checked as they are read
            rows = RowDataset(X)
            for part in slices(n, scoring_rows(rows)):
                check_present(rows.batch(part)[0], part.start)
        return n

    def check_batch(self, batch: Tensors, first_row: int) -> None:
        """Check that the head has something to read in each row."""
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
        one = {name: [value] for name, value in x.items()} if isinstance(x, Mapping) else np.asarray(x)[None]
        rows = by_modality(one, self.modalities)
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
        The joint head reads what there is, the head of a modality needs that one.

    Raises
    ------
    ValueError
    """
    assert isinstance(batch, dict)
    for name, values in batch.items():
        if values.is_floating_point() and values.isinf().any():
            row = int(values.flatten(1).isinf().any(1).nonzero()[0])
            raise ValueError(f"modality {name!r} holds infinity in row {first_row + row}; only NaN means missing")
    read = list(batch) if head == JOINT else [head]
    gone = ~torch.stack([present_rows(batch[name]) for name in read]).any(0)
    if gone.any():
        rows = f"{int(gone.sum())} of {len(gone)} rows of X (first: row {first_row + int(gone.nonzero()[0])})"
        if head != JOINT:
            raise ValueError(f"modality {head!r}, which head {head!r} reads, is missing in {rows}; ask head={JOINT!r}")
        raise ValueError(
            f"all {len(read)} modalities, {', '.join(map(repr, read))}, are missing in {rows}; drop rows of nothing"
        )
