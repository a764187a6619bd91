"""Files of JSON objects as other tools write them: one array of all, or one object per line."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from alkit.annotate.files import replacing
from alkit.annotate.items import decode, read_json_lines


class Objects(NamedTuple):
    """The objects of a file."""

    rows: list[dict[str, Any]]
    places: list[str]
    """Where each stands in the file, e.g. "line 3"."""


def read_objects(path: str | Path, encoding: str | None = None) -> Objects:
    """Read JSON objects: an array of them, or one per line.

    Parameters
    ----------
    path : str or Path
    encoding : str, optional
        By default guessed.

    Returns
    -------
    Objects

    Raises
    ------
    ValueError
        If the file cannot be read, is no JSON, or holds something else; names file and line.
    """
    try:
        raw = Path(path).read_bytes()
        text, _ = decode(raw, encoding)
        if text.lstrip()[:1] == "[":
            return _array(text)
        table = read_json_lines(raw, encoding=encoding)
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    return Objects(table.rows, table.places)


def _array(text: str) -> Objects:
    """Return the objects of an array, or refuse what is none."""
    try:
        found = json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise ValueError(f"line {error.lineno} is not JSON from character {error.colno} on ({error.msg})") from error
    except RecursionError as error:
        raise ValueError("it has brackets within brackets too deep to read") from error
    for number, one in enumerate(found, 1):
        if not isinstance(one, dict):
            raise ValueError(f"entry {number} is {str(one)[:40]!r}, not an object")
    return Objects(found, [f"entry {number}" for number in range(1, len(found) + 1)])


def _refuse_constant(name: str) -> None:
    raise ValueError(f"it holds {name}, which JSON does not have")


def dicts_in(value: Any) -> list[dict[str, Any]]:
    """Return the objects of a list, none of anything else: any part of a foreign file may be missing or differ.

    Parameters
    ----------
    value : object

    Returns
    -------
    list of dict
    """
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def records_of(
    objects: Objects, convert: Callable[[dict[str, Any]], Iterable[dict[str, Any]]], path: str | Path
) -> list[dict[str, Any]]:
    """Return the records of all objects of a file, each with its ``place``.

    Parameters
    ----------
    objects : Objects
    convert : callable
        Returns the records of one object.
    path : str or Path
        Of the file, for error messages.

    Returns
    -------
    list of dict

    Raises
    ------
    ValueError
        If an object cannot be converted; names its place.
    """
    records = []
    for one, place in zip(objects.rows, objects.places, strict=True):
        try:
            records += [{**record, "place": place} for record in convert(one)]
        except ValueError as error:
            raise ValueError(f"{path}, {place}: {error}") from error
    return records


def write_array(objects: Iterable[Mapping[str, Any]], path: str | Path) -> None:
    """Write objects as one JSON array, one object per line, as UTF-8.

    Parameters
    ----------
    objects : iterable of dict
    path : str or Path
        Replaced once all are written; unchanged after an error.

    Raises
    ------
    ValueError
        If a value is NaN or infinite, which JSON does not have.
    OSError
        If the file cannot be written.
    """
    separator = "[\n"
    with replacing(path) as file:
        for one in objects:
            line = separator + json.dumps(one, ensure_ascii=False, allow_nan=False)
            # Half of a surrogate pair has no UTF-8; this writes it as \udXXX, which is also its escape in JSON.
            file.write(line.encode(errors="backslashreplace"))
            separator = ",\n"
        file.write(b"\n]\n" if separator == ",\n" else b"[]\n")
