"""Labels and items in other tools' files: CSV, JSONL, and the JSONL of Prodigy. Whatever a file says is kept.

A reader gives a list of dicts, a writer takes an iterable of them; what was read and written again says the same.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

Record = dict[str, Any]

_FIELDS = {"text": "text", "image": "image", "annotator": "_annotator_id", "time": "_timestamp", "flagged": "flagged"}
_WORDS = {*_FIELDS, "item", "kind", "value", "view", "prodigy"}
_HASHES = ("_input_hash", "_task_hash")  # Prodigy computes them anew from the task it reads


def read_csv(path: str | Path) -> list[dict[str, str]]:
    """Read a CSV file with a header; every cell is a string, as CSV knows no other type.

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
            return _rows_of(csv.reader(file), path)
    finally:
        csv.field_size_limit(limit)


def _rows_of(reader: Any, path: str | Path) -> list[dict[str, str]]:
    header: list[str] = next(reader, [])
    if repeated := sorted({name for name in header if header.count(name) > 1}):
        raise ValueError(f"{path} has several columns named {repeated[0]!r}; rename them")
    rows = []
    for cells in reader:
        if cells and len(cells) != len(header):
            raise ValueError(
                f"{path}, line {reader.line_num}: {len(cells)} cells, but the header has {len(header)}; a cell with "
                "commas or line breaks needs double quotes"
            )
        if cells:
            rows.append(dict(zip(header, cells, strict=True)))
    return rows


def write_csv(records: Iterable[Mapping[str, Any]], path: str | Path) -> None:
    """Write a CSV file: a column for every key there is, in order of appearance.

    Parameters
    ----------
    records : iterable of dict
        Strings are written as they are, None and absent keys as empty cells, anything else as JSON.
    path : str or Path
        Overwritten.
    """
    records = list(records)
    header = list(dict.fromkeys(key for record in records for key in record))
    with open(path, "w", encoding="utf-8", newline="") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerow(header)  # in quotes, a name may begin as a file's BOM does
        csv.writer(file).writerows([_cell(record.get(key)) for key in header] for record in records)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def read_jsonl(path: str | Path) -> list[Record]:
    """Read a file of JSON objects, one a line.

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
    raise ValueError(f"{name} is not a JSON number")


def write_jsonl(records: Iterable[Mapping[str, Any]], path: str | Path) -> None:
    """Write JSON objects, one a line, as UTF-8.

    Parameters
    ----------
    records : iterable of dict
    path : str or Path
        Overwritten.

    Raises
    ------
    ValueError
        If a value is NaN or infinite, which JSON cannot say.
    """
    # Half a surrogate pair is no UTF-8; what backslashreplace writes in its place is its escape in JSON as well.
    with open(path, "w", encoding="utf-8", newline="\n", errors="backslashreplace") as file:
        for record in records:
            file.write(json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n")


def read_prodigy(path: str | Path) -> list[Record]:
    """Read what ``prodigy db-out`` writes: `from_prodigy` of each line of `read_jsonl`.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    list of dict
    """
    return [from_prodigy(task) for task in read_jsonl(path)]


def write_prodigy(records: Iterable[Mapping[str, Any]], path: str | Path, classes: Sequence[str] | None = None) -> None:
    """Write what ``prodigy db-in`` reads: `to_prodigy` of each record.

    Parameters
    ----------
    records : iterable of dict
    path : str or Path
        Overwritten.
    classes : sequence of str, optional
        As in `to_prodigy`.
    """
    write_jsonl((to_prodigy(record, classes) for record in records), path)


def from_prodigy(task: Mapping[str, Any]) -> Record:
    """Say in alkit's words what a task of Prodigy's says.

    Parameters
    ----------
    task : dict
        Of the view "choice", or a binary one, which asks about a single ``label``.

    Returns
    -------
    dict
        As far as the task has them: ``text``, ``image``, ``item`` (``meta.alkit_id``), ``annotator``, ``time`` (Unix
        seconds), ``flagged``, and ``kind`` with ``value``: "label" and the class accepted, "reject" and the class a
        binary answer denied, or "skip" (Prodigy's ignore). A binary answer has ``view="binary"``. All else is under
        ``prodigy`` as it was: several classes accepted together as well, for which alkit has no word.

    Examples
    --------
    >>> from alkit.annotate.formats.bridges import from_prodigy
    >>> from_prodigy({"text": "Hi", "accept": ["ham"], "answer": "accept", "_input_hash": 7})
    {'text': 'Hi', 'kind': 'label', 'value': 'ham', 'prodigy': {'_input_hash': 7}}
    """
    rest = dict(task)
    record = {ours: rest.pop(theirs) for ours, theirs in _FIELDS.items() if theirs in rest}
    match rest.get("meta"):
        case {"alkit_id": item, **meta}:
            record["item"] = item
            rest["meta"] = meta
            if not meta:
                del rest["meta"]
    match rest:
        case {"answer": "ignore"}:
            record["kind"] = "skip"
            del rest["answer"]
        case {"answer": "accept", "accept": [value]}:
            record |= {"kind": "label", "value": value}
            del rest["answer"], rest["accept"]
        case {"answer": "accept" | "reject" as answer, "label": value} if rest.keys().isdisjoint({"accept", "options"}):
            record |= {"kind": "label" if answer == "accept" else "reject", "value": value, "view": "binary"}
            del rest["answer"], rest["label"]
    own = rest.get("alkit")
    if isinstance(own, dict) and own and own.keys().isdisjoint(_WORDS):
        record |= rest.pop("alkit")
    return record | {"prodigy": rest} if rest else record


def to_prodigy(record: Mapping[str, Any], classes: Sequence[str] | None = None) -> Record:
    """Say in Prodigy's words what a record of alkit's says: the inverse of `from_prodigy`.

    Parameters
    ----------
    record : dict
        As `from_prodigy` gives it; keys that have no place in a task go under ``alkit``.
    classes : sequence of str, optional
        Written as the ``options`` of tasks that have none and are not binary: Prodigy needs them to show the task.

    Returns
    -------
    dict
        Without Prodigy's hashes, which it computes itself.

    Raises
    ------
    ValueError
        If ``kind`` is none of "label", "reject" and "skip".

    Examples
    --------
    >>> from alkit.annotate.formats.bridges import to_prodigy
    >>> to_prodigy({"item": "7", "text": "Hi", "kind": "label", "value": "ham", "annotator": "ann"})
    {'text': 'Hi', '_annotator_id': 'ann', 'meta': {'alkit_id': '7'}, 'accept': ['ham'], 'answer': 'accept'}
    """
    rest = dict(record)
    task = {key: value for key, value in rest.pop("prodigy", {}).items() if key not in _HASHES}
    task |= {theirs: rest.pop(ours) for ours, theirs in _FIELDS.items() if ours in rest}
    if "item" in rest:
        task["meta"] = {**task.get("meta", {}), "alkit_id": rest.pop("item")}
    kind, value, view = rest.pop("kind", None), rest.pop("value", None), rest.pop("view", "choice")
    match kind, view:
        case "label", "choice":
            task |= {"accept": [value], "answer": "accept"}
        case ("label", "binary") | ("reject", _):
            task |= {"label": value, "answer": "accept" if kind == "label" else "reject"}
        case "skip", _:
            task |= {"answer": "ignore"}
        case None, _:
            pass
        case _:
            raise ValueError(f"kind={kind!r} of view={view!r} has no counterpart in Prodigy; leave such records out")
    if classes is not None and "label" not in task:
        task.setdefault("options", [{"id": name, "text": name} for name in classes])
    return task | {"alkit": rest} if rest else task
