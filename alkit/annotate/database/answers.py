"""Answers: the last event of each annotator on each item that was not undone, as it is exported and reported."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from typing import Any

from alkit.annotate.database.store import LabelStore


def read_answers(store: LabelStore, annotator: str | None = None) -> Iterator[dict[str, Any]]:
    """Return the answers, in the order given.

    Parameters
    ----------
    store : LabelStore
    annotator : str, optional
        Return only this annotator's.

    Yields
    ------
    dict
        ``item``, ``text``, ``image`` (file name), ``row``; ``annotator``, ``kind`` ("label", "skip" or "flag"),
        ``value``, ``seconds``, ``late``, ``time`` (Unix time), ``uuid``; ``source`` ("strategy", "random", or
        "unasked"), selection ``probability``, ``model_version``, and ``suggestion`` as it was shown.
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


def suggestion(row: sqlite3.Row) -> dict[str, Any] | None:
    """Return the prediction an annotator is shown; none for an item drawn at random, whose label scores the model.

    Parameters
    ----------
    row : Row of table ``lease`` or ``event``

    Returns
    -------
    dict or None
        ``value`` and ``confidence``.
    """
    if row["source"] != "strategy" or row["prediction"] is None:
        return None
    return {"value": row["prediction"], "confidence": row["confidence"]}


def count_classes(store: LabelStore) -> dict[str, int]:
    """Return the number of labels of each class that has any.

    Parameters
    ----------
    store : LabelStore

    Returns
    -------
    dict of str to int
    """
    counts = store.query("SELECT value, COUNT(*) FROM answer WHERE kind = 'label' GROUP BY value")
    return {row[0]: row[1] for row in counts}
