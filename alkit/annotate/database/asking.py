"""Asking again: which items need another label, and who is there to be asked."""

from __future__ import annotations

from collections.abc import Mapping

from alkit.annotate.database.ranking import by_chunks
from alkit.annotate.database.statements import UPDATE_QUEUE
from alkit.annotate.database.store import LabelStore

_PRESENT_SECONDS = 3600.0  # who was given an item since is there


def ask_again(store: LabelStore, asked: Mapping[int, int]) -> None:
    """Ask for further labels of some items, and of all others for as many as of every item.

    Parameters
    ----------
    store : LabelStore
    asked : mapping of int to int
        How many labels these items are to have, by the item's number.
    """
    before = {row["item"]: row["asked"] for row in store.query("SELECT item, asked FROM queue WHERE asked IS NOT NULL")}
    items = sorted(before.keys() | asked.keys())
    changed = [item for item in items if before.get(item) != asked.get(item)]
    by_chunks(store, "UPDATE queue SET asked = ? WHERE item = ?", [(asked.get(item), item) for item in changed])
    overlap = store.meta("overlap")
    by_chunks(
        store,
        f"{UPDATE_QUEUE} WHERE item = :item",
        [{"item": item, "overlap": overlap} for item in changed],
    )


def people_present(store: LabelStore, now: float) -> list[str]:
    """Return who was given an item within the last hour, sorted.

    Parameters
    ----------
    store : LabelStore
    now : float
        Unix time, in seconds.

    Returns
    -------
    list of str
    """
    rows = store.query("SELECT DISTINCT annotator FROM lease WHERE granted > ?", now - _PRESENT_SECONDS)
    return sorted(row["annotator"] for row in rows)


def begun_items(store: LabelStore) -> list[int]:
    """Return the items that somebody labelled and that need another label, by their numbers.

    Parameters
    ----------
    store : LabelStore

    Returns
    -------
    list of int
    """
    rows = store.query("SELECT item FROM queue WHERE wanted > 0 AND n_labels > 0 ORDER BY item")
    return [row["item"] for row in rows]


def answered_items(store: LabelStore) -> list[tuple[int, str]]:
    """Return who has labelled or skipped which of the items that need a label.

    Parameters
    ----------
    store : LabelStore

    Returns
    -------
    list of (item, annotator)
    """
    rows = store.query("SELECT a.item, a.annotator FROM answer a JOIN queue q ON q.item = a.item WHERE q.wanted > 0")
    return [(row["item"], row["annotator"]) for row in rows]
