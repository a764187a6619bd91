"""Splits of rows into a pool to learn from and a test set, groups kept together."""

from __future__ import annotations

from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold, check_cv

from alkit.rows import Rows, n_rows, take
from alkit.validation import check_aligned, check_label_a_row


class Data(NamedTuple):
    """The rows and labels that a run reads."""

    X: Rows
    y: np.ndarray
    X_test: Rows
    y_test: np.ndarray
    pool: np.ndarray | None = None
    """The only rows of X whose labels may be acquired; None for all."""


Split = tuple[np.ndarray, np.ndarray]
"""Rows of the pool, and rows of the test set."""


def splits_of(cv: Any, X: Rows, y: np.ndarray, groups: Any, seed: int, stratify: bool) -> list[Split]:
    """Return splits of rows into pool and test set.

    Parameters
    ----------
    cv : int, splitter of scikit-learn, or iterable of (pool, test)
        An int is the number of shuffled folds, each of which is the test set once.
    X, y : rows and labels
    groups : array (n,) or None
        Rows of the same group are all in the pool, or all in the test set.
    seed : int
        Shuffles the folds of an int.
    stratify : bool
        Whether folds of an int have the classes of `y` in equal shares.

    Returns
    -------
    list of (pool, test), int arrays
    """
    check_label_a_row(X, y)
    if groups is not None:
        check_aligned("groups", groups, X, "X")
    splitter = _folds(int(cv), groups is not None, seed, stratify) if isinstance(cv, Integral) else check_cv(cv)
    # a splitter need not know every kind of rows
    numbers = np.zeros((n_rows(X), 1))
    return [(np.asarray(pool), np.asarray(test)) for pool, test in splitter.split(numbers, y, groups)]


def _folds(n_splits: int, grouped: bool, seed: int, stratify: bool) -> Any:
    """Return scikit-learn's folds that suit the data, shuffled."""
    plain, of_groups = (StratifiedKFold, StratifiedGroupKFold) if stratify else (KFold, GroupKFold)
    return (of_groups if grouped else plain)(n_splits, shuffle=True, random_state=seed)


def data_of(X: Rows, y: np.ndarray, splits: list[Split]) -> list[Data]:
    """Return the data of each split; the pool is not copied, and the test set is."""
    return [Data(X, y, take(X, test), y[test], pool) for pool, test in splits]
