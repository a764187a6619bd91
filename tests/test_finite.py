"""Values that are NaN, missing or infinite, against numpy and pandas cell by cell."""

import numpy as np
import pandas as pd
import pytest

from alkit._finite import marked_rows, sums_to_finite

RNG = np.random.default_rng(0)


def by_cell(values, allow_nan):
    """Rows in which a cell is infinite or, unless allowed, missing: one cell after the other."""
    rows = []
    for i, row in enumerate(values.reshape(len(values), -1)):
        for cell in row:
            infinite = isinstance(cell, (float, np.floating)) and np.isinf(cell)
            if infinite or (pd.isna(cell) and not allow_nan):
                rows.append(i)
                break
    return rows


@pytest.mark.parametrize("allow_nan", [False, True])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, object])
@pytest.mark.parametrize("shape", [(40,), (40, 3), (40, 2, 2)])
def test_rows_are_those_found_cell_by_cell(shape, dtype, allow_nan):
    values = RNG.normal(size=shape)
    values[RNG.random(shape) < 0.1] = np.nan
    values[RNG.random(shape) < 0.1] = -np.inf
    values = values.astype(dtype)
    assert np.unique(marked_rows(values, allow_nan)).tolist() == by_cell(values, allow_nan)


@pytest.mark.parametrize("values", [np.arange(4), np.array(["a", "b"]), np.array([True, False])])
def test_types_that_hold_no_such_value(values):
    assert marked_rows(values, allow_nan=False).tolist() == []


def test_infinities_that_cancel_are_found():
    values = np.array([np.inf, 1.0, -np.inf])
    assert not sums_to_finite(values)
    assert marked_rows(values, allow_nan=True).tolist() == [0, 2]


def test_a_sum_that_overflows_is_no_infinity():
    huge = np.full(4, np.finfo(np.float64).max)
    assert not sums_to_finite(huge)
    assert marked_rows(huge, allow_nan=False).tolist() == []


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_arrays_that_torch_does_not_take(dtype):
    read_only = np.ones(3, dtype)
    read_only.flags.writeable = False
    for values in (read_only, np.ones(6, dtype)[::2], np.ones(3, dtype)[::-1], np.ones((2, 3), dtype).T):
        assert sums_to_finite(values)
    assert sums_to_finite(np.ones(3, np.dtype(dtype).newbyteorder()))
