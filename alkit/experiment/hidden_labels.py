"""Labels that a simulated loop hides: one per row, several, or one per position; and which rows to begin with."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils import column_or_1d

from alkit.labels import as_labels


def label_array(y: Any) -> np.ndarray:
    """Return labels as an array (n,), or (n, ...) of several answers per row.

    Examples
    --------
    >>> from alkit.experiment.hidden_labels import label_array
    >>> label_array(["ham", "spam"]).shape, label_array([[0, 1, 1], [1, 0, 1]]).shape
    ((2,), (2, 3))
    """
    labels = as_labels(y)
    if np.ndim(labels) < 2 or np.shape(labels)[1] == 1:
        return column_or_1d(labels, warn=True)
    return np.asarray(labels)


def is_missing(y: np.ndarray, missing_label: Any) -> np.ndarray:
    """Return a mask of the rows that nobody can label: that lack one of several labels, or all those of positions."""
    if missing_label is None:
        return np.zeros(len(y), dtype=bool)
    missing = np.asarray(pd.isna(y) if pd.isna(missing_label) else y == missing_label)
    of_rows = missing.reshape(len(y), -1)
    return np.all(of_rows, axis=1) if y.ndim > 2 else np.any(of_rows, axis=1)


def first_other_row(y: np.ndarray) -> int:
    """Return the first row whose labels are not all those of row 0, the number of rows where there is none."""
    other = (y != y[0]).reshape(len(y), -1).any(1)
    return int(other.argmax()) if other.any() else len(y)


def first_rows_of_classes(y: np.ndarray) -> np.ndarray:
    """Return the first row of each class, of each of several labels where it is on, in order of the rows."""
    if y.ndim == 1:
        _, firsts = np.unique(y, return_index=True)
        return np.sort(firsts)
    if y.ndim == 2:
        on = y != 0
        return np.unique(on[:, on.any(0)].argmax(0))
    flat = y.reshape(len(y), -1)
    return np.unique([(flat == label).any(1).argmax() for label in np.unique(flat)])
