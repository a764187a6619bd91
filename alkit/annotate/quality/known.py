"""Labels that are known, because the owner decided them or knew them beforehand, beside what people said."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from alkit.annotate.database.decisions import read_decided
from alkit.annotate.database.gold import read_gold
from alkit.annotate.database.store import LabelStore
from alkit.crowd.answers import Answers, read_answers


def known_answers(store: LabelStore) -> dict[str, str]:
    """Return the answers that people are tested by: those known beforehand, unless the owner decided otherwise since.

    Parameters
    ----------
    store : LabelStore

    Returns
    -------
    dict of str to str
        By the item's key.
    """
    decided = read_decided(store).labels_by_key
    return {key: decided.get(key, label) for key, label in read_gold(store).items()}


def read_with_known(labels: pd.DataFrame, known: Mapping[Any, str]) -> Answers:
    """Return answers, among whose classes are those of the labels that are known.

    Parameters
    ----------
    labels : DataFrame
        In long form: ``item``, ``annotator``, ``label``.
    known : mapping of hashable to str
        By the item.

    Returns
    -------
    Answers
    """
    told = [known[item] for item in labels["item"].unique() if item in known]
    answers = read_answers(labels, sorted({*labels["label"], *told}) if told else None)
    return answers._replace(classes=answers.classes.astype(str))


def possible_classes(answers: Answers, known: Mapping[Any, str]) -> np.ndarray | None:
    """Return which classes each item may have: any, or the one that is known.

    Parameters
    ----------
    answers : Answers
        As of `read_with_known`.
    known : mapping of hashable to str
        By the item.

    Returns
    -------
    bool array (N, C) or None
        None where nothing is known.

    Examples
    --------
    >>> import pandas as pd
    >>> from alkit.annotate.quality.known import possible_classes, read_with_known
    >>> labels = pd.DataFrame({"item": [7, 9], "annotator": "ann", "label": ["spam", "ham"]})
    >>> possible_classes(read_with_known(labels, {9: "spam"}), {9: "spam"})
    array([[ True,  True],
           [False,  True]])
    """
    places = [place for place, item in enumerate(answers.items.tolist()) if item in known]
    if not places:
        return None
    possible_N_C = np.ones((len(answers.items), len(answers.classes)), dtype=bool)
    columns = {name: column for column, name in enumerate(answers.classes.tolist())}
    for place in places:
        possible_N_C[place] = False
        possible_N_C[place, columns[known[answers.items[place]]]] = True
    return possible_N_C
