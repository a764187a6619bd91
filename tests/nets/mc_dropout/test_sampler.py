"""MC dropout must sample the distribution that plain dropout passes have, with masks that all rows share.

Whole batches of a zoo of networks. Besides sampler.py that covers modes.py (nothing is changed), and passes.py,
record.py, replay.py, masks.py and trace.py (what is sampled, and what work is done). Further tests of draws.py and
layouts.py are in the files of their names; those of plan.py and batch.py are in test_probe.py.
"""

import copy
import math
import random

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

from alkit.nets.mc_dropout import DropoutSampler
from tests.nets.zoo import CLASSES, ZOO, Lambda, build, sample

SHARING = [name for name, specimen in ZOO.items() if specimen.shares]
BATCH_DEPENDENT = {"steered_by_data"}


def take(inputs, rows):
    if isinstance(inputs, dict):
        return {name: take(value, rows) for name, value in inputs.items()}
    return inputs[rows]


def assert_same(a: torch.Tensor, b: torch.Tensor) -> None:
    torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


class Counter(TorchDispatchMode):
    """Counts the ops that are really run."""

    def __init__(self):
        super().__init__()
        self.counts: dict[str, int] = {}

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func._schema.name.removeprefix("aten::")
        self.counts[name] = self.counts.get(name, 0) + 1
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("name", ZOO)
def test_shape_randomness_and_reproducibility(name):
    module, inputs = build(name), ZOO[name].inputs(4)
    samples = sample(module, inputs)
    assert samples.shape[:2] == (4, 6)
    # not each from the next: a mask of one or two numbers may come twice, and builds of torch draw other numbers
    assert not torch.equal(samples, samples[:, :1].expand_as(samples))
    assert torch.equal(samples, sample(module, inputs))
    assert not torch.equal(samples, sample(module, inputs, seed=1))
    assert_same(samples[:, :3], sample(module, inputs, n_samples=3))


@pytest.mark.parametrize("name", ZOO)
def test_consistency_is_reported(name):
    module, inputs = build(name), ZOO[name].inputs(4)
    with DropoutSampler(module, 2) as sampler:
        assert sampler.consistent_ is None
        sampler(**inputs)
        assert sampler.consistent_ is ZOO[name].shares
    if not ZOO[name].shares:
        with pytest.raises(ValueError, match="cannot share masks.*Pad sequences"):
            sample(module, inputs, consistent=True)


@pytest.mark.parametrize("name", SHARING)
def test_equal_rows_have_equal_samples(name):
    samples = sample(build(name), take(ZOO[name].inputs(3), [0, 1, 0, 2, 1, 0]))
    assert_same(samples[[0, 1, 0]], samples[[2, 4, 5]])


@pytest.mark.parametrize("name", sorted(set(SHARING) - BATCH_DEPENDENT))
def test_masks_do_not_depend_on_the_batch(name):
    module, inputs = build(name), ZOO[name].inputs(7)
    samples = sample(module, inputs)
    with DropoutSampler(module, 6) as sampler:
        for rows in ([0, 1, 2, 3], [4, 5, 6], [3], [6, 0, 5], list(range(7))):
            assert_same(sampler(**take(inputs, rows)), samples[rows])
    assert_same(sample(module, take(inputs, [5])), samples[[5]])


@pytest.mark.parametrize("name", ZOO)
def test_first_moments_are_those_of_plain_dropout_passes(name):
    n_samples, inputs = 600, ZOO[name].inputs(2)
    module = build(name)
    samples = sample(module, inputs, n_samples).double()
    plain = []
    with torch.random.fork_rng():
        torch.manual_seed(1)
        with DropoutSampler(module, 1), torch.no_grad():  # for its modes
            for _ in range(n_samples):
                output = module(**copy.deepcopy(inputs))
                plain.append(output[0] if isinstance(output, tuple) else output)
    reference = torch.stack(plain, 1).double()
    for moment in (lambda x: x, torch.square):
        a, b = moment(samples), moment(reference)
        error = ((a.var(1) + b.var(1)) / n_samples).sqrt()
        assert ((a.mean(1) - b.mean(1)).abs() <= 5 * error + 1e-6).all()


def state_of(module: nn.Module) -> list:
    parts = list(module.modules())
    buffers = [(id(b), b.clone()) for part in parts for b in part._buffers.values() if b is not None]
    weights = [(id(p), p.clone(), p.grad, p.requires_grad) for p in module.parameters()]
    return [
        [part.training for part in parts],
        buffers,
        weights,
        torch.get_rng_state(),
        random.getstate(),
        np.random.get_state(),
    ]


def assert_equal_states(a, b) -> None:
    if isinstance(a, torch.Tensor):
        assert torch.equal(a, b)
    elif isinstance(a, np.ndarray):
        np.testing.assert_array_equal(a, b)
    elif isinstance(a, list | tuple):
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            assert_equal_states(x, y)
    else:
        assert a == b


@pytest.mark.parametrize("name", ZOO)
@pytest.mark.parametrize("training", [False, True])
def test_nothing_is_changed(name, training):
    module, inputs = build(name).train(training), ZOO[name].inputs(4)
    next(module.modules()).training = not training  # modes need not agree
    given = copy.deepcopy(inputs)
    before = state_of(module)
    sample(module, inputs)
    assert_equal_states(before, state_of(module))
    assert_equal_states(torch.utils._pytree.tree_leaves(given), torch.utils._pytree.tree_leaves(inputs))


def test_nothing_is_changed_by_a_failing_module():
    def forward(net, x):
        if len(x) == 4:
            raise ZeroDivisionError
        return net.body(x)

    module = Lambda(forward, body=nn.Sequential(nn.BatchNorm1d(6), nn.Dropout())).eval()
    before = state_of(module)
    with pytest.raises(ZeroDivisionError):
        sample(module, {"input": torch.zeros(4, 6)})
    assert_equal_states(before, state_of(module))


@pytest.mark.parametrize("name", ["dropout_head", "two_dropouts", "lstm", "transformer", "steered_by_draws"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_dtypes(name, dtype):
    module, inputs = build(name), ZOO[name].inputs(4)
    single = sample(module, inputs)
    other = {key: x.to(dtype) if x.is_floating_point() else x for key, x in inputs.items()}
    samples = sample(module.to(dtype), other)
    assert samples.dtype == dtype
    if dtype == torch.float64:
        assert samples.shape == single.shape
    assert not torch.equal(samples[:, 0], samples[:, 1])


# The work that is done.


def counts(module: nn.Module, inputs: dict, n_samples: int) -> dict[str, int]:
    with DropoutSampler(module, n_samples) as sampler:
        sampler(**inputs)  # probes
        with Counter() as counter:
            sampler(**inputs)
    return counter.counts


def test_what_precedes_the_first_draw_runs_once_and_a_dropout_head_needs_one_product():
    inputs = ZOO["conv_dropout_head"].inputs(4)
    run = counts(build("conv_dropout_head"), inputs, 50)
    assert run["convolution"] == run["native_batch_norm"] == 1
    assert run["addmm"] == 2  # the hidden layer, and the head for all samples


@pytest.mark.parametrize(
    "name", ["conv_dropout2d", "inplace_relu_before_dropout", "steered_by_draws", "lstm", "lstm_ragged"]
)
def test_prefix_runs_once_where_passes_are_replayed(name):
    prefix = {"conv_dropout2d": "convolution", "lstm": "embedding", "lstm_ragged": "embedding"}.get(name, "addmm")
    module, inputs = build(name), ZOO[name].inputs(4)
    few, many = (counts(module, inputs, n_samples)[prefix] for n_samples in (2, 12))
    if prefix == "addmm":
        assert many - few <= 10 + 10 * (name == "steered_by_draws")  # the head of each pass, not the body
    else:
        assert many == few


def test_normalisation_uses_running_statistics():
    norm = nn.BatchNorm1d(4)
    norm.running_mean.fill_(3.0)
    norm.running_var.fill_(4.0)
    module = nn.Sequential(nn.Dropout(0.5), norm, nn.Flatten())
    samples = sample(module, {"input": torch.ones(5, 4)}, 8)
    mask = sample(nn.Dropout(0.5), {"input": torch.ones(1, 4)}, 8)[0]
    torch.testing.assert_close(samples[0], (mask - 3) / math.sqrt(4 + norm.eps))


# Batches of unusual sizes, and errors.


@pytest.mark.parametrize("name", ["dropout_head", "lstm", "transformer", "regression", "dict_input"])
def test_no_rows(name):
    module, one = build(name), sample(build(name), ZOO[name].inputs(1))
    assert sample(module, ZOO[name].inputs(0)).shape == (0, *one.shape[1:])


def test_positional_arguments_and_tuples():
    module = Lambda(lambda net, pair: functional.dropout(pair[0] * pair[1], 0.5))
    with DropoutSampler(module, 3) as sampler:
        assert sampler((torch.ones(2, 5), torch.ones(2, 5))).shape == (2, 3, 5)


@pytest.mark.parametrize("name", ["dropout_head", "two_dropouts", "inplace_dropout_on_input", "transformer"])
def test_inference_mode(name):
    module, inputs = build(name), ZOO[name].inputs(4)
    samples = sample(module, inputs)
    with torch.inference_mode(), DropoutSampler(module, 6, consistent=True) as sampler:
        assert_same(sampler(**copy.deepcopy(inputs)), samples)


def test_steps_may_change_between_batches():
    module = build("lstm")
    with DropoutSampler(module, 4, consistent=True) as sampler:
        for steps in (5, 3, 5):
            x = torch.randint(11, (4, steps))
            assert_same(sampler(x[[0, 0, 1]])[0], sampler(x)[0])


def test_rows_of_nan_are_left_to_the_caller():
    x = torch.randn(4, 6)
    x[[0, 2]] = torch.nan
    with DropoutSampler(build("two_dropouts"), 4, consistent=True) as sampler:
        samples = sampler(x)
    assert samples[[0, 2]].isnan().all()
    assert samples[[1, 3]].isfinite().all()


@pytest.mark.parametrize(
    "module",
    [
        nn.Linear(6, 3),
        nn.Sequential(nn.Linear(6, 3), nn.Dropout(0.0)),
        Lambda(lambda net, x: functional.dropout(x, 0.5, training=False)),
        nn.Sequential(nn.Linear(6, 3), nn.RReLU()),
        Lambda(lambda net, x: (x, functional.dropout(x, 0.5))),
    ],
    ids=["no dropout", "p=0", "training=False", "rrelu", "unread"],
)
def test_no_active_dropout(module):
    with pytest.raises(ValueError, match="no active dropout.*training=self.training"):
        sample(module, {"input": torch.ones(4, 6)})


@pytest.mark.parametrize("n_samples", [0, -3])
def test_too_few_samples(n_samples):
    with pytest.raises(ValueError, match=f"n_samples is {n_samples}, but at least 1"):
        DropoutSampler(nn.Dropout(), n_samples)


def test_unsuitable_outputs():
    with pytest.raises(ValueError, match=r"returned shape \(8, 3\) for 4 rows"):
        sample(Lambda(lambda net, x: functional.dropout(torch.cat([x, x]), 0.5)), {"input": torch.ones(4, 3)})
    with pytest.raises(TypeError, match=r"returns a dict with \['hidden'\], but no 'logits'"):
        sample(Lambda(lambda net, x: {"hidden": functional.dropout(x, 0.5)}), {"input": torch.ones(4, 3)})
    with pytest.raises(TypeError, match="at least one tensor"):
        sample(nn.Dropout(), {"input": ["a", "b"]})


def test_errors_of_the_module_are_its_own():
    with pytest.raises(RuntimeError, match="cannot be multiplied"):
        sample(build("dropout_head"), {"input": torch.ones(4, 9)})


def test_network_that_takes_one_batch_size_only_gets_plain_passes():
    module = Lambda(lambda net, x: net.head(functional.dropout(x.view(4, 6), 0.5)), head=nn.Linear(6, CLASSES))
    with DropoutSampler(module, 5) as sampler:
        samples = sampler(torch.ones(4, 6))
    assert samples.shape == (4, 5, CLASSES)
    assert sampler.consistent_ is False


def test_batch_off_the_path_of_the_folded_tail_starts_from_its_own_inputs():
    def forward(net, x):
        h = net.body(x.add_(1))
        return net.head(functional.dropout(h * 1.0 if len(x) > 5 else h, 0.5))

    torch.manual_seed(0)
    module = Lambda(forward, body=nn.Linear(6, 8), head=nn.Linear(8, CLASSES))
    x = torch.randn(8, 6)
    with DropoutSampler(module, 4) as sampler:
        small = torch.cat([sampler(x[:4].clone()), sampler(x[4:].clone())])
        assert_same(sampler(x.clone()), small)


def test_draws_in_numpy_are_seeded_plain_passes():
    module = Lambda(lambda net, x: functional.dropout(x, 0.5) * float(np.random.rand()) * random.random())
    state = random.getstate(), np.random.get_state()[1].copy()
    samples = sample(module, {"input": torch.ones(4, 6)})
    assert torch.equal(samples, sample(module, {"input": torch.ones(4, 6)}))
    assert random.getstate() == state[0]
    np.testing.assert_array_equal(np.random.get_state()[1], state[1])
    assert len(samples[:, :, :].unique()) > 6


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_scripted_network():
    module = torch.jit.script(build("two_dropouts"))
    inputs = ZOO["two_dropouts"].inputs(5)
    assert_same(sample(module, inputs), sample(build("two_dropouts"), inputs))
    assert not module.training


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_compiled_network_runs_eagerly():
    module = build("two_dropouts")
    inputs = ZOO["two_dropouts"].inputs(5)
    assert_same(sample(torch.compile(module), inputs), sample(module, inputs))


def test_other_threads_may_draw_from_pythons_random_numbers(monkeypatch):
    """A cluster's worker does; it must not be taken for the network's own draws."""
    net, X = nn.Sequential(nn.Linear(4, 8), nn.Dropout(), nn.Linear(8, 3)), torch.randn(6, 4)
    with DropoutSampler(net, 5, seed=0) as sampler:
        expected = sampler(X)
    forward, calls = net[0].forward, []

    def disturbed(x):
        calls.append(random.random() if not calls else 0)
        return forward(x)

    again = nn.Sequential(*net)
    monkeypatch.setattr(again[0], "forward", disturbed)
    with DropoutSampler(again, 5, seed=0) as sampler:
        assert torch.equal(sampler(X), expected)
        assert sampler.consistent_
