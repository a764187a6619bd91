"""Answers: the last event of each annotator on each item that was not undone, as it is exported and reported."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from alkit.annotate.database.class_names import ClassChange, present_name
from alkit.annotate.database.decisions import read_decisions
from alkit.annotate.database.errors import damaged
from alkit.annotate.database.gold import SOURCE
from alkit.annotate.database.label_kinds import LabelKind
from alkit.annotate.database.store import LabelStore

_CHUNK = 500  # events per query: a longer one would keep annotators waiting

# Events are never changed, so this reads the answers as of the event `last`, however many queries it takes. The table
# of answers would not do: an answer that is replaced between two queries could be missed in both.
_ANSWERS = """
    SELECT e.*, i.key, i.content, c.content AS earlier,
    (SELECT n.value FROM note n WHERE n.item = e.item AND n.annotator = e.annotator ORDER BY n.seq DESC LIMIT 1) AS note
    FROM event e JOIN item i ON i.id = e.item
    LEFT JOIN earlier_content c ON c.key = i.key AND c.version = COALESCE(e.version, 0)
    WHERE e.seq > :start AND e.seq <= :end AND e.seq <= :last AND e.kind <> 'undo'
    AND e.annotator = COALESCE(:annotator, e.annotator)
    AND NOT EXISTS (SELECT 1 FROM event u WHERE u.kind = 'undo' AND u.value = e.uuid AND u.seq <= :last)
    AND NOT EXISTS (
        SELECT 1 FROM event later
        WHERE later.item = e.item AND later.annotator = e.annotator AND later.seq > e.seq AND later.seq <= :last
        AND later.kind <> 'undo'
        AND NOT EXISTS (SELECT 1 FROM event u WHERE u.kind = 'undo' AND u.value = later.uuid AND u.seq <= :last)
    )
    ORDER BY e.seq
"""


def read_answers(store: LabelStore, annotator: str | None = None) -> Iterator[dict[str, Any]]:
    """Return the answers as of now, in the order given; others may label while they are read.

    Parameters
    ----------
    store : LabelStore
    annotator : str, optional
        Return only this annotator's.

    Yields
    ------
    dict
        ``item``, ``text``, ``image`` (file name), ``row``; ``annotator``, ``kind`` ("label", "skip" or "flag"),
        ``value`` (of several labels per item, a list), ``seconds``, ``late``, ``time`` (Unix time), ``uuid``;
        ``source`` ("strategy", "random", "gold", or
        "unasked"), selection ``probability``, ``model_version``, and ``suggestion`` as it was shown; ``earlier``: of an
        answer to an item that has changed since, ``text``, ``image`` and ``row`` as they were, else None; ``clicked``:
        of a label whose class has another name since, the earlier one, else None; ``note`` on the answer, or None;
        ``decision``, the label that the owner decided the item has, or None. One annotator is told neither of decisions
        nor of which items were gold, and so neither of the probability of random ones.
    """
    changes, kind = store.class_changes(), store.kind
    decided = {} if annotator is not None else read_decisions(store)
    last = store.count("SELECT COALESCE(MAX(seq), 0) FROM event")
    for start in range(0, last, _CHUNK):
        rows = store.query(_ANSWERS, start=start, end=start + _CHUNK, last=last, annotator=annotator)
        for row in rows:
            decision = decided.get(row["item"])
            answer = _answer(row, store, kind, changes)
            answer["decision"] = None if decision is None else kind.read(decision)
            if annotator is not None:
                answer = _without_gold(answer)
            yield answer


def _without_gold(answer: dict[str, Any]) -> dict[str, Any]:
    """Return an answer without what tells items that test people from random ones: how likely these were."""
    is_random = answer["source"] in (SOURCE, "random")
    return {**answer, "source": "random", "probability": None} if is_random else answer


def _answer(row: sqlite3.Row, store: LabelStore, kind: LabelKind, changes: Sequence[ClassChange]) -> dict[str, Any]:
    """Return an event, with its item."""
    value, clicked = row["value"], None
    if row["kind"] == "label":
        present = kind.renamed(value, lambda name: present_name(changes, name, row["seq"]))
        value, clicked = kind.read(present), None if present == value else kind.read(value)
    return {
        "item": row["key"],
        **_content(row["content"], row["key"], store),
        **{name: row[name] for name in ("annotator", "kind")},
        "value": value,
        "seconds": row["seconds"],
        "late": bool(row["late"]),
        "time": row["recorded"],
        **{name: row[name] for name in ("uuid", "source", "probability", "model_version")},
        "suggestion": suggestion(row, kind),
        "earlier": None if row["earlier"] is None else _content(row["earlier"], row["key"], store),
        "clicked": clicked,
        "note": row["note"] or None,
    }


def _content(written: str, key: str, store: LabelStore) -> dict[str, Any]:
    """Return what an item holds."""
    try:
        content = json.loads(written)
    except ValueError as error:
        raise damaged(store.path, f"item {key!r}: {error}") from error
    return {"text": content["text"], "image": content.get("image"), "row": content["row"]}


def suggestion(row: sqlite3.Row, kind: LabelKind) -> dict[str, Any] | None:
    """Return the prediction an annotator is shown; none for an item drawn at random, whose label scores the model.

    Parameters
    ----------
    row : Row of table ``lease`` or ``event``
    kind : LabelKind

    Returns
    -------
    dict or None
        ``value`` and ``confidence``; of several labels, also ``proba`` of each.
    """
    if row["source"] != "strategy" or row["prediction"] is None:
        return None
    return kind.prediction(row["prediction"], row["confidence"])


def count_classes(store: LabelStore) -> dict[str, int]:
    """Return the number of labels of each class that has any.

    Parameters
    ----------
    store : LabelStore

    Returns
    -------
    dict of str to int
    """
    kind, counts = store.kind, Counter[str]()
    for value, n in store.query("SELECT value, COUNT(*) FROM answer WHERE kind = 'label' GROUP BY value"):
        for name in kind.names(value):
            counts[name] += n
    return dict(counts)
