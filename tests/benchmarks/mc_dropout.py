"""What posterior samples cost: MC dropout against one plain pass, K plain dropout passes and peers.

    python tests/benchmarks/mc_dropout.py [--rows 2000] [--repeats 9] [--only "CNN, dropout head"]

A plain pass is ``module.eval()`` under ``no_grad`` over the same rows, in batches of the size that is fastest for it
(of 250, 500, 1,000 and 2,000 rows). All ways are timed in turn, `repeats` times, and medians are shown. "query" is a
whole ``learner.query`` by BALD; "samples" the outputs (n, K, C) alone.
"""

import argparse
import math
import os
import platform
import statistics
import time
import warnings
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import torch
from torch import nn

from alkit import ActiveLearner, NetClassifier, get_strategy
from alkit.nets.mc_dropout.sampler import DropoutSampler

BATCHES = 250, 500, 1000, 2000
SLOW_REPEATS = 1


class TokenNet(nn.Module):
    """Tokens -> embedding -> body -> mean over steps -> linear."""

    def __init__(self, width: int, body: nn.Module, n_classes: int = 10):
        super().__init__()
        self.embedding, self.body, self.head = nn.Embedding(200, width), body, nn.Linear(64, n_classes)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        steps = self.body(self.embedding(tokens))
        return self.head((steps[0] if isinstance(steps, tuple) else steps).mean(1))


class FunctionalNet(nn.Module):
    """Functional dropout, active in evaluation too."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(784, 256), nn.Linear(256, 128), nn.Linear(128, 10)])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.layers[:-1]:
            x = nn.functional.dropout(torch.relu(layer(x)), 0.5)
        return self.layers[-1](x)


class AttentionNet(nn.Module):
    """One layer of self-attention with dropout on its weights."""

    def __init__(self):
        super().__init__()
        self.embedding, self.head = nn.Embedding(200, 64), nn.Linear(64, 10)
        self.attention = nn.MultiheadAttention(64, 4, dropout=0.2, batch_first=True)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        x = self.embedding(tokens)
        return self.head(self.attention(x, x, x, need_weights=False)[0].mean(1))


def cnn(*head: nn.Module) -> nn.Module:
    conv = [nn.Conv2d(1, 16, 3), nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 32, 3), nn.BatchNorm2d(32), nn.ReLU()]
    return nn.Sequential(*conv, nn.MaxPool2d(2), nn.Flatten(), *head)


def mlp(*widths: int, inplace: bool = False) -> nn.Module:
    layers: list[nn.Module] = []
    for a, b in pairwise(widths):
        dropout = nn.Dropout(0.5, inplace)
        layers += [nn.Linear(a, b), *((dropout, nn.ReLU()) if inplace else (nn.ReLU(), dropout))]
    return nn.Sequential(*layers, nn.Linear(widths[-1], 10))


def encoder() -> nn.Module:
    layer = nn.TransformerEncoderLayer(64, 4, 128, dropout=0.1, batch_first=True)
    return TokenNet(64, nn.TransformerEncoder(layer, 2, enable_nested_tensor=False))


IMAGES, PIXELS, TOKENS = (1, 28, 28), (784,), None

# name: network, shape of a row, share of the rows, Ks, bar for a whole query in plain passes or in K dropout passes
NETWORKS: dict[str, tuple[Callable[[], nn.Module], tuple | None, float, dict[int, str]]] = {
    "CNN, dropout head": (
        lambda: cnn(nn.Linear(4608, 128), nn.ReLU(), nn.Dropout(), nn.Linear(128, 10)),
        IMAGES,
        1.0,
        {20: "1.3 plain", 100: "1.5 plain"},
    ),
    "784-256-d-10": (lambda: mlp(784, 256), PIXELS, 1.0, {20: "1.8 plain", 100: ""}),
    "784-256-d-128-d-10": (lambda: mlp(784, 256, 128), PIXELS, 1.0, {20: "5.5 plain"}),
    "in-place dropout": (lambda: mlp(784, 256, 128, inplace=True), PIXELS, 1.0, {20: "0.7 naive"}),
    "functional dropout": (FunctionalNet, PIXELS, 1.0, {20: "0.7 naive"}),
    "transformer encoder": (encoder, TOKENS, 0.25, {20: "0.7 naive"}),
    "attention dropout": (AttentionNet, TOKENS, 0.25, {20: "0.7 naive"}),
    "LSTM, 2 layers": (
        lambda: TokenNet(32, nn.LSTM(32, 64, 2, dropout=0.3, batch_first=True)),
        TOKENS,
        0.25,
        {20: "0.7 naive"},
    ),
    "GRU, 2 layers": (
        lambda: TokenNet(32, nn.GRU(32, 64, 2, dropout=0.3, batch_first=True)),
        TOKENS,
        0.25,
        {20: "0.7 naive"},
    ),
}


def make_rows(shape: tuple | None, n: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    if shape is None:
        return rng.integers(0, 200, (n, 24))
    return rng.standard_normal((n, *shape), dtype=np.float32)


def plain_passes(module: nn.Module, X: torch.Tensor, batch: int, n_passes: int = 1, training: bool = False) -> None:
    """What a plain pass costs, and what hand-written MC dropout does (with BatchNorm left in training mode)."""
    module.train(training)
    with torch.no_grad():
        for _ in range(n_passes):
            torch.cat([module(rows) for rows in X.split(batch)])
    module.eval()


def fastest_batch(module: nn.Module, X: torch.Tensor) -> int:
    ways: dict[str, Callable[[], object]] = {str(b): lambda b=b: plain_passes(module, X, b) for b in BATCHES}
    took = medians(ways, 5)
    return int(min(took, key=lambda batch: took[batch]))


def sample(module: nn.Module, X: torch.Tensor, batch: int, n_samples: int) -> None:
    with DropoutSampler(module, n_samples) as sampler:
        for rows in X.split(batch):
            sampler(rows)


def baal_passes(module: nn.Module, X: torch.Tensor, batch: int, n_samples: int) -> dict[str, Callable[[], object]]:
    """baal's way: a copy of the module whose dropout stays active, and rows repeated K times in each batch."""
    try:
        from baal.bayesian.dropout import MCDropoutModule
    except ImportError:
        return {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dropout_module = MCDropoutModule(module).eval()

    def passes() -> None:
        with torch.no_grad():
            for rows in X.split(max(1, batch // n_samples)):
                dropout_module(rows.repeat_interleave(n_samples, 0))

    return {"baal": passes}


def learner_on(module: nn.Module, X: np.ndarray) -> ActiveLearner:
    net = NetClassifier(module, max_epochs=1)
    return ActiveLearner(net, "bald", X[:50], np.arange(50) % 10, random_state=0)


def medians(ways: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Seconds that each way takes; they are run in turn, so that a busy machine slows all of them."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for repeat in range(repeats + 1):
        for name, way in ways.items():
            if repeat > SLOW_REPEATS and name in ("naive", "baal"):
                continue
            start = time.perf_counter()
            way()
            if repeat:
                seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(times) for name, times in seconds.items()}


def measure(name: str, n_rows: int, repeats: int) -> None:
    build, shape, share, bars = NETWORKS[name]
    torch.manual_seed(0)
    X = make_rows(shape, int(n_rows * share))
    learner = learner_on(build(), X)
    module, tensor = learner.estimator.module_.eval(), torch.from_numpy(X)
    batch = fastest_batch(module, tensor)
    for n_samples, bar in bars.items():
        learner.query_strategy = get_strategy("bald", n_samples=n_samples)
        ways: dict[str, Callable[[], object]] = {
            "plain": lambda: plain_passes(module, tensor, batch),
            "samples": lambda k=n_samples: sample(module, tensor, batch, k),
            "query": lambda: learner.query(X, n_instances=10),
        }
        if n_samples <= 20:  # the others' cost grows with K
            ways["naive"] = lambda k=n_samples: plain_passes(module, tensor, batch, k, training=True)
            ways |= baal_passes(module, tensor, batch, n_samples)
        took = medians(ways, repeats)
        relative = {way: took[way] / took["plain"] for way in took}
        of_naive = took["query"] / took["naive"] if "naive" in took else math.nan
        cells = [f"{name:20}", f"{n_samples:4}", f"{batch:6}", f"{1e3 * took['plain']:9.1f} ms"]
        ratios = [relative.get(way, math.nan) for way in ("samples", "query", "naive", "baal")]
        cells += ["         -" if math.isnan(ratio) else f"{ratio:9.2f}x" for ratio in (*ratios, of_naive)]
        cells += [f"{verdict(bar, relative['query'], of_naive):>18}"]
        print(" ".join(cells), flush=True)


def verdict(bar: str, of_plain: float, of_naive: float) -> str:
    if not bar:
        return ""
    limit, unit = bar.split()
    reached = (of_plain if unit == "plain" else of_naive) <= float(limit)
    return f"<= {limit} {unit} {'yes' if reached else 'NO'}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--only", choices=NETWORKS, action="append", help="measure only this network")
    options = parser.parse_args()
    print(f"{os.cpu_count()} cores, {torch.get_num_threads()} threads, {platform.machine()}, torch {torch.__version__}")
    print(f"{options.rows} rows (token networks: {options.rows // 4}); x: times a plain pass\n")
    print(
        f"{'network':20} {'K':>4} {'batch':>6} {'plain':>12} {'samples':>10} {'query':>10} {'K passes':>10} "
        f"{'baal':>10} {'q/K passes':>10} {'bar':>18}"
    )
    for name in options.only or NETWORKS:
        measure(name, options.rows, options.repeats)


if __name__ == "__main__":
    main()
