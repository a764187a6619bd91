"""The labels of a project: items, events, and which annotator is given which item.

A file of SQLite must be on a local disk, because its write-ahead log is not safe on network file systems; a database of
PostgreSQL may be anywhere.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

from alkit.annotate.database.class_names import ClassChange, present_name, present_name_of_old
from alkit.annotate.database.database import Database
from alkit.annotate.database.engine import Kind
from alkit.annotate.database.events import Conflict, UnknownItem
from alkit.annotate.database.label_kinds import ONE_LABEL, SEVERAL_LABELS, LabelKind
from alkit.annotate.database.places import Place
from alkit.annotate.database.statements import ANSWER, GRANT, LEASE_ANEW, PICK, PUT_META, UPDATE_QUEUE

_TELL_SECONDS = 0.1  # how long a label may wait for readers to let go of the log

_ORIGIN = ("source", "probability", "model_version", "prediction", "confidence")  # columns from lease to event

_ACKNOWLEDGED = """
    SELECT e.annotator, e.kind, e.late, i.key FROM event e JOIN item i ON i.id = e.item WHERE e.uuid = :uuid
    UNION ALL SELECT n.annotator, 'note', 0, i.key FROM note n JOIN item i ON i.id = n.item WHERE n.uuid = :uuid
"""


class LabelStore(Database):
    """A labelling database.

    Parameters
    ----------
    path : str, Path or PostgresUrl
        A file, or ``postgresql://...``; created if there is none.
    read_only : bool, default=False
        Open an existing database to read it, also while a session is labelling.
    durable : bool, default=True
        Whether commits wait for the disk. False for what can be computed again, such as rankings: labels then do not
        wait for those commits either.
    """

    def __init__(self, path: str | Place, *, read_only: bool = False, durable: bool = True):
        super().__init__(path, read_only=read_only, durable=durable)
        self.last_recorded = time.monotonic()  # of the last event; before the first one, of now

    @property
    def kind(self) -> LabelKind:
        """Whether items have one class each, or any number."""
        return SEVERAL_LABELS if self.meta("multi", False) else ONE_LABEL

    # items

    def add_items(self, items: Sequence[tuple[str, int, str]], overlap: int, fingerprint: str) -> None:
        """Fill an empty database.

        Parameters
        ----------
        items : sequence of (key, position, content)
            In random order.
        overlap : int
            How many annotators are to label each item.
        fingerprint : str
            A hash of all items, by which a later session knows them.
        """
        with self.transaction() as db:
            numbered = ((number, *item) for number, item in enumerate(items))
            db.executemany("INSERT INTO item (id, key, position, content) VALUES (?, ?, ?, ?)", numbered)
            db.execute("INSERT INTO queue (item, wanted) SELECT id, ? FROM item", (overlap,))
            self._put_meta("overlap", overlap)
            self._put_meta("fingerprint", fingerprint)

    def set_overlap(self, overlap: int) -> None:
        """Change how many annotators are to label each item; whatever was asked beyond that is asked no more.

        Parameters
        ----------
        overlap : int
        """
        with self.transaction() as db:
            self._put_meta("overlap", overlap)
            db.execute("UPDATE queue SET asked = NULL WHERE asked IS NOT NULL")
            db.execute(UPDATE_QUEUE, {"overlap": overlap})

    def meta(self, key: str, default: Any = None) -> Any:
        """Return a setting kept with the labels.

        Parameters
        ----------
        key : str
        default : object, optional
            Returned where there is none.

        Returns
        -------
        object of plain JSON types
        """
        rows = self.query("SELECT value FROM meta WHERE key = ?", key)
        return json.loads(rows[0]["value"]) if rows else default

    def put_meta(self, **settings: Any) -> None:
        """Keep settings with the labels.

        Parameters
        ----------
        **settings : objects of plain JSON types
        """
        with self.transaction():
            self.put_in_transaction(**settings)

    def put_in_transaction(self, **settings: Any) -> None:
        """Keep settings within a transaction that has begun.

        Parameters
        ----------
        **settings : objects of plain JSON types
        """
        for key, value in settings.items():
            self._put_meta(key, value)

    def _put_meta(self, key: str, value: Any) -> None:
        self._db.execute(PUT_META, (key, json.dumps(value)))

    def class_changes(self) -> list[ClassChange]:
        """Return how classes were added, renamed and merged, in order.

        Returns
        -------
        list of ClassChange
        """
        rows = self.query("SELECT kind, name, present, last_event, recorded FROM class_change ORDER BY seq")
        return [ClassChange(*row) for row in rows]

    # labelling

    def next(
        self, annotator: str, *, now: float, lease_seconds: float, ranked: bool, random_share: float
    ) -> sqlite3.Row | None:
        """Give an annotator an item: one that others have labelled, else the best-ranked one or a random one.

        Parameters
        ----------
        annotator : str
        now : float
            Unix time, in seconds.
        lease_seconds : float
            How long the item is held for the annotator.
        ranked : bool
            Whether to take the best-ranked item rather than a random one.
        random_share : float
            The probability that `ranked` is False, from which the selection probability follows.

        Returns
        -------
        Row of table ``lease``, or None if nothing is open to this annotator
        """
        parameters = {
            "annotator": annotator,
            "now": now,
            "expires": now + lease_seconds,
            "ranked": ranked,
            "random_share": random_share,
        }
        picked = True
        while picked:
            picked, lease = self._hand_out("CONCURRENT", self.engine.skip_locked, parameters)
            if lease is not None:
                return lease
        if not self.engine.is_shared:
            return None
        # what others were just being given, or labelled, was passed over: look once more while nobody does either
        return self._hand_out("EXCLUSIVE", "", parameters)[1]

    def _hand_out(self, kind: Kind, skip_locked: str, parameters: dict[str, Any]) -> tuple[bool, sqlite3.Row | None]:
        """Return whether there was an item to be given, and the lease, unless others were faster."""
        with self.transaction(kind) as db:
            picked = db.execute(
                PICK.format(skip_locked=skip_locked, n_fresh=self.engine.n_fresh), parameters
            ).fetchone()
            if picked is None:
                return False, None
            chosen = {name: picked[name] for name in ("item", "source", "probability")}
            return True, db.execute(GRANT, {**parameters, **chosen}).fetchone()

    def record(self, event: dict[str, Any], annotator: str, *, now: float, lease_seconds: float) -> dict[str, Any]:
        """Append an event; it is on disk when this returns.

        Parameters
        ----------
        event : dict
            ``uuid``, ``item``, ``kind``, ``value``, ``seconds``, ``version``, checked by the caller.
        annotator, now, lease_seconds
            As in `next`; an undo holds the item anew.

        Returns
        -------
        dict
            ``uuid``, ``item``, ``kind``, ``late``; those of the recorded event, if there is one with this uuid.
        """
        with self.recording():
            known = self._acknowledged(event["uuid"], annotator)
            if known:
                return known
            if event["kind"] == "note":
                key, late = self._append_note(event, annotator, now), False
            elif event["kind"] == "undo":
                key, late = self._undo(event, annotator, now, lease_seconds), False
            else:
                key, late = self._answer(event, annotator, now)
        return {"uuid": event["uuid"], "item": key, "kind": event["kind"], "late": late}

    def _answer(self, event: dict[str, Any], annotator: str, now: float) -> tuple[str, bool]:
        """Record a label, skip or flag; return the item's key, and whether the answer is late."""
        item, key, present = self._item(event["item"])
        # a page may have been open since before the text changed; a backup may be older than a page
        shown = event.get("version")
        event = {**event, "version": present if shown is None else min(shown, present)}
        if event["kind"] == "label":
            event["value"] = self.kind.renamed(event["value"], self._present_class)
        lease = self._lease(item, annotator)
        # an answered item has no expiry: whoever answered it in time may change the answer at any time
        held = lease is not None and (lease["expires"] is None or lease["expires"] > now)
        self._append(event, item, annotator, lease, late=not held, now=now)
        self._update_answers(item, annotator)
        if held:
            ends = now if event["kind"] == "skip" else None
            self._db.execute("UPDATE lease SET expires = ? WHERE item = ? AND annotator = ?", (ends, item, annotator))
        return key, not held

    def _undo(self, event: dict[str, Any], annotator: str, now: float, lease_seconds: float) -> str:
        """Record an undo, and hold the item anew; return its key."""
        undone = self._undone(event, annotator)
        item = undone["item"]
        self._append(event, item, annotator, self._lease(item, annotator), late=False, now=now)
        self._update_answers(item, annotator)
        parameters = {"item": item, "annotator": annotator, "now": now, "seconds": lease_seconds}
        self._rename_answer({"item": item, "annotator": annotator})
        if not undone["late"]:
            self._db.execute(LEASE_ANEW, parameters)
        return str(undone["key"])

    def _append_note(self, event: dict[str, Any], annotator: str, now: float) -> str:
        """Write a note down; return the item's key."""
        item, key, _ = self._item(event["item"])
        if not self._db.execute("SELECT 1 FROM answer WHERE item = ? AND annotator = ?", (item, annotator)).fetchone():
            raise Conflict(f"{annotator} has no answer to item {key!r}; answer it first, then write a note on it")
        row = (event["uuid"], item, annotator, event["value"], now)
        self._db.execute("INSERT INTO note (uuid, item, annotator, value, recorded) VALUES (?, ?, ?, ?, ?)", row)
        return key

    def _lease(self, item: int, annotator: str) -> sqlite3.Row | None:
        """Return how an item was given to an annotator, if it was."""
        sql = "SELECT * FROM lease WHERE item = ? AND annotator = ?"
        lease: sqlite3.Row | None = self._db.execute(sql, (item, annotator)).fetchone()
        return lease

    @contextmanager
    def recording(self) -> Iterator[sqlite3.Connection]:
        """Run statements in a transaction that adds what people say; it is on disk once the block is left.

        Yields
        ------
        Connection
        """
        with self.transaction() as db:
            first_in_log = not self.engine.is_shared and self.meta("settled") is not None
            if first_in_log:
                self._put_meta("settled", None)
            yield db
        self.last_recorded = time.monotonic()
        if first_in_log:
            self.tell_copies()

    def tell_copies(self) -> None:
        """Have the database's own file say, before a label is acknowledged, that from now on it is not all there is."""
        until = time.monotonic() + _TELL_SECONDS  # a reader of another program may hold the log for hours
        with suppress(OSError):  # a full disk: the label is in the log, so it is safe all the same
            while not self.checkpoint() and time.monotonic() < until:
                time.sleep(0.01)

    def _acknowledged(self, uuid: str, annotator: str) -> dict[str, Any] | None:
        """Return what was answered to an event of this uuid, None if there is none: clients may send events twice."""
        event = self._db.execute(_ACKNOWLEDGED, {"uuid": uuid}).fetchone()
        if event is None:
            return None
        if event["annotator"] != annotator:
            raise Conflict(f"uuid {uuid!r} is of another annotator's event; draw a new one")
        return {"uuid": uuid, "item": event["key"], "kind": event["kind"], "late": bool(event["late"])}

    def _append(
        self, event: dict[str, Any], item: int, annotator: str, lease: sqlite3.Row | None, *, late: bool, now: float
    ) -> None:
        """Write an event down, with why the item was given to the annotator."""
        origin = {name: lease[name] if lease else None for name in _ORIGIN}
        row = {**event, "item": item, "annotator": annotator, "late": late, "recorded": now, **origin}
        columns = ", ".join(row)
        values = ", ".join(f":{name}" for name in row)
        self._db.execute(f"INSERT INTO event ({columns}) VALUES ({values})", row)

    def _present_class(self, name: str) -> str:
        """Return what a class is called now; a page may show its earlier name for some seconds yet."""
        changes = self.class_changes()
        if not changes or name in self.meta("classes", []):
            return name
        return present_name_of_old(changes, name)

    def _item(self, key: str) -> tuple[int, str, int]:
        """Return the number, the key and the version of an item."""
        item = self._db.execute("SELECT id, key, version FROM item WHERE key = ?", (key,)).fetchone()
        if not item:
            raise UnknownItem(f"there is no item {key!r}")
        return tuple(item)

    def _undone(self, event: dict[str, Any], annotator: str) -> sqlite3.Row:
        """Return the event that is to be undone, if it is the annotator's and not undone yet."""
        sql = """
            SELECT e.*, i.key, EXISTS (SELECT 1 FROM event u WHERE u.kind = 'undo' AND u.value = e.uuid) AS gone
            FROM event e JOIN item i ON i.id = e.item WHERE uuid = ? AND annotator = ? AND kind <> 'undo'
        """
        undone = self._db.execute(sql, (event["value"], annotator)).fetchone()
        if not undone:
            raise Conflict(f"{annotator} has no event {event['value']!r} that could be undone")
        if event["item"] not in (None, undone["key"]):
            raise Conflict(f"event {event['value']!r} is of item {undone['key']!r}, not {event['item']!r}")
        if undone["gone"]:
            raise Conflict(f"event {event['value']!r} is undone already")
        return undone

    def _update_answers(self, item: int, annotator: str) -> None:
        """Bring the tables that follow from events, ``answer`` and ``queue``, up to date for one item."""
        parameters = {"item": item, "annotator": annotator}
        self._db.execute("DELETE FROM answer WHERE item = :item AND annotator = :annotator", parameters)
        self._db.execute(ANSWER, parameters)
        self._db.execute(
            f"{UPDATE_QUEUE} WHERE item = :item",
            {"item": item, "overlap": self.meta("overlap")},
        )

    def _rename_answer(self, parameters: dict[str, Any]) -> None:
        """Give an answer the present name of its class; an undo may bring a label back that has an earlier one."""
        changes = self.class_changes()
        if not changes:
            return
        where = "WHERE item = :item AND annotator = :annotator AND kind = 'label'"
        for row in self._db.execute(f"SELECT value, event FROM answer {where}", parameters).fetchall():
            value = self.kind.renamed(row["value"], partial(present_name, changes, event=row["event"]))
            self._db.execute(f"UPDATE answer SET value = :name {where}", {**parameters, "name": value})
