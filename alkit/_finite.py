"""Which values are NaN, missing or infinite; a sum that is finite clears a whole array at once."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import torch


def sums_to_finite(values: np.ndarray) -> bool:
    """Whether the sum of all values is finite, which clears an array at once; False may also mean an overflow."""
    plain = values.flags.writeable and values.flags.c_contiguous and all(stride >= 0 for stride in values.strides)
    if plain and values.dtype in (np.float32, np.float64):
        return math.isfinite(torch.from_numpy(values).sum())  # four times as fast as numpy
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(values.sum()))


def marked_rows(values: np.ndarray, allow_nan: bool) -> np.ndarray:
    """Return the positions along the first axis of infinity and, unless allowed, missing values."""
    marked = _non_finite(values, allow_nan)
    return np.nonzero(marked)[0] if marked.any() else np.empty(0, dtype=np.intp)


def _non_finite(values: np.ndarray, allow_nan: bool) -> np.ndarray:
    """Mark infinity and, unless allowed, missing values; one False for all where there are none."""
    if values.dtype.kind == "f":
        if sums_to_finite(values):
            return np.zeros(1, dtype=bool)
        return np.isinf(values) if allow_nan else ~np.isfinite(values)
    if values.dtype.kind == "O" and any(np.ndim(cell) for cell in values.flat):  # a cell holds a whole array
        return np.array([_non_finite(np.asarray(cell), allow_nan).any() for cell in values.flat]).reshape(values.shape)
    if values.dtype.kind == "O":
        infinite = np.isin(values, [np.inf, -np.inf])
        return infinite if allow_nan else infinite | pd.isna(values)
    return np.zeros(1, dtype=bool)
