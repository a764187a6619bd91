"""Every kind of X: counted, taken, stacked and checked alike."""

from collections import UserDict

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from skorch.helper import SliceDict
from torch.utils.data import Dataset, TensorDataset

from alkit import rows

A = np.arange(12, dtype=np.float32).reshape(6, 2)


class Items(Dataset):
    """A Dataset whose items are x alone."""

    def __init__(self, array):
        self.array = array

    def __len__(self):
        return len(self.array)

    def __getitem__(self, i):
        return self.array[i]


KINDS = {
    "array": A,
    "cube": A.reshape(6, 1, 2),
    "csr": sp.csr_matrix(A),
    "coo": sp.coo_matrix(A),
    "csr_array": sp.csr_array(A),
    "frame": pd.DataFrame(A, columns=["a", "b"], index=list("uvwxyz")),
    "series": pd.Series(A[:, 0], index=list("uvwxyz")),
    "tensor": torch.from_numpy(A),
    "list": A.tolist(),
    "dict": {"a": A, "b": torch.from_numpy(A)},
    "slicedict": SliceDict(a=A, b=A[:, 0]),
    "mapping": UserDict(a=A, b=A[:, 0]),
    "dataset": TensorDataset(torch.from_numpy(A)),
    "items": Items(A),
}


def plain(X):
    """Rows as nested lists."""
    if isinstance(X, (dict, UserDict)):
        return list(zip(*map(plain, X.values()), strict=True))
    if isinstance(X, Dataset):
        return [np.asarray(x[0] if isinstance(x, tuple) else x).tolist() for x in (X[i] for i in range(len(X)))]
    if sp.issparse(X):
        X = X.toarray()
    return np.asarray(X).tolist()


@pytest.mark.parametrize("kind", KINDS)
def test_take_and_stack(kind):
    X = KINDS[kind]
    assert rows.n_rows(X) == 6
    for chosen in (np.array([4, 0, 4]), [1, 2], slice(2, 5), np.array([], int)):
        taken = rows.take(X, chosen)
        assert plain(taken) == [plain(X)[i] for i in np.arange(6)[chosen]]
        assert rows.n_rows(taken) == len(np.arange(6)[chosen])
    both = rows.stack([rows.take(X, [3]), rows.take(X, slice(0, 2))])
    assert plain(both) == [plain(X)[i] for i in (3, 0, 1)]
    if kind not in ("csr", "coo", "mapping", "dataset", "items"):
        assert type(both) is type(X)


def test_an_array_slice_is_a_view():
    assert np.shares_memory(rows.take(A, slice(1, 3)), A)


def test_frames_keep_dtypes_and_labels():
    frame = pd.DataFrame({"n": [1, 2], "s": ["a", "b"]}, index=[7, 9])
    both = rows.stack([frame, rows.take(frame, [1])])
    assert both.index.tolist() == [7, 9, 9]
    assert both.dtypes.equals(frame.dtypes)


def test_what_cannot_be_stacked_says_why():
    with pytest.raises(ValueError, match=r"columns \['b'\].*columns \['a'\]"):
        rows.stack([pd.DataFrame({"a": [1]}), pd.DataFrame({"b": [1]})])
    with pytest.raises(ValueError, match=r"keys \['b'\].*keys \['a'\]"):
        rows.stack([{"a": A}, {"b": A}])
    with pytest.raises(ValueError, match="dimensions"):
        rows.stack([A, A[:, :1]])


@pytest.mark.parametrize("X", [3, None, "text", np.array(1.0)])
def test_what_has_no_rows(X):
    with pytest.raises(TypeError, match="cannot take rows of"):
        rows.n_rows(X)


def test_what_cannot_be_taken_from():
    with pytest.raises(TypeError, match="is a set"):
        rows.take({1, 2, 3}, [1])
    with pytest.raises(TypeError, match="is a set"):
        rows.stack([{1, 2, 3}])


def test_entries_of_other_lengths():
    with pytest.raises(ValueError, match=r"'text': 2, 'image': 6"):
        rows.n_rows({"text": ["a", "b"], "image": A})


@pytest.mark.parametrize("kind", [k for k in KINDS if k not in ("dataset", "items")])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_non_finite_rows(kind, value):
    A_bad = A.copy()
    A_bad[4, 0] = value
    X = {
        "array": A_bad,
        "cube": A_bad.reshape(6, 1, 2),
        "csr": sp.csr_matrix(A_bad),
        "coo": sp.coo_matrix(A_bad),
        "csr_array": sp.csr_array(A_bad),
        "frame": pd.DataFrame(A_bad, columns=["a", "b"]),
        "series": pd.Series(A_bad[:, 0]),
        "tensor": torch.from_numpy(A_bad),
        "list": A_bad.tolist(),
        "dict": {"a": A, "b": torch.from_numpy(A_bad)},
        "slicedict": SliceDict(a=A, b=A_bad[:, 0]),
        "mapping": UserDict(a=A, b=A_bad[:, 0]),
    }[kind]
    assert rows.non_finite_rows(KINDS[kind]).size == 0
    assert rows.non_finite_rows(X).tolist() == [4]
    assert rows.non_finite_rows(X, allow_nan=True).tolist() == ([] if np.isnan(value) else [4])


def test_non_finite_rows_of_objects_texts_and_huge_numbers():
    assert rows.non_finite_rows(np.array([[1, "a"], [None, "b"], [np.inf, "c"]], dtype=object)).tolist() == [1, 2]
    assert rows.non_finite_rows(["spam", "ham"]).size == 0
    assert rows.non_finite_rows(pd.DataFrame({"t": ["a", None], "n": [1, 2]})).tolist() == [1]
    assert rows.non_finite_rows(np.full((9, 9), 3e38, np.float32)).size == 0  # their sum overflows, they do not
    assert rows.non_finite_rows(torch.ones(3, dtype=torch.bfloat16)).size == 0


def test_non_finite_rows_of_views_that_run_backwards():
    backwards = np.array([[np.nan, 1], [2, 3]])[::-1]
    assert rows.non_finite_rows(backwards).tolist() == [1]
    assert rows.non_finite_rows(backwards[:1]).size == 0  # numpy calls one row contiguous, torch refuses its stride


@pytest.mark.parametrize("kind", [list, pd.Series, lambda cells: pd.DataFrame({"a": cells, "b": range(5)})])
def test_non_finite_rows_of_cells_that_hold_arrays(kind):
    cells = pd.Series([np.ones(3), [1.0, 2.0], None, np.array([1, np.nan]), np.array([np.inf])])
    X = kind(cells.tolist())
    assert rows.non_finite_rows(X).tolist() == [2, 3, 4]
    assert rows.non_finite_rows(X, allow_nan=True).tolist() == [4]


def test_row_bytes_and_shape():
    assert rows.row_bytes(A) == 8
    assert rows.row_bytes({"a": A, "b": A.astype(float)}) == 24
    assert rows.row_bytes(sp.csr_matrix((5, 10_000))) == 0
    assert rows.row_bytes(["text"]) == 1024
    assert rows.row_shape(A.reshape(3, 2, 2)) == (2, 2)
    assert rows.row_shape({"a": A, "t": ["x"] * 6}) == {"a": (2,), "t": None}


def test_slices_cut_everything_once():
    assert [list(range(10))[s] for s in rows.slices(10, 4)] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert list(rows.slices(0, 4)) == []


def test_the_sparse_format_that_is_a_dict_is_taken_as_sparse():
    X = sp.dok_array(A)
    assert rows.n_rows(X) == 6
    np.testing.assert_array_equal(rows.take(X, [4, 0]).toarray(), A[[4, 0]])
    np.testing.assert_array_equal(rows.dense(rows.stack([X, X])), np.vstack([A, A]))
    assert rows.non_finite_rows(X).size == 0
