"""Connections to a database file: to label, or to read without writing anything, beside it neither."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

from alkit.annotate.files import is_same_file, make_private

# what stands beside a database, by the ends of the names
_BESIDE = ("", "-wal", "-shm", "-journal", ".lock", ".model")


def log_of(path: Path) -> Path:
    """Return where SQLite keeps the write-ahead log of a database.

    Parameters
    ----------
    path : Path

    Returns
    -------
    Path
    """
    return path.with_name(path.name + "-wal")


def index_of(path: Path) -> Path:
    """Return where SQLite keeps the index of the write-ahead log, which all processes share.

    Parameters
    ----------
    path : Path

    Returns
    -------
    Path
    """
    return path.with_name(path.name + "-shm")


def has_log(path: Path) -> bool:
    """Return whether a database has a write-ahead log that may hold what its own file does not.

    Parameters
    ----------
    path : Path

    Returns
    -------
    bool
    """
    log = log_of(path)
    return log.exists() and log.stat().st_size > 0


def belongs_to(path: Path, database: Path) -> bool:
    """Return whether a path is that of a database, or of a file that alkit or SQLite keeps beside it.

    Parameters
    ----------
    path, database : Path

    Returns
    -------
    bool
    """
    # where a link leads to a database, the files are beside that
    return any(
        is_same_file(path, Path(start + end))
        for start in (str(database), os.path.realpath(database))
        for end in _BESIDE
    )


def connect_to_write(path: Path, seconds: float) -> sqlite3.Connection:
    """Open a database that only its owner can read; made if there is none.

    Parameters
    ----------
    path : Path
    seconds : float
        How long statements wait for locks.

    Returns
    -------
    Connection
    """
    if not path.is_dir():  # SQLite says what is wrong with a folder
        make_private(path)
    return _connect(path, "rw", seconds)


def connect_to_read(path: Path, seconds: float, opened: ExitStack) -> sqlite3.Connection:
    """Open a database without writing to it or beside it, whether a session is at work, has ended, or was killed.

    SQLite reads a database that has a write-ahead log by the index beside it. Where there is an index it is only read.
    Where there is neither, the file is read as it is; where a log was copied without the index, from a copy of both.

    Parameters
    ----------
    path : Path
    seconds : float
        How long statements wait for locks.
    opened : ExitStack
        Closes what was opened.

    Returns
    -------
    Connection
    """
    if index_of(path).exists() and log_of(path).exists():
        connection = _connect(path, "ro&readonly_shm=1", seconds)
    elif has_log(path):
        folder = Path(opened.enter_context(TemporaryDirectory()))
        for file in (path, log_of(path)):
            shutil.copyfile(file, folder / file.name)
        connection = _connect(folder / path.name, "rw", seconds)
    else:
        connection = _connect(path, "ro&immutable=1", seconds)
    opened.callback(connection.close)
    return connection


def _connect(path: Path, mode: str, seconds: float) -> sqlite3.Connection:
    """Open a file that exists, in a mode of SQLite's URIs."""
    connection = sqlite3.connect(
        f"file:{quote(os.fsencode(path.absolute()))}?mode={mode}", uri=True, timeout=seconds, isolation_level=None,
        check_same_thread=False, cached_statements=256,
    )  # fmt: skip
    connection.row_factory = sqlite3.Row
    return connection
