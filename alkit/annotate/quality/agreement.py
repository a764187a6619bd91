"""Agreement of annotators beyond chance: Cohen's and Fleiss's kappa, Krippendorff's alpha, for classes without order.

Labels are an ``(N, R)`` array with one row per item and one column per annotator, where None or NaN is a label not
given; or a DataFrame in long form with one row per label and the columns ``item``, ``annotator`` and ``label``. All
three coefficients are 1 where everybody agrees, 0 where agreement is no better than chance, and NaN where they are not
defined: with nothing to compare, or with every label of the same class.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.metrics import cohen_kappa_score

from alkit.crowd.answers import read_answers


def encode_labels(labels: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return labels as positions in a list of classes.

    Parameters
    ----------
    labels : array (N, R) or DataFrame
        None or NaN: not given. A DataFrame may also be in long form, with the columns ``item``, ``annotator`` and
        ``label``.

    Returns
    -------
    codes : int array (N, R)
        Positions in `classes`, -1 where no label was given.
    classes : array (C,)
        Sorted.

    Raises
    ------
    ValueError
        If `labels` is not two-dimensional, or in a long form that cannot be read.

    Examples
    --------
    >>> from alkit.annotate.quality.agreement import encode_labels
    >>> codes, classes = encode_labels([["spam", "ham"], ["ham", None]])
    >>> codes
    array([[ 1,  0],
           [ 0, -1]])
    """
    answers = read_answers(labels)
    codes_N_R = np.full((len(answers.items), len(answers.annotators)), -1)
    codes_N_R[answers.item, answers.annotator] = answers.label
    return codes_N_R, answers.classes


def cohen_kappa(first: Any, second: Any) -> float:
    """Cohen's kappa: agreement of two annotators, beyond chance given the class frequencies of each.

    Parameters
    ----------
    first, second : arrays (N,)
        Their labels of the same items; items that one of them did not label do not count.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If they have different lengths.

    References
    ----------
    Cohen (1960), A Coefficient of Agreement for Nominal Scales.

    Examples
    --------
    >>> from alkit.annotate.quality.agreement import cohen_kappa
    >>> cohen_kappa(["spam", "spam", "ham", "ham"], ["spam", "ham", "ham", "ham"])
    0.5
    """
    if len(first) != len(second):
        raise ValueError(f"first has {len(first)} labels, second has {len(second)}; pass both for the same items")
    codes, _ = encode_labels(np.column_stack([np.asarray(first, object), np.asarray(second, object)]))
    codes = codes[(codes >= 0).all(1)]
    if len(np.unique(codes)) < 2:
        return float("nan")
    return float(cohen_kappa_score(*codes.T))


def fleiss_kappa(labels: Any) -> float:
    """Fleiss's kappa: agreement of any number of annotators, beyond chance given the common class frequencies.

    It does not matter which annotator gave a label, so items may have different annotators, but equally many.

    Parameters
    ----------
    labels : array (N, R) or DataFrame
        Items nobody labelled do not count.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If items have different numbers of labels; `krippendorff_alpha` takes those.

    References
    ----------
    Fleiss (1971), Measuring Nominal Scale Agreement Among Many Raters.

    Examples
    --------
    >>> from alkit.annotate.quality.agreement import fleiss_kappa
    >>> round(fleiss_kappa([["spam", "spam", "ham"], ["ham", "ham", "ham"]]), 3)
    0.25
    """
    counts_N_C = _counts_of(labels, at_least=1)
    n_labels = counts_N_C.sum(1)
    if not len(n_labels):
        return float("nan")
    if n_labels.min() != n_labels.max():
        raise ValueError(
            f"items have {n_labels.min()} to {n_labels.max()} labels, but Fleiss's kappa needs equally many for each; "
            "leave out the unfinished items, or use krippendorff_alpha"
        )
    share_C = counts_N_C.sum(0) / counts_N_C.sum()
    if len(share_C) < 2 or n_labels[0] < 2:
        return float("nan")
    expected = np.square(share_C).sum()
    agreeing = (counts_N_C * (counts_N_C - 1)).sum(1) / (n_labels * (n_labels - 1))
    return float((agreeing.mean() - expected) / (1 - expected))


def krippendorff_alpha(labels: Any) -> float:
    """Krippendorff's alpha for nominal labels: any number of annotators, any labels missing, corrected for few items.

    Parameters
    ----------
    labels : array (N, R) or DataFrame
        Items with fewer than two labels do not count.

    Returns
    -------
    float

    References
    ----------
    Hayes & Krippendorff (2007), Answering the Call for a Standard Reliability Measure for Coding Data.

    Examples
    --------
    >>> from alkit.annotate.quality.agreement import krippendorff_alpha
    >>> krippendorff_alpha([["spam", "spam", None], ["ham", "ham", "ham"], ["ham", "spam", None]])
    0.5
    """
    return alpha_of_counts(_counts_of(labels, at_least=2))


def alpha_of_counts(counts_N_C: np.ndarray) -> float:
    """Krippendorff's alpha of items with two labels or more.

    Parameters
    ----------
    counts_N_C : array (N, C)
        How many labels of each class an item has.

    Returns
    -------
    float
    """
    total_C = counts_N_C.sum(0)
    if np.count_nonzero(total_C) < 2:
        return float("nan")
    n_labels = counts_N_C.sum(1)
    n_pairable = n_labels.sum()
    disagreeing = (n_labels**2 - np.square(counts_N_C).sum(1)) / (n_labels - 1)
    expected = (n_pairable**2 - np.square(total_C).sum()) / (n_pairable - 1)
    return float(1 - disagreeing.sum() / expected)


def _counts_of(labels: Any, at_least: int) -> np.ndarray:
    """Return the counts (N, C) of the items that have `at_least` labels."""
    counts_N_C = read_answers(labels).votes()
    return counts_N_C[counts_N_C.sum(1) >= at_least]
