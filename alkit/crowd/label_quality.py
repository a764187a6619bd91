"""How likely labels that were given are right."""

from __future__ import annotations

from typing import Any

import numpy as np

from alkit.crowd.answers import Answers, read_answers
from alkit.crowd.estimate import estimate_truth
from alkit.validation import check_label_a_row

_LEAST = 1e-12  # probability that no class falls below, so that logarithms are finite


def label_quality(proba: Any, labels: Any, classes: Any = None) -> np.ndarray:
    """Return how likely each label is right rather than another; look at the lowest first.

    The quality is ``p / (p + q)``, of the label's probability p and the root q of the sum of squares of the others'. As
    the normalised margin of confident learning [1]_ does, it holds the label against those that may be meant instead,
    so that a row that many classes share is less suspicious than one of a single other class; q lies between the
    largest and the sum. Probabilities are divided by the root of the classes' frequencies before, because a model that
    is unsure leans towards frequent classes. On three real sets with a tenth of the labels flipped, this finds
    wrong ones better than the label's probability does: see ``tests/benchmarks/crowd.py``.

    Parameters
    ----------
    proba : array (n, C)
        Predicted by a model that was not fitted on these rows, such as by ``cross_val_predict(..., method=
        "predict_proba")``.
    labels : array (n,) or (n, A)
        The labels given, or those of several people, None or NaN where a person was not asked. Of several people, each
        label is held against what the model predicts and all people said, each weighed by how the person errs.
    classes : array-like (C,), optional
        The classes that the columns of `proba` are, sorted; by default those in `labels`.

    Returns
    -------
    array (n,) or (n, A)
        From 0 to 1; NaN where a person was not asked.

    Raises
    ------
    ValueError
        If there is not one row of probabilities per label and one column per class, or if a label is none of `classes`.

    References
    ----------
    .. [1] C. G. Northcutt, L. Jiang and I. L. Chuang, "Confident Learning: Estimating Uncertainty in Dataset Labels",
       JAIR 2021.

    Examples
    --------
    >>> import numpy as np
    >>> from alkit.crowd import label_quality
    >>> proba = np.array([[0.9, 0.1], [0.2, 0.8], [0.7, 0.3], [0.1, 0.9]])
    >>> label_quality(proba, ["ham", "spam", "spam", "spam"]).round(2)
    array([0.94, 0.7 , 0.2 , 0.84])
    """
    proba_N_C = _checked_proba(proba)
    check_label_a_row(proba_N_C, labels)
    several = np.ndim(labels) == 2
    answers = read_answers(labels if several else np.asarray(labels, dtype=object)[:, None], classes)
    _check_classes(proba_N_C, answers)
    if several:
        log_proba_N_C = np.log(np.maximum(proba_N_C, _LEAST))
        truth_N_C = estimate_truth(answers, _first_guess(proba_N_C, answers), log_proba_N_C).proba
    else:
        truth_N_C = _balanced(proba_N_C, answers)
    quality_M = _against_others(truth_N_C[answers.item], answers.label)
    quality_N_A = np.full((len(proba_N_C), len(answers.annotators)), np.nan)
    quality_N_A[answers.item, answers.annotator] = quality_M
    return quality_N_A if several else quality_N_A[:, 0]


def _checked_proba(proba: Any) -> np.ndarray:
    """Return probabilities as an array, (N, C), refusing what are none."""
    proba_N_C = np.asarray(proba, dtype=float)
    if proba_N_C.ndim != 2:
        raise ValueError(f"proba has shape {proba_N_C.shape}; give one row per label and one column per class")
    bad = ~(np.isfinite(proba_N_C).all(1) & (proba_N_C >= 0).all(1) & np.isclose(proba_N_C.sum(1), 1, atol=1e-3))
    if bad.any():
        raise ValueError(
            f"{bad.sum()} of {len(bad)} rows of proba are no probabilities (row {bad.argmax()} first: "
            f"{proba_N_C[bad.argmax()].tolist()}); each row is non-negative and sums to 1"
        )
    return proba_N_C


def _check_classes(proba_N_C: np.ndarray, answers: Answers) -> None:
    """Refuse probabilities of other classes than those of the labels."""
    if proba_N_C.shape[1] != len(answers.classes):
        raise ValueError(
            f"proba has {proba_N_C.shape[1]} columns, but labels are of {len(answers.classes)} classes: "
            f"{answers.classes.tolist()[:10]}; pass classes=model.classes_"
        )


def _first_guess(proba_N_C: np.ndarray, answers: Answers) -> np.ndarray:
    """Return the mean of what the model and each person say, (N, C): people are right more often than not."""
    said_N_C = proba_N_C + answers.votes()
    return said_N_C / said_N_C.sum(1, keepdims=True)


def _balanced(proba_N_C: np.ndarray, answers: Answers) -> np.ndarray:
    """Return probabilities divided by the root of how often each class was given as a label, (N, C)."""
    n_labels_C = np.bincount(answers.label, minlength=len(answers.classes))
    return proba_N_C / np.sqrt(np.maximum(n_labels_C, 1))


def _against_others(scores_M_C: np.ndarray, label_M: np.ndarray) -> np.ndarray:
    """Return the label's score as a share of it and the root of the sum of squares of the others, (M,)."""
    rows = np.arange(len(label_M))
    label_score = np.maximum(scores_M_C[rows, label_M], _LEAST)
    others_M_C = scores_M_C.copy()
    others_M_C[rows, label_M] = 0
    return label_score / (label_score + np.linalg.norm(others_M_C, axis=1))
