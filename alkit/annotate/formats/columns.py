"""Tables of labels, whatever their columns are called, as records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from alkit.annotate.formats.parquet import read_parquet
from alkit.annotate.formats.times import to_seconds
from alkit.annotate.items import read_table

Record = dict[str, Any]

NAMED = ("item", "text", "image", "label", "annotator")
"""Keys of a record whose columns can be named; the others are called as in alkit's exports."""

_NUMBERS = ("seconds", "confidence")
_OTHERS = ("kind", "time", "uuid", "prediction", "proba", *_NUMBERS)
_KINDS = ("label", "skip", "flag")


def read_columns(
    path: Path, columns: Mapping[str, str | None], *, encoding: str | None = None, separator: str | None = None
) -> list[Record]:
    """Read a table of labels: one per row.

    Parameters
    ----------
    path : Path
        Ends in ``.csv``, ``.tsv``, ``.xlsx``, ``.jsonl``, ``.ndjson`` or ``.parquet``.
    columns : mapping of str to str or None
        What the columns are called, by the keys of `NAMED`; None for the name in alkit's exports.
    encoding, separator : str, optional
        By default guessed.

    Returns
    -------
    list of dict
        Keys of `NAMED` and ``kind``, ``value``, ``time``, ``seconds``, ``uuid``, ``confidence``, ``proba``,
        ``place``.

    Raises
    ------
    ValueError
        If the file cannot be read, lacks a column, or holds what is no time or number; names the row.
    """
    names, rows, places = _read(path, encoding, separator)
    _check_columns(names, columns, path)
    columns = (
        {name: columns.get(name) or name for name in NAMED}
        | {name: name for name in _OTHERS}
        | {"label": columns.get("label") or _label_column(names)}
    )
    return [_as_record(row, columns, f"{path}, {place}", place) for row, place in zip(rows, places, strict=True)]


def column_names(path: Path) -> list[str]:
    """Return the names of the columns of a table.

    Parameters
    ----------
    path : Path
        As for `read_columns`.

    Returns
    -------
    list of str

    Raises
    ------
    ValueError
        If the file cannot be read.
    """
    return _read(path, None, None)[0]


def _read(path: Path, encoding: str | None, separator: str | None) -> tuple[list[str], list[Record], list[str]]:
    """Return the names of the columns, the rows, and where these stand."""
    if path.suffix.lower() == ".parquet":
        if encoding or separator:
            raise ValueError("encoding and separator are for text files; leave them out")
        rows = read_parquet(path)
        return list(rows[0]) if rows else [], rows, [f"row {number}" for number in range(1, len(rows) + 1)]
    table = read_table(path, encoding, separator)
    return table.names, table.rows, table.places


def _check_columns(names: Sequence[str], columns: Mapping[str, str | None], path: Path) -> None:
    """Refuse a table that lacks a column which was named, or has neither labels nor predictions."""
    missing = [name for name in columns.values() if name is not None and name not in names]
    found = ", ".join(names)[:200]
    if missing:
        raise ValueError(f"{path} has no column {missing[0]!r}; it has {found}: name one of these")
    if columns.get("label") is None and {"label", "value", "prediction"}.isdisjoint(names):
        raise ValueError(
            f"{path} has no column of labels: none is called 'label', 'value' or 'prediction' (it has {found}); name "
            "it with --label, or pass the format (--format) if another tool wrote the file"
        )


def _label_column(names: Sequence[str]) -> str:
    """Return the column of labels: in alkit's exports ``value`` beside ``kind``, unless they are aggregated."""
    return "value" if "value" in names and ("kind" in names or "label" not in names) else "label"


def _as_record(row: Mapping[str, Any], columns: Mapping[str, str], where: str, place: str) -> Record:
    """Return the record of a row; empty cells are left out."""
    record = {name: row.get(column) for name, column in columns.items()}
    record = {name: cell for name, cell in record.items() if cell is not None and cell != ""}
    try:
        record["time"] = to_seconds(record.get("time"))
        for name in _NUMBERS:
            record[name] = _number(record.get(name), name)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error
    value, kind = record.pop("label", None), record.pop("kind", None)
    if kind not in _KINDS:  # a column of that name may be about something else
        kind = None if value is None else "label"
    if kind is None and "prediction" in record:
        kind, value = "prediction", record["prediction"]
    return {**record, "kind": kind, "value": value, "place": place}


def _number(cell: Any, name: str) -> float | None:
    try:
        return None if cell is None else float(cell)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} is {cell!r}, not a number") from error
