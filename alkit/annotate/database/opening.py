"""Opening a database to label: locked, whole, filled with the items, and settled whenever it is quiet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import numpy as np

from alkit.annotate.database.complete import Settler, check, settle
from alkit.annotate.database.connect import has_log
from alkit.annotate.database.lock import lock
from alkit.annotate.database.places import Place
from alkit.annotate.database.postgres import opening as shared
from alkit.annotate.database.postgres.url import PostgresUrl
from alkit.annotate.database.setup import is_empty, prepare
from alkit.annotate.database.sqlite import refuse_other_files
from alkit.annotate.database.store import LabelStore
from alkit.annotate.items import Changes, Items


def open_to_label(
    path: Place,
    items: Items,
    classes: Sequence[str],
    overlap: tuple[int, int],
    rng: np.random.Generator,
    opened: ExitStack,
    *,
    accept_changes: bool,
    multi: bool,
) -> tuple[LabelStore, Changes | None]:
    """Open a database; into a file, nobody else labels meanwhile.

    Parameters
    ----------
    path : Path or PostgresUrl
        Made if there is none.
    items, classes, overlap, rng, accept_changes, multi
        As for `prepare`.
    opened : ExitStack
        Closes what was opened.

    Returns
    -------
    LabelStore
    Changes or None
        How the items differ from those of the session before, if they do.

    Raises
    ------
    ValueError
        If it was made for other items, holds labels of other classes, or is a copy that lacks labels.
    OSError
        If another session is using it, it is damaged, or it cannot be written.
    """
    if isinstance(path, PostgresUrl):
        return shared.open_to_label(
            path, items, classes, overlap, rng, opened, accept_changes=accept_changes, multi=multi
        )
    refuse_other_files(path)
    opened.callback(lock(path).close)
    had_log = has_log(path)
    store = LabelStore(path)
    opened.callback(store.close)
    check(store, had_log=had_log)
    if is_empty(store):  # a model beside an empty database is of one that was deleted
        store.keep_model(None)
    changes = prepare(store, items, classes, overlap, rng, accept_changes=accept_changes, multi=multi)
    opened.callback(Settler(store).stop)
    return store, changes


@contextmanager
def open_to_import(path: Place) -> Iterator[LabelStore]:
    """Open a database that has items and that nobody labels into meanwhile; settled in the end.

    Parameters
    ----------
    path : Path or PostgresUrl

    Yields
    ------
    LabelStore

    Raises
    ------
    ValueError
        If there is none, it holds no items, or is a copy that lacks labels.
    OSError
        If a session is using it, it is damaged, or it cannot be written.
    """
    if isinstance(path, PostgresUrl):
        with shared.open_alone(path) as store:
            yield store
        return
    if not (path.is_file() and path.stat().st_size):
        raise ValueError(f"there is no database {path}; 'alkit label' makes it, of the data and the classes")
    refuse_other_files(path)
    with ExitStack() as opened:
        opened.callback(lock(path).close)
        had_log = has_log(path)
        store = LabelStore(path)
        opened.callback(store.close)
        check(store, had_log=had_log)
        if is_empty(store):
            raise ValueError(f"{path} holds no items; start 'alkit label' on it once, with the data and the classes")
        yield store
        settle(store)
