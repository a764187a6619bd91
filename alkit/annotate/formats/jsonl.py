"""JSON Lines: one JSON object per line, in UTF-8."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from alkit.annotate.files import replacing


def read_jsonl(path: str | Path) -> list[dict[str, Any]]:
    """Read a file of JSON objects, one per line; empty lines are left out.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    list of dict

    Raises
    ------
    ValueError
        If a line is not a JSON object; names the line.
    """
    records = []
    with open(path, encoding="utf-8-sig", newline="\n") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                record = json.loads(line, parse_constant=_refuse_constant)
            except ValueError as error:
                raise ValueError(f"{path}, line {number} is not JSON: {error}") from error
            if not isinstance(record, dict):
                raise ValueError(f"{path}, line {number} is a JSON {type(record).__name__}, not an object")
            records.append(record)
    return records


def _refuse_constant(name: str) -> None:
    """Refuse NaN and Infinity, which Python's parser takes although JSON does not have them."""
    raise ValueError(f"{name} is not a JSON number")


def write_jsonl(records: Iterable[Mapping[str, Any]], path: str | Path) -> None:
    """Write JSON objects, one per line, as UTF-8.

    Parameters
    ----------
    records : iterable of dict
    path : str or Path
        Replaced once all records are written; unchanged after an error.

    Raises
    ------
    ValueError
        If a value is NaN or infinite, which JSON does not have.
    OSError
        If the file cannot be written.
    """
    with replacing(path) as file:
        for record in records:
            line = json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n"
            # Half of a surrogate pair has no UTF-8; this writes it as \udXXX, which is also its escape in JSON.
            file.write(line.encode(errors="backslashreplace"))
