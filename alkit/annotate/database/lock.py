"""The lock that keeps two sessions from using one database."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from alkit.annotate.database.connect import beside, uri_of
from alkit.annotate.files import make_private

_ENDING = ".lock"
_ASKING_SECONDS = 0.5


def is_locked(database: Path) -> bool:
    """Return whether a session is using a database, without writing anything.

    Parameters
    ----------
    database : Path

    Returns
    -------
    bool
    """
    path = beside(database, _ENDING)
    if not path.exists():
        return False
    try:
        with closing(sqlite3.connect(uri_of(path, "ro"), uri=True, timeout=0)) as asking:
            asking.execute("SELECT 1 FROM sqlite_master").fetchall()
    except sqlite3.OperationalError as error:
        return error.sqlite_errorcode == sqlite3.SQLITE_BUSY
    return False


def lock(database: Path) -> sqlite3.Connection:
    """Make sure that no other session uses a database, by a lock that the system frees however the process ends.

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
        path = beside(database, _ENDING)
        make_private(path)
        # not at once: `is_locked` holds it for a moment
        holder = sqlite3.connect(path, timeout=_ASKING_SECONDS, isolation_level=None, check_same_thread=False)
        holder.execute("BEGIN EXCLUSIVE")
    except (sqlite3.DatabaseError, OSError) as error:
        if holder is not None:
            holder.close()
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY:
            reason = "is in use by another session or server; stop that, or pass another database"
        else:
            reason = f"cannot be used: {error}; pass a path that can be written"
        raise OSError(f"{database} {reason}") from error
    return holder
