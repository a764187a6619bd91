"""Features: rows as one matrix of numbers, in which distances are measured."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor

from alkit.rows import Rows, dense, readable


def dense_features(X: Rows, embed: Any, asked_by: str) -> np.ndarray:
    """Return rows as one float matrix, (n, D), after a transformer where there is one."""
    if embed is not None:
        X = embed.transform(X)
    X = dense(readable(X))
    if isinstance(X, dict):
        entries = [dense_features(value, None, asked_by) for value in X.values()]
        return np.concatenate(entries, axis=1)
    values = np.asarray(X.cpu() if isinstance(X, Tensor) else X)
    why = ""
    if values.dtype.kind == "O":
        # numbers that are held as objects are numbers, as in scikit-learn
        try:
            values = values.astype(np.float64)
        except (TypeError, ValueError) as error:
            why = f" ({error})"
    if values.dtype.kind not in "biuf":
        raise TypeError(
            f"strategy {asked_by} measures distances between rows, but X holds {values.dtype}{why}; pass "
            "embed=a transformer that makes numbers of them, such as make_pipeline(TfidfVectorizer(), TruncatedSVD())"
        )
    # what float32 cannot hold becomes infinity, which is refused later
    with np.errstate(over="ignore"):
        matrix = values.reshape(len(values), -1)
        return np.ascontiguousarray(matrix, dtype=np.float32)
