"""The label that most people gave."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from alkit._random import RandomState, generator
from alkit.crowd.answers import read_answers


class MajorityVote(NamedTuple):
    """The labels that most annotators gave.

    Attributes
    ----------
    labels : array (N,)
    proba : array (N, C)
        Shares of the votes.
    classes : array (C,)
    items : array (N,)
        The items these are the labels of: the index of a DataFrame, sorted items of a long form, else row numbers.
    """

    labels: np.ndarray
    proba: np.ndarray
    classes: np.ndarray
    items: np.ndarray


def majority_vote(labels: Any, random_state: RandomState = None) -> MajorityVote:
    """Return the class that most annotators gave to each item.

    Parameters
    ----------
    labels : array (N, A) or DataFrame
        None or NaN: not given. A DataFrame may also be in long form, with the columns ``item``, ``annotator`` and
        ``label``.
    random_state : None, int, RandomState or Generator
        Decides between classes with equally many votes.

    Returns
    -------
    MajorityVote

    Raises
    ------
    ValueError
        If an item has no label.

    Examples
    --------
    >>> from alkit.crowd import majority_vote
    >>> majority_vote([["spam", "spam", "ham"], ["ham", "ham", None]]).labels.tolist()
    ['spam', 'ham']

    Of a DataFrame in long form:

    >>> import pandas as pd
    >>> long = pd.DataFrame({"item": [9, 7, 7], "annotator": ["ann", "ann", "bob"], "label": ["ham", "spam", "spam"]})
    >>> vote = majority_vote(long)
    >>> dict(zip(vote.items.tolist(), vote.labels.tolist()))
    {7: 'spam', 9: 'ham'}
    """
    answers = read_answers(labels)
    proba_N_C = answers.vote_shares()
    best_N_C = proba_N_C == proba_N_C.max(1, keepdims=True)
    keys_N_C = generator(random_state).random(proba_N_C.shape)
    chosen = (best_N_C * (1 + keys_N_C)).argmax(1)
    return MajorityVote(answers.classes[chosen], proba_N_C, answers.classes, answers.items)
