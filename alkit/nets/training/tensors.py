"""Rows of any kind, batch by batch, as the tensors a network takes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
import skorch.dataset
import torch
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.data import Dataset, Subset

from alkit.nets.training.sample_weight import WeightedCodes
from alkit.rows import Rows, dense, is_lazy, n_rows, row_shape, take
from alkit.validation import check_batch, check_rows

HOST = torch.device("cpu")
SCORING_ROWS = 4096
SCORING_BYTES = 2**25
# On a GPU batches need not fit into a cache, and each costs the time that Python takes to run the network once.
_LARGER_ON_DEVICE = 16
# Tensors from this size on are copied to a GPU by way of memory that it reads by itself.
_WORTH_PINNING = 2**20

Tensors = torch.Tensor | dict[str, Any]


def to_tensors(X: Rows) -> Tensors:
    """Return rows as tensors of the same dtype, densified where sparse.

    Parameters
    ----------
    X : array, sparse matrix, DataFrame, tensor, list, dict or Dataset
        The rows. Of a Dataset's items ``x`` or ``(x, ...)``, x.

    Returns
    -------
    tensor of shape (n, ...), or dict of these

    Raises
    ------
    ValueError, TypeError
        If the rows are not numbers; a TypeError if they are neither numbers nor texts.

    Examples
    --------
    >>> from alkit.nets.training.tensors import to_tensors
    >>> to_tensors([[1, 2], [3, 4]])
    tensor([[1, 2],
            [3, 4]])
    """
    values = dense(X)
    if isinstance(values, dict):
        return {key: _entry(key, entry) for key, entry in values.items()}
    if isinstance(values, torch.Tensor):
        return values
    if values.dtype.kind == "O":
        values = _as_numbers(values)
    if values.dtype.kind not in "fiub":
        raise ValueError(
            f"X holds {values.dtype} values, but a network takes real numbers; turn text or categories into numbers "
            "first (e.g. TfidfVectorizer, OneHotEncoder). Complex data not supported"
        )
    # torch computes with no unsigned integers but bytes.
    if values.dtype in (np.uint16, np.uint32, np.uint64):
        values = values.astype(np.int64)
    if not _can_be_shared(values):
        values = values.astype(values.dtype.newbyteorder("="))
    return torch.from_numpy(values)


def _can_be_shared(values: np.ndarray) -> bool:
    """Tell whether torch can use the memory of an array: it warns of read-only ones and refuses reversed ones."""
    reversed_axes = any(stride < 0 for stride in values.strides)
    return values.flags.writeable and not reversed_axes and values.dtype.isnative


def _entry(key: str, values: Rows) -> Tensors:
    """Convert one entry of a dict; an error names its key."""
    try:
        return to_tensors(values)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{key!r}: {error}") from error


def _as_numbers(values: np.ndarray) -> np.ndarray:
    """Convert an object array to float64, or say which value is no number."""
    try:
        return np.where(pd.isna(values), np.nan, values).astype(np.float64)
    except (TypeError, ValueError) as error:
        # as numpy tells texts from what is neither text nor number, such as a dict
        raise type(error)(
            f"X has dtype object and holds something that is no number ({error}); "
            "turn text or categories into numbers first, or pass a dict of arrays"
        ) from error


def input_shape(X: Rows) -> Any:
    """Return the shape of one row: a tuple, or a dict of tuples; where X does not tell, that of its first row."""
    shape = row_shape(X)
    untold = shape is None or (isinstance(shape, dict) and None in shape.values())
    return row_shape(to_tensors(take(X, slice(0, 1)))) if untold else shape


class RowAdapter:
    """How X reaches a network: arranged, checked once before a fit, and batch by batch when it is scored.

    A network that reads rows of another kind hands in a subclass of this (`SkorchNet.row_adapter`), and is trained as
    all others.
    """

    allow_nan = False
    """Whether NaN stands for what is missing."""

    def arrange(self, X: Rows) -> Rows:
        """Return rows in the form that batches are taken from."""
        return X

    def matrix_of(self, X: Rows) -> Rows | None:
        """Return the matrix or DataFrame that arranged rows are, whose columns have numbers and names, or None."""
        shape = None if isinstance(X, Dataset) else input_shape(X)
        return X if isinstance(shape, tuple) and len(shape) == 1 else None

    def check(self, X: Rows) -> int:
        """Return the number of arranged rows, after checking all their values before a fit."""
        return check_rows(X, allow_nan=self.allow_nan)

    def check_batch(self, batch: Tensors, first_row: int) -> None:
        """Check a batch that is about to be scored; `first_row` is the position of its first row."""
        if not self.allow_nan:
            check_batch(batch, first_row)

    def is_sized(self, takes_integers: bool) -> bool:
        """Tell whether rows must have the shape of those fitted: integers are token ids, whose sequences vary."""
        return not takes_integers


def unwrap(X: Rows, y: Any = None) -> tuple[Rows, Any]:
    """Return the X and y that a skorch Dataset holds; anything else unchanged."""
    if type(X) is skorch.dataset.Dataset:
        return X.X, X.y if y is None else y
    return X, y


class RowDataset(skorch.dataset.Dataset):
    """Rows and labels, fetched a batch at a time: what the classifier iterates over.

    A subclass of skorch's, so that skorch's splits and scoring callbacks find ``X`` and ``y`` in it.

    Parameters
    ----------
    X : array, sparse matrix, DataFrame, tensor, list, dict or Dataset
        The rows.
    y : ndarray of shape (n,), optional
        Labels as the user knows them. With labels, rows in memory are turned into tensors once; without, batch by
        batch.
    codes : int64 tensor of shape (n,), optional
        The labels' positions in ``classes_``.

    Attributes
    ----------
    weights : tensor of shape (n,) or None
        Weights of the rows in the loss, which then come with the codes.
    """

    weights: torch.Tensor | None = None

    def __init__(self, X: Rows, y: np.ndarray | None = None, codes: torch.Tensor | None = None):
        self.X = X
        self.y = y
        self.codes = codes
        self.rows = in_memory(X, lazily=y is None)
        self._len = n_rows(X)

    def __len__(self) -> int:
        return self._len

    def batch(self, rows: torch.Tensor | slice) -> tuple[Tensors, Any]:
        """Return the tensors and the codes of some rows."""
        positions: Any = rows
        # A tensor indexes tensors fastest, but not every other kind of rows takes one.
        if isinstance(rows, torch.Tensor) and not isinstance(self.rows, torch.Tensor):
            positions = np.asarray(rows)
        batch = to_tensors(take(self.rows, positions))
        codes = None if self.codes is None else self.codes[rows]
        if codes is not None and self.weights is not None:
            return batch, WeightedCodes(codes, self.weights[rows])
        return batch, codes

    def __getitem__(self, i: int) -> tuple[Tensors, Any]:
        batch, codes = self.batch(slice(int(i), int(i) + 1))
        row: Tensors
        if isinstance(batch, dict):
            row = {key: values[0] for key, values in batch.items()}
        else:
            row = batch[0]
        # A DataLoader collates codes, and cannot collate None.
        if codes is None:
            return row, torch.tensor(0)
        if isinstance(codes, WeightedCodes):
            return row, WeightedCodes(codes.codes[0], codes.weights[0])
        return row, codes[0]


def in_memory(X: Rows, lazily: bool = False) -> Rows:
    """Return rows in a form that is fast to index: tensors, but for sparse rows, Datasets and rows on disk.

    With `lazily`, those in memory keep their kind too, and each batch is turned into tensors as it is read.
    """
    if sp.issparse(X):  # before mappings: one of its formats is a dict
        return X.tocsr()
    if isinstance(X, Mapping):
        return {key: in_memory(X.get(key), lazily) for key in X}
    if lazily or is_lazy(X):
        return X
    return to_tensors(X)


def fetch(dataset: Any, rows: torch.Tensor | slice) -> tuple[Tensors, torch.Tensor | None]:
    """Return a batch of a RowDataset or of a (nested) Subset of one."""
    if isinstance(dataset, Subset):
        indices = torch.as_tensor(np.asarray(dataset.indices))
        return fetch(dataset.dataset, indices[rows])
    return dataset.batch(rows)


def root(dataset: Any) -> Any:
    """Return the dataset that a (nested) Subset is a subset of."""
    return root(dataset.dataset) if isinstance(dataset, Subset) else dataset


def scoring_rows(dataset: Dataset, device: torch.device = HOST) -> int:
    """Return how many rows to score at once: 4,096 vectors or 256 pictures, or as many as take 32 MB as tensors.

    What a convolution makes of a picture is many times its size: larger batches of those leave the cache. On a GPU it
    is 16 times as many, as far as a sixteenth of the free memory holds them.
    """
    first_row, _ = fetch(dataset, slice(0, 1))
    parts = first_row.values() if isinstance(first_row, dict) else (first_row,)
    are_vectors = all(part.ndim <= 2 for part in parts)
    most_rows = SCORING_ROWS if are_vectors else SCORING_ROWS // 16
    most_bytes = SCORING_BYTES
    if device.type != "cpu":
        most_rows *= _LARGER_ON_DEVICE
        most_bytes = min(SCORING_BYTES * _LARGER_ON_DEVICE, free_bytes(device) // 16)
    bytes_per_row = sum(part.numel() * part.element_size() for part in parts)
    return max(1, min(most_rows, most_bytes // max(1, bytes_per_row)))


def free_bytes(device: torch.device) -> int:
    """Return how much memory of a device is free, what torch keeps for later tensors included."""
    if device.type != "cuda":
        return 2**62  # others do not tell in one way
    free, _ = torch.cuda.mem_get_info(device)
    return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)


def moved(values: torch.Tensor, device: Any, dtype: torch.dtype) -> torch.Tensor:
    """Return a tensor of a dtype on a device; large ones cross to a GPU without anybody waiting for them."""
    is_crossing = device is not None and torch.device(device).type == "cuda" and values.device.type == "cpu"
    if not is_crossing or values.nbytes < _WORTH_PINNING:
        return values.to(device, dtype)
    # cast on the side where that leaves less to copy
    if values.element_size() > dtype.itemsize:
        values = values.to(dtype)
    # torch keeps pinned memory until the copy is done, whoever lets go of it
    return values.pin_memory().to(device, non_blocking=True).to(dtype)


def n_batch_rows(batch: Any) -> int:
    """Return the number of rows of a batch, or one if it is of the user's own making, without tensors."""
    return next((len(leaf) for leaf in tree_leaves(batch) if isinstance(leaf, torch.Tensor) and leaf.ndim), 1)


def batch_part(batch: Any, part: slice) -> Any:
    """Return some rows of a batch, or the batch itself if they are all."""
    n = n_batch_rows(batch)
    if part == slice(0, n):
        return batch
    return tree_map(lambda leaf: leaf[part] if isinstance(leaf, torch.Tensor) and len(leaf) == n else leaf, batch)


class RowBatches:
    """An iterator in place of a DataLoader: takes whole batches by index, collates nothing, draws no random numbers.

    Parameters
    ----------
    dataset : RowDataset or Subset of one
        The rows.
    batches : iterable of slice or int64 tensor
        Rows of each batch.
    """

    def __init__(self, dataset: Dataset, batches: Iterable):
        self.dataset = dataset
        self.batches = batches

    def __len__(self) -> int:
        return len(self.batches)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[tuple[Tensors, torch.Tensor | None]]:
        return (fetch(self.dataset, rows) for rows in self.batches)


class CheckedBatches:
    """Batches of rows in order, each checked as it is read.

    Parameters
    ----------
    batches : RowBatches or DataLoader
        Pairs of rows and codes.
    check : callable
        Called with each batch's rows and the position of the first.
    """

    def __init__(self, batches: Any, check: Callable[[Tensors, int], None]):
        self.batches = batches
        self.check = check

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[tuple[Tensors, torch.Tensor | None]]:
        first_row = 0
        for X, codes in self.batches:
            self.check(X, first_row)
            first_row += n_rows(X)
            yield X, codes


def labels_of(dataset: Dataset) -> list:
    """Return the labels of a Dataset that yields (x, y)."""
    y = []
    for i in range(n_rows(dataset)):
        item = dataset[i]
        label = item[1] if isinstance(item, (tuple, list)) and len(item) > 1 else None
        if label is None:
            raise ValueError("y is None and X yields no labels; pass y, or a Dataset whose items are (x, y)")
        y.append(label.tolist() if isinstance(label, torch.Tensor) else label)
    return y
