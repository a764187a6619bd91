"""The engine of PostgreSQL: two connections that are opened again when they were lost, and transactions under locks."""

from __future__ import annotations

import json
import sqlite3
from contextlib import ExitStack, suppress
from typing import Any

import psycopg

from alkit.annotate.database import schema
from alkit.annotate.database.engine import Kind, Lock, Parameters
from alkit.annotate.database.postgres.connect import connect
from alkit.annotate.database.postgres.errors import translated, without_project
from alkit.annotate.database.postgres.locks import beginning, try_lock, unlock
from alkit.annotate.database.postgres.schema import VERSION_KEY, upgrade, version_of
from alkit.annotate.database.postgres.url import PostgresUrl

_KEEP_MODEL = "INSERT INTO model_file VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET content = excluded.content"


class Postgres:
    """A project on a server.

    Parameters
    ----------
    url : PostgresUrl
    seconds : float
        How long statements wait for locks.
    read_only, durable : bool
        As for `Database`. What is not durable is a trainer's: it loses its right to train with its connection, so that
        is not opened again.
    """

    is_shared = True
    is_first = True
    n_fresh = "SELECT n FROM fresh"  # kept by a trigger: counting 100,000 rows takes too long
    skip_locked = "FOR UPDATE OF q SKIP LOCKED"
    errors = psycopg.Error

    def __init__(self, url: PostgresUrl, seconds: float, *, read_only: bool, durable: bool):
        self._url, self._seconds = url, seconds
        self._read_only, self._durable = read_only, durable
        self._fingerprint: str | None = None  # of the items of a session at work
        with ExitStack() as opened:
            self._writer = self._reader = self._connect()
            opened.callback(self.close)
            try:
                self._check_tables()
            except psycopg.Error as error:
                raise self.translated(error) from error
            if not read_only:
                self._reader = self._connect(read_only=True)
            opened.pop_all()  # goes on

    def _connect(self, *, read_only: bool = False) -> Any:
        return connect(self._url, self._seconds, read_only=read_only or self._read_only, durable=self._durable)

    def _check_tables(self) -> None:
        """Make the tables, or bring them up to date; refuse to read those of an earlier alkit."""
        version = version_of(self._writer, self._url)
        if version == len(schema.MIGRATIONS):
            return
        if self._read_only:
            raise without_project(self._url, version)
        self.begin("EXCLUSIVE")
        upgrade(self._writer, self._url)
        self.commit()

    @property
    def writer(self) -> sqlite3.Connection:
        """The connection of transactions."""
        connection: sqlite3.Connection = self._writer
        return connection

    def close(self) -> None:
        """Close the connections."""
        self._writer.close()
        self._reader.close()

    # transactions

    def begin(self, kind: Kind) -> None:
        """Begin a transaction; nothing is lost yet where the connection was, so it is opened again."""
        try:
            self._writer.execute(beginning(self._url, kind))
        except psycopg.Error:
            if not (self._writer.is_lost and self._durable):
                raise
            self._open_again()
            self._writer.execute(beginning(self._url, kind))

    def commit(self) -> None:
        """End it; what it wrote is on the server's disk then."""
        self._writer.execute("COMMIT")

    def roll_back(self) -> None:
        """End it, if there is one, as if it had not been."""
        if self._writer.in_transaction:
            with suppress(psycopg.Error):  # the connection was lost: the server rolls back
                self._writer.execute("ROLLBACK")

    def _open_again(self) -> None:
        """Connect again; a session goes on only if it is still of the same items."""
        self._writer.close()
        self._writer = self._connect()
        if self._read_only:
            self._reader = self._writer
        if self._fingerprint is None:
            return
        try:
            self.join(self._fingerprint)
        except BaseException:
            self._writer.close()  # or the next transaction would go on without having joined
            raise

    def read(self, sql: str, parameters: Parameters) -> list[sqlite3.Row]:
        """Return what a statement selects, outside of transactions; asked again where the connection was lost."""
        try:
            return self._fetch(sql, parameters)
        except psycopg.Error as error:
            if not (self._reader.is_lost and self._durable):
                raise self.translated(error) from error
        self._reader.close()
        if self._reader is self._writer:
            self._open_again()
        else:
            self._reader = self._connect(read_only=True)
        try:
            return self._fetch(sql, parameters)
        except psycopg.Error as error:
            raise self.translated(error) from error

    def _fetch(self, sql: str, parameters: Parameters) -> list[sqlite3.Row]:
        rows: list[sqlite3.Row] = self._reader.execute(sql, parameters).fetchall()
        return rows

    def translated(self, error: Exception) -> Exception:
        """Return what an error means for somebody who labels."""
        return translated(error, self._url, is_lost=self._writer.is_lost or self._reader.is_lost)

    # who else is at work

    def try_lock(self, lock: Lock) -> bool:
        """Take a lock until the connection of transactions is closed, if nobody holds it.

        Parameters
        ----------
        lock : str

        Returns
        -------
        bool
        """
        return try_lock(self._writer, self._url, lock)

    def unlock(self, lock: Lock) -> None:
        """Free a lock.

        Parameters
        ----------
        lock : str
        """
        unlock(self._writer, self._url, lock)

    def join(self, fingerprint: str) -> None:
        """Be a session at work, as long as the connection of transactions is open, or is opened again.

        Parameters
        ----------
        fingerprint : str
            Of its items.

        Raises
        ------
        OSError
            If somebody works alone on the database, or it is of other items now.
        """
        if not try_lock(self._writer, self._url, "session", shared=True):
            raise OSError(f"{self._url} is in use by a command that works alone on it; try again")
        found = self._writer.execute("SELECT value FROM meta WHERE key = 'fingerprint'").fetchone()
        if found is None or json.loads(found[0]) != fingerprint:
            raise OSError(f"the items of {self._url} were changed by another server meanwhile; start this one again")
        self._fingerprint = fingerprint

    # beside the tables

    def keep_model(self, content: bytes | None) -> None:
        """Keep a fitted model in place of the last one, or none."""
        try:
            self._writer.execute("DELETE FROM model_file" if content is None else _KEEP_MODEL, content and (content,))
        except psycopg.Error as error:
            raise self.translated(error) from error

    def kept_model(self) -> bytes | None:
        """Return what was kept."""
        rows = self.read("SELECT content FROM model_file", ())
        return bytes(rows[0][0]) if rows else None

    def tidy(self) -> None:
        """Tell the planner of many new rows, and make them quick to count."""
        self._writer.execute("VACUUM (ANALYZE, SKIP_LOCKED) item, queue, event, answer")

    def copy_to(self, other: sqlite3.Connection) -> None:
        """Copy everything as of one moment into an empty file of SQLite."""
        schema.upgrade(other, self._url)
        try:
            self.begin("DEFERRED")
            other.execute("BEGIN")
            for (table,) in other.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
                columns = [row[1] for row in other.execute(f"PRAGMA table_info({table})")]
                marks = ", ".join("?" * len(columns))
                rows = self._writer.execute(f"SELECT {', '.join(columns)} FROM {table}").fetchall()
                other.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)
            other.execute("DELETE FROM meta WHERE key = ?", (VERSION_KEY,))
            other.execute("COMMIT")
        except psycopg.Error as error:
            raise self.translated(error) from error
        finally:
            self.roll_back()
