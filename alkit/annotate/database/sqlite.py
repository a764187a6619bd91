"""The engine of SQLite: a file, its write-ahead log, and two connections to it."""

from __future__ import annotations

import sqlite3
from contextlib import ExitStack, closing
from pathlib import Path

from alkit.annotate.database.connect import connect, connect_to_read, connect_to_write, model_path
from alkit.annotate.database.engine import Kind, Lock, Parameters
from alkit.annotate.database.errors import translated
from alkit.annotate.database.lock import is_locked
from alkit.annotate.database.schema import needs_upgrade, upgrade
from alkit.annotate.files import write_private

_ASKING_SECONDS = 5.0
# Pages of 4 KiB in the write-ahead log before they are moved to the database. Moving them delays one label, so it is
# done seldom.
_CHECKPOINT_PAGES = 10_000


class Sqlite:
    """A file with the tables of a labelling database.

    Parameters
    ----------
    path : Path
        Created if there is none.
    seconds : float
        How long statements wait for locks.
    read_only, durable : bool
        As for `Database`.
    """

    is_shared = False
    is_first = True
    n_fresh = "SELECT COUNT(*) FROM queue WHERE wanted > 0 AND n_labels = 0"
    skip_locked = ""  # a transaction is alone
    errors = sqlite3.DatabaseError

    def __init__(self, path: Path, seconds: float, *, read_only: bool, durable: bool):
        if read_only and not (path.is_file() and path.stat().st_size):
            raise ValueError(f"there is no database {path}; label something first")
        self.path, self._seconds = path, seconds
        with ExitStack() as opened:
            try:
                if read_only:
                    self._open_to_read(opened)
                else:
                    self._open_to_write(opened, durable)
            except sqlite3.DatabaseError as error:
                raise _refusal(error, path) from error
            self._opened = opened.pop_all()

    def _open_to_write(self, opened: ExitStack, durable: bool) -> None:
        """Turn the write-ahead log on, and bring the tables up to date."""
        self.writer = connect_to_write(self.path, self._seconds)
        opened.callback(self.writer.close)
        (mode,) = self.writer.execute("PRAGMA journal_mode = WAL").fetchone()
        if mode != "wal":
            raise ValueError(f"{self.path} is where SQLite cannot keep a write-ahead log; put it on a local disk")
        upgrade(self.writer, self.path)
        if durable:
            self.writer.execute("PRAGMA synchronous = FULL")
            self.writer.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
        else:
            self.writer.execute("PRAGMA synchronous = NORMAL")
        # Queries have a connection of their own, so that they do not wait for a transaction that waits for a lock.
        self._reader = connect_to_write(self.path, self._seconds)
        opened.callback(self._reader.close)
        self._reader.execute("PRAGMA query_only = 1")

    def _open_to_read(self, opened: ExitStack) -> None:
        """Open the file as it is; tables of an older alkit are brought up to date in memory."""
        self.writer = connect_to_read(self.path, self._seconds, opened, in_use=is_locked(self.path))
        if needs_upgrade(self.writer, self.path):
            memory = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
            opened.callback(memory.close)
            self.writer.backup(memory)
            memory.row_factory = sqlite3.Row
            upgrade(memory, self.path)
            self.writer = memory
        self.writer.execute("PRAGMA query_only = 1")
        self._reader = self.writer

    def close(self) -> None:
        """Close the file."""
        self._opened.close()

    def begin(self, kind: Kind) -> None:
        """Begin a transaction."""
        self.writer.execute("BEGIN DEFERRED" if kind == "DEFERRED" else "BEGIN IMMEDIATE")

    def commit(self) -> None:
        """End it; what it wrote is on disk then."""
        self.writer.execute("COMMIT")

    def roll_back(self) -> None:
        """End it, if there is one, as if it had not been."""
        if self.writer.in_transaction:
            self.writer.execute("ROLLBACK")

    def read(self, sql: str, parameters: Parameters) -> list[sqlite3.Row]:
        """Return what a statement selects, outside of transactions."""
        try:
            return self._reader.execute(sql, parameters).fetchall()
        except sqlite3.DatabaseError as error:
            if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_READONLY:
                raise  # the statement writes: nothing is wrong with the file
            raise translated(error, self.path) from error

    def translated(self, error: Exception) -> Exception:
        """Return what an error means for somebody who labels."""
        return translated(error, self.path)

    def try_lock(self, lock: Lock) -> bool:
        """Return True: what is locked for PostgreSQL, a session's lock on the file keeps others from."""
        return True

    def keep_model(self, content: bytes | None) -> None:
        """Keep a fitted model in a file beside the database, or remove that."""
        if content is None:
            model_path(self.path).unlink(missing_ok=True)
        else:
            write_private(model_path(self.path), content)

    def kept_model(self) -> bytes | None:
        """Return what is in the file beside the database."""
        path = model_path(self.path)
        return path.read_bytes() if path.exists() else None

    def copy_to(self, other: sqlite3.Connection) -> None:
        """Copy everything as of one moment, also while others write."""
        try:
            self._reader.backup(other)
        except sqlite3.DatabaseError as error:
            raise translated(error, self.path) from error

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
        try:
            busy, n_logged, n_moved = self.writer.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
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
        with closing(connect(path, "rw", _ASKING_SECONDS)) as db:
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
