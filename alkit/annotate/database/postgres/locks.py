"""Advisory locks of a project: the server frees them however a process or a connection ends."""

from __future__ import annotations

import hashlib
import sqlite3

from alkit.annotate.database.engine import Kind, Lock
from alkit.annotate.database.postgres.url import PostgresUrl


def key(url: PostgresUrl, lock: str) -> int:
    """Return the number of a lock; locks with the same name in other databases of the server are others.

    Parameters
    ----------
    url : PostgresUrl
    lock : str

    Returns
    -------
    int
        Of 64 bits.
    """
    digest = hashlib.sha256(f"alkit {url.schema} {lock}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


def beginning(url: PostgresUrl, kind: Kind) -> str:
    """Return the statements that begin a transaction.

    Parameters
    ----------
    url : PostgresUrl
    kind : Kind

    Returns
    -------
    str
    """
    if kind == "DEFERRED":
        return "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY"
    record = f"SELECT pg_advisory_xact_lock({key(url, 'record')})"
    hand_out = key(url, "hand out")
    # Items are handed out beside each other and beside what is recorded.
    if kind == "CONCURRENT":
        return f"BEGIN; SELECT pg_advisory_xact_lock_shared({hand_out})"
    if kind == "IMMEDIATE":
        return f"BEGIN; {record}"
    return f"BEGIN; {record}; SELECT pg_advisory_xact_lock({hand_out})"


def try_lock(db: sqlite3.Connection, url: PostgresUrl, lock: Lock, *, shared: bool = False) -> bool:
    """Take a lock until the connection is closed, if nobody holds it.

    Parameters
    ----------
    db : Connection
    url : PostgresUrl
    lock : str
    shared : bool, default=False
        Whether others may take it as well.

    Returns
    -------
    bool
    """
    how = "pg_try_advisory_lock_shared" if shared else "pg_try_advisory_lock"
    return bool(db.execute(f"SELECT {how}({key(url, lock)})").fetchone()[0])


def unlock(db: sqlite3.Connection, url: PostgresUrl, lock: Lock) -> None:
    """Free a lock that `try_lock` took, not shared.

    Parameters
    ----------
    db : Connection
    url : PostgresUrl
    lock : str
    """
    db.execute(f"SELECT pg_advisory_unlock({key(url, lock)})")
