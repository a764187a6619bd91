"""Every kind of X: counted, taken, stacked and checked alike."""

import array as array_module
from collections import UserDict, deque

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


class ArrayLike:
    """Something that numpy makes an array of, and no more."""

    def __init__(self, array):
        self.array = array

    def __array__(self, dtype=None, copy=None):
        return np.array(self.array, dtype)


def polars_frame(array):
    return pytest.importorskip("polars").DataFrame({"a": array[:, 0], "b": array[:, 1]})


def arrow_table(array):
    return pytest.importorskip("pyarrow").table({"a": array[:, 0], "b": array[:, 1]})


def hugging_face(array):
    datasets = pytest.importorskip("datasets")
    # with a name of its own, since not every release of the package can hash what it holds
    return datasets.Dataset(datasets.table.InMemoryTable(arrow_table(array)), fingerprint="rows")


def ragged(array):
    """Rows of different lengths, as pictures of different sizes are."""
    return [row[: 1 + i % 2] for i, row in enumerate(array)]


def labelled(array):
    """A frame whose index tells positions from labels."""
    return pd.DataFrame(array, columns=["a", "b"], index=list("uvwxyz"))


# one X of each kind, by a function of its values: everything below runs over all of them
KINDS = {
    "array": lambda array: array,
    "cube": lambda array: array.reshape(6, 1, 2),
    "masked": np.ma.masked_array,
    "csr": sp.csr_matrix,
    "coo": sp.coo_matrix,
    "csr_array": sp.csr_array,
    "frame": labelled,
    "series": lambda array: labelled(array)["a"],
    "nullable": lambda array: labelled(array).astype("Float64"),
    "polars": polars_frame,
    "polars_series": lambda array: polars_frame(array)["a"],
    "arrow": arrow_table,
    "arrow_column": lambda array: arrow_table(array)["a"],
    "tensor": torch.tensor,
    "tensor_with_gradient": lambda array: torch.tensor(array, requires_grad=True),
    "bfloat16": lambda array: torch.tensor(array, dtype=torch.bfloat16),
    "list": lambda array: array.tolist(),
    "tuple": lambda array: tuple(array.tolist()),
    "numbers": lambda array: array_module.array("d", array[:, 0]),
    "deque": lambda array: deque(array.tolist()),
    "ragged": ragged,
    "ragged_tensors": lambda array: [torch.tensor(row, requires_grad=True) for row in ragged(array)],
    "dict": lambda array: {"a": array, "b": torch.from_numpy(array)},
    "slicedict": lambda array: SliceDict(a=array, b=array[:, 0]),
    "mapping": lambda array: UserDict(a=array, b=array[:, 0]),
    "dataset": lambda array: TensorDataset(torch.from_numpy(array)),
    "items": Items,
    "hugging_face": hugging_face,
    "hugging_face_column": lambda array: hugging_face(array)["a"],
    "array_like": ArrayLike,
}
NOT_SEARCHED = {"dataset", "items"}
OF_ANOTHER_KIND = {
    "coo": sp.csr_matrix,
    "mapping": dict,
    "numbers": list,
    "deque": list,
    "hugging_face_column": list,
    "array_like": np.ndarray,
    "dataset": Dataset,
    "items": Dataset,
}


def plain(X):
    """Rows as nested lists."""
    if isinstance(X, (dict, UserDict)):
        return list(zip(*map(plain, X.values()), strict=True))
    if hasattr(X, "set_format"):
        return plain(X[:])
    if isinstance(X, Dataset):
        return [np.asarray(x[0] if isinstance(x, tuple) else x).tolist() for x in (X[i] for i in range(len(X)))]
    if hasattr(X, "column_names"):  # numpy takes a table of pyarrow by columns
        return list(zip(*(X[name].to_pylist() for name in X.column_names), strict=True))
    if sp.issparse(X):
        return X.toarray().tolist()
    if isinstance(X, torch.Tensor):
        return X.detach().float().tolist()
    return [np.asarray(row.detach() if isinstance(row, torch.Tensor) else row).tolist() for row in to_rows(X)]


def to_rows(X):
    return X if isinstance(X, (list, tuple)) else np.asarray(X)


@pytest.mark.parametrize("kind", KINDS)
def test_take_and_stack(kind):
    X = KINDS[kind](A)
    assert rows.n_rows(X) == 6
    for chosen in (np.array([4, 0, 4]), [1, 2], slice(2, 5), np.array([], int), np.arange(6) > 3):
        taken = rows.take(X, chosen)
        assert plain(taken) == [plain(X)[i] for i in np.arange(6)[chosen]]
        assert rows.n_rows(taken) == len(np.arange(6)[chosen])
    both = rows.stack([rows.take(X, [3]), rows.take(X, slice(0, 2))])
    assert plain(both) == [plain(X)[i] for i in (3, 0, 1)]
    assert isinstance(both, OF_ANOTHER_KIND.get(kind, type(X)))


@pytest.mark.parametrize("kind", KINDS)
def test_dense_rows_have_the_shape_and_the_size_that_were_told(kind):
    X = KINDS[kind](A)
    size = rows.row_bytes(X)
    assert isinstance(size, int)
    assert size > 0
    if kind.startswith("ragged"):
        with pytest.raises(ValueError, match=r"2 shapes, such as \(1,\) and \(2,\)"):
            rows.dense(X)
        return
    dense, shape = rows.dense(X), rows.row_shape(X)
    entries = dense if isinstance(dense, dict) else {"": dense}
    shapes = shape if isinstance(shape, dict) else dict.fromkeys(entries, shape)
    for name, values in entries.items():
        assert isinstance(values, (np.ndarray, torch.Tensor))
        assert len(values) == 6
        assert shapes[name] is None or shapes[name] == values.shape[1:]
        numbers = np.asarray(values.float() if isinstance(values, torch.Tensor) else values).reshape(6, -1)
        np.testing.assert_array_equal(numbers[:, 0], A[:, 1 if kind == "hugging_face" and name == "b" else 0])


@pytest.mark.parametrize("kind", KINDS)
def test_fetched_rows_are_the_same_rows_as_an_estimator_reads_them(kind):
    X = KINDS[kind](A)
    for read in (rows.readable(X), rows.fetched(X)):
        assert plain(read) == plain(X)
        if isinstance(read, torch.Tensor):
            np.asarray(read)


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


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in NOT_SEARCHED])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_non_finite_rows(kind, value):
    bad = A.copy()
    bad[4, 0] = value
    X = KINDS[kind](bad)
    assert rows.non_finite_rows(KINDS[kind](A)).size == 0
    assert rows.non_finite_rows(X).tolist() == [4]
    assert rows.non_finite_rows(X, allow_nan=True).tolist() == ([] if np.isnan(value) else [4])


def test_what_is_masked_is_missing_whatever_lies_beneath():
    X = np.ma.masked_array(A, mask=np.zeros_like(A, bool))
    X[4, 1] = np.ma.masked
    assert rows.non_finite_rows(X).tolist() == [4]
    assert rows.non_finite_rows(X, allow_nan=True).size == 0
    assert np.isnan(rows.readable(X)[4, 1])
    assert rows.take(X, [4]).mask.tolist() == [[False, True]]
    assert rows.stack([X[:1], X[4:]]).mask[1].tolist() == [False, True]
    assert rows.non_finite_rows(np.ma.masked_array([1, 2], [0, 1])).tolist() == [1]
    assert rows.non_finite_rows(np.ma.masked_array(["a", "b"], [0, 1])).tolist() == [1]


@pytest.mark.parametrize(
    "column",
    [
        pd.array([1, 2, pd.NA], "Int64"),
        pd.array([True, False, pd.NA], "boolean"),
        pd.array(["a", "b", pd.NA], "string"),
        pd.Categorical(["a", "b", None]),
        pd.Categorical([1, 2, None]),
        pd.to_datetime(["2020-01-01", "2020-01-02", None]),
        np.array(["a", "b", pd.NA], object),
    ],
    ids=lambda column: str(column.dtype),
)
def test_what_pandas_calls_missing(column):
    X = pd.DataFrame({"full": [1, 2, 3], "gaps": column})
    assert rows.non_finite_rows(X).tolist() == [2]
    assert rows.non_finite_rows(X, allow_nan=True).size == 0
    assert rows.non_finite_rows(X["gaps"]).tolist() == [2]


@pytest.mark.parametrize("cells", [[1, None], ["a", None], [[1.0], [None]], [True, None], [[1.0], None]], ids=str)
@pytest.mark.parametrize("package", ["polars", "pyarrow"])
def test_nulls_of_other_packages(cells, package):
    module = pytest.importorskip(package)
    X = (module.DataFrame if package == "polars" else module.table)({"full": [1, 2], "gaps": cells})
    assert rows.non_finite_rows(X).tolist() == [1]
    assert rows.non_finite_rows(X, allow_nan=True).size == 0


def test_columns_of_categories_stay_so():
    one = pd.DataFrame({"c": pd.Categorical(["a"]), "n": [1]})
    two = pd.DataFrame({"c": pd.Categorical(["b", "a"]), "n": [2, 3]})
    both = rows.stack([one, two])
    assert both["c"].tolist() == ["a", "b", "a"]
    assert both["c"].cat.categories.tolist() == ["a", "b"]
    assert one["c"].cat.categories.tolist() == ["a"]


@pytest.mark.parametrize("kind", ["polars", "arrow"])
def test_frames_that_cannot_be_stacked_say_why(kind):
    X = KINDS[kind](A)
    with pytest.raises(ValueError, match="column 'a' of type Float64 cannot be stacked on one of type Float32"):
        rows.stack([X, KINDS[kind](A.astype(float))])
    with pytest.raises(ValueError, match=r"columns \['b', 'a'\].*columns \['a', 'b'\]"):
        rows.stack([X, X.select(["b", "a"])])
    with pytest.raises(TypeError, match="cannot be stacked on rows of a"):
        rows.stack([X, labelled(A)])


def test_one_row_of_a_frame_is_a_dict():
    assert rows.take(polars_frame(A), 2) == rows.take(arrow_table(A), np.int64(2)) == {"a": 4.0, "b": 5.0}


def test_tensors_taken_have_no_gradient():
    X = KINDS["tensor_with_gradient"](A)
    assert not rows.take(X, [0]).requires_grad
    assert not rows.stack([X, X]).requires_grad
    assert X.requires_grad


@pytest.mark.parametrize("of", [np.asarray, torch.tensor])
def test_sequences_of_tokens_are_padded_to_the_longest(of):
    short, long = {"ids": of([[1, 2], [3, 4]]), "size": of([1, 2])}, {"ids": of([[5, 6, 7]]), "size": of([3])}
    for blocks, expected in (
        ([short, long], [[1, 2, 0], [3, 4, 0], [5, 6, 7]]),
        ([long, short], [[5, 6, 7], [1, 2, 0], [3, 4, 0]]),
    ):
        both = rows.stack(blocks)
        assert isinstance(both["ids"], type(short["ids"]))
        assert both["ids"].tolist() == expected
    with pytest.raises((ValueError, RuntimeError)):
        rows.stack([{"x": of([[1.0, 2.0]])}, {"x": of([[1.0]])}])


class Picture:
    """Has a size, and nothing that numpy could read."""


def test_rows_that_nobody_can_look_into():
    X = [Picture(), Picture(), None]
    assert rows.take(X, [1, 0]) == [X[1], X[0]]
    assert rows.non_finite_rows(X).tolist() == [2]


@pytest.mark.parametrize("X", [b"text", iter([1]), {1, 2}, (i for i in range(3))])
def test_what_is_no_sequence_of_rows(X):
    with pytest.raises(TypeError, match="cannot take rows of"):
        rows.take(X, [0])


def test_a_lazy_frame_has_no_rows_before_it_is_collected():
    polars = pytest.importorskip("polars")
    with pytest.raises(TypeError, match="a LazyFrame after collect"):
        rows.n_rows(polars.LazyFrame({"a": [1]}))


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


def test_a_kind_of_ones_own_is_searched_by_what_dense_returns():
    class Columns:
        """Rows kept by column, which numpy makes nothing of."""

        def __init__(self, values):
            self.values = values

    class ColumnsKind(rows.RowKind):
        def n_rows(self, X):
            return X.values.shape[1]

        def dense(self, X):
            return X.values.T

    rows.register(Columns, ColumnsKind())
    values = np.array([[0.0, 1.0, np.inf], [np.nan, 2.0, 3.0]])
    assert rows.non_finite_rows(Columns(values)).tolist() == [0, 2]
    assert rows.non_finite_rows(Columns(values), allow_nan=True).tolist() == [2]
