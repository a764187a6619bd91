"""How sure the label of each item is, by what a model and people say of it: which item to ask about, or again."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from alkit.crowd.answers import Answers

_LEAST_WEIGHT = 1e-6  # of a model or a person no better than always the same class, so that no sum of weights is zero
_LEAST_PROBA = 1e-8  # so that logarithms are finite
_LOG_TEMPERATURES = np.log([0.1, 8.0])


def activelab_scores(proba_N_C: np.ndarray, answers: Answers) -> np.ndarray:
    """Return ActiveLab's score of each item, in [0, 1]: ask next about the lowest.

    The score is the probability of the item's consensus label: a weighted mean of what the model predicts and what each
    person's answer makes probable, and of a uniform guess with the weight of one more answer [1]_. So an item without
    answers is as unsure as the model is of it, each answer that agrees makes it surer, and one that people disagree
    about may be worth another answer more than a new item is worth its first.

    Parameters
    ----------
    proba_N_C : array (N, C)
        What the model predicts of each item, fitted without it.
    answers : Answers
        At least one; items may be without any.

    Returns
    -------
    array (N,)

    References
    ----------
    .. [1] H. W. Goh and J. Mueller, "ActiveLab: Active Learning with Re-Labeling by Multiple Annotators", 2023.

    Examples
    --------
    Two people agree about the first item and disagree about the second; nobody was asked about the third:

    >>> import numpy as np
    >>> from alkit.crowd.activelab import activelab_scores
    >>> from alkit.crowd.answers import read_answers
    >>> labels = [["ham", "ham"], ["ham", "spam"], [None, None], ["spam", "spam"], ["spam", "spam"], ["ham", "ham"]]
    >>> proba = np.array([[0.7, 0.3], [0.7, 0.3], [0.7, 0.3], [0.4, 0.6], [0.3, 0.7], [0.4, 0.6]])
    >>> activelab_scores(proba, read_answers(np.array(labels))).round(2)
    array([0.77, 0.59, 0.67, 0.73, 0.77, 0.63])
    """
    n_answers_N = np.bincount(answers.item, minlength=len(proba_N_C))
    if (n_answers_N > 1).any():
        proba_N_C = _calibrated(proba_N_C, answers, n_answers_N)
        votes_N_C = answers.votes()
        agreement_A = _agreement_with_others(answers, votes_N_C, n_answers_N)
        majority_N = (votes_N_C + proba_N_C / 2).argmax(1)  # the model decides between equals, and where nobody did
        weights = _weights(proba_N_C, votes_N_C, majority_N, agreement_A)
        # people and model together know better than the majority what is right, and so who is
        consensus_N = _agreed(proba_N_C, answers, weights)[0].argmax(1)
        weights = _weights(proba_N_C, votes_N_C, consensus_N, agreement_A)
        agreed_N_C, total_N = _agreed(proba_N_C, answers, weights)
        quality_N = agreed_N_C[np.arange(len(consensus_N)), consensus_N]
        average = weights.people.mean()
    else:
        # nobody can be compared with anybody: all weigh the same, and the model says how probable their answers are
        quality_N = proba_N_C.max(1)
        quality_N[answers.item] = proba_N_C[answers.item, answers.label]
        total_N = 1.0 + n_answers_N
        average = 1.0
    return (total_N * quality_N + average / proba_N_C.shape[1]) / (total_N + average)


class _Weights(NamedTuple):
    """How far each is trusted, in answers of somebody who is always right."""

    model: float
    people: np.ndarray
    """(A,)."""
    agreement: float
    """How often an answer is the consensus."""


def _calibrated(proba_N_C: np.ndarray, answers: Answers, n_answers_N: np.ndarray) -> np.ndarray:
    """Return the model's probabilities at the temperature at which they fit the answers best, (N, C)."""
    log_proba_N_C = np.log(np.maximum(proba_N_C, _LEAST_PROBA))
    share_M = 1 / n_answers_N[answers.item]

    def cross_entropy(log_temperature: float) -> float:
        scaled_N_C = log_softmax(log_proba_N_C / np.exp(log_temperature), axis=1)
        return float(-(share_M * scaled_N_C[answers.item, answers.label]).sum())

    best = minimize_scalar(cross_entropy, bounds=_LOG_TEMPERATURES, method="bounded")
    return softmax(log_proba_N_C / np.exp(best.x), axis=1)


def _weights(
    proba_N_C: np.ndarray, votes_N_C: np.ndarray, consensus_N: np.ndarray, agreement_A: np.ndarray
) -> _Weights:
    """Return how far the model and people are trusted, by items with several answers.

    Everybody's error is held against that of always giving the most frequent class.
    """
    n_answers_N = votes_N_C.sum(1)
    several_N = n_answers_N > 1
    consensus = consensus_N[several_N]
    always_same = max(1 - np.bincount(consensus).max() / len(consensus), _LEAST_WEIGHT)
    agreeing_N = votes_N_C[several_N, consensus] / n_answers_N[several_N]
    model_error = np.mean(proba_N_C[several_N].argmax(1) != consensus)
    # as much as a person, and more where items have more answers, from which it learns
    per_item = n_answers_N[n_answers_N > 0].mean()
    return _Weights(
        max(1 - model_error / always_same, _LEAST_WEIGHT) * np.sqrt(per_item),
        np.maximum(1 - (1 - agreement_A) / always_same, _LEAST_WEIGHT),
        float(agreeing_N.mean()),
    )


def _agreement_with_others(answers: Answers, votes_N_C: np.ndarray, n_answers_N: np.ndarray) -> np.ndarray:
    """Return how often others gave the label that the person gave, (A,); their mean where there are no others."""
    n_people = len(answers.annotators)
    n_others_A = np.bincount(answers.annotator, n_answers_N[answers.item] - 1, n_people)
    n_agreeing_A = np.bincount(answers.annotator, votes_N_C[answers.item, answers.label] - 1, n_people)
    compared_A = n_others_A > 0
    agreement_A = n_agreeing_A / np.maximum(n_others_A, 1)
    agreement_A[~compared_A] = agreement_A[compared_A].mean()
    return agreement_A


def _agreed(proba_N_C: np.ndarray, answers: Answers, weights: _Weights) -> tuple[np.ndarray, np.ndarray]:
    """Return the weighted mean of what the model and people make probable, (N, C), and its sum of weights, (N,)."""
    n_classes = proba_N_C.shape[1]
    weight_M = weights.people[answers.annotator]
    other = (1 - weights.agreement) / (n_classes - 1)
    likely_M_C = np.full((len(answers.label), n_classes), other)
    likely_M_C[np.arange(len(answers.label)), answers.label] = weights.agreement
    total_N = weights.model + np.bincount(answers.item, weight_M, len(proba_N_C))
    said_N_C = answers.sum_by_item(weight_M[:, None] * likely_M_C)
    return (weights.model * proba_N_C + said_N_C) / total_N[:, None], total_N
