"""Answers brought to the rows they are about."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from alkit.crowd.answers import Answers, is_long, read_answers
from alkit.labels import as_labels
from alkit.rows import Rows, n_rows
from alkit.validation import check_label_a_row


def answers_by_row(X: Rows, annotations: Any, classes: Any = None) -> Answers:
    """Return annotations with one item per row of X, in the order of X.

    Parameters
    ----------
    X : rows, n of them
    annotations : array (n, A), DataFrame or array (n,)
        As of `alkit.crowd.CrowdClassifier.fit`.
    classes : array-like, optional
        All labels there may be.

    Returns
    -------
    Answers
        Its `items` are what a long form calls the rows: positions, or labels of the index of X.

    Raises
    ------
    ValueError
        If annotations do not fit the rows, if there is no answer, or fewer than two classes.
    """
    if annotations is None:
        raise ValueError("requires y to be passed, but the target y is None: pass what people said of the rows")
    if is_long(annotations):
        answers = _placed(X, read_answers(annotations, classes))
    else:
        table = annotations if _n_dimensions(annotations) == 2 else _one_person(annotations)
        check_label_a_row(X, table)
        answers = read_answers(table, classes)
    if not len(answers.label):
        raise ValueError(f"annotations holds 0 answers for {n_rows(X)} rows; there is nothing to learn from")
    if len(answers.classes) < 2:
        raise ValueError(
            f"annotations holds {len(answers.classes)} class: {answers.classes.tolist()}; a classifier needs two: "
            "declare all labels there may be by classes=[...]"
        )
    return answers


def row_names(X: Rows) -> np.ndarray:
    """Return what a long form calls the rows: labels of a pandas index, else positions, (n,)."""
    return X.index.to_numpy() if isinstance(X, (pd.DataFrame, pd.Series)) else np.arange(n_rows(X))


def _n_dimensions(annotations: Any) -> int:
    """Return 1 for one person's labels, 2 for a table, whatever they are held in."""
    known = getattr(annotations, "ndim", None)
    return np.asarray(annotations, dtype=object).ndim if known is None else known


def _one_person(labels: Any) -> np.ndarray:
    """Return one person's labels as a column."""
    return np.asarray(as_labels(labels))[:, None]


def _placed(X: Rows, answers: Answers) -> Answers:
    """Return answers in long form with their items where they are in X."""
    names = pd.Index(row_names(X))
    if not names.is_unique:
        raise ValueError(f"the index of X names {len(names)} rows, but only {names.nunique()} different ones")
    places = names.get_indexer(answers.items)
    if (places < 0).any():
        unknown = answers.items[places < 0]
        known = f"{names[0]!r} to {names[-1]!r}" if len(names) else "none"
        raise ValueError(
            f"{len(unknown)} of {len(answers.items)} items are no rows of X, the first is {unknown.tolist()[0]!r}; X "
            f"has {len(names)} rows ({known}): items are their positions, or labels of the index of a DataFrame"
        )
    item = places[answers.item]
    order = np.lexsort([answers.annotator, item])
    return answers._replace(
        item=item[order], annotator=answers.annotator[order], label=answers.label[order], items=names.to_numpy()
    )
