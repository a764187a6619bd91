"""The labels of a session in one SQLite file: items, events, and which annotator is given which item.

The database must be on a local disk: SQLite's write-ahead log is not safe on network file systems.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from alkit.annotate.database.connect import connect_to_read, connect_to_write
from alkit.annotate.database.errors import locked, translated
from alkit.annotate.database.events import Conflict, UnknownItem
from alkit.annotate.database.schema import needs_upgrade, upgrade
from alkit.annotate.database.statements import ANSWER, LEASE_ANEW, NEXT, WANTED

# How long a label waits for a lock before the annotator is told, and how long a trainer, whom nobody waits for, does.
_BUSY_SECONDS = 5.0
_PATIENT_SECONDS = 30.0
# Pages of 4 KiB in the write-ahead log before they are moved to the database. Moving them delays one label, so it is
# done seldom.
_CHECKPOINT_PAGES = 10_000

_TELL_SECONDS = 0.1  # how long a label may wait for readers to let go of the log

_ORIGIN = ("source", "probability", "model_version", "prediction", "confidence")  # columns from lease to event


class LabelStore:
    """A labelling database.

    Parameters
    ----------
    path : str or Path
        The file; created if there is none.
    read_only : bool, default=False
        Open an existing database to read it, also while a session is labelling.
    durable : bool, default=True
        Whether commits wait for the disk. False for what can be computed again, such as rankings: labels then do not
        wait for those commits either.
    """

    def __init__(self, path: str | Path, *, read_only: bool = False, durable: bool = True):
        self.path = Path(path)
        if read_only and not (self.path.is_file() and self.path.stat().st_size):
            raise ValueError(f"there is no database {self.path}; label something first")
        self.last_recorded = time.monotonic()  # of the last event; before the first one, of now
        self._seconds = _BUSY_SECONDS if durable else _PATIENT_SECONDS
        self._lock = threading.RLock()
        self._reading = threading.Lock()
        self._writing: int | None = None  # the thread that is in a transaction
        with ExitStack() as opened:
            try:
                if read_only:
                    self._open_to_read(opened)
                else:
                    self._open_to_write(opened, durable)
            except sqlite3.DatabaseError as error:
                raise _refusal(error, self.path) from error
            self._opened = opened.pop_all()

    def _open_to_write(self, opened: ExitStack, durable: bool) -> None:
        """Turn the write-ahead log on, and bring the tables up to date."""
        self._db = connect_to_write(self.path, self._seconds)
        opened.callback(self._db.close)
        (mode,) = self._db.execute("PRAGMA journal_mode = WAL").fetchone()
        if mode != "wal":
            raise ValueError(f"{self.path} is where SQLite cannot keep a write-ahead log; put it on a local disk")
        upgrade(self._db, self.path)
        if durable:
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
        else:
            self._db.execute("PRAGMA synchronous = NORMAL")
        # Queries have a connection of their own, so that they do not wait for a transaction that waits for a lock.
        self._reader = connect_to_write(self.path, self._seconds)
        opened.callback(self._reader.close)
        self._reader.execute("PRAGMA query_only = 1")

    def _open_to_read(self, opened: ExitStack) -> None:
        """Open the file as it is; tables of an older alkit are brought up to date in memory."""
        self._db = connect_to_read(self.path, self._seconds, opened)
        if needs_upgrade(self._db, self.path):
            memory = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
            opened.callback(memory.close)
            self._db.backup(memory)
            memory.row_factory = sqlite3.Row
            upgrade(memory, self.path)
            self._db = memory
        self._db.execute("PRAGMA query_only = 1")
        self._reader = self._db

    def close(self) -> None:
        """Close the file."""
        with self._lock, self._reading:
            self._opened.close()

    @contextmanager
    def transaction(self, kind: str = "IMMEDIATE") -> Iterator[sqlite3.Connection]:
        """Run statements that take effect together or not at all; durable once the block is left.

        Parameters
        ----------
        kind : {"IMMEDIATE", "DEFERRED"}
            "DEFERRED" to read several things as of the same moment.

        Yields
        ------
        Connection

        Raises
        ------
        OSError
            If it could not be written, e.g. because the disk is full or another program locks the database.
        """
        with self._alone():
            outer, self._writing = self._writing, threading.get_ident()
            try:
                self._db.execute(f"BEGIN {kind}")
                yield self._db
                self._db.execute("COMMIT")
            except BaseException as error:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                if isinstance(error, sqlite3.DatabaseError):
                    raise translated(error, self.path) from error
                raise
            finally:
                self._writing = outer

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Wait for the transactions of other threads, but not for ever: they may all wait for another program."""
        if not self._lock.acquire(timeout=self._seconds):
            raise locked(self.path)
        try:
            yield
        finally:
            self._lock.release()

    def query(self, sql: str, *parameters: Any, **named: Any) -> list[sqlite3.Row]:
        """Return the rows that a statement selects; within a transaction, as of that transaction.

        Parameters
        ----------
        sql : str
        *parameters, **named
            Its parameters, either kind.

        Returns
        -------
        list of Row

        Raises
        ------
        OSError
            If the database is damaged.
        """
        given = named or parameters
        if self._writing == threading.get_ident():
            return self._db.execute(sql, given).fetchall()
        try:
            with self._reading:
                return self._reader.execute(sql, given).fetchall()
        except sqlite3.DatabaseError as error:
            if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_READONLY:
                raise  # the statement writes: nothing is wrong with the file
            raise translated(error, self.path) from error

    def copy_to(self, other: sqlite3.Connection) -> None:
        """Copy everything as of one moment, also while others write.

        Parameters
        ----------
        other : Connection
            To an empty file.
        """
        try:
            with self._reading:
                self._reader.backup(other)
        except sqlite3.DatabaseError as error:
            raise translated(error, self.path) from error

    def count(self, sql: str, *parameters: Any) -> int:
        """Return the single number that a statement selects.

        Parameters
        ----------
        sql : str
        *parameters
            Its parameters.

        Returns
        -------
        int
        """
        return self.query(sql, *parameters)[0][0]

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
        """Change how many annotators are to label each item.

        Parameters
        ----------
        overlap : int
        """
        with self.transaction() as db:
            self._put_meta("overlap", overlap)
            db.execute(f"UPDATE queue SET (n_labels, wanted) = ({WANTED})", {"overlap": overlap})

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
            for key, value in settings.items():
                self._put_meta(key, value)

    def _put_meta(self, key: str, value: Any) -> None:
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, json.dumps(value)))

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
        with self.transaction() as db:
            leases = db.execute(NEXT, parameters).fetchall()
        return leases[0] if leases else None

    def record(self, event: dict[str, Any], annotator: str, *, now: float, lease_seconds: float) -> dict[str, Any]:
        """Append an event; it is on disk when this returns.

        Parameters
        ----------
        event : dict
            ``uuid``, ``item``, ``kind``, ``value``, ``seconds``, checked by the caller.
        annotator, now, lease_seconds
            As in `next`; an undo holds the item anew.

        Returns
        -------
        dict
            ``uuid``, ``item``, ``kind``, ``late``; those of the recorded event, if there is one with this uuid.
        """
        with self.transaction() as db:
            known = self._acknowledged(event["uuid"], annotator)
            if known:
                return known
            first_in_log = self.meta("settled") is not None
            if first_in_log:
                self._put_meta("settled", None)
            undone = None
            if event["kind"] == "undo":
                undone = self._undone(event, annotator)
                item, key = undone["item"], undone["key"]
            else:
                item, key = self._item(event["item"])
            lease = db.execute("SELECT * FROM lease WHERE item = ? AND annotator = ?", (item, annotator)).fetchone()
            # an answered item has no expiry: whoever answered it in time may change the answer at any time
            held = lease is not None and (lease["expires"] is None or lease["expires"] > now)
            late = undone is None and not held
            self._append(event, item, annotator, lease, late=late, now=now)
            self._update_answers(item, annotator)
            if undone is not None and not undone["late"]:
                db.execute(LEASE_ANEW, {"item": item, "annotator": annotator, "now": now, "seconds": lease_seconds})
            elif held:
                ends = now if event["kind"] == "skip" else None
                db.execute("UPDATE lease SET expires = ? WHERE item = ? AND annotator = ?", (ends, item, annotator))
        self.last_recorded = time.monotonic()
        if first_in_log:
            self._tell_copies()
        return {"uuid": event["uuid"], "item": key, "kind": event["kind"], "late": late}

    def _tell_copies(self) -> None:
        """Have the database's own file say, before a label is acknowledged, that from now on it is not all there is."""
        until = time.monotonic() + _TELL_SECONDS  # a reader of another program may hold the log for hours
        with suppress(OSError):  # a full disk: the label is in the log, so it is safe all the same
            while not self.checkpoint() and time.monotonic() < until:
                time.sleep(0.01)

    def checkpoint(self) -> bool:
        """Move what the write-ahead log holds to the database's own file, as far as no reader needs it in the log.

        Returns
        -------
        bool
            Whether all of it was moved.

        Raises
        ------
        OSError
            If the disk is full.
        """
        with self._alone():
            try:
                busy, n_logged, n_moved = self._db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            except sqlite3.DatabaseError as error:
                raise translated(error, self.path) from error
        return not busy and n_logged == n_moved

    def _acknowledged(self, uuid: str, annotator: str) -> dict[str, Any] | None:
        """Return what was answered to an event of this uuid, None if there is none: clients may send events twice."""
        sql = "SELECT e.*, i.key FROM event e JOIN item i ON i.id = e.item WHERE uuid = ?"
        event = self._db.execute(sql, (uuid,)).fetchone()
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

    def _item(self, key: str) -> tuple[int, str]:
        """Return the number and the key of an item."""
        item = self._db.execute("SELECT id FROM item WHERE key = ?", (key,)).fetchone()
        if not item:
            raise UnknownItem(f"there is no item {key!r}")
        return item["id"], key

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
            f"UPDATE queue SET (n_labels, wanted) = ({WANTED}) WHERE item = :item",
            {"item": item, "overlap": self.meta("overlap")},
        )


def _refusal(error: sqlite3.DatabaseError, path: Path) -> Exception:
    """Return why a file cannot be opened as a database."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_NOTADB:
        return ValueError(
            f"{path} is not a database, or its beginning is damaged; pass another path, or take the last copy that "
            "'alkit backup' made"
        )
    if code == sqlite3.SQLITE_CANTOPEN:
        return OSError(f"{path} cannot be opened: {error}; pass the path of a file that you may read and write")
    return translated(error, path)
