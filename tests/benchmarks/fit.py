"""Fitting: NetClassifier against a hand-written torch loop, skorch as it comes beside it.

2,000 x 784, MLP 784-256-dropout-10, batch 64, 20 epochs. The contestants take turns, so that a busy machine slows all
of them alike; medians over the rounds. Run: ``python tests/benchmarks/fit.py [--rounds 15] [--threads 0]``.
"""

import argparse
import os
import platform
import statistics
import time

import numpy as np
import skorch
import torch
from torch import nn

from alkit.nets import NetClassifier

N_ROWS, N_FEATURES, N_CLASSES, BATCH, EPOCHS = 2000, 784, 10, 64, 20


def mlp():
    """Build the network."""
    return nn.Sequential(nn.Linear(N_FEATURES, 256), nn.ReLU(), nn.Dropout(0.5), nn.Linear(256, N_CLASSES))


def hand_written(X, y, fused):
    """Train as one would by hand."""
    X, y = torch.from_numpy(X), torch.from_numpy(y)
    module = mlp()
    optimizer = torch.optim.Adam(module.parameters(), fused=fused or None)
    criterion = nn.CrossEntropyLoss()
    module.train()
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(X)).split(BATCH):
            optimizer.zero_grad()
            criterion(module(X[rows]), y[rows]).backward()
            optimizer.step()


def with_skorch(X, y):
    """Train by skorch with its own iterators and bookkeeping."""
    net = skorch.NeuralNetClassifier(
        mlp, criterion=nn.CrossEntropyLoss, optimizer=torch.optim.Adam, lr=1e-3, max_epochs=EPOCHS, batch_size=BATCH,
        train_split=None, verbose=0, iterator_train__shuffle=True,
    )  # fmt: skip
    net.fit(X, y)


def with_alkit(X, y, **params):
    """Train by NetClassifier."""
    NetClassifier(mlp, max_epochs=EPOCHS, batch_size=BATCH, **params).fit(X, y)


def main():
    """Time the contestants in turn and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=0, help="torch threads; 0: as many as torch chooses")
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)

    rng = np.random.default_rng(0)
    X = rng.normal(size=(N_ROWS, N_FEATURES)).astype(np.float32)
    y = rng.integers(N_CLASSES, size=N_ROWS)
    contestants = {
        "torch by hand, Adam": lambda: hand_written(X, y, fused=False),
        "torch by hand, fused Adam": lambda: hand_written(X, y, fused=True),
        "NetClassifier (fused Adam)": lambda: with_alkit(X, y),
        "NetClassifier, batching='fixed'": lambda: with_alkit(X, y, batching="fixed"),
        "NetClassifier, unfused Adam": lambda: with_alkit(X, y, optimizer__fused=False),
        "skorch": lambda: with_skorch(X, y),
    }
    seconds = {name: [] for name in contestants}
    for run in contestants.values():
        run()
    for _ in range(args.rounds):
        for name, run in contestants.items():
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)

    plain, fused = (statistics.median(seconds[f"torch by hand, {name}"]) for name in ("Adam", "fused Adam"))
    machine = f"{platform.machine()}, {os.cpu_count()} CPUs, {torch.get_num_threads()} torch threads"
    print(f"{machine}, torch {torch.__version__}, skorch {skorch.__version__}")
    print(f"{N_ROWS} x {N_FEATURES}, batch {BATCH}, {EPOCHS} epochs, median of {args.rounds} interleaved rounds")
    print(f"{'':34}{'seconds':>9}{'/ Adam':>9}{'/ fused':>9}")
    for name, times in seconds.items():
        median = statistics.median(times)
        print(f"{name:34}{median:9.3f}{median / plain:9.2f}{median / fused:9.2f}")


if __name__ == "__main__":
    main()
