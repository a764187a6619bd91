"""Connections to PostgreSQL that are used like SQLite's: the same placeholders, rows and numbers."""

from __future__ import annotations

import errno
import re
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any, cast

import psycopg
from psycopg.adapt import Buffer, Dumper
from psycopg.pq import TransactionStatus
from psycopg.types.numeric import Int8Dumper

from alkit.annotate.database.postgres.url import PostgresUrl

_CONNECT_SECONDS = 5
_UNANSWERED_SECONDS = 10  # after which a server is lost that does not acknowledge what is sent
_IDLE_SECONDS = 60  # after which the server ends a transaction of a machine that was cut off: others wait for it
# A server may not wait for its disk by default; one that waits for standby servers, too, goes on doing so.
_WAITING = """
    SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'
"""
_PLACEHOLDER = re.compile(r"'(?:[^']|'')*'|\?|:([a-z_]+)|%")


@lru_cache(maxsize=1024)
def placeholders(sql: str) -> str:
    """Return a statement with the placeholders of psycopg.

    Parameters
    ----------
    sql : str
        With ``?`` or ``:name``.

    Returns
    -------
    str

    Examples
    --------
    >>> from alkit.annotate.database.postgres.connect import placeholders
    >>> placeholders("SELECT :a - 1, b FROM t WHERE c = ? AND d = '50 %: why?'")
    "SELECT %(a)s - 1, b FROM t WHERE c = %s AND d = '50 %%: why?'"
    """

    def replaced(found: re.Match[str]) -> str:
        text, name = found[0], found[1]
        if name is not None:
            return f"%({name})s"
        return "%s" if text == "?" else text.replace("%", "%%")

    return _PLACEHOLDER.sub(replaced, sql)


class Row(tuple[Any, ...]):
    """A row whose cells are found by place or by name, as those of `sqlite3.Row`."""

    places: dict[str, int]

    def __getitem__(self, key: Any) -> Any:
        return super().__getitem__(self.places[key] if isinstance(key, str) else key)

    def keys(self) -> list[str]:
        """Return the names of the columns."""
        return list(self.places)


@lru_cache(maxsize=1024)
def _row_of(names: tuple[str, ...]) -> type[Row]:
    """Return the class of rows with these columns; of two with the same name, the first is meant."""
    return type("Row", (Row,), {"places": {name: place for place, name in reversed(list(enumerate(names)))}})


def _rows(cursor: Any) -> Callable[[Sequence[Any]], Row]:
    """Make rows, as psycopg asks for it."""
    return _row_of(tuple(column.name for column in cursor.description or ()))


class _Truth(Dumper):
    """Writes True and False as SQLite does: 1 and 0."""

    oid = Int8Dumper.oid

    def dump(self, obj: bool) -> Buffer:
        return b"1" if obj else b"0"


class Connection:
    """A connection of psycopg that takes the statements of `alkit.annotate.database`.

    Parameters
    ----------
    raw : psycopg.Connection
    """

    def __init__(self, raw: psycopg.Connection[Row]):
        self.raw = raw

    def execute(self, sql: str, parameters: Any = ()) -> Any:
        """Run a statement, or several without parameters; return the cursor."""
        if not parameters:
            return self.raw.execute(sql.encode())
        return self.raw.execute(placeholders(sql).encode(), parameters)

    def executemany(self, sql: str, rows: Iterable[Any]) -> Any:
        """Run a statement once per row of parameters."""
        cursor = self.raw.cursor()
        cursor.executemany(placeholders(sql).encode(), rows)
        return cursor

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction has begun."""
        return self.raw.info.transaction_status != TransactionStatus.IDLE

    @property
    def is_lost(self) -> bool:
        """Whether the server is gone, or has closed the connection."""
        return self.raw.closed

    def close(self) -> None:
        """Close the connection."""
        self.raw.close()


def connect(url: PostgresUrl, seconds: float, *, read_only: bool = False, durable: bool = True) -> sqlite3.Connection:
    """Connect to a server.

    Parameters
    ----------
    url : PostgresUrl
    seconds : float
        How long statements wait for locks.
    read_only : bool, default=False
    durable : bool, default=True
        Whether commits wait for the disk.

    Returns
    -------
    Connection

    Raises
    ------
    OSError
        If the server cannot be reached, or lets nobody of this name and password in.
    """
    options: dict[str, Any] = {
        "connect_timeout": _CONNECT_SECONDS,
        "tcp_user_timeout": _UNANSWERED_SECONDS * 1000,
        "application_name": "alkit",
        "client_encoding": "UTF8",
        **dict(url.options),
    }
    try:
        raw = psycopg.connect(autocommit=True, row_factory=_rows, **options)
    except psycopg.Error as error:
        unreachable = OSError(_unreachable(url, error))
        unreachable.errno = errno.ECONNRESET
        raise unreachable from None  # the original may name the password
    raw.adapters.register_dumper(int, Int8Dumper)
    raw.adapters.register_dumper(bool, _Truth)
    connection = Connection(raw)
    connection.execute(_settings(url, seconds, read_only=read_only, durable=durable))
    return cast(sqlite3.Connection, connection)


def _unreachable(url: PostgresUrl, error: psycopg.Error) -> str:
    """Return what is wrong with an address, a password or a server."""
    if "does not exist" in str(error) and "database" in str(error):
        remedy = "make it first: createdb"
    elif "password" in str(error) or "authentication" in str(error) or "role" in str(error):
        remedy = "check the user and the password (PGPASSWORD, ~/.pgpass, or in the address)"
    else:
        remedy = "check the address, and that the server is running and lets this machine in"
    return f"{url} cannot be opened: {url.masked(str(error))}; {remedy}"


def _settings(url: PostgresUrl, seconds: float, *, read_only: bool, durable: bool) -> str:
    """Return statements after which a connection behaves the same whatever the server's defaults are."""
    settings: dict[str, object] = {
        "search_path": url.schema,
        "lock_timeout": int(seconds * 1000),
        "idle_in_transaction_session_timeout": _IDLE_SECONDS * 1000,
        "default_transaction_isolation": "'read committed'",
        "default_transaction_read_only": "on" if read_only else "off",
        "client_min_messages": "warning",
        "jit": "off",  # it takes longer to compile the statements than to run them
    }
    commands = [f"SET {name} = {value}" for name, value in settings.items()]
    return "; ".join([*commands, _WAITING if durable else "SET synchronous_commit = off"])
