"""Excel workbooks: the cells of the first sheet, as texts."""

from __future__ import annotations

import io
import re
import warnings
import zipfile
from collections.abc import Iterator
from datetime import date, datetime, time
from typing import Any

from alkit.annotate.items._cells import flaw
from alkit.annotate.items._table import Table, check_names

_MAX_BYTES = 2**30  # of an unpacked workbook: Excel's own limits are reached later only by sheets nobody labels


def read_excel(raw: bytes) -> Table:
    """Read the first sheet of a workbook; numbers become the text that their full value has.

    Parameters
    ----------
    raw : bytes

    Returns
    -------
    Table
        Rows are numbered as Excel does; rows without any cell are left out.

    Raises
    ------
    ValueError
        If it is no workbook, two columns have one name, a row has cells beyond the header, or a formula has no value;
        names the cell.
    ModuleNotFoundError
        If openpyxl is missing.
    """
    _check_archive(raw)
    names: list[str] | None = None
    rows: list[dict[str, Any]] = []
    places: list[str] = []
    has_gaps = False
    sheets, cells_by_row = _sheet(raw, formulas=False)
    for number, row in cells_by_row:
        cells = [_text(cell, number, column) for column, cell in enumerate(row, 1)]
        while cells and not cells[-1]:
            cells.pop()
        has_gaps |= not cells
        if not cells:
            continue
        if names is None:
            names = cells
            check_names(names)
            has_gaps |= "" in names
            continue
        if len(cells) > len(names):
            raise ValueError(f"row {number} has {len(cells)} cells, but the header names {len(names)} columns")
        has_gaps |= len(cells) < len(names) or "" in cells
        cells += [""] * (len(names) - len(cells))
        rows.append(dict(zip(names, cells, strict=True)))
        places.append(f"row {number}")
    if names is None:
        raise ValueError(f"its first sheet, {sheets[0]!r}, is empty; its first row must name the columns")
    if has_gaps:
        _refuse_formulas_without_value(raw)
    return Table(names, rows, places, f"sheet {sheets[0]!r}, the first of {len(sheets)}")


def _check_archive(raw: bytes) -> None:
    """Refuse what is no workbook, and what unpacks to more than memory may hold."""
    try:
        size = sum(member.file_size for member in zipfile.ZipFile(io.BytesIO(raw)).infolist())
    except Exception as error:  # a damaged archive raises whatever its bytes lead to
        raise ValueError("it is no Excel workbook, or a damaged one; open it in Excel and save it as .xlsx") from error
    if size > _MAX_BYTES:
        raise ValueError(f"it unpacks to {size:,} bytes, more than {_MAX_BYTES:,}; save the sheet as CSV")


def _sheet(raw: bytes, *, formulas: bool) -> tuple[list[str], Iterator[tuple[int, Any]]]:
    """Return the names of all sheets, and the cells of the first, row by row."""
    try:
        from openpyxl import load_workbook
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "reading Excel workbooks needs openpyxl: pip install 'alkit[excel]', or save the sheet as CSV"
        ) from error
    try:
        with warnings.catch_warnings():  # of styles and rules for entering data, which do not matter here
            warnings.simplefilter("ignore")
            book = load_workbook(io.BytesIO(raw), read_only=True, data_only=not formulas)
            sheet = book.worksheets[0]
            sheet.reset_dimensions()  # what a file says of its size may be wrong, and rows would be cut
            rows = list(enumerate(sheet.iter_rows(), 1))
    except Exception as error:  # a damaged workbook raises whatever its bytes lead to
        raise ValueError("it is a damaged Excel workbook; open it in Excel, repair it and save it again") from error
    return [str(name) for name in book.sheetnames], iter(rows)


def _text(cell: Any, row: int, column: int) -> str:
    """Return what a cell holds as text."""
    text = _written(cell.value, cell.number_format)
    wrong = flaw(text)
    if wrong:
        raise ValueError(f"row {row}, column {column} {wrong}")
    return text


def _written(value: Any, number_format: str) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, int) and re.fullmatch("0+", number_format):  # a code such as 01067 may be stored like this
        return str(value).zfill(len(number_format))
    if isinstance(value, float):
        return f"{value:.15g}"  # Excel shows no more digits
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(" ")
    if isinstance(value, date | time):
        return value.isoformat()
    return str(value)


def _refuse_formulas_without_value(raw: bytes) -> None:
    """Refuse formulas that no program has worked out yet: their cells would be read as empty."""
    _, values = _sheet(raw, formulas=False)
    _, formulas = _sheet(raw, formulas=True)
    for (number, row), (_, written) in zip(values, formulas, strict=True):
        for column, (value, formula) in enumerate(zip(row, written, strict=True), 1):
            if value.value is None and formula.value is not None:
                raise ValueError(
                    f"row {number}, column {column} holds the formula {str(formula.value)[:40]!r} without a value; "
                    "open the file in Excel and save it"
                )
