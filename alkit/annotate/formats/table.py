"""Answers as the rows of a table: the items' own columns are columns, and times are ISO 8601."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from alkit.annotate.formats.times import to_iso


def as_table(answers: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return answers with one value per cell.

    Parameters
    ----------
    answers : iterable of dict
        As `read_answers` or `aggregate` return them.

    Returns
    -------
    list of dict
        In place of ``row``, its cells, each under the name of its column; where an answer has a value of that name, it
        is called "row_" and the name. In place of ``suggestion``, its value and ``suggestion_confidence``. Several
        labels are a JSON list.

    Examples
    --------
    >>> from alkit.annotate.formats.table import as_table
    >>> as_table([{"item": "7", "row": {"zip": "01067", "item": "x"}, "time": 0.5}])
    [{'item': '7', 'zip': '01067', 'row_item': 'x', 'time': '1970-01-01T00:00:00.500000+00:00'}]
    """
    answers = list(answers)
    taken = {name for answer in answers for name in answer}
    own = dict.fromkeys(name for answer in answers for name in answer.get("row") or ())
    columns: dict[str, str] = {}
    for name in own:
        columns[name] = name
        while columns[name] in taken:
            columns[name] = f"row_{columns[name]}"
        taken.add(columns[name])
    return [_as_row(answer, columns) for answer in answers]


def _as_row(answer: Mapping[str, Any], columns: Mapping[str, str]) -> dict[str, Any]:
    """Return the cells of an answer; `columns` are the new names of the item's own."""
    row: dict[str, Any] = {}
    for name, value in answer.items():
        if name == "row":
            row |= {columns[own]: cell for own, cell in (value or {}).items()}
        elif name == "suggestion":
            row["suggestion"] = value and _as_cell(value["value"])
            row["suggestion_confidence"] = value and value["confidence"]
        elif name == "time" and value is not None:
            row["time"] = to_iso(value)
        else:
            row[name] = _as_cell(value)
    return row


def _as_cell(value: Any) -> Any:
    """Return several labels as one text, so that a column of them and of notes has one type."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else value
