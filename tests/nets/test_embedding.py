"""Embeddings: the input of the last linear layer."""

import numpy as np
import pytest
import torch
from torch import nn

from alkit.nets.embedding import embed_batch
from tests.nets.networks import MLP, TokenNet, blobs, net

X, Y = blobs()


def last_input(model, rows):
    """Solve for the input of the last layer from outputs: an independent reference."""
    with torch.no_grad():
        logits = model.module_(torch.from_numpy(rows)).double()
        head = model.module_.head
        return (torch.linalg.pinv(head.weight.double()) @ (logits - head.bias).T).T.numpy()


def test_it_is_what_the_last_layer_reads():
    model = net(module__hidden=3).fit(X, Y)
    np.testing.assert_allclose(model.embed(X), last_input(model, X), atol=1e-3)
    assert model.embed(X).dtype == np.float32


class Functional(nn.Module):
    """Uses its weights by hand, out of order, with an auxiliary head that runs last."""

    def __init__(self):
        super().__init__()
        self.out = nn.Linear(5, 3)
        self.first = nn.Linear(4, 5)
        self.auxiliary = nn.Linear(5, 2)

    def forward(self, x):
        h = torch.tanh(nn.functional.linear(x, self.first.weight, self.first.bias))
        logits = nn.functional.linear(h, self.out.weight, self.out.bias)
        return logits.view(len(x), 3), self.auxiliary(h * 0)


def test_functional_use_and_auxiliary_heads():
    model = net(Functional).fit(X, Y)
    expected = torch.tanh(model.module_.first(torch.from_numpy(X))).detach().numpy()
    np.testing.assert_allclose(model.embed(X), expected, atol=1e-6)


def test_a_log_softmax_after_the_last_layer_changes_nothing():
    module = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3), nn.LogSoftmax(dim=1))
    model = net(module).fit(X, Y)
    np.testing.assert_allclose(model.embed(X), model.module_[:2](torch.from_numpy(X)).detach().numpy(), atol=1e-6)


def test_a_layer_by_name():
    model = net().fit(X, Y)
    expected = model.module_.hidden(torch.from_numpy(X)).detach().numpy()
    np.testing.assert_allclose(model.embed(X, layer="hidden"), expected, atol=1e-6)
    np.testing.assert_allclose(net(embedding_layer="hidden").fit(X, Y).embed(X), expected, atol=1e-6)
    assert not any(m._forward_hooks for m in model.module_.modules())


def test_layers_of_any_rank_are_flattened():
    ids = np.arange(24).reshape(6, 4) % 20
    assert net(TokenNet).fit(ids, [0, 1] * 3).embed(ids, layer="embedding").shape == (6, 32)


class Convolutional(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Conv1d(1, 3, 4), nn.Flatten())


def test_a_network_without_linear_layer():
    rows = X.reshape(90, 1, 4)
    model = net(Convolutional).fit(rows, Y)
    with pytest.raises(ValueError, match=r"runs no linear layer.*one of '0', '1'"):
        model.embed(rows)
    assert model.embed(rows, layer="0").shape == (90, 3)


def test_bad_names():
    model = net().fit(X, Y)
    with pytest.raises(ValueError, match=r"no submodule 'tail'; it has 'hidden', 'norm', 'dropout', 'head'"):
        model.embed(X, layer="tail")

    class Idle(MLP):
        def __init__(self):
            super().__init__(4, 3)
            self.spare = nn.Linear(1, 1)

    with pytest.raises(ValueError, match="'spare' did not run"):
        embed_batch(Idle(), (torch.zeros(2, 4),), {}, "spare")
