"""What SQLite reports, in the words of somebody who labels: a full disk, a lock of another program, a damaged file."""

from __future__ import annotations

import errno
import sqlite3

from alkit.annotate.database.places import Place

_UNWRITABLE = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY)
_LOCKED = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def translated(error: Exception, path: Place) -> Exception:
    """Return an error of SQLite as an `OSError` that says what to do; other errors unchanged.

    Parameters
    ----------
    error : Exception
    path : Path or PostgresUrl
        The database.

    Returns
    -------
    Exception
        ``errno`` is ENOSPC where the disk is full, EBUSY where another program locks the database, else EIO.
    """
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in _UNWRITABLE:
        number = errno.ENOSPC if code == sqlite3.SQLITE_FULL else errno.EIO
        return OSError(number, f"nothing was saved ({error}); free space on its disk, or make it writable", str(path))
    if code in _LOCKED:
        return locked(path)
    # Text that is no UTF-8 is an error of Python's module, without a code.
    if code in _DAMAGED or "Could not decode to UTF-8" in str(error):
        return damaged(path, error)
    return error


def locked(path: Place) -> OSError:
    """Return the error of a database that another program does not let go of.

    Parameters
    ----------
    path : Path or PostgresUrl

    Returns
    -------
    OSError
    """
    error = OSError(
        f"{path} is locked by another program, and nothing was saved; close that program, or end what it does there, "
        "and try again"
    )
    error.errno = errno.EBUSY
    return error


def damaged(path: Place, reason: object) -> OSError:
    """Return the error of a database that cannot be trusted.

    Parameters
    ----------
    path : Path or PostgresUrl
    reason : object
        What was found.

    Returns
    -------
    OSError
    """
    found = " ".join(str(reason).replace("*** in database main ***", "").split())
    error = OSError(
        f"{path} is damaged, or was copied while a server wrote to it ({found}); take the last copy that "
        "'alkit backup' made, or save what can be read: sqlite3 damaged.db .recover | sqlite3 rescued.db"
    )
    error.errno = errno.EIO
    return error
