"""How people err: confusion matrices counted from probable truths, shrunk where a person gave few answers.

Most people of a crowd answer few items, far fewer than a matrix of C x C rates needs. So each row of a person's matrix
has a Dirichlet prior, and the prior is built in two levels. The person's accuracy, one number, is drawn towards that of
all people; and each row of the person's matrix is drawn towards this accuracy, with errors shared out as all people's
errors are. How strongly, is chosen at both levels by the evidence (the marginal likelihood of the counts): where people
differ a lot, or gave many answers, they are left as they are.

Shapes: M answers, N items, A annotators, C classes. A matrix has one row per true class, one column per label given.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import gammaln

from alkit.crowd.answers import Answers

_STRENGTHS = 2.0 ** np.arange(11)  # prior strengths tried, in answers
_NEGLIGIBLE = 1.0  # evidence, in nats, that decides nothing


class Strengths(NamedTuple):
    """How many answers a prior counts for."""

    of_accuracy: float
    """That a person is as accurate as all people are."""
    of_rows: float
    """That a person is equally accurate on all classes, and errs as all people do."""


def expected_counts(answers: Answers, proba_N_C: np.ndarray) -> np.ndarray:
    """Return how often each person is expected to have given each label to items of each true class.

    Parameters
    ----------
    answers : Answers
    proba_N_C : array (N, C)
        Probabilities of the true classes.

    Returns
    -------
    array (A, C, C)
    """
    n_annotators, n_classes = len(answers.annotators), len(answers.classes)
    cells = answers.annotator * n_classes + answers.label
    size = n_annotators * n_classes
    columns = [np.bincount(cells, proba_N_C[answers.item, c], size) for c in range(n_classes)]
    counts_C_A_C = np.reshape(columns, (n_classes, n_annotators, n_classes))
    return counts_C_A_C.swapaxes(0, 1)


def choose_strengths(counts_A_C_C: np.ndarray) -> Strengths:
    """Return the strongest priors that counts give no evidence against, of powers of two from 1 to 1,024.

    Examples
    --------
    Two people who err alike, on all classes alike, and many answers of each:

    >>> import numpy as np
    >>> from alkit.crowd.confusion import choose_strengths
    >>> alike = np.array([[80.0, 20], [20, 80]])
    >>> choose_strengths(np.stack([alike, alike]))
    Strengths(of_accuracy=1024.0, of_rows=1024.0)
    """
    right_A_2 = _right_and_wrong(counts_A_C_C)
    rate_2 = _shared_rate(right_A_2)
    of_accuracy = _most_evident(right_A_2, rate_2)
    rows_A_C_C = _expected_rows(counts_A_C_C, right_A_2, of_accuracy)
    return Strengths(of_accuracy, _most_evident(counts_A_C_C, rows_A_C_C))


def pseudo_counts(counts_A_C_C: np.ndarray, strengths: Strengths) -> np.ndarray:
    """Return Dirichlet parameters of each row of each person's matrix before the counts are seen, (A, C, C)."""
    right_A_2 = _right_and_wrong(counts_A_C_C)
    return strengths.of_rows * _expected_rows(counts_A_C_C, right_A_2, strengths.of_accuracy)


def rates(counts: np.ndarray) -> np.ndarray:
    """Return counts as shares of their row, over the last axis; uniform where there are none."""
    total = counts.sum(-1, keepdims=True)
    return np.divide(counts, total, out=np.full(counts.shape, 1 / counts.shape[-1]), where=total > 0)


def accuracy(confusion_A_C_C: np.ndarray, prior_C: np.ndarray) -> np.ndarray:
    """Return how often each person is right, if the true classes are as frequent as `prior_C` says, (A,)."""
    return np.diagonal(confusion_A_C_C, axis1=1, axis2=2) @ prior_C


def log_evidence(counts: np.ndarray, pseudo: np.ndarray) -> float:
    """Return the log-probability of counts under Dirichlet-multinomials over the last axis, up to a constant."""
    rows = (gammaln(counts + pseudo) - gammaln(pseudo)).sum(-1)
    totals, before = counts.sum(-1), pseudo.sum(-1)
    return float((rows - gammaln(totals + before) + gammaln(before)).sum())


def _most_evident(counts: np.ndarray, expected: np.ndarray) -> float:
    """Return the strongest prior of mean `expected` under which counts are about as probable as they can be.

    A few answers say next to nothing of how much people differ, and then they are taken to be alike.
    """
    evidence = np.array([log_evidence(counts, strength * expected) for strength in _STRENGTHS])
    return float(_STRENGTHS[evidence >= evidence.max() - _NEGLIGIBLE].max())


def _right_and_wrong(counts_A_C_C: np.ndarray) -> np.ndarray:
    """Return how many answers of each person are expected to be right, and wrong, (A, 2)."""
    right_A = np.trace(counts_A_C_C, axis1=1, axis2=2)
    wrong_A = np.maximum(counts_A_C_C.sum((1, 2)) - right_A, 0)
    return np.stack([right_A, wrong_A], axis=1)


def _shared_rate(right_A_2: np.ndarray) -> np.ndarray:
    """Return which share of all people's answers is right, and wrong, (2,); one of each is added, so none is 0."""
    return rates(right_A_2.sum(0) + 1)


def _expected_rows(counts_A_C_C: np.ndarray, right_A_2: np.ndarray, of_accuracy: float) -> np.ndarray:
    """Return each person's matrix as accuracy alone tells it: equally accurate on all classes, with everybody's errors.

    What little is known of errors is spread by one answer for each kind, so that no answer is impossible.
    """
    n_classes = counts_A_C_C.shape[1]
    if n_classes == 1:
        return np.ones_like(counts_A_C_C)
    errors_C_C = counts_A_C_C.sum(0) + 1
    np.fill_diagonal(errors_C_C, 0)
    rate_A_2 = rates(right_A_2 + of_accuracy * _shared_rate(right_A_2))
    rows_A_C_C = rate_A_2[:, 1, None, None] * rates(errors_C_C)
    diagonal = np.arange(n_classes)
    rows_A_C_C[:, diagonal, diagonal] = rate_A_2[:, :1]
    return rows_A_C_C
