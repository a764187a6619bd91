"""What passes between the database and the trainer: labels to train on, and rankings of the items."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from alkit.annotate.database.decisions import count_decisions, read_decided
from alkit.annotate.database.label_kinds import write_labels
from alkit.annotate.database.renaming import rename_predictions
from alkit.annotate.database.store import LabelStore

_CHUNK = 500  # rows per transaction: a longer one would keep labels waiting
_PAUSE_SECONDS = 0.02  # between transactions: SQLite sleeps while it waits for a lock, and would miss a short gap

_MAJORITY = """
    SELECT item, value FROM (
        SELECT item, value, ROW_NUMBER() OVER (PARTITION BY item ORDER BY COUNT(*) DESC, MIN(event)) AS place
        FROM answer WHERE kind = 'label' GROUP BY item, value
    ) counted WHERE place = 1 ORDER BY item
"""

_FRESH = """
    SELECT q.item FROM queue q WHERE q.wanted > 0 AND q.n_labels = 0
    AND NOT EXISTS (SELECT 1 FROM gold g JOIN item i ON i.key = g.key WHERE i.id = q.item) ORDER BY q.item
"""


class Labels(NamedTuple):
    """What a model is trained on, and the items it may rank."""

    items: list[int]
    """Items with a label."""
    values: list[str]
    """Their labels: what the owner decided or knew beforehand, else what annotators said; where these differ, the most
    frequent one, of equally frequent ones the first. Of several labels, as the database keeps them: each by itself, by
    the same rule."""
    answers: list[tuple[int, str, str]]
    """All labels of all annotators, as item, annotator and label; empty where one annotator gave them all, and of
    several labels per item. Items that the owner left out are not among them."""
    n_labels: int
    """Number of labels, of all annotators, that the values come from."""
    fresh: list[int]
    """Items that are open and have no label yet; only these are ranked, so that no ranking reveals a label. Gold items
    are not among them, so that no suggestion helps whom they test."""
    last_event: int
    """Number of the last event that they take into account."""
    classes: list[str]
    """The labels to choose from."""
    n_changes: int
    """Number of changes of the classes that they take into account."""
    decided: dict[int, str]
    """Labels that the owner decided, or knew beforehand."""
    n_decisions: int
    """Number of decisions of the owner that they take into account."""


class Assigned(NamedTuple):
    """An item that an annotator is to be asked about."""

    annotator: str
    position: int
    """Place among the annotator's items, from 0."""
    item: int


class Ranked(NamedTuple):
    """A row of a ranking."""

    item: int
    position: int | None
    """Place, from 0; None for an item that is only predicted."""
    utility: float | None
    prediction: str | None
    confidence: float | None


def read_labels(store: LabelStore) -> Labels:
    """Return labels and open items, both as of the same moment.

    Parameters
    ----------
    store : LabelStore

    Returns
    -------
    Labels
    """
    with store.transaction("DEFERRED"):
        several, decided = store.kind.several, read_decided(store)
        majority = _majority_of_each(store) if several else [tuple(row) for row in store.query(_MAJORITY)]
        labelled = dict(majority) | decided.labels
        items = sorted(labelled.keys() - decided.excluded)
        answers = [] if several else _several_peoples(store)
        fresh = store.query(_FRESH)
        return Labels(
            items=items,
            values=[labelled[item] for item in items],
            answers=[answer for answer in answers if answer[0] not in decided.excluded],
            n_labels=store.count("SELECT COUNT(*) FROM answer WHERE kind = 'label'"),
            fresh=[row["item"] for row in fresh],
            last_event=last_event(store),
            classes=store.meta("classes", []),
            n_changes=len(store.class_changes()),
            decided=decided.labels,
            n_decisions=count_decisions(store),
        )


def _majority_of_each(store: LabelStore) -> list[tuple[int, str]]:
    """Return which labels most answers to an item have; where as many have one as lack it, the first answer decides."""
    given: defaultdict[int, list[list[str]]] = defaultdict(list)
    kind = store.kind
    for item, value in store.query("SELECT item, value FROM answer WHERE kind = 'label' ORDER BY event"):
        given[item].append(kind.read(value))
    return [(item, write_labels(_most_have(given[item]))) for item in sorted(given)]


def _most_have(answers: Sequence[Sequence[str]]) -> list[str]:
    counts = Counter(name for labels in answers for name in labels)
    first = answers[0]
    return [name for name, n in counts.items() if 2 * n > len(answers) or (2 * n == len(answers) and name in first)]


def last_event(store: LabelStore) -> int:
    """Return the number of the last event, 0 where there is none.

    Parameters
    ----------
    store : LabelStore

    Returns
    -------
    int
    """
    return store.count("SELECT COALESCE(MAX(seq), 0) FROM event")


def put_ranking(
    store: LabelStore,
    rows: Iterable[Ranked],
    n_labels: int,
    now: float,
    assigned: Iterable[Assigned] = (),
    *,
    n_changes: int | None = None,
) -> int:
    """Replace the ranking; until the new one is complete, the old one is used.

    Parameters
    ----------
    store : LabelStore
    rows : iterable of Ranked
    n_labels : int
        Number of labels the model was fitted on.
    now : float
        Unix time, in seconds.
    assigned : iterable of Assigned
        Whom to ask about which items; by default, anyone about any.
    n_changes : int, optional
        Number of changes of the classes that predictions take into account; by default, all.

    Returns
    -------
    int
        The version of the model.
    """
    version = store.count("SELECT COALESCE(MAX(version), 0) + 1 FROM model")
    _delete_rankings(store, "model_version >= ?", version)  # an incomplete one that a killed trainer left
    by_chunks(store, "INSERT INTO ranking VALUES (?, ?, ?, ?, ?, ?)", [(version, *row) for row in rows])
    by_chunks(store, "INSERT INTO assignment VALUES (?, ?, ?, ?)", [(version, *row) for row in assigned])
    with store.transaction() as db:
        for change in [] if n_changes is None else store.class_changes()[n_changes:]:
            rename_predictions(db, store.kind, "ranking", change.name, change.present)
        db.execute("INSERT INTO model VALUES (?, ?, ?)", (version, n_labels, now))
    _delete_rankings(store, "model_version < ?", version)
    return version


def add_predictions(store: LabelStore, predicted: Sequence[tuple[int, str | None, float | None]]) -> None:
    """Add items to the last ranking that are not ranked, only predicted.

    Parameters
    ----------
    store : LabelStore
    predicted : sequence of (item, prediction, confidence)
    """
    version = store.count("SELECT MAX(version) FROM model")
    rows = [(version, item, None, None, prediction, confidence) for item, prediction, confidence in predicted]
    by_chunks(store, "INSERT INTO ranking VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING", rows)


def by_chunks(store: LabelStore, sql: str, rows: Sequence[Any]) -> None:
    """Run a statement for many rows, by chunks, so that no label waits for long.

    Parameters
    ----------
    store : LabelStore
    sql : str
    rows : sequence of parameters
    """
    for start in range(0, len(rows), _CHUNK):
        with store.transaction() as db:
            db.executemany(sql, rows[start : start + _CHUNK])
        time.sleep(_PAUSE_SECONDS)


def _several_peoples(store: LabelStore) -> list[tuple[int, str, str]]:
    """Return all labels where several people gave some, else none."""
    if store.count("SELECT COUNT(DISTINCT annotator) FROM answer WHERE kind = 'label'") < 2:
        return []
    rows = store.query("SELECT item, annotator, value FROM answer WHERE kind = 'label'")
    return [(row["item"], row["annotator"], row["value"]) for row in rows]


def _delete_rankings(store: LabelStore, which: str, version: int) -> None:
    """Delete rankings by chunks, so that no label waits for long."""
    with store.transaction() as db:
        db.execute(f"DELETE FROM assignment WHERE {which}", (version,))
    sql = f"""
        DELETE FROM ranking WHERE (model_version, item) IN (
            SELECT model_version, item FROM ranking WHERE {which} LIMIT {_CHUNK}
        )
    """
    deleted = 1
    while deleted:
        with store.transaction() as db:
            deleted = db.execute(sql, (version,)).rowcount
        if deleted:
            time.sleep(_PAUSE_SECONDS)
