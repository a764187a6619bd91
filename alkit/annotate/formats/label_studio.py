"""Label Studio's JSON: its tasks as alkit's records, and back; the full export, what it imports, and JSON_MIN."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from alkit.annotate.formats.answers import as_records, of_one_class, question_of, rest_of
from alkit.annotate.formats.objects import dicts_in, read_objects, records_of, write_array
from alkit.annotate.formats.times import to_iso, to_seconds

Record = dict[str, Any]

QUESTION = "label"
"""What exports call the question, as ``<Choices name="label" ...>`` does in the project's labelling interface."""

_MINIMAL = {"id", "annotator", "annotation_id", "created_at", "updated_at", "lead_time", "agreement"}
# keys of a record that an annotation has a place for
_PLACED = ("item", "text", "image", "row", "kind", "value", "seconds", "time", "prediction", "confidence")


def read_label_studio(
    path: str | Path, *, question: str | None = None, classes: Sequence[str] = (), encoding: str | None = None
) -> list[Record]:
    """Read a file of Label Studio's: `from_label_studio` of each of its tasks.

    Parameters
    ----------
    path : str or Path
    question : str, optional
        As in `from_label_studio`; needed where tasks have several.
    classes : sequence of str
        By which the question is found in JSON_MIN, where nothing else tells it from the task's own columns.
    encoding : str, optional
        By default guessed.

    Returns
    -------
    list of dict

    Raises
    ------
    ValueError
        If it is no such file, or asks several questions.
    """
    tasks = read_objects(path, encoding)
    # a set that keeps the order
    found = {name: None for task in tasks.rows for name in _questions_of(task, set(classes))}
    question = question_of(found, question, QUESTION, path)
    return records_of(tasks, lambda task: from_label_studio(task, question), path)


def _questions_of(task: Record, classes: set[str]) -> Iterable[str]:
    """Yield the names of the questions that a task has answers to."""
    if "data" not in task:
        for name, answer in task.items():
            if name not in _MINIMAL and classes.intersection(_chosen(answer)):
                yield name
        return
    for given in [*dicts_in(task.get("annotations")), *dicts_in(task.get("predictions"))]:
        yield from (str(part.get("from_name")) for part in dicts_in(given.get("result")) if _choices(part) is not None)


def _choices(part: Mapping[str, Any]) -> list[str] | None:
    """Return the choices of a part of a result, None if it is of another type, such as a box."""
    value = part.get("value")
    return value["choices"] if isinstance(value, dict) and isinstance(value.get("choices"), list) else None


def _chosen(answer: Any) -> list[str]:
    """Return the choices of an answer in JSON_MIN."""
    if isinstance(answer, dict) and isinstance(answer.get("choices"), list):
        answer = answer["choices"]
    return [name for name in (answer if isinstance(answer, list) else [answer]) if isinstance(name, str)]


def from_label_studio(task: Mapping[str, Any], question: str = QUESTION) -> list[Record]:
    """Return the records of a Label Studio task: one per annotation and prediction.

    Parameters
    ----------
    task : dict
        Of an export, of an import, or of JSON_MIN.
    question : str, default="label"
        The name of the choices.

    Returns
    -------
    list of dict
        As far as the task has them: ``item`` (``alkit_id``), ``text``, ``image``, ``data`` (all of the task's data),
        ``annotator`` (an email address, or Label Studio's number of the person), ``time`` (Unix seconds), ``seconds``,
        ``kind`` ("label", "skip", "several" where several classes were chosen, "prediction", None where nothing was)
        and ``value`` (an empty list where somebody chose nothing); of a prediction its ``confidence``; ``origin`` is
        what tells the annotation from others.

    Raises
    ------
    ValueError
        If a time is none.

    Examples
    --------
    >>> from alkit.annotate.formats import from_label_studio
    >>> chosen = {"from_name": "label", "to_name": "text", "type": "choices", "value": {"choices": ["ham"]}}
    >>> task = {"data": {"text": "Hi"}, "annotations": [{"id": 3, "completed_by": 1, "result": [chosen]}]}
    >>> (record,) = from_label_studio(task)
    >>> record["text"], record["annotator"], record["kind"], record["value"]
    ('Hi', '1', 'label', 'ham')
    """
    if "data" not in task:
        return [_from_minimal(task, question)]
    data = task["data"] if isinstance(task["data"], dict) else {}
    about = _about(data)
    records = [about | from_annotation(given, question) for given in dicts_in(task.get("annotations"))]
    records += [about | _from_prediction(given, question) for given in dicts_in(task.get("predictions"))]
    return records or [{**about, "kind": None}]


def _about(data: Mapping[str, Any]) -> Record:
    """Return which item a task is about."""
    about = {"item": data.get("alkit_id"), "text": data.get("text"), "image": data.get("image")}
    return {name: value for name, value in about.items() if value is not None} | {"data": dict(data)}


def from_annotation(given: Mapping[str, Any], question: str = QUESTION) -> Record:
    """Return the part of a record that an annotation holds; see `from_label_studio`.

    Parameters
    ----------
    given : dict
    question : str, default="label"

    Returns
    -------
    dict
    """
    chosen = [
        name
        for part in dicts_in(given.get("result"))
        if str(part.get("from_name")) == question
        for name in _choices(part) or ()
    ]
    answer = {"kind": "skip", "value": None} if given.get("was_cancelled") else of_one_class(chosen)
    return answer | _who_and_when(given.get("completed_by"), given) | _origin(given.get("id")) | _own(given)


def _who_and_when(person: Any, given: Mapping[str, Any]) -> Record:
    """Return who gave an answer, when, and how long it took."""
    if isinstance(person, dict):
        person = person.get("email") or person.get("id")
    found = {
        "annotator": None if person in (None, "") else str(person),
        "time": to_seconds(given.get("updated_at") or given.get("created_at")),
        "seconds": given.get("lead_time"),
    }
    return {name: value for name, value in found.items() if value is not None}


def _origin(number: Any) -> Record:
    return {} if number is None else {"origin": f"label-studio-{number}"}


def _own(given: Mapping[str, Any]) -> Record:
    """Return what alkit's export wrote because Label Studio has no place for it."""
    own = given.get("alkit")
    return dict(own) if isinstance(own, dict) else {}


def _from_prediction(given: Mapping[str, Any], question: str) -> Record:
    record = from_annotation({"result": given.get("result")}, question)
    if record["kind"] is None:
        return record | {"value": None}  # nothing is predicted, which is not that no class is
    return record | {"kind": "prediction", "confidence": given.get("score")}


def _from_minimal(task: Mapping[str, Any], question: str) -> Record:
    data = {name: value for name, value in task.items() if name not in {question, *_MINIMAL} or name == "id"}
    # without the question, nobody tells a skip from an answer that chose nothing
    answer = of_one_class(_chosen(task[question])) if question in task else {"kind": None, "value": None}
    answer |= _who_and_when(task.get("annotator"), task) | _origin(task.get("annotation_id"))
    return _about(data) | answer


def to_label_studio(records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the task of an item, as Label Studio imports it: the inverse of `from_label_studio`.

    Parameters
    ----------
    records : sequence of dict
        All records of one item, one per answer or prediction.

    Returns
    -------
    dict
        People's names and what else has no place there is under ``alkit``: Label Studio takes the names only of people
        whom it knows.
    """
    first = records[0]
    shown = {"text": first.get("text"), "image": first.get("image")}
    known = {name: value for name, value in shown.items() if value is not None}
    data = {**(first.get("row") or {}), **known, "alkit_id": first["item"]}
    to_name = "image" if first.get("text") is None and first.get("image") is not None else "text"
    return {
        "data": data,
        "annotations": [_annotation(record, to_name) for record in records if record.get("kind")],
        "predictions": [_prediction(record, to_name) for record in records if record.get("prediction") is not None],
    }


def choice(value: str | list[str], from_name: str = QUESTION, to_name: str = "text") -> dict[str, Any]:
    """Return the result that says that a class was chosen, or several.

    Parameters
    ----------
    value : str or list of str
    from_name, to_name : str
        Names of the choices and of what they are about, in the project's labelling interface.

    Returns
    -------
    dict
    """
    chosen = value if isinstance(value, list) else [value]
    return {"from_name": from_name, "to_name": to_name, "type": "choices", "value": {"choices": chosen}}


def _annotation(record: Mapping[str, Any], to_name: str) -> dict[str, Any]:
    is_label = record["kind"] == "label"
    annotation: dict[str, Any] = {
        "result": [choice(record["value"], to_name=to_name)] if is_label and record["value"] != [] else [],
        "was_cancelled": not is_label,
        "ground_truth": False,
    }
    if record.get("seconds") is not None:
        annotation["lead_time"] = record["seconds"]
    if record.get("time") is not None:
        annotation["created_at"] = to_iso(record["time"])
    return annotation | rest_of(record, _PLACED)


def _prediction(record: Mapping[str, Any], to_name: str) -> dict[str, Any]:
    version = record.get("model_version")
    return {
        "model_version": f"v{version or 0}",
        "score": record.get("confidence"),
        "result": [choice(record["prediction"], to_name=to_name)],
    }


def export_label_studio(answers: Iterable[Mapping[str, Any]], path: str | Path, classes: Sequence[str]) -> None:
    """Write answers of a labelling database as a file that Label Studio imports.

    Parameters
    ----------
    answers : iterable of dict
        As `read_answers` or `aggregate` return them.
    path : str or Path
        Replaced once all are written; unchanged after an error.
    classes : sequence of str
        Not needed: they are named in the project's labelling interface.
    """
    by_item: dict[str, list[Record]] = {}
    for record in as_records(answers):
        by_item.setdefault(record["item"], []).append(record)
    write_array(map(to_label_studio, by_item.values()), path)
