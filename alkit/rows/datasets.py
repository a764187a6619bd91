"""Datasets, whose rows are made when they are asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torch.utils.data import ConcatDataset, Dataset, Subset, default_collate

from alkit.rows.kind import BYTES_OF_UNKNOWN, RowKind, Rows, register


class FetchedItems(Dataset):
    """Items of another Dataset, each made once.

    Parameters
    ----------
    items : list
    """

    def __init__(self, items: list):
        self.items = items

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, i: int) -> Any:
        return self.items[i]


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
        # flat, however often rows are added: nested ones would be slower with each teach, and in the end not pickle
        parts = first.datasets if isinstance(first, ConcatDataset) else [first]
        return ConcatDataset([*parts, *blocks[1:]])

    def row_shape(self, X: Rows) -> Any:
        return None

    def row_bytes(self, X: Rows) -> int:
        return BYTES_OF_UNKNOWN

    def dense(self, X: Rows) -> Any:
        return default_collate(_inputs(X))

    def fetched(self, X: Rows) -> Rows:
        return FetchedItems([X[i] for i in range(len(X))])

    def non_finite_rows(self, X: Rows, allow_nan: bool) -> np.ndarray:
        return np.empty(0, dtype=np.intp)

    def is_searched(self, X: Rows) -> bool:
        return False


class _FetchedItems(_Dataset):
    """Items that tell how much memory they take, since they are there."""

    def row_bytes(self, X: Rows) -> int:
        values = _inputs(X)[0]
        parts = values.values() if isinstance(values, Mapping) else (values,)
        return sum(int(getattr(part, "nbytes", BYTES_OF_UNKNOWN)) for part in parts)


def _inputs(X: Dataset) -> list:
    """Return what a network reads of the items: an item is x, or x with its label behind."""
    items = (X[i] for i in range(len(X)))  # type: ignore[arg-type]
    return [item[0] if isinstance(item, (tuple, list)) else item for item in items]


register(Dataset, _Dataset())
register(FetchedItems, _FetchedItems())
