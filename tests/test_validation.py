"""Each row is looked at once, by whoever meets it first."""

import numpy as np
import pytest
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from torch import nn
from torch.utils.data import Dataset

from alkit import ActiveLearner, Committee, DropoutMLPClassifier, NetClassifier, validation
from alkit.nets.training import tensors
from alkit.rows import n_rows

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
