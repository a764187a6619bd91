"""A database file: connections to it, transactions, queries, and what SQLite's errors mean for somebody who labels."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

from alkit.annotate.database.connect import connect, connect_to_read, connect_to_write
from alkit.annotate.database.errors import locked, translated
from alkit.annotate.database.lock import is_locked
from alkit.annotate.database.schema import needs_upgrade, upgrade

# How long a label waits for a lock before the annotator is told, and how long a trainer, whom nobody waits for, does.
_BUSY_SECONDS = 5.0
_PATIENT_SECONDS = 30.0
# Pages of 4 KiB in the write-ahead log before they are moved to the database. Moving them delays one label, so it is
# done seldom.
_CHECKPOINT_PAGES = 10_000


class Database:
    """A file with the tables of a labelling database; threads may share it.

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
        self._db = connect_to_read(self.path, self._seconds, opened, in_use=is_locked(self.path))
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


def refuse_other_files(path: Path) -> None:
    """Refuse a file that is no labelling database, before anything is written to it, or beside it.

    Parameters
    ----------
    path : Path
        May be empty, or not there.

    Raises
    ------
    ValueError
        If it is no labelling database.
    OSError
        If it is damaged, or another program locks it.
    """
    if not (path.is_file() and path.stat().st_size):
        return
    try:
        with closing(connect(path, "rw", _BUSY_SECONDS)) as db:
            needs_upgrade(db, path)
    except sqlite3.DatabaseError as error:
        raise _refusal(error, path) from error


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
