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


def beside(path: Path, ending: str) -> Path:
    """Return a file that is kept beside a database; where a link leads to the database, it is beside that.

    Parameters
    ----------
    path : Path
        The database.
    ending : str
        ``-wal`` is SQLite's write-ahead log, ``-shm`` the index of the log that all processes share.

    Returns
    -------
    Path
    """
    return Path(os.path.realpath(path) + ending)


def model_path(database: Path) -> Path:
    """Return where the model is kept that was fitted on the labels of a database.

    Parameters
    ----------
    database : Path

    Returns
    -------
    Path
    """
    return beside(database, ".model")


def has_index(path: Path) -> bool:
    """Return whether a session may be at work on a database, or was killed.

    Parameters
    ----------
    path : Path

    Returns
    -------
    bool
    """
    return beside(path, "-shm").exists()


def has_log(path: Path) -> bool:
    """Return whether a database has a write-ahead log that may hold what its own file does not.

    Parameters
    ----------
    path : Path

    Returns
    -------
    bool
    """
    log = beside(path, "-wal")
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
    for ending in _BESIDE:
        if any(is_same_file(path, kept) for kept in (Path(f"{database}{ending}"), beside(database, ending))):
            return True
    return False


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
    return connect(path, "rw", seconds)


def connect_to_read(path: Path, seconds: float, opened: ExitStack, *, in_use: bool) -> sqlite3.Connection:
    """Open a database without writing to it or beside it, whether a session is at work, has ended, or was killed.

    SQLite reads a database that has a write-ahead log by the index beside it, in which readers of a session at work
    note where they are. Of a session that was killed, the index is only read. Where there is neither log nor index, the
    file is read as it is; where a log was copied without the index, a copy of both is read.

    Parameters
    ----------
    path : Path
    seconds : float
        How long statements wait for locks.
    opened : ExitStack
        Closes what was opened.
    in_use : bool
        Whether a session is at work.

    Returns
    -------
    Connection
    """
    if has_index(path) and beside(path, "-wal").exists():
        connection = connect(path, "ro" if in_use else "ro&readonly_shm=1", seconds)
    elif has_log(path):
        copy = Path(opened.enter_context(TemporaryDirectory())) / "copy.db"
        shutil.copyfile(path, copy)
        shutil.copyfile(beside(path, "-wal"), beside(copy, "-wal"))
        connection = connect(copy, "rw", seconds)
    else:
        connection = connect(path, "ro&immutable=1", seconds)
    opened.callback(connection.close)
    return connection


def uri_of(path: Path, mode: str) -> str:
    """Return the URI by which SQLite opens a file that exists.

    Parameters
    ----------
    path : Path
    mode : str
        "ro" or "rw", and further parameters.

    Returns
    -------
    str
    """
    return f"file:{quote(os.fsencode(path.absolute()))}?mode={mode}"


def connect(path: Path, mode: str, seconds: float) -> sqlite3.Connection:
    """Open a file that exists.

    Parameters
    ----------
    path : Path
    mode : str
        As for `uri_of`.
    seconds : float
        How long statements wait for locks.

    Returns
    -------
    Connection
    """
    connection = sqlite3.connect(
        uri_of(path, mode), uri=True, timeout=seconds, isolation_level=None, check_same_thread=False,
        cached_statements=256,
    )  # fmt: skip
    connection.row_factory = sqlite3.Row
    return connection
