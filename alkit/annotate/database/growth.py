"""Items that are added to a database on which people have labelled already."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence

import numpy as np

from alkit.annotate.database.store import LabelStore

# items that nothing refers to but their place in the random order
_UNTOUCHED = """
    SELECT id, key, content FROM item i WHERE NOT EXISTS (SELECT 1 FROM event WHERE item = i.id)
    AND NOT EXISTS (SELECT 1 FROM lease WHERE item = i.id)
"""


def add_items(
    store: LabelStore, contents: Sequence[tuple[str, str]], fingerprint: str, rng: np.random.Generator
) -> None:
    """Add the items that a database lacks, and take over the order of all.

    The id of an item is its place in a random order, and whoever is to get a random item gets the lowest id that is
    open. So that this stays a uniform draw, items that nobody has been given yet are put in a new order with the new.

    Parameters
    ----------
    store : LabelStore
    contents : sequence of (key, content)
        All items, those of the database among them.
    fingerprint : str
        As in `LabelStore.add_items`.
    rng : Generator
    """
    with store.transaction() as db:
        known = {row["key"] for row in db.execute("SELECT key FROM item")}
        added = [item for item in contents if item[0] not in known]
        _shuffle_in(db, added, store.meta("overlap"), rng)
        places = [(position, key) for position, (key, _) in enumerate(contents)]
        db.executemany("UPDATE item SET position = ? WHERE key = ?", places)
        db.execute("INSERT OR REPLACE INTO meta VALUES ('fingerprint', ?)", (json.dumps(fingerprint),))


def _shuffle_in(
    db: sqlite3.Connection, added: Sequence[tuple[str, str]], overlap: int, rng: np.random.Generator
) -> None:
    """Give new items and untouched ones the ids of these and the next free ones, in random order."""
    untouched = db.execute(_UNTOUCHED).fetchall()
    (next_id,) = db.execute("SELECT MAX(id) + 1 FROM item").fetchone()
    new_ids = range(next_id, next_id + len(added))
    ids = [row["id"] for row in untouched] + list(new_ids)
    items = [(row["key"], row["content"]) for row in untouched] + list(added)
    db.executemany("DELETE FROM item WHERE id = ?", [(row["id"],) for row in untouched])
    order = rng.permutation(len(ids)).tolist()
    shuffled = [(ids[place], *item) for place, item in zip(order, items, strict=True)]
    db.executemany("INSERT INTO item (id, key, position, content) VALUES (?, ?, 0, ?)", shuffled)
    db.executemany("INSERT INTO queue (item, wanted) VALUES (?, ?)", [(id, overlap) for id in new_ids])
    # They name items by ids that are others' now; the trainer makes new ones when it starts.
    db.execute("DELETE FROM ranking")
    db.execute("DELETE FROM assignment")
