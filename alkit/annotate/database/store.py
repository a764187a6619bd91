"""LabelStore: labels in one SQLite file, safe the moment they are acknowledged, and who is given which item.

The database must be on a local disk: SQLite's write-ahead log is not safe on network file systems.
"""

from __future__ import annotations

import errno
import json
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alkit.annotate.database.events import Conflict, UnknownItem
from alkit.annotate.database.schema import upgrade
from alkit.annotate.database.statements import ANSWER, LEASE_ANEW, NEXT, WANTED

_BUSY_SECONDS = 30.0
_CHECKPOINT_PAGES = 10_000  # of 4 KiB; seldom, for who commits the label that fills them waits for all of them

_ORIGIN = ("source", "probability", "model_version", "prediction", "confidence")
_ACKNOWLEDGED = (("uuid", "uuid"), ("item", "key"), ("kind", "kind"))


class LabelStore:
    """A labelling database.

    Parameters
    ----------
    path : str or Path
        The file; made where there is none.
    read_only : bool, default=False
        Open what is there, to look at it while a session is labelling.
    durable : bool, default=True
        False for what can be computed again: commits do not wait for the disk, and labels not for them.
    """

    def __init__(self, path: str | Path, *, read_only: bool = False, durable: bool = True):
        self.path = Path(path)
        if read_only and not (self.path.is_file() and self.path.stat().st_size):
            raise ValueError(f"there is no database {self.path}; label something first")
        self._lock = threading.RLock()
        try:
            self._db = sqlite3.connect(
                self.path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=256
            )
        except sqlite3.OperationalError as error:
            raise OSError(
                f"{self.path} cannot be opened: {error}; pass the path of a file that can be written"
            ) from error
        self._db.row_factory = sqlite3.Row
        try:
            if not read_only and self._db.execute("PRAGMA journal_mode = WAL").fetchone()[0] != "wal":
                raise ValueError(f"{self.path} is where SQLite cannot keep a write-ahead log; put it on a local disk")
            upgrade(self._db, self.path)
        except sqlite3.DatabaseError as error:
            self._db.close()
            if error.sqlite_errorcode == sqlite3.SQLITE_NOTADB:
                raise ValueError(f"{self.path} is not a database; pass another path") from error
            raise _disk_error(error, self.path) from error
        except ValueError:
            self._db.close()
            raise
        if durable:
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
        else:
            self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.execute(f"PRAGMA query_only = {read_only:d}")

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    @contextmanager
    def transaction(self, kind: str = "IMMEDIATE") -> Iterator[sqlite3.Connection]:
        """Do all or nothing, and be durable when left.

        Parameters
        ----------
        kind : {"IMMEDIATE", "DEFERRED"}
            The latter to read several things as of one moment.

        Yields
        ------
        Connection

        Raises
        ------
        OSError
            If it could not be written, e.g. because the disk is full.
        """
        with self._lock:
            try:
                self._db.execute(f"BEGIN {kind}")
                yield self._db
                self._db.execute("COMMIT")
            except BaseException as error:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                if isinstance(error, sqlite3.OperationalError):
                    raise _disk_error(error, self.path) from error
                raise

    def query(self, sql: str, *parameters: Any) -> list[sqlite3.Row]:
        """Return the rows a statement selects.

        Parameters
        ----------
        sql : str
        *parameters
            Its parameters.

        Returns
        -------
        list of Row
        """
        with self._lock:
            return self._db.execute(sql, parameters).fetchall()

    def count(self, sql: str, *parameters: Any) -> int:
        """Return the one number a statement selects.

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
            Of all items.
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
        found = self.query("SELECT value FROM meta WHERE key = ?", key)
        return json.loads(found[0][0]) if found else default

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
        """Give an annotator an item: one others have begun, else the best-ranked one or a random one.

        Parameters
        ----------
        annotator : str
        now : float
            Unix time, in seconds.
        lease_seconds : float
            For how long nobody else gets it.
        ranked : bool
            Whether to prefer the ranking to a random draw.
        random_share : float
            How often that is not the case, for the selection probability.

        Returns
        -------
        Row of table ``lease``, or None if nothing is open to this annotator
        """
        asked = {"annotator": annotator, "now": now, "expires": now + lease_seconds}
        with self.transaction() as db:
            found = db.execute(NEXT, asked | {"ranked": ranked, "random_share": random_share}).fetchall()
        return found[0] if found else None

    def renew(self, annotator: str, *, now: float, lease_seconds: float) -> sqlite3.Row | None:
        """Give an annotator the item again that they have held longest.

        Parameters
        ----------
        annotator, now, lease_seconds
            As in `next`.

        Returns
        -------
        Row of table ``lease``, or None if they hold none
        """
        sql = """
            UPDATE lease SET expires = ? WHERE annotator = ? AND item = (
                SELECT l.item FROM lease l JOIN queue q ON q.item = l.item
                WHERE l.annotator = ? AND l.expires > ? AND q.wanted > 0 ORDER BY l.granted LIMIT 1
            ) RETURNING *
        """
        with self.transaction() as db:
            found = db.execute(sql, (now + lease_seconds, annotator, annotator, now)).fetchall()
        return found[0] if found else None

    def record(self, event: dict[str, Any], annotator: str, *, now: float, lease_seconds: float) -> dict[str, Any]:
        """Append an event; it is on disk when this returns.

        Parameters
        ----------
        event : dict
            ``uuid``, ``item``, ``kind``, ``value``, ``seconds``, checked by the caller.
        annotator, now, lease_seconds
            As in `next`; the lease of an item whose label is undone runs anew.

        Returns
        -------
        dict
            ``uuid``, ``item``, ``kind``, ``late``; of the first event, where this one's uuid is known.
        """
        with self.transaction() as db:
            known = db.execute(
                "SELECT e.*, i.key FROM event e JOIN item i ON i.id = e.item WHERE uuid = ?", (event["uuid"],)
            ).fetchone()
            if known:
                if known["annotator"] != annotator:
                    raise Conflict(f"uuid {event['uuid']!r} is of another annotator's event; draw a new one")
                return {key: known[column] for key, column in _ACKNOWLEDGED} | {"late": bool(known["late"])}
            undone = self._undone(event, annotator) if event["kind"] == "undo" else None
            item, key = (undone["item"], undone["key"]) if undone else self._item(event["item"])
            lease = db.execute("SELECT * FROM lease WHERE item = ? AND annotator = ?", (item, annotator)).fetchone()
            given = lease and (lease["expires"] is None or lease["expires"] > now)
            late = not undone and not given
            origin = {name: lease[name] if lease else None for name in _ORIGIN}
            row = {**event, "item": item, "annotator": annotator, "late": late, "recorded": now} | origin
            db.execute(f"INSERT INTO event ({', '.join(row)}) VALUES ({', '.join(':' + name for name in row)})", row)
            self._settle(item, annotator)
            if undone and not undone["late"]:
                db.execute(LEASE_ANEW, {"item": item, "annotator": annotator, "now": now, "seconds": lease_seconds})
            elif given:
                ends = now if event["kind"] == "skip" else None
                db.execute("UPDATE lease SET expires = ? WHERE item = ? AND annotator = ?", (ends, item, annotator))
        return {"uuid": event["uuid"], "item": key, "kind": event["kind"], "late": late}

    def _item(self, key: str) -> tuple[int, str]:
        found = self._db.execute("SELECT id FROM item WHERE key = ?", (key,)).fetchone()
        if not found:
            raise UnknownItem(f"there is no item {key!r}")
        return found["id"], key

    def _undone(self, event: dict[str, Any], annotator: str) -> sqlite3.Row:
        """Return the event that is to be undone, if it is there, one's own, and not undone yet."""
        sql = """
            SELECT e.*, i.key, EXISTS (SELECT 1 FROM event u WHERE u.kind = 'undo' AND u.value = e.uuid) AS gone
            FROM event e JOIN item i ON i.id = e.item WHERE uuid = ? AND annotator = ? AND kind <> 'undo'
        """
        found = self._db.execute(sql, (event["value"], annotator)).fetchone()
        if not found:
            raise Conflict(f"{annotator} has no event {event['value']!r} that could be undone")
        if event["item"] not in (None, found["key"]):
            raise Conflict(f"event {event['value']!r} is of item {found['key']!r}, not {event['item']!r}")
        if found["gone"]:
            raise Conflict(f"event {event['value']!r} is undone already")
        return found

    def _settle(self, item: int, annotator: str) -> None:
        """Bring what follows from events up to date for one item."""
        whose = {"item": item, "annotator": annotator}
        self._db.execute("DELETE FROM answer WHERE item = :item AND annotator = :annotator", whose)
        self._db.execute(ANSWER, whose)
        self._db.execute(
            f"UPDATE queue SET (n_labels, wanted) = ({WANTED}) WHERE item = :item",
            {"item": item, "overlap": self.meta("overlap")},
        )


def lock(database: Path) -> sqlite3.Connection:
    """Make sure that nobody else uses a database: by a lock that the system frees, however its holder ends.

    Parameters
    ----------
    database : Path

    Returns
    -------
    Connection
        Holds the lock until it is closed.

    Raises
    ------
    OSError
        If another process or session holds it, or the folder cannot be written.
    """
    holder = None
    try:
        path = database.with_name(database.name + ".lock")
        holder = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
        holder.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as error:
        if holder is not None:
            holder.close()
        if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
            reason = "is in use by another session or server; stop that, or pass another database"
        else:
            reason = f"cannot be used: {error}; pass a path that can be written"
        raise OSError(f"{database} {reason}") from error
    return holder


def _disk_error(error: sqlite3.Error, path: Path) -> Exception:
    """Return a failed write as what it is; other errors as they are."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code not in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY):
        return error
    number = errno.ENOSPC if code == sqlite3.SQLITE_FULL else errno.EIO
    return OSError(number, f"nothing was saved ({error}); free space on its disk, or make it writable", str(path))
