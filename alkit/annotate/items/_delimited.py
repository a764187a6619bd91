"""CSV and its kin: cells between separators, one record per row."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from alkit.annotate.items._encoding import decode, said
from alkit.annotate.items._table import Table, check_names

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs"}
"""What is looked for where no separator is named, and what each is called."""

_EXCEL_LINE = re.compile(r'"?sep=(.)"?\r?\n')  # by which a first line tells Excel the separator


class _Record(NamedTuple):
    place: str
    cells: list[str]


def read_delimited(raw: bytes, *, usual: str, encoding: str | None, separator: str | None) -> Table:
    r"""Read a table of cells between separators; every cell stays the text it is.

    Parameters
    ----------
    raw : bytes
    usual : str
        The separator of such files, taken where the header has none or leaves it open.
    encoding : str, optional
        By default guessed, see `decode`.
    separator : str, optional
        One character; by default guessed: the one of comma, semicolon and tab that the header has. If it has several,
        the one by which all rows have as many cells as the header.

    Returns
    -------
    Table
        Rows are numbered as in a spreadsheet: the header is row 1.

    Raises
    ------
    ValueError
        If the file is empty, quotes do not match, a row has more or fewer cells than the header, or two columns have
        one name; names the row.

    Examples
    --------
    >>> from alkit.annotate.items._delimited import read_delimited
    >>> table = read_delimited(b"zip;town\n01067;Dresden\n", usual=",", encoding=None, separator=None)
    >>> table.rows, table.places, table.how
    ([{'zip': '01067', 'town': 'Dresden'}], ['row 2'], 'UTF-8, separated by semicolons')
    """
    text, encoding = decode(raw, encoding)
    if separator is not None and (len(separator) != 1 or separator in '"\r\n'):
        raise ValueError(f"separator={separator!r}; it must be one character, such as ',', ';' or a tab")
    told = _EXCEL_LINE.match(text)
    with _long_cells(text):
        separator = separator or (told[1] if told else None) or _guess(text, usual)
        records = _records(text, separator)
    if not records:
        raise ValueError("it is empty; its first line must name the columns")
    header = records.pop(0).cells
    check_names(header)
    _refuse_ragged(header, records, separator)
    return Table(
        names=header,
        rows=[dict(zip(header, record.cells, strict=True)) for record in records],
        places=[record.place for record in records],
        how=f"{said(encoding)}, separated by {_called(separator)}",
    )


@contextmanager
def _long_cells(text: str) -> Iterator[None]:
    """Let cells be as long as the whole file, not only 131,072 characters as by default."""
    limit = csv.field_size_limit()
    csv.field_size_limit(max(limit, len(text)))
    try:
        yield
    finally:
        csv.field_size_limit(limit)


def _called(separator: str) -> str:
    return SEPARATORS.get(separator, repr(separator))


def _guess(text: str, usual: str) -> str:
    """Return the separator that the header has; if it has several, the one that fits all rows."""
    widths = {separator: _header_width(text, separator) for separator in SEPARATORS}
    found = [separator for separator in widths if widths[separator] > 1]
    if len(found) <= 1:
        return found[0] if found else usual
    fitting = [separator for separator in found if _fits(text, separator)]
    if len(fitting) == 1:
        return fitting[0]
    return usual if usual in (fitting or found) else max(fitting or found, key=widths.__getitem__)


def _header_width(text: str, separator: str) -> int:
    try:
        return len(next(_parse(text, separator)).cells)
    except (csv.Error, StopIteration):
        return 0


def _fits(text: str, separator: str) -> bool:
    try:
        return len({len(record.cells) for record in _parse(text, separator)}) == 1
    except csv.Error:
        return False


def _records(text: str, separator: str) -> list[_Record]:
    """Return all records, or refuse quotes that do not match."""
    records = []
    try:
        for record in _parse(text, separator):
            records.append(record)
    except csv.Error as error:
        after = f"after {records[-1].place}" if records else "in the header"
        raise ValueError(
            f"quotes do not match {after} ({error}): a cell that begins with a double quote must end with one, and "
            "those inside it are doubled"
        ) from error
    return records


def _parse(text: str, separator: str) -> Iterator[_Record]:
    """Yield the records of a file, without blank lines and the line that is for Excel alone."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    line = 1  # in which a record begins; it may go over several
    for row, cells in enumerate(reader, 1):
        if cells and not (row == 1 and _EXCEL_LINE.match(text)):
            yield _Record(f"row {row}" if row == line else f"row {row} (line {line})", cells)
        line = reader.line_num + 1


def _refuse_ragged(header: list[str], records: list[_Record], separator: str) -> None:
    ragged = [record for record in records if len(record.cells) != len(header)]
    if ragged:
        place, cells = ragged[0]
        raise ValueError(
            f"{len(ragged)} of {len(records)} rows have more or fewer cells than the header; the first is {place}: "
            f"{len(cells)} cells, but the header has {len(header)} ({', '.join(header)[:80]}). Cells are separated by "
            f"{_called(separator)}: put a cell that holds one in double quotes, or name another (--separator)"
        )
