"""Each row is looked at once, by whoever meets it first."""

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from torch import nn

from alkit import ActiveLearner, DropoutMLPClassifier, NetClassifier, validation
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
