"""The lock that keeps two sessions from using one database."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from alkit.annotate.files import make_private


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
        path = database.with_name(database.name + ".lock")
        make_private(path)
        holder = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
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
