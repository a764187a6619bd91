"""Labelbox: the NDJSON that it imports, one line per annotation, and its export (v2), one line per data row."""

from __future__ import annotations

import uuid as uuids
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from alkit.annotate.formats.answers import as_records, of_one_class, question_of, rest_of
from alkit.annotate.formats.jsonl import write_jsonl
from alkit.annotate.formats.objects import dicts_in, read_objects, records_of
from alkit.annotate.formats.times import to_iso, to_seconds

Record = dict[str, Any]

QUESTION = "label"
"""What exports call the question, as the project's ontology must."""

# keys of a record that a label of the export has a place for
_PLACED = ("item", "text", "image", "row", "kind", "value", "seconds", "time", "annotator", "uuid")
_ANSWERS = ("radio_answer", "checklist_answers")


def read_labelbox(path: str | Path, *, question: str | None = None, encoding: str | None = None) -> list[Record]:
    """Read a file of Labelbox's: `from_labelbox` of each line.

    Parameters
    ----------
    path : str or Path
        NDJSON of annotations, or an export (v2).
    question : str, optional
        The name of the classification; needed where there are several.
    encoding : str, optional
        By default guessed.

    Returns
    -------
    list of dict

    Raises
    ------
    ValueError
        If it is no such file, or has several classifications.
    """
    lines = read_objects(path, encoding)
    # a set that keeps the order
    found = {name: None for line in lines.rows for name in _questions_of(line)}
    question = question_of(found, question, QUESTION, path)
    return records_of(lines, lambda line: from_labelbox(line, question), path)


def _questions_of(line: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names of the classifications that a line answers."""
    if "data_row" not in line:
        name = line.get("name") or line.get("schemaId")
        if name is not None and ("answer" in line or "answers" in line):
            yield str(name)
        return
    for label in _labels_of(line):
        yield from (str(one.get("name")) for one in _classifications(label))


def _as_dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _labels_of(line: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the labels of a data row, of all projects."""
    projects = _as_dict(line.get("projects")).values()
    return [label for project in projects for label in dicts_in(_as_dict(project).get("labels"))]


def _classifications(label: Mapping[str, Any]) -> list[dict[str, Any]]:
    return dicts_in(_as_dict(label.get("annotations")).get("classifications"))


def from_labelbox(line: Mapping[str, Any], question: str = QUESTION) -> list[Record]:
    """Return the records of a line: one per annotation.

    Parameters
    ----------
    line : dict
        Of NDJSON, or of an export (v2).
    question : str, default="label"
        The name of the classification; others are left out.

    Returns
    -------
    list of dict
        As far as the line has them: ``item`` (the global key), ``text``, ``image``, ``annotator``, ``time`` (Unix
        seconds), ``seconds``, ``uuid``; ``kind`` ("label", "skip", "several", "prediction" where there is a
        confidence, None where nothing was chosen), ``value`` (an empty list where somebody chose nothing),
        ``confidence``.

    Raises
    ------
    ValueError
        If a time is none.

    Examples
    --------
    >>> from alkit.annotate.formats import from_labelbox
    >>> from_labelbox({"name": "label", "answer": {"name": "ham"}, "dataRow": {"globalKey": "7"}})
    [{'item': '7', 'kind': 'label', 'value': 'ham'}]
    """
    if "data_row" in line:
        return _from_export(line, question)
    if str(line.get("name") or line.get("schemaId") or question) != question:
        return []
    row = _as_dict(line.get("dataRow"))
    record: Record = {"item": row.get("globalKey") or row.get("id")}
    given = line.get("answer", line.get("answers"))
    record |= {"kind": None, "value": None} if given is None else of_one_class(_names(given))
    own = {"uuid": line.get("uuid"), "confidence": _confidence(given, line)}
    record |= {name: value for name, value in own.items() if value is not None}
    if record["kind"] in ("label", "several") and "confidence" in record:
        record["kind"] = "prediction"
    return [record]


def _confidence(answer: Any, line: Mapping[str, Any]) -> Any:
    """Return how sure a model is of an answer, of several the least; None of what people answered."""
    answers = answer if isinstance(answer, list) else [answer]
    told = [_as_dict(one).get("confidence") for one in answers]
    numbers = [share for share in told if isinstance(share, int | float)]
    if numbers and len(numbers) == len(told):
        return min(numbers)
    return _as_dict(answer).get("confidence", line.get("confidence"))


def _names(answer: Any) -> list[str]:
    """Return the names of what was chosen."""
    answers = answer if isinstance(answer, list) else [answer]
    names = [one.get("name") or one.get("schemaId") if isinstance(one, dict) else one for one in answers]
    return [name for name in names if isinstance(name, str)]


def _from_export(line: Mapping[str, Any], question: str) -> list[Record]:
    row = _as_dict(line.get("data_row"))
    about: Record = {"item": row.get("global_key") or row.get("external_id") or row.get("id")}
    shown = row.get("row_data")
    if isinstance(shown, str):  # texts may be kept elsewhere, too; then only the key tells the item
        is_address = shown.startswith(("http://", "https://", "gs://", "s3://"))
        about |= {"image": shown} if is_address else {"text": shown}
    own = _as_dict(line.get("alkit"))
    records = [about | _from_label(label, question) for label in _labels_of(line)]
    if "prediction" in own:
        records.append(about | own | {"kind": "prediction", "value": own["prediction"]})
    return records or [{**about, "kind": None}]


def _from_label(label: Mapping[str, Any], question: str) -> Record:
    """Return the part of a record that a label of an export holds."""
    details, performance = _as_dict(label.get("label_details")), _as_dict(label.get("performance_details"))
    chosen = [
        name
        for one in _classifications(label)
        if str(one.get("name")) == question
        for kind in _ANSWERS
        for name in _names(one.get(kind))
    ]
    answer = {"kind": "skip", "value": None} if performance.get("skipped") else of_one_class(chosen)
    known = {
        "annotator": details.get("created_by"),
        "time": to_seconds(details.get("updated_at") or details.get("created_at")),
        "seconds": performance.get("seconds_to_create"),
        "uuid": label.get("id"),
    }
    answer |= {name: value for name, value in known.items() if value is not None}
    return answer | _as_dict(label.get("alkit"))


def to_labelbox(record: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the line of NDJSON for a label or prediction.

    Parameters
    ----------
    record : dict
        As `from_labelbox` returns it, with an ``item``.

    Returns
    -------
    dict or None
        With nothing but what Labelbox takes: it refuses further keys, so people's names have no place. Several labels
        are the answer of a checklist. None for what it cannot be told: skips, flags, answers that chose no class, and
        items without label and prediction.
    """
    chosen = record["value"] if record.get("kind") == "label" else record.get("prediction")
    if chosen in (None, []):
        return None
    confidence = None if record.get("kind") == "label" else record.get("confidence")
    return {
        "name": QUESTION,
        "answer": _answer(chosen, confidence),
        "uuid": _as_uuid(record),
        "dataRow": {"globalKey": record["item"]},
    }


def _answer(chosen: str | list[str], confidence: float | None) -> dict[str, Any] | list[dict[str, Any]]:
    """Return the answer of a radio question, or of a checklist."""
    if isinstance(chosen, list):
        return [_one(name, confidence) for name in chosen]
    return _one(chosen, confidence)


def _one(name: str, confidence: float | None) -> dict[str, Any]:
    return {"name": name} if confidence is None else {"name": name, "confidence": confidence}


def _as_uuid(record: Mapping[str, Any]) -> str:
    """Return the uuid of an event; where a client drew none that is one, always the same one in its place."""
    named = str(record.get("uuid") or record["item"])
    try:
        return str(uuids.UUID(named))
    except ValueError:
        return str(uuids.uuid5(uuids.NAMESPACE_OID, named))


def export_labelbox(answers: Iterable[Mapping[str, Any]], path: str | Path, classes: Sequence[str]) -> None:
    """Write the labels and predictions of a labelling database as Labelbox imports them: `to_labelbox` of each.

    Parameters
    ----------
    answers : iterable of dict
        As `read_answers` or `aggregate` return them.
    path : str or Path
        Replaced once all are written; unchanged after an error.
    classes : sequence of str
        Not needed: they are named in the project's ontology.
    """
    lines = map(to_labelbox, as_records(answers))
    write_jsonl((line for line in lines if line is not None), path)


def export_labelbox_v2(answers: Iterable[Mapping[str, Any]], path: str | Path, classes: Sequence[str]) -> None:
    """Write answers of a labelling database as Labelbox exports them (v2): with people, times and skips.

    Parameters
    ----------
    answers, path, classes
        As for `export_labelbox`.
    """
    by_item: dict[str, list[Record]] = {}
    for record in as_records(answers):
        by_item.setdefault(record["item"], []).append(record)
    write_jsonl(map(_data_row, by_item.values()), path)


def _data_row(records: Sequence[Record]) -> dict[str, Any]:
    """Return the line of an item."""
    item = records[0]
    shown = item.get("image") if item.get("text") is None else item["text"]
    labels = [_label(record) for record in records if record.get("kind")]
    line: dict[str, Any] = {
        "data_row": {"id": item["item"], "global_key": item["item"], "row_data": shown},
        "projects": {"alkit": {"name": "alkit", "labels": labels}},
    }
    for record in records:
        if record.get("prediction") is not None:
            names = ("prediction", "confidence", "proba", "model_version")
            line["alkit"] = {name: record[name] for name in names if record.get(name) is not None}
    return line


def _label(record: Mapping[str, Any]) -> dict[str, Any]:
    is_label = record["kind"] == "label"
    details: Record = {"created_by": record.get("annotator"), "reviews": []}
    if record.get("time") is not None:
        details["created_at"] = to_iso(record["time"])
    return {
        "label_kind": "Default",
        "id": record.get("uuid"),
        "label_details": details,
        "performance_details": {"seconds_to_create": record.get("seconds"), "skipped": not is_label},
        "annotations": {
            "objects": [],
            "classifications": _classification(record["value"]) if is_label else [],
            "relationships": [],
        },
        **rest_of(record, _PLACED),
    }


def _classification(value: str | list[str]) -> list[dict[str, Any]]:
    """Return what a label says: the answer of a radio question, or those of a checklist, if any was chosen."""
    if value == []:
        return []
    names = value if isinstance(value, list) else [value]
    answers: list[dict[str, Any]] = [{"name": name, "value": name, "classifications": []} for name in names]
    answer = {"checklist_answers": answers} if isinstance(value, list) else {"radio_answer": answers[0]}
    return [{"name": QUESTION, "value": QUESTION, **answer}]
