"""What queries cost on a GPU, against a plain pass over the pool and K plain dropout passes.

    python tests/benchmarks/cuda.py [--device cpu] [--rows 1.0] [--only CNN --only coreset ...]

A plain pass is ``module.eval()`` under ``no_grad``, batch by batch, from the host and back; K = 20. ``q/K`` is a query
against K plain dropout passes, ``joint/K`` are samples of 2,000 rows that share masks against those. Medians of three,
after one to warm up. ``--rows`` is a share of the rows of each case, for machines that are smaller than an H200.
ResNet-18 needs torchvision.
"""

# The benchmarks' folder comes first where Python looks for modules, and torch looks for NVIDIA's package of this name.
if __name__ != "__main__":
    raise ModuleNotFoundError("tests/benchmarks/cuda.py is run, not imported")

import argparse
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from mc_dropout import cnn, mlp
from torch import nn

from alkit import ActiveLearner, NetClassifier, get_strategy
from alkit.strategies import picks

K = 20


class Transformer(nn.Module):
    """Four layers of 256 with dropout everywhere."""

    def __init__(self):
        super().__init__()
        layer = nn.TransformerEncoderLayer(256, 8, 1024, dropout=0.1, batch_first=True)
        self.embedding, self.head = nn.Embedding(5000, 256), nn.Linear(256, 10)
        self.body = nn.TransformerEncoder(layer, 4, enable_nested_tensor=False)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(self.embedding(tokens)).mean(1))


class Lstm(nn.Module):
    """Two layers with dropout between them."""

    def __init__(self):
        super().__init__()
        self.embedding, self.head = nn.Embedding(5000, 64), nn.Linear(128, 10)
        self.body = nn.LSTM(64, 128, 2, dropout=0.3, batch_first=True)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(self.embedding(tokens))[0].mean(1))


def cnn_with_head() -> nn.Module:
    return cnn(nn.Linear(4608, 128), nn.ReLU(), nn.Dropout(), nn.Linear(128, 10))


def resnet() -> nn.Module:
    import torchvision

    module = torchvision.models.resnet18(weights=None)
    module.fc = nn.Sequential(nn.Dropout(), nn.Linear(512, 10))
    return module


class Case(NamedTuple):
    """A network and its pool, and how much a BALD query may cost."""

    build: Callable[[], nn.Module]
    shape: tuple[int, ...] | None
    rows: int
    batch: int
    bar: float
    of: str = "plain"  # plain passes, or naive: K plain dropout passes


CASES = {
    "CNN": Case(cnn_with_head, (1, 28, 28), 60_000, 4096, 1.3),
    "784-256-d-10": Case(lambda: mlp(784, 256), (784,), 60_000, 16_384, 1.3),
    "784-256-d-128-d-10": Case(lambda: mlp(784, 256, 128), (784,), 60_000, 16_384, 1.4),
    "ResNet-18": Case(resnet, (3, 128, 128), 4000, 256, 1.1),
    "memmap": Case(lambda: mlp(784, 256), (784,), 1_000_000, 16_384, 1.2),
    "transformer": Case(Transformer, None, 8000, 512, 1.0, "naive"),
    "LSTM": Case(Lstm, None, 8000, 1024, 11.0),
}


def pool(name: str, shape: tuple[int, ...] | None, n: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    if shape is None:
        return rng.integers(0, 5000, (n, 64))
    if name != "memmap":
        return rng.standard_normal((n, *shape), dtype=np.float32)
    X = np.memmap(tempfile.NamedTemporaryFile(), np.float32, "w+", shape=(n, *shape))  # noqa: SIM115
    for start in range(0, n, 50_000):
        X[start : start + 50_000] = rng.standard_normal((min(50_000, n - start), *shape), dtype=np.float32)
    return X


def seconds(way: Callable[[], object], device: torch.device, repeats: int = 3, warm: int = 1) -> float:
    took = []
    for repeat in range(warm + repeats):
        start = time.perf_counter()
        way()
        if device.type == "cuda":
            torch.cuda.synchronize()
        if repeat >= warm:
            took.append(time.perf_counter() - start)
    return statistics.median(took)


def passes(
    module: nn.Module, X: torch.Tensor, batch: int, device: torch.device, n: int = 1, training: bool = False
) -> None:
    module.train(training)
    with torch.no_grad():
        for _ in range(n):
            torch.cat([module(rows.to(device)) for rows in X.split(batch)]).cpu()
    module.eval()


def verdict(value: float, bar: float) -> str:
    return f"<= {bar:g} {'yes' if value <= bar else 'NO'}"


def measure(name: str, case: Case, share: float, device: torch.device) -> None:
    torch.manual_seed(0)
    X = pool(name, case.shape, max(200, int(case.rows * share)))
    net = NetClassifier(case.build(), max_epochs=1, device=str(device))
    strategy = get_strategy("bald", n_samples=K)
    learner = ActiveLearner(net, strategy, np.array(X[:64]), np.arange(64) % 10, random_state=0)
    module, T = learner.estimator.module_.eval(), torch.from_numpy(X)
    plain = seconds(lambda: passes(module, T, case.batch, device), device)
    naive = seconds(lambda: passes(module, T, case.batch, device, K, training=True), device, 1, 0)
    query = seconds(lambda: learner.query(X, n_instances=100), device)
    predict = seconds(lambda: learner.estimator.predict_proba(X), device)
    few = X[:2000]
    joint = seconds(lambda: learner.estimator.sample_proba(few, K, 0, consistent=True), device, 1)
    naive_of_few = seconds(lambda: passes(module, T[:2000], case.batch, device, K, training=True), device, 1)
    relative = query / (plain if case.of == "plain" else naive)
    print(
        f"{name:20} {1e3 * plain:9.1f} ms {naive / plain:8.1f}x {query / plain:8.2f}x {query / naive:8.2f}x "
        f"{predict / plain:9.2f}x {joint / naive_of_few:11.2f}x   {verdict(relative, case.bar)} {case.of}",
        flush=True,
    )


def coreset(share: float, device: torch.device) -> Callable[[], object]:
    rng = np.random.default_rng(0)
    rows, labelled = (rng.standard_normal((n, 128), dtype=np.float32) for n in (int(200_000 * share), 1000))
    on_device = [torch.from_numpy(values).to(device) for values in (rows, labelled)]
    return lambda: picks.coreset(*on_device, k=1000, rng=np.random.default_rng(0))


def badge(share: float, device: torch.device) -> Callable[[], object]:
    rng = np.random.default_rng(0)
    rows, logits = (rng.standard_normal((int(200_000 * share), width), dtype=np.float32) for width in (128, 20))
    proba = torch.from_numpy(logits).to(device).softmax(1)
    embedding = torch.from_numpy(rows).to(device)
    return lambda: picks.badge(proba, embedding, k=1000, rng=np.random.default_rng(0))


PICKS = {"coreset": (coreset, 0.25), "badge": (badge, 0.5)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--rows", type=float, default=1.0)
    parser.add_argument("--only", choices=[*CASES, *PICKS], action="append")
    options = parser.parse_args()
    device = torch.device(options.device)
    where = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()
    print(f"{where}, torch {torch.__version__}, K = {K}, {options.rows:g} of the rows; x: times a plain pass\n")
    print(f"{'':20} {'plain':>12} {'K passes':>9} {'query':>9} {'q/K':>9} {'predict':>10} {'joint/K':>12}   bar")
    for name, case in CASES.items():
        if not options.only or name in options.only:
            try:
                measure(name, case, options.rows, device)
            except ImportError as error:
                print(f"{name:20} left out: {error}")
    print()
    for name, (make, bar) in PICKS.items():
        if not options.only or name in options.only:
            took = seconds(make(options.rows, device), device)
            of = f"1,000 of {int(200_000 * options.rows):,} rows"
            print(f"{name:20} {of}: {took:.2f} s   {verdict(took, bar)} s", flush=True)


if __name__ == "__main__":
    main()
