"""Answers: what was said and counts, as it is exported, reported and drawn."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from typing import Any

from alkit.annotate.database.store import LabelStore


def read_answers(store: LabelStore, annotator: str | None = None) -> Iterator[dict[str, Any]]:
    """Return the answers that count, in the order given.

    Parameters
    ----------
    store : LabelStore
    annotator : str, optional
        Only theirs.

    Yields
    ------
    dict
        ``item``, ``text``, ``image`` (file name), ``row``; ``annotator``, ``kind`` ("label", "skip" or "flag"),
        ``value``, ``seconds``, ``late``, ``time`` (Unix time), ``uuid``; ``source`` ("strategy", "random", or
        "unasked"), selection ``probability``, ``model_version``, and ``suggestion`` as shown.
    """
    rows = store.query(
        """
        SELECT e.*, i.key, i.content FROM answer a JOIN event e ON e.seq = a.event JOIN item i ON i.id = a.item
        WHERE a.annotator = COALESCE(?, a.annotator) ORDER BY e.seq
        """,
        annotator,
    )
    for row in rows:
        content = json.loads(row["content"])
        yield {
            "item": row["key"],
            "text": content["text"],
            "image": content.get("image"),
            "row": content["row"],
            **{name: row[name] for name in ("annotator", "kind", "value", "seconds")},
            "late": bool(row["late"]),
            "time": row["recorded"],
            **{name: row[name] for name in ("uuid", "source", "probability", "model_version")},
            "suggestion": suggestion(row),
        }


def suggestion(given: sqlite3.Row) -> dict[str, Any] | None:
    """Return what an annotator is shown of the model's opinion: nothing, where it is to be judged by the answer.

    Parameters
    ----------
    given : Row of table ``lease`` or ``event``

    Returns
    -------
    dict or None
        ``value`` and ``confidence``.
    """
    if given["source"] != "strategy" or given["prediction"] is None:
        return None
    return {"value": given["prediction"], "confidence": given["confidence"]}


def count_classes(store: LabelStore) -> dict[str, int]:
    """Return how many labels there are of each class that has any.

    Parameters
    ----------
    store : LabelStore

    Returns
    -------
    dict of str to int
    """
    found = store.query("SELECT value, COUNT(*) FROM answer WHERE kind = 'label' GROUP BY value")
    return {row[0]: row[1] for row in found}
