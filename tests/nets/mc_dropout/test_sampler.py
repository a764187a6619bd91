"""MC dropout must sample the distribution that plain dropout passes have, with masks that all rows share."""

import copy
import itertools
import math
import random

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

from alkit.nets.mc_dropout.sampler import DropoutSampler
from tests.nets.zoo import CLASSES, ZOO, Lambda

SHARING = [name for name, specimen in ZOO.items() if specimen.shares]
BATCH_DEPENDENT = {"steered_by_data"}


def build(name: str) -> nn.Module:
    torch.manual_seed(0)
    return ZOO[name].build().eval()


def sample(module: nn.Module, inputs: dict, n_samples: int = 6, seed: int = 0, **options) -> torch.Tensor:
    with DropoutSampler(module, n_samples, seed, **options) as sampler:
        return sampler(**inputs)


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
    assert not torch.equal(samples[:, 0], samples[:, 1])
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


# The masks themselves.


def masks(p: float, width: int, n_samples: int, seed: int = 0) -> torch.Tensor:
    """Masks (K, H) of a dropout layer that is the first to draw."""
    return sample(nn.Dropout(p), {"input": torch.ones(1, width)}, n_samples, seed)[0]


def test_folded_and_replayed_and_plain_outputs_agree_for_given_masks():
    torch.manual_seed(0)
    body, last = nn.Linear(6, 8).double(), nn.Linear(8, 3).double()
    x = torch.randn(20, 6, dtype=torch.float64)
    folded = nn.Sequential(body, nn.ReLU(), nn.Dropout(0.3), last)
    replayed = nn.Sequential(body, nn.ReLU(), nn.Dropout(0.3), nn.Identity(), last, nn.Flatten(), nn.Hardtanh(-99, 99))
    mask_K_H = sample(nn.Dropout(0.3), {"input": torch.ones(1, 8, dtype=torch.float64)}, 30)[0]
    with torch.no_grad():
        expected = torch.stack([last(body(x).relu() * mask) for mask in mask_K_H], 1)
    for module in (folded, replayed):
        torch.testing.assert_close(sample(module, {"input": x}, 30), expected, rtol=1e-12, atol=1e-12)


def test_masks_are_uniform_over_all_patterns():
    n_samples, width = 8000, 3
    drawn = masks(0.5, width, n_samples)
    assert set(drawn.unique().tolist()) == {0.0, 2.0}
    patterns = (drawn > 0).long() @ (2 ** torch.arange(width))
    counts = torch.bincount(patterns, minlength=2**width).double()
    expected = n_samples / 2**width
    chi_square = ((counts - expected) ** 2 / expected).sum()
    assert chi_square < 29.9  # 7 degrees of freedom: exceeded with probability 1e-4


@pytest.mark.parametrize("tail", [(), (nn.Identity(), nn.Hardtanh(-99.0, 99.0))], ids=["folded", "replayed"])
def test_outputs_are_those_of_the_enumerable_subnetworks(tail):
    torch.manual_seed(0)
    n_samples, head = 4000, nn.Linear(3, 1).double()
    x = torch.tensor([[1.0, 2.0, -1.0]], dtype=torch.float64)
    module = nn.Sequential(nn.Dropout(0.5), head, *tail)
    outputs = sample(module, {"input": x}, n_samples)[0, :, 0]
    patterns = torch.tensor(list(itertools.product([0.0, 2.0], repeat=3)), dtype=torch.float64)
    with torch.no_grad():
        possible = head(patterns * x)[:, 0]
    distance = (outputs[:, None] - possible).abs()
    assert distance.min(1).values.max() < 1e-12
    frequencies = torch.bincount(distance.argmin(1), minlength=8) / n_samples
    assert ((frequencies - 1 / 8).abs() < 5 * math.sqrt(1 / 8 * 7 / 8 / n_samples)).all()


def test_keep_rate_and_scale():
    drawn = masks(0.9, 400, 100)
    torch.testing.assert_close(drawn.unique(), torch.tensor([0.0, 10.0]))
    kept = (drawn > 0).double().mean().item()
    assert abs(kept - 0.1) < 5 * math.sqrt(0.09 / 40_000)


def test_masks_of_samples_layers_and_seeds_are_independent():
    width, n_samples = 50, 200
    module = Lambda(lambda net, x: torch.cat([functional.dropout(x, 0.5), functional.dropout(x, 0.5)], 1))
    both = sample(module, {"input": torch.ones(2, width)}, n_samples)[0] - 1
    first, second = both.split(width, dim=1)
    other_seed = masks(0.5, width, n_samples, seed=1) - 1
    limit = 5 / math.sqrt(width * n_samples)
    for a, b in [(first, second), (first[1:], first[:-1]), (first, other_seed), (first[:, 1:], first[:, :-1])]:
        assert abs((a * b).mean().item()) < limit


def test_dropout_noise_is_shared_even_where_its_rate_is_each_rows_own():
    module = Lambda(lambda net, x: torch.bernoulli(x))
    samples = sample(module, {"input": torch.tensor([[0.2], [0.5], [0.9], [0.5]])}, 2000)[..., 0]
    assert torch.equal(samples[1], samples[3])
    assert (samples[0] <= samples[1]).all()
    assert (samples[1] <= samples[2]).all()
    assert ((samples.mean(1) - torch.tensor([0.2, 0.5, 0.9, 0.5])).abs() < 0.06).all()


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
    mask = masks(0.5, 4, 8)
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
    with pytest.raises(TypeError, match="returned dict"):
        sample(Lambda(lambda net, x: {"logits": functional.dropout(x, 0.5)}), {"input": torch.ones(4, 3)})
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
