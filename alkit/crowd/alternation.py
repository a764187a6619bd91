"""Expectation maximisation with an estimator as the prior of the true label: fits and estimates of people in turn."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from alkit.crowd.answers import Answers
from alkit.crowd.estimate import Estimate, estimate_truth, trusted
from alkit.crowd.soft_labels import out_of_fold_proba
from alkit.rows import Rows

INNER_ITERATIONS = 50  # of confusion matrices, between two fits of the estimator, which cost far more
_ALIKE = 0.02  # nats per answer that decide nothing: between rounds that go well there is less, between others far more


class Alternation(NamedTuple):
    """The last round of fits and estimates that explains answers as well as any.

    Attributes
    ----------
    estimate : Estimate
    predicted : array (N, C)
        What the estimator predicted last of each row, fitted on the rows of the other folds.
    n_iter : int
        Rounds, of one fit per fold each.
    """

    estimate: Estimate
    predicted: np.ndarray
    n_iter: int


def alternate(
    estimator: Any,
    X: Rows,
    answers: Answers,
    start_N_C: np.ndarray,
    folds_N: np.ndarray,
    max_iter: int,
    tol: float,
    possible_N_C: np.ndarray | None = None,
) -> Alternation:
    """Fit an estimator on probable labels, and estimate labels and people with what it predicts, in turn.

    With few answers the two may agree more and more on wrong labels, and find that people are wrong: then answers, each
    weighed by the person's others and by what other rows taught the estimator, become less probable. So the last round
    is kept in which they are about as probable as in any.

    Parameters
    ----------
    estimator : classifier
        Its clones are fitted.
    X : rows, N of them
    answers : Answers
        At least one per row.
    start_N_C : array (N, C)
        Probabilities of the labels to begin with.
    folds_N : int array (N,)
        Number of each row's fold.
    max_iter : int
        Rounds at most.
    tol : float
        Stop once a round moves less than this share of all labels' probability.
    possible_N_C : bool array (N, C), optional
        As for `estimate_truth`.

    Returns
    -------
    Alternation
    """
    known: dict[str, Any] = {"max_iter": INNER_ITERATIONS}
    if possible_N_C is not None:
        known["possible_N_C"] = possible_N_C
    found = estimate_truth(answers, start_N_C, **known)
    rounds: list[Alternation] = []
    moved = np.inf
    # to the end in any case: answers may become less probable for some rounds before they become more so
    while moved >= tol and len(rounds) < max_iter:
        predicted_N_C = out_of_fold_proba(estimator, X, found.proba, answers.classes, folds_N)
        log_prior_N_C = trusted(predicted_N_C, answers, found.confusion)
        before = found.proba
        found = estimate_truth(answers, before, log_prior_N_C, **known)
        moved = np.abs(found.proba - before).sum(1).mean() / 2
        rounds.append(Alternation(found, predicted_N_C, len(rounds) + 1))
    least = max(one.estimate.log_likelihood for one in rounds) - _ALIKE * len(answers.label)
    return next(one for one in reversed(rounds) if one.estimate.log_likelihood >= least)
