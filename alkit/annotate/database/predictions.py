"""What the model predicts of items, and where it ranks them, as of its last round."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterator
from typing import Any

from alkit.annotate.database.label_kinds import LabelKind
from alkit.annotate.database.store import LabelStore

_CHUNK = 500  # items per query: a longer one would keep annotators waiting

# every item that nobody has labelled, with what the last model predicts of it
_UNLABELLED = """
    SELECT i.id, i.key, i.content, r.prediction, r.confidence, r.model_version FROM item i
    JOIN queue q ON q.item = i.id
    LEFT JOIN ranking r ON r.item = i.id AND r.model_version = (SELECT MAX(version) FROM model)
    WHERE i.id >= ? AND i.id < ? AND q.n_labels = 0
    AND NOT EXISTS (SELECT 1 FROM decided d WHERE d.item = i.id AND d.kind <> 'reopen') ORDER BY i.id
"""

_RANKED = """
    SELECT i.key, r.position, r.prediction, r.confidence FROM item i
    JOIN queue q ON q.item = i.id
    JOIN ranking r ON r.item = i.id AND r.model_version = (SELECT MAX(version) FROM model)
    WHERE q.n_labels = 0 AND i.key IN ({keys})
"""


def read_unlabelled(store: LabelStore) -> Iterator[dict[str, Any]]:
    """Return the items that have neither a label nor a decision of the owner, with what the model predicts of them.

    Parameters
    ----------
    store : LabelStore

    Yields
    ------
    dict
        ``item``, ``text``, ``image`` (file name), ``row``; ``kind`` is None; ``prediction``, its ``confidence`` and
        ``model_version``, None where the model predicts nothing yet; of several labels, ``prediction`` is a list, and
        ``proba`` the probability of each.
    """
    kind = store.kind
    n_items = store.count("SELECT COALESCE(MAX(id) + 1, 0) FROM item")
    for start in range(0, n_items, _CHUNK):
        for row in store.query(_UNLABELLED, start, start + _CHUNK):
            content = json.loads(row["content"])
            yield {
                "item": row["key"],
                "text": content["text"],
                "image": content.get("image"),
                "row": content["row"],
                "kind": None,
                "model_version": row["model_version"],
                **_predicted(row, kind),
            }


def _predicted(row: sqlite3.Row, kind: LabelKind) -> dict[str, Any]:
    """Return what a row of a ranking predicts."""
    if row["prediction"] is None:
        return {"prediction": None, "confidence": None}
    shown = kind.prediction(row["prediction"], row["confidence"])
    return {"prediction": shown.pop("value"), **shown}


def read_ranked(store: LabelStore, keys: Collection[str]) -> dict[str, dict[str, Any]]:
    """Return what the model says of some items; nothing of those that have a label.

    Parameters
    ----------
    store : LabelStore
    keys : collection of str

    Returns
    -------
    dict of str to dict
        ``position`` (place in the ranking, from 0, or None), ``prediction`` and ``confidence``, by the item's key; of
        several labels, ``prediction`` is a list, and ``proba`` the probability of each.
    """
    kind = store.kind
    found: dict[str, dict[str, Any]] = {}
    wanted = list(keys)
    for start in range(0, len(wanted), _CHUNK):
        some = wanted[start : start + _CHUNK]
        rows = store.query(_RANKED.format(keys=", ".join("?" * len(some))), *some)
        found |= {row["key"]: {"position": row["position"], **_predicted(row, kind)} for row in rows}
    return found
