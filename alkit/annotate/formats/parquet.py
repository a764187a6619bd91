"""Parquet: a table whose columns have types; needs pyarrow."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from alkit._optional import needs_extra
from alkit.annotate.files import replacing
from alkit.annotate.formats.table import as_table

_WHOLE = 2**63  # beyond that, a whole number has no place in a column of numbers


def read_parquet(path: str | Path) -> list[dict[str, Any]]:
    """Read a Parquet file.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    list of dict

    Raises
    ------
    ValueError
        If it is no Parquet file.
    ImportError
        If pyarrow is missing.
    """
    with needs_extra("parquet", "reading Parquet"):
        from pyarrow import ArrowException
        from pyarrow.parquet import read_table
    try:
        return read_table(path).to_pylist()
    except (OSError, ArrowException) as error:
        raise ValueError(f"{path} cannot be read: {' '.join(str(error).split())[:200]}") from error


def export_parquet(answers: Iterable[Mapping[str, Any]], path: str | Path, classes: Sequence[str]) -> None:
    """Write answers of a labelling database as a table.

    Parameters
    ----------
    answers : iterable of dict
        As `read_answers` or `aggregate` return them.
    path : str or Path
        Replaced once all are written; unchanged after an error.
    classes : sequence of str
        Not needed.

    Raises
    ------
    ImportError
        If pyarrow is missing.
    """
    with needs_extra("parquet", "writing Parquet"):
        import pyarrow as pa
        from pyarrow.parquet import write_table
    rows = as_table(answers)
    names = dict.fromkeys(name for row in rows for name in row)
    columns = {name: [row.get(name) for row in rows] for name in names}
    if "time" in columns:
        columns["time"] = [time and datetime.fromisoformat(time) for time in columns["time"]]
    table = pa.table({_utf_8(name): _of_one_type(cells) for name, cells in columns.items()})
    with replacing(path) as file:
        write_table(table, file)


def _of_one_type(cells: Sequence[Any]) -> list[Any]:
    """Return cells as they are if they have one type, else as JSON: a column of Parquet has one."""
    kinds = {type(cell) for cell in cells if cell is not None}
    if kinds == {str}:
        return [None if cell is None else _utf_8(cell) for cell in cells]
    if kinds == {int} and all(cell is None or -_WHOLE <= cell < _WHOLE for cell in cells):
        return list(cells)
    if kinds <= {bool} or kinds == {float} or kinds == {datetime}:
        return list(cells)
    return [None if cell is None else _utf_8(json.dumps(cell, ensure_ascii=False)) for cell in cells]


def _utf_8(text: str) -> str:
    """Return a text that has a UTF-8: of half of a surrogate pair, its escape."""
    return text.encode(errors="backslashreplace").decode()
