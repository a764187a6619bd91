"""Which item to ask whom: pairs of an item and a person, by what the answer is expected to tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.special import entr
from sklearn.utils.validation import check_is_fitted

from alkit._random import RandomState, draw_seed, generator
from alkit.crowd.activelab import activelab_scores
from alkit.crowd.answers import Answers
from alkit.crowd.classifier import CrowdClassifier
from alkit.crowd.rows_and_answers import answers_by_row, row_names
from alkit.rows import Rows, n_rows
from alkit.strategies import Strategy, as_strategy
from alkit.strategies.names import StrategyName
from alkit.validation import checked_count

ACTIVELAB = "activelab"
_SHORTLIST = 5  # items that a strategy picks per pair asked for


def query_pairs(
    model: CrowdClassifier,
    X: Rows,
    annotations: Any,
    n_instances: int = 1,
    strategy: StrategyName | str | Strategy | None = "bald",
    available: Sequence[Any] | None = None,
    *,
    costs: Mapping[Any, float] | None = None,
    max_per_annotator: int | None = None,
    random_state: RandomState = None,
) -> list[tuple[Any, Any]]:
    """Choose the items worth asking about, and whom to ask about each.

    A strategy picks five times as many items as pairs are asked for. Of all pairs of these items and people, those
    are chosen whose answer is expected to tell most about the item's true label, in nats: the mutual information of the
    answer and the label, given what the model predicts, what people said of the item before, and how the person errs.
    So an item is asked about again where people disagree, and no more where its label is sure; and someone who knows
    some classes is asked about items that may be of these. An item is asked about once per call, because its next
    answer is worth less once this one is known.

    Parameters
    ----------
    model : CrowdClassifier
        Fitted on X and annotations.
    X : rows of any kind, n of them
    annotations : array (n, A), DataFrame or array (n,)
        What people said so far, as of `CrowdClassifier.fit`; a person is not asked twice about an item.
    n_instances : int, default=1
        Number of pairs.
    strategy : str, Strategy or None, default="bald"
        Picks the items; None leaves the choice among all items to the information alone. ``"activelab"`` takes the
        items whose label is least sure by ActiveLab's score, which weighs people by their agreement with each other;
        of the people who may be asked about each, it prefers who can tell most.
    available : sequence, optional
        The people who may be asked, by name as in `annotations`; by default, all whom the model knows. Of someone new,
        nothing is known but how all people err.
    costs : mapping of person to float, optional
        What a person's answer costs, 1 by default; pairs are ranked by information per cost.
    max_per_annotator : int, optional
        How often a person is asked at most, in this call.
    random_state : int, RandomState or Generator, optional
        Seeds the strategy, and decides between equally good pairs.

    Returns
    -------
    list of (item, annotator)
        The most informative first. Items are positions in X, or labels of its index where X is a DataFrame.

    Raises
    ------
    ValueError
        If there are fewer pairs than asked for, if the model was fitted on other rows, or if a cost is not positive.
    TypeError
        If the model lacks what the strategy needs.

    References
    ----------
    Yang et al. (2018), Leveraging Crowdsourcing Data for Deep Active Learning: item and person, chosen together.
    Goh and Mueller (2023), ActiveLab: Active Learning with Re-Labeling by Multiple Annotators.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from alkit.crowd import CrowdClassifier, query_pairs
    >>> X, y = load_iris(return_X_y=True)
    >>> rng = np.random.default_rng(0)
    >>> annotations = np.where(rng.random((150, 3)) < [0.9, 0.9, 0.33], y[:, None], rng.integers(3, size=(150, 3)))
    >>> annotations = np.where(rng.random((150, 3)) < 0.3, annotations, np.nan)
    >>> model = CrowdClassifier(LogisticRegression(max_iter=1000), random_state=0).fit(X, annotations)
    >>> pairs = query_pairs(model, X, annotations, n_instances=5, strategy="margin", random_state=0)
    >>> len(pairs), any(person == 2 for item, person in pairs)
    (5, False)
    """
    check_is_fitted(model)
    if len(model.true_proba_) != n_rows(X):
        raise ValueError(
            f"X has {n_rows(X)} rows, but the model was fitted on {len(model.true_proba_)}; pass the X and annotations "
            "of its last fit"
        )
    people = list(dict.fromkeys(model.annotators_.tolist() if available is None else available))
    prices_A = _prices(people, costs)
    answers = answers_by_row(X, annotations, model.classes_)
    open_N_A = _open_pairs(answers, people)
    candidates = np.flatnonzero(open_N_A.any(1))
    k = checked_count(n_instances, len(candidates))
    rng = generator(random_state)
    if strategy is not None and strategy != ACTIVELAB:
        size = min(len(candidates), _SHORTLIST * k)
        picks = as_strategy(strategy).select(
            model, X, size, candidates=candidates, random_state=np.random.default_rng(draw_seed(rng))
        )
        candidates = picks.indices
    confusion_A_C_C = matrices_of(people, model.annotators_, model.confusion_)
    value_M_A = expected_information(model.true_proba_[candidates], confusion_A_C_C) / prices_A
    if strategy == ACTIVELAB:
        unsure_N = 1 - activelab_scores(model.predicted_proba_, answers)
        value_M_A = _by_item(value_M_A, unsure_N[candidates], open_N_A[candidates])
    value_M_A[~open_N_A[candidates]] = -np.inf
    chosen = best_pairs(value_M_A, k, max_per_annotator, rng)
    if len(chosen) < k:
        raise ValueError(
            f"n_instances={k}, but only {len(chosen)} pairs are left: {len(people)} people are asked "
            f"max_per_annotator={max_per_annotator} times at most; ask for fewer pairs, or raise it"
        )
    names = row_names(X).tolist()
    return [(names[candidates[item]], people[person]) for item, person in chosen]


def expected_information(proba_N_C: np.ndarray, confusion_A_C_C: np.ndarray) -> np.ndarray:
    """Return the mutual information of each item's true label and each person's answer, in nats, (N, A).

    Parameters
    ----------
    proba_N_C : array (N, C)
        What is known of the true labels.
    confusion_A_C_C : array (A, C, C)

    Examples
    --------
    Someone who is always right tells all that is unknown, someone who guesses nothing:

    >>> import numpy as np
    >>> from alkit.crowd.pairs import expected_information
    >>> right, guess = np.eye(2), np.full((2, 2), 0.5)
    >>> expected_information(np.array([[0.5, 0.5]]), np.stack([right, guess])).round(2)
    array([[0.69, 0.  ]])
    """
    columns = []
    # one person after another: (N, A, C) values might not fit in memory
    for confusion_C_C in confusion_A_C_C:
        columns.append(entr(proba_N_C @ confusion_C_C).sum(1) - proba_N_C @ entr(confusion_C_C).sum(1))
    return np.maximum(np.stack(columns, axis=1), 0)


def matrices_of(people: Sequence[Any], annotators: np.ndarray, confusion_A_C_C: np.ndarray) -> np.ndarray:
    """Return the confusion matrices of people, (A, C, C); someone new errs as all annotators do, on average."""
    known = dict(zip(annotators.tolist(), confusion_A_C_C, strict=True))
    average_C_C = confusion_A_C_C.mean(0)
    return np.stack([known.get(person, average_C_C) for person in people])


def best_pairs(
    value_M_A: np.ndarray, k: int, max_per_annotator: int | None, rng: np.random.Generator
) -> list[tuple[int, int]]:
    """Return the k best pairs, one per item and at most `max_per_annotator` per person; equals in random order.

    Pairs of value minus infinity are none; there may be fewer than k then.
    """
    n_left = np.full(value_M_A.shape[1], k if max_per_annotator is None else max_per_annotator)
    shuffled = rng.permutation(value_M_A.size)
    # a stable sort leaves equal values in the order of the permutation
    order = shuffled[np.argsort(-value_M_A.ravel()[shuffled], kind="stable")]
    chosen: dict[int, int] = {}
    for cell in order:
        item, person = divmod(int(cell), value_M_A.shape[1])
        if len(chosen) == k or value_M_A[item, person] == -np.inf:
            break
        if item not in chosen and n_left[person] > 0:
            chosen[item] = person
            n_left[person] -= 1
    return list(chosen.items())


def _prices(people: list[Any], costs: Mapping[Any, float] | None) -> np.ndarray:
    """Return what an answer of each person costs, (A,)."""
    prices = np.array([float((costs or {}).get(person, 1.0)) for person in people])
    bad = ~(prices > 0)
    if bad.any():
        raise ValueError(
            f"{bad.sum()} of {len(people)} costs are not positive, the first is {prices[bad][0]} for "
            f"{people[int(bad.argmax())]!r}; give what an answer costs"
        )
    return prices


def _by_item(value_M_A: np.ndarray, worth_M: np.ndarray, open_M_A: np.ndarray) -> np.ndarray:
    """Return values by which each item's best open pair is worth what the item is, and its others less, (M, A)."""
    best_M = np.where(open_M_A, value_M_A, 0).max(1)
    # where nobody can tell anything, all are as good
    share_M_A = np.where(best_M[:, None] > 0, value_M_A / np.where(best_M > 0, best_M, 1)[:, None], 1)
    return worth_M[:, None] * share_M_A


def _open_pairs(answers: Answers, people: list[Any]) -> np.ndarray:
    """Return which people have not yet said anything of which rows, (N, A)."""
    open_pairs = np.ones((len(answers.items), len(people)), dtype=bool)
    column = {person: number for number, person in enumerate(people)}
    columns_A = np.array([column.get(person, -1) for person in answers.annotators.tolist()])
    columns_M = columns_A[answers.annotator]
    asked = columns_M >= 0
    open_pairs[answers.item[asked], columns_M[asked]] = False
    return open_pairs
