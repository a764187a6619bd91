"""Labels of files as a project has them, one class per item or several, whichever of the two the file has."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from alkit.annotate.formats.answers import of_one_class

SEVERAL = "hold several classes, or say what an item is not, which the project cannot hold"
PARTIAL = "say of one class whether an item has it, and nothing of the others, which the project cannot hold"

_LABELS = ("label", "several", "prediction")


class Read(NamedTuple):
    """The answer of a record."""

    kind: str | None
    """None where there is none."""
    value: Any
    """Of a label or prediction, the class; in a project of several labels, a list of classes."""
    why_not: str = ""
    """Why the project cannot hold it."""
    is_single: bool = False
    """Whether a class that is no list was taken for a list of one."""


def as_one_label(record: Mapping[str, Any], classes: Sequence[str]) -> Read:
    """Return the answer of a record for a project of one class per item.

    Parameters
    ----------
    record : dict
        See `read_foreign`.
    classes : sequence of str
        A text that is one of these is not taken for a list.

    Returns
    -------
    Read

    Examples
    --------
    >>> from alkit.annotate.formats.label_sets import as_one_label
    >>> as_one_label({"kind": "label", "value": '["ham"]'}, ["spam", "ham"])
    Read(kind='label', value='ham', why_not='', is_single=False)
    """
    kind, value = record["kind"], record["value"]
    if kind in _LABELS and value not in classes:
        names = _listed(value)
        if names is not None:
            told = of_one_class(names)
            if told["kind"] == "several":
                return Read(kind, value, SEVERAL)
            kind, value = (kind if told["kind"] else None), told["value"]
    is_known = kind in (None, "label", "skip", "flag", "prediction")
    return Read(kind, value, "" if is_known else SEVERAL)


def as_several_labels(record: Mapping[str, Any]) -> Read:
    """Return the answer of a record for a project of several labels per item: a single class is a set of one.

    Parameters
    ----------
    record : dict
        See `read_foreign`.

    Returns
    -------
    Read

    Examples
    --------
    >>> from alkit.annotate.formats.label_sets import as_several_labels
    >>> as_several_labels({"kind": "label", "value": "ham"}).value, as_several_labels({"kind": None, "value": []}).kind
    (['ham'], 'label')
    """
    kind, value = record["kind"], record["value"]
    if kind is None:  # nobody answered, or somebody chose none of the classes
        return Read("label", []) if value == [] else Read(None, None)
    if kind not in _LABELS:
        return Read(kind, value, "" if kind in ("skip", "flag") else PARTIAL)
    if record.get("view") == "binary":
        return Read(kind, value, PARTIAL)
    kind = "prediction" if kind == "prediction" else "label"
    names = _listed(value)
    return Read(kind, [value], is_single=True) if names is None else Read(kind, names)


def proba_of(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the probability of each class that a record has, in tables as JSON; nothing where it has none.

    Parameters
    ----------
    record : dict

    Returns
    -------
    dict
    """
    given = record.get("proba")
    if isinstance(given, str):
        try:
            given = json.loads(given)
        except (ValueError, RecursionError):
            return {}
    return given if isinstance(given, dict) else {}


def _listed(value: Any) -> list[Any] | None:
    """Return a list, also one that is written as JSON in a cell; None of anything else."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return None
    is_names = isinstance(value, list) and all(isinstance(name, str | int | float) for name in value)
    return value if is_names else None
