"""Decisions of the owner: which label an item has, whatever people answered, or that it is left out, or asked again.

A decision is no answer: what people said stays as it is, and agreement is computed from that. Every decision is kept;
the last one about an item that was not undone counts.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Sequence
from functools import partial
from typing import Any, NamedTuple

from alkit.annotate.database.class_names import followed, present_name_of_old
from alkit.annotate.database.events import (
    Conflict,
    UnknownItem,
    check_class,
    check_number,
    check_text,
    checked_kind,
    checked_labels,
)
from alkit.annotate.database.statements import UPDATE_QUEUE
from alkit.annotate.database.store import LabelStore

KINDS = ("label", "exclude", "reopen", "undo")

_KEYS = ("uuid", "item", "kind", "value", "note", "last_event")

_COUNTS = """
    INSERT INTO decided (item, kind, value, last_event, asked, decision)
    SELECT item, kind, value, last_event, asked, seq FROM decision d
    WHERE item = :item AND kind <> 'undo'
    AND NOT EXISTS (SELECT 1 FROM decision u WHERE u.kind = 'undo' AND u.value = d.uuid)
    ORDER BY seq DESC LIMIT 1
"""

# The known answer of a gold item takes the place of people's answers, once there are any; a decision that of both.
_LABELS = """
    SELECT i.id, i.key, d.value FROM decided d JOIN item i ON i.id = d.item WHERE d.kind = 'label'
    UNION ALL
    SELECT i.id, i.key, g.value FROM gold g JOIN item i ON i.key = g.key
    WHERE EXISTS (SELECT 1 FROM answer a WHERE a.item = i.id AND a.kind = 'label')
    AND NOT EXISTS (SELECT 1 FROM decided d WHERE d.item = i.id AND d.kind <> 'reopen')
"""


class Decided(NamedTuple):
    """What the owner knows of items, by their numbers and by their keys."""

    labels: dict[int, str]
    """Labels that count in place of people's, as the database keeps them."""
    excluded: frozenset[int]
    """Items that are left out."""
    labels_by_key: dict[str, str]
    excluded_keys: frozenset[str]


def checked_decision(
    given: Any, classes: Sequence[str], earlier_names: Collection[str] = (), *, several: bool = False
) -> dict[str, Any]:
    """Return a decision with exactly the keys it needs, as the database keeps it, or refuse it.

    Parameters
    ----------
    given : dict
        See `Reviewing.decide`.
    classes : sequence of str
    earlier_names : collection of str
        Of classes that were renamed or merged: a page may show them for some seconds yet.
    several : bool, default=False
        Whether a label is a list of classes, which may be empty.

    Returns
    -------
    dict

    Raises
    ------
    ValueError
        If it is malformed; a `Conflict` if the label is not among the classes.

    Examples
    --------
    >>> from alkit.annotate.database.decisions import checked_decision
    >>> checked_decision({"uuid": "1f", "item": "7", "kind": "label", "value": "ham"}, ["spam", "ham"])
    {'uuid': '1f', 'item': '7', 'kind': 'label', 'value': 'ham', 'note': None, 'last_event': None}
    """
    kind = checked_kind(given, "a decision", KINDS)
    if kind == "label" and several:
        given = {**given, "value": checked_labels(given.get("value"), earlier_names, classes, "decision 'label'")}
    needed = {"uuid", "item"} | ({"value"} if kind in ("label", "undo") else set())
    for name in ("uuid", "item", "value", "note", "seen"):
        check_text(given.get(name), f"{name} of decision {kind!r}", needed=name in needed)
    check_number(given.get("last_event"), "last_event", "the number of the last event that was seen")
    if kind == "label" and not several:
        check_class(given["value"], earlier_names, classes)
    checked = {name: given.get(name) for name in _KEYS}
    if kind not in ("label", "undo"):
        checked["value"] = None
    return checked | ({"seen": given["seen"]} if "seen" in given else {})


def record_decision(store: LabelStore, decision: dict[str, Any], *, now: float) -> dict[str, Any]:
    """Write a decision down; it is on disk when this returns.

    Parameters
    ----------
    store : LabelStore
    decision : dict
        As of `checked_decision`.
    now : float
        Unix time, in seconds.

    Returns
    -------
    dict
        See `Reviewing.decide`.

    Raises
    ------
    ValueError
        A `Conflict`, if another decision was made meanwhile, nobody has answered the item, or there is nothing to undo.
    LookupError
        If there is no such item.
    OSError
        If it cannot be saved.
    """
    with store.recording() as db:
        item = _item_of(db, decision["item"])
        known = db.execute("SELECT item FROM decision WHERE uuid = ?", (decision["uuid"],)).fetchone()
        if known is None:
            _check_unseen(store, db, item, decision)
            _append(store, db, item, decision, now)
            _bring_up_to_date(store, db, item["id"])
        elif known["item"] != item["id"]:
            raise Conflict(f"uuid {decision['uuid']!r} is of a decision about another item; draw a new one")
        newer = _newer_answers(db, item["id"], decision)
    return {"uuid": decision["uuid"], "item": decision["item"], "kind": decision["kind"], "newer": newer}


def _item_of(db: sqlite3.Connection, key: str) -> sqlite3.Row:
    """Return number and version of an item that somebody has ever answered, and its last event."""
    sql = """
        SELECT i.id, i.version, (SELECT MAX(seq) FROM event e WHERE e.item = i.id) AS last_event
        FROM item i WHERE i.key = ?
    """
    item: sqlite3.Row | None = db.execute(sql, (key,)).fetchone()
    if item is None:
        raise UnknownItem(f"there is no item {key!r}")
    if item["last_event"] is None:
        raise Conflict(f"nobody has answered item {key!r} yet, so there is nothing to decide; label it first")
    return item


def _check_unseen(store: LabelStore, db: sqlite3.Connection, item: sqlite3.Row, decision: dict[str, Any]) -> None:
    """Refuse a decision that would overrule another one which its maker has not seen."""
    if "seen" not in decision:
        return
    sql = "SELECT uuid, kind, value FROM decision WHERE item = ? ORDER BY seq DESC LIMIT 1"
    last = db.execute(sql, (item["id"],)).fetchone()
    if last is None or last["uuid"] == decision["seen"]:
        return
    names = store.kind.names(last["value"]) if last["kind"] == "label" else []
    what = {
        "label": f"decided {', '.join(map(repr, names)) or 'no label'}",
        "exclude": "left it out",
        "reopen": "had it asked again",
    }
    raise Conflict(
        f"somebody else {what.get(last['kind'], 'took a decision back')} meanwhile, about item {decision['item']!r}; "
        "look at it again, then decide"
    )


def _append(store: LabelStore, db: sqlite3.Connection, item: sqlite3.Row, decision: dict[str, Any], now: float) -> None:
    """Write a decision down, with what its maker had seen."""
    if decision["kind"] == "undo":
        _check_undone(db, item, decision)
    changes, known = store.class_changes(), store.meta("classes", [])
    value = decision["value"]
    if decision["kind"] == "label":
        value = store.kind.renamed(value, lambda name: name if name in known else present_name_of_old(changes, name))
    asked = None
    if decision["kind"] == "reopen":
        sql = "SELECT COUNT(*) FROM answer WHERE item = ? AND kind = 'label'"
        (n_labels,) = db.execute(sql, (item["id"],)).fetchone()
        asked = max(n_labels + 1, store.meta("overlap"))
    last, shown = item["last_event"], decision["last_event"]
    row = (
        decision["uuid"], item["id"], decision["kind"], value, decision["note"], item["version"],
        last if shown is None else min(shown, last), asked, len(changes), now,
    )  # fmt: skip
    db.execute(
        "INSERT INTO decision (uuid, item, kind, value, note, version, last_event, asked, n_changes, recorded) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        row,
    )


def _check_undone(db: sqlite3.Connection, item: sqlite3.Row, decision: dict[str, Any]) -> None:
    """Refuse to undo what is no decision about this item, or was undone."""
    sql = """
        SELECT EXISTS (SELECT 1 FROM decision u WHERE u.kind = 'undo' AND u.value = d.uuid) AS gone
        FROM decision d WHERE d.uuid = ? AND d.item = ? AND d.kind <> 'undo'
    """
    undone = db.execute(sql, (decision["value"], item["id"])).fetchone()
    if undone is None:
        raise Conflict(f"there is no decision {decision['value']!r} about item {decision['item']!r} to undo")
    if undone["gone"]:
        raise Conflict(f"decision {decision['value']!r} is undone already")


def _bring_up_to_date(store: LabelStore, db: sqlite3.Connection, item: int) -> None:
    """Bring what follows from decisions up to date for one item: which counts, and how many labels it needs."""
    db.execute("DELETE FROM decided WHERE item = ?", (item,))
    db.execute(_COUNTS, {"item": item})
    sql = "SELECT d.value, n.n_changes FROM decided d JOIN decision n ON n.seq = d.decision WHERE d.item = ?"
    for row in db.execute(sql, (item,)).fetchall():
        if row["value"] is not None:  # an undo may bring a label back that has an earlier name of its class
            changes = store.class_changes()[row["n_changes"] :]
            value = store.kind.renamed(row["value"], partial(followed, changes))
            db.execute("UPDATE decided SET value = ? WHERE item = ?", (value, item))
    db.execute(
        f"{UPDATE_QUEUE} WHERE item = :item",
        {"item": item, "overlap": store.meta("overlap")},
    )


def _newer_answers(db: sqlite3.Connection, item: int, decision: dict[str, Any]) -> list[str]:
    """Return who answered anew, or took an answer back, after what the maker of a decision had seen."""
    if decision["last_event"] is None:
        return []
    sql = "SELECT DISTINCT annotator FROM event WHERE item = ? AND seq > ? ORDER BY annotator"
    return [row["annotator"] for row in db.execute(sql, (item, decision["last_event"]))]


def count_decisions(store: LabelStore) -> int:
    """Return how many decisions were made, those that were undone and undoing included.

    Parameters
    ----------
    store : LabelStore

    Returns
    -------
    int
    """
    return store.count("SELECT COALESCE(MAX(seq), 0) FROM decision")


def read_decisions(store: LabelStore) -> dict[int, str]:
    """Return the labels that the owner decided.

    Parameters
    ----------
    store : LabelStore

    Returns
    -------
    dict of int to str
        By the item's number.
    """
    return {row["item"]: row["value"] for row in store.query("SELECT item, value FROM decided WHERE kind = 'label'")}


def read_decided(store: LabelStore) -> Decided:
    """Return what the owner decided, and the known answers of gold items that somebody has labelled.

    Parameters
    ----------
    store : LabelStore

    Returns
    -------
    Decided
    """
    labels = store.query(_LABELS)
    sql = "SELECT i.id, i.key FROM decided d JOIN item i ON i.id = d.item WHERE d.kind = 'exclude'"
    excluded = store.query(sql)
    return Decided(
        {row["id"]: row["value"] for row in labels},
        frozenset(row["id"] for row in excluded),
        {row["key"]: row["value"] for row in labels},
        frozenset(row["key"] for row in excluded),
    )
