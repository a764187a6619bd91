"""Classes that are added, renamed or merged while there are labels: each change is kept, and no event is rewritten."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress

from alkit.annotate.database.class_names import present_name_of_old
from alkit.annotate.database.complete import check, settle
from alkit.annotate.database.connect import has_log
from alkit.annotate.database.places import Place
from alkit.annotate.database.postgres.opening import open_beside
from alkit.annotate.database.postgres.url import PostgresUrl
from alkit.annotate.database.renaming import rename_answers, rename_predictions
from alkit.annotate.database.setup import check_names, is_empty
from alkit.annotate.database.sqlite import refuse_other_files
from alkit.annotate.database.store import LabelStore


@contextmanager
def changing(path: Place) -> Iterator[LabelStore]:
    """Open a database to change its classes, also while a session is at work on it.

    Parameters
    ----------
    path : Path or PostgresUrl

    Yields
    ------
    LabelStore

    Raises
    ------
    ValueError
        If there is no database, or it holds no items or lacks labels.
    OSError
        If it is damaged, or cannot be written.
    """
    if isinstance(path, PostgresUrl):
        with open_beside(path) as store:
            yield store
        return
    if not path.is_file():
        raise ValueError(f"there is no database {path}; label something first")
    refuse_other_files(path)
    had_log = has_log(path)
    with closing(LabelStore(path)) as store:
        if is_empty(store):
            raise ValueError(f"{path} holds no items; label something first")
        check(store, had_log=had_log)
        yield store
        with suppress(OSError):  # other programs read the database: what is in the log is safe all the same
            settle(store)


def add_class(store: LabelStore, name: str) -> None:
    """Add a class.

    Parameters
    ----------
    store : LabelStore
    name : str

    Raises
    ------
    ValueError
        If it is no name, or there is such a class.
    """
    with store.transaction("EXCLUSIVE") as db:
        classes = store.meta("classes", [])
        if name in classes:
            raise ValueError(f"{name!r} is a class already: {classes}")
        _keep(db, "add", name, name)
        _set_classes(store, [*classes, name])


def rename_class(store: LabelStore, old: str, new: str) -> None:
    """Give a class another name; its labels have that from then on.

    Parameters
    ----------
    store : LabelStore
    old, new : str

    Raises
    ------
    ValueError
        If there is no class `old`, or one that is called `new`.
    """
    with store.transaction("EXCLUSIVE") as db:
        classes = store.meta("classes", [])
        _check_known(store, classes, [old])
        if new in classes:
            raise ValueError(f"{new!r} is a class already: {classes}; to make one of both, merge {old!r} into it")
        _rename(store, db, "rename", old, new)
        _set_classes(store, [new if name == old else name for name in classes])


def merge_classes(store: LabelStore, names: Sequence[str], into: str) -> None:
    """Make one class of several; their labels are of that from then on.

    Parameters
    ----------
    store : LabelStore
    names : sequence of str
    into : str
        One of them, another class, or a new name.

    Raises
    ------
    ValueError
        If one of them is no class, or only one class would be left.
    """
    with store.transaction("EXCLUSIVE") as db:
        classes = store.meta("classes", [])
        _check_known(store, classes, names)
        merged = [name for name in dict.fromkeys(names) if name != into]
        if not merged:
            raise ValueError(f"{into!r} cannot be merged into itself; name the classes to be merged into it")
        place = min(classes.index(name) for name in names)
        left = [name for name in classes if name not in merged]
        if into not in left:
            left.insert(place, into)
        for name in merged:
            _rename(store, db, "merge", name, into)
        _set_classes(store, left)


def _check_known(store: LabelStore, classes: Sequence[str], names: Sequence[str]) -> None:
    """Refuse names of no class; of one that had the name, say how it is called now."""
    for name in names:
        if name not in classes:
            present = present_name_of_old(store.class_changes(), name)
            now = f" ({name!r} is called {present!r} now)" if present in classes else ""
            raise ValueError(f"there is no class {name!r}{now}; the classes are {list(classes)}")


def _set_classes(store: LabelStore, classes: list[str]) -> None:
    check_names(classes)
    store.put_in_transaction(classes=classes)


def _rename(store: LabelStore, db: sqlite3.Connection, kind: str, old: str, new: str) -> None:
    """Bring what follows from events up to date, and what the model predicted."""
    _keep(db, kind, old, new)
    rename_answers(db, store.kind, old, new)
    for table in ("ranking", "lease"):
        rename_predictions(db, store.kind, table, old, new)
    db.execute("DELETE FROM meta WHERE key = 'people'")  # what the report says of people until the next fit


def _keep(db: sqlite3.Connection, kind: str, name: str, present: str) -> None:
    db.execute(
        "INSERT INTO class_change (kind, name, present, last_event, recorded) "
        "SELECT ?, ?, ?, COALESCE(MAX(seq), 0), ? FROM event",
        (kind, name, present, time.time()),
    )
