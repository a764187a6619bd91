"""Estimators give a pass over a pool tensors; those that answer in a way of their own are asked that way."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import make_blobs
from torch import nn

from alkit import (
    ActiveLearner,
    DropoutMLPClassifier,
    DropoutMLPRegressor,
    EnsembleClassifier,
    EnsembleRegressor,
    LaplaceClassifier,
    LaplaceRegressor,
    LearningLossClassifier,
    NetClassifier,
    NetRegressor,
    get_strategy,
)
from alkit._tensors import as_array, as_tensor, tensor_method
from alkit.nets.mlp import DropoutMLP
from alkit.strategies.quantities import Quantities
from tests.nets.networks import MLP

X, y = make_blobs(60, centers=3, n_features=4, random_state=0)
X = X.astype(np.float32)
NET = NetClassifier(MLP, max_epochs=2, random_state=0)
NET_OF_NUMBERS = NetRegressor(
    DropoutMLP, module__hidden_layer_sizes=(8,), module__dropout=0.3, max_epochs=2, random_state=0
)
ESTIMATORS = {
    "net": NET,
    "mlp": DropoutMLPClassifier(max_epochs=2, random_state=0),
    "ensemble": EnsembleClassifier(NET, 2, random_state=0),
    "laplace": LaplaceClassifier(NET, random_state=0),
}


@pytest.fixture(scope="module", params=ESTIMATORS)
def fitted(request):
    return ESTIMATORS[request.param].fit(X, y)


@pytest.mark.parametrize(("name", "arguments"), [("predict_proba", ()), ("sample_proba", (5, 0)), ("embed", ())])
def test_a_tensor_says_what_the_array_says(fitted, name, arguments):
    answer = as_tensor(tensor_method(fitted, name)(X, *arguments))
    array = getattr(fitted, name)(X, *arguments)
    assert isinstance(array, np.ndarray)
    np.testing.assert_allclose(as_array(answer), array, rtol=1e-6)


@pytest.mark.parametrize("n_outputs", [1, 2])
@pytest.mark.parametrize(
    "regressor",
    [
        NET_OF_NUMBERS,
        DropoutMLPRegressor(max_epochs=2, random_state=0),
        EnsembleRegressor(DropoutMLPRegressor(max_epochs=2), 2, random_state=0),
        LaplaceRegressor(DropoutMLPRegressor(max_epochs=2), random_state=0),
    ],
    ids=lambda regressor: type(regressor).__name__,
)
def test_numbers_predicted(regressor, n_outputs):
    targets = X[:, :2] * 1000 if n_outputs == 2 else X[:, 0]
    regressor = clone(regressor).fit(X, targets)
    arguments = {"predict": {"return_std": True}, "sample_y": {"n_samples": 5, "random_state": 0}, "embed": {}}
    for name, given in arguments.items():
        answers = tensor_method(regressor, name)(X, **given)
        arrays = getattr(regressor, name)(X, **given)
        for answer, array in zip(answers, arrays, strict=True):
            np.testing.assert_array_equal(as_array(answer), array)
            assert array.dtype == (np.float32 if name == "embed" else np.float64)


def test_spread_of_numbers_is_that_of_their_samples():
    net = clone(NET_OF_NUMBERS).fit(X, X[:, :2] * 1000)
    _, std = net.predict(X, return_std=True)
    np.testing.assert_allclose(std, net.sample_y(X, 20, random_state=0).std(1), rtol=1e-4)


@pytest.mark.parametrize("estimator", [DropoutMLPClassifier(max_epochs=2, random_state=0), NET], ids=["mlp", "net"])
def test_several_labels(estimator):
    net = clone(estimator).fit(X, np.stack([y == 0, y == 1], 1).astype(int))
    for name, given in {"predict_proba": {}, "sample_proba": {"n_samples": 5, "random_state": 0}}.items():
        array = getattr(net, name)(X, **given)
        assert array.shape[-1] == 2
        np.testing.assert_array_equal(as_array(tensor_method(net, name)(X, **given)), array)


def test_predicted_losses():
    net = LearningLossClassifier(nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3)), ["1"], max_epochs=2)
    net.fit(X, y)
    np.testing.assert_array_equal(net.predict_loss(X), as_array(tensor_method(net, "predict_loss")(X)))


class Certain(NetClassifier):
    """Answers in its own way."""

    def predict_proba(self, X):
        return np.eye(3, dtype=np.float32)[super().predict_proba(X).argmax(1)]


def test_a_subclass_that_answers_otherwise_is_asked():
    net = Certain(MLP, max_epochs=2, random_state=0).fit(X, y)
    assert set(Quantities(net, "margin").read(["proba"], X)["proba"].unique().tolist()) == {0.0, 1.0}


def test_an_object_that_answers_otherwise_is_asked(monkeypatch):
    net = NetClassifier(MLP, max_epochs=2, random_state=0).fit(X, y)
    monkeypatch.setattr(net, "predict_proba", lambda X: np.full((len(X), 3), 1 / 3))
    assert Quantities(net, "margin").read(["proba"], X)["proba"].std() == 0


@pytest.mark.parametrize("strategy", ["margin", "bald", "badge"])
def test_what_does_not_fit_on_the_device_is_asked_in_parts(strategy, monkeypatch):
    learner = ActiveLearner(NetClassifier(MLP, max_epochs=2, random_state=0), strategy, X[:30], y[:30], random_state=0)
    expected, _ = learner.query(X, n_instances=5, random_state=3)
    forward, sizes = MLP.forward, []

    def small_device(net, rows):
        sizes.append(len(rows))
        if len(rows) > 13:
            raise torch.OutOfMemoryError
        return forward(net, rows)

    monkeypatch.setattr(MLP, "forward", small_device)
    picked, _ = learner.query(X, n_instances=5, random_state=3)
    np.testing.assert_array_equal(picked, expected)
    assert max(sizes[2:]) > 13 >= min(sizes)


def test_a_pick_that_does_not_fit_on_the_device_runs_on_the_host():
    calls = []

    def pick(scores, embedding, *, k, rng):
        calls.append(rng.random())
        if len(calls) == 1:
            raise torch.OutOfMemoryError
        return get_strategy("margin").pick(scores, k=k, rng=rng)

    strategy = replace(get_strategy("margin"), name="tight", pick=pick, pick_needs=("embedding",))
    strategy.select(NetClassifier(MLP, max_epochs=2, random_state=0).fit(X, y), X, 3, random_state=0)
    assert calls[0] == calls[1]  # the generator goes back too


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.int64])
def test_as_tensor_computes_in_single_precision_at_least(dtype):
    assert as_tensor(torch.ones(3, dtype=dtype)).dtype == torch.float32
    assert as_tensor(np.ones(3)).dtype == torch.float64
