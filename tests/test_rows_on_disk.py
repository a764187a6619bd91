"""Arrays on disk, larger than memory: whatever has a shape and gives rows by slices."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from torch import nn

from alkit import ActiveLearner, ActiveLearningClassifier, DropoutMLPClassifier, NetClassifier, rows
from alkit.rows import on_disk

RNG = np.random.default_rng(0)
A = RNG.normal(size=(600, 8)).astype(np.float32)
Y = np.array(["ham", "spam", "eggs"])[A[:, :3].argmax(1)]
START = np.r_[[np.flatnonzero(label == Y)[:5] for label in np.unique(Y)]].ravel()


class RowSlices:
    """Gives rows by slices only, and counts those read."""

    def __init__(self, array):
        self.array, self.shape, self.dtype, self.reads = array, array.shape, array.dtype, []

    def __len__(self):
        return len(self.array)

    def __getitem__(self, rows):
        assert isinstance(rows, slice), f"read by {rows!r}"
        assert rows.step is None
        assert 0 <= rows.start <= rows.stop <= len(self.array)
        self.reads.append(rows.stop - rows.start)
        return self.array[rows]

    def __array__(self, *args, **kwargs):
        raise AssertionError("read as a whole")


@pytest.fixture(params=["fake", "h5py", "zarr"])
def stored(request, tmp_path):
    """Returns a function that puts an array on disk."""
    if request.param == "fake":
        return RowSlices
    module = pytest.importorskip(request.param)
    if request.param == "zarr":
        return lambda array: module.create_array(str(tmp_path / "X.zarr"), data=array, chunks=(50, *array.shape[1:]))
    return lambda array: module.File(tmp_path / "X.h5", "w").create_dataset("X", data=array, chunks=(50, 8))


def net(**params):
    def module():
        return nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Dropout(0.5), nn.Linear(16, 3))

    return NetClassifier(module, max_epochs=3, random_state=0, **params)


@pytest.mark.parametrize(
    "chosen",
    [
        slice(2, 50),
        slice(-9, None),
        slice(None, None, -7),
        slice(5, 2),
        [3, 3, 599, 0, 4],
        [-1, 2],
        [],
        A[:, 0] > 0,
        RNG.integers(600, size=300),
        7,
        np.int64(-1),
    ],
    ids=str,
)
def test_take(stored, chosen):
    X = stored(A)
    taken = rows.take(X, chosen)
    expected = A[np.asarray(chosen, dtype=np.intp)] if isinstance(chosen, list) else A[chosen]
    assert type(taken) is np.ndarray
    assert taken.dtype == A.dtype
    np.testing.assert_array_equal(taken, expected)


def test_what_is_not_there_cannot_be_taken():
    X = RowSlices(A)
    with pytest.raises(IndexError, match="row 600 is asked for, but X has 600 rows"):
        rows.take(X, [1, 600])
    with pytest.raises(IndexError, match="row -601"):
        rows.take(X, -601)
    with pytest.raises(IndexError, match=r"mask of shape \(3,\) cannot choose from 600 rows"):
        rows.take(X, np.ones(3, bool))
    assert not X.reads


def test_rows_nearby_are_one_read_and_rows_apart_are_not_read_between():
    X = RowSlices(A)
    rows.take(X, [100, 1, 3, 2, 7, 3])
    assert sorted(X.reads) == [0, 1, 7]


def test_what_rows_tells(stored):
    X = stored(A)
    assert rows.n_rows(X) == 600
    assert rows.row_shape(X) == (8,)
    assert rows.row_bytes(X) == 32
    np.testing.assert_array_equal(rows.stack([X, rows.take(X, [3])]), A[[*range(600), 3]])
    np.testing.assert_array_equal(rows.stack([A[:2], X]), A[[0, 1, *range(600)]])
    assert rows.n_rows({"image": X, "text": ["x"] * 600}) == 600


def test_non_finite_rows_are_found_block_by_block(stored, monkeypatch):
    bad = A.copy()
    bad[[3, 150], 1], bad[599, 7] = np.nan, np.inf
    X = stored(bad)
    monkeypatch.setattr(on_disk, "_BLOCK_BYTES", 32 * 100)
    assert rows.non_finite_rows(X).tolist() == [3, 150, 599]
    assert rows.non_finite_rows({"a": A, "b": X}, allow_nan=True).tolist() == [599]
    if isinstance(X, RowSlices):
        assert X.reads == [100] * 12


@pytest.mark.parametrize("strategy", ["entropy", "bald", "badge", "coreset"])
@pytest.mark.parametrize("with_candidates", [False, True])
def test_a_session_is_that_of_the_array_in_memory(stored, strategy, with_candidates):
    some = {"candidates": np.arange(600) % 3 > 0} if with_candidates else {}
    picks = []
    for X in (A, stored(A)):
        learner = ActiveLearner(net(), strategy, rows.take(X, START), Y[START], random_state=0)
        for _ in range(2):
            indices, instances = learner.query(X, n_instances=5, chunk_bytes=32 * 100, **some)
            np.testing.assert_array_equal(instances, A[indices])
            learner.teach(instances, Y[indices])
        learner.fit(X, Y)
        picks.append((*indices, *learner.predict_proba(X).ravel()))
    assert picks[0] == picks[1]


@pytest.mark.parametrize("make", [net, DropoutMLPClassifier, LogisticRegression])
@pytest.mark.parametrize("strategy", ["entropy", "badge"])
def test_a_query_reads_every_row_once_and_a_chunk_at_a_time(make, strategy):
    if make is LogisticRegression and strategy == "badge":
        pytest.skip("LogisticRegression has no embedding")
    learner = ActiveLearner(make(), strategy, A[START], Y[START], random_state=0)
    X = RowSlices(A)
    indices, _ = learner.query(X, n_instances=1, chunk_bytes=32 * 100)
    assert sorted(X.reads) == [0, 1] + [100] * 6  # one is the instance picked
    X = RowSlices(A)
    learner.query(X, n_instances=1, chunk_bytes=32 * 100, candidates=np.arange(600) % 3 > 0)
    assert max(X.reads) <= 150  # 100 candidates, and the rows between them
    assert sum(X.reads) <= 601


def test_a_network_scores_and_trains_batch_by_batch(stored):
    X = stored(A)
    clf = net(batch_size=50).fit(X, Y)
    np.testing.assert_array_equal(clf.predict_proba(X), net(batch_size=50).fit(A, Y).predict_proba(A))
    if isinstance(X, RowSlices):
        X.reads.clear()
        pictures = RowSlices(np.zeros((600, 1, 4, 4), np.float32))
        nets = NetClassifier(nn.Sequential(nn.Flatten(), nn.Linear(16, 2)), max_epochs=1)
        nets.fit(pictures.array[:4], [0, 1, 0, 1]).predict_proba(pictures)
        assert max(pictures.reads) == 256
        assert sum(pictures.reads) == 601  # and one row to see how large it is


def test_a_dict_of_arrays_on_disk(stored):
    class Sum(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(8, 3)

        def forward(self, a, b):
            return self.linear(a + b)

    clf = NetClassifier(Sum, max_epochs=1, random_state=0).fit({"a": A[:50], "b": A[:50]}, Y[:50])
    learner = ActiveLearner(clf, "margin", random_state=0)
    X = stored(A)
    expected, _ = learner.query({"a": A, "b": A}, n_instances=5, random_state=0)
    indices, instances = learner.query({"a": X, "b": A}, n_instances=5, random_state=0)
    assert indices.tolist() == expected.tolist()
    np.testing.assert_array_equal(instances["a"], A[expected])


@pytest.mark.parametrize("initial", ["random", "stratified", "typiclust"])
def test_the_loop_with_text_labels(stored, initial):
    loops = [
        ActiveLearningClassifier(
            net(), "bald", n_initial=10, n_instances=5, n_queries=3, initial=initial, random_state=0
        )
        for _ in range(2)
    ]
    in_memory, on_disk = loops[0].fit(A, Y), loops[1].fit(stored(A), Y)
    assert on_disk.labeled_indices_.tolist() == in_memory.labeled_indices_.tolist()
    assert on_disk.score(A, Y) == in_memory.score(A, Y)
