"""Datasets of Hugging Face: tables on disk, of which each column is one entry of a dict once it is read."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from alkit.rows.functions import dense, non_finite_rows
from alkit.rows.kind import BYTES_OF_UNKNOWN, RowKind, Rows, check_same


class _HuggingFace(RowKind):
    """Rows are read, and by some Datasets made, on demand; what is read has the form that ``set_format`` says."""

    lazy = True

    def n_rows(self, X: Rows) -> int:
        return len(X)

    def take(self, X: Rows, rows: Any) -> Rows:
        if isinstance(rows, (int, np.integer)):
            return X[int(rows)]
        return X.select(np.arange(len(X))[rows].tolist())

    def stack(self, blocks: Sequence[Rows]) -> Rows:
        check_same("columns", [sorted(block.column_names) for block in blocks])
        # whoever has such a Dataset has the package
        package = importlib.import_module(type(blocks[0]).__module__.partition(".")[0])
        return package.concatenate_datasets(list(blocks))

    def columns(self, X: Rows) -> list | None:
        # what a function given to `set_transform` will make has columns that nobody knows before
        return None if X.format["type"] == "custom" else sorted(X.format["columns"])

    def column(self, X: Rows, name: Any) -> list:
        return list(X[name])

    def row_shape(self, X: Rows) -> Any:
        return None  # cells may be texts, pictures, lists of any length: nobody knows before they are read

    def row_bytes(self, X: Rows) -> int:
        return BYTES_OF_UNKNOWN

    def dense(self, X: Rows) -> Any:
        return dense(self.fetched(X))

    def fetched(self, X: Rows) -> Rows:
        return X[:]

    def non_finite_rows(self, X: Rows, allow_nan: bool) -> np.ndarray:
        return non_finite_rows(self.fetched(X), allow_nan=allow_nan)


HUGGING_FACE = _HuggingFace()


def is_hugging_face(X: Rows) -> bool:
    """Tell whether X has what rows of such a Dataset are read by; one that only streams has no length."""
    return all(hasattr(X, name) for name in ("column_names", "select", "set_format", "__len__", "__getitem__"))
