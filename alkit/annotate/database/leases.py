"""Leases: which items an annotator holds at the moment, and holding them for longer."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from alkit.annotate.database.store import LabelStore

_HELD = """
    SELECT l.item, i.key FROM lease l JOIN item i ON i.id = l.item JOIN queue q ON q.item = l.item
    WHERE l.annotator = ? AND l.expires > ? AND (q.wanted > 0 OR l.source = 'gold')
    ORDER BY l.granted, l.item
"""

# A lease that has run out goes on as well, unless the item was answered, or enough others hold it by now.
_EXTEND = """
    UPDATE lease SET expires = ? WHERE annotator = ? AND item IN ({items}) AND expires IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM answer a WHERE a.item = lease.item AND a.annotator = lease.annotator)
    AND (expires > ? OR (SELECT wanted FROM queue q WHERE q.item = lease.item) > (
        SELECT COUNT(*) FROM lease other WHERE other.item = lease.item AND other.expires > ?
    ))
    RETURNING *
"""


def held_items(store: LabelStore, annotator: str, now: float) -> dict[int, str]:
    """Return the items that an annotator holds and that still need a label.

    Parameters
    ----------
    store : LabelStore
    annotator : str
    now : float
        Unix time, in seconds.

    Returns
    -------
    dict of int to str
        Keys by item number, the item held longest first.
    """
    return {row["item"]: row["key"] for row in store.query(_HELD, annotator, now)}


def extend(
    store: LabelStore, annotator: str, items: Sequence[int], *, now: float, lease_seconds: float
) -> list[sqlite3.Row]:
    """Hold items for longer that were handed to an annotator before.

    Parameters
    ----------
    store : LabelStore
    annotator : str
    items : sequence of int
        Their numbers.
    now : float
        Unix time, in seconds.
    lease_seconds : float
        How long they are held from now on.

    Returns
    -------
    list of Row of table ``lease``
        Without the items that were answered meanwhile, or given to others.
    """
    if not items:
        return []
    sql = _EXTEND.format(items=", ".join("?" * len(items)))
    with store.transaction("EXCLUSIVE") as db:  # nobody else is given one of them meanwhile
        return db.execute(sql, (now + lease_seconds, annotator, *items, now, now)).fetchall()


def numbers_of(store: LabelStore, keys: Sequence[str]) -> dict[str, int]:
    """Return the numbers of items by their keys, without the keys that no item has.

    Parameters
    ----------
    store : LabelStore
    keys : sequence of str

    Returns
    -------
    dict of str to int
    """
    if not keys:
        return {}
    found = store.query(f"SELECT key, id FROM item WHERE key IN ({', '.join('?' * len(keys))})", *keys)
    return {row["key"]: row["id"] for row in found}
