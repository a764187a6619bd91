"""Whether a database's own file holds all labels, so that a copy of this one file is complete or is refused.

Labels are first written to the write-ahead log beside the database. The setting ``settled`` says what the file holds:
the number of all events where it has everything, None from the first event on that only the log has. The file is marked
None before that event is acknowledged, and marked with the number once nobody has labelled for a second. So a copy of
the file alone knows whether labels are missing in it. A session that was killed leaves the file marked None, too, and
other programs may then move the log into it; so the mark counts only in a file that is not in the ``place`` where it
was written: in a copy, and in a file that was moved, or linked to, without the log beside it.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from alkit.annotate.database.connect import has_index, has_log
from alkit.annotate.database.errors import damaged
from alkit.annotate.database.places import Place, as_place
from alkit.annotate.database.postgres.opening import open_beside
from alkit.annotate.database.postgres.url import PostgresUrl
from alkit.annotate.database.store import LabelStore

_QUIET_SECONDS = 1.0
_MOVE_SECONDS = 1.0
_POLL_SECONDS = 0.25


def settle(store: LabelStore) -> bool:
    """Move all labels into the database's own file, and mark it as complete.

    Parameters
    ----------
    store : LabelStore

    Returns
    -------
    bool
        Whether it could be done: other programs that read the database may hinder it.
    """
    # In this order: a copy made in between has the mark None.
    if not store.checkpoint():
        return False
    with store.transaction() as db:
        mark_settled(db, _file(store))
    return store.checkpoint()


def mark_settled(db: sqlite3.Connection, path: Path) -> None:
    """Write down that a file holds all labels.

    Parameters
    ----------
    db : Connection
    path : Path
        The file.
    """
    # Events are numbered without gaps, because none is ever deleted.
    db.execute("INSERT OR REPLACE INTO meta SELECT 'settled', CAST(COALESCE(MAX(seq), 0) AS TEXT) FROM event")
    db.execute("INSERT OR REPLACE INTO meta VALUES ('place', ?)", (json.dumps(_place(path)),))


def _file(store: LabelStore) -> Path:
    assert isinstance(store.path, Path)
    return store.path


def _place(path: Path) -> list[int | str]:
    """Return what tells a file from its copies and hard links, and changes when it is moved; folders may be renamed."""
    real = Path(os.path.realpath(path))
    return [real.stat().st_ino, real.parent.stat().st_ino, real.name]


class Settler:
    """A thread that settles a database whenever nobody has labelled for a second.

    While people label, it moves what is in the log once a second, by a connection of its own, so that no label has to
    wait until all that gathered there is moved.

    Parameters
    ----------
    store : LabelStore
        Settled at once, too.
    """

    def __init__(self, store: LabelStore):
        self._store = store
        with suppress(OSError):  # locked by another program, or a full disk: tried again
            settle(store)
        self._stopping = threading.Event()
        # A weak reference: a session that is dropped without being closed takes its thread with it.
        arguments = (weakref.ref(store), LabelStore(store.path), self._stopping)
        self._thread = threading.Thread(target=_settle_when_quiet, args=arguments, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread, and settle a last time."""
        self._stopping.set()
        self._thread.join()
        with suppress(OSError):
            settle(self._store)


def _settle_when_quiet(reference: weakref.ref[LabelStore], own: LabelStore, stopping: threading.Event) -> None:
    settled = None  # the last event that it was done after
    moved_at = time.monotonic()
    with closing(own):
        while not stopping.wait(_POLL_SECONDS):
            store = reference()
            if store is None:
                return
            last, now = store.last_recorded, time.monotonic()
            del store  # not held while waiting
            if last == settled:
                continue
            with suppress(OSError):
                if now - last >= _QUIET_SECONDS:
                    if settle(own):
                        settled = last
                elif now - moved_at >= _MOVE_SECONDS:
                    moved_at = now
                    own.checkpoint()


def check(store: LabelStore, *, had_log: bool, incomplete: bool = False) -> None:
    """Refuse a database that is damaged, or a copy that lacks labels.

    Parameters
    ----------
    store : LabelStore
    had_log : bool
        Whether there was a write-ahead log before the database was opened.
    incomplete : bool, default=False
        Whether to take a copy that is known to lack labels.

    Raises
    ------
    OSError
        If it is damaged.
    ValueError
        If it lacks labels.
    """
    (found,) = store.query("PRAGMA quick_check(1)")[0]
    if found != "ok":
        raise damaged(store.path, found)
    if incomplete:
        return
    # In one query: somebody may be labelling.
    (n_events, n_numbered) = store.query("SELECT COUNT(*), COALESCE(MAX(seq), 0) FROM event")[0]
    if n_events != n_numbered:
        raise damaged(store.path, f"{n_numbered} events were recorded, {n_events} are there")
    settled = store.meta("settled", n_events)  # databases of alkit 0.1.0 do not say
    in_place = store.meta("place") == _place(_file(store))
    if had_log or in_place or settled == n_events:
        return
    raise ValueError(
        f"{store.path} is a copy that lacks labels, or was moved without them: they are in the file beside the "
        "original that ends in -wal. Copy with 'alkit backup --db labels.db --output copy.db', also while a server "
        "runs; move all files that begin with labels.db together. If the original is lost, 'alkit backup --incomplete' "
        "makes a database of what there is"
    )


@contextmanager
def reading(path: str | Place, *, incomplete: bool = False) -> Iterator[LabelStore]:
    """Open a database to read it, checked by `check`; nothing is written, beside it neither.

    Parameters
    ----------
    path : str, Path or PostgresUrl
    incomplete : bool, default=False
        As for `check`; what PostgreSQL has is complete.

    Yields
    ------
    LabelStore

    Raises
    ------
    OSError
        If it is damaged, or a session began to write to it meanwhile: it was read as a file that does not change.
    ValueError
        If there is no database, or it holds no items or lacks labels.
    """
    path = as_place(path)
    if isinstance(path, PostgresUrl):
        with open_beside(path, read_only=True) as store:
            yield store
        return
    had_log = has_log(path)
    before = _unused(path)
    try:
        with closing(LabelStore(path, read_only=True)) as store:
            if store.meta("fingerprint") is None:
                raise ValueError(
                    f"{path} holds no items; if it is a copy, make it with 'alkit backup --db labels.db --output "
                    "copy.db', else label something first"
                )
            check(store, had_log=had_log, incomplete=incomplete)
            yield store
    finally:
        if before is not None and _unused(path) != before:
            raise OSError(f"a session began to write to {path} while it was read; try again")


def _unused(path: Path) -> tuple[int, int] | None:
    """Return size and time of a file, None while a session may be at work on it, or where there is none."""
    if has_index(path) or not path.exists():
        return None
    state = path.stat()
    return state.st_size, state.st_mtime_ns
