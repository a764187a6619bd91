"""Each network must get the way that is proven for it: folded, program, replay or plain passes."""

import random

import pytest
import torch
from torch import nn
from torch.nn import functional

from alkit.nets.mc_dropout.batch import Batch
from alkit.nets.mc_dropout.draws import Draws
from alkit.nets.mc_dropout.modes import set_dropout_modes
from alkit.nets.mc_dropout.passes import Passes
from alkit.nets.mc_dropout.plan import Plan, close
from alkit.nets.mc_dropout.probe import probe
from tests.nets.zoo import ZOO, Lambda, build

WAYS = {
    "dropout_head": "folded",
    "dropout_head_without_bias": "folded",
    "dropout_head_and_softmax": "folded",
    "conv_dropout_head": "folded",
    "functional": "folded",
    "dropout_head_and_sigmoid": "program",
    "two_dropouts": "folded",
    "inplace_dropout": "program",
    "conv_dropout2d": "program",
    "lstm": "program",
    "lstm_ragged": "program",
    "transformer": "program",
    "gaussian_noise": "program",
    "drop_connect": "program",
    "attention_between_rows": "program",
    "steered_by_draws": "replay",
    "skipped_layer": "replay",
    "swapped_operands": "replay",
    "through_numpy": "replay",
}


def plan_for(module: nn.Module, inputs: dict) -> Plan:
    set_dropout_modes(module)
    with torch.random.fork_rng(), torch.no_grad():
        return probe(Passes(module, Draws(0)), Batch((), inputs))


def way(plan: Plan) -> str:
    if plan.trace is None:
        return "plain"
    if plan.folds:
        return "folded"
    return "program" if plan.fixed else "replay"


@pytest.mark.parametrize("name", WAYS)
def test_way(name):
    plan = plan_for(build(name), ZOO[name].inputs(4))
    assert way(plan) == WAYS[name]
    assert plan.draws
    assert not plan.bare


def test_network_without_draws():
    assert not plan_for(nn.Linear(6, 3), {"input": torch.ones(4, 6)}).draws


def test_draws_from_python_are_plain_passes():
    module = Lambda(lambda net, x: functional.dropout(x, 0.5) * random.random())
    state = random.getstate()
    plan = plan_for(module, {"input": torch.ones(4, 6)})
    assert plan.draws_in_python
    assert way(plan) == "plain"
    assert random.getstate() == state


def test_network_that_fails_on_a_few_rows_is_bare_and_says_why():
    module = Lambda(lambda net, x: functional.dropout(x.view(4, 6), 0.5))
    plan = plan_for(module, {"input": torch.ones(4, 6)})
    assert plan.bare
    assert "RuntimeError on a trial of 3 and 5 rows" in plan.reason


def test_rows_that_read_each_other_cannot_share_masks():
    plan = plan_for(build("attention_between_rows"), ZOO["attention_between_rows"].inputs(4))
    assert plan.layouts is None
    assert "random draw of shape (5, 5) for 5 rows has shape (3, 3) for 3 rows" in plan.reason


def test_heads_are_told_from_rows():
    steps_first = plan_for(build("mask_of_steps_and_rows"), ZOO["mask_of_steps_and_rows"].inputs(4))
    rows_first = plan_for(build("mask_of_rows_and_steps"), ZOO["mask_of_rows_and_steps"].inputs(4))
    assert [layout.rows_first for layout in steps_first.layouts.known] == [False]
    assert [layout.rows_first for layout in rows_first.layouts.known] == [True]


def test_reference_is_of_the_first_and_last_row():
    module, inputs = build("two_dropouts"), ZOO["two_dropouts"].inputs(4)
    plan = plan_for(module, inputs)
    other = plan_for(module, {"input": inputs["input"][[0, 2, 1, 3]]})
    assert torch.equal(plan.reference, other.reference)
    assert plan.agrees(plan.reference[:, None])
    assert not plan.agrees(plan.reference[:, None] + 1)


def test_close_is_up_to_rounding_of_the_largest_output():
    output = torch.tensor([1e-6, 1.0, torch.nan])
    assert close(output, output + torch.tensor([1e-5, 0.0, 0.0]))
    assert not close(output, output + torch.tensor([1e-2, 0.0, 0.0]))
    assert not close(output, output[:2])
    assert not close(torch.tensor([1, 2]), torch.tensor([1, 3]))


def test_batch_of_nested_inputs():
    batch = Batch((torch.arange(6).view(3, 2),), {"pair": (torch.arange(3), "name"), "scale": torch.ones(5)})
    few = batch.take([0, 2])
    assert batch.n == 3
    assert few.n == 2
    assert few.geometry() == batch.geometry() == batch.zeros_row().geometry()
    assert batch.geometry() != Batch((torch.ones(3, 4),), {}).geometry()
