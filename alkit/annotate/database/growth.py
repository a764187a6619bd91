"""Data that changed under a database on which people have labelled already: new, changed, gone and moved items."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Sequence

import numpy as np

from alkit.annotate.database.statements import PUT_META, UPDATE_QUEUE
from alkit.annotate.database.store import LabelStore
from alkit.annotate.items import Changes

# items of the data that nothing refers to but their place in the random order
_UNTOUCHED = """
    SELECT i.* FROM item i JOIN queue q ON q.item = i.id WHERE NOT EXISTS (SELECT 1 FROM event WHERE item = i.id)
    AND NOT EXISTS (SELECT 1 FROM lease WHERE item = i.id) ORDER BY i.id
"""


def take_over(
    store: LabelStore,
    contents: Sequence[tuple[str, str]],
    changes: Changes,
    fingerprint: str,
    rng: np.random.Generator,
) -> None:
    """Make a database hold the items of the data as it is now, and keep everything that people recorded.

    Of a changed item the earlier content is kept, for the labels that were given to it. An item that is gone is asked
    about no more, and keeps its labels.

    The id of an item is its place in a random order, and whoever is to get a random item gets the lowest id that is
    open. So that this stays a uniform draw, items that nobody has been given yet are put in a new order with the new.

    Parameters
    ----------
    store : LabelStore
    contents : sequence of (key, content)
        All items of the data.
    changes : Changes
        How they differ from the items of the database.
    fingerprint : str
        As in `LabelStore.add_items`.
    rng : Generator
    """
    now_of = dict(contents)
    with store.transaction() as db:  # one: who is killed in the middle finds the old items or the new ones
        _replace_contents(db, [(key, now_of[key]) for key in changes.changed])
        _take_out(db, changes.gone)
        known = {row["key"] for row in db.execute("SELECT key FROM item")}
        _put_back(db, [key for key in changes.new if key in known], store.meta("overlap"))
        added = [(key, now_of[key]) for key in changes.new if key not in known]
        _shuffle_in(db, added, store.meta("overlap"), rng)
        places = [(position, key) for position, (key, _) in enumerate(contents)]
        db.executemany("UPDATE item SET position = ? WHERE key = ?", places)
        db.execute(PUT_META, ("fingerprint", json.dumps(fingerprint)))


def _replace_contents(db: sqlite3.Connection, changed: Sequence[tuple[str, str]]) -> None:
    """Give items another content, and keep the earlier one."""
    kept = "INSERT INTO earlier_content SELECT key, version, content, ? FROM item WHERE key = ?"
    db.executemany(kept, [(time.time(), key) for key, _ in changed])
    replaced = "UPDATE item SET content = ?, version = version + 1 WHERE key = ?"
    db.executemany(replaced, [(content, key) for key, content in changed])


def _take_out(db: sqlite3.Connection, gone: Sequence[str]) -> None:
    """Ask about some items no more."""
    keys = [(key,) for key in gone]
    db.executemany("DELETE FROM queue WHERE item = (SELECT id FROM item WHERE key = ?)", keys)
    db.executemany("UPDATE item SET position = -1 WHERE key = ?", keys)
    held = "UPDATE lease SET expires = 0 WHERE expires > 0 AND item = (SELECT id FROM item WHERE key = ?)"
    db.executemany(held, keys)


def _put_back(db: sqlite3.Connection, keys: Sequence[str], overlap: int) -> None:
    """Ask again about items that were gone, as far as they still need labels."""
    queued = "INSERT INTO queue (item, wanted) SELECT id, ? FROM item WHERE key = ?"
    db.executemany(queued, [(overlap, key) for key in keys])
    wanted = f"{UPDATE_QUEUE} WHERE item = (SELECT id FROM item WHERE key = :key)"
    db.executemany(wanted, [{"overlap": overlap, "key": key} for key in keys])


def _shuffle_in(
    db: sqlite3.Connection, added: Sequence[tuple[str, str]], overlap: int, rng: np.random.Generator
) -> None:
    """Give new items and untouched ones the ids of these and the next free ones, in random order."""
    untouched = db.execute(_UNTOUCHED).fetchall()
    (next_id,) = db.execute("SELECT MAX(id) + 1 FROM item").fetchone()
    new_ids = range(next_id, next_id + len(added))
    ids = [row["id"] for row in untouched] + list(new_ids)
    items = [(row["key"], row["content"], row["version"]) for row in untouched]
    items += [(key, content, 0) for key, content in added]
    db.executemany("DELETE FROM item WHERE id = ?", [(row["id"],) for row in untouched])
    order = rng.permutation(len(ids)).tolist()
    shuffled = [(ids[place], *item) for place, item in zip(order, items, strict=True)]
    db.executemany("INSERT INTO item (id, key, position, content, version) VALUES (?, ?, 0, ?, ?)", shuffled)
    db.executemany("INSERT INTO queue (item, wanted) VALUES (?, ?)", [(id, overlap) for id in new_ids])
    # They name items by ids that are others' now; the trainer makes new ones when it starts.
    db.execute("DELETE FROM ranking")
    db.execute("DELETE FROM assignment")
