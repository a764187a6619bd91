"""What PostgreSQL reports, in the words of somebody who labels."""

from __future__ import annotations

import errno

import psycopg
from psycopg import errors

from alkit.annotate.database.errors import locked
from alkit.annotate.database.postgres.url import PostgresUrl

_LOCKED = (errors.LockNotAvailable, errors.DeadlockDetected, errors.SerializationFailure, errors.QueryCanceled)
_FULL = (errors.DiskFull, errors.OutOfMemory)
_DAMAGED = (errors.DataCorrupted, errors.IndexCorrupted, errors.IoError)
_ENDED = (
    errors.AdminShutdown, errors.CrashShutdown, errors.CannotConnectNow, errors.IdleInTransactionSessionTimeout,
    errors.TooManyConnections,
)  # fmt: skip


def translated(error: Exception, url: PostgresUrl, *, is_lost: bool) -> Exception:
    """Return an error of PostgreSQL as an `OSError` that says what to do; errors of a statement unchanged.

    Parameters
    ----------
    error : Exception
    url : PostgresUrl
    is_lost : bool
        Whether the connection was closed.

    Returns
    -------
    Exception
        ``errno`` is ECONNRESET where the connection was lost, EBUSY where others hold a lock, ENOSPC where the disk is
        full, else EIO.
    """
    reason = url.masked(str(error))
    if isinstance(error, _LOCKED):
        return locked(url)
    if is_lost or isinstance(error, _ENDED):
        return _with_number(
            errno.ECONNRESET,
            f"the connection to {url} was lost ({reason}); it is opened again at the next try, and sending the same "
            "event again does not record it twice",
        )
    if isinstance(error, _FULL):
        return _with_number(errno.ENOSPC, f"{url}: nothing was saved ({reason}); free space on the server's disk")
    if isinstance(error, _DAMAGED):
        return _with_number(errno.EIO, f"{url} is damaged ({reason}); take the last backup of the server")
    if isinstance(error, errors.InsufficientPrivilege):
        return _with_number(
            errno.EACCES, f"{url} does not let this user do that ({reason}); grant rights on schema {url.schema}"
        )
    if isinstance(error, psycopg.DataError) and "NUL" in reason:
        return ValueError("a text holds the character NUL (U+0000), which PostgreSQL cannot keep; leave it out")
    return error


def _with_number(number: int, message: str) -> OSError:
    error = OSError(message)
    error.errno = number
    return error


def without_project(url: PostgresUrl, version: int | None) -> ValueError:
    """Return the error of a schema that cannot be read as it is.

    Parameters
    ----------
    url : PostgresUrl
    version : int or None
        As of `version_of`.

    Returns
    -------
    ValueError
    """
    if not version:
        return ValueError(f"there is no project in {url}; label something first, or name its schema by ?schema=...")
    return ValueError(
        f"{url} has tables of an earlier alkit; start 'alkit label' on it once, which brings them up to date"
    )
