"""Tables: DataFrames of pandas, and Series, which are one column of a table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import union_categoricals

from alkit._finite import marked_rows
from alkit.rows.kind import BYTES_OF_UNKNOWN, RowKind, Rows, check_same, joined, register


class _Series(RowKind):
    """A column, of numbers, texts or anything else."""

    def take(self, X: Rows, rows: Any) -> Rows:
        return X.iloc[rows]

    def stack(self, blocks: Sequence[Rows]) -> Rows:
        kind = type(blocks[0])
        tables = [block if isinstance(block, (pd.DataFrame, pd.Series)) else kind(block) for block in blocks]
        return pd.concat(tables)

    def row_bytes(self, X: Rows) -> int:
        return BYTES_OF_UNKNOWN  # its cells may be texts, or arrays

    def is_of_numbers(self, X: Rows) -> bool:
        return pd.api.types.is_numeric_dtype(X.dtype)

    def dense(self, X: Rows) -> Any:
        return _as_array(X, [X.dtype])

    def non_finite_rows(self, X: Rows, allow_nan: bool) -> np.ndarray:
        return marked_rows(X.to_numpy(), allow_nan)


class _DataFrame(_Series):
    def stack(self, blocks: Sequence[Rows]) -> Rows:
        blocks = [block if isinstance(block, pd.DataFrame) else pd.DataFrame(block) for block in blocks]
        check_same("columns", [list(block.columns) for block in blocks])
        return pd.concat(_of_one_set_of_categories(blocks))

    def columns(self, X: Rows) -> list:
        return X.columns.tolist()

    def row_bytes(self, X: Rows) -> int:
        return 8 * X.shape[1]

    def is_of_numbers(self, X: Rows) -> bool:
        return False

    def dense(self, X: Rows) -> Any:
        return _as_array(X, X.dtypes)

    def non_finite_rows(self, X: Rows, allow_nan: bool) -> np.ndarray:
        # column by column, since a column of numbers is searched much faster than a table of objects
        columns = (X.iloc[:, j].to_numpy() for j in range(X.shape[1]))
        return joined(marked_rows(column, allow_nan) for column in columns)


def _as_array(table: pd.DataFrame | pd.Series, dtypes: Iterable[Any]) -> np.ndarray:
    """Return the cells as an array of numbers, if all columns hold numbers, else of what numpy makes of them."""
    values = table.to_numpy()
    # numbers and bools side by side, or missing ones among them, make objects, although they are all numeric
    if values.dtype == object and all(map(pd.api.types.is_numeric_dtype, dtypes)):
        return table.to_numpy(dtype=np.float64, na_value=np.nan)
    return values


def _of_one_set_of_categories(blocks: list[pd.DataFrame]) -> list[pd.DataFrame]:
    """Give columns of categories those of all blocks: pandas would make objects of them where they differ."""
    united = {}
    for j, (name, dtype) in enumerate(blocks[0].dtypes.items()):
        columns = [block.iloc[:, j] for block in blocks]
        differ = any(column.dtype != dtype for column in columns)
        if differ and all(isinstance(column.dtype, pd.CategoricalDtype) for column in columns):
            united[name] = union_categoricals(columns).dtype
    return [block.astype(united) for block in blocks] if united else blocks


register(pd.Series, _Series())
register(pd.DataFrame, _DataFrame())
