"""Each row is looked at once, by whoever meets it first."""

from collections import deque
from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
from modAL.uncertainty import margin_sampling
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.exceptions import DataConversionWarning
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from torch import nn
from torch.utils.data import Dataset

from alkit import (
    ActiveLearner,
    ActiveLearningClassifier,
    Committee,
    DropoutMLPClassifier,
    NetClassifier,
    get_strategy,
    validation,
)
from alkit.labels import as_labels
from alkit.nets.training import tensors
from alkit.nets.training.label_codes import check_labels
from alkit.rows import RowKind, n_rows, register

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 4)).astype(np.float32)
Y = np.arange(60) % 3


class Net(nn.Sequential):
    def __init__(self, n_features, n_classes):
        super().__init__(nn.Linear(n_features, 8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, n_classes))


@pytest.fixture
def looks(monkeypatch):
    """Numbers of rows whose values were looked at, one per look."""
    seen = []
    of_rows, of_batch = validation.non_finite_rows, validation.check_batch

    def count_rows(X, **kwargs):
        seen.append(n_rows(X))
        return of_rows(X, **kwargs)

    def count_batch(batch, first_row):
        seen.append(n_rows(batch))
        return of_batch(batch, first_row)

    monkeypatch.setattr(validation, "non_finite_rows", count_rows)
    monkeypatch.setattr(tensors, "check_batch", count_batch)
    return seen


@pytest.mark.parametrize("model", [NetClassifier(Net, max_epochs=1), DropoutMLPClassifier(max_epochs=1)])
def test_a_row_is_looked_at_once_per_query_and_once_per_teach(model, looks):
    learner = ActiveLearner(model, "bald", X[:12], Y[:12], random_state=0)
    assert looks == [12]
    looks.clear()
    learner.query(X[12:], n_instances=5)
    assert sum(looks) == 48
    looks.clear()
    learner.query(X[12:], n_instances=5, chunk_bytes=256)
    assert sum(looks) == 48
    looks.clear()
    learner.teach(X[12:17], Y[12:17])
    assert looks == [5]


def test_what_a_pipeline_makes_of_rows_is_looked_at_by_the_network():
    def spoil(rows):
        return np.where(rows > 1e5, np.nan, rows)

    spoiled = X.copy()
    spoiled[30, 0] = 1e6
    learner = ActiveLearner(make_pipeline(FunctionTransformer(spoil), NetClassifier(Net, max_epochs=1)), "bald")
    learner.teach(X[:12], Y[:12])
    with pytest.raises(ValueError, match=r"NaN or infinity in X \(first: row 18\)"):
        learner.query(spoiled[12:], n_instances=2)
    with pytest.raises(ValueError, match="NaN or infinity in 1 of 43 rows"):
        learner.teach(spoiled[12:43], Y[12:43])


def test_a_network_alone_looks_itself():
    spoiled = X.copy()
    spoiled[3, 1] = np.inf
    net = NetClassifier(Net, max_epochs=1).fit(X, Y)
    with pytest.raises(ValueError, match="first: row 3"):
        net.predict_proba(spoiled)
    with pytest.raises(ValueError, match="first: row 3"):
        net.fit(spoiled, Y)


def test_rows_are_known_by_identity_and_only_in_the_body():
    with validation.checked(X):
        assert validation.was_checked(X)
        assert not validation.was_checked(X[:])
    assert not validation.was_checked(X)
    assert not validation.was_checked(None)


class Squares(Dataset):
    """Rows that are made when they are asked for."""

    def __init__(self, rows):
        self.rows = rows

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, i):
        return torch.as_tensor(self.rows[i] ** 2)


def test_rows_made_on_demand_are_looked_at_by_the_network():
    spoiled = X.copy()
    spoiled[30, 0] = np.inf
    learner = ActiveLearner(NetClassifier(Net, max_epochs=1), "bald", Squares(X[:12]), Y[:12], random_state=0)
    with pytest.raises(ValueError, match="first: row 18"):
        learner.query(Squares(spoiled[12:]), n_instances=2)


@pytest.mark.parametrize("rows", [Squares(X), {"made": Squares(X), "there": X}, "no rows"])
def test_rows_nobody_can_look_at_do_not_count_as_looked_at(rows):
    with validation.checked(rows):
        assert not validation.was_checked(rows)


class LetsThrough(ClassifierMixin, BaseEstimator):
    """Says that it takes NaN, and hands it on to a network that does not."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    def fit(self, X, y):
        self.net_ = NetClassifier(Net, max_epochs=1).fit(X, y)
        self.classes_ = self.net_.classes_
        return self

    def predict_proba(self, X):
        return self.net_.predict_proba(X)


def test_rows_that_may_hold_nan_are_looked_at_by_the_network():
    spoiled = X.copy()
    spoiled[30, 0] = np.nan
    learner = ActiveLearner(LetsThrough(), "margin", X[:12], Y[:12])
    with pytest.raises(ValueError, match="first: row 18"):
        learner.query(spoiled[12:])
    with pytest.raises(ValueError, match="first: row 30"):
        learner.teach(spoiled[12:], Y[12:])


def test_rows_that_a_step_writes_to_are_looked_at_by_the_network():
    def logarithm(rows):
        with np.errstate(divide="ignore"):
            return np.log(rows, out=rows)

    pool = np.abs(X) + 1
    learner = ActiveLearner(make_pipeline(FunctionTransformer(logarithm), NetClassifier(Net, max_epochs=1)), "margin")
    learner.teach(pool[:12].copy(), Y[:12])
    pool[30, 0] = 0
    with pytest.raises(ValueError, match="first: row 18"):
        learner.query(pool[12:])
    with pytest.raises(ValueError, match="NaN or infinity"):
        learner.fit(np.where(np.arange(60)[:, None] == 30, 0, np.abs(X) + 1), Y)


def test_only_new_rows_are_looked_at_once(looks):
    learner = ActiveLearner(NetClassifier(Net, max_epochs=1, warm_start=True), "bald", X[:12], Y[:12])
    looks.clear()
    learner.teach(X[12:17], Y[12:17], only_new=True)
    assert looks == [5]


def test_rows_drawn_anew_are_looked_at_once(looks):
    members = [ActiveLearner(NetClassifier(Net, max_epochs=1), "bald", X[:12], Y[:12]) for _ in range(2)]
    committee = Committee(members, random_state=0)
    looks.clear()
    committee.teach(X[12:17], Y[12:17], bootstrap=True)
    assert looks == [5, 5]


def frames(package):
    """A way to make a frame, and one to choose its columns."""
    if package == "pandas":
        return pd.DataFrame, lambda frame, names: frame[names]
    module = pytest.importorskip(package)
    return module.DataFrame if package == "polars" else module.table, lambda frame, names: frame.select(names)


@pytest.mark.parametrize("package", ["pandas", "polars", "pyarrow"])
@pytest.mark.parametrize("strategy", ["margin", "random", "probcover", "typiclust", margin_sampling])
def test_other_columns_are_refused_by_every_strategy(package, strategy):
    make, choose = frames(package)
    frame = make({"a": X[:, 0], "b": X[:, 1], "c": X[:, 2]})
    learner = ActiveLearner(LogisticRegression(), strategy, choose(frame, ["a", "b"]), Y, random_state=0)
    for names, message in (
        (["b", "a"], r"columns \['b', 'a'\].*in the order \['a', 'b'\]"),
        (["a"], r"\['b'\] are missing and \[\] are new"),
        (["a", "c", "b"], r"\[\] are missing and \['c'\] are new"),
    ):
        with pytest.raises(ValueError, match=message):
            learner.query(choose(frame, names))
        with pytest.raises(ValueError, match=message):
            learner.teach(choose(frame, names), Y)
    assert len(learner.y_training) == 60
    assert len(learner.query(choose(frame, ["a", "b"]))[0]) == 1


def test_columns_are_compared_with_those_of_an_estimator_that_was_fitted_elsewhere():
    frame = pd.DataFrame(X, columns=list("abcd"))
    fitted = LogisticRegression().fit(frame, Y)
    for ask in (ActiveLearner(fitted, "probcover").query, partial(get_strategy("probcover").select, fitted)):
        with pytest.raises(ValueError, match="in the order"):
            ask(frame[list("dcba")])
    members = [ActiveLearner(LogisticRegression(), X_training=frame, y_training=Y) for _ in range(2)]
    with pytest.raises(ValueError, match="in the order"):
        Committee(members, "vote_entropy").query(frame[list("dcba")])


LABELS = {
    "list": list,
    "tuple": tuple,
    "deque": deque,
    "objects": lambda y: np.array(y, dtype=object),
    "categories": pd.Categorical,
    "series of categories": lambda y: pd.Series(y, dtype="category"),
    "index": pd.Index,
    "masked": np.ma.masked_array,
    "polars": lambda y: pytest.importorskip("polars").Series(y),
    "polars categories": lambda y: pytest.importorskip("polars").Series([*map(str, y)], dtype=polars_categorical()),
    "arrow": lambda y: pytest.importorskip("pyarrow").array(y),
    "arrow column": lambda y: pytest.importorskip("pyarrow").chunked_array([y]),
}


def polars_categorical():
    return pytest.importorskip("polars").Categorical


@pytest.mark.parametrize("kind", LABELS)
@pytest.mark.parametrize("y", [["ham", "spam", "ham"], [3, 1, 3], [True, False, True]], ids=str)
def test_labels_of_every_kind_are_arrays_of_one_type(kind, y):
    expected = [*map(str, y)] if kind == "polars categories" else y
    labels = as_labels(LABELS[kind](y))
    assert isinstance(labels, np.ndarray)
    assert labels.dtype == np.asarray(expected).dtype
    assert labels.tolist() == expected
    assert check_labels(LABELS[kind](y), 3).tolist() == expected


@pytest.mark.parametrize(
    ("y", "expected"),
    [
        (torch.tensor([1, 0]), [1, 0]),
        (torch.tensor([1.0, 0.0], requires_grad=True), [1.0, 0.0]),
        (torch.tensor([1, 0], dtype=torch.bfloat16), [1.0, 0.0]),
        (torch.tensor([1, 0], dtype=torch.uint8), [1, 0]),
        ([torch.tensor(1), torch.tensor(0)], [1, 0]),
        (pd.array([1, 0], "Int64"), [1, 0]),
        (pd.Series([True, False], dtype="boolean"), [True, False]),
        (pd.Series(["b", "a"], dtype="string"), ["b", "a"]),
        (range(2), [0, 1]),
    ],
    ids=repr,
)
def test_labels_of_types_that_numpy_lacks(y, expected):
    assert as_labels(y).tolist() == expected
    assert as_labels(y).dtype.kind != "O"


@pytest.mark.parametrize(
    "y",
    [
        np.ma.masked_array(["a", "b"], [0, 1]),
        np.ma.masked_array([1, 0], [0, 1]),
        pd.array([1, pd.NA], "Int64"),
        pd.Series([True, pd.NA], dtype="boolean"),
        pd.Categorical(["a", None]),
        ["a", None],
        ["a", np.nan],
        [1, None],
        [b"a", None],
    ],
    ids=repr,
)
def test_labels_that_are_missing_are_refused_and_nothing_is_lost(y):
    learner = ActiveLearner(LogisticRegression(), "margin", X[:6], Y[:6])
    with pytest.raises(ValueError, match="1 of 2 labels in y are missing"):
        learner.teach(X[:2], y)
    assert len(learner.y_training) == 6
    with pytest.raises(ValueError, match=r"NaN or None in 1 of 2 rows \(first: row 1\)"):
        check_labels(y, 2)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([1, "a", 1], r"2 types: number \(1\), text \('a'\)"),
        (["a", 1, "a"], r"2 types: text \('a'\), number \(1\)"),
        ([True, 1, 0], r"2 types: bool \(True\), number \(1\)"),
        ([np.bool_(True), np.int64(1), 0], "2 types: bool"),
        ([b"a", b"b", b"a"], r"bytes, such as b'a'; decode them"),
        (np.array([b"a", b"b", b"a"]), "bytes, such as"),
        (["a", b"b", "a"], "2 types: text"),
        (np.array(["a", 2.0, "a"], object), "2 types: text"),
        (pd.Series(["a", 2, "a"], dtype=object), "2 types: text"),
    ],
    ids=repr,
)
def test_labels_of_several_types_are_refused(y, message):
    for teach in (
        partial(ActiveLearner, LogisticRegression(), "margin", X[:3]),
        NetClassifier(Net, max_epochs=1).fit,
        ActiveLearningClassifier(LogisticRegression()).fit,
    ):
        with pytest.raises(ValueError, match=message):
            teach(y) if isinstance(teach, partial) else teach(X[:3], y)


def test_bools_and_numbers_are_not_taught_one_after_the_other():
    learner = ActiveLearner(LogisticRegression(), "margin", X[:2], [True, False])
    with pytest.raises(ValueError, match="such as 1, but the labels taught are such as True"):
        learner.teach(X[2:4], [1, 0])


def test_a_column_of_labels_is_flattened_with_the_warning_of_scikit_learn():
    with pytest.warns(DataConversionWarning, match=r"column of shape \(6, 1\).*shape \(6,\)"):
        learner = ActiveLearner(LogisticRegression(), "margin", X[:6], Y[:6, None])
    assert learner.y_training.tolist() == Y[:6].tolist()
    regressor = ActiveLearner(LinearRegression(), "coreset", X[:6], X[:6, :1])
    assert regressor.y_training.shape == (6, 1)


def test_masked_cells_reach_an_estimator_as_nan():
    class Sees(HistGradientBoostingClassifier):
        def fit(self, X, y):
            self.seen_ = X
            return super().fit(X, y)

        def predict_proba(self, X):
            asked.append(X)
            return super().predict_proba(X)

    asked = []
    masked = np.ma.masked_array(X, mask=np.zeros_like(X, bool))
    masked[::7, 1] = np.ma.masked
    learner = ActiveLearner(Sees(max_iter=2), "margin", masked[:30], Y[:30], random_state=0)
    _, instances = learner.query(masked[30:], n_instances=4)
    assert isinstance(instances, np.ma.MaskedArray)
    learner.teach(instances, Y[:4])
    for seen in (learner.estimator.seen_[:30], np.concatenate(asked)[:0]):
        assert not isinstance(seen, np.ma.MaskedArray)
    assert np.isnan(learner.estimator.seen_[:30]).nonzero()[0].tolist() == list(range(0, 30, 7))
    assert np.isnan(asked[0]).sum() == masked[30:].mask.sum()


class Words:
    """Rows that are the lengths of words."""

    def __init__(self, words):
        self.words = words


class WordsKind(RowKind):
    def n_rows(self, X):
        return len(X.words)

    def take(self, X, rows):
        return Words(np.array(X.words)[rows].tolist())

    def stack(self, blocks):
        return Words([word for block in blocks for word in block.words])

    def dense(self, X):
        return np.array([[len(word), word.count("a")] for word in X.words], dtype=np.float32)

    def non_finite_rows(self, X, allow_nan):
        return np.empty(0, dtype=np.intp)


register(Words, WordsKind())


@pytest.mark.parametrize("strategy", ["bald", "badge", "coreset"])
@pytest.mark.parametrize("model", [NetClassifier(Net, max_epochs=1), DropoutMLPClassifier(max_epochs=1)], ids=repr)
def test_a_kind_registered_here_works_with_every_network(model, strategy):
    words = Words(["a", "man", "a", "plan", "a", "canal", "panama"])
    learner = ActiveLearner(model, strategy, words, [0, 1, 0, 1, 0, 1, 1], random_state=0)
    indices, instances = learner.query(words, n_instances=2)
    assert instances.words == [words.words[i] for i in indices]
    learner.teach(instances, [0, 1])
    assert learner.predict(learner.X_training).shape == (9,)
