"""Tables: DataFrames of pandas, and Series, which are one column of a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from alkit._finite import marked_rows
from alkit.rows.kind import BYTES_OF_UNKNOWN, RowKind, Rows, check_same, joined, register


class _Series(RowKind):
    def take(self, X: Rows, rows: Any) -> Rows:
        return X.iloc[rows]

    def stack(self, blocks: Sequence[Rows]) -> Rows:
        kind = type(blocks[0])
        tables = [block if isinstance(block, (pd.DataFrame, pd.Series)) else kind(block) for block in blocks]
        return pd.concat(tables)

    def row_bytes(self, X: Rows) -> int:
        return BYTES_OF_UNKNOWN  # its cells may be texts, or arrays


class _DataFrame(_Series):
    def stack(self, blocks: Sequence[Rows]) -> Rows:
        blocks = [block if isinstance(block, pd.DataFrame) else pd.DataFrame(block) for block in blocks]
        check_same("columns", [list(block.columns) for block in blocks])
        return pd.concat(blocks)

    def row_bytes(self, X: Rows) -> int:
        return 8 * X.shape[1]

    def dense(self, X: Rows) -> Any:
        values = X.to_numpy()
        # numbers and bools side by side make objects, although they are all numeric
        if values.dtype == object and all(map(pd.api.types.is_numeric_dtype, X.dtypes)):
            return X.to_numpy(dtype=np.float64, na_value=np.nan)
        return values

    def non_finite_rows(self, X: Rows, allow_nan: bool) -> np.ndarray:
        # column by column, since a column of numbers is searched much faster than a table of objects
        columns = (X.iloc[:, j].to_numpy() for j in range(X.shape[1]))
        return joined(marked_rows(column, allow_nan) for column in columns)


register(pd.Series, _Series())
register(pd.DataFrame, _DataFrame())
