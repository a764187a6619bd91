"""Looking back: an annotator's own answers, the latest first, a page of them at a time."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from alkit.annotate.database.class_names import ClassChange, present_name
from alkit.annotate.database.contents import as_shown, item_as_shown
from alkit.annotate.database.label_kinds import LabelKind
from alkit.annotate.database.store import LabelStore

ONLY = ("label", "none", "skip", "flag", "disagrees", "note", "changed")
_CHUNK = 500  # answers per query, and
_LOOKED_AT = 1000  # per request, however few of them are wanted: others wait for the interpreter meanwhile
_MOST = 200  # answers per request

_LATEST = """
    SELECT a.item, a.event, a.kind, a.value, e.prediction,
        EXISTS (SELECT 1 FROM note n WHERE n.item = a.item AND n.annotator = a.annotator) AS has_note
    FROM answer a JOIN event e ON e.seq = a.event
    WHERE a.annotator = :annotator AND a.event < :before ORDER BY a.event DESC LIMIT :chunk
"""

# replaces: whether an earlier answer would count again if this one were undone
_WHOLE = """
    SELECT e.seq, e.uuid, e.recorded, e.seconds, e.source, e.prediction, e.confidence, e.model_version,
        i.key, i.content, i.version,
        c.content AS earlier,
        (SELECT n.value FROM note n WHERE n.item = e.item AND n.annotator = e.annotator ORDER BY n.seq DESC LIMIT 1)
        AS note,
        EXISTS (
            SELECT 1 FROM event o WHERE o.item = e.item AND o.annotator = e.annotator AND o.seq < e.seq
            AND o.kind <> 'undo' AND NOT EXISTS (SELECT 1 FROM event u WHERE u.kind = 'undo' AND u.value = o.uuid)
        ) AS replaces
    FROM event e JOIN item i ON i.id = e.item
    LEFT JOIN earlier_content c ON c.key = i.key AND c.version = COALESCE(e.version, 0)
    WHERE e.seq IN ({events}) ORDER BY e.seq DESC
"""


def own_answers(
    store: LabelStore,
    annotator: str,
    *,
    before: int | None,
    limit: int,
    search: str,
    only: str | None,
    value: str | None,
) -> dict[str, Any]:
    """Return an annotator's own answers, the latest first; as `LabelingSession.answers` does.

    Parameters
    ----------
    store : LabelStore
    annotator : str
    before : int or None
        The ``before`` of the page that this one follows; None for the first.
    limit : int
    search : str
        What a text, a cell, a note or the id holds; capitals do not matter.
    only : str or None
        One of `ONLY`.
    value : str or None
        A class; of several labels, one of them.

    Returns
    -------
    dict

    Raises
    ------
    ValueError
        If `only` or `limit` is none of those allowed.
    """
    if only is not None and only not in ONLY:
        raise ValueError(f"only={only!r}; it must be one of {', '.join(ONLY)}")
    if not 1 <= limit <= _MOST:
        raise ValueError(f"limit={limit}; it must be from 1 to {_MOST}")
    changes, kind = store.class_changes(), store.kind
    place = 2**62 if before is None else before
    found: list[dict[str, Any]] = []
    for _ in range(_LOOKED_AT // _CHUNK):
        rows = store.query(_LATEST, annotator=annotator, before=place, chunk=_CHUNK)
        wanted = {row["event"]: row for row in rows if _is_wanted(row, only, value, kind, changes)}
        for answer in _matching(store, wanted, search, only, kind, changes):
            found.append(answer)
            if len(found) == limit:
                return {"answers": found, "before": answer["event"]}
        if len(rows) < _CHUNK:
            return {"answers": found, "before": None}
        place = rows[-1]["event"]
    return {"answers": found, "before": place}


def _is_wanted(
    row: sqlite3.Row, only: str | None, value: str | None, kind: LabelKind, changes: Sequence[ClassChange]
) -> bool:
    """Return whether an answer passes the filters that its item is not needed for."""
    if value is not None and (row["kind"] != "label" or value not in kind.names(row["value"])):
        return False
    match only:
        case "label" | "skip" | "flag":
            return bool(row["kind"] == only)
        case "none":
            return row["kind"] == "label" and not kind.names(row["value"])
        case "disagrees":
            return row["kind"] == "label" and _disagrees(row, row["event"], row["value"], kind, changes)
        case "note":
            return bool(row["has_note"])
    return True


def _expected(row: sqlite3.Row, event: int, kind: LabelKind, changes: Sequence[ClassChange]) -> str | None:
    """Return what the model predicted before it had the answer, by present names, as the database keeps it."""
    if row["prediction"] is None:
        return None
    return kind.renamed_prediction(row["prediction"], lambda name: present_name(changes, name, event))


def _disagrees(row: sqlite3.Row, event: int, label: str, kind: LabelKind, changes: Sequence[ClassChange]) -> bool:
    """Return whether the model predicted something else than a label."""
    expected = _expected(row, event, kind, changes)
    return expected is not None and kind.predicted(expected) != kind.names(label)


def _matching(
    store: LabelStore,
    wanted: dict[int, sqlite3.Row],
    search: str,
    only: str | None,
    kind: LabelKind,
    changes: Sequence[ClassChange],
) -> Iterator[dict[str, Any]]:
    """Yield those of the answers that pass the other filters, with their items, the latest first."""
    sought = search.strip().casefold()
    events = list(wanted)
    for start in range(0, len(events), _MOST):
        some = events[start : start + _MOST]
        for row in store.query(_WHOLE.format(events=", ".join("?" * len(some))), *some):
            answer = _answer(row, wanted[row["seq"]], kind, changes)
            is_missing = (only == "note" and not answer["note"]) or (only == "changed" and not answer["earlier"])
            if not is_missing and sought in _searched(answer):
                yield answer


def _answer(row: sqlite3.Row, answer: sqlite3.Row, kind: LabelKind, changes: Sequence[ClassChange]) -> dict[str, Any]:
    """Return an answer with its item, as the page shows both."""
    predicted = _expected(row, row["seq"], kind, changes)
    expected = None if predicted is None else kind.prediction(predicted, row["confidence"])
    is_label = answer["kind"] == "label"
    return {
        "uuid": row["uuid"],
        "event": row["seq"],
        **item_as_shown(row),
        "kind": answer["kind"],
        "value": kind.read(answer["value"]) if is_label else answer["value"],
        "note": row["note"] or None,
        "time": row["recorded"],
        "seconds": row["seconds"],
        "suggestion": expected if row["source"] == "strategy" else None,
        "model_version": row["model_version"],
        "expected": expected,
        "disagrees": is_label and _disagrees(row, row["seq"], answer["value"], kind, changes),
        "replaces": bool(row["replaces"]),
        "earlier": None if row["earlier"] is None else as_shown(row["earlier"]),
    }


def _searched(answer: dict[str, Any]) -> str:
    """Return what a search looks at."""
    cells = (answer["row"] or {}).values()
    parts: Collection[Any] = (answer["item"], answer["text"], answer["note"], *cells)
    return "\n".join(str(part) for part in parts if part is not None).casefold()
