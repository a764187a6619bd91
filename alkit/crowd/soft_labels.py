"""Fits on probable labels, by any classifier that takes weights of rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.base import clone

from alkit._weights import weights_parameter
from alkit.rows import Rows, take

_LEAST = 0.01  # probability below which a label is not worth a row of its own


def fit_on_proba(estimator: Any, X: Rows, proba_N_C: np.ndarray, classes: np.ndarray) -> Any:
    """Fit a clone of an estimator on labels that are known by their probabilities alone.

    Each row is given once per label that it may have, weighted by the label's probability. Improbable labels are left
    out, but for the most probable row of each class: the estimator is to know all classes.

    Parameters
    ----------
    estimator : classifier
        Its ``fit`` takes ``sample_weight``, or that of the last step of a Pipeline does.
    X : rows, N of them
    proba_N_C : array (N, C)
    classes : array (C,)

    Returns
    -------
    fitted estimator

    Raises
    ------
    TypeError
        If the estimator takes no weights.
    """
    kept_N_C = proba_N_C >= _LEAST
    kept_N_C[proba_N_C.argmax(0), np.arange(len(classes))] = True
    weight_N_C = np.where(kept_N_C, np.maximum(proba_N_C, np.finfo(float).tiny), 0)
    weight_N_C = weight_N_C / weight_N_C.sum(1, keepdims=True)
    row, code = np.nonzero(kept_N_C)
    weights = {weights_parameter(estimator): weight_N_C[row, code]}
    return clone(estimator).fit(take(X, row), classes[code], **weights)


def out_of_fold_proba(
    estimator: Any, X: Rows, proba_N_C: np.ndarray, classes: np.ndarray, folds_N: np.ndarray
) -> np.ndarray:
    """Return what an estimator predicts of each row that was fitted on the rows of the other folds, (N, C).

    What it predicts of rows that it was fitted on would repeat their labels, wrong ones too.

    Parameters
    ----------
    estimator, X, proba_N_C, classes
        As of `fit_on_proba`.
    folds_N : int array (N,)
        Number of each row's fold. Where there is one fold only, it is predicted by what was fitted on it.
    """
    predicted_N_C = np.empty(proba_N_C.shape)
    for fitted_on, predicted in _splits(folds_N):
        model = fit_on_proba(estimator, take(X, fitted_on), proba_N_C[fitted_on], classes)
        predicted_N_C[predicted] = model.predict_proba(take(X, predicted))
    return predicted_N_C


def draw_folds(n: int, n_folds: int, rng: np.random.Generator) -> np.ndarray:
    """Return the number of each row's fold, (n,), at random; folds are equally large, and have a row each."""
    return rng.permutation(n) % min(n, n_folds)


def _splits(folds_N: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the rows to fit on and those to predict, fold by fold."""
    numbers = np.unique(folds_N)
    for number in numbers:
        predicted = np.flatnonzero(folds_N == number)
        yield (np.flatnonzero(folds_N != number) if len(numbers) > 1 else predicted), predicted
