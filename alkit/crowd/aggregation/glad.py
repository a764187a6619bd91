"""An ability per person and a difficulty per item."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, log_expit

from alkit.crowd.answers import Answers, read_answers
from alkit.crowd.estimate import posterior
from alkit.crowd.maximisation import check_max_iter, maximise, warn_not_converged

_STEPS = 20  # of the inner ascent; EM goes on from there


class Glad(NamedTuple):
    """The labels estimated from all annotators' labels, each weighted by ability and difficulty.

    Attributes
    ----------
    labels : array (N,)
        The most probable class of each item.
    proba : array (N, C)
        Posterior of the true class.
    classes : array (C,)
    ability : array (A,)
        0: guesses between right and wrong; negative: errs more often than not.
    difficulty : array (N,)
        Positive; before any label is seen, exp(-1).
    n_iter : int
    items : array (N,)
    annotators : array (A,)
        As of `DawidSkene`.
    """

    labels: np.ndarray
    proba: np.ndarray
    classes: np.ndarray
    ability: np.ndarray
    difficulty: np.ndarray
    n_iter: int
    items: np.ndarray
    annotators: np.ndarray


def glad(labels: Any, max_iter: int = 100, tol: float = 1e-5) -> Glad:
    """Estimate true classes, an ability per person and a difficulty per item together.

    A person of ability a is right on an item of difficulty d with probability ``1 / (1 + exp(-a / d))``, and gives each
    of the other classes equally often. Abilities, and logarithms of 1 / d, have normal priors of mean and variance 1.
    Classes are taken to be equally frequent.

    Parameters
    ----------
    labels : array (N, A) or DataFrame
        None or NaN: not given. A DataFrame may also be in long form, with the columns ``item``, ``annotator`` and
        ``label``.
    max_iter : int, default=100
    tol : float, default=1e-5
        Stop when an iteration changes the log-likelihood by less than this, in nats per label.

    Returns
    -------
    Glad

    Raises
    ------
    ValueError
        If an item has no label, or `max_iter` is below 1.

    Warns
    -----
    ConvergenceWarning
        If `max_iter` iterations were not enough.

    References
    ----------
    Whitehill, Ruvolo, Wu, Bergsma & Movellan (2009), Whose Vote Should Count More: Optimal Integration of Labels from
    Labelers of Unknown Expertise.

    Examples
    --------
    >>> from alkit.crowd import glad
    >>> found = glad([["a", "a", "b"], ["b", "b", "a"], ["a", "a", "a"], ["b", "b", "a"]])
    >>> found.labels.tolist(), bool(found.ability[2] < found.ability[0])
    (['a', 'b', 'a', 'b'], True)
    """
    check_max_iter(max_iter)
    answers = read_answers(labels)
    answers.refuse_unlabelled()
    n_annotators, n_classes = len(answers.annotators), len(answers.classes)
    uniform_C = np.full(n_classes, -np.log(n_classes))

    def expect(parameters: np.ndarray) -> tuple[np.ndarray, float]:
        return posterior(answers, uniform_C, _log_answers(answers, parameters))

    def update(proba_N_C: np.ndarray, parameters: np.ndarray, n_iter: int) -> np.ndarray:
        right_M = proba_N_C[answers.item, answers.label]
        options = {"maxiter": _STEPS}
        return minimize(_loss, parameters, (answers, right_M), "L-BFGS-B", jac=True, options=options).x

    start = np.ones(n_annotators + len(answers.items))
    found = maximise(start, expect, update, len(answers.label), max_iter, tol)
    if not found.converged:
        warn_not_converged("GLAD", max_iter)
    return Glad(
        labels=answers.classes[found.proba.argmax(1)],
        proba=found.proba,
        classes=answers.classes,
        ability=found.parameters[:n_annotators],
        difficulty=np.exp(-found.parameters[n_annotators:]),
        n_iter=found.n_iter,
        items=answers.items,
        annotators=answers.annotators,
    )


def _logits(answers: Answers, parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return each answer's log-odds of being right, (M,), and the ease of its item, (M,)."""
    n_annotators = len(answers.annotators)
    ease_M = np.exp(parameters[n_annotators:])[answers.item]
    return parameters[:n_annotators][answers.annotator] * ease_M, ease_M


def _log_answers(answers: Answers, parameters: np.ndarray) -> np.ndarray:
    """Return the log-probability of each answer for each true class of its item, (M, C)."""
    n_classes = len(answers.classes)
    logit_M, _ = _logits(answers, parameters)
    wrong_M = log_expit(-logit_M) - np.log(max(n_classes - 1, 1))
    log_answer_M_C = np.repeat(wrong_M[:, None], n_classes, axis=1)
    log_answer_M_C[np.arange(len(logit_M)), answers.label] = log_expit(logit_M)
    return log_answer_M_C


def _loss(parameters: np.ndarray, answers: Answers, right_M: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the expected negative log-probability of answers and parameters, and its gradient."""
    n_annotators = len(answers.annotators)
    logit_M, ease_M = _logits(answers, parameters)
    expected = (right_M * log_expit(logit_M) + (1 - right_M) * log_expit(-logit_M)).sum()
    slope_M = right_M - expit(logit_M)
    of_ability = np.bincount(answers.annotator, slope_M * ease_M, n_annotators)
    of_ease = np.bincount(answers.item, slope_M * logit_M, len(answers.items))
    away = parameters - 1
    gradient = away - np.concatenate([of_ability, of_ease])
    return float(0.5 * away @ away - expected), gradient
