"""Matrices and arrays of scipy.sparse."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp

from alkit._finite import marked_rows
from alkit.rows.kind import RowKind, Rows, register


class _Sparse(RowKind):
    def take(self, X: Rows, rows: Any) -> Rows:
        # the other formats cannot be indexed
        indexable = X if X.format in ("csr", "csc", "lil") else X.tocsr()
        return indexable[rows]

    def stack(self, blocks: Sequence[Rows]) -> Rows:
        return sp.vstack(blocks, format="csr")

    def row_bytes(self, X: Rows) -> int:
        # 8 bytes for a value and 4 for its column
        return 12 * X.nnz // max(1, X.shape[0])

    def dense(self, X: Rows) -> Any:
        return X.toarray()

    def non_finite_rows(self, X: Rows, allow_nan: bool) -> np.ndarray:
        entries = X.tocoo()
        return entries.row[marked_rows(entries.data, allow_nan)]


# The last two are dicts as well: without a line of their own they would be taken as mappings.
for _sparse_type in (sp.spmatrix, sp.sparray, sp.dok_matrix, sp.dok_array):
    register(_sparse_type, _Sparse())
