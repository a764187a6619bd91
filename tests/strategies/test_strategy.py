"""Strategies of one's own: scores, picks, their parameters and what they are handed."""

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from alkit import ActiveLearner
from alkit.strategies import Picks, Strategy, get_strategy, subsample
from tests.fakes import LinearPosterior, RecordingPosterior

X = np.random.default_rng(0).normal(size=(60, 3))


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


def test_a_pick_of_ones_own_is_handed_scores_and_quantities():
    strategy = Strategy("far", gini, ("proba",), farthest_from_origin, ("embedding",))
    model = LinearPosterior().fit(X)
    picks = strategy.select(model, X, 5, chunk_bytes=1)
    norms = np.linalg.norm(model.embed(X), axis=1)
    assert picks.indices.tolist() == np.argsort(-norms)[:5].tolist()
    np.testing.assert_allclose(picks.scores, 1 - (model.predict_proba(X) ** 2).sum(1)[picks.indices])
    nearest = strategy.with_params(sign=-1.0).select(model, X, 5)
    assert nearest.indices.tolist() == np.argsort(norms)[:5].tolist()


def test_quantities_that_do_not_exist():
    with pytest.raises(
        ValueError, match="strategy mine needs 'logits'; there are proba, label_proba, samples, embedding, loss"
    ):
        Strategy("mine", gini, ("logits",))


def test_a_transformer_is_fitted_to_the_candidates_alone():
    rows = np.vstack([X, np.full((1, 3), np.nan)])
    strategy = get_strategy("typiclust", embed=PCA(2))
    among = strategy.select(None, rows, 5, candidates=np.arange(60), random_state=0)
    assert among.indices.tolist() == strategy.select(None, X, 5, random_state=0).indices.tolist()


def test_a_pick_without_a_score_is_handed_quantities_alone():
    def last(embedding, *, k, rng):
        return Picks(np.arange(len(embedding))[-k:], np.zeros(k))

    strategy = Strategy("last", pick=last, pick_needs=("embedding",))
    assert strategy.select(LinearPosterior().fit(X), X, 2).indices.tolist() == [58, 59]


def test_random_asks_the_model_nothing():
    model = RecordingPosterior().fit(X)
    get_strategy("random").select(model, X, 5)
    assert model.asked_ == []


def test_numpy_integers_count():
    assert get_strategy("random").select(None, X, np.int64(3)).indices.shape == (3,)
    with pytest.raises(TypeError, match="n_instances must be an integer, got True"):
        get_strategy("random").select(None, X, True)


def test_parameters_may_be_arrays():
    def near(features, *, centre=None):
        return -(features - torch.as_tensor(centre)).norm(dim=-1)

    strategy = Strategy("near", near, needs=("features",))
    here, there = (strategy.with_params(centre=np.full(2, value)) for value in (0.0, 1.0))
    assert here == strategy.with_params(centre=np.zeros(2))
    assert here != there
    assert here != strategy
    assert here.with_params(centre=np.zeros(3)) != here
    wrapped = subsample(here, size=5)
    assert "centre" in repr(wrapped)
    assert repr(wrapped).count("centre") == 1
    rows = np.arange(10.0).reshape(5, 2)
    assert wrapped.select(None, rows, 1).indices.tolist() == [0]
    assert subsample(there, size=5) != wrapped
