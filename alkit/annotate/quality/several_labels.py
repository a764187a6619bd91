"""Several labels per item: agreement of annotators label by label, and one set of labels out of all people's."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from alkit.annotate.quality.agreement import alpha_of_counts
from alkit.crowd.aggregation import dawid_skene, majority_vote


class LabelSets(NamedTuple):
    """Answers of several labels each."""

    item: np.ndarray
    """Position among `items`, (M,)."""
    annotator: np.ndarray
    """Position among `annotators`, (M,)."""
    on: np.ndarray
    """Whether an answer has a label, bool (M, L)."""
    items: np.ndarray
    annotators: np.ndarray
    classes: list[str]


def read_label_sets(labels: pd.DataFrame, classes: Sequence[str]) -> LabelSets:
    """Return answers as arrays.

    Parameters
    ----------
    labels : DataFrame
        In long form: ``item``, ``annotator``, ``label``, a list of classes; at most one row per item and annotator.
    classes : sequence of str

    Returns
    -------
    LabelSets
    """
    column = {name: number for number, name in enumerate(classes)}
    on_M_L = np.zeros((len(labels), len(classes)), dtype=bool)
    for row, names in enumerate(labels["label"]):
        on_M_L[row, [column[name] for name in names]] = True
    items, item_M = np.unique(labels["item"].to_numpy(str), return_inverse=True)
    annotators, annotator_M = np.unique(labels["annotator"].to_numpy(str), return_inverse=True)
    return LabelSets(item_M, annotator_M, on_M_L, items, annotators, list(classes))


def agreement_by_label(given: LabelSets) -> pd.DataFrame:
    """Return how far annotators agree on each label, beyond chance and not.

    Parameters
    ----------
    given : LabelSets

    Returns
    -------
    DataFrame
        One row per label: ``class``; ``labels``, the answers that have it; ``same``, the share of pairs of answers to
        one item that agree on it; ``Cohen's kappa``, the mean over pairs of people, weighted by the items that both
        answered; ``Krippendorff's alpha``. NaN where it is not defined: with nothing to compare, or a label that all
        answers have, or none.

    Examples
    --------
    >>> import pandas as pd
    >>> from alkit.annotate.quality.several_labels import agreement_by_label, read_label_sets
    >>> answers = [("1", "ann", ["a"]), ("1", "bob", ["a", "b"]), ("2", "ann", []), ("2", "bob", ["b"])]
    >>> labels = pd.DataFrame(answers, columns=["item", "annotator", "label"])
    >>> agreement_by_label(read_label_sets(labels, ["a", "b"])).set_index("class")["same"].to_dict()
    {'a': 1.0, 'b': 0.0}
    """
    n_N = np.bincount(given.item, minlength=len(given.items))
    kappa_P_L, weight_P = _kappas(given)
    rows = []
    for column, name in enumerate(given.classes):
        on_N = np.bincount(given.item, given.on[:, column], len(n_N))
        counts_N_2 = np.stack([n_N - on_N, on_N], axis=1)[n_N >= 2]
        rows.append(
            {
                "class": name,
                "labels": int(on_N.sum()),
                "same": _same_pairs(counts_N_2),
                "Cohen's kappa": _weighted_mean(kappa_P_L[:, column], weight_P),
                "Krippendorff's alpha": alpha_of_counts(counts_N_2),
            }
        )
    return pd.DataFrame(rows)


def agreement_by_pair(given: LabelSets) -> pd.DataFrame:
    """Return how far each two people agree.

    Parameters
    ----------
    given : LabelSets

    Returns
    -------
    DataFrame
        ``pair``; ``items`` that both answered; ``same``, the share of these with the same labels; ``mean kappa``, the
        mean over labels of Cohen's.
    """
    rows = []
    for first, second, on_N_L, other_N_L in _pairs(given):
        kappa_L = cohen_kappas(on_N_L, other_N_L)
        rows.append(
            {
                "pair": f"{first}, {second}",
                "items": len(on_N_L),
                "same": (on_N_L == other_N_L).all(1).mean(),
                "mean kappa": _weighted_mean(kappa_L, np.ones(len(kappa_L))),
            }
        )
    return pd.DataFrame(rows)


def cohen_kappas(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return Cohen's kappa of each label between two annotators.

    Parameters
    ----------
    first, second : bool arrays (N, L)
        Whether their answers to the same items have the label.

    Returns
    -------
    array (L,)
        NaN of a label that both give always, or never.

    Examples
    --------
    >>> import numpy as np
    >>> from alkit.annotate.quality.several_labels import cohen_kappas
    >>> cohen_kappas(np.array([[1], [1], [0], [0]], bool), np.array([[1], [0], [0], [0]], bool))
    array([0.5])
    """
    share_L, other_L = first.mean(0), second.mean(0)
    expected_L = share_L * other_L + (1 - share_L) * (1 - other_L)
    beyond_L = (first == second).mean(0) - expected_L
    return np.divide(beyond_L, 1 - expected_L, out=np.full(len(share_L), np.nan), where=expected_L < 1)


def _pairs(given: LabelSets) -> list[tuple[str, str, np.ndarray, np.ndarray]]:
    """Return, of each two people who answered the same items, their names and those answers, in the same order."""
    rows = [np.flatnonzero(given.annotator == person) for person in range(len(given.annotators))]
    pairs = []
    for first, second in combinations(range(len(rows)), 2):
        items, other_items = given.item[rows[first]], given.item[rows[second]]
        _, at, other_at = np.intersect1d(items, other_items, assume_unique=True, return_indices=True)
        if len(at):
            names = given.annotators[[first, second]].tolist()
            pairs.append((*names, given.on[rows[first][at]], given.on[rows[second][other_at]]))
    return pairs


def _kappas(given: LabelSets) -> tuple[np.ndarray, np.ndarray]:
    """Return Cohen's kappa of each pair of people and label, (P, L), and the number of their items, (P,)."""
    pairs = _pairs(given)
    if not pairs:
        return np.empty((0, len(given.classes))), np.empty(0)
    kappa_P_L = np.stack([cohen_kappas(on_N_L, other_N_L) for _, _, on_N_L, other_N_L in pairs])
    return kappa_P_L, np.array([len(on_N_L) for _, _, on_N_L, _ in pairs], dtype=float)


def _weighted_mean(values: np.ndarray, weights: np.ndarray) -> float:
    """Return the mean of those values that are defined."""
    defined = ~np.isnan(values)
    return float(np.average(values[defined], weights=weights[defined])) if defined.any() else float("nan")


def _same_pairs(counts_N_C: np.ndarray) -> float:
    """Return the share of pairs of answers to one item that are the same."""
    n_N = counts_N_C.sum(1)
    n_pairs = (n_N * (n_N - 1)).sum()
    return float((counts_N_C * (counts_N_C - 1)).sum() / n_pairs) if n_pairs else float("nan")


def aggregate_labels(labels: pd.DataFrame, classes: Sequence[str], method: str) -> pd.DataFrame:
    """Return one set of labels per item: each label by itself, on or off.

    Parameters
    ----------
    labels : DataFrame
        As of `read_label_sets`.
    classes : sequence of str
    method : {"dawid-skene", "majority"}
        Of as many answers with a label as without it, the majority is drawn at random.

    Returns
    -------
    DataFrame
        ``item``, ``label`` (a list, sorted), ``confidence``: that of the label that is the least sure.
    """
    given = read_label_sets(labels, classes)
    on_N_L = np.zeros((len(given.items), len(classes)), dtype=bool)
    sure_N_L = np.ones(on_N_L.shape)
    for column in range(len(classes)):
        one = pd.DataFrame({"item": given.item, "annotator": given.annotator, "label": given.on[:, column]})
        estimate: Any = majority_vote(one, random_state=0) if method == "majority" else dawid_skene(one)
        on_N_L[:, column] = estimate.labels.astype(bool)
        sure_N_L[:, column] = estimate.proba.max(1)
    names = np.array(classes, dtype=object)
    return pd.DataFrame(
        {
            "item": given.items,
            "label": [sorted(names[on_L].tolist()) for on_L in on_N_L],
            "confidence": sure_N_L.min(1),
        }
    )
