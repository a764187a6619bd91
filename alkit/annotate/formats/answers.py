"""Answers as records, as the formats of other tools share them: of one class, and what a tool has no place for."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any


def of_one_class(chosen: Sequence[Any]) -> dict[str, Any]:
    """Return the kind and value of an answer that chose these classes.

    Parameters
    ----------
    chosen : sequence of str

    Returns
    -------
    dict
        ``kind`` is "label", "several" where several classes were chosen, None where none was; ``value`` is the class,
        or a list of all of them, also of none.

    Examples
    --------
    >>> from alkit.annotate.formats.answers import of_one_class
    >>> of_one_class(["ham"]), of_one_class(["spam", "ham"])["kind"], of_one_class([])["kind"]
    ({'kind': 'label', 'value': 'ham'}, 'several', None)
    """
    match list(chosen):
        case []:
            return {"kind": None, "value": []}
        case [value]:
            return {"kind": "label", "value": value}
        case values:
            return {"kind": "several", "value": values}


def rest_of(record: Mapping[str, Any], placed: Collection[str]) -> dict[str, Any]:
    """Return what another tool has no place for, under the key ``alkit``.

    Parameters
    ----------
    record : dict
    placed : collection of str
        Keys that have a place. Other tools know skips, but neither flags nor notes, which are kept here in any case.

    Returns
    -------
    dict
        Empty where there is nothing to keep.
    """
    rest = {key: value for key, value in record.items() if key not in placed and value is not None}
    if record.get("kind") == "flag" or (record.get("kind") == "skip" and record.get("value") is not None):
        rest |= {"kind": record["kind"], "value": record["value"]}
    return {"alkit": rest} if rest else {}


def as_records(answers: Iterable[Mapping[str, Any]]) -> Iterable[dict[str, Any]]:
    """Yield answers as records: aggregated ones have a label in place of kind and value.

    Parameters
    ----------
    answers : iterable of dict
        As `read_answers` or `aggregate` return them.

    Yields
    ------
    dict
    """
    for answer in answers:
        record = dict(answer)
        if "label" in record:
            record |= {"kind": "label", "value": record.pop("label")}
        yield record


def question_of(found: Collection[str], asked: str | None, default: str, path: object) -> str:
    """Return the question that labels answer, or refuse a file that leaves that open.

    Parameters
    ----------
    found : collection of str
        The questions of the file.
    asked : str or None
        The one that was named.
    default : str
        Returned where the file has none.
    path : str or Path
        For error messages.

    Returns
    -------
    str

    Raises
    ------
    ValueError
        If there are several, or not the one that was named.
    """
    if asked is not None:
        if found and asked not in found:
            raise ValueError(f"{path} has no question {asked!r}; it has {', '.join(found)}: name one of these")
        return asked
    if len(found) > 1:
        raise ValueError(f"{path} has answers to {len(found)} questions, {', '.join(found)}; name one (--question)")
    return next(iter(found), default)
