"""Items as their owner reviews them: what everybody answered, side by side, and what was decided; the latest first."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from alkit.annotate.database.class_names import ClassChange, present_name
from alkit.annotate.database.contents import item_as_shown
from alkit.annotate.database.gold import read_gold
from alkit.annotate.database.label_kinds import LabelKind
from alkit.annotate.database.store import LabelStore

_WINDOW = 500  # events per query, and
_LOOKED_AT = 5000  # per request, however few items are found: others wait for the interpreter meanwhile
_MOST = 100  # items per request

_DISPUTED = """
    (SELECT COUNT(DISTINCT o.value) FROM answer o WHERE o.item = a.item AND o.kind = 'label') > 1
"""
_FLAGGED = "EXISTS (SELECT 1 FROM answer o WHERE o.item = a.item AND o.kind = 'flag')"
# a decision that people be asked again leaves the item open once there is an answer that its maker had not seen
_UNDECIDED = "(d.item IS NULL OR (d.kind = 'reopen' AND a.event > d.last_event))"
_SINCE = "EXISTS (SELECT 1 FROM event e WHERE e.item = d.item AND e.seq > d.last_event)"
_MISSED = """
    EXISTS (SELECT 1 FROM gold g JOIN item i ON i.key = g.key JOIN answer o ON o.item = i.id
        WHERE i.id = a.item AND o.kind = 'label' AND o.value <> g.value)
"""

ONLY = {
    "open": f"{_UNDECIDED} AND ({_DISPUTED} OR {_FLAGGED})",
    "disputed": _DISPUTED,
    "flag": _FLAGGED,
    "decided": "d.kind IN ('label', 'exclude')",
    "since": f"d.kind IN ('label', 'exclude') AND {_SINCE}",
    "gold": _MISSED,
    "all": "1 = 1",
}
"""Which items a page of the review may be about, as conditions on their last answer."""

# of each item the last answer; numbers of events tell how late
_FOUND = """
    SELECT a.item, a.event FROM event last
    JOIN answer a ON a.item = last.item AND a.annotator = last.annotator AND a.event = last.seq
    LEFT JOIN decided d ON d.item = a.item
    WHERE last.seq >= :start AND last.seq < :before
    AND NOT EXISTS (SELECT 1 FROM answer later WHERE later.item = a.item AND later.event > a.event)
    AND {which} ORDER BY a.event DESC
"""

_ITEMS = """
    SELECT i.id, i.key, i.content, i.version, d.kind, d.value, n.uuid, n.note, n.recorded, n.version AS decided_version,
        (SELECT MAX(seq) FROM event e WHERE e.item = i.id) AS last_event,
        (SELECT uuid FROM decision u WHERE u.item = i.id ORDER BY u.seq DESC LIMIT 1) AS seen,
        d.last_event AS decided_event
    FROM item i LEFT JOIN decided d ON d.item = i.id LEFT JOIN decision n ON n.seq = d.decision
    WHERE i.id IN ({items})
"""

_VOTES = """
    SELECT a.item, a.annotator, a.kind, a.value, e.seq, e.value AS clicked, e.recorded, e.seconds, e.late, e.version,
        e.prediction, e.confidence,
        (SELECT n.value FROM note n WHERE n.item = a.item AND n.annotator = a.annotator ORDER BY n.seq DESC LIMIT 1)
        AS note
    FROM answer a JOIN event e ON e.seq = a.event WHERE a.item IN ({items}) ORDER BY a.item, a.annotator
"""


def read_review(
    store: LabelStore, *, before: int | None, limit: int, search: str, only: str, value: str | None
) -> dict[str, Any]:
    """Return items with everybody's answers and what was decided, the last answered first; as `Reviewing.review` does.

    Parameters
    ----------
    store : LabelStore
    before : int or None
        The ``before`` of the page that this one follows; None for the first.
    limit : int
    search : str
        What a text, a cell, a note, a name or the id holds; capitals do not matter.
    only : str
        One of `ONLY`.
    value : str or None
        A class that somebody has chosen.

    Returns
    -------
    dict

    Raises
    ------
    ValueError
        If `only` or `limit` is none of those allowed.
    """
    if only not in ONLY:
        raise ValueError(f"only={only!r}; it must be one of {', '.join(ONLY)}")
    if not 1 <= limit <= _MOST:
        raise ValueError(f"limit={limit}; it must be from 1 to {_MOST}")
    last = store.count("SELECT COALESCE(MAX(seq), 0) + 1 FROM event")
    place = last if before is None else min(before, last)
    gold, found = read_gold(store), list[dict[str, Any]]()
    for _ in range(_LOOKED_AT // _WINDOW):
        start = max(place - _WINDOW, 1)
        rows = store.query(_FOUND.format(which=ONLY[only]), start=start, before=place)
        for item in _matching(store, rows, search, value, gold):
            found.append(item)
            if len(found) == limit:
                return {"answers": found, "before": item["event"]}
        place = start
        if place <= 1:
            return {"answers": found, "before": None}
    return {"answers": found, "before": place}


def _matching(
    store: LabelStore, rows: Sequence[sqlite3.Row], search: str, value: str | None, gold: Mapping[str, str]
) -> Iterator[dict[str, Any]]:
    """Yield those of the items that hold what is searched, the last answered first."""
    sought, changes, kind = search.strip().casefold(), store.class_changes(), store.kind
    for start in range(0, len(rows), _MOST):
        some = rows[start : start + _MOST]
        ids = [row["item"] for row in some]
        marks = ", ".join("?" * len(ids))
        contents = {row["id"]: row for row in store.query(_ITEMS.format(items=marks), *ids)}
        votes: dict[int, list[sqlite3.Row]] = {}
        for vote in store.query(_VOTES.format(items=marks), *ids):
            votes.setdefault(vote["item"], []).append(vote)
        for row in some:
            if row["item"] not in votes:
                continue  # its only answer was taken back meanwhile
            item = _as_reviewed(contents[row["item"]], votes[row["item"]], row["event"], gold, kind, changes)
            given = [vote["value"] for vote in votes[row["item"]] if vote["kind"] == "label"]
            is_chosen = value is None or any(value in kind.names(label) for label in given)
            if is_chosen and sought in _searched(item):
                yield item


def _as_reviewed(
    item: sqlite3.Row,
    votes: Sequence[sqlite3.Row],
    event: int,
    gold: Mapping[str, str],
    kind: LabelKind,
    changes: Sequence[ClassChange],
) -> dict[str, Any]:
    """Return an item with its answers, as the page shows them."""
    known = gold.get(item["key"])
    return {
        "event": event,
        "last_event": item["last_event"],
        **item_as_shown(item),
        "votes": [_as_shown_vote(vote, item["version"], kind) for vote in votes],
        "disputed": len({vote["value"] for vote in votes if vote["kind"] == "label"}) > 1,
        "flagged": any(vote["kind"] == "flag" for vote in votes),
        "expected": _expected(votes, kind, changes),
        "gold": None if known is None else kind.read(known),
        "decision": _decision(item, kind),
        "seen": item["seen"],
        "since": item["kind"] in ("label", "exclude") and item["last_event"] > item["decided_event"],
    }


def _decision(item: sqlite3.Row, kind: LabelKind) -> dict[str, Any] | None:
    """Return what was decided about an item, if anything."""
    if item["kind"] is None:
        return None
    return {
        "uuid": item["uuid"],
        "kind": item["kind"],
        "value": kind.read(item["value"]) if item["kind"] == "label" else None,
        "note": item["note"],
        "time": item["recorded"],
        "earlier": item["decided_version"] < item["version"],
    }


def _as_shown_vote(vote: sqlite3.Row, version: int, kind: LabelKind) -> dict[str, Any]:
    """Return somebody's answer; ``note`` is what they wrote on it, or why they flagged the item."""
    is_label = vote["kind"] == "label"
    return {
        "annotator": vote["annotator"],
        "kind": vote["kind"],
        "value": kind.read(vote["value"]) if is_label else None,
        "note": vote["note"] or (None if is_label else vote["value"]) or None,
        "time": vote["recorded"],
        "seconds": vote["seconds"],
        "late": bool(vote["late"]),
        "earlier": (vote["version"] or 0) < version,
    }


def _expected(votes: Sequence[sqlite3.Row], kind: LabelKind, changes: Sequence[ClassChange]) -> dict[str, Any] | None:
    """Return what the model predicted before anybody had answered."""
    first = min(votes, key=lambda vote: vote["seq"])
    if first["prediction"] is None:
        return None
    predicted = kind.renamed_prediction(first["prediction"], lambda name: present_name(changes, name, first["seq"]))
    return kind.prediction(predicted, first["confidence"])


def _searched(item: dict[str, Any]) -> str:
    """Return what a search looks at."""
    cells = (item["row"] or {}).values()
    said = [part for vote in item["votes"] for part in (vote["annotator"], vote["note"])]
    note = item["decision"] and item["decision"]["note"]
    parts: Collection[Any] = (item["item"], item["text"], note, *said, *cells)
    return "\n".join(str(part) for part in parts if part is not None).casefold()
