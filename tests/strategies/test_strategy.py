"""Strategies of one's own, their parameters, and what a view asks a model, how often, and of how many rows."""

import numpy as np
import pytest
import torch
from modAL.models import ActiveLearner as ModalLearner
from sklearn.base import BaseEstimator, TransformerMixin
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
