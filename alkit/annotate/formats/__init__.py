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
from alkit.annotate.formats.label_studio import (
    export_label_studio,
    from_label_studio,
    read_label_studio,
    to_label_studio,
)
from alkit.annotate.formats.labelbox import (
    export_labelbox,
    export_labelbox_v2,
    from_labelbox,
    read_labelbox,
    to_labelbox,
)
from alkit.annotate.formats.parquet import export_parquet, read_parquet
from alkit.annotate.formats.prodigy import export_prodigy, from_prodigy, read_prodigy, to_prodigy, write_prodigy
from alkit.annotate.formats.table import as_table

__all__ = [
    "FORMATS",
    "Format",
    "from_label_studio",
    "from_labelbox",
    "from_prodigy",
    "read_csv",
    "read_jsonl",
    "read_label_studio",
    "read_labelbox",
    "read_parquet",
    "read_prodigy",
    "to_label_studio",
    "to_labelbox",
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


def _export_jsonl(answers: Records, path: str | Path, classes: Sequence[str]) -> None:
    """Write answers as they are; JSON Lines have no place for the classes."""
    write_jsonl(answers, path)


def _export_csv(answers: Records, path: str | Path, classes: Sequence[str]) -> None:
    """Write answers as a table."""
    write_csv(as_table(answers), path)


FORMATS: dict[str, Format] = {
    "jsonl": Format(read_jsonl, _export_jsonl, ".jsonl"),
    "csv": Format(read_csv, _export_csv, ".csv"),
    "parquet": Format(read_parquet, export_parquet, ".parquet"),
    "prodigy": Format(read_prodigy, export_prodigy, ".jsonl"),
    "label-studio": Format(read_label_studio, export_label_studio, ".json"),
    "labelbox": Format(read_labelbox, export_labelbox, ".ndjson"),
    "labelbox-v2": Format(read_labelbox, export_labelbox_v2, ".ndjson"),
}
"""Formats by the name that ``alkit export --format`` takes."""
