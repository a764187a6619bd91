"""Files of labels and items: one module per format, and the registry that ``alkit export --format`` reads.

A reader returns a list of dicts, a writer takes an iterable of them; what was read and written again is the same. To
add a format, write a module with its reader and writer beside these, and add a line to `FORMATS`. What is not in
``__all__`` is private.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from alkit.annotate.formats.csv import read_csv, write_csv
from alkit.annotate.formats.jsonl import read_jsonl, write_jsonl
from alkit.annotate.formats.prodigy import export_prodigy, from_prodigy, read_prodigy, to_prodigy, write_prodigy

__all__ = [
    "FORMATS",
    "Format",
    "from_prodigy",
    "read_csv",
    "read_jsonl",
    "read_prodigy",
    "to_prodigy",
    "write_csv",
    "write_jsonl",
    "write_prodigy",
]

Records = Iterable[Mapping[str, Any]]


class Format(NamedTuple):
    """A file format that labels are exported to."""

    read: Callable[[str | Path], list[dict[str, Any]]]
    """``read(path)`` returns the records of a file."""
    export: Callable[[Records, str | Path, Sequence[str]], None]
    """``export(answers, path, classes)`` writes answers, as `read_answers` or `aggregate` return them."""
    suffix: str
    """How the names of such files end."""


def _export_plain(write: Callable[[Records, str | Path], None]) -> Callable[[Records, str | Path, Sequence[str]], None]:
    """Return the ``export`` of a format that holds answers as they are and has no place for the classes."""

    def export(answers: Records, path: str | Path, classes: Sequence[str]) -> None:
        write(answers, path)

    return export


FORMATS: dict[str, Format] = {
    "jsonl": Format(read_jsonl, _export_plain(write_jsonl), ".jsonl"),
    "csv": Format(read_csv, _export_plain(write_csv), ".csv"),
    "prodigy": Format(read_prodigy, export_prodigy, ".jsonl"),
}
"""Formats by the name that ``alkit export --format`` takes."""
