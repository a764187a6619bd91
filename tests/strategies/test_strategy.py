"""Strategies of one's own, their parameters, and what a view asks a model, how often, and of how many rows."""

import numpy as np
import pandas as pd
import pytest
import torch
from modAL.models import ActiveLearner as ModalLearner
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from alkit import ActiveLearner
from alkit.strategies import Picks, Strategy, get_strategy
from tests.fakes import LinearPosterior

X = np.random.default_rng(0).normal(size=(60, 3))


class Counting(LinearPosterior):
    """Notes what it is asked."""

    def fit(self, X, y=None):
        self.asked_ = []
        return super().fit(X, y)

    def predict_proba(self, X):
        self.asked_.append(("proba", len(X)))
        return super().predict_proba(X)

    def sample_proba(self, X, n_samples=20, random_state=None):
        self.asked_.append(("samples", len(X), n_samples, random_state))
        return super().sample_proba(X, n_samples, random_state)


class Identity(TransformerMixin, BaseEstimator):
    """Counts the rows it transforms."""

    def fit(self, X, y=None):
        self.rows_ = []
        return self

    def transform(self, X):
        self.rows_.append(len(X))
        return X


def gini(proba, *, power=2.0):
    return 1 - proba.pow(power).sum(-1)


def farthest_from_origin(scores, embedding, *, k, rng, sign=1.0):
    order = np.argsort(-sign * embedding.norm(dim=1).numpy())[:k]
    return Picks(order, scores[order])


def test_a_score_of_ones_own():
    strategy = Strategy("gini", gini, needs=("proba",))
    model = LinearPosterior().fit(X)
    got = ActiveLearner(model, strategy).query(X, n_instances=60, return_metrics=True)
    expected = 1 - (model.predict_proba(X) ** 2).sum(1)
    np.testing.assert_allclose(got[2], np.sort(expected)[::-1])
    cubed = ActiveLearner(model, strategy).query(X, n_instances=1, return_metrics=True, power=3.0)
    assert cubed[2] == pytest.approx((1 - (model.predict_proba(X) ** 3).sum(1)).max())
    assert strategy.with_params(power=3.0) != strategy
    assert repr(strategy.with_params(power=3.0)) == "gini(power=3.0)"


def test_a_pick_of_ones_own_sees_scores_and_views():
    strategy = Strategy("far", gini, ("proba",), farthest_from_origin, ("embedding",))
    model = LinearPosterior().fit(X)
    picks = strategy.select(model, X, 5, chunk_bytes=1)
    norms = np.linalg.norm(model.embed(X), axis=1)
    assert picks.indices.tolist() == np.argsort(-norms)[:5].tolist()
    np.testing.assert_allclose(picks.scores, 1 - (model.predict_proba(X) ** 2).sum(1)[picks.indices])
    nearest = strategy.with_params(sign=-1.0).select(model, X, 5)
    assert nearest.indices.tolist() == np.argsort(norms)[:5].tolist()


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


def test_quantities_that_do_not_exist():
    with pytest.raises(ValueError, match="strategy mine needs 'logits'; there are proba, samples, embedding, loss"):
        Strategy("mine", gini, ("logits",))


def test_rows_kept_of_many_that_score_alike_are_random_whatever_the_chunks():
    flat = Strategy("flat", lambda proba: 0 * proba[:, 0], ("proba",), farthest_from_origin, ("embedding",))
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


def test_a_transformer_is_fitted_to_the_candidates_alone():
    rows = np.vstack([X, np.full((1, 3), np.nan)])
    strategy = get_strategy("typiclust", embed=PCA(2))
    among = strategy.select(None, rows, 5, candidates=np.arange(60), random_state=0)
    assert among.indices.tolist() == strategy.select(None, X, 5, random_state=0).indices.tolist()


def test_numbers_and_bools_side_by_side_are_features():
    frame = pd.DataFrame({"a": X[:, 0], "b": X[:, 1] > 0, "c": pd.array(np.arange(60), "Int64")})
    plain = frame.to_numpy(dtype=float)
    typiclust = get_strategy("typiclust")
    picks = [typiclust.select(None, rows, 5, random_state=0).indices.tolist() for rows in (frame, plain)]
    assert picks[0] == picks[1]


@pytest.mark.parametrize("strategy", ["coreset", "badge", "kmeans"])
def test_embeddings_that_are_infinite(strategy):
    class Overflowing(LinearPosterior):
        def embed(self, X):
            return np.where(np.arange(len(X))[:, None] == 3, np.inf, super().embed(X))

    with pytest.raises(ValueError, match="embed is infinite for 1 of 60 rows, the first is row 3"):
        get_strategy(strategy).select(Overflowing().fit(X), X, 5)


def test_a_label_the_model_has_not_met_is_the_largest_loss():
    y = np.array(["ham", "spam", "eggs"])[np.arange(60) % 3]
    model = LogisticRegression().fit(X[:20][y[:20] != "eggs"], y[:20][y[:20] != "eggs"])
    picks = get_strategy("ideal_loss").select(model, X, 60, y_pool=y)
    assert (y[picks.indices[:20]] == "eggs").all()
    seen = picks.indices[20:]
    proba = model.predict_proba(X[seen])[np.arange(40), (y[seen] == "spam").astype(int)]
    np.testing.assert_allclose(picks.scores[20:], -np.log(proba))
    with pytest.raises(ValueError, match="y holds labels such as 0, but the labels taught are such as 'ham'"):
        get_strategy("ideal_loss").select(model, X, 5, y_pool=np.arange(60))


def test_no_targets():
    with pytest.raises(ValueError, match="X_target has 0 rows"):
        get_strategy("epig").select(LinearPosterior().fit(X), X, 5, X_target=X[:0])


def test_a_pick_without_a_score_sees_views_alone():
    def last(embedding, *, k, rng):
        return Picks(np.arange(len(embedding))[-k:], np.zeros(k))

    strategy = Strategy("last", pick=last, pick_needs=("embedding",))
    assert strategy.select(LinearPosterior().fit(X), X, 2).indices.tolist() == [58, 59]


def test_each_row_is_read_once_for_all_needs():
    both = Strategy("both", lambda proba, samples: proba[:, 0] + samples[:, 0, 0], ("proba", "samples"))
    model, identity = Counting(), Identity()
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


def test_random_asks_the_model_nothing():
    model = Counting().fit(X)
    get_strategy("random").select(model, X, 5)
    assert model.asked_ == []


def test_it_sees_through_searches_and_modal_learners():
    y = np.arange(60) % 3
    search = GridSearchCV(LinearPosterior(), {"n_classes": [3]}, cv=2).fit(X, y)
    assert get_strategy("bald").select(search, X, 5).indices.shape == (5,)
    modal = ModalLearner(LogisticRegression(), get_strategy("entropy"), X, y)
    assert get_strategy("entropy")(modal, X, n_instances=4).shape == (4,)


def test_scores_are_never_silently_not_a_number():
    strategy = Strategy("root", lambda proba: torch.sqrt(proba[:, 0] - 2), ("proba",))
    with pytest.raises(ValueError, match="score is NaN for 60 of 60 rows"):
        strategy.select(LinearPosterior().fit(X), X, 5)


def test_numpy_integers_count():
    assert get_strategy("random").select(None, X, np.int64(3)).indices.shape == (3,)
    with pytest.raises(TypeError, match="n_instances must be an integer, got True"):
        get_strategy("random").select(None, X, True)
