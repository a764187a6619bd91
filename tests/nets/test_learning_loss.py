"""Learning loss: its criterion, what it changes in the network, and what it predicts."""

import pickle

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.dataset import ValidSplit
from torch import nn

from alkit import ActiveLearner, ActiveLearningClassifier, LearningLossClassifier, NetClassifier
from alkit.nets.learning_loss import margin_ranking_loss
from tests.nets.networks import blobs

X, Y = blobs()


def mlp(n_classes=3):
    return nn.Sequential(nn.Linear(X.shape[1], 16), nn.ReLU(), nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, n_classes))


def classifier(module=None, layers=("1", "3"), **params):
    params = {"max_epochs": 3, "random_state": 0} | params
    return LearningLossClassifier(mlp() if module is None else module, list(layers), **params)


class Named(nn.Module):
    def forward(self, x):
        return {"hidden": x}


def by_hand(predicted, true, margin):
    """Sum over pairs as the paper writes it, one at a time."""
    losses = []
    for i in range(len(predicted) // 2):
        j = len(predicted) - 1 - i
        sign = 1 if true[i] > true[j] else -1
        losses.append(max(0.0, -sign * (predicted[i] - predicted[j]) + margin))
    return sum(losses) / len(losses) if losses else 0.0


class TestCriterion:
    @given(st.lists(st.tuples(st.floats(-5, 5), st.floats(0, 5)), max_size=12), st.floats(0, 2))
    def test_it_is_the_papers(self, pairs, margin):
        predicted, true = np.array(pairs, dtype=float).reshape(-1, 2).T
        loss = margin_ranking_loss(torch.from_numpy(predicted), torch.from_numpy(true), margin)
        assert loss.item() == pytest.approx(by_hand(predicted, true, margin), abs=1e-12)

    def test_pairs_count_as_often_as_their_rows_are_repeated(self):
        rng = torch.Generator().manual_seed(0)
        predicted, true = torch.randn((2, 4), generator=rng, dtype=torch.double)
        weights = torch.tensor([2, 0, 3, 1])
        weighted = margin_ranking_loss(predicted, true, 1.0, weights)
        # rows 0 and 3 meet 2 * 1 times, rows 1 and 2 never
        assert weighted == margin_ranking_loss(predicted[[0, 3]], true[[0, 3]], 1.0)
        alone = margin_ranking_loss(predicted, true, 1.0, torch.tensor([1, 0, 1, 0]))
        assert alone == 0

    def test_right_orders_cost_nothing_and_wrong_ones_push(self):
        predicted = torch.tensor([3.0, 0.0], requires_grad=True)
        assert margin_ranking_loss(predicted, torch.tensor([2.0, 1.0])) == 0
        margin_ranking_loss(predicted, torch.tensor([1.0, 2.0])).backward()
        assert predicted.grad.tolist() == [1.0, -1.0]


class TestPrediction:
    def test_it_finds_rows_whose_labels_are_noise(self):
        rng = np.random.default_rng(0)
        Z = rng.normal(size=(600, X.shape[1])).astype(np.float32)
        clean = (Z[:, 0] > 0).astype(int)
        noisy = Z[:, 1] > 0.5
        labels = np.where(noisy, rng.integers(2, size=600), clean)
        net = classifier(mlp(2), max_epochs=40, lr=0.005).fit(Z[:400], labels[:400])
        loss = net.predict_loss(Z[400:])
        assert loss[noisy[400:]].mean() > loss[~noisy[400:]].mean() + 0.5
        true = -np.log(net.predict_proba(Z[400:])[np.arange(200), labels[400:]])
        assert spearmanr(loss, true).statistic > 0.3

    @pytest.mark.parametrize("batch_size", [1, 2, 7, -1])
    def test_batches_of_any_size(self, batch_size):
        net = classifier(batch_size=batch_size, max_epochs=1).fit(X[:15], Y[:15])
        assert net.predict_loss(X[:1]).shape == (1,)

    def test_pictures_and_sequences(self):
        pictures = np.random.default_rng(0).normal(size=(20, 1, 6, 6)).astype(np.float32)
        conv = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 3))
        assert classifier(conv, ["1", "2"]).fit(pictures, np.arange(20) % 3).predict_loss(pictures).shape == (20,)
        tokens = np.random.default_rng(0).integers(0, 9, (20, 5))
        words = nn.Sequential(nn.Embedding(9, 4), nn.Flatten(), nn.Linear(20, 3))
        assert classifier(words, ["0"]).fit(tokens, np.arange(20) % 3).predict_loss(tokens).shape == (20,)

    def test_scoring_changes_nothing(self):
        net = classifier().fit(X, Y)
        before, state = pickle.dumps(net.loss_head_.state_dict()), torch.get_rng_state()
        first, again = net.predict_loss(X), net.predict_loss(X)
        assert np.array_equal(first, again)
        assert pickle.dumps(net.loss_head_.state_dict()) == before
        assert torch.equal(torch.get_rng_state(), state)
        assert not net.loss_head_.training

    def test_copies_predict_the_same(self):
        net = classifier().fit(X, Y)
        assert np.array_equal(pickle.loads(pickle.dumps(net)).predict_loss(X), net.predict_loss(X))
        assert np.array_equal(clone(net).fit(X, Y).predict_loss(X), net.predict_loss(X))


class TestTraining:
    def test_detached_from_the_start_it_learns_its_task_as_without_weight(self):
        module = mlp()
        free, detached = (classifier(module, **p).fit(X, Y) for p in ({"loss_weight": 0.0}, {"detach_after": 0}))
        assert np.array_equal(free.predict_proba(X), detached.predict_proba(X))
        assert not np.array_equal(free.predict_loss(X), detached.predict_loss(X))

    def test_it_is_detached_after_the_epoch_set_in_a_warm_fit_too(self):
        module = mlp()
        never, later = (classifier(module, warm_start=True, **p).fit(X, Y) for p in ({}, {"detach_after": 3}))
        assert np.array_equal(never.predict_proba(X), later.predict_proba(X))
        for net in (never, later):
            net.set_params(max_epochs=4)
            net.fit(X, Y)
        assert not np.array_equal(never.predict_proba(X), later.predict_proba(X))

    @pytest.mark.parametrize("params", [{"class_weight": "balanced"}, {"train_split": ValidSplit(3)}, {"lr": 0.01}])
    @pytest.mark.parametrize("warm_start", [False, True, "shrink_perturb"])
    def test_what_networks_can_do_it_can(self, params, warm_start):
        net = classifier(warm_start=warm_start, **params).fit(X, Y)
        assert np.isfinite(net.fit(X, Y).predict_loss(X)).all()

    def test_it_runs_in_the_loop(self):
        loop = ActiveLearningClassifier(
            make_pipeline(StandardScaler(), classifier()), "learning_loss", n_queries=2, random_state=0
        )
        assert loop.fit(X, np.array(["ham", "eggs", "spam"])[Y]).n_labels_.tolist() == [20, 30, 40]


class TestErrors:
    def test_unknown_idle_or_no_layers(self):
        with pytest.raises(ValueError, match="Sequential has no submodule 'seven'; it has '0', '1'"):
            classifier(layers=["seven"]).fit(X, Y)
        with pytest.raises(ValueError, match=r"loss_layers=\[\]: give a list"):
            classifier(layers=[]).fit(X, Y)

    @pytest.mark.parametrize(
        ("hidden", "message"),
        [
            (nn.Flatten(0), r"submodule 'hidden' returns shape \(12,\) for 2 rows"),
            (nn.Unflatten(0, (1, -1)), r"submodule 'hidden' returns shape \(1, 2, 6\) for 2 rows.*batch_first=True"),
            (Named(), r"submodule 'hidden' returns dict for 2 rows, but loss_layers must return tensors \(2, D\)"),
        ],
    )
    def test_layers_that_are_no_rows_of_vectors(self, hidden, message):
        class Aside(nn.Module):
            def __init__(self):
                super().__init__()
                self.body, self.hidden, self.head = nn.Linear(X.shape[1], 6), hidden, nn.Linear(6, 3)

            def forward(self, x):
                h = self.body(x)
                self.hidden(h)
                return self.head(h)

        with pytest.raises(ValueError, match=message):
            classifier(Aside, ["hidden"]).fit(X, Y)

    def test_a_criterion_that_cannot_tell_rows_apart(self):
        class Total(nn.Module):
            def forward(self, logits, y):
                return nn.functional.cross_entropy(logits, y)

        with pytest.raises(TypeError, match="Total has no reduction"):
            classifier(criterion=Total).fit(X, Y)

    def test_another_classifier(self):
        learner = ActiveLearner(NetClassifier(mlp(), max_epochs=1), "learning_loss", X[:20], Y[:20])
        with pytest.raises(TypeError, match="learning_loss needs predict_loss, which NetClassifier does not have"):
            learner.query(X)


def test_rows_of_weight_zero_do_not_teach_losses():
    weights = np.where(np.arange(len(X)) % 2, 1.0, 0.0)
    spoilt = np.where(weights > 0, Y, (Y + 1) % 3)
    net = classifier(mlp(), batch_size=-1, max_epochs=5, detach_after=0)
    a, b = (clone(net).fit(X, y, sample_weight=weights).predict_loss(X) for y in (Y, spoilt))
    np.testing.assert_array_equal(a, b)
