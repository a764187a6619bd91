"""Expectation maximisation: the loop that every model of people who err goes through, and what is said about it."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from itertools import count
from typing import Generic, NamedTuple, TypeVar

import numpy as np
from sklearn.exceptions import ConvergenceWarning

P = TypeVar("P")


class Maximum(NamedTuple, Generic[P]):
    """Where expectation maximisation ended.

    Attributes
    ----------
    proba : array (N, C)
        Posterior of the true classes.
    parameters
        Those that the posterior was computed with.
    log_likelihood : float
        Of all answers, in nats.
    n_iter : int
    converged : bool
    """

    proba: np.ndarray
    parameters: P
    log_likelihood: float
    n_iter: int
    converged: bool


def maximise(
    parameters: P,
    expect: Callable[[P], tuple[np.ndarray, float]],
    update: Callable[[np.ndarray, P, int], P],
    n_answers: int,
    max_iter: int,
    tol: float,
) -> Maximum[P]:
    """Take posteriors and parameters from each other in turn, until the likelihood hardly changes.

    Parameters
    ----------
    parameters
        What to begin with.
    expect : callable
        ``expect(parameters) -> (proba (N, C), log_likelihood)``: the posterior, and how probable the answers are.
    update : callable
        ``update(proba, parameters, n_iter) -> parameters``, after iteration `n_iter`.
    n_answers : int
    max_iter : int
        1 or more.
    tol : float
        Stop when the log-likelihood changes by less than this, in nats per answer.

    Returns
    -------
    Maximum
    """
    before = -np.inf
    for n_iter in count(1):
        proba_N_C, log_likelihood = expect(parameters)
        converged = abs(log_likelihood - before) < tol * max(1, n_answers)
        if converged or n_iter == max_iter:
            break
        before = log_likelihood
        parameters = update(proba_N_C, parameters, n_iter)
    return Maximum(proba_N_C, parameters, log_likelihood, n_iter, converged)


def check_max_iter(max_iter: int) -> None:
    """Refuse to iterate not at all."""
    if max_iter < 1:
        raise ValueError(f"max_iter={max_iter}, but EM needs at least 1 iteration")


def warn_not_converged(name: str, max_iter: int) -> None:
    """Warn that there were too few iterations; points to who called the caller."""
    message = f"{name} did not converge in max_iter={max_iter} iterations; raise max_iter or tol"
    warnings.warn(message, ConvergenceWarning, stacklevel=3)
