"""True classes and confusion matrices estimated together, by expectation maximisation.

`dawid_skene` gives every item the same prior; `CrowdClassifier` gives each item what its estimator predicts.
"""

from __future__ import annotations

from itertools import count
from typing import NamedTuple

import numpy as np
from scipy.special import logsumexp

from alkit.crowd.answers import Answers
from alkit.crowd.confusion import Strengths, choose_strengths, expected_counts, pseudo_counts, rates


class Estimate(NamedTuple):
    """What expectation maximisation found.

    Attributes
    ----------
    proba : array (N, C)
        Posterior of the true classes.
    prior : array (C,)
        Frequencies of the true classes.
    confusion : array (A, C, C)
    log_likelihood : float
        Of all answers, in nats.
    n_iter : int
    converged : bool
    """

    proba: np.ndarray
    prior: np.ndarray
    confusion: np.ndarray
    log_likelihood: float
    n_iter: int
    converged: bool


def estimate_truth(
    answers: Answers,
    start_N_C: np.ndarray,
    log_prior_N_C: np.ndarray | None = None,
    shared: bool = True,
    max_iter: int = 1000,
    tol: float = 1e-7,
) -> Estimate:
    """Estimate true classes and confusion matrices together.

    Parameters
    ----------
    answers : Answers
    start_N_C : array (N, C)
        Probabilities of the true classes to begin with.
    log_prior_N_C : array (N, C), optional
        What is known of each item but for its answers; by default, the frequencies of the classes, estimated.
    shared : bool, default=True
        Whether confusion matrices have the prior of `alkit.crowd.confusion`. Each answer is then weighed by what the
        person's *other* answers say of the person. A person with few answers would otherwise always be found to be
        right, by the very answer that is weighed. Without the prior, it is the maximum of the likelihood, which
        weighs an answer by all of them.
    max_iter : int
    tol : float
        Stop when the log-likelihood changes by less than this, in nats per answer.

    Returns
    -------
    Estimate
    """
    proba_N_C = start_N_C
    strengths, before = Strengths(1.0, 1.0), -np.inf
    for n_iter in count(1):
        counts_A_C_C = expected_counts(answers, proba_N_C)
        prior_C = _frequencies(proba_N_C, shared)
        pseudo_A_C_C = np.zeros_like(counts_A_C_C)
        if shared:
            # at iterations 1, 2, 4, 8, ...: choosing costs more than an iteration, and EM converges in between
            if n_iter & (n_iter - 1) == 0:
                strengths = choose_strengths(counts_A_C_C)
            pseudo_A_C_C = pseudo_counts(counts_A_C_C, strengths)
        own_M_C = proba_N_C[answers.item] if shared else 0.0
        log_answer_M_C = _log_proba_of_answers(answers, counts_A_C_C + pseudo_A_C_C, own_M_C)
        log_prior = _safe_log(prior_C) if log_prior_N_C is None else log_prior_N_C
        proba_N_C, log_likelihood = posterior(answers, log_prior, log_answer_M_C)
        converged = abs(log_likelihood - before) < tol * max(1, len(answers.label))
        if converged or n_iter == max_iter:
            break
        before = log_likelihood
    confusion_A_C_C = rates(counts_A_C_C + pseudo_A_C_C)
    return Estimate(proba_N_C, prior_C, confusion_A_C_C, log_likelihood, n_iter, converged)


def posterior(answers: Answers, log_prior: np.ndarray, log_answer_M_C: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the posterior of the true classes, and the log-likelihood of the answers.

    Parameters
    ----------
    answers : Answers
    log_prior : array (C,) or (N, C)
    log_answer_M_C : array (M, C)
        Log-probability of each answer for each true class of its item.

    Returns
    -------
    proba : array (N, C)
    log_likelihood : float
    """
    log_joint_N_C = log_prior + answers.sum_by_item(log_answer_M_C)
    log_evidence_N_1 = logsumexp(log_joint_N_C, axis=1, keepdims=True)
    return np.exp(log_joint_N_C - log_evidence_N_1), float(log_evidence_N_1.sum())


def log_answers(answers: Answers, confusion_A_C_C: np.ndarray) -> np.ndarray:
    """Return the log-probability of each answer for each true class of its item, (M, C)."""
    return _safe_log(confusion_A_C_C[answers.annotator, :, answers.label])


def _log_proba_of_answers(answers: Answers, counts_A_C_C: np.ndarray, own_M_C: np.ndarray | float) -> np.ndarray:
    """Return the log-probability of each answer given counts, of which the answer's own part is taken away, (M, C)."""
    given_M_C = counts_A_C_C[answers.annotator, :, answers.label] - own_M_C
    total_M_C = counts_A_C_C.sum(2)[answers.annotator] - own_M_C
    # of a class that a person saw nothing of, nothing is known
    unknown = np.full_like(given_M_C, 1 / counts_A_C_C.shape[1])
    return _safe_log(np.divide(given_M_C, total_M_C, out=unknown, where=total_M_C > 0))


def _frequencies(proba_N_C: np.ndarray, shared: bool) -> np.ndarray:
    """Return how frequent the true classes are, (C,); with a prior, by one item more of each, so that none dies out."""
    return rates(proba_N_C.sum(0) + (1.0 if shared else 0.0))


def _safe_log(proba: np.ndarray) -> np.ndarray:
    """Return logarithms, -inf of what never happens."""
    with np.errstate(divide="ignore"):
        return np.log(proba)
