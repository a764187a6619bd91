"""People who either know the answer, or answer without looking."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy.special import digamma

from alkit.crowd.answers import Answers, read_answers
from alkit.crowd.estimate import posterior
from alkit.crowd.maximisation import check_max_iter, maximise, warn_not_converged

_KNOWING = 0.5  # pseudo-answers known, and not known: either happens always or never
_GUESSES = 10.0  # pseudo-answers of each label among guesses


class Mace(NamedTuple):
    """The labels estimated from all annotators' labels, each weighted by how often the annotator knows.

    Attributes
    ----------
    labels : array (N,)
        The most probable class of each item.
    proba : array (N, C)
        Posterior of the true class.
    classes : array (C,)
    competence : array (A,)
        How often each person knows the answer rather than guesses.
    guesses : array (A, C)
        What each person answers when guessing.
    n_iter : int
    items : array (N,)
    annotators : array (A,)
        As of `DawidSkene`.
    """

    labels: np.ndarray
    proba: np.ndarray
    classes: np.ndarray
    competence: np.ndarray
    guesses: np.ndarray
    n_iter: int
    items: np.ndarray
    annotators: np.ndarray


def mace(labels: Any, max_iter: int = 500, tol: float = 1e-6) -> Mace:
    """Estimate true classes, and how often each person knows them, by variational Bayes.

    A person either knows the true class and gives it, or guesses: gives each class as often as the person always does.
    The paper restarts at random; here there is one start, at which everybody knows half of the answers, so that the
    result needs no seed. Classes are taken to be equally frequent.

    Parameters
    ----------
    labels : array (N, A) or DataFrame
        None or NaN: not given. A DataFrame may also be in long form, with the columns ``item``, ``annotator`` and
        ``label``.
    max_iter : int, default=500
    tol : float, default=1e-6
        Stop when an iteration changes the log-likelihood by less than this, in nats per label.

    Returns
    -------
    Mace

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
    Hovy, Berg-Kirkpatrick, Vaswani & Hovy (2013), Learning Whom to Trust with MACE.

    Examples
    --------
    >>> from alkit.crowd import mace
    >>> found = mace([["a", "a", "b"], ["b", "b", "b"], ["a", "a", "b"], ["b", "b", "b"]])
    >>> found.labels.tolist(), bool(found.competence[2] < found.competence[0])
    (['a', 'b', 'a', 'b'], True)
    """
    check_max_iter(max_iter)
    answers = read_answers(labels)
    answers.refuse_unlabelled()
    n_annotators, n_classes = len(answers.annotators), len(answers.classes)
    uniform_C = np.full(n_classes, -np.log(n_classes))

    def expect(rates: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, float]:
        return posterior(answers, uniform_C, _log_answers(answers, *_by_cause(answers, *rates)))

    def update(
        proba_N_C: np.ndarray, rates: tuple[np.ndarray, np.ndarray], n_iter: int
    ) -> tuple[np.ndarray, np.ndarray]:
        causes_A_2, given_A_C = _counts(answers, proba_N_C, *rates)
        return _expected_rates(causes_A_2), _expected_rates(given_A_C)

    start = np.full((n_annotators, 2), 0.5), np.full((n_annotators, n_classes), 1 / n_classes)
    found = maximise(start, expect, update, len(answers.label), max_iter, tol)
    if not found.converged:
        warn_not_converged("MACE", max_iter)
    causes_A_2, given_A_C = _counts(answers, found.proba, *found.parameters)
    return Mace(
        labels=answers.classes[found.proba.argmax(1)],
        proba=found.proba,
        classes=answers.classes,
        competence=causes_A_2[:, 0] / causes_A_2.sum(1),
        guesses=given_A_C / given_A_C.sum(1, keepdims=True),
        n_iter=found.n_iter,
        items=answers.items,
        annotators=answers.annotators,
    )


def _by_cause(answers: Answers, knows_A_2: np.ndarray, guesses_A_C: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the probability of each answer if it is true, by knowledge (M,), and in any case, by a guess (M,)."""
    known_M = knows_A_2[answers.annotator, 0]
    guessed_M = knows_A_2[answers.annotator, 1] * guesses_A_C[answers.annotator, answers.label]
    return known_M, guessed_M


def _log_answers(answers: Answers, known_M: np.ndarray, guessed_M: np.ndarray) -> np.ndarray:
    """Return the log-probability of each answer for each true class of its item, (M, C)."""
    proba_M_C = np.repeat(guessed_M[:, None], len(answers.classes), axis=1)
    proba_M_C[np.arange(len(known_M)), answers.label] += known_M
    return np.log(proba_M_C)


def _counts(
    answers: Answers, proba_N_C: np.ndarray, knows_A_2: np.ndarray, guesses_A_C: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return how many answers of each person were known and guessed, (A, 2), and the guesses by label, (A, C).

    Pseudo-answers are counted in.
    """
    n_annotators, n_classes = len(answers.annotators), len(answers.classes)
    known_M, guessed_M = _by_cause(answers, knows_A_2, guesses_A_C)
    # an answer can only be known where it is the truth
    knew_M = proba_N_C[answers.item, answers.label] * known_M / (known_M + guessed_M)
    known_A = np.bincount(answers.annotator, knew_M, n_annotators)
    cells = answers.annotator * n_classes + answers.label
    guessed_A_C = np.bincount(cells, 1 - knew_M, n_annotators * n_classes).reshape(n_annotators, n_classes)
    causes_A_2 = np.stack([known_A, guessed_A_C.sum(1)], axis=1)
    return causes_A_2 + _KNOWING, guessed_A_C + _GUESSES


def _expected_rates(counts: np.ndarray) -> np.ndarray:
    """Return the exponential of expected log-rates under Dirichlet distributions, over the last axis."""
    return np.exp(digamma(counts) - digamma(counts.sum(-1, keepdims=True)))
