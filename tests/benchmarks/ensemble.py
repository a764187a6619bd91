"""What a deep ensemble costs: 8 networks trained together against one after another.

    python tests/benchmarks/ensemble.py [--rounds 5]

1,000 rows, 10 epochs. "by hand" is a plain torch loop per network with plain Adam and the same batches; "in turn" are
fits of NetClassifier one after another. All ways are run in turn, the median of the rounds is shown.
"""

import argparse
import os
import platform
import statistics
import time
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import torch
from torch import nn

from alkit import EnsembleClassifier, NetClassifier

MEMBERS, ROWS, EPOCHS, CLASSES = 8, 1000, 10, 10


class MLP(nn.Sequential):
    def __init__(self, widths: tuple[int, ...]):
        layers: list[nn.Module] = []
        for a, b in pairwise(widths):
            layers += [nn.Linear(a, b), nn.ReLU()]
        super().__init__(*layers, nn.Linear(widths[-1], CLASSES))


class CNN(nn.Sequential):
    def __init__(self) -> None:
        conv = [nn.Unflatten(1, (1, 28, 28)), nn.Conv2d(1, 8, 3), nn.ReLU(), nn.MaxPool2d(4), nn.Flatten()]
        super().__init__(*conv, nn.Linear(288, CLASSES))


# name: network, features, batch, bar
NETWORKS: dict[str, tuple[Callable[[], nn.Module], int, int, float]] = {
    "64-64-10": (lambda: MLP((64, 64)), 64, 64, 2.0),
    "784-128-10": (lambda: MLP((784, 128)), 784, 32, 1.5),
    "784-256-128-10": (lambda: MLP((784, 256, 128)), 784, 64, 1.0),
    "784-512-512-10": (lambda: MLP((784, 512, 512)), 784, 64, 1.0),
    "CNN": (CNN, 784, 64, 1.0),
}


def by_hand(build: Callable[[], nn.Module], X: torch.Tensor, y: torch.Tensor, batch: int) -> None:
    for _ in range(MEMBERS):
        net = build()
        optimizer = torch.optim.Adam(net.parameters())
        for _ in range(EPOCHS):
            for rows in torch.randperm(ROWS).tensor_split(ROWS // batch):
                optimizer.zero_grad()
                nn.functional.cross_entropy(net(X[rows]), y[rows]).backward()
                optimizer.step()


def measure(name: str, rounds: int) -> None:
    build, features, batch, bar = NETWORKS[name]
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((ROWS, features), dtype=np.float32), np.arange(ROWS) % CLASSES
    net = NetClassifier(build, batch_size=batch, max_epochs=EPOCHS, random_state=0)
    ways: dict[str, Callable[[], object]] = {
        "by hand": lambda: by_hand(build, torch.from_numpy(X), torch.from_numpy(y), batch),
        "in turn": lambda: [net.fit(X, y) for _ in range(MEMBERS)],
        "ensemble": lambda: EnsembleClassifier(net, MEMBERS, random_state=0).fit(X, y),
    }
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way, run in ways.items():
            start = time.perf_counter()
            run()
            seconds[way].append(time.perf_counter() - start)
    took = {way: statistics.median(times) for way, times in seconds.items()}
    faster = took["by hand"] / took["ensemble"]
    cells = [f"{name:16} {batch:5}", *(f"{took[way]:9.2f} s" for way in ways), f"{faster:8.2f}x"]
    cells += [f"{took['in turn'] / took['ensemble']:8.2f}x", f">= {bar} {'yes' if faster >= bar else 'NO'}"]
    print(" ".join(cells), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    print(f"{os.cpu_count()} cores, {torch.get_num_threads()} threads, {platform.machine()}, torch {torch.__version__}")
    print(f"{'network':16} batch     by hand     in turn    ensemble   by hand/  in turn/  bar")
    for name in NETWORKS:
        measure(name, rounds)


if __name__ == "__main__":
    main()
