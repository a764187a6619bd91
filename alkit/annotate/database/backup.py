"""Copies of a database, also of one on which a session is at work."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from alkit.annotate.database.complete import mark_settled, reading
from alkit.annotate.database.connect import belongs_to, has_index
from alkit.annotate.database.places import Place
from alkit.annotate.database.store import LabelStore
from alkit.annotate.files import make_private, sync_folder


def backup(database: Place, output: Path, *, incomplete: bool = False) -> int:
    """Copy a database as of one moment into a single file, also while a session is at work on it.

    Parameters
    ----------
    database : Path or PostgresUrl
    output : Path
        May be an earlier copy of the same labels, which is replaced; no other file is.
    incomplete : bool, default=False
        Whether to copy a database that is known to lack labels, and to mark the copy as one that lacks none.

    Returns
    -------
    int
        The number of events copied.

    Raises
    ------
    ValueError
        If there is another file of this name, or `database` is none, holds no items or lacks labels.
    OSError
        If `database` is damaged, or the copy cannot be written.
    """
    target = Path(os.path.realpath(output))
    with reading(database, incomplete=incomplete) as store:
        if isinstance(database, Path) and belongs_to(output, database):
            raise ValueError(f"{output} is the database, or belongs to it; pass another name")
        if os.path.lexists(target) and not _is_earlier(target, store):
            raise ValueError(f"{output} exists and is no earlier copy of {database}; pass another name")
        if not target.parent.is_dir():
            raise ValueError(f"{output} cannot be written: there is no folder {target.parent}; make it first")
        with TemporaryDirectory(dir=target.parent, prefix=".alkit-") as folder:
            part = Path(folder) / "copy.db"
            n_events = _copy(store, part)
            part.replace(target)
    sync_folder(target.parent)
    return n_events


def _copy(store: LabelStore, path: Path) -> int:
    """Write a copy that is complete without further files, and return the number of its events."""
    make_private(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as copy:
        store.copy_to(copy)
        copy.execute("PRAGMA journal_mode = DELETE")
        mark_settled(copy, path)
        (n_events,) = copy.execute("SELECT COUNT(*) FROM event").fetchone()
    return n_events


def _is_earlier(path: Path, store: LabelStore) -> bool:
    """Return whether a file is a database in which nobody is labelling, and all of whose events are in another one."""
    if has_index(path):
        return False
    try:
        with reading(path, incomplete=True) as earlier:
            last = earlier.query("SELECT seq, uuid FROM event ORDER BY seq DESC LIMIT 1")
            if not last:
                return earlier.meta("fingerprint") == store.meta("fingerprint")
            return bool(store.query("SELECT 1 FROM event WHERE seq = ? AND uuid = ?", *last[0]))
    except (OSError, ValueError):
        return False
