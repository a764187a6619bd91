"""One pass over a pool: what is read, how often, in which chunks, and what is kept of it."""

import numpy as np
import pytest
import torch
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.pipeline import make_pipeline

from alkit import ActiveLearner
from alkit.strategies import Picks, Strategy, get_strategy
from tests.fakes import LinearPosterior, RecordingPosterior

X = np.random.default_rng(0).normal(size=(60, 3))


class Identity(TransformerMixin, BaseEstimator):
    """Counts the rows it transforms."""

    def fit(self, X, y=None):
        self.rows_ = []
        return self

    def transform(self, X):
        self.rows_.append(len(X))
        return X


def first_rows(scores, embedding, *, k, rng):
    return Picks(np.arange(k), scores[:k])


@pytest.mark.parametrize("taught", [False, True])
def test_scores_may_read_the_rows_taught(taught):
    def far(embedding, train_embedding):
        return torch.cdist(embedding, train_embedding).amin(1) if len(train_embedding) else embedding.norm(dim=1)

    strategy, model = Strategy("far", far, ("embedding", "train_embedding")), LinearPosterior().fit(X)
    learner = ActiveLearner(model, X_training=X[:7], y_training=np.arange(7) % 4) if taught else model
    embedding = model.embed(X)
    to_taught = np.linalg.norm(embedding[:, None] - embedding[None, :7], axis=-1).min(1)
    expected = to_taught if taught else np.linalg.norm(embedding, axis=1)
    assert strategy.select(learner, X, 3).indices.tolist() == np.argsort(-expected)[:3].tolist()


def test_rows_kept_of_many_that_score_alike_are_random_whatever_the_chunks():
    flat = Strategy("flat", lambda proba: 0 * proba[:, 0], ("proba",), first_rows, ("embedding",))
    drawn = set()
    for seed in range(20):
        with pytest.warns(UserWarning, match="more than max_bytes"):
            whole, rowwise = (
                flat.select(LinearPosterior().fit(X), X, 5, random_state=seed, max_bytes=640, chunk_bytes=size)
                for size in (2**26, 1)
            )
        assert whole.indices.tolist() == rowwise.indices.tolist()
        drawn |= {*whole.indices.tolist()}
    assert len(drawn) > 25


def test_no_targets():
    with pytest.raises(ValueError, match="X_target has 0 rows"):
        get_strategy("epig").select(LinearPosterior().fit(X), X, 5, X_target=X[:0])


def test_each_row_is_read_once_for_all_needs():
    both = Strategy("both", lambda proba, samples: proba[:, 0] + samples[:, 0, 0], ("proba", "samples"))
    model, identity = RecordingPosterior(), Identity()
    pipeline = make_pipeline(identity, model).fit(X)
    identity.rows_.clear()
    picks = both.with_params(n_samples=7).select(pipeline, X, 5, random_state=0, chunk_bytes=2000)
    assert len(picks.indices) == 5
    assert sum(identity.rows_) == 60
    assert len(identity.rows_) > 1
    samples = [asked for asked in model.asked_ if asked[0] == "samples"]
    assert sum(asked[1] for asked in samples) == 60
    assert {asked[2] for asked in samples} == {7}
    assert len({asked[3] for asked in samples}) == 1  # one seed: all rows see the same K models


def test_scores_are_never_silently_not_a_number():
    strategy = Strategy("root", lambda proba: torch.sqrt(proba[:, 0] - 2), ("proba",))
    with pytest.raises(ValueError, match="score is NaN for 60 of 60 rows"):
        strategy.select(LinearPosterior().fit(X), X, 5)


@pytest.mark.parametrize(("chunk_bytes", "n_chunks"), [(1, 60), (240, 6), (2**26, 1)])
def test_chunks_take_about_the_memory_they_may(chunk_bytes, n_chunks):
    model = RecordingPosterior().fit(X)
    get_strategy("margin").select(model, X, 5, chunk_bytes=chunk_bytes)
    assert len(model.asked_) == n_chunks  # a row takes 24 bytes
    assert sum(n for _, n in model.asked_) == 60


def test_the_best_scored_rows_are_kept_of_a_set_larger_than_memory():
    def all_kept(scores, embedding, *, k, rng):
        assert len(scores) == len(embedding) == 10
        return Picks(np.argsort(-scores)[:k], np.sort(scores)[::-1][:k])

    strategy = Strategy("kept", lambda proba: proba[:, 0], ("proba",), all_kept, ("embedding",))
    model = LinearPosterior().fit(X)  # an embedding of 4 float64 numbers is 32 bytes, and twice the room is held
    with pytest.warns(UserWarning, match="picks from the best-scored 10 of them"):
        picks = strategy.select(model, X, 10, max_bytes=640, chunk_bytes=100)
    assert set(picks.indices) == set(np.argsort(-model.predict_proba(X)[:, 0])[:10])
