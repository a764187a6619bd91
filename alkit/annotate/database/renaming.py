"""Other names of classes in what follows from events: answers, rankings and leases; events keep what was clicked."""

from __future__ import annotations

import sqlite3
from functools import partial

from alkit.annotate.database.label_kinds import LabelKind
from alkit.annotate.database.statements import RENAMED_PREDICTIONS

_LABELS = {"answer": "kind = 'label'", "decided": "kind = 'label'", "gold": "1 = 1"}
_KEYS = {"ranking": ("model_version", "item"), "lease": ("item", "annotator")}


def rename_answers(db: sqlite3.Connection, kind: LabelKind, old: str, new: str) -> None:
    """Give the labels of a class its other name: those of people, those that were decided, and known answers.

    Parameters
    ----------
    db : Connection
        In a transaction.
    kind : LabelKind
    old, new : str
    """
    for table, which in _LABELS.items():
        given = [row["value"] for row in db.execute(f"SELECT DISTINCT value FROM {table} WHERE {which}")]
        changed = [(kind.renamed(value, partial(_other_name, old, new)), value) for value in given]
        db.executemany(
            f"UPDATE {table} SET value = ? WHERE {which} AND value = ?",
            [(after, before) for after, before in changed if after != before],
        )


def rename_predictions(db: sqlite3.Connection, kind: LabelKind, table: str, old: str, new: str) -> None:
    """Give a class its other name in what was predicted.

    Parameters
    ----------
    db : Connection
        In a transaction.
    kind : LabelKind
    table : {"ranking", "lease"}
    old, new : str
    """
    if not kind.several:
        db.execute(RENAMED_PREDICTIONS.format(table=table), {"old": old, "new": new})
        return
    first, second = _KEYS[table]
    rows = db.execute(f"SELECT {first}, {second}, prediction FROM {table} WHERE prediction IS NOT NULL").fetchall()
    changed = [(kind.renamed_prediction(text, partial(_other_name, old, new)), one, other) for one, other, text in rows]
    db.executemany(f"UPDATE {table} SET prediction = ? WHERE {first} = ? AND {second} = ?", changed)


def _other_name(old: str, new: str, name: str) -> str:
    return new if name == old else name
