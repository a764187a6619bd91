"""Dicts and other mappings, of which each entry holds the same rows in another form: texts, pictures, numbers ..."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from skorch.helper import SliceDict
from torch.nn.functional import pad

from alkit.rows.functions import dense, fetched, n_rows, non_finite_rows, readable, row_bytes, row_shape, stack, take
from alkit.rows.kind import RowKind, Rows, check_same, joined, kind_of, register


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
        check_same("keys", [sorted(block) for block in blocks])
        stacked = {}
        for key in blocks[0]:
            stacked[key] = stack(padded([block[key] for block in blocks]))
        return stacked

    def columns(self, X: Rows) -> list:
        return sorted(X)  # a network reads them by name, in whichever order they are

    def row_shape(self, X: Rows) -> Any:
        return {key: row_shape(value) for key, value in X.items()}

    def row_bytes(self, X: Rows) -> int:
        return sum(row_bytes(value) for value in X.values())

    def dense(self, X: Rows) -> Any:
        return {key: dense(X.get(key)) for key in X}  # a SliceDict's [] takes keys and rows

    def readable(self, X: Rows) -> Rows:
        return {key: readable(X.get(key)) for key in X}

    def fetched(self, X: Rows) -> Rows:
        return {key: fetched(X.get(key)) for key in X}

    def non_finite_rows(self, X: Rows, allow_nan: bool) -> np.ndarray:
        return joined(non_finite_rows(value, allow_nan=allow_nan) for value in X.values())

    def is_searched(self, X: Rows) -> bool:
        return all(kind_of(value).is_searched(value) for value in X.values())


def holds_tokens(values: Rows) -> bool:
    """Tell whether rows, or an entry of a dict of them, hold integers, such as what a tokenizer returns."""
    return "int" in str(getattr(values, "dtype", ""))


def padded(entries: list[Rows]) -> list[Rows]:
    """Return sequences of tokens padded to one length, by zeros on the right, which is how tokenizers mask them."""
    if not all(holds_tokens(values) and len(row_shape(values)) == 1 for values in entries):
        return entries
    shapes = {row_shape(values) for values in entries}
    if len(shapes) == 1:
        return entries
    longest = max(length for (length,) in shapes)
    padded = []
    for values in map(dense, entries):
        missing = longest - values.shape[1]
        is_tensor = isinstance(values, torch.Tensor)
        padded.append(pad(values, (0, missing)) if is_tensor else np.pad(values, [(0, 0), (0, missing)]))
    return padded


class _SliceDict(_Mapping):
    """skorch's dict, which stays one."""

    def take(self, X: Rows, rows: Any) -> Rows:
        return SliceDict(**super().take(X, rows))

    def stack(self, blocks: Sequence[Rows]) -> Rows:
        return SliceDict(**super().stack(blocks))

    def readable(self, X: Rows) -> Rows:
        return SliceDict(**super().readable(X))

    def fetched(self, X: Rows) -> Rows:
        return SliceDict(**super().fetched(X))


register(Mapping, _Mapping())
register(SliceDict, _SliceDict())
