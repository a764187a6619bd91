"""JSON Lines: one object per line."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

from alkit.annotate.items._cells import flaw
from alkit.annotate.items._encoding import decode, said
from alkit.annotate.items._table import Table


def read_json_lines(raw: bytes, *, encoding: str | None) -> Table:
    """Read a table of JSON objects, one per line; empty lines are left out.

    Parameters
    ----------
    raw : bytes
    encoding : str, optional
        By default guessed, see `decode`.

    Returns
    -------
    Table

    Raises
    ------
    ValueError
        If a line is no object, names a key twice, or holds what JSON does not have; names the line.

    Examples
    --------
    >>> from alkit.annotate.items._json_lines import read_json_lines
    >>> read_json_lines(b'{"body": "NA"}', encoding=None).rows
    [{'body': 'NA'}]
    """
    text, encoding = decode(raw, encoding)
    rows: list[dict[str, Any]] = []
    places: list[str] = []
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                rows.append(_object(line))
            except ValueError as error:
                raise ValueError(f"line {number} {error}; write one JSON object per line") from error
            places.append(f"line {number}")
    names = list(dict.fromkeys(name for row in rows for name in row))
    return Table(names, rows, places, said(encoding))


def _object(line: str) -> dict[str, Any]:
    """Return the object that a line holds; errors go on from "line 3 "."""
    try:
        row = json.loads(
            line, object_pairs_hook=_unique, parse_constant=_refuse_constant, parse_float=_finite, parse_int=_whole
        )
    except json.JSONDecodeError as error:
        raise ValueError(f"is not JSON from character {error.pos + 1} on ({error.msg})") from error
    except RecursionError as error:
        raise ValueError("has brackets within brackets too deep to read") from error
    if not isinstance(row, dict):
        raise ValueError(f"holds {line[:40]!r}, not an object")
    if "\\u" in line:  # only by its escape can half of a character, or NUL, get into JSON
        wrong = next(filter(None, map(flaw, _texts(row))), None)
        if wrong:
            raise ValueError(wrong)
    return row


def _texts(value: Any) -> Iterator[str]:
    """Yield all texts within a JSON value, keys included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return pairs as a dict, or refuse a key that occurs twice, of which one value would be lost."""
    row = dict(pairs)
    if len(row) < len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"holds the key {repeated!r} {names.count(repeated)} times")
    return row


def _refuse_constant(name: str) -> None:
    """Refuse NaN and Infinity, which Python's parser takes although JSON does not have them."""
    raise ValueError(f"holds {name}, which JSON does not have")


def _finite(written: str) -> float:
    """Return a number, or refuse it where it would become infinite."""
    number = float(written)
    if math.isinf(number):
        raise ValueError(f"holds {written[:40]}, which is too large for a number")
    return number


def _whole(written: str) -> int:
    """Return a number, or refuse it where Python would not write it again."""
    try:
        return int(written)
    except ValueError as error:
        raise ValueError(f"holds a number of {len(written)} digits, which is too large") from error
