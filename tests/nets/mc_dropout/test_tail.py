"""Networks that end in dropout -> linear, once or several times: both ways to compute all samples of them."""

import pytest
import torch
from torch import nn

from alkit.nets.mc_dropout import DropoutSampler
from alkit.nets.mc_dropout.batch import Batch
from alkit.nets.mc_dropout.draws import Draws
from alkit.nets.mc_dropout.modes import set_dropout_modes
from alkit.nets.mc_dropout.passes import Passes
from alkit.nets.mc_dropout.probe import probe

X = torch.randn(30, 12, generator=torch.Generator().manual_seed(0))
ACTIVATIONS = {
    "relu": nn.ReLU(),
    "in place": nn.ReLU(inplace=True),
    "gelu": nn.GELU(),
    "leaky": nn.LeakyReLU(0.1),
    "none": nn.Identity(),
    "two": nn.Sequential(nn.Tanh(), nn.Hardtanh(-0.5, 0.5)),
}


def network(activation, *end, p=0.5, bias=True):
    torch.manual_seed(0)
    hidden = [nn.Linear(12, 20), nn.ReLU(), nn.Dropout(p)]
    return nn.Sequential(*hidden, nn.Linear(20, 16, bias=bias), activation, nn.Dropout(0.2), nn.Linear(16, 3), *end)


def tail_of(module):
    """The tail that is proven for a network in its dropout modes, on a batch."""
    set_dropout_modes(module)
    with torch.random.fork_rng(), torch.no_grad():
        passes = Passes(module, Draws(0))
        plan = probe(passes, Batch((X,), {}))
        return passes.fold(Batch((X,), {}), plan) if plan.folds else None


def by_hand(module, n_samples):
    """The same masks in passes run in full."""
    set_dropout_modes(module)
    with torch.random.fork_rng(), torch.no_grad():
        passes = Passes(module, Draws(0))
        plan = probe(passes, Batch((X,), {}))
        return torch.stack([passes.record_alone(Batch((X,), {}), k, plan) for k in range(n_samples)], 1)


@pytest.mark.parametrize("end", [(), (nn.Softmax(1),), (nn.LogSoftmax(-1),)], ids=["logits", "softmax", "log-softmax"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_samples_of_two_dropouts_are_those_of_passes_in_full(activation, end):
    module = network(ACTIVATIONS[activation], *end)
    tail = tail_of(module)
    assert len(tail.layers) == 2
    torch.testing.assert_close(tail.samples(7), by_hand(module, 7))


@pytest.mark.parametrize(("p", "bias"), [(0.05, True), (0.9, True), (0.5, False)])
def test_both_ways_give_the_same(p, bias):
    tail = tail_of(network(nn.ReLU(), p=p, bias=bias))
    with torch.no_grad():
        masks = [layer.mask.of_samples(5) for layer in tail.layers]
        torch.testing.assert_close(tail._at_once(masks), tail._one_by_one(masks))


def test_a_mask_that_drops_everything():
    tail = tail_of(network(nn.ReLU()))
    masks = [torch.zeros(2, 20), torch.ones(2, 16)]
    with torch.no_grad():
        torch.testing.assert_close(tail._one_by_one(masks), tail._at_once(masks))


def test_three_dropouts_and_one_on_the_input():
    torch.manual_seed(0)
    layers = [
        nn.Dropout(0.3),
        nn.Linear(12, 8),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(8, 8),
        nn.Dropout(),
        nn.Linear(8, 2),
    ]
    module = nn.Sequential(*layers)
    tail = tail_of(module)
    assert len(tail.layers) == 3
    torch.testing.assert_close(tail.samples(4), by_hand(module, 4))


class Residual(nn.Module):
    """Adds what comes before the second dropout to the output."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(12, 6), nn.Linear(6, 6)
        self.dropout = nn.Dropout()

    def forward(self, x):
        hidden = self.first(self.dropout(x))
        return hidden + self.second(self.dropout(hidden))


class Doubled(Residual):
    """The second layer reads a value that is not the last."""

    def forward(self, x):
        hidden = self.first(self.dropout(x))
        torch.relu(hidden)
        return self.second(self.dropout(hidden))


@pytest.mark.parametrize(
    "module",
    [
        Residual(),
        network(nn.Linear(16, 16)),
        network(nn.PReLU()),
        network(nn.LayerNorm(16)),
        network(nn.ReLU(), nn.Sigmoid()),
        network(nn.Softmax(1)),
    ],
    ids=["residual", "linear between", "prelu", "norm between", "sigmoid after", "softmax between"],
)
def test_other_networks_are_left_to_programs(module):
    assert tail_of(module) is None
    with DropoutSampler(module, 3, seed=0) as sampler:
        torch.testing.assert_close(sampler(X), by_hand(module, 3))


def test_a_value_that_nobody_reads_does_not_stand_in_for_the_one_read():
    module = Doubled()
    with DropoutSampler(module, 3, seed=0) as sampler:
        torch.testing.assert_close(sampler(X), by_hand(module, 3))


def test_a_network_that_changes_its_operands_is_computed_again():
    class Switching(Residual):
        negated = False

        def forward(self, x):
            hidden = self.first(self.dropout(x))
            other = torch.relu(hidden)
            return self.second(self.dropout(hidden if self.negated else other))

    module = Switching()
    with DropoutSampler(module, 3, seed=0) as sampler:
        first = sampler(X)
        module.negated = True
        second = sampler(X)
    assert not torch.equal(first, second)
    module.negated = True
    torch.testing.assert_close(second, by_hand(module, 3))
