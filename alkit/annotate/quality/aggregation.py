"""One label per item out of several annotators' labels: by majority, or by how reliable each annotator proves to be.

Labels are an ``(N, R)`` array or a DataFrame in long form, as in `alkit.annotate.quality.agreement`.
"""

from __future__ import annotations

import warnings
from itertools import count
from typing import Any, NamedTuple

import numpy as np
from scipy.special import logsumexp
from sklearn.exceptions import ConvergenceWarning

from alkit._random import RandomState, generator
from alkit.annotate.quality.agreement import count_labels
from alkit.annotate.quality.long_form import read_labels


class MajorityVote(NamedTuple):
    """The labels that most annotators gave.

    Attributes
    ----------
    labels : array (N,)
    proba : array (N, C)
        Shares of the votes.
    classes : array (C,)
    items : array (N,)
        The items these are the labels of: the index of a DataFrame, sorted items of a long form, else row numbers.
    """

    labels: np.ndarray
    proba: np.ndarray
    classes: np.ndarray
    items: np.ndarray


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
    confusion : array (R, C, C)
        Annotator r, true class j, label l: how often r gives label l to an item of class j. A row is uniform where r
        labelled no item of the class.
    log_likelihood : float
        Of all labels, in nats.
    n_iter : int
    items : array (N,)
        As of `MajorityVote`.
    annotators : array (R,)
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


def majority_vote(labels: Any, random_state: RandomState = None) -> MajorityVote:
    """Return the class that most annotators gave to each item.

    Parameters
    ----------
    labels : array (N, R) or DataFrame
        None or NaN: not given. A DataFrame may also be in long form, with the columns ``item``, ``annotator`` and
        ``label``.
    random_state : None, int, RandomState or Generator
        Decides between classes with equally many votes.

    Returns
    -------
    MajorityVote

    Raises
    ------
    ValueError
        If an item has no label.

    Examples
    --------
    >>> from alkit.annotate.quality.aggregation import majority_vote
    >>> majority_vote([["spam", "spam", "ham"], ["ham", "ham", None]]).labels.tolist()
    ['spam', 'ham']

    Of a DataFrame in long form:

    >>> import pandas as pd
    >>> long = pd.DataFrame({"item": [9, 7, 7], "annotator": ["ann", "ann", "bob"], "label": ["ham", "spam", "spam"]})
    >>> vote = majority_vote(long)
    >>> dict(zip(vote.items.tolist(), vote.labels.tolist()))
    {7: 'spam', 9: 'ham'}
    """
    codes, classes, items, _ = read_labels(labels)
    proba_N_C = _vote_shares(codes, len(classes))
    best_N_C = proba_N_C == proba_N_C.max(1, keepdims=True)
    keys_N_C = generator(random_state).random(proba_N_C.shape)
    return MajorityVote(classes[(best_N_C * (1 + keys_N_C)).argmax(1)], proba_N_C, classes, items)


def dawid_skene(labels: Any, max_iter: int = 1000, tol: float = 1e-7) -> DawidSkene:
    """Estimate true classes and annotators' confusion matrices together, by expectation maximisation.

    Annotators are taken to err independently of each other, given the true class. EM starts from the shares of the
    votes, as in the paper, and finds the maximum of the likelihood near it. It works on logarithms, so that a hundred
    labels per item do not underflow.

    Parameters
    ----------
    labels : array (N, R) or DataFrame
        None or NaN: not given. A DataFrame may also be in long form, with the columns ``item``, ``annotator`` and
        ``label``.
    max_iter : int, default=1000
    tol : float, default=1e-7
        Stop when an iteration raises the log-likelihood by less than this, in nats per label.

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
    Dawid & Skene (1979), Maximum Likelihood Estimation of Observer Error-Rates Using the EM Algorithm.

    Examples
    --------
    >>> from alkit.annotate.quality.aggregation import dawid_skene
    >>> estimate = dawid_skene([["a", "a", "b"], ["b", "b", "a"], ["a", "a", "a"], ["b", "b", "a"]])
    >>> estimate.labels.tolist()
    ['a', 'b', 'a', 'b']
    >>> estimate.confusion[2].round(2)  # the third annotator labels an "a" as "a" or "b", and every "b" as "a"
    array([[0.5, 0.5],
           [1. , 0. ]])
    """
    if max_iter < 1:
        raise ValueError(f"max_iter={max_iter}, but EM needs at least 1 iteration")
    codes, classes, items, annotators = read_labels(labels)
    proba_N_C = _vote_shares(codes, len(classes))
    before = -np.inf
    for n_iter in count(1):
        prior_C, confusion_R_C_C = _maximise(codes, proba_N_C)
        proba_N_C, log_likelihood = _expect(codes, prior_C, confusion_R_C_C)
        if log_likelihood - before < tol * np.count_nonzero(codes >= 0):
            break
        if n_iter == max_iter:
            message = f"Dawid-Skene did not converge in max_iter={max_iter} iterations; raise max_iter or tol"
            warnings.warn(message, ConvergenceWarning, stacklevel=2)
            break
        before = log_likelihood
    return DawidSkene(
        labels=classes[proba_N_C.argmax(1)],
        proba=proba_N_C,
        classes=classes,
        prior=prior_C,
        confusion=confusion_R_C_C,
        log_likelihood=log_likelihood,
        n_iter=n_iter,
        items=items,
        annotators=annotators,
    )


def _maximise(codes: np.ndarray, proba_N_C: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the most likely prior (C,) and confusion (R, C, C), if the true classes are distributed as `proba_N_C`."""
    n_classes = proba_N_C.shape[1]
    item, annotator = np.nonzero(codes >= 0)
    weight_R_L_C = np.zeros((codes.shape[1], n_classes, n_classes))
    np.add.at(weight_R_L_C, (annotator, codes[item, annotator]), proba_N_C[item])
    weight_R_C_L = weight_R_L_C.swapaxes(1, 2)
    seen_R_C_1 = weight_R_C_L.sum(2, keepdims=True)
    confusion = np.divide(weight_R_C_L, seen_R_C_1, out=np.full_like(weight_R_C_L, 1 / n_classes), where=seen_R_C_1 > 0)
    return proba_N_C.mean(0), confusion


def _expect(codes: np.ndarray, prior_C: np.ndarray, confusion_R_C_C: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the posterior (N, C) of the true classes, and the log-likelihood of the labels."""
    item, annotator = np.nonzero(codes >= 0)  # sorted by item, so that reduceat adds up the labels of each item
    with np.errstate(divide="ignore"):  # a label that was never given to a class has log-probability -inf
        log_prior_C = np.log(prior_C)
        log_confusion = np.log(confusion_R_C_C)
    log_label_M_C = log_confusion[annotator, :, codes[item, annotator]]
    starts = np.flatnonzero(np.diff(item, prepend=-1))
    log_joint_N_C = log_prior_C + np.add.reduceat(log_label_M_C, starts)
    log_evidence_N_1 = logsumexp(log_joint_N_C, axis=1, keepdims=True)
    return np.exp(log_joint_N_C - log_evidence_N_1), float(log_evidence_N_1.sum())


def _vote_shares(codes: np.ndarray, n_classes: int) -> np.ndarray:
    """Return the share of each class in an item's labels, (N, C)."""
    votes_N_C = count_labels(codes, n_classes)
    unlabelled = np.flatnonzero(votes_N_C.sum(1) == 0)
    if unlabelled.size or not len(codes):
        raise ValueError(
            f"{unlabelled.size} of {len(codes)} items have no label (rows {unlabelled[:3].tolist()} first); "
            "pass items that have one"
        )
    return votes_N_C / votes_N_C.sum(1, keepdims=True)
