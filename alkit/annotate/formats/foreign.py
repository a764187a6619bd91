"""Files of labels and predictions that were given elsewhere, of every format, as records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from alkit.annotate.formats.answers import of_one_class
from alkit.annotate.formats.columns import read_columns
from alkit.annotate.formats.label_studio import read_label_studio
from alkit.annotate.formats.labelbox import read_labelbox
from alkit.annotate.formats.objects import read_objects
from alkit.annotate.formats.prodigy import from_prodigy

Record = dict[str, Any]

IMPORTED = ("csv", "jsonl", "parquet", "prodigy", "label-studio", "labelbox")
"""Formats that labels are imported from."""

_BY_ENDING = {
    ".csv": "csv",
    ".tsv": "csv",
    ".xlsx": "csv",
    ".xlsm": "csv",
    ".jsonl": "jsonl",
    ".parquet": "parquet",
    ".json": "label-studio",
    ".ndjson": "labelbox",
}
_PLAIN = ("csv", "jsonl", "parquet")


@dataclass(frozen=True)
class Asked:
    """How a file is to be read.

    Parameters
    ----------
    format : str, optional
        One of `IMPORTED`; by default told by how the file's name ends.
    columns : mapping of str to str or None
        What columns are called, see `read_columns`; of Label Studio, keys of a task's data.
    question : str, optional
        Which answers are meant, where a tool asks several questions.
    encoding, separator : str, optional
        By default guessed.
    """

    format: str | None = None
    columns: Mapping[str, str | None] = field(default_factory=dict)
    question: str | None = None
    encoding: str | None = None
    separator: str | None = None


def read_foreign(path: Path, asked: Asked, classes: Sequence[str]) -> list[Record]:
    """Read a file of labels and predictions.

    Parameters
    ----------
    path : Path
    asked : Asked
    classes : sequence of str
        Of the project.

    Returns
    -------
    list of dict
        ``item``, ``text`` and ``image``, as far as the file has them; ``annotator``, ``time``, ``seconds``, ``uuid`` or
        ``origin``; ``kind`` ("label", "skip", "flag", "prediction", "several" where several classes were chosen,
        another one that alkit does not have, or None where nobody answered), ``value`` and ``confidence``; ``place``,
        where it is in the file. Where somebody chose no class, ``kind`` is None and ``value`` an empty list.

    Raises
    ------
    ValueError
        If it cannot be read; names file and place.
    """
    kind = asked.format or _BY_ENDING.get(path.suffix.lower())
    if kind is None:
        raise ValueError(f"{path} does not say by its name what it is; pass --format: {', '.join(IMPORTED)}")
    named = {name: column for name, column in asked.columns.items() if column is not None}
    if kind in _PLAIN:
        _refuse(path, kind, question=asked.question)
        return read_columns(path, named, encoding=asked.encoding, separator=asked.separator)
    _refuse(path, kind, separator=asked.separator)
    if kind == "label-studio":
        records = read_label_studio(path, question=asked.question, classes=classes, encoding=asked.encoding)
        return [_by_own_names(record, named) for record in records]
    _refuse(path, kind, **named)
    if kind == "labelbox":
        return read_labelbox(path, question=asked.question, encoding=asked.encoding)
    _refuse(path, kind, question=asked.question)
    tasks, places = read_objects(path, asked.encoding)
    return [{**_of_prodigy(task), "place": place} for task, place in zip(tasks, places, strict=True)]


def _refuse(path: Path, kind: str, **options: str | None) -> None:
    """Refuse options that say nothing of a file of this format."""
    given = [name for name, value in options.items() if value is not None]
    if given:
        raise ValueError(f"{path} is read as {kind}, which has no {given[0]} to name; leave --{given[0]} out")


def _by_own_names(record: Record, columns: Mapping[str, str]) -> Record:
    """Return a record of Label Studio, with what the columns of the task's data are said to be."""
    data = record.get("data", {})
    return record | {name: data.get(column) for name, column in columns.items() if name in ("item", "text", "image")}


def _of_prodigy(task: Mapping[str, Any]) -> Record:
    """Return the record of a Prodigy task; what is accepted before anybody answered is predicted."""
    record = from_prodigy(task)
    rest = record.get("prodigy", {})
    match rest.get("answer"), rest.get("accept"), rest.get("meta"):
        case None, [_, *_] as values, meta if record.get("kind") is None:
            score = meta.get("score") if isinstance(meta, dict) else None
            value = values[0] if len(values) == 1 else values
            return record | {"kind": "prediction", "value": value, "confidence": score}
        case "accept", [] | [_, _, *_] as values, _:
            return record | of_one_class(values)
    if record.get("kind") == "skip":
        record |= {"kind": "flag" if record.get("flagged") else "skip", "value": record.get("note") or None}
    return {"kind": None, "value": None, **record}
