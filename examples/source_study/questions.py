"""The study's questions, a function each: given data and sizes, it answers with tables and a picture."""

from dataclasses import dataclass
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from joblib import Parallel, delayed
from torch import nn

from alkit import MultimodalClassifier, NetClassifier, compare_strategies
from alkit.experiment import LearningCurveDisplay, PenaltyMatrixDisplay, score_gain_correlation
from alkit.experiment.curves import mean_interval
from alkit.nets import MultimodalLearningLossClassifier

GAINS = ["area", "area_std", "gain", "gain_low", "gain_high", "p_value"]
SAVINGS = ["final", "final_std", "labels_to_target", "saved", "saved_low", "saved_high"]


@dataclass(frozen=True)
class Sizes:
    """How much is played."""

    n_seeds: int = 5
    n_initial: int = 200
    n_instances: int = 50
    n_queries: int = 14
    max_epochs: int | None = None
    n_train: int = 800
    n_pool: int = 1000
    n_groups: int = 50
    store: str | None = None

    def compared(self, question, **other):
        """What `compare_strategies` is given for a question."""
        sizes = {name: getattr(self, name) for name in ("n_seeds", "n_initial", "n_instances", "n_queries")}
        store = None if self.store is None else f"{self.store}/{question}"
        return {**sizes, "n_jobs": 2, "store": store} | other


def network(posts, sizes, kind=MultimodalClassifier, **settings):
    """The study's network: an encoder for each modality, fusion, a head on each beside the joint one."""
    return kind(posts.modalities, **{"lr": 0.002, "max_epochs": sizes.max_epochs} | settings)


def over_seeds(values, names):
    """Mean, 95 % interval and standard deviation over seeds of the columns of (seeds, columns)."""
    values = np.asarray(values)
    low, high = zip(*(mean_interval(column) for column in values.T), strict=True)
    return pd.DataFrame({"mean": values.mean(0), "low": low, "high": high, "sd": values.std(0, ddof=1)}, index=names)


def draw(ax, table, title):
    """Draw means with their intervals."""
    error = [table["mean"] - table["low"], table["high"] - table["mean"]]
    ax.errorbar(range(len(table)), table["mean"], error, fmt="o", capsize=4)
    ax.set_xticks(range(len(table)), table.index, rotation=25, ha="right")
    ax.set_title(title)
    ax.grid(alpha=0.3, axis="y")


def modalities_and_weights(posts, sizes):
    """Is one modality enough, or are both better? Do learnt weights of the three losses help?"""
    heads = ("joint", *posts.modalities)

    def accuracies(weights, seed):
        torch.set_num_threads(1)
        net = network(posts, sizes, loss_weights=weights, random_state=seed).fit(posts.X, posts.y)
        right = [np.mean(net.predict(posts.X_test, head=head) == posts.y_test) for head in heads]
        return [*right, *net.loss_weights_.values()]

    runs = {
        weights: np.array(Parallel(n_jobs=2)(delayed(accuracies)(weights, seed) for seed in range(sizes.n_seeds)))
        for weights in ("uncertainty", "sum")
    }
    names = [*heads, *(f"weight of {head}" for head in heads)]
    found = {weights: over_seeds(of_seeds, names) for weights, of_seeds in runs.items()}
    joint, *single = runs["uncertainty"].T[: len(heads)]
    differences = {
        "learnt weights above a sum, joint head": joint - runs["sum"][:, 0],
        "joint head above the best single head": joint - np.max(single, axis=0),
    }
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.8), sharey=True, layout="constrained")
    for ax, (weights, table) in zip(axes, found.items(), strict=True):
        draw(ax, table.loc[list(heads)], f"accuracy of each head, losses weighted by {weights}")
    tables = {f"loss_weights={weights!r}: accuracy by head": table for weights, table in found.items()}
    return tables | {"seed by seed": over_seeds(np.transpose([*differences.values()]), [*differences])}, figure


def batches(posts, sizes):
    """Batch size 512 and 50 new labels per round: does it matter what becomes of the rest that fills no batch?"""
    ways = ("fixed", "upsample", "flexible")
    # the default trains for optimizer steps, whatever the batches; what an epoch leaves out shows where epochs count
    cut = {"batch_size": 512, "lr": 0.005, "max_epochs": sizes.max_epochs or 30}
    models = {way: network(posts, sizes, batching=way, **cut) for way in ways}
    settings = sizes.compared("batches", n_seeds=2 * sizes.n_seeds, n_initial=max(sizes.n_initial, 520))
    comparison = compare_strategies(models, **posts._asdict(), strategies=["random"], **settings)
    curves = {way: comparison.curves()[way, "random"][1] for way in ways}
    # what a curve does from round to round, less its trend: the spread of its steps
    steps = {way: np.diff(score, axis=1).std(1, ddof=1) for way, score in curves.items()}
    accuracy = over_seeds(np.transpose([score.mean(1) for score in curves.values()]), ways)
    spread = over_seeds(np.transpose([*steps.values()]), ways)
    against = [steps[way] - steps["fixed"] for way in ways[1:]]
    figure, axes = plt.subplots(1, 3, figsize=(12, 3.8), layout="constrained")
    LearningCurveDisplay.from_comparison(comparison, ax=axes[0], score_name="accuracy")
    draw(axes[1], accuracy, "mean accuracy over rounds")
    draw(axes[2], spread, "spread of accuracy between rounds")
    return {
        "mean accuracy over rounds": accuracy,
        "spread of accuracy between rounds": spread,
        "spread against fixed, seed by seed": over_seeds(np.transpose(against), ways[1:]),
    }, figure


def uncertainty(posts, sizes):
    """Uncertainty of one network, or of a committee drawn by MC dropout?"""
    kinds = ("least_confident", "margin", "entropy")
    strategies = ["random", *kinds, *(f"mc_{kind}" for kind in kinds), "bald"]
    comparison = compare_strategies(
        network(posts, sizes), **posts._asdict(), strategies=strategies, **sizes.compared("uncertainty")
    )
    return _compared(comparison)


def batch_norm(posts, sizes):
    """What does BALD lose where BatchNorm is left in training mode?"""
    settings = {"lr": 0.002, "max_epochs": sizes.max_epochs}
    models = {
        "BatchNorm taken out": NetClassifier(BatchNormNet, **settings),
        "BatchNorm left in": BatchNormLeftIn(BatchNormNet, **settings),
    }
    rows = posts.joined()
    comparison = compare_strategies(models, **rows, strategies=["random", "bald"], **sizes.compared("batch_norm"))
    figure, ax = plt.subplots(figsize=(7, 4.2), layout="constrained")
    LearningCurveDisplay.from_comparison(comparison, ax=ax, score_name="accuracy")
    summary = comparison.summary()

    right = {name: [] for name in models}
    for seed in range(sizes.n_seeds):
        first = np.random.default_rng(seed).permutation(len(rows["y"]))[: sizes.n_initial]
        for name, model in models.items():
            net = model.set_params(random_state=seed).fit(rows["X"][first], rows["y"][first])
            proba = net.sample_proba(rows["X_test"], n_samples=50, random_state=seed).mean(1)
            right[name].append(np.mean(net.classes_[proba.argmax(1)] == rows["y_test"]))
    right["difference"] = np.subtract(*right.values())
    return {
        "gain on random": summary[GAINS],
        f"accuracy of the mean of 50 samples, {sizes.n_initial} labels": over_seeds(
            np.transpose([*right.values()]), [*right]
        ),
    }, figure


def learning_loss(posts, sizes):
    """Does a predicted loss choose well, and how well would the true one?"""
    model = network(posts, sizes, MultimodalLearningLossClassifier)
    strategies = ["random", "margin", "learning_loss", "ideal_loss"]
    comparison = compare_strategies(model, **posts._asdict(), strategies=strategies, **sizes.compared("learning_loss"))
    return _compared(comparison)


def gain(posts, sizes):
    """Does a score predict what a label gives?"""
    model = network(posts, sizes, MultimodalLearningLossClassifier)
    scores = ["margin", "entropy", "bald", "ideal_loss", "learning_loss"]
    found = score_gain_correlation(
        model, **posts._asdict(), scores=scores, n_train=sizes.n_train, n_pool=sizes.n_pool, n_groups=sizes.n_groups,
        n_seeds=sizes.n_seeds, n_jobs=2,
    )  # fmt: skip
    table = found.summary()
    by_score = table["r"].unstack("score")[scores]
    return {
        f"correlation of score and gain, mean over seeds, n = {sizes.n_groups} groups": over_seeds(by_score, scores),
        "the same, seed by seed": table,
    }, found.plot().figure_


def labels_saved(sets, sizes):
    """How many labels does margin sampling save against passive learning?"""
    figure, axes = plt.subplots(1, len(sets), figsize=(4.6 * len(sets), 3.8), layout="constrained")
    tables = {}
    for ax, (name, posts) in zip(axes, sets.items(), strict=True):
        few = {"n_initial": 20, "n_instances": 10, "n_queries": min(sizes.n_queries, 10)} if "digits" in name else {}
        settings = sizes.compared(f"labels_saved_{name.replace(' ', '_')}", **few)
        comparison = compare_strategies(network(posts, sizes), **posts._asdict(), strategies=["margin"], **settings)
        LearningCurveDisplay.from_comparison(comparison, ax=ax, score_name="accuracy")
        ax.set_title(name)
        tables[name] = comparison.summary()[[*GAINS[2:], *SAVINGS]]
    return {"margin against random": pd.concat(tables, names=["data"])}, figure


def _compared(comparison):
    """Tables and picture of a comparison."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(13, 4.8), layout="constrained")
    LearningCurveDisplay.from_comparison(comparison, ax=left, score_name="accuracy")
    PenaltyMatrixDisplay.from_comparison(comparison, ax=right)
    summary = comparison.summary()
    return {"gain on random": summary[GAINS], "labels saved against random": summary[SAVINGS]}, figure


class BatchNormNet(nn.Sequential):
    """A perceptron with BatchNorm and dropout."""

    def __init__(self, n_features, n_classes):
        hidden = [nn.Linear(n_features, 256), nn.BatchNorm1d(256), nn.ReLU(), nn.Dropout(0.5)]
        super().__init__(*hidden, nn.Linear(256, 128), nn.BatchNorm1d(128), nn.ReLU(), nn.Dropout(0.5),
                         nn.Linear(128, n_classes))  # fmt: skip


class BatchNormLeftIn(NetClassifier):
    """MC dropout as it is often done: the whole network in training mode, BatchNorm too."""

    def sample_proba(self, X: np.ndarray, n_samples: int = 20, random_state: Any = None) -> np.ndarray:
        """Draw by plain passes in training mode, (n, K, C); running statistics are put back."""
        kept = {name: value.clone() for name, value in self.module_.state_dict().items()}
        with torch.random.fork_rng(), torch.no_grad():
            torch.manual_seed(random_state)
            self.module_.train()
            samples = [self.module_(torch.as_tensor(X)).softmax(-1) for _ in range(n_samples)]
        self.module_.load_state_dict(kept)
        self.module_.eval()
        return torch.stack(samples, 1).numpy()
