"""Checks of rows, labels and queries: errors that name the cause, both quantities and the remedy."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
import torch
from pandas.api.extensions import ExtensionArray
from sklearn.exceptions import DataConversionWarning
from sklearn.utils import get_tags

from alkit.rows import (
    Rows,
    columns,
    dense,
    holds_tokens,
    is_of_numbers,
    kind_of,
    n_rows,
    non_finite_rows,
    readable,
    row_shape,
)


def candidate_rows(candidates: Any, n: int) -> np.ndarray | None:
    """Return candidates, given as a mask or as positions, as positions; None for all n rows."""
    if candidates is None:
        return None
    rows = np.asarray(candidates)
    if rows.dtype == bool:
        if rows.shape != (n,):
            raise ValueError(f"candidates is a mask of shape {rows.shape}, but the pool has {n} rows")
        return np.flatnonzero(rows)
    if rows.ndim != 1 or (rows.size and rows.dtype.kind not in "iu"):
        raise ValueError(f"candidates has dtype {rows.dtype} and {rows.ndim} dimensions; pass a mask or positions")
    rows = rows.astype(np.intp)
    if rows.size and not (rows.min() >= 0 and rows.max() < n):
        raise ValueError(f"candidates run from {rows.min()} to {rows.max()}, but the pool has rows 0 to {n - 1}")
    if np.unique(rows).size < rows.size:
        raise ValueError(f"candidates name {rows.size} rows, but only {np.unique(rows).size} different ones")
    return rows


def check_aligned(name: str, values: Any, X: Rows) -> None:
    """Refuse what should hold one value per row of the pool, and does not."""
    if np.isscalar(values) or getattr(values, "ndim", 1) == 0:
        raise ValueError(f"{name} is {values!r}, but the pool has {n_rows(X)} rows; give one per row")
    if n_rows(values) != n_rows(X):
        raise ValueError(f"{name} has {n_rows(values)} values, but the pool has {n_rows(X)} rows; give one per row")


def checked_count(n_instances: Any, n: int) -> int:
    """Return how many rows to pick from n, refusing what cannot be picked."""
    if not isinstance(n_instances, Integral) or isinstance(n_instances, bool):
        raise TypeError(f"n_instances must be an integer, got {n_instances!r}")
    if n == 0:
        raise ValueError(f"the pool is empty: n_instances={n_instances} of 0 rows; there is nothing left to label")
    k = int(n_instances)
    if not 1 <= k <= n:
        raise ValueError(f"n_instances={k}, but the pool has {n} rows; ask for 1 to {n}")
    return k


def input_tag(model: Any, name: str) -> bool:
    """Return one of scikit-learn's input tags of an estimator (or a learner's); False where there are no tags."""
    try:
        return bool(getattr(get_tags(getattr(model, "estimator", model)).input_tags, name))
    except (AttributeError, TypeError):  # not a scikit-learn estimator
        return False


def as_labels(y: Any) -> Any:
    """Return labels as rows that can be taken and stacked: objects that are all of one type as that type.

    Parameters
    ----------
    y : array-like (n,) or (n, L)
        An array, masked too, list or other sequence, tensor, or Series of pandas, polars or pyarrow.

    Returns
    -------
    Series or array (n,) or (n, L)
        A Series of pandas as it is, unless numpy has no such type; else an array. What is missing is NaN or None in it,
        and labels of several types stay objects, for `check_one_type` to refuse.

    Raises
    ------
    ValueError
        If y is no labels, one per row.

    Examples
    --------
    >>> import pandas as pd
    >>> from alkit.validation import as_labels
    >>> as_labels(pd.Categorical(["ham", "spam"]))
    array(['ham', 'spam'], dtype='<U4')
    """
    if y is None or np.isscalar(y) or getattr(y, "ndim", 1) == 0:
        raise ValueError(f"y is {y!r}; give one label per row")
    if isinstance(y, np.ma.MaskedArray) or not isinstance(y, _HELD_AS_THEY_ARE):
        y = _as_numpy(y)
    if not _holds_objects(y):
        return y
    values = list(y)
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


def check_label_a_row(X: Rows, y: Any, suffix: str = "") -> None:
    """Refuse labels that are not as many as rows; `suffix` ends the names of both, in the message."""
    n, n_labels = n_rows(X), n_rows(y)
    if n != n_labels:
        raise ValueError(f"X{suffix} has {n} rows, but y{suffix} has {n_labels} labels; give one label per row")


def check_rows_and_labels(X: Rows, y: Any, model: Any, *, finite: bool) -> None:
    """Refuse rows and labels that do not belong together or that the model cannot learn from."""
    check_label_a_row(X, y)
    n = n_rows(X)
    if n == 0:
        raise ValueError("X has 0 rows and y 0 labels; there is nothing to learn from")
    check_columns(X, model)
    missing = np.asarray(pd.isna(y))
    if missing.any():
        raise ValueError(f"{missing.sum()} of {n} labels in y are missing; teach labelled rows only")
    check_one_type(y)
    if finite:
        check_finite(X, "X", allow_nan=input_tag(model, "allow_nan"))


def check_finite(X: Rows, what: str, *, allow_nan: bool, start: int = 0) -> None:
    """Refuse rows with infinity or, unless allowed, NaN; `start` is the position of the first row."""
    bad = non_finite_rows(X, allow_nan=allow_nan)
    if bad.size:
        raise ValueError(
            f"{bad.size} of {n_rows(X)} rows of {what} hold NaN or infinity, the first is row {start + bad[0]}; "
            "impute them, leave them out, or allow them with force_all_finite=False"
        )


def check_columns(X: Rows, model: Any) -> None:
    """Refuse numbers in one row or column where the model takes a matrix, and columns of one name."""
    if is_of_numbers(X) and input_tag(model, "two_d_array"):
        raise ValueError(
            f"X is 1-D with {n_rows(X)} numbers; pass X.reshape(-1, 1) if they are rows of one feature, "
            "X.reshape(1, -1) if they are one row"
        )
    names, twice = columns(X) or [], _names_twice(X)
    if twice:
        raise ValueError(f"X has {len(names)} columns, but names occur twice: {twice}; rename or drop them")


def _names_twice(X: Rows) -> list:
    """Return the names that several columns have."""
    names = pd.Index(columns(X) or [])
    return names[names.duplicated()].unique().tolist()


def check_pool(X: Rows, model: Any) -> None:
    """Refuse rows that do not look like those that a model, or a learner, was taught, whatever will be asked of it."""
    check_columns(X, model)
    learner = next(iter(getattr(model, "learner_list", ())), model)
    taught = getattr(learner, "X_training", None)
    if taught is not None:
        check_same_features(X, taught)
        return
    names = getattr(getattr(learner, "estimator", learner), "feature_names_in_", None)
    check_same_columns(columns(X), None if names is None else list(names))


def check_same_features(X: Rows, taught: Rows) -> None:
    """Refuse rows of other columns, or of another shape, than those taught."""
    check_same_columns(columns(X), columns(taught))
    new, old = _sized(X), _sized(taught)
    if new is not None and type(new) is type(old) and new != old:
        raise ValueError(
            f"X has {_width(new)}, but the learner was taught rows with {_width(old)}; give rows the same features"
        )


def _sized(X: Rows) -> Any:
    """Return the shape of one row, of a dict without its sequences of tokens, which may be of any length."""
    shape = row_shape(X)
    if not isinstance(shape, dict):
        return shape
    return {key: of_entry for key, of_entry in shape.items() if not holds_tokens(X.get(key))}


def check_same_columns(names: list | None, taught: list | None) -> None:
    """Refuse columns that are others than those taught, or in another order; what has no names is not compared."""
    if names is None or taught is None or names == taught:
        return
    missing = [name for name in taught if name not in names]
    extra = [name for name in names if name not in taught]
    if missing or extra:
        raise ValueError(
            f"X has columns {names}, but the learner was taught rows with columns {taught}: {missing} are missing and "
            f"{extra} are new; give rows the same columns"
        )
    raise ValueError(
        f"X has columns {names}, but the learner was taught the same columns in the order {taught}; give them in that "
        "order, by X[[...]]"
    )


def _width(shape: Any) -> str:
    return f"{shape[0]} features" if isinstance(shape, tuple) and len(shape) == 1 else f"shape {shape}"


def check_same_labels(y: Any, taught: Any) -> None:
    """Refuse text among numbers, which numpy would turn into text, and numbers among bools, which it would mix up."""
    new, old = np.asarray(y), np.asarray(taught)
    if _type_of(new) != _type_of(old):
        raise ValueError(
            f"y holds labels such as {new.tolist()[0]!r}, but the labels taught are such as {old.tolist()[0]!r}; "
            "give all labels one type"
        )


def _type_of(y: np.ndarray) -> str:
    """Return "number" or "bool", and "other" for texts and objects."""
    return "number" if y.dtype.kind in "iuf" else "bool" if y.dtype.kind == "b" else "other"


def check_rows(X: Rows, *, allow_nan: bool = False) -> int:
    """Return the number of rows after checking that a network can take them.

    Parameters
    ----------
    X : rows of any kind
    allow_nan : bool, default=False
        Whether NaN may stand for a missing value.

    Returns
    -------
    int

    Raises
    ------
    ValueError
        If X is empty, 1-D, has no features or duplicate column names, or holds NaN or infinity.

    Examples
    --------
    >>> from alkit.validation import check_rows
    >>> check_rows([[1.0, 2.0]])
    1
    """
    check_shape(X)
    if was_checked(X):
        return n_rows(X)
    bad = non_finite_rows(X, allow_nan=allow_nan)
    if len(bad):
        raise _non_finite_error(int(bad[0]), f"{len(bad)} of {n_rows(X)} rows")
    return n_rows(X)


def check_shape(X: Rows) -> None:
    """Raise ValueError if X is empty, 1-D, or has no features or duplicate column names."""
    # these messages are in the words of scikit-learn, whose estimator checks read them
    n, shape = n_rows(X), row_shape(X)
    if n == 0:
        raise ValueError(f"Found array with 0 sample(s) (rows of shape {shape}) while a minimum of 1 is required")
    # a list tells no shape: numbers in it are one column, texts and dicts are whole rows
    if shape == () or is_of_numbers(X):
        raise ValueError(
            "Expected 2D array, got 1D array instead. Reshape your data either using X.reshape(-1, 1) if it has a "
            "single feature or X.reshape(1, -1) if it is a single row"
        )
    if isinstance(shape, tuple) and 0 in shape:
        raise ValueError(f"Found array with 0 feature(s) (shape={(n, *shape)}) while a minimum of 1 is required.")
    twice = _names_twice(X)
    if twice:
        raise ValueError(f"X has duplicate column names {twice}; rename or drop them")


def check_batch(batch: Any, first_row: int) -> None:
    """Refuse a batch of tensors, or a dict of them, that holds NaN or infinity; one finite sum clears it at once."""
    for values in batch.values() if isinstance(batch, dict) else (batch,):
        if values.is_floating_point() and not torch.isfinite(values.sum()):
            # the sum may have overflowed although all values are finite
            bad = ~torch.isfinite(values)
            bad_rows = bad.flatten(1).any(1) if bad.ndim > 1 else bad.flatten()
            rows = bad_rows.nonzero()
            if len(rows):
                raise _non_finite_error(first_row + int(rows[0]), "X")


def _non_finite_error(row: int, where: str) -> ValueError:
    """Say where the first bad row is, and what to do."""
    return ValueError(
        f"Input X contains NaN or infinity in {where} (first: row {row}); impute or drop such rows, "
        "e.g. by sklearn.impute.SimpleImputer"
    )


_CHECKED: ContextVar[Any] = ContextVar("rows that were looked at", default=None)


@contextmanager
def checked(X: Rows, *, allow_nan: bool = False) -> Iterator[None]:
    """Have those who are handed X itself in the body know that its values were looked at, and look no more.

    A learner checks what it is taught, and a query what it asks of a pool; the network that gets the same rows need not
    do so again. It does so where the look told nothing of its rows: rows that a Dataset makes on demand, rows that were
    allowed to hold NaN, and what the steps of a Pipeline make of rows, in place or not.

    Parameters
    ----------
    X : rows of any kind
        None takes back what an outer ``checked`` said.
    allow_nan : bool, default=False
        Whether NaN was let through.

    Examples
    --------
    >>> import numpy as np
    >>> from alkit.validation import checked, was_checked
    >>> X = np.zeros((2, 3))
    >>> with checked(X):
    ...     was_checked(X), was_checked(X.copy())
    (True, False)
    """
    finite = X is not None and not allow_nan and kind_of(X).is_searched(X)
    token = _CHECKED.set(X if finite else None)
    try:
        yield
    finally:
        _CHECKED.reset(token)


def was_checked(X: Rows) -> bool:
    """Tell whether the values of X itself were looked at, see `checked`."""
    return X is not None and _CHECKED.get() is X
