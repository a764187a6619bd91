"""Sample weights: kept with the labels they belong to, and handed to whichever part of an estimator takes them."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn import get_config
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import has_fit_parameter

from alkit.rows import Rows, n_rows
from alkit.validation import check_aligned


def checked_weights(sample_weight: Any, X: Rows, estimator: Any) -> np.ndarray | None:
    """Return weights as an array, (n,), refusing those that do not fit the rows or that the estimator cannot take.

    Parameters
    ----------
    sample_weight : array (n,) or None
        None stays None.
    X : rows, n of them
    estimator : estimator

    Returns
    -------
    float array (n,) or None

    Raises
    ------
    ValueError
        If there is not one finite weight per row, or if one is negative.
    TypeError
        If no part of the estimator takes weights.
    """
    if sample_weight is None:
        return None
    weights_parameter(estimator)
    check_aligned("sample_weight", sample_weight, X, what="X")
    weights = np.asarray(sample_weight, dtype=float)
    if weights.ndim != 1:
        raise ValueError(f"sample_weight has shape {weights.shape}; give one number per row, ({n_rows(X)},)")
    bad = ~np.isfinite(weights) | (weights < 0)
    if bad.any():
        raise ValueError(
            f"{bad.sum()} of {len(weights)} values of sample_weight are negative, NaN or infinite, the first is "
            f"{weights[bad.argmax()]} for row {bad.argmax()}; give weights of 0 or more"
        )
    return weights


def weights_parameter(estimator: Any) -> str:
    """Return by which name the ``fit`` of an estimator takes weights: of a Pipeline, that of its last step.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from alkit._weights import weights_parameter
    >>> weights_parameter(make_pipeline(LogisticRegression()))
    'logisticregression__sample_weight'
    """
    names = []
    inner = estimator
    # where scikit-learn routes metadata, Pipelines and searches find out themselves who asked for weights
    if not get_config()["enable_metadata_routing"]:
        while isinstance(inner, Pipeline) or hasattr(inner, "refit"):
            if isinstance(inner, Pipeline):
                name, inner = inner.steps[-1]
                names.append(name)
            else:
                inner = inner.estimator
        if not has_fit_parameter(inner, "sample_weight"):
            raise TypeError(
                f"sample_weight was given, but {type(inner).__name__} takes none; leave it out, or use an estimator "
                "whose fit has it, such as LogisticRegression"
            )
    return "__".join([*names, "sample_weight"])


def joined_weights(old: np.ndarray | None, n_old: int, new: np.ndarray | None, n_new: int) -> np.ndarray | None:
    """Return the weights of rows taught before and of new ones; those that have none count as 1."""
    if old is None and new is None:
        return None
    return np.concatenate([np.ones(n_old) if old is None else old, np.ones(n_new) if new is None else new])
