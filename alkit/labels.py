"""Labels of any kind as arrays, and what is refused of them: y of several types, bytes, text among numbers."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from numbers import Number
from typing import Any

import numpy as np
import pandas as pd
import torch
from pandas.api.extensions import ExtensionArray
from sklearn.exceptions import DataConversionWarning

from alkit.rows import dense, readable


def as_labels(y: Any) -> Any:
    """Return labels as rows that can be taken and stacked: objects that are all of one type as that type.

    Parameters
    ----------
    y : array-like (n,) or (n, ...)
        An array, masked too, list or other sequence, tensor, or Series of pandas, polars or pyarrow.

    Returns
    -------
    Series or array (n,) or (n, L)
        A Series of pandas as it is, unless numpy has no such type; else an array. What is missing is NaN or None in it,
        and labels of several types stay objects, for `check_one_type` to refuse.

    Raises
    ------
    ValueError
        If y is no labels, one per row, or holds those of each row as a set or a list of any length.

    Examples
    --------
    >>> import pandas as pd
    >>> from alkit.labels import as_labels
    >>> as_labels(pd.Categorical(["ham", "spam"]))
    array(['ham', 'spam'], dtype='<U4')
    """
    if y is None or np.isscalar(y) or getattr(y, "ndim", 1) == 0:
        raise ValueError(f"y is {y!r}; give one label per row")
    if isinstance(y, np.ma.MaskedArray) or not isinstance(y, _HELD_AS_THEY_ARE):
        y = _as_numpy(y)
    if not _holds_objects(y):
        return y
    # pandas would read tensors, which torch 2.6 lets numpy read with a warning
    values = [label.item() if isinstance(label, torch.Tensor) and label.ndim == 0 else label for label in y]
    _refuse_sets_of_labels(values)
    if values and _is_row_of_answers(values[0]):
        return np.asarray(y)
    labels = pd.Series(values, dtype=object)
    # numpy would make texts of numbers among texts
    if len(_types(labels)) > 1:
        return labels.to_numpy()
    inferred = labels.infer_objects()
    # and of NaN among texts
    if inferred.dtype.kind in "biuf" or labels.isna().any():
        return inferred.to_numpy()
    return np.asarray(values)


_HELD_AS_THEY_ARE = (np.ndarray, pd.Series, pd.DataFrame, ExtensionArray, Sequence)


def _as_numpy(y: Any) -> np.ndarray:
    """Return labels of a kind that no other function here knows, such as tensors and Series of polars, as an array."""
    values = dense(readable(y))
    return values.cpu().numpy() if isinstance(values, torch.Tensor) else values


def _holds_objects(y: Any) -> bool:
    """Tell whether labels are objects, or of a type that only pandas has, such as categories or nullable integers."""
    if isinstance(y, pd.DataFrame):
        return False
    dtype = getattr(y, "dtype", None)
    return not (dtype == "str" or (isinstance(dtype, np.dtype) and dtype.kind not in "OT"))


def _refuse_sets_of_labels(values: list) -> None:
    """Refuse the labels of each row as a set, or as a list that is longer for some rows than for others."""
    sets = [value for value in values if isinstance(value, (set, frozenset))]
    lists = [value for value in values if isinstance(value, (list, tuple))]
    lengths = {len(value) for value in lists}
    if sets or (len(lists) == len(values) and len(lengths) > 1):
        raise ValueError(
            f"y holds the labels of each row as a {type((sets or lists)[0]).__name__}, such as {(sets or lists)[0]!r}; "
            "make a 0/1 matrix of them, with a column for each label: "
            "sklearn.preprocessing.MultiLabelBinarizer().fit_transform(y)"
        )


def _is_row_of_answers(label: Any) -> bool:
    """Tell whether what stands for a label is several: a list, or an array."""
    return isinstance(label, list) or getattr(label, "ndim", 0) > 0


_TYPES = {"bool": (bool, np.bool_), "number": (int, float, np.number), "text": (str,), "bytes": (bytes,)}


def _types(labels: pd.Series) -> dict[str, Any]:
    """Return the types of labels by name, each with the first label of it; what is missing has no type."""
    found: dict[str, Any] = {}
    for label in labels[~labels.isna()]:
        name = next((name for name, types in _TYPES.items() if isinstance(label, types)), type(label).__name__)
        found.setdefault(name, label)
    return found


def check_one_type(y: Any) -> None:
    """Refuse labels of several types, such as text among numbers, and bytes.

    Parameters
    ----------
    y : array or Series, as `as_labels` returns it

    Raises
    ------
    ValueError
    """
    if np.asarray(y).dtype.kind not in "OS":
        return
    found = _types(pd.Series(np.ravel(y), dtype=object))
    if len(found) > 1:
        shown = ", ".join(f"{name} ({label!r})" for name, label in found.items())
        raise ValueError(f"y holds labels of {len(found)} types: {shown}; give all labels one type")
    if "bytes" in found:
        raise ValueError(f"y holds bytes, such as {found['bytes']!r}; decode them to text, by label.decode()")


def flattened(y: Any) -> Any:
    """Return a column of labels, (n, 1), as classifiers want them, (n,), with the warning that scikit-learn gives."""
    if getattr(y, "ndim", 1) != 2 or y.shape[1] != 1:
        return y
    message = f"y is a column of shape {y.shape}, but a classifier takes labels of shape {y.shape[:1]}; pass y.ravel()"
    warnings.warn(message, DataConversionWarning, stacklevel=6)
    return np.asarray(y).ravel()


def most_probable(proba: np.ndarray, classes: np.ndarray | None, several_labels: bool) -> np.ndarray:
    """Return the labels that probabilities speak for.

    Parameters
    ----------
    proba : array (n, C), ``(n, C, *S)`` of positions, or (n, L) of several labels
    classes : array (C,) or None
        None leaves positions among the classes.
    several_labels : bool

    Returns
    -------
    array (n,) or ``(n, *S)`` of the most probable classes, or 0/1 array (n, L) of the labels that are on

    Examples
    --------
    >>> import numpy as np
    >>> from alkit.labels import most_probable
    >>> proba = np.array([[0.9, 0.8]])
    >>> most_probable(proba, np.array(["ham", "spam"]), False), most_probable(proba, None, True)
    (array(['ham'], dtype='<U4'), array([[1, 1]]))
    """
    if several_labels:
        return (proba > 0.5).astype(np.int64)
    best = proba.argmax(axis=1)
    return best if classes is None else classes[best]


def check_same_labels(y: Any, taught: Any) -> None:
    """Refuse text among numbers, which numpy would turn into text, and numbers among bools, which it would mix up."""
    new, old = np.asarray(y), np.asarray(taught)
    if new.shape[1:] != old.shape[1:]:
        raise ValueError(
            f"y has shape {new.shape}, but the labels taught have shape {old.shape}; give every row as many labels"
        )
    if _type_of(new) != _type_of(old):
        raise ValueError(
            f"y holds labels such as {new.tolist()[0]!r}, but the labels taught are such as {old.tolist()[0]!r}; "
            "give all labels one type"
        )


def _type_of(y: np.ndarray) -> str:
    """Return "number" or "bool", and "other" for texts and objects."""
    return "number" if y.dtype.kind in "iuf" else "bool" if y.dtype.kind == "b" else "other"


def as_numbers(y: Any) -> np.ndarray:
    """Return what a regressor is to predict as floats, or refuse it by name.

    Parameters
    ----------
    y : array-like (n,) or (n, T)
        One number per row, or T of them.

    Returns
    -------
    array (n,) or (n, T), float64

    Raises
    ------
    ValueError
        If y holds anything but finite numbers.

    Examples
    --------
    >>> from alkit.labels import as_numbers
    >>> as_numbers([1, 2])
    array([1., 2.])
    """
    values = np.asarray(as_labels(y))
    if values.dtype.kind == "c":
        raise ValueError(f"Complex data not supported: y holds {values.flat[0]!r}; a regressor predicts real numbers")
    if values.dtype.kind == "O":
        values = _numbers_of_objects(values)
    if values.dtype.kind not in "biuf":
        raise _no_number(values.ravel().tolist()[0])
    if values.ndim > 2 or 0 in values.shape[1:]:
        raise ValueError(f"y has shape {values.shape}; give one number per row, (n,), or several, (n, n_outputs)")
    values = values.astype(np.float64)
    bad = np.flatnonzero(~np.isfinite(values.reshape(len(values), -1)).all(axis=1))
    if bad.size:
        what = "NaN" if np.isnan(values).any() else "infinity"
        raise ValueError(
            f"Input y contains {what} in {bad.size} of {len(values)} rows (first: row {bad[0]}); leave out rows "
            "without a number"
        )
    return values


def _numbers_of_objects(values: np.ndarray) -> np.ndarray:
    """Return numbers that are held as objects, such as decimals, with NaN for what is missing."""
    missing = pd.isna(values)
    refused = next((value for value in values[~missing] if not isinstance(value, Number)), None)
    if refused is not None:
        raise _no_number(refused)
    return np.where(missing, np.nan, values).astype(np.float64)


def _no_number(value: Any) -> ValueError:
    """Return the error for a label where a number is to be predicted."""
    return ValueError(
        f"y holds {value!r}, but a regressor predicts numbers; pass numbers, or take a classifier for labels, such as "
        "alkit.NetClassifier"
    )
