"""How long a fit goes on: as long as asked, or as few labels need."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skorch.callbacks import Callback
from torch import nn

from alkit import DropoutMLPClassifier, EnsembleClassifier, LearningLossClassifier, MultimodalClassifier, NetClassifier
from alkit.nets.training import budget
from alkit.nets.training.budget import TrainingBudget, is_flat
from tests.nets.networks import blobs

X, Y = blobs()


def n_steps(net):
    return sum(len(losses) for losses in net.history[:, "batches", :, "train_loss"])


@pytest.fixture
def never_flat(monkeypatch):
    monkeypatch.setattr(budget, "is_flat", lambda losses: False)


def linear(n_features, n_classes):
    return nn.Linear(n_features, n_classes)


@pytest.mark.parametrize(
    ("params", "epochs"),
    [
        ({}, 500),  # 1,000 steps, two of them an epoch
        ({"max_epochs": 7}, 7),
        ({"max_epochs": 7, "min_steps": 5}, 7),
        ({"max_epochs": 7, "min_steps": 15}, 8),
        ({"min_steps": 41}, 21),
        ({"min_steps": 0}, 20),
        ({"max_epochs": 0}, 0),
    ],
)
@pytest.mark.usefixtures("never_flat")
def test_epochs_of_a_fit(params, epochs):
    net = NetClassifier(linear, batch_size=45, random_state=0, **params).fit(X, Y)
    assert len(net.history) == epochs


@pytest.mark.usefixtures("never_flat")
def test_many_rows_need_no_more_epochs():
    net = NetClassifier(linear, batch_size=1, random_state=0).fit(X, Y)
    assert len(net.history) == 20
    assert n_steps(net) == 1800


@pytest.mark.usefixtures("never_flat")
@pytest.mark.parametrize(
    "estimator",
    [
        DropoutMLPClassifier(min_steps=60, random_state=0),
        MultimodalClassifier({"a": slice(0, 2), "b": slice(2, 4)}, width=4, min_steps=60, random_state=0),
        LearningLossClassifier(lambda: nn.Sequential(nn.Linear(4, 3)), ["0"], min_steps=60, random_state=0),
    ],
)
def test_every_network_has_the_budget(estimator):
    estimator.fit(X, Y)
    assert n_steps(getattr(estimator, "net_", estimator)) == 60


@pytest.mark.usefixtures("never_flat")
def test_members_trained_together_have_the_budget():
    ensemble = EnsembleClassifier(NetClassifier(linear, min_steps=61), n_estimators=2, random_state=0).fit(X, Y)
    assert [n_steps(net) for net in ensemble.estimators_] == [62, 62]


def test_a_flat_loss_ends_what_was_added_and_nothing_else():
    flat = {"lr": 0.0, "batch_size": -1, "random_state": 0}
    window = 200
    assert len(NetClassifier(linear, **flat).fit(X, Y).history) == 2 * window
    assert len(NetClassifier(linear, max_epochs=2 * window + 10, **flat).fit(X, Y).history) == 2 * window + 10
    ensemble = EnsembleClassifier(NetClassifier(linear, **flat), n_estimators=2).fit(X, Y)
    assert [len(net.history) for net in ensemble.estimators_] == [2 * window] * 2


def test_every_callback_sees_the_last_epoch():
    class Counts(Callback):
        begun = ended = finished = 0

        def on_epoch_begin(self, net, **kwargs):
            self.begun += 1

        def on_epoch_end(self, net, **kwargs):
            self.ended += 1

        def on_train_end(self, net, **kwargs):
            self.finished += 1

    counts = Counts()
    net = NetClassifier(linear, max_epochs=2, min_steps=9, batch_size=-1, callbacks=[counts], random_state=0)
    net.fit(X, Y)
    assert (counts.begun, counts.ended, counts.finished, len(net.history)) == (9, 9, 1, 9)
    assert not net.module_.training


def test_partial_fit_trains_for_max_epochs_more():
    net = NetClassifier(linear, max_epochs=3, min_steps=100, random_state=0).partial_fit(X, Y)
    assert len(net.partial_fit(X, Y).history) == 6
    assert len(NetClassifier(linear).partial_fit(X, Y).history) == 20


def test_a_fitted_network_keeps_nothing_of_its_budget():
    net = NetClassifier(linear, max_epochs=1, random_state=0).fit(X, Y)
    assert net.budget_ is None
    assert net.fit(X, Y).fit_loop(X, Y, epochs=2).history[:, "epoch"] == [1, 2, 3]


@pytest.mark.parametrize("params", [{"max_epochs": -1}, {"min_steps": -5}])
def test_negative_numbers_are_refused(params):
    with pytest.raises(ValueError, match="neither can be negative"):
        NetClassifier(linear, **params).fit(X, Y)


@given(st.lists(st.floats(-5, 5), max_size=60), st.integers(1, 20), st.floats(0, 1))
def test_flat_is_that_one_mean_is_not_below_the_one_before(losses, window, tolerance):
    recent = losses[len(losses) - window :] if len(losses) >= window else []
    earlier = losses[len(losses) - 2 * window : len(losses) - window] if len(losses) >= 2 * window else []
    expected = bool(earlier) and sum(earlier) / window - sum(recent) / window < tolerance
    if earlier and abs(sum(earlier) / window - sum(recent) / window - tolerance) < 1e-9:
        return
    assert is_flat(losses, window, tolerance) == expected


def test_what_falls_is_not_flat():
    assert not is_flat(np.linspace(5, 0, 1000).tolist())
    assert is_flat([0.1] * 400)
    assert not is_flat([0.1] * 399)


def test_a_budget_counts_steps_and_takes_whole_epochs():
    budget = TrainingBudget(max_epochs=1, min_steps=5)
    assert [budget.is_spent([1.0, 1.0]) for _ in range(3)] == [False, False, True]


@pytest.mark.parametrize(
    ("params", "error"),
    [({"max_epochs": 5.0}, TypeError), ({"min_steps": "5"}, TypeError), ({"min_steps": -1}, ValueError)],
)
def test_a_budget_that_is_none_is_refused_before_anything_is_lost(params, error):
    net = NetClassifier(linear, max_epochs=1, random_state=0).fit(X, Y)
    before = net.predict_proba(X)
    with pytest.raises(error, match=next(iter(params))):
        net.set_params(**params).fit(X, Y)
    np.testing.assert_array_equal(net.predict_proba(X), before)


class Pickles(Callback):
    """Pickles the net during a fit, as a checkpoint does."""

    def on_epoch_end(self, net, **kwargs):
        self.pickled = pickle.dumps(net)


def test_a_net_pickled_during_a_fit_does_not_go_on_with_its_budget():
    net = NetClassifier(linear, max_epochs=3, min_steps=15, callbacks=[("pickles", Pickles())]).fit(X, Y)
    again = pickle.loads(dict(net.callbacks_)["pickles"].pickled)
    n_epochs = len(again.history)
    again.fit_loop(X, again.classes_.searchsorted(Y), epochs=5)
    assert len(again.history) == n_epochs + 5


def test_the_loop_of_skorch_runs_for_max_epochs():
    net = NetClassifier(linear, max_epochs=1).fit(X, Y).set_params(max_epochs=None)
    net.fit_loop(X, net.classes_.searchsorted(Y))
    assert len(net.history) == 1 + 20


@pytest.mark.parametrize("estimator", [NetClassifier(linear, max_epochs=2), DropoutMLPClassifier(max_epochs=2)])
def test_what_was_pickled_before_there_was_min_steps_trains_on(estimator):
    state = estimator.fit(X, Y).__getstate__()
    del state["min_steps"]
    again = type(estimator).__new__(type(estimator))
    again.__setstate__(state)
    assert "min_steps" in again.get_params()
    assert again.fit(X, Y).predict(X).shape == Y.shape
