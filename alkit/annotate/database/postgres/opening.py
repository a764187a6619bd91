"""Opening a project on a server: by the first session, by others that join it, and by commands beside them or alone."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING, cast

import numpy as np

from alkit.annotate.database.postgres.url import PostgresUrl
from alkit.annotate.database.setup import check_kind, fingerprint_of, is_empty, prepare, present_classes
from alkit.annotate.database.store import LabelStore
from alkit.annotate.items import Changes, Items

if TYPE_CHECKING:
    from alkit.annotate.database.postgres.engine import Postgres

_PREPARING_SECONDS = 300.0  # how long to wait for another session to fill the tables
_POLL_SECONDS = 0.1


def open_to_label(
    url: PostgresUrl,
    items: Items,
    classes: Sequence[str],
    overlap: tuple[int, int],
    rng: np.random.Generator,
    opened: ExitStack,
    *,
    accept_changes: bool,
    multi: bool,
) -> tuple[LabelStore, Changes | None]:
    """Open a project into which others may be labelling, too; as `alkit.annotate.database.opening.open_to_label` does.

    Who finds nobody at work prepares it. Others take it as it is.

    Parameters
    ----------
    url : PostgresUrl
    items, classes, overlap, rng, opened, accept_changes, multi
        As there.

    Returns
    -------
    LabelStore
    Changes or None

    Raises
    ------
    ValueError
        If others are at work on it with other items, classes or another overlap, or as of `prepare`.
    OSError
        If it cannot be reached, or a command works alone on it.
    """
    store = LabelStore(url)
    opened.callback(store.close)
    engine = _engine(store)
    with _one_at_a_time(store):
        changes = None
        engine.is_first = store.try_lock("session")
        if engine.is_first:
            if is_empty(store):
                store.keep_model(None)
            changes = prepare(store, items, classes, overlap, rng, accept_changes=accept_changes, multi=multi)
            engine.tidy()
        else:
            check_kind(store, multi=multi)
            _check_same(store, items, classes, overlap)
        engine.join(store.meta("fingerprint"))
        if engine.is_first:
            engine.unlock("session")  # others may join
    return store, changes


@contextmanager
def _one_at_a_time(store: LabelStore) -> Iterator[None]:
    """Wait until no other session is preparing the project."""
    until = time.monotonic() + _PREPARING_SECONDS
    while not store.try_lock("prepare"):
        if time.monotonic() > until:
            raise OSError(f"{store.path} is being prepared by another server; try again once that has started")
        time.sleep(_POLL_SECONDS)
    yield
    _engine(store).unlock("prepare")  # after an error, the connection is closed


def _check_same(store: LabelStore, items: Items, classes: Sequence[str], overlap: tuple[int, int]) -> None:
    """Refuse to work otherwise on a project than the sessions that are at work on it."""
    if store.meta("fingerprint") != fingerprint_of(items):
        raise ValueError(
            f"other servers are at work on {store.path}, and the items here are not theirs; start this one with the "
            "same data, or stop those first if the data has changed"
        )
    known = store.meta("classes", [])
    if set(present_classes(store, classes)) != set(known):
        raise ValueError(
            f"other servers are at work on {store.path} with the classes {known}, not {list(classes)}; name the same, "
            "and change them for all servers by 'alkit classes'"
        )
    least, most = store.meta("overlap"), store.meta("most")
    if (least, most) != overlap:
        raise ValueError(
            f"other servers are at work on {store.path} with overlap {least}-{most}, not {overlap[0]}-{overlap[1]}; "
            "pass the same, or stop those first"
        )


@contextmanager
def open_alone(url: PostgresUrl) -> Iterator[LabelStore]:
    """Open a project that has items, and into which nobody labels meanwhile.

    Parameters
    ----------
    url : PostgresUrl

    Yields
    ------
    LabelStore

    Raises
    ------
    ValueError
        If there is no project, or it holds no items.
    OSError
        If it cannot be reached, or sessions are at work on it.
    """
    with open_beside(url) as store:
        if not store.try_lock("session"):
            raise OSError(f"{url} is in use by another session or server; stop that, or pass another database")
        yield store
        _engine(store).tidy()


@contextmanager
def open_beside(url: PostgresUrl, *, read_only: bool = False) -> Iterator[LabelStore]:
    """Open a project that has items, whether or not others are labelling into it.

    Parameters
    ----------
    url : PostgresUrl
    read_only : bool, default=False

    Yields
    ------
    LabelStore

    Raises
    ------
    ValueError
        If there is no project, or it holds no items.
    OSError
        If it cannot be reached.
    """
    with closing(LabelStore(url, read_only=True)) as store:
        if is_empty(store):
            raise ValueError(f"{url} holds no items; label something first")
        if read_only:
            yield store
            return
    with closing(LabelStore(url)) as store:
        yield store


def _engine(store: LabelStore) -> Postgres:
    return cast("Postgres", store.engine)
