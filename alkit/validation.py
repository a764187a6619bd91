"""Checks of rows, labels and queries: errors that name the cause, both quantities and the remedy."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
import torch
from sklearn.utils import get_tags

from alkit.labels import check_one_type
from alkit.rows import (
    Rows,
    columns,
    holds_tokens,
    is_of_numbers,
    kind_of,
    n_rows,
    non_finite_rows,
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


def check_aligned(name: str, values: Any, X: Rows, what: str = "the pool") -> None:
    """Refuse what should hold one value per row of X, and does not; `what` names X in the message."""
    if np.isscalar(values) or getattr(values, "ndim", 1) == 0:
        raise ValueError(f"{name} is {values!r}, but {what} has {n_rows(X)} rows; give one per row")
    if n_rows(values) != n_rows(X):
        raise ValueError(f"{name} has {n_rows(values)} values, but {what} has {n_rows(X)} rows; give one per row")


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


def is_of_type(model: Any, estimator_type: str) -> bool:
    """Tell whether scikit-learn's tags call a model a "classifier" or "regressor"; without tags it is neither."""
    try:
        return get_tags(model).estimator_type == estimator_type
    except (AttributeError, TypeError):  # not a scikit-learn estimator
        return False


def check_label_a_row(X: Rows, y: Any, suffix: str = "") -> None:
    """Refuse labels that are not as many as rows; `suffix` ends the names of both, in the message."""
    n, n_labels = n_rows(X), n_rows(y)
    if n != n_labels:
        raise ValueError(f"X{suffix} has {n} rows, but y{suffix} has {n_labels} labels; give one label per row")


def check_rows_and_labels(X: Rows, y: Any, model: Any) -> None:
    """Refuse rows and labels that do not belong together; what rows may hold is the model's business."""
    check_label_a_row(X, y)
    n = n_rows(X)
    if n == 0:
        raise ValueError("X has 0 rows and y 0 labels; there is nothing to learn from")
    check_columns(X, model)
    missing = np.asarray(pd.isna(y))
    if missing.any():
        raise ValueError(f"{missing.sum()} of {n} labels in y are missing; teach labelled rows only")
    check_one_type(y)


def is_known_finite(X: Rows) -> bool:
    """Look at the rows of X, and tell whether they are known to hold neither NaN nor infinity; refuse nothing."""
    return kind_of(X).is_searched(X) and not non_finite_rows(X).size


def refuse_non_finite_rows(X: Rows, estimator: Any) -> None:
    """Refuse rows with NaN or infinity for an estimator that would take them without a word."""
    bad = non_finite_rows(X)
    if bad.size:
        raise ValueError(
            f"{bad.size} of {n_rows(X)} rows of X hold NaN or infinity, the first is row {bad[0]}, which would make "
            f"the weights of {type(estimator).__name__} NaN; impute them, leave them out, or allow them with "
            "force_all_finite=False"
        )


_REFUSES_VALUES = re.compile(r"\b(nan|inf|infinity|infinite|non-finite)\b", re.IGNORECASE)
_POSITIONS: ContextVar[Any] = ContextVar("where the rows of a chunk are in the pool", default=None)


@contextmanager
def naming_rows(X: Rows, what: str, positions: Any = None) -> Iterator[None]:
    """Have an error of the body that is about NaN or infinity name the rows of X that hold them.

    Parameters
    ----------
    X : rows of any kind
    what : str
        What X is, for the message.
    positions : slice or int array, optional
        Where the rows of X are in a pool; by default they are numbered from 0.
    """
    token = _POSITIONS.set(positions)
    try:
        yield
    except ValueError as error:
        bad = non_finite_rows(X) if _REFUSES_VALUES.search(str(error)) else np.empty(0)
        if not bad.size:
            raise
        # what follows is advice, and row numbers of all that was taught
        said = re.split(r"[\n;]", str(error))[0].rstrip(".")
        raise ValueError(
            f"{bad.size} of {n_rows(X)} rows of {what} hold NaN or infinity, the first is row "
            f"{position_of(bad[0], positions)}, and the estimator does not take them ({said}); impute them in a "
            "Pipeline, or leave them out"
        ) from error
    finally:
        _POSITIONS.reset(token)


def position_of(row: int, positions: Any) -> int:
    """Return where a row of a chunk is in the pool, by the positions of the chunk (None: the row itself)."""
    if positions is None:
        return int(row)
    return int(row + positions.start if isinstance(positions, slice) else positions[row])


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
    of_columns = columns(X)
    if not of_columns:
        return []
    names = pd.Index(of_columns)
    return names[names.duplicated()].unique().tolist()


def check_pool(X: Rows, model: Any) -> None:
    """Refuse rows that do not look like those that a model, or a learner, was taught, whatever will be asked of it."""
    check_columns(X, model)
    learner = next(iter(getattr(model, "learner_list", ())), model)
    taught = getattr(learner, "X_training", None)
    if taught is not None:
        # what else may differ in size is for the estimator to say, which is asked about these rows
        check_same_features(X, taught, reads_tokens(learner), as_sequences=True)
        return
    names = getattr(getattr(learner, "estimator", learner), "feature_names_in_", None)
    check_same_columns(columns(X), None if names is None else list(names))


def reads_tokens(model: Any) -> bool:
    """Tell whether an estimator, or a learner's, is a fitted network that takes integers as such: ids of tokens."""
    return bool(getattr(getattr(model, "estimator", model), "integer_inputs_", False))


def check_same_features(X: Rows, taught: Rows, of_tokens: bool = False, as_sequences: bool = False) -> None:
    """Refuse rows of other columns, or of another shape, than those taught.

    Sequences of tokens may be of any length, in a dict and, where the rows are `of_tokens`, without. With
    `as_sequences`, so may rows of two axes or more, such as sequences of vectors and pictures.
    """
    check_same_columns(columns(X), columns(taught))
    if of_tokens and holds_tokens(X) and holds_tokens(taught):
        return
    new, old = _sized(X), _sized(taught)
    if new is None or type(new) is not type(old):
        return
    if (_axes(new) != _axes(old)) if as_sequences else (new != old):
        raise ValueError(
            f"X has {_width(new)}, but the learner was taught rows with {_width(old)}; give rows the same features"
        )


def _sized(X: Rows) -> Any:
    """Return the shape of one row, of a dict without its sequences of tokens, which may be of any length."""
    shape = row_shape(X)
    if not isinstance(shape, dict):
        return shape
    return {key: of_entry for key, of_entry in shape.items() if not holds_tokens(X.get(key))}


def _axes(shape: Any) -> Any:
    """Return the shape of one row, of two axes or more their number."""
    if isinstance(shape, dict):
        return {key: _axes(of_entry) for key, of_entry in shape.items()}
    return len(shape) if isinstance(shape, tuple) and len(shape) > 1 else shape


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
    """Say where the first bad row is, in the numbers of the pool that is asked for, and what to do."""
    first = position_of(row, _POSITIONS.get())
    return ValueError(
        f"Input X contains NaN or infinity in {where} (first: row {first}); impute or drop such rows, "
        "e.g. by sklearn.impute.SimpleImputer"
    )


_CHECKED: ContextVar[Any] = ContextVar("rows that were looked at", default=None)


_EVERYTHING = object()


@contextmanager
def let_through() -> Iterator[None]:
    """Have networks look at no rows in the body, whoever hands them over: they may hold anything."""
    token = _CHECKED.set(_EVERYTHING)
    try:
        yield
    finally:
        _CHECKED.reset(token)


@contextmanager
def checked(X: Rows) -> Iterator[None]:
    """Have those who are handed X itself in the body know that it is finite, so that they need not look again.

    A learner looks at what it is taught, and a query at what it asks of a pool; the network that gets the same rows
    need not do so again. It does so where the look told nothing of its rows: rows that a Dataset makes on demand, rows
    with NaN, and what the steps of a Pipeline make of rows, in place or not.

    Parameters
    ----------
    X : rows of any kind
        See `is_known_finite`; None takes back what an outer ``checked`` said.

    Examples
    --------
    >>> import numpy as np
    >>> from alkit.validation import checked, was_checked
    >>> X = np.zeros((2, 3))
    >>> with checked(X):
    ...     was_checked(X), was_checked(X.copy())
    (True, False)
    """
    finite = X is not None and kind_of(X).is_searched(X)
    token = _CHECKED.set(X if finite else None)
    try:
        yield
    finally:
        _CHECKED.reset(token)


def was_checked(X: Rows) -> bool:
    """Tell whether the values of X need no look: see `checked` and `let_through`."""
    known = _CHECKED.get()
    return X is not None and (known is X or known is _EVERYTHING)
