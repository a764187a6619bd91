"""Rows that are made on demand: each once per query, whatever the strategy and the model read of it."""

import numpy as np
import pytest
import torch
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from torch import nn
from torch.utils.data import Dataset

from alkit import ActiveLearner, Committee, DropoutMLPClassifier, EnsembleClassifier, NetClassifier
from alkit.rows import dense, fetched
from alkit.strategies.read_once import ReadOnce

RNG = np.random.default_rng(0)
X = RNG.normal(size=(90, 4)).astype(np.float32)
Y = np.arange(90) % 3


class Made(Dataset):
    """Rows that are counted as they are made, with a label behind if asked for."""

    def __init__(self, rows, with_label=False):
        self.rows, self.with_label = rows, with_label
        self.made = np.zeros(len(rows), int)

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, i):
        self.made[i] += 1
        row = torch.from_numpy(self.rows[i])
        return (row, 0) if self.with_label else row


def body():
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 3))


def net():
    return NetClassifier(body, max_epochs=1, random_state=0)


class Stacked(TransformerMixin, BaseEstimator):
    def fit(self, X, y=None):
        self.fitted_ = True
        return self

    def transform(self, X):
        return np.asarray(dense(X))


def learner(estimator, strategy):
    return ActiveLearner(estimator, strategy, X[:30], Y[:30], random_state=0)


MODELS = {
    "network": lambda strategy: learner(net(), strategy),
    "ready-made network": lambda strategy: learner(DropoutMLPClassifier(max_epochs=1, random_state=0), strategy),
    "pipeline": lambda strategy: learner(make_pipeline(Stacked(), net()), strategy),
    "committee": lambda strategy: Committee([learner(net(), "margin") for _ in range(3)], strategy, random_state=0),
}


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("strategy", ["margin", "bald", "badge", "epig", "ranked_batch", "information_density"])
@pytest.mark.parametrize("chunk_bytes", [2**26, 700])
def test_a_row_is_made_once_per_query(model, strategy, chunk_bytes):
    if model == "committee" and strategy == "badge":
        pytest.skip("a Committee has no embedding")
    asked = {"n_instances": 5, "chunk_bytes": chunk_bytes, "random_state": 3}
    taught = MODELS[model](strategy)
    expected, _ = taught.query(X, **asked)
    pool = Made(X)
    indices, instances = taught.query(pool, **asked)
    assert pool.made.tolist() == [1] * len(X)
    assert indices.tolist() == expected.tolist()
    np.testing.assert_array_equal(dense(instances), X[indices])


@pytest.mark.parametrize("strategy", ["entropy", "epig", "badge"])
def test_of_candidates_alone_and_with_labels_behind(strategy):
    candidates = np.arange(len(X)) % 4 == 1
    pool = Made(X, with_label=True)
    indices, _ = learner(net(), strategy).query(pool, n_instances=3, candidates=candidates, chunk_bytes=700)
    assert pool.made.tolist() == candidates.astype(int).tolist()
    assert candidates[indices].all()


def test_members_of_an_ensemble_share_what_was_made():
    pool = Made(X)
    learner(EnsembleClassifier(net(), n_estimators=3, random_state=0), "bald").query(pool, n_instances=3)
    assert pool.made.tolist() == [1] * len(X)


def test_a_large_row_makes_small_chunks():
    seen = []

    class Watched(LogisticRegression):
        def predict_proba(self, X):
            seen.append(len(X))
            return super().predict_proba(dense(X))

    taught = ActiveLearner(Watched(), "margin", X[:30], Y[:30])
    taught.query(Made(X), chunk_bytes=10 * X[0].nbytes)
    assert seen == [10] * 9


@pytest.mark.parametrize("seed", range(5))
def test_rows_read_early_come_back_in_order(seed):
    rng = np.random.default_rng(seed)
    pool = Made(X)
    reader = ReadOnce(pool)
    for size in (1, 7, 20):
        positions = rng.choice(len(X), size, replace=False)
        np.testing.assert_array_equal(dense(reader.early(positions)), X[positions])
    parts = np.array_split(rng.permutation(len(X)), 4)
    for part in parts:
        np.testing.assert_array_equal(dense(fetched(reader.take(part))), X[part])
    assert pool.made.tolist() == [1] * len(X)


@pytest.mark.parametrize("strategy", ["margin", "epig", "badge"])
def test_rows_that_a_hugging_face_dataset_makes(strategy):
    datasets = pytest.importorskip("datasets")
    arrow = pytest.importorskip("pyarrow")
    made = []

    def make(batch):
        made.extend(batch["position"])
        return {"X": torch.from_numpy(X[batch["position"]])}

    table = datasets.table.InMemoryTable(arrow.table({"position": np.arange(len(X))}))
    pool = datasets.Dataset(table, fingerprint="pool")
    pool.set_transform(make)
    named = NetClassifier(Named, max_epochs=1, random_state=0)
    taught = ActiveLearner(named, strategy, {"X": X[:30]}, Y[:30], random_state=0)
    expected, _ = taught.query({"X": X}, n_instances=4, random_state=1, chunk_bytes=700)
    indices, instances = taught.query(pool, n_instances=4, random_state=1, chunk_bytes=700)
    assert sorted(made) == list(range(len(X)))
    assert indices.tolist() == expected.tolist()
    assert isinstance(instances, datasets.Dataset)


class Named(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = body()

    def forward(self, X):
        return self.body(X)
