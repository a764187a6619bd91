"""What differs on a GPU, as far as a CPU can show it: its dropout op, plain passes, autocast, half precision."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from alkit import NetClassifier
from alkit.nets.mc_dropout import DropoutSampler
from alkit.nets.mc_dropout.batch import Batch
from alkit.nets.mc_dropout.draws import Draws
from alkit.nets.mc_dropout.modes import set_dropout_modes
from alkit.nets.mc_dropout.passes import Passes
from alkit.nets.mc_dropout.probe import probe
from tests.nets.networks import MLP, blobs
from tests.nets.zoo import ZOO, Lambda, build, sample

# said by the switch of oneDNN
pytestmark = pytest.mark.filterwarnings("ignore:TF32 acceleration")


def plan_on_device(module: nn.Module, inputs: dict):
    set_dropout_modes(module)
    # recurrent layers of a CPU are single ops of oneDNN; those of a GPU without cuDNN are products, as here
    with torch.random.fork_rng(), torch.no_grad(), torch.backends.mkldnn.flags(enabled=False):
        return probe(Passes(module, Draws(0), on_device=True), Batch((), inputs))


@pytest.mark.parametrize(
    "name",
    ["dropout_head", "dropout_head_and_softmax", "two_dropouts", "dropout_on_output", "layer_norm"],
)
def test_dropout_of_a_gpu_draws_the_masks_of_a_cpu(name, monkeypatch):
    inputs = ZOO[name].inputs(5)
    expected = sample(build(name), inputs)

    def one_op(x, p=0.5, training=True, inplace=False):
        return torch.native_dropout(x, p, True)[0] if training else x

    monkeypatch.setattr(functional, "dropout", one_op)
    with DropoutSampler(build(name), 6, consistent=True) as sampler:
        assert torch.equal(sampler(**inputs), expected)
        assert torch.equal(sampler(**inputs), expected)  # by the plan that is proven by now


def test_rows_whose_dropped_features_are_read_have_masks_of_their_own():
    def forward(net, x):
        output, kept = torch.native_dropout(x, 0.5, True)
        return output + kept

    with DropoutSampler(Lambda(forward), 50) as sampler:
        samples = sampler(torch.ones(4, 6))
        assert sampler.consistent_ is False
    assert set(samples.unique().tolist()) == {0.0, 3.0}


@pytest.mark.parametrize(
    ("name", "little"),
    [
        ("dropout_head", False),
        ("lstm", False),
        ("dropout_on_input", True),
        ("transformer", True),
        ("two_dropouts", False),
    ],
)
def test_plain_passes_where_shared_masks_save_little(name, little):
    assert plan_on_device(build(name), ZOO[name].inputs(4)).shares_little is little


def test_a_network_that_draws_nothing_is_no_case_for_plain_passes():
    assert not plan_on_device(nn.Linear(6, 3), {"input": torch.ones(4, 6)}).shares_little


@pytest.mark.parametrize("name", ["dropout_head", "two_dropouts", "transformer", "conv_dropout_head"])
def test_autocast_around_the_sampler(name):
    module, inputs = build(name), ZOO[name].inputs(4)
    exact = sample(module, inputs)
    with torch.autocast("cpu", torch.bfloat16):
        samples = sample(module, inputs, consistent=True)
        again = sample(module, inputs)
    assert torch.equal(samples, again)
    torch.testing.assert_close(samples.float(), exact, rtol=0.05, atol=0.1)
    assert torch.equal(sample(module, inputs), exact)  # the plan under autocast is another one


def test_autocast_within_the_network():
    module, inputs = build("two_dropouts"), ZOO["two_dropouts"].inputs(4)
    exact = sample(module, inputs)
    module.forward = torch.autocast("cpu", torch.bfloat16)(module.forward)
    torch.testing.assert_close(sample(module, inputs, consistent=True).float(), exact, rtol=0.05, atol=0.1)


def test_networks_of_half_precision_predict_probabilities_in_single_precision():
    X, y = blobs()
    net = NetClassifier(lambda: MLP(4, 3).to(torch.bfloat16), max_epochs=2, optimizer__fused=False).fit(X, y)
    for proba in (net.predict_proba(X), net.sample_proba(X, 4, 0)):
        assert abs(proba.sum(-1) - 1).max() < 1e-6
