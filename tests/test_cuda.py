"""On a GPU everything is what it is on a CPU: posterior samples, picks, pickles, and what a failure leaves."""

import copy
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch
from sklearn.datasets import make_blobs
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch import NeuralNet, NeuralNetClassifier
from torch import nn
from torch.utils._pytree import tree_map

from alkit import (
    ActiveLearner,
    DropoutMLPClassifier,
    DropoutMLPRegressor,
    EnsembleClassifier,
    EnsembleRegressor,
    LaplaceClassifier,
    LaplaceRegressor,
    LearningLossClassifier,
    MultimodalClassifier,
    NetClassifier,
)
from alkit._restore import restored_on_failure
from alkit.nets.mc_dropout import DropoutSampler
from alkit.strategies.table import TABLE
from tests.nets.networks import MLP
from tests.nets.zoo import ZOO, build, sample

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU"),
]

X, y = make_blobs(200, centers=4, n_features=8, cluster_std=4.0, random_state=0)
X = X.astype(np.float32)
NET = NetClassifier(MLP, max_epochs=2, random_state=0)
HALVES = {"left": slice(0, 4), "right": slice(4, 8)}
ESTIMATORS = {
    "net": NET,
    "pipeline": make_pipeline(StandardScaler(), NET),
    "mlp": DropoutMLPClassifier(max_epochs=2, random_state=0),
    "ensemble": EnsembleClassifier(NET, 3, random_state=0),
    "laplace": LaplaceClassifier(NET, random_state=0),
    "learning loss": LearningLossClassifier(MLP, ["hidden"], max_epochs=2, random_state=0),
    "multimodal": MultimodalClassifier(modalities=HALVES, width=8, max_epochs=2, random_state=0),
    "skorch": NeuralNetClassifier(MLP, module__n_features=8, module__n_classes=4, max_epochs=2, train_split=None),
    "several labels": DropoutMLPClassifier(max_epochs=2, random_state=0),
    "numbers": DropoutMLPRegressor(max_epochs=2, random_state=0),
    "ensemble of numbers": EnsembleRegressor(DropoutMLPRegressor(max_epochs=2), 3, random_state=0),
    "laplace of numbers": LaplaceRegressor(DropoutMLPRegressor(max_epochs=2), random_state=0),
}
NUMBERS = X @ np.arange(8.0) / 100
TARGETS = {
    "several labels": np.stack([y == 0, y == 1, y == 2], 1).astype(int),
    "numbers": NUMBERS,
    "ensemble of numbers": NUMBERS,
    "laplace of numbers": NUMBERS,
}


def on_gpu(values):
    return tree_map(lambda leaf: leaf.cuda() if isinstance(leaf, torch.Tensor) else leaf, values)


def networks_in(estimator):
    """The skorch networks that an estimator of these consists of."""
    if isinstance(estimator, NeuralNet):
        return [estimator]
    inner = [getattr(estimator, name, None) for name in ("net_", "estimator_")]
    inner += [*getattr(estimator, "estimators_", []), *(step for _, step in getattr(estimator, "steps", []))]
    return [net for part in inner if part is not None for net in networks_in(part)]


def moved_to_gpu(estimator):
    """A copy whose networks, with the same weights, are on the GPU."""
    moved = copy.deepcopy(estimator)
    for net in networks_in(moved):
        net.device = "cuda"
        for part in net.parts(net._modules + net._criteria) if hasattr(net, "parts") else [net.module_, net.criterion_]:
            part.cuda()
    return moved


@pytest.fixture(scope="module", params=ESTIMATORS)
def pair(request):
    """A fitted estimator, and one on the GPU."""
    torch.manual_seed(0)
    estimator = ESTIMATORS[request.param]
    if request.param == "skorch":
        estimator.set_params(criterion=nn.CrossEntropyLoss, verbose=0)
    fitted = estimator.fit(X[:60], TARGETS.get(request.param, y)[:60])
    return fitted, moved_to_gpu(fitted)


@pytest.mark.parametrize("name", ZOO)
def test_samples_of_the_zoo_are_those_of_a_cpu(name):
    specimen = ZOO[name]
    module, inputs = build(name).cuda(), on_gpu(specimen.inputs(4))
    try:
        module(**copy.deepcopy(inputs))
    except (RuntimeError, TypeError) as error:
        pytest.skip(f"the specimen makes tensors on the CPU itself: {error}")
    before = torch.get_rng_state(), torch.cuda.get_rng_state()
    with DropoutSampler(module, 6, consistent=specimen.shares or None) as sampler:
        samples = sampler(**copy.deepcopy(inputs))
        assert sampler.consistent_ is specimen.shares
    assert samples.device.type == "cuda"
    assert not torch.equal(samples, samples[:, :1].expand_as(samples))
    assert all(map(torch.equal, before, (torch.get_rng_state(), torch.cuda.get_rng_state())))
    if specimen.shares:
        expected = sample(build(name), specimen.inputs(4))
        torch.testing.assert_close(samples.cpu(), expected, rtol=1e-2, atol=1e-3)


def may_have_own_masks(estimator):
    """Whether each row has masks of its own on a GPU, unless asked for others: passes have little in common."""
    return isinstance(estimator, MultimodalClassifier)


@pytest.mark.parametrize("method", ["predict_proba", "sample_proba", "embed", "sample_y"])
def test_answers_are_arrays(pair, method):
    if not hasattr(pair[0], method):
        pytest.skip("it has no such method")
    arguments = {"n_samples": 5, "random_state": 0} if method.startswith("sample") else {}
    if method == "sample_proba" and may_have_own_masks(pair[0]):
        arguments["consistent"] = True
    on_cpu, answer = (getattr(estimator, method)(X, **arguments) for estimator in pair)
    assert isinstance(answer, np.ndarray)
    np.testing.assert_allclose(answer, on_cpu, rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize("strategy", TABLE, ids=str)
def test_picks_are_those_of_a_cpu(pair, strategy, request):
    y_pool = TARGETS.get(request.node.callspec.params["pair"], y)
    labels = {"y_pool": y_pool} if strategy.name == "ideal_loss" else {}
    try:
        on_cpu, on_gpu = (strategy.select(model, X, 7, random_state=0, **labels) for model in pair)
    except TypeError as error:
        assert "does not have" in str(error)  # noqa: PT017 - what a model lacks is said elsewhere
        return
    are_joint = "samples" in strategy.pick_needs or "target_samples" in strategy.needs
    if may_have_own_masks(pair[0]) and {"samples", "votes"} & {*strategy.needs} and not are_joint:
        assert len(set(on_gpu.indices)) == 7
        return
    np.testing.assert_allclose(np.sort(on_gpu.scores), np.sort(on_cpu.scores), rtol=1e-2, atol=1e-3)
    # scores that differ by rounding may change places, and any of those that are equal to the lowest may be picked
    picked = dict(zip(on_cpu.indices, on_cpu.scores, strict=True)) | dict(
        zip(on_gpu.indices, on_gpu.scores, strict=True)
    )
    on_one_side = set(on_cpu.indices) ^ set(on_gpu.indices)
    are_lowest = all(picked[row] <= min(on_cpu.scores) + 1e-3 for row in on_one_side)
    assert are_lowest or len(on_one_side) <= 2


def test_rows_of_deep_convolutions_share_masks():
    # cuDNN computes few rows by other kernels than many, in TF32, which adds up over layers
    torch.manual_seed(0)
    layers = [part for _ in range(16) for part in (nn.Conv2d(32, 32, 3, padding=1), nn.ReLU())]
    head = nn.Flatten(), nn.Dropout(), nn.Linear(32 * 64, 10)
    module = nn.Sequential(nn.Conv2d(3, 32, 1), *layers, *head).cuda()
    with DropoutSampler(module, 4, consistent=True) as sampler:
        sampler(torch.randn(500, 3, 8, 8, device="cuda"))
    assert sampler.consistent_


def test_seeds_reach_no_other_kind_of_device():
    module = nn.Sequential(nn.Dropout(), nn.Linear(8, 2)).cuda()
    # calls that wait until such a device is used
    queued = len(torch.xpu._queued_calls)
    with DropoutSampler(module, 4) as sampler:
        sampler(torch.randn(5, 8, device="cuda"))
    assert len(torch.xpu._queued_calls) == queued


def test_a_query_leaves_nothing_on_the_gpu():
    learner = ActiveLearner(NET.set_params(device="cuda"), "bald", X[:60], y[:60], random_state=0)
    learner.query(X, n_instances=5)
    before = torch.cuda.memory_allocated()
    learner.query(X, n_instances=5)
    assert torch.cuda.memory_allocated() == before


def test_rows_may_be_on_the_gpu():
    learner = ActiveLearner(NET.set_params(device="cuda"), "bald", torch.from_numpy(X[:60]).cuda(), y[:60])
    indices, rows = learner.query(torch.from_numpy(X).cuda(), n_instances=5)
    assert rows.device.type == "cuda"
    assert len(set(indices.tolist())) == 5


@pytest.mark.parametrize("kind", ["compiled", "autocast", "bfloat16"])
def test_networks_of_other_kinds_are_sampled_rightly(kind):
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Dropout(), nn.Linear(64, 4)).cuda()
    rows = torch.from_numpy(X).cuda()
    with DropoutSampler(module, 20, consistent=True) as sampler:
        expected = sampler(rows)
    dtype = torch.bfloat16 if kind == "bfloat16" else torch.float32
    other = torch.compile(module) if kind == "compiled" else copy.deepcopy(module).to(dtype)
    with DropoutSampler(other, 20, consistent=True) as sampler, torch.autocast("cuda", enabled=kind == "autocast"):
        samples = sampler(rows.to(dtype))
    assert sampler.consistent_
    scale = expected.abs().max().item()
    torch.testing.assert_close(samples.float(), expected, rtol=0, atol=0.05 * scale)


def test_batches_that_do_not_fit_are_halved():
    net = NetClassifier(nn.Sequential(nn.Linear(8, 2000), nn.ReLU(), nn.Dropout(), nn.Linear(2000, 4)), max_epochs=1)
    learner = ActiveLearner(net.set_params(device="cuda"), "bald", X[:60], y[:60], random_state=0)
    pool = np.tile(X, (200, 1))
    expected = learner.query(pool, n_instances=9)[0]
    torch.cuda.empty_cache()
    # room for an eighth of what a batch of all rows takes in the network
    room = torch.cuda.memory_reserved() + len(pool) * 2000 * 4 // 8
    torch.cuda.set_per_process_memory_fraction(room / torch.cuda.get_device_properties(0).total_memory)
    try:
        indices, _ = learner.query(pool, n_instances=9)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    # copies of a row have equal scores
    np.testing.assert_array_equal(np.sort(indices % len(X)), np.sort(expected % len(X)))


@pytest.mark.parametrize("name", ["net", "mlp", "ensemble", "laplace", "learning loss", "multimodal"])
def test_pickles_load_without_a_gpu(name, tmp_path):
    fitted = moved_to_gpu(ESTIMATORS[name].fit(X[:60], y[:60]))
    path = tmp_path / "fitted.pkl"
    path.write_bytes(pickle.dumps(fitted))
    np.save(tmp_path / "X.npy", X)
    script = (
        "import pickle, sys, warnings, numpy as np; warnings.simplefilter('ignore')\n"
        "fitted = pickle.load(open(sys.argv[1], 'rb')); X = np.load(sys.argv[2])\n"
        "np.save(sys.argv[3], fitted.predict_proba(X))"
    )
    arguments = [sys.executable, "-c", script, path, tmp_path / "X.npy", tmp_path / "proba.npy"]
    subprocess.run(arguments, check=True, env=os.environ | {"CUDA_VISIBLE_DEVICES": ""})
    np.testing.assert_allclose(np.load(tmp_path / "proba.npy"), fitted.predict_proba(X), rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize("warm_start", [False, True])
def test_what_is_kept_for_a_failure_takes_no_memory_of_the_gpu(warm_start):
    net = NetClassifier(nn.Sequential(nn.Linear(8, 4000), nn.Linear(4000, 500), nn.Linear(500, 4)), max_epochs=1)
    net.set_params(device="cuda", warm_start=warm_start).fit(X, y)
    expected, before = net.predict_proba(X), torch.cuda.memory_allocated()

    def fail():
        with restored_on_failure(net):
            assert torch.cuda.memory_allocated() - before < 2**20
            net.fit(X, y)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    np.testing.assert_array_equal(net.predict_proba(X), expected)
