"""Answers and predictions that were given elsewhere, written in one transaction or not at all."""

from __future__ import annotations

import json
import sqlite3
import time
import uuid as uuids
from collections.abc import Sequence
from typing import NamedTuple

from alkit.annotate.database.statements import UPDATE_QUEUE
from alkit.annotate.database.store import LabelStore

SOURCE = "imported"
"""The ``source`` of answers that were given elsewhere."""

_EVENT = f"""
    INSERT INTO event (uuid, item, annotator, kind, value, seconds, late, recorded, source, version)
    VALUES (?, ?, ?, ?, ?, ?, 0, ?, '{SOURCE}', (SELECT version FROM item WHERE id = ?))
"""
_ANSWERS = """
    INSERT INTO answer SELECT item, annotator, kind, value, seq FROM event WHERE seq > ?
    ON CONFLICT (item, annotator) DO UPDATE SET kind = excluded.kind, value = excluded.value, event = excluded.event
"""
_QUEUE = f"{UPDATE_QUEUE} WHERE item IN (SELECT item FROM event WHERE seq > :last)"
_EVENT_OF = "SELECT item, annotator, kind, value FROM event WHERE uuid = ?"
_ANSWER_OF = "SELECT kind, value FROM answer WHERE item = ? AND annotator = ?"
# whoever held the item has answered it
_LEASES = """
    UPDATE lease SET expires = NULL
    WHERE expires IS NOT NULL AND EXISTS (SELECT 1 FROM answer a WHERE a.item = lease.item AND
        a.annotator = lease.annotator AND a.event > ?)
"""


class Answer(NamedTuple):
    """An answer that was given elsewhere."""

    uuid: str
    """The same whenever it is imported, so that it is added once."""
    item: int
    annotator: str
    kind: str
    value: str | None
    seconds: float | None
    time: float | None
    """Unix time at which it was given, None if that is not known."""


class Prediction(NamedTuple):
    """What a model of elsewhere predicts."""

    item: int
    value: str
    confidence: float | None


class Added(NamedTuple):
    """What was written of answers."""

    n_added: int
    n_known: int
    """Answers that the database has already, or had once."""
    differing: list[Answer]
    """Answers other than those that the same people gave here, which stay."""


def add_imported(
    store: LabelStore, answers: Sequence[Answer], predictions: Sequence[Prediction] = (), *, replace: bool = False
) -> Added:
    """Add answers that were given elsewhere, and predictions; on disk when this returns, all of them or none.

    Parameters
    ----------
    store : LabelStore
    answers : sequence of Answer
        At most one per item and annotator.
    predictions : sequence of Prediction
        Shown until the model here has been fitted on labels; not taken once it has.
    replace : bool, default=False
        Whether an answer takes the place of another one that the same person gave here.

    Returns
    -------
    Added

    Raises
    ------
    OSError
        If it cannot be written.
    """
    with store.recording() as db:
        added, new = _sort(db, answers, replace=replace)
        last = store.count("SELECT COALESCE(MAX(seq), 0) FROM event")
        now = time.time()
        db.executemany(_EVENT, [(*one[:6], now if one.time is None else one.time, one.item) for one in new])
        db.execute(_ANSWERS, (last,))
        db.execute(_QUEUE, {"last": last, "overlap": store.meta("overlap")})
        db.execute(_LEASES, (last,))
        _put_predictions(db, predictions, now)
    return added


def _sort(db: sqlite3.Connection, answers: Sequence[Answer], *, replace: bool) -> tuple[Added, list[Answer]]:
    """Return what is to be said of the answers, and those that are to be added."""
    new, differing, n_known = [], [], 0
    for one in answers:
        told = (one.kind, one.value)
        earlier = db.execute(_EVENT_OF, (one.uuid,)).fetchone()
        if earlier is not None and tuple(earlier) != (one.item, one.annotator, *told):
            # an export that somebody has mended: the event is another one, which must not lose the new answer
            one = one._replace(uuid=identity(one.uuid, *one[1:5]))
            earlier = db.execute(_EVENT_OF, (one.uuid,)).fetchone()
        here = db.execute(_ANSWER_OF, (one.item, one.annotator)).fetchone()
        if earlier is not None or (here is not None and tuple(here) == told):
            n_known += 1
        elif here is None or replace:
            new.append(one)
        else:
            differing.append(one)
    return Added(len(new), n_known, differing), new


def identity(*parts: object) -> str:
    """Return a uuid that is always the same for the same parts.

    Parameters
    ----------
    *parts : objects of plain JSON types

    Returns
    -------
    str
    """
    return str(uuids.uuid5(uuids.NAMESPACE_OID, json.dumps(parts)))


def _put_predictions(db: sqlite3.Connection, predictions: Sequence[Prediction], now: float) -> None:
    """Make predictions the ranking, the least confident first, unless there is one of a model that was fitted here."""
    fitted = db.execute("SELECT 1 FROM model WHERE n_labels > 0").fetchone()
    if not predictions or fitted:
        return
    # Items with labels are not predicted: what elsewhere's model learnt from these would be shown to the next person.
    fresh = {row[0] for row in db.execute("SELECT item FROM queue WHERE wanted > 0 AND n_labels = 0")}
    ranked = [one for one in predictions if one.item in fresh]
    ranked.sort(key=lambda one: 1.0 if one.confidence is None else one.confidence)
    (version,) = db.execute("SELECT COALESCE(MAX(version), 0) + 1 FROM model").fetchone()
    db.execute("DELETE FROM ranking")
    rows = [
        (version, one.item, place, None if one.confidence is None else 1.0 - one.confidence, one.value, one.confidence)
        for place, one in enumerate(ranked)
    ]
    db.executemany("INSERT INTO ranking VALUES (?, ?, ?, ?, ?, ?)", rows)
    db.execute("INSERT INTO model VALUES (?, 0, ?)", (version, now))


def withdraw(store: LabelStore, origin: str) -> None:
    """Undo all that was imported of an answer which is withdrawn elsewhere.

    Parameters
    ----------
    store : LabelStore
    origin : str
        How its uuids begin, which differ from change to change.
    """
    # the last first: undoing it brings the one before back
    find = """
        SELECT e.uuid, e.annotator, i.key FROM event e JOIN item i ON i.id = e.item
        WHERE e.uuid >= ? AND e.uuid < ? AND e.source = ?
        AND NOT EXISTS (SELECT 1 FROM event u WHERE u.kind = 'undo' AND u.value = e.uuid)
        ORDER BY e.seq DESC
    """
    for row in store.query(find, origin, f"{origin}~", SOURCE):  # uuids have no character that comes after "~"
        event = {"uuid": f"undo-{row['uuid']}", "item": row["key"], "kind": "undo", "value": row["uuid"]}
        store.record(event | {"seconds": None}, row["annotator"], now=time.time(), lease_seconds=0.0)
