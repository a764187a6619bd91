"""The pages that annotators have open, which of them holds which items, and how many items they may hold."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Collection
from typing import Any

import numpy as np

from alkit.annotate.database.answers import suggestion
from alkit.annotate.database.contents import item_as_shown
from alkit.annotate.database.gold import has_gold, next_gold
from alkit.annotate.database.leases import extend, held_items, numbers_of
from alkit.annotate.database.store import LabelStore

# A page needs two items, the one it shows and the next. The rest is for answers of the server that were lost on the
# way, and for items that undo brought back.
MAX_HELD_BY_PAGE = 5
MAX_HELD_BY_ANNOTATOR = 15


class Pages:
    """Which page holds which item.

    It is known to this process only: after a restart an item belongs to the first page that says it has it, or to one
    that comes with nothing in hand, as after a reload.

    Parameters
    ----------
    store : LabelStore
    rng : Generator
        Decides which items are drawn at random rather than by their rank.
    """

    def __init__(self, store: LabelStore, rng: np.random.Generator):
        self._store, self._rng = store, rng
        self._lock = threading.Lock()  # counting what is held and holding one more must not be torn apart
        self._owners: dict[tuple[str, int], str | None] = {}  # pages by annotator and item

    def next(
        self,
        annotator: str,
        *,
        page: str | None,
        have: Collection[str],
        resume: bool,
        lease_seconds: float,
        random_share: float,
        gold_share: float = 0.0,
    ) -> dict[str, Any] | None:
        """Return an item that the page holds and does not have, else draw another one.

        Parameters
        ----------
        annotator : str
        page : str or None
            None for a client that does not say which of the annotator's pages it is.
        have : collection of str
            Ids of the items that the page has.
        resume : bool
            Whether to return an item that is held already before the page holds as many as it may.
        lease_seconds : float
            How long it is held.
        random_share : float
            Share of items drawn at random.
        gold_share : float
            Share of items whose answer is known, as long as there are some left for the annotator.

        Returns
        -------
        dict or None
            See `LabelingSession.next`; None if there is nothing for this page.
        """
        now = time.time()
        with self._lock:
            held = held_items(self._store, annotator, now)
            mine = [item for item in held if self._owners.get((annotator, item)) == page]
            if not have:
                mine += [item for item in held if item not in mine and self._is_free(annotator, item)]
            waiting = [item for item in mine if held[item] not in have]
            is_full = len(mine) >= MAX_HELD_BY_PAGE or len(held) >= MAX_HELD_BY_ANNOTATOR
            if waiting and (resume or is_full):
                leases = extend(self._store, annotator, waiting[:1], now=now, lease_seconds=lease_seconds)
                lease = leases[0] if leases else None
            else:
                lease = None if is_full else self._draw(annotator, now, lease_seconds, random_share, gold_share)
            if lease is None:
                return None
            self._owners[annotator, lease["item"]] = page
        return _shown(self._store, lease)

    def _draw(
        self, annotator: str, now: float, lease_seconds: float, random_share: float, gold_share: float
    ) -> sqlite3.Row | None:
        """Hold one more item for an annotator: the best one, or now and then a random one, or one that tests them."""
        if gold_share and has_gold(self._store) and self._rng.random() < gold_share:
            lease = next_gold(self._store, annotator, now=now, lease_seconds=lease_seconds)
            if lease is not None:
                return lease
        return self._store.next(
            annotator,
            now=now,
            lease_seconds=lease_seconds,
            ranked=self._rng.random() >= random_share,
            random_share=random_share,
        )

    def renew(self, annotator: str, have: Collection[str], *, page: str | None, lease_seconds: float) -> list[str]:
        """Hold the items for longer that a page has.

        Parameters
        ----------
        annotator : str
        have : collection of str
            Ids of these items.
        page : str or None
        lease_seconds : float

        Returns
        -------
        list of str
            Ids of the items that the page holds now; others were answered, or given to another page or person.
        """
        with self._lock:
            numbers = numbers_of(self._store, list(have))
            mine = {
                item: key
                for key, item in numbers.items()
                if self._owners.get((annotator, item)) == page or self._is_free(annotator, item)
            }
            leases = extend(self._store, annotator, list(mine), now=time.time(), lease_seconds=lease_seconds)
            for lease in leases:
                self._owners[annotator, lease["item"]] = page
            return [mine[lease["item"]] for lease in leases]

    def _is_free(self, annotator: str, item: int) -> bool:
        """Return whether it is not known which page holds an item."""
        return self._owners.get((annotator, item)) is None


def _shown(store: LabelStore, lease: sqlite3.Row) -> dict[str, Any]:
    """Return an item as annotators see it; one drawn at random comes without a suggestion."""
    (item,) = store.query("SELECT key, content, version FROM item WHERE id = ?", lease["item"])
    return {
        **item_as_shown(item),
        "suggestion": suggestion(lease, store.kind),
        "model_version": lease["model_version"],
        "expires": lease["expires"],
    }
