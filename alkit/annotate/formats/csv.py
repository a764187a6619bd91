"""CSV files with a header; every cell is a string, as CSV knows no other type."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from alkit.annotate.files import replacing

# also after white space, which spreadsheets strip, and in the wide forms of East Asian keyboards
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def read_csv(path: str | Path) -> list[dict[str, str]]:
    """Read a CSV file with a header; every cell is a string.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    list of dict

    Raises
    ------
    ValueError
        If two columns have one name, or a row has more or fewer cells than the header; names the line.
    """
    limit = csv.field_size_limit(sys.maxsize)  # texts may be longer than the 131,072 characters allowed otherwise
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            return _read_rows(csv.reader(file), path)
    finally:
        csv.field_size_limit(limit)


def _read_rows(reader: Any, path: str | Path) -> list[dict[str, str]]:
    """Return the rows below the header; empty lines are left out."""
    header: list[str] = next(reader, [])
    repeated = sorted({name for name in header if header.count(name) > 1})
    if repeated:
        raise ValueError(f"{path} has several columns named {repeated[0]!r}; rename them")
    rows = []
    for cells in reader:
        if not cells:
            continue
        if len(cells) != len(header):
            raise ValueError(
                f"{path}, line {reader.line_num}: {len(cells)} cells, but the header has {len(header)}; a cell with "
                "commas or line breaks needs double quotes"
            )
        rows.append(dict(zip(header, cells, strict=True)))
    return rows


def write_csv(records: Iterable[Mapping[str, Any]], path: str | Path, *, excel_safe: bool = False) -> None:
    """Write a CSV file: one column for every key that occurs, in order of appearance.

    Parameters
    ----------
    records : iterable of dict
        Strings are written as they are, None and absent keys as empty cells, anything else as JSON.
    path : str or Path
        Replaced once all records are written; unchanged after an error.
    excel_safe : bool, default=False
        Write an apostrophe before texts that a spreadsheet would run as a formula: those that begin with ``=``, ``+``,
        ``-``, ``@`` (or their wide forms), a tab or a line break. `read_csv` does not take it away again.

    Raises
    ------
    OSError
        If the file cannot be written.

    Examples
    --------
    >>> from tempfile import mkdtemp
    >>> from alkit.annotate.formats import read_csv, write_csv
    >>> path = mkdtemp() + "/labels.csv"
    >>> write_csv([{"text": "=1+1", "value": "spam"}], path, excel_safe=True)
    >>> read_csv(path)
    [{'text': "'=1+1", 'value': 'spam'}]
    """
    records = list(records)
    header = list(dict.fromkeys(key for record in records for key in record))
    cell = _cell_without_formula if excel_safe else _cell
    with replacing(path) as file, _as_text(file) as text:
        # The header is quoted: a U+FEFF at its beginning would otherwise be read as the file's byte order mark.
        csv.writer(text, quoting=csv.QUOTE_ALL).writerow([cell(key) for key in header])
        rows = csv.writer(text)
        for record in records:
            rows.writerow([cell(record.get(key)) for key in header])


@contextmanager
def _as_text(file: BinaryIO) -> Iterator[TextIO]:
    """Write text to a file of bytes, which stays open."""
    # Half of a surrogate pair has no UTF-8; it is written as its escape.
    text = TextIOWrapper(file, encoding="utf-8", errors="backslashreplace", newline="")
    try:
        yield text
    finally:
        text.detach()  # flushes, and does not close


def _cell(value: Any) -> str:
    """Return a value as it is written in a cell."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def _cell_without_formula(value: Any) -> str:
    """Return a value as it is written in a cell that no spreadsheet takes for a formula; numbers are none."""
    guarded = isinstance(value, str) and value.startswith(_FORMULA_STARTS)
    return f"'{value}" if guarded else _cell(value)
