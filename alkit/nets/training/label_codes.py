"""Class labels of any kind, checked, and their codes 0 ... C - 1: positions among the classes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import torch
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import type_of_target

from alkit.labels import as_labels, check_one_type


def check_labels(y: Any, n: int) -> np.ndarray:
    """Return y as a 1-D array of n labels, dtype kept.

    Parameters
    ----------
    y : array-like of shape (n,)
        Numbers, bools or strings.
    n : int
        Number of rows of X.

    Returns
    -------
    ndarray of shape (n,)

    Raises
    ------
    ValueError
        If labels are missing, continuous, or not as many as rows.

    Examples
    --------
    >>> from alkit.nets.training.label_codes import check_labels
    >>> check_labels(["spam", "ham"], 2)
    array(['spam', 'ham'], dtype='<U4')
    """
    _refuse_soft_labels(y)
    labels = as_labels(y)
    # an array of texts keeps its type, objects too, so that predictions have it
    is_text = type(y) is np.ndarray and labels.dtype.kind == "U"
    y = column_or_1d(y if is_text else labels, warn=True)
    if len(y) != n:
        raise ValueError(f"X has {n} rows, but y has {len(y)} labels; give every row one label")
    missing = np.flatnonzero(pd.isna(y))
    if len(missing):
        raise ValueError(
            f"Input y contains NaN or None in {len(missing)} of {n} rows (first: row {missing[0]}); "
            "drop rows without label"
        )
    check_one_type(y)
    # scikit-learn casts infinity to int before it refuses it, of which numpy warns
    with np.errstate(invalid="ignore"):
        kind = type_of_target(y, input_name="y")
    if kind not in ("binary", "multiclass"):
        raise ValueError(
            f"Unknown label type: {kind}. A classifier takes classes, such as ints or "
            "strings; numbers are predicted by a regressor, such as alkit.NetRegressor"
        )
    return y


def _refuse_soft_labels(y: Any) -> None:
    """Refuse a matrix of probabilities in words that say what it is."""
    values = np.asarray(y)
    if values.ndim == 2 and values.shape[1] > 1 and values.dtype.kind == "f":
        n, n_columns = values.shape
        raise ValueError(
            f"y should be a 1d array, got an array of shape {values.shape} instead: {n} rows of {n_columns} numbers, "
            "such as probabilities of the classes (soft labels), but a fit takes one label per row; pass "
            "y=classes[proba.argmax(1)], and sample_weight=proba.max(1) for how sure each of them is"
        )


def encode(y: np.ndarray, classes: np.ndarray) -> torch.Tensor:
    """Return the position of each label in `classes`.

    Parameters
    ----------
    y : ndarray of shape (n,)
        Labels.
    classes : ndarray of shape (n_classes,)
        Known labels, sorted and distinct.

    Returns
    -------
    int64 tensor of shape (n,)

    Raises
    ------
    ValueError
        If a label is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> from alkit.nets.training.label_codes import encode
    >>> encode(np.array(["ham", "spam"]), np.array(["eggs", "ham", "spam"]))
    tensor([1, 2])
    """
    codes = pd.Index(classes).get_indexer(pd.Index(y))
    if (codes < 0).any():
        unknown = np.unique(y[codes < 0]).tolist()
        raise ValueError(
            f"y holds labels {unknown[:10]} outside the known classes {classes.tolist()[:50]}; "
            "declare every label there may be with classes=[...]"
        )
    return torch.from_numpy(codes.astype(np.int64))


def class_weights(
    class_weight: str | dict | None, classes: np.ndarray, y: np.ndarray, sample_weight: np.ndarray | None = None
) -> torch.Tensor | None:
    """Return the weight of each class in the loss.

    Parameters
    ----------
    class_weight : None, "balanced" or dict of label to weight
        As in scikit-learn. A label without an entry weighs 1, and so does a class not seen yet.
    classes : ndarray of shape (n_classes,)
        Known labels.
    y : ndarray of shape (n,)
        Training labels.
    sample_weight : ndarray of shape (n,), optional
        Weights of the rows: "balanced" weighs classes by what their rows weigh together, not by how many they are.

    Returns
    -------
    tensor of shape (n_classes,) or None

    Raises
    ------
    ValueError
        If `class_weight` is none of these, or names unknown labels.

    Examples
    --------
    >>> import numpy as np
    >>> from alkit.nets.training.label_codes import class_weights
    >>> class_weights("balanced", np.array(["a", "b", "c"]), np.array(["a", "a", "a", "b"]))
    tensor([0.6667, 2.0000, 1.0000])
    """
    if class_weight is None:
        return None
    if class_weight != "balanced":
        return weights_given(class_weight, classes, "label")
    codes = encode(y, classes)
    of_rows = torch.ones(len(y)) if sample_weight is None else torch.from_numpy(sample_weight)
    totals = torch.bincount(codes, of_rows, minlength=len(classes)).double()
    seen = totals > 0
    # as scikit-learn has it, but a class may have been declared and not yet seen
    balanced = totals.sum() / (seen.sum() * totals)
    return balanced.where(seen, torch.ones(())).float()


def weights_given(class_weight: Any, classes: np.ndarray, key: str) -> torch.Tensor:
    """Return the weights of a dict, 1 for what has no entry, or refuse what is none; `key` names what it is by."""
    if not isinstance(class_weight, dict):
        raise ValueError(
            f"class_weight={class_weight!r} is unknown; give 'balanced', a dict of {key} to weight or None"
        )
    encode(np.array(list(class_weight)), classes)  # raises where it names an unknown label
    return torch.tensor([float(class_weight.get(label, 1.0)) for label in classes.tolist()])
