"""Rows as they are, one by one, for a ``collate_fn``: what it makes batches of is nobody else's business."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset, default_collate

from alkit.nets.training.sample_weight import WeightedCodes
from alkit.nets.training.tensors import RowDataset
from alkit.rows import Rows, n_rows, take


class ItemDataset(RowDataset):
    """Rows and labels, whose items are pairs (x, code): x as X holds it, such as a text or a tensor of any length.

    Parameters
    ----------
    X : rows of any kind
        The rows. Of a Dataset's items ``x`` or ``(x, ...)``, x.
    y : ndarray of shape (n,), optional
        Labels as the user knows them.
    codes : int64 tensor of shape (n,), optional
        The labels' positions in ``classes_``; zeros stand in for them where they are not known.

    Examples
    --------
    >>> from alkit.nets.training.items import ItemDataset
    >>> ItemDataset(["one text", "another"])[1]
    ('another', tensor(0))
    """

    def __init__(self, X: Rows, y: np.ndarray | None = None, codes: torch.Tensor | None = None):
        self.X = X
        self.y = y
        self.codes = codes
        self._len = n_rows(X)

    def __getitem__(self, i: int) -> tuple[Any, Any]:
        code = torch.tensor(0) if self.codes is None else self.codes[i]
        if self.weights is None:
            return self._item(int(i)), code
        return self._item(int(i)), WeightedCodes(code, self.weights[i])

    def _item(self, i: int) -> Any:
        if isinstance(self.X, Dataset):
            item = self.X[i]
            return item[0] if isinstance(item, tuple) else item
        if isinstance(self.X, (list, tuple)):
            return self.X[i]
        return first_row(take(self.X, slice(i, i + 1)))


def first_row(rows: Any) -> Any:
    """Return the first of rows: of a mapping, a dict of the first of each entry; of a DataFrame, a Series."""
    if hasattr(rows, "iloc"):
        return rows.iloc[0]
    if isinstance(rows, dict):
        return {key: first_row(values) for key, values in rows.items()}
    return rows[0]


class WeightedCollate:
    """A ``collate_fn`` for items with weights: the user's own sees pairs (x, code), as without.

    Parameters
    ----------
    collate_fn : callable
        Makes a batch (X, y) of a list of pairs (x, code).

    Examples
    --------
    >>> import torch
    >>> from torch.utils.data import default_collate
    >>> from alkit.nets.training.items import WeightedCollate
    >>> from alkit.nets.training.sample_weight import WeightedCodes
    >>> item = torch.zeros(1), WeightedCodes(torch.tensor(1), torch.tensor(2.0))
    >>> WeightedCollate(default_collate)([item])
    [tensor([[0.]]), WeightedCodes(codes=tensor([1]), weights=tensor([2.]))]
    """

    def __init__(self, collate_fn: Any):
        self.collate_fn = collate_fn

    def __call__(self, items: list) -> list:
        """Return a batch [X, (codes, weights)] of items."""
        X, codes = self.collate_fn([(x, y.codes) for x, y in items])
        return [X, WeightedCodes(codes, default_collate([y.weights for _, y in items]))]
