"""Whom to ask about which item: the person whose answer is expected to tell most about its label."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence

import numpy as np

from alkit.annotate.database.asking import answered_items, begun_items, people_present
from alkit.annotate.database.ranking import Assigned
from alkit.annotate.database.store import LabelStore
from alkit.annotate.training.crowd_labels import Truth
from alkit.crowd.pairs import best_pairs, expected_information, matrices_of

_TURN = 5  # items per person that are shared out at once; of those, each person gets the most telling first
_MOST_ITEMS = 1000  # shared out in all: there is another ranking long before


def assign(
    store: LabelStore, ranked: np.ndarray, proba_ranked: np.ndarray, truth: Truth, rng: np.random.Generator
) -> list[Assigned]:
    """Share out the items that need another label, and those ranked.

    Parameters
    ----------
    store : LabelStore
    ranked : int array (N,)
        Numbers of the items that nobody labelled, the best first.
    proba_ranked : array (N, C)
        What is known of their labels.
    truth, rng
        As for `share_out`.

    Returns
    -------
    list of Assigned
    """
    begun = np.array(begun_items(store), dtype=np.intp)
    begun = begun[np.isin(begun, truth.answers.items)]
    proba_begun = truth.proba[np.searchsorted(truth.answers.items, begun)]
    items, proba_N_C = np.concatenate([begun, ranked]), np.concatenate([proba_begun, proba_ranked])
    people = people_present(store, time.time())
    return share_out(items, proba_N_C, len(begun), people, answered_items(store), truth, rng)


def share_out(
    items: np.ndarray,
    proba_N_C: np.ndarray,
    n_begun: int,
    people: Sequence[str],
    answered: Iterable[tuple[int, str]],
    truth: Truth,
    rng: np.random.Generator,
) -> list[Assigned]:
    """Share items out among the people who are there.

    The strategy says which items come first, and what is expected of people's answers says who gets which: items are
    shared out turn by turn, so that all have something to do. Items that need another label come first.

    Parameters
    ----------
    items : int array (N,)
        Numbers of the items, those that somebody labelled already first, then others as they are ranked.
    proba_N_C : array (N, C)
        Probabilities of their labels.
    n_begun : int
        How many of them somebody labelled already.
    people : sequence of str
        Of someone who has not labelled yet, nothing is known but how all people err.
    answered : iterable of (item, person)
        Who has labelled, skipped or flagged which items, and is not asked again.
    truth : Truth
    rng : Generator
        Decides between people of whom equally much is expected.

    Returns
    -------
    list of Assigned
    """
    if not (people and len(items)):
        return []
    value_N_A = expected_information(proba_N_C, matrices_of(people, truth.answers.annotators, truth.confusion))
    row = {item: number for number, item in enumerate(items.tolist())}
    column = {name: number for number, name in enumerate(people)}
    for item, name in answered:
        if item in row and name in column:
            value_N_A[row[item], column[name]] = -np.inf
    given: list[list[int]] = [[] for _ in people]
    turn = _TURN * len(people)
    end = min(len(items), n_begun + _MOST_ITEMS)
    ends = [*range(n_begun + turn, end, turn), end]
    for first, last in zip([0, *ends], ends, strict=False):
        value = value_N_A[first:last]
        pairs = best_pairs(value, len(value), math.ceil(len(value) / len(people)), rng)
        # what those may not answer again who had room for it goes to somebody else, however much that person has
        value[[place for place, _ in pairs]] = -np.inf
        pairs += best_pairs(value, len(value) - len(pairs), None, rng)
        for place, person in pairs:
            given[person].append(int(items[first + place]))
    return [
        Assigned(name, position, item)
        for name, own in zip(people, given, strict=True)
        for position, item in enumerate(own)
    ]
