"""CAL against scipy's nearest neighbours and relative entropy, and through a learner."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from scipy.stats import entropy

from alkit import ActiveLearner, get_strategy
from alkit.strategies.scores import cal, contrastive
from tests.fakes import LinearPosterior


def rng(seed=0):
    return np.random.default_rng(seed)


def brute(proba, embedding, train_proba, train_embedding, n_neighbors):
    nearest = cdist(embedding, train_embedding).argsort(1)[:, :n_neighbors]
    return [np.mean([entropy(train_proba[j], p) for j in js]) for p, js in zip(proba, nearest, strict=True)]


def case(n, m, d=4, n_classes=3):
    return (
        torch.from_numpy(rng(0).dirichlet(np.ones(n_classes), size=n)),
        torch.from_numpy(rng(1).normal(size=(n, d))),
        torch.from_numpy(rng(2).dirichlet(np.ones(n_classes), size=m)),
        torch.from_numpy(rng(3).normal(size=(m, d))),
    )


@pytest.mark.parametrize(("m", "n_neighbors"), [(1, 10), (7, 10), (40, 10), (40, 1)])
def test_scores_are_those_of_scipy(m, n_neighbors, monkeypatch):
    inputs = case(50, m)
    expected = brute(*(part.numpy() for part in inputs), n_neighbors)
    np.testing.assert_allclose(cal(*inputs, n_neighbors=n_neighbors), expected)
    single = cal(*(part.float() for part in inputs), n_neighbors=n_neighbors)
    np.testing.assert_allclose(single, expected, rtol=1e-4, atol=1e-5)
    monkeypatch.setattr(contrastive, "_BLOCK_NUMBERS", 60)
    np.testing.assert_allclose(cal(*inputs, n_neighbors=n_neighbors), expected)


def test_a_query_compares_with_the_rows_taught():
    X = rng().normal(size=(60, 3))
    learner = ActiveLearner(LinearPosterior(), "cal", X_training=X[:20], y_training=np.arange(20) % 4)
    model = learner.estimator
    views = [model.predict_proba(X[20:]), model.embed(X[20:]), model.predict_proba(X[:20]), model.embed(X[:20])]
    # half as many as there are labels per class
    expected = np.argsort(-np.array(brute(*views, 2)))[:5]
    assert get_strategy("cal").select(learner, X[20:], 5).indices.tolist() == expected.tolist()


@pytest.mark.parametrize(("m", "n_neighbors"), [(3, 1), (11, 1), (12, 2), (60, 10), (500, 10)])
def test_few_labels_have_fewer_neighbours(m, n_neighbors):
    inputs = case(20, m)
    assert torch.equal(cal(*inputs), cal(*inputs, n_neighbors=n_neighbors))


def test_with_a_label_per_class_a_row_between_two_is_asked_for_before_a_sure_one():
    # on a circle, one label for each of ten classes; the ten nearest labels would be all there are, for every row
    angle = torch.arange(0, 2 * torch.pi, 2 * torch.pi / 40, dtype=torch.float64)
    circle = torch.stack([angle.cos(), angle.sin()], dim=1)
    proba = (10 * circle @ circle[::4].T).softmax(1)
    train_proba, train_circle = proba[::4], circle[::4]
    scores = cal(proba, circle, train_proba, train_circle)
    assert scores[2::4].min() > scores[::4].max()
    of_all = cal(proba, circle, train_proba, train_circle, n_neighbors=10)
    assert of_all[::4].min() > of_all[2::4].max()


def test_certain_and_impossible_classes_and_no_neighbour():
    proba, embedding, train_proba, train_embedding = case(5, 4)
    sure = torch.eye(3).double()[torch.zeros(5, dtype=torch.long)]
    other = torch.eye(3).double()[torch.ones(4, dtype=torch.long)]
    assert torch.isfinite(cal(sure, embedding, other, train_embedding)).all()
    assert (cal(sure, embedding, sure[:4], train_embedding) == 0).all()
    assert (cal(proba, embedding, train_proba[:0], train_embedding[:0]) == 0).all()
    only = torch.ones(5, 1).double()
    assert (cal(only, embedding, only[:4], train_embedding) == 0).all()
    with pytest.raises(ValueError, match="n_neighbors=0"):
        cal(proba, embedding, train_proba, train_embedding, n_neighbors=0)
