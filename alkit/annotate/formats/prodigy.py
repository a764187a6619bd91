"""The JSON Lines of Prodigy: its tasks as alkit's records, and back. Keys that alkit does not know are kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from alkit.annotate.formats.answers import as_records
from alkit.annotate.formats.jsonl import read_jsonl, write_jsonl

Record = dict[str, Any]

# keys of a record, and what the same thing is called in a task
_TASK_KEYS = {
    "text": "text",
    "image": "image",
    "annotator": "_annotator_id",
    "time": "_timestamp",
    "flagged": "flagged",
}
_RECORD_KEYS = {*_TASK_KEYS, "item", "kind", "value", "view", "prodigy"}
_HASHES = ("_input_hash", "_task_hash")  # Prodigy computes them anew from the task it reads


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
        Replaced once all records are written; unchanged after an error.
    classes : sequence of str, optional
        As in `to_prodigy`.
    """
    write_jsonl((to_prodigy(record, classes) for record in records), path)


def export_prodigy(answers: Iterable[Mapping[str, Any]], path: str | Path, classes: Sequence[str]) -> None:
    """Write answers of a labelling database as ``prodigy db-in`` reads them.

    Parameters
    ----------
    answers : iterable of dict
        As `read_answers` or `aggregate` return them.
    path : str or Path
        Replaced once all records are written; unchanged after an error.
    classes : sequence of str
        As in `to_prodigy`.
    """
    write_prodigy(map(_as_record, as_records(answers)), path, classes)


def _as_record(answer: Mapping[str, Any]) -> Record:
    """Return an answer as `to_prodigy` takes it: without what is absent, a flag as a skip that is flagged."""
    record = {key: value for key, value in answer.items() if value is not None}
    if "prediction" in record:  # Prodigy shows what is accepted before anybody answered as chosen
        record["prodigy"] = {"accept": _listed(record.pop("prediction"))}
        if "confidence" in record:
            record["prodigy"]["meta"] = {"score": record.pop("confidence")}
    if record.get("kind") in ("skip", "flag"):
        record["note"] = record.pop("value", None) or record.get("note", "")
        record["flagged"] = record["kind"] == "flag"
        record["kind"] = "skip"
    return record


def from_prodigy(task: Mapping[str, Any]) -> Record:
    """Return the record of a Prodigy task.

    Parameters
    ----------
    task : dict
        Of the view "choice", or a binary one, which asks about a single ``label``.

    Returns
    -------
    dict
        As far as the task has them: ``text``, ``image``, ``item`` (``meta.alkit_id``), ``annotator``, ``time`` (Unix
        seconds), ``flagged``, and ``kind`` with ``value``: "label" and the class accepted, "reject" and the class a
        binary answer denied, or "skip" (Prodigy's ignore). A binary answer has ``view="binary"``. Everything else is
        kept unchanged under ``prodigy``, such as several classes accepted together, which a record cannot hold.

    Examples
    --------
    >>> from alkit.annotate.formats import from_prodigy
    >>> from_prodigy({"text": "Hi", "accept": ["ham"], "answer": "accept", "_input_hash": 7})
    {'text': 'Hi', 'kind': 'label', 'value': 'ham', 'prodigy': {'_input_hash': 7}}
    """
    rest = dict(task)
    record = {key: rest.pop(task_key) for key, task_key in _TASK_KEYS.items() if task_key in rest}
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
            kind = "label" if answer == "accept" else "reject"
            record |= {"kind": kind, "value": value, "view": "binary"}
            del rest["answer"], rest["label"]
    own = rest.get("alkit")
    # Only what `to_prodigy` can have written there is taken out; anything else stays under "prodigy" unchanged.
    if isinstance(own, dict) and own and own.keys().isdisjoint(_RECORD_KEYS):
        record |= rest.pop("alkit")
    if rest:
        record["prodigy"] = rest
    return record


def to_prodigy(record: Mapping[str, Any], classes: Sequence[str] | None = None) -> Record:
    """Return the Prodigy task of a record: the inverse of `from_prodigy`.

    Parameters
    ----------
    record : dict
        As `from_prodigy` returns it; keys that have no place in a task go under ``alkit``. The value of a label may be
        a list of classes.
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
    >>> from alkit.annotate.formats import to_prodigy
    >>> to_prodigy({"item": "7", "text": "Hi", "kind": "label", "value": "ham", "annotator": "ann"})
    {'text': 'Hi', '_annotator_id': 'ann', 'meta': {'alkit_id': '7'}, 'accept': ['ham'], 'answer': 'accept'}
    """
    rest = dict(record)
    task = {key: value for key, value in rest.pop("prodigy", {}).items() if key not in _HASHES}
    task |= {task_key: rest.pop(key) for key, task_key in _TASK_KEYS.items() if key in rest}
    if "item" in rest:
        task["meta"] = {**task.get("meta", {}), "alkit_id": rest.pop("item")}
    kind = rest.pop("kind", None)
    value = rest.pop("value", None)
    view = rest.pop("view", "choice")
    match kind, view:
        case "label", "choice":
            task |= {"accept": _listed(value), "answer": "accept"}
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
    if rest:
        task["alkit"] = rest
    return task


def _listed(chosen: Any) -> list[str]:
    """Return what was chosen as a list: of one class, or of several labels."""
    return chosen if isinstance(chosen, list) else [chosen]
