"""Where the pictures of items are: pages are never told, exports of the owner are."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from alkit.annotate.database.store import LabelStore
from alkit.annotate.items import printable


def put_pictures(store: LabelStore, paths: Mapping[str, Path]) -> None:
    """Keep where the pictures are now, in place of where they were.

    Parameters
    ----------
    store : LabelStore
    paths : mapping of str to Path
        By the key of the item.
    """
    absolute = {key: printable(os.path.abspath(path)) for key, path in paths.items()}
    if absolute == read_pictures(store):
        return
    with store.transaction() as db:
        db.execute("DELETE FROM picture")
        db.executemany("INSERT INTO picture VALUES (?, ?)", absolute.items())


def read_pictures(store: LabelStore) -> dict[str, str]:
    """Return the absolute paths of all pictures, by the key of the item.

    Parameters
    ----------
    store : LabelStore

    Returns
    -------
    dict of str to str
    """
    return {row["key"]: row["path"] for row in store.query("SELECT key, path FROM picture")}
