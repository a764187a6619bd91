"""The cost of comparing: the harness over the bare loop, and 4 strategies x 5 seeds x 20 rounds against modAL + skorch.

Digits, MLP 64-128-dropout-10, 20 labels and 20 purchases of 10. The bare loop fits and queries by hand, as the harness
does. modAL and skorch as they come: modAL's own classes (repaired by ``import alkit``, or they would not teach), skorch
with the settings it needs to train on 20 labels, BALD by 20 dropout passes over the pool.
Run: ``python tests/benchmarks/loop.py [--seeds 5] [--rounds 20] [--repeats 9]``.
"""

import argparse
import time

import numpy as np
import skorch
import torch
from modAL.models import ActiveLearner as ModalLearner
from modAL.uncertainty import entropy_sampling, margin_sampling
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

from alkit import ActiveLearner, NetClassifier
from alkit.experiment import compare_strategies

N_INITIAL, N_INSTANCES = 20, 10
TRAINING = {"lr": 0.005, "max_epochs": 40, "batch_size": 32}

X, Y = load_digits(return_X_y=True)
X, X_TEST, Y, Y_TEST = train_test_split((X / 16).astype(np.float32), Y, test_size=0.4, stratify=Y, random_state=0)


class DigitsNet(nn.Sequential):
    """64 pixels in, 10 digits out."""

    def __init__(self):
        super().__init__(nn.Linear(64, 128), nn.ReLU(), nn.Dropout(0.5), nn.Linear(128, 10))


def harness(strategies, n_seeds, n_rounds, n_jobs=1):
    """The work, by alkit."""
    compare_strategies(
        NetClassifier(DigitsNet, **TRAINING), X, Y, strategies, X_test=X_TEST, y_test=Y_TEST, n_seeds=n_seeds,
        n_initial=N_INITIAL, n_instances=N_INSTANCES, n_queries=n_rounds, n_jobs=n_jobs,
    )  # fmt: skip


def by_hand(n_rounds):
    """One run of random picks, as one would write it down."""
    bought = np.random.default_rng(0).permutation(len(X))[:N_INITIAL]
    unlabeled = np.ones(len(X), bool)
    unlabeled[bought] = False
    net = clone(NetClassifier(DigitsNet, **TRAINING, classes=range(10), random_state=0))
    learner = ActiveLearner(net, "random", random_state=0)
    for _ in range(n_rounds):
        learner.fit(X[bought], Y[bought])
        np.mean(learner.predict(X_TEST) == Y_TEST)
        picked, _ = learner.query(X, n_instances=N_INSTANCES, candidates=unlabeled)
        unlabeled[picked] = False
        bought = np.concatenate([bought, picked])
    learner.fit(X[bought], Y[bought])
    np.mean(learner.predict(X_TEST) == Y_TEST)


def random_sampling(learner, X_pool, n_instances=1):
    """Any rows."""
    return np.random.choice(len(X_pool), n_instances, replace=False)


def bald_sampling(learner, X_pool, n_instances=1):
    """BALD by 20 passes with dropout."""
    module = learner.estimator.module_.train()
    with torch.no_grad():
        proba_K_N_C = torch.stack([module(torch.from_numpy(X_pool)).softmax(-1) for _ in range(20)])
    entropy = torch.special.entr(proba_K_N_C.mean(0)).sum(-1) - torch.special.entr(proba_K_N_C).sum(-1).mean(0)
    return entropy.topk(n_instances).indices.numpy()


def with_modal_and_skorch(n_seeds, n_rounds):
    """The same work by modAL and skorch."""
    for query_strategy in (random_sampling, margin_sampling, entropy_sampling, bald_sampling):
        for seed in range(n_seeds):
            torch.manual_seed(seed)
            rows = np.random.default_rng(seed).permutation(len(X))
            bought, pool = rows[:N_INITIAL], rows[N_INITIAL:]
            net = skorch.NeuralNetClassifier(
                DigitsNet, criterion=nn.CrossEntropyLoss, optimizer=torch.optim.Adam, iterator_train__shuffle=True,
                train_split=None, verbose=0, classes=range(10), **TRAINING,
            )  # fmt: skip
            X_pool, y_pool = X[pool], Y[pool].astype(np.int64)
            learner = ModalLearner(net, query_strategy, X[bought], Y[bought].astype(np.int64))
            learner.score(X_TEST, Y_TEST)
            for _ in range(n_rounds):
                picked, _ = learner.query(X_pool, n_instances=N_INSTANCES)
                learner.teach(X_pool[picked], y_pool[picked])
                X_pool, y_pool = np.delete(X_pool, picked, axis=0), np.delete(y_pool, picked)
                learner.score(X_TEST, Y_TEST)


def seconds(work, *args):
    """How long it takes."""
    started = time.perf_counter()
    work(*args)
    return time.perf_counter() - started


def main():
    """Time the contestants in turn and print two tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=9)
    options = parser.parse_args()
    torch.set_num_threads(1)
    harness(["random"], 1, 1)
    pairs = []
    for _ in range(options.repeats):
        bare = seconds(by_hand, options.rounds)
        pairs.append((bare, seconds(harness, ["random"], 1, options.rounds)))
    bare, ours = map(min, zip(*pairs, strict=True))  # noise only ever adds
    print(f"\nbare loop {bare:.3f} s, harness {ours:.3f} s, cost {ours / bare - 1:+.1%} (to reach: 3 %)\n")

    strategies = ["random", "margin", "entropy", "bald"]
    peers = seconds(with_modal_and_skorch, options.seeds, options.rounds)
    print(f"4 strategies x {options.seeds} seeds x {options.rounds} rounds (to reach: 60 %)\n")
    print(f"{'modAL + skorch':>16}  {peers:6.1f} s")
    for n_jobs in (1, 2):
        ours = seconds(harness, strategies, options.seeds, options.rounds, n_jobs)
        print(f"{f'alkit, n_jobs={n_jobs}':>16}  {ours:6.1f} s  {ours / peers:4.0%}")


if __name__ == "__main__":
    main()
