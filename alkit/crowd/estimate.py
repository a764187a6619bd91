"""True classes and confusion matrices estimated together, by expectation maximisation.

`dawid_skene` gives every item the same prior; `CrowdClassifier` gives each item what its estimator predicts.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import log_softmax, logsumexp

from alkit.crowd.answers import Answers
from alkit.crowd.confusion import Strengths, choose_strengths, expected_counts, pseudo_counts, rates
from alkit.crowd.maximisation import maximise

_SHARPNESS = 2.0 ** np.arange(-1, 2.75, 0.5)  # powers of an estimator's probabilities that are tried
_LOG_IMPOSSIBLE = -1000.0  # of classes that an item is known not to have
_LEAST_START = 1e-9  # where nobody gave the label that is known, it is certain all the same
_LEAST_LOG_PROBA = -12.0  # no label is ruled out by what an estimator predicts


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
    possible_N_C: np.ndarray | None = None,
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
    possible_N_C : bool array (N, C), optional
        Which true classes each item may have; by default any. Of an item whose class is known, only that one.

    Returns
    -------
    Estimate
    """

    def expect(counted: _Counts) -> tuple[np.ndarray, float]:
        log_answer_M_C = _log_proba_of_answers(answers, counted.counts, counted.own)
        log_prior = _safe_log(counted.prior) if log_prior_N_C is None else log_prior_N_C
        if possible_N_C is not None:
            # a small probability in place of none: where nobody can have erred so, there would be no posterior at all
            log_prior = np.where(possible_N_C, log_prior, _LOG_IMPOSSIBLE)
        return posterior(answers, log_prior, log_answer_M_C)

    def update(proba_N_C: np.ndarray, before: _Counts | None, n_iter: int) -> _Counts:
        counts_A_C_C, prior_C = expected_counts(answers, proba_N_C), _frequencies(proba_N_C, shared)
        if not shared:
            return _Counts(counts_A_C_C, prior_C, 0.0, None)
        strengths = None if before is None else before.strengths
        # for iterations 1, 2, 4, 8, ...: choosing costs more than an iteration, and EM converges in between
        if strengths is None or (n_iter + 1) & n_iter == 0:
            strengths = choose_strengths(counts_A_C_C)
        counts_A_C_C = counts_A_C_C + pseudo_counts(counts_A_C_C, strengths)
        return _Counts(counts_A_C_C, prior_C, proba_N_C[answers.item], strengths)

    if possible_N_C is not None:
        start_N_C = rates(possible_N_C * (start_N_C + _LEAST_START))
    found = maximise(update(start_N_C, None, 0), expect, update, len(answers.label), max_iter, tol)
    confusion_A_C_C = rates(found.parameters.counts)
    return Estimate(
        found.proba, found.parameters.prior, confusion_A_C_C, found.log_likelihood, found.n_iter, found.converged
    )


class _Counts(NamedTuple):
    """What the answers' probabilities are taken from."""

    counts: np.ndarray
    """(A, C, C), those of the prior among them."""
    prior: np.ndarray
    """(C,)."""
    own: np.ndarray | float
    """What each answer adds to the counts itself, (M, C), and is to be weighed without."""
    strengths: Strengths | None


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


def trusted(predicted_N_C: np.ndarray, answers: Answers, confusion_A_C_C: np.ndarray) -> np.ndarray:
    """Return an estimator's predictions as log-priors, (N, C), sharpened or flattened as the answers give evidence for.

    An estimator that was fitted on doubtful labels is less sure than it might be, one that learnt them by heart more.
    """
    log_proba_N_C = np.log(np.maximum(predicted_N_C, np.exp(_LEAST_LOG_PROBA)))
    log_answer_M_C = log_answers(answers, confusion_A_C_C)
    candidates = [log_softmax(sharpness * log_proba_N_C, axis=1) for sharpness in _SHARPNESS]
    evidence = [posterior(answers, candidate, log_answer_M_C)[1] for candidate in candidates]
    return np.maximum(candidates[int(np.argmax(evidence))], _LEAST_LOG_PROBA)


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
