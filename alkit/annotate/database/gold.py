"""Gold: items whose answer is known, which people are given now and then without being told, and tested by."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence

from alkit.annotate.database.label_kinds import write_labels
from alkit.annotate.database.store import LabelStore

SOURCE = "gold"
"""The ``source`` of answers to items that were given to test the annotator."""

_N_NAMED = 3

# As for items of the random share, the version of the model is noted: it is shown, and must not tell them apart.
# The lowest id is a uniform draw, because ids are a random order. How many labels the item needs does not matter:
# everybody is tested by it.
_NEXT = f"""
    INSERT INTO lease (item, annotator, granted, expires, source, model_version)
    SELECT i.id, :annotator, :now, :expires, '{SOURCE}', (SELECT MAX(version) FROM model)
    FROM gold g JOIN item i ON i.key = g.key
    WHERE i.position >= 0
    AND NOT EXISTS (
        SELECT 1 FROM answer a WHERE a.item = i.id AND (a.annotator = :annotator OR a.kind = 'flag')
    )
    AND NOT EXISTS (SELECT 1 FROM lease l WHERE l.item = i.id AND l.annotator = :annotator AND l.expires > :now)
    AND NOT EXISTS (SELECT 1 FROM decided d WHERE d.item = i.id AND d.kind = 'exclude')
    ORDER BY i.id LIMIT 1
    ON CONFLICT (item, annotator) DO UPDATE SET granted = excluded.granted, expires = excluded.expires,
        source = excluded.source, probability = NULL, model_version = excluded.model_version, prediction = NULL,
        confidence = NULL
    RETURNING *
"""


def put_gold(store: LabelStore, answers: Mapping[str, str | Sequence[str]]) -> None:
    """Make some items gold, and all others ordinary.

    Parameters
    ----------
    store : LabelStore
    answers : mapping of str to str or sequence of str
        Known answers by the item's key: a class; of several labels per item, those that it has.

    Raises
    ------
    ValueError
        If there is no such item, or no such class, or, of several labels, an answer is a text.
    """
    classes = store.meta("classes", [])
    known = {row["key"] for row in store.query("SELECT key FROM item")}
    texts = {key: _as_kept(answer, several=store.kind.several) for key, answer in answers.items()}
    names = [name for text in texts.values() for name in store.kind.names(text)]
    for what, wrong in (
        ("items that the project lacks", [key for key in answers if key not in known]),
        (f"classes that are not among {classes}", [name for name in names if name not in classes]),
    ):
        if wrong:
            named = ", ".join(map(repr, wrong[:_N_NAMED])) + (" ..." if len(wrong) > _N_NAMED else "")
            raise ValueError(f"gold names {len(wrong)} {what}: {named}; leave these out, or add them to the project")
    with store.transaction() as db:
        db.execute("DELETE FROM gold")
        db.executemany("INSERT INTO gold (key, value) VALUES (?, ?)", list(texts.items()))
        # what a model predicts of them must not be suggested to whom they test
        db.execute("DELETE FROM ranking WHERE item IN (SELECT i.id FROM gold g JOIN item i ON i.key = g.key)")


def _as_kept(answer: str | Sequence[str], *, several: bool) -> str:
    """Return a known answer as the database keeps labels."""
    if not several:
        return str(answer)
    if isinstance(answer, str):
        raise ValueError(f"gold has the answer {answer!r}; where items have several labels, give a list of them")
    return write_labels(answer)


def read_gold(store: LabelStore) -> dict[str, str]:
    """Return the known answers.

    Parameters
    ----------
    store : LabelStore

    Returns
    -------
    dict of str to str
        By the item's key, as the database keeps labels.
    """
    return {row["key"]: row["value"] for row in store.query("SELECT key, value FROM gold")}


def has_gold(store: LabelStore) -> bool:
    """Return whether there are items whose answer is known.

    Parameters
    ----------
    store : LabelStore

    Returns
    -------
    bool
    """
    return bool(store.query("SELECT 1 FROM gold LIMIT 1"))


def next_gold(store: LabelStore, annotator: str, *, now: float, lease_seconds: float) -> sqlite3.Row | None:
    """Give an annotator a gold item that they have neither answered nor hold.

    Parameters
    ----------
    store : LabelStore
    annotator : str
    now : float
        Unix time, in seconds.
    lease_seconds : float
        How long the item is held for the annotator.

    Returns
    -------
    Row of table ``lease``, or None if there is none left for them
    """
    parameters = {"annotator": annotator, "now": now, "expires": now + lease_seconds}
    with store.transaction() as db:
        leases: Sequence[sqlite3.Row] = db.execute(_NEXT, parameters).fetchall()
    return leases[0] if leases else None
