"""Labels and confusion matrices estimated together: the model of Dawid and Skene, with a prior for few answers."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from alkit.crowd.answers import read_answers
from alkit.crowd.estimate import estimate_truth
from alkit.crowd.maximisation import check_max_iter, warn_not_converged


class DawidSkene(NamedTuple):
    """The labels estimated from all annotators' labels, each weighted by the annotator's confusion matrix.

    Attributes
    ----------
    labels : array (N,)
        The most probable class of each item.
    proba : array (N, C)
        Posterior of the true class.
    classes : array (C,)
    prior : array (C,)
        Frequencies of the true classes.
    confusion : array (A, C, C)
        Annotator a, true class j, label l: how often a gives label l to an item of class j. Without a prior, a row is
        uniform where a labelled no item of the class.
    log_likelihood : float
        Of all labels, in nats; with a prior, each label counts with the probability that all others give it.
    n_iter : int
    items : array (N,)
        As of `MajorityVote`.
    annotators : array (A,)
        The columns of a DataFrame, sorted annotators of a long form, else column numbers.
    """

    labels: np.ndarray
    proba: np.ndarray
    classes: np.ndarray
    prior: np.ndarray
    confusion: np.ndarray
    log_likelihood: float
    n_iter: int
    items: np.ndarray
    annotators: np.ndarray


def dawid_skene(
    labels: Any, max_iter: int = 1000, tol: float = 1e-7, confusion_prior: str | None = "shared"
) -> DawidSkene:
    """Estimate true classes and annotators' confusion matrices together, by expectation maximisation.

    Annotators are taken to err independently of each other, given the true class. EM starts from the shares of the
    votes, as in the paper [1]_. It works on logarithms, so that a hundred labels per item do not underflow, and on the
    labels given alone, so that a long table of many people takes little memory.

    Parameters
    ----------
    labels : array (N, A) or DataFrame
        None or NaN: not given. A DataFrame may also be in long form, with the columns ``item``, ``annotator`` and
        ``label``.
    max_iter : int, default=1000
    tol : float, default=1e-7
        Stop when an iteration changes the log-likelihood by less than this, in nats per label.
    confusion_prior : {"shared", None}, default="shared"
        "shared" draws each person's matrix towards the person's accuracy and everybody's errors, and each person's
        accuracy towards everybody's, as strongly as the labels give evidence for (two Dirichlet priors); and weighs a
        label by what the person's other labels say of the person [2]_. None is the maximum likelihood of the paper. It
        needs many labels per person and class: on few, it may be far worse than a majority vote.

    Returns
    -------
    DawidSkene

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
    .. [1] A. P. Dawid and A. M. Skene, "Maximum Likelihood Estimation of Observer Error-Rates Using the EM Algorithm",
       Applied Statistics, 1979.
    .. [2] As collapsed variational inference does: A. Asuncion, M. Welling, P. Smyth and Y. W. Teh, "On Smoothing and
       Inference for Topic Models", UAI 2009.

    Examples
    --------
    >>> from alkit.crowd import dawid_skene
    >>> labels = [["a", "a", "b"], ["b", "b", "a"], ["a", "a", "a"], ["b", "b", "a"]]
    >>> dawid_skene(labels).labels.tolist()
    ['a', 'b', 'a', 'b']

    Without a prior, the third annotator labels an "a" as "a" or "b", and every "b" as "a":

    >>> dawid_skene(labels, confusion_prior=None).confusion[2].round(2)
    array([[0.5, 0.5],
           [1. , 0. ]])
    """
    check_max_iter(max_iter)
    if confusion_prior not in ("shared", None):
        raise ValueError(f"confusion_prior={confusion_prior!r}: choose 'shared' or None")
    answers = read_answers(labels)
    shared = confusion_prior is not None
    found = estimate_truth(answers, answers.vote_shares(), shared=shared, max_iter=max_iter, tol=tol)
    if not found.converged:
        warn_not_converged("Dawid-Skene", max_iter)
    return DawidSkene(
        labels=answers.classes[found.proba.argmax(1)],
        proba=found.proba,
        classes=answers.classes,
        prior=found.prior,
        confusion=found.confusion,
        log_likelihood=found.log_likelihood,
        n_iter=found.n_iter,
        items=answers.items,
        annotators=answers.annotators,
    )
