"""One accuracy per person, which is the same for all classes."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from alkit.crowd.answers import Answers, read_answers
from alkit.crowd.estimate import log_answers, posterior
from alkit.crowd.maximisation import check_max_iter, maximise, warn_not_converged


class OneCoin(NamedTuple):
    """The labels estimated from all annotators' labels, each weighted by the annotator's accuracy.

    Attributes
    ----------
    labels : array (N,)
        The most probable class of each item.
    proba : array (N, C)
        Posterior of the true class.
    classes : array (C,)
    prior : array (C,)
        Frequencies of the true classes.
    accuracy : array (A,)
        How often each person is right.
    log_likelihood : float
        Of all labels, in nats.
    n_iter : int
    items : array (N,)
    annotators : array (A,)
        As of `DawidSkene`.
    """

    labels: np.ndarray
    proba: np.ndarray
    classes: np.ndarray
    prior: np.ndarray
    accuracy: np.ndarray
    log_likelihood: float
    n_iter: int
    items: np.ndarray
    annotators: np.ndarray


def one_coin(labels: Any, max_iter: int = 1000, tol: float = 1e-7) -> OneCoin:
    """Estimate true classes and one accuracy per person together, by expectation maximisation.

    A person who errs gives each of the other classes equally often. So there is one number to learn of each person,
    where `dawid_skene` has C times C. Two right and one wrong answer are added to everybody's, so that nobody with few
    answers is taken to be infallible.

    Parameters
    ----------
    labels : array (N, A) or DataFrame
        None or NaN: not given. A DataFrame may also be in long form, with the columns ``item``, ``annotator`` and
        ``label``.
    max_iter : int, default=1000
    tol : float, default=1e-7
        Stop when an iteration changes the log-likelihood by less than this, in nats per label.

    Returns
    -------
    OneCoin

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
    Zhang, Chen, Zhou & Jordan (2014), Spectral Methods Meet EM: A Provably Optimal Algorithm for Crowdsourcing.

    Examples
    --------
    >>> from alkit.crowd import one_coin
    >>> found = one_coin([["a", "a", "b"], ["b", "b", "a"], ["a", "a", "a"], ["b", "b", "a"]])
    >>> found.labels.tolist(), found.accuracy.round(1).tolist()
    (['a', 'b', 'a', 'b'], [0.8, 0.8, 0.4])
    """
    check_max_iter(max_iter)
    answers = read_answers(labels)

    def expect(rates: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, float]:
        accuracy_A, prior_C = rates
        log_answer_M_C = log_answers(answers, _coin_matrices(accuracy_A, len(answers.classes)))
        with np.errstate(divide="ignore"):
            return posterior(answers, np.log(prior_C), log_answer_M_C)

    def update(proba_N_C: np.ndarray, *_: Any) -> tuple[np.ndarray, np.ndarray]:
        return _accuracy(answers, proba_N_C), proba_N_C.mean(0)

    found = maximise(update(answers.vote_shares()), expect, update, len(answers.label), max_iter, tol)
    if not found.converged:
        warn_not_converged("One-coin", max_iter)
    accuracy_A, prior_C = found.parameters
    return OneCoin(
        labels=answers.classes[found.proba.argmax(1)],
        proba=found.proba,
        classes=answers.classes,
        prior=prior_C,
        accuracy=accuracy_A,
        log_likelihood=found.log_likelihood,
        n_iter=found.n_iter,
        items=answers.items,
        annotators=answers.annotators,
    )


def _accuracy(answers: Answers, proba_N_C: np.ndarray) -> np.ndarray:
    """Return how often each person is expected to be right, (A,)."""
    n_annotators = len(answers.annotators)
    right_A = np.bincount(answers.annotator, proba_N_C[answers.item, answers.label], n_annotators)
    return (right_A + 2) / (np.bincount(answers.annotator, minlength=n_annotators) + 3)


def _coin_matrices(accuracy_A: np.ndarray, n_classes: int) -> np.ndarray:
    """Return confusion matrices of people who err on all classes alike, (A, C, C)."""
    if n_classes == 1:
        return np.ones((len(accuracy_A), 1, 1))
    accuracy_A_1_1 = accuracy_A[:, None, None]
    wrong_A_1_1 = (1 - accuracy_A_1_1) / (n_classes - 1)
    return np.where(np.eye(n_classes, dtype=bool), accuracy_A_1_1, wrong_A_1_1)
