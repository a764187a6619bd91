"""Preparing a database for a session: a new one is filled, an old one must hold the same items and classes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

import numpy as np

from alkit.annotate.database.store import LabelStore
from alkit.annotate.items import Items, difference


def is_empty(store: LabelStore) -> bool:
    """Return whether a database holds no items yet.

    Parameters
    ----------
    store : LabelStore

    Returns
    -------
    bool
    """
    return store.meta("fingerprint") is None


def prepare(store: LabelStore, items: Items, classes: Sequence[str], overlap: int, rng: np.random.Generator) -> None:
    """Fill an empty database, or check that a filled one is of the same items and classes.

    Parameters
    ----------
    store : LabelStore
    items : Items
    classes : sequence of str
    overlap : int
        How many annotators are to label each item; may differ from session to session.
    rng : Generator
        Draws the random order of the items of an empty database.

    Raises
    ------
    ValueError
        If the database was made for other items, or holds labels of other classes.
    """
    contents = list(zip(items.ids, items.contents(), strict=True))
    fingerprint = hashlib.sha256(json.dumps(contents).encode()).hexdigest()
    if is_empty(store):
        order = rng.permutation(len(contents)).tolist()
        shuffled = [(contents[i][0], i, contents[i][1]) for i in order]
        store.add_items(shuffled, overlap, fingerprint)
    elif store.meta("fingerprint") != fingerprint:
        stored = [tuple(row) for row in store.query("SELECT key, content FROM item ORDER BY position")]
        raise ValueError(
            f"{store.path} was made for other items: {difference(stored, contents)}; restore the data, or pass "
            "another database"
        )
    _check_classes(store, classes)
    if store.meta("overlap") != overlap:
        store.set_overlap(overlap)


def _check_classes(store: LabelStore, classes: Sequence[str]) -> None:
    """Refuse classes that lack one which labels were given of."""
    used = {row["value"] for row in store.query("SELECT DISTINCT value FROM answer WHERE kind = 'label'")}
    missing = sorted(used - set(classes))
    if missing:
        raise ValueError(
            f"{store.path} holds labels {missing}, which are not among the classes {list(classes)}; add them, or pass "
            "another database"
        )
