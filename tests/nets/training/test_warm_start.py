"""Going on from the last fit."""

import pytest
import torch
from torch import nn

from alkit.nets.training.warm_start import reinitialised, shrink_perturb
from tests.nets.networks import MLP, blobs, net

X, Y = blobs()


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.module_.parameters()])


def test_cold_fits_start_anew():
    model = net().fit(X, Y)
    first = weights(model)
    assert torch.equal(weights(model.fit(X, Y)), first)
    assert len(model.history) == 15


def test_warm_fits_go_on_with_the_optimizer():
    model = net(warm_start=True, max_epochs=1).fit(X, Y)
    module, optimizer = model.module_, model.optimizer_
    for _ in range(14):
        model.fit(X, Y)
    assert model.module_ is module
    assert model.optimizer_ is optimizer
    assert len(model.history) == 15
    assert model.score(X, Y) > 0.95
    assert len(set(model.history[:, "train_loss"])) == 15, "each fit draws other masks"


@pytest.mark.parametrize("instance", [False, True])
def test_shrink_perturb_blends(instance):
    """Without training in between (lr = 0): theta <- shrink theta + perturb fresh."""
    module = MLP(4, 3) if instance else MLP
    model = net(module, warm_start="shrink_perturb", shrink=0.4, perturb=0.0, lr=0.0).fit(X, Y)
    before = weights(model)
    torch.testing.assert_close(weights(model.fit(X, Y)), 0.4 * before)
    model.set_params(perturb=0.1)
    before = weights(model)
    noise = weights(model.fit(X, Y)) - 0.4 * before
    assert noise.abs().max() <= 0.1 / 2 + 1e-6, "a tenth of weights drawn from U(-1/2, 1/2) and narrower"
    assert noise.std() > 0.005


def test_shrink_perturb_learns_and_repeats():
    first, second = (net(warm_start="shrink_perturb").fit(X, Y).fit(X, Y) for _ in range(2))
    assert torch.equal(weights(first), weights(second))
    assert first.score(X, Y) > 0.95
    assert net(nn.LazyLinear(3), warm_start="shrink_perturb").fit(X, Y).fit(X, Y).score(X, Y) > 0.9


def test_the_formula():
    old, fresh = MLP(4, 3, batch_norm=True), MLP(4, 3, batch_norm=True)
    expected = [0.3 * a.double() + 0.2 * b.double() for a, b in zip(old.parameters(), fresh.parameters(), strict=True)]
    kept = [p.clone() for p in old.parameters()]
    blended = shrink_perturb(old, fresh, 0.3, 0.2)
    for value, wanted in zip(blended.parameters(), expected, strict=True):
        torch.testing.assert_close(value.double(), wanted, rtol=1e-6, atol=1e-7)
    assert all(map(torch.equal, old.parameters(), kept))


def test_extremes_are_cold_and_warm():
    old, fresh = MLP(4, 3), MLP(4, 3)
    cold = [p.clone() for p in fresh.parameters()]
    assert all(map(torch.equal, shrink_perturb(old, fresh, 0, 1).parameters(), cold))
    assert all(map(torch.equal, shrink_perturb(old, fresh, 1, 0).parameters(), old.parameters()))


def test_reinitialised_draws_every_layer_anew():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Sequential(nn.Linear(4, 4), nn.LSTM(4, 4))
            self.attention = nn.MultiheadAttention(4, 1)

    given = Net()
    kept = [p.clone() for p in given.parameters()]
    fresh = reinitialised(given)
    matrices = [(a, b) for a, b in zip(given.parameters(), fresh.parameters(), strict=True) if a.ndim > 1]
    assert not any(torch.equal(a, b) for a, b in matrices[:-1])
    assert all(map(torch.equal, given.parameters(), kept))


@pytest.mark.parametrize("warm_start", [True, "shrink_perturb"])
def test_another_width_or_other_classes_start_fresh(warm_start):
    model = net(warm_start=warm_start).fit(X, Y)
    with pytest.warns(UserWarning, match=r"changed from \(\(4,\), .* to \(\(2,\), .*starting fresh"):
        model.fit(X[:, :2], Y)
    assert model.module_.hidden.in_features == 2
    with pytest.warns(UserWarning, match="starting fresh; declare all labels with classes="):
        model.fit(X[:, :2], Y + 1)
    assert model.classes_.tolist() == [0, 1, 2, 3]
    assert model.predict_proba(X[:, :2]).shape == (90, 4)
    assert len(model.history) == 15


@pytest.mark.parametrize("warm_start", [True, "shrink_perturb"])
def test_a_class_that_is_not_taught_again_stays_known(warm_start):
    model = net(warm_start=warm_start).fit(X, Y)
    model.fit(X[Y < 2], Y[Y < 2])
    assert model.classes_.tolist() == [0, 1, 2]
    model.fit(X[Y == 1], Y[Y == 1])
    assert model.predict_proba(X).shape == (90, 3)


def test_declared_classes_keep_it_warm():
    model = net(warm_start=True, classes=[0, 1, 2]).fit(X[Y < 2], Y[Y < 2])
    module = model.module_
    assert model.fit(X, Y).module_ is module
    assert model.score(X, Y) > 0.9


def test_a_module_instance_is_copied_at_each_fit():
    given = MLP(4, 3)
    kept = {name: value.clone() for name, value in given.state_dict().items()}
    model = net(given).fit(X, Y)
    first = weights(model)
    assert all(torch.equal(value, kept[name]) for name, value in given.state_dict().items())
    assert torch.equal(weights(model.fit(X, Y)), first)
    assert given.training


def test_unknown_warm_start():
    with pytest.raises(ValueError, match="'shrink' is unknown"):
        net(warm_start="shrink").fit(X, Y)
