"""Store: labels in one SQLite file, safe the moment they are acknowledged; every query and every transaction on it.

The database must be on a local disk: SQLite's write-ahead log is not safe on network file systems.
"""

from __future__ import annotations

import errno
import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from alkit.annotate.schema import upgrade

_BUSY_SECONDS = 30.0
_CHUNK = 500  # rows a transaction of a ranking: a longer one would keep labels waiting

# what an annotator may be given of a queue: still wanted by more than hold it, and never seen by them
_OPEN = """
    q.wanted > (SELECT COUNT(*) FROM lease l WHERE l.item = q.item AND l.expires > :now)
    AND NOT EXISTS (SELECT 1 FROM lease l WHERE l.item = q.item AND l.annotator = :annotator AND l.expires > :now)
    AND NOT EXISTS (SELECT 1 FROM answer a WHERE a.item = q.item AND a.annotator = :annotator)
"""

_NEXT = f"""
    WITH version AS (SELECT MAX(version) FROM model),
    begun AS (
        SELECT q.item FROM queue q WHERE q.wanted > 0 AND q.n_labels > 0 AND {_OPEN} ORDER BY q.item LIMIT 1
    ),
    ranked AS (
        SELECT q.item FROM ranking r JOIN queue q ON q.item = r.item
        WHERE r.model_version = (SELECT * FROM version) AND r.position IS NOT NULL AND q.n_labels = 0 AND {_OPEN}
        ORDER BY r.position LIMIT 1
    ),
    drawn AS (
        SELECT q.item FROM queue q WHERE q.wanted > 0 AND q.n_labels = 0 AND {_OPEN} ORDER BY q.item LIMIT 1
    ),
    n_open AS (
        SELECT (SELECT COUNT(*) FROM queue WHERE wanted > 0 AND n_labels = 0)
        - (SELECT COUNT(*) FROM answer a JOIN queue q ON q.item = a.item
           WHERE a.annotator = :annotator AND a.kind = 'skip' AND q.wanted > 0 AND q.n_labels = 0)
        - (SELECT COUNT(*) FROM queue q
           WHERE q.item IN (SELECT l.item FROM lease l WHERE l.expires > :now) AND q.wanted > 0 AND q.n_labels = 0
           AND NOT ({_OPEN})
           AND NOT EXISTS (SELECT 1 FROM answer a WHERE a.item = q.item AND a.annotator = :annotator))
    ),
    pick AS (
        SELECT item, NULL AS source FROM begun
        UNION ALL SELECT item, 'strategy' FROM ranked WHERE :ranked
        UNION ALL SELECT item, 'random' FROM drawn
        LIMIT 1
    )
    INSERT OR REPLACE INTO lease
    SELECT
        pick.item, :annotator, :now, :expires,
        COALESCE(pick.source, first.source, 'unasked'),
        CASE WHEN pick.source IS NULL THEN first.probability ELSE (
            SELECT share / (SELECT * FROM n_open) + (1 - share) * (pick.item = COALESCE((SELECT item FROM ranked), -1))
            FROM (SELECT CASE WHEN EXISTS (SELECT 1 FROM ranked) THEN :random_share ELSE 1.0 END AS share)
        ) END,
        (SELECT * FROM version), r.prediction, r.confidence
    FROM pick
    LEFT JOIN lease first ON first.item = pick.item AND first.granted = (
        SELECT MIN(l.granted) FROM lease l WHERE l.item = pick.item
    )
    LEFT JOIN ranking r ON r.item = pick.item AND r.model_version = (SELECT * FROM version)
    LIMIT 1
    RETURNING *
"""

_ANSWER = """
    INSERT INTO answer (item, annotator, kind, value, event)
    SELECT item, annotator, kind, value, seq FROM event e
    WHERE item = :item AND annotator = :annotator AND kind <> 'undo'
    AND NOT EXISTS (SELECT 1 FROM event u WHERE u.kind = 'undo' AND u.value = e.uuid)
    ORDER BY seq DESC LIMIT 1
"""

_WANTED = """
    WITH said AS (
        SELECT COALESCE(SUM(kind = 'label'), 0) AS labels, COALESCE(SUM(kind = 'flag'), 0) AS flags
        FROM answer WHERE item = queue.item
    )
    SELECT labels, CASE WHEN flags THEN 0 ELSE MAX(0, :overlap - labels) END FROM said
"""

# after undo the item is theirs again, unless enough others hold it by now
_LEASE_ANEW = """
    UPDATE lease SET expires = CASE
        WHEN (SELECT wanted FROM queue WHERE item = :item) >
            (SELECT COUNT(*) FROM lease l WHERE l.item = :item AND l.expires > :now)
        THEN :now + :seconds ELSE :now END
    WHERE item = :item AND annotator = :annotator
    AND NOT EXISTS (SELECT 1 FROM answer WHERE item = :item AND annotator = :annotator)
"""

_MAJORITY = """
    SELECT item, value FROM (
        SELECT item, value, ROW_NUMBER() OVER (PARTITION BY item ORDER BY COUNT(*) DESC, MIN(event)) AS place
        FROM answer WHERE kind = 'label' GROUP BY item, value
    ) WHERE place = 1 ORDER BY item
"""

_ORIGIN = ("source", "probability", "model_version", "prediction", "confidence")
_ACKNOWLEDGED = (("uuid", "uuid"), ("item", "key"), ("kind", "kind"))


class Conflict(ValueError):  # noqa: N818
    """What was sent does not fit what is in the database."""


class UnknownItem(LookupError):  # noqa: N818
    """No item has this id."""


class Ranked(NamedTuple):
    """A row of a ranking."""

    item: int
    position: int | None
    utility: float | None
    prediction: str | None
    confidence: float | None


class Labels(NamedTuple):
    """What a model is to learn from, and what it may rank."""

    items: list[int]
    """Items with a label."""
    values: list[str]
    """Their labels; where annotators differ that of most of them, or the first of equally many."""
    n_labels: int
    """How many labels these are made from."""
    fresh: list[int]
    """Items open to labelling that nobody has labelled: no ranking can tell one annotator what another said."""
    last_event: int
    """The last event they follow from."""


class Store:
    """A labelling database.

    Parameters
    ----------
    path : str or Path
        The file; made where there is none.
    read_only : bool, default=False
        Open what is there, to look at it while a session is labelling.
    """

    def __init__(self, path: str | Path, *, read_only: bool = False):
        self.path = Path(path)
        if read_only and not self.path.exists():
            raise ValueError(f"there is no database {self.path}; label something first")
        self._lock = threading.RLock()
        self._db = sqlite3.connect(
            self.path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=256
        )
        self._db.row_factory = sqlite3.Row
        try:
            if not read_only:
                self._db.execute("PRAGMA journal_mode = WAL")
            upgrade(self._db, self.path)
        except sqlite3.DatabaseError as error:
            self._db.close()
            if error.sqlite_errorcode == sqlite3.SQLITE_NOTADB:
                raise ValueError(f"{self.path} is not a database; pass another path") from error
            raise _disk_error(error, self.path) from error
        except ValueError:
            self._db.close()
            raise
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute(f"PRAGMA query_only = {read_only:d}")

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """Do all or nothing, and be durable when left."""
        with self._lock:
            try:
                self._db.execute("BEGIN IMMEDIATE")
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
        with self._transaction() as db:
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
        with self._transaction() as db:
            self._put_meta("overlap", overlap)
            db.execute(f"UPDATE queue SET (n_labels, wanted) = ({_WANTED})", {"overlap": overlap})

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
        with self._transaction():
            for key, value in settings.items():
                self._put_meta(key, value)

    def _put_meta(self, key: str, value: Any) -> None:
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, json.dumps(value)))

    # annotators

    def add_token(self, token_hash: str, name: str | None) -> None:
        """Let the holder of a token in.

        Parameters
        ----------
        token_hash : str
        name : str or None
            The annotator; None is the owner.
        """
        with self._transaction() as db:
            db.execute("INSERT INTO annotator VALUES (?, ?)", (token_hash, name))

    def remove_tokens(self) -> None:
        """Lock everybody out."""
        with self._transaction() as db:
            db.execute("DELETE FROM annotator")

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
        with self._transaction() as db:
            found = db.execute(_NEXT, asked | {"ranked": ranked, "random_share": random_share}).fetchall()
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
                SELECT item FROM lease WHERE annotator = ? AND expires > ? ORDER BY granted LIMIT 1
            ) RETURNING *
        """
        with self._transaction() as db:
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
        with self._transaction() as db:
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
                db.execute(_LEASE_ANEW, {"item": item, "annotator": annotator, "now": now, "seconds": lease_seconds})
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
        self._db.execute(_ANSWER, whose)
        self._db.execute(
            f"UPDATE queue SET (n_labels, wanted) = ({_WANTED}) WHERE item = :item",
            {"item": item, "overlap": self.meta("overlap")},
        )

    # what was said

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

    def counts(self) -> dict[str, int]:
        """Return how many labels there are of each class that has any.

        Returns
        -------
        dict of str to int
        """
        found = self.query("SELECT value, COUNT(*) FROM answer WHERE kind = 'label' GROUP BY value")
        return {value: n for value, n in found}

    def answers(self, annotator: str | None = None) -> Iterator[dict[str, Any]]:
        """Return the answers that count, in the order given.

        Parameters
        ----------
        annotator : str, optional
            Only theirs.

        Yields
        ------
        dict
            ``item``, ``text``, ``image`` (file name), ``row``; ``annotator``, ``kind`` ("label", "skip" or "flag"),
            ``value``, ``seconds``, ``late``, ``time`` (Unix time), ``uuid``; ``source`` ("strategy", "random", or
            "unasked"), selection ``probability``, ``model_version``, and ``suggestion`` (``value`` and ``confidence``, as
            shown, or None).
        """
        rows = self.query(
            """
            SELECT e.*, i.key, i.content FROM answer a JOIN event e ON e.seq = a.event JOIN item i ON i.id = a.item
            WHERE a.annotator = COALESCE(?, a.annotator) ORDER BY e.seq
            """,
            annotator,
        )
        for row in rows:
            content = json.loads(row["content"])
            suggested = row["source"] == "strategy" and row["prediction"] is not None
            yield {
                "item": row["key"],
                "text": content["text"],
                "image": content.get("image"),
                "row": content["row"],
                **{name: row[name] for name in ("annotator", "kind", "value", "seconds")},
                "late": bool(row["late"]),
                "time": row["recorded"],
                **{name: row[name] for name in ("uuid", "source", "probability", "model_version")},
                "suggestion": {"value": row["prediction"], "confidence": row["confidence"]} if suggested else None,
            }

    def labels(self) -> Labels:
        """Return what a model is to learn from, and what it may rank, as of one moment.

        Returns
        -------
        Labels
        """
        with self._lock:
            self._db.execute("BEGIN")
            try:
                said = self.query(_MAJORITY)
                fresh = self.query("SELECT item FROM queue WHERE wanted > 0 AND n_labels = 0 ORDER BY item")
                return Labels(
                    [row["item"] for row in said],
                    [row["value"] for row in said],
                    self.count("SELECT COUNT(*) FROM answer WHERE kind = 'label'"),
                    [row["item"] for row in fresh],
                    self.count("SELECT COALESCE(MAX(seq), 0) FROM event"),
                )
            finally:
                self._db.execute("COMMIT")

    # models

    def put_ranking(self, rows: Iterable[Ranked], n_labels: int, now: float) -> int:
        """Swap in a new ranking; until it is complete, the old one counts.

        Parameters
        ----------
        rows : iterable of Ranked
        n_labels : int
            Labels the model was fitted on.
        now : float
            Unix time, in seconds.

        Returns
        -------
        int
            The version of the model.
        """
        version = self.query("SELECT COALESCE(MAX(version), 0) + 1 FROM model")[0][0]
        self._forget("model_version >= ?", version)  # what a killed trainer left
        rows = list(rows)
        for start in range(0, len(rows), _CHUNK):
            chunk = [(version, *row) for row in rows[start : start + _CHUNK]]
            with self._transaction() as db:
                db.executemany("INSERT INTO ranking VALUES (?, ?, ?, ?, ?, ?)", chunk)
        with self._transaction() as db:
            db.execute("INSERT INTO model VALUES (?, ?, ?)", (version, n_labels, now))
        self._forget("model_version < ?", version)
        return version

    def _forget(self, which: str, version: int) -> None:
        sql = f"""
            DELETE FROM ranking WHERE {which} AND (model_version, item) IN (
                SELECT model_version, item FROM ranking WHERE {which} LIMIT {_CHUNK}
            )
        """
        while True:
            with self._transaction() as db:
                if not db.execute(sql, (version, version)).rowcount:
                    return


def _disk_error(error: sqlite3.Error, path: Path) -> Exception:
    """Return a failed write as what it is; other errors as they are."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code not in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY):
        return error
    number = errno.ENOSPC if code == sqlite3.SQLITE_FULL else errno.EIO
    return OSError(number, f"nothing was saved ({error}); free space on its disk, or make it writable", str(path))
