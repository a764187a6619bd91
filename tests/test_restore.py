"""What fails, or is interrupted, leaves learners and estimators as they were: the same objects, the same state."""

import threading

import numpy as np
import pytest
import torch
from sklearn.base import BaseEstimator
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from skorch import NeuralNetClassifier

from alkit import ActiveLearner, Committee, DropoutMLPClassifier, NetClassifier
from alkit._restore import restored_on_failure
from tests.nets.networks import MLP

X, y = load_iris(return_X_y=True)


class Recorder(BaseEstimator):
    """Writes into everything it was given, as an estimator may."""

    def __init__(self, inner=None, notes=None, rng=None):
        self.inner = inner
        self.notes = notes
        self.rng = rng

    def fit(self, X, y):
        self.notes.append(len(X))
        self.rng.random()
        self.inner.fit(X, y)
        self.fitted_ = True
        return self


def recorder():
    return Recorder(LogisticRegression(max_iter=500), [], np.random.RandomState(0))


def fail_after(change, holder, error=ValueError):
    """Change what is held, and fail."""
    with restored_on_failure(holder):
        change()
        raise error("stop")


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_everything_is_put_back(error):
    estimator = recorder()
    inner, next_draw = estimator.inner, np.random.RandomState(0).random_sample()
    with pytest.raises(error, match="stop"):
        fail_after(lambda: estimator.fit(X, y), estimator, error)
    assert estimator.inner is inner
    assert not hasattr(estimator, "fitted_")
    assert not hasattr(inner, "coef_")
    assert estimator.notes == []
    assert estimator.rng.random_sample() == next_draw


def test_what_succeeds_stays():
    estimator = recorder()
    with restored_on_failure(estimator):
        estimator.fit(X, y)
    assert estimator.fitted_
    assert estimator.notes == [150]


def test_taught_rows_are_not_copied():
    learner = ActiveLearner(LogisticRegression(max_iter=500), X_training=X, y_training=y)
    rows = learner.X_training
    with pytest.raises(ValueError, match="stop"):
        fail_after(lambda: setattr(learner, "X_training", X[:3]), learner)
    assert learner.X_training is rows


def test_a_committee_is_put_back_with_every_member():
    members = [ActiveLearner(LogisticRegression(C=c, max_iter=500), X_training=X, y_training=y) for c in (1, 9)]
    committee = Committee(members)
    before = committee.vote_proba(X)
    with pytest.raises(ValueError, match="stop"):
        fail_after(lambda: [member.estimator.fit(X[:90], y[:90]) for member in members], committee)
    assert committee.learner_list[0] is members[0]
    np.testing.assert_array_equal(committee.vote_proba(X), before)


def test_what_cannot_be_copied_is_left_as_it_is():
    estimator = recorder()
    estimator.lock = threading.Lock()
    lock = estimator.lock
    with pytest.raises(ValueError, match="stop"):
        fail_after(lambda: setattr(estimator, "lock", None), estimator)
    assert estimator.lock is lock


def test_one_object_in_two_places_is_still_one():
    estimator = recorder()
    estimator.also = estimator.notes
    with pytest.raises(ValueError, match="stop"):
        fail_after(estimator.notes.clear, estimator)
    assert estimator.also is estimator.notes


def network_and_its_weights(estimator):
    net = getattr(estimator, "net_", estimator)
    state = net.optimizer_.state_dict()["state"]
    return [*net.module_.parameters(), *(value for of_one in state.values() for value in of_one.values())]


@pytest.mark.parametrize("warm_start", [False, True, "shrink_perturb"])
@pytest.mark.parametrize("make", [NetClassifier, DropoutMLPClassifier], ids=["net", "mlp"])
def test_a_network_is_put_back_without_a_copy_of_its_weights(make, warm_start):
    module = {"module": MLP} if make is NetClassifier else {}
    estimator = make(**module, max_epochs=2, warm_start=warm_start, random_state=0).fit(X, y)
    tensors = network_and_its_weights(estimator)
    values = [tensor.detach().clone() for tensor in tensors]
    with pytest.raises(ValueError, match="stop"):
        fail_after(lambda: estimator.fit(X[:120], y[:120]), estimator)
    for tensor, kept, value in zip(network_and_its_weights(estimator), tensors, values, strict=True):
        assert tensor is kept
        assert torch.equal(tensor, value)
    # what is put back goes on as if nothing had happened
    again = make(**module, max_epochs=2, warm_start=warm_start, random_state=0).fit(X, y)
    np.testing.assert_array_equal(estimator.fit(X, y).predict_proba(X), again.fit(X, y).predict_proba(X))


def test_a_plain_network_that_was_given_as_an_instance_is_put_back():
    module = torch.nn.Linear(4, 3)
    net = NeuralNetClassifier(module, criterion=torch.nn.CrossEntropyLoss, max_epochs=2, train_split=None, verbose=0)
    net.fit(X.astype(np.float32), y)
    before = module.weight.detach().clone()
    with pytest.raises(ValueError, match="stop"):
        fail_after(lambda: net.fit(X.astype(np.float32), y), net)
    assert torch.equal(net.module_.weight, before)
