"""Datasets, whose rows are made when they are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from torch.utils.data import ConcatDataset, Dataset, Subset, default_collate

from alkit.rows.kind import RowKind, Rows, register


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

    def dense(self, X: Rows) -> Any:
        items = (X[i] for i in range(len(X)))
        # an item is x, or x with its label behind
        inputs = [item[0] if isinstance(item, (tuple, list)) else item for item in items]
        return default_collate(inputs)

    def non_finite_rows(self, X: Rows, allow_nan: bool) -> np.ndarray:
        return np.empty(0, dtype=np.intp)

    def is_searched(self, X: Rows) -> bool:
        return False


register(Dataset, _Dataset())
