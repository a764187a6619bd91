"""A database of labels of either kind: transactions and queries, which threads may share."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from alkit._optional import needs_extra
from alkit.annotate.database.engine import Engine, Kind, Lock
from alkit.annotate.database.errors import locked
from alkit.annotate.database.places import Place, as_place
from alkit.annotate.database.postgres.url import PostgresUrl
from alkit.annotate.database.sqlite import Sqlite

# How long a label waits for a lock before the annotator is told, and how long a trainer, whom nobody waits for, does.
_BUSY_SECONDS = 5.0
_PATIENT_SECONDS = 30.0


class Database:
    """The tables of a labelling database; threads may share it.

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
        self.path = as_place(path)
        self._seconds = _BUSY_SECONDS if durable else _PATIENT_SECONDS
        self._lock = threading.RLock()
        self._reading = threading.Lock()
        self._writing: int | None = None  # the thread that is in a transaction
        self.engine = _open(self.path, self._seconds, read_only=read_only, durable=durable)

    @property
    def _db(self) -> sqlite3.Connection:
        return self.engine.writer

    def close(self) -> None:
        """Close the database."""
        with self._lock, self._reading:
            self.engine.close()

    @contextmanager
    def transaction(self, kind: Kind = "IMMEDIATE") -> Iterator[sqlite3.Connection]:
        """Run statements that take effect together or not at all; durable once the block is left.

        Parameters
        ----------
        kind : {"IMMEDIATE", "DEFERRED", "CONCURRENT", "EXCLUSIVE"}
            "DEFERRED" to read several things as of the same moment; see `Kind`.

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
                self.engine.begin(kind)
                yield self.engine.writer
                self.engine.commit()
            except BaseException as error:
                self.engine.roll_back()
                if isinstance(error, self.engine.errors):
                    raise self.engine.translated(error) from error
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
            If the database is damaged, or cannot be reached.
        """
        given = named or parameters
        if self._writing == threading.get_ident():
            return self.engine.writer.execute(sql, given).fetchall()
        with self._reading:
            return self.engine.read(sql, given)

    def try_lock(self, lock: Lock) -> bool:
        """Take a lock until the database is closed, if nobody else holds it.

        Parameters
        ----------
        lock : Lock

        Returns
        -------
        bool
        """
        with self._alone():
            return self.engine.try_lock(lock)

    def keep_model(self, content: bytes | None) -> None:
        """Keep a fitted model in place of the last one, or none.

        Parameters
        ----------
        content : bytes or None
        """
        with self._alone():
            self.engine.keep_model(content)

    def kept_model(self) -> bytes | None:
        """Return the model that was kept.

        Returns
        -------
        bytes or None
        """
        with self._reading:
            return self.engine.kept_model()

    def copy_to(self, other: sqlite3.Connection) -> None:
        """Copy everything as of one moment, also while others write.

        Parameters
        ----------
        other : Connection
            To an empty file.
        """
        with self._lock, self._reading:
            self.engine.copy_to(other)

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

    def checkpoint(self) -> bool:
        """Move what SQLite's write-ahead log holds to the file, as far as no reader needs it in the log.

        Returns
        -------
        bool
            Whether all of it was moved; nothing is to be moved of other kinds of databases.

        Raises
        ------
        OSError
            If the disk is full.
        """
        if not isinstance(self.engine, Sqlite):
            return True
        with self._alone():
            return self.engine.checkpoint()


def _open(place: Place, seconds: float, *, read_only: bool, durable: bool) -> Engine:
    if isinstance(place, PostgresUrl):
        with needs_extra("postgres", "a database at postgresql://"):
            from alkit.annotate.database.postgres.engine import Postgres
        return Postgres(place, seconds, read_only=read_only, durable=durable)
    return Sqlite(place, seconds, read_only=read_only, durable=durable)
