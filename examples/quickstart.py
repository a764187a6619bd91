"""Which rows should be labelled? Random picks against margin, entropy and BALD on handwritten digits, 5 seeds.

Run it with ``python examples/quickstart.py``; it takes about two minutes on 2 cores and saves ``quickstart.png``
beside itself.
"""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import torch
from joblib import Parallel, delayed
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from tqdm.auto import tqdm

from alkit import ActiveLearningClassifier, NetClassifier

STRATEGIES = ("random", "margin", "entropy", "bald")
SEEDS = range(5)


class DigitsNet(nn.Sequential):
    """64 pixels in, 10 digits out, with the dropout that BALD needs."""

    def __init__(self):
        super().__init__(nn.Linear(64, 128), nn.ReLU(), nn.Dropout(0.5), nn.Linear(128, 10))


def learning_curve(strategy, seed):
    """Accuracy on held-out digits after each round of one run, and the labels it had in hand."""
    torch.set_num_threads(1)  # two runs share two cores, and results do not depend on how many run at a time
    X, y = load_digits(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(X / 16, y, test_size=0.4, stratify=y, random_state=seed)
    loop = ActiveLearningClassifier(
        NetClassifier(DigitsNet, lr=0.005, max_epochs=40, batch_size=32),
        query_strategy=strategy,
        n_initial=20,
        n_instances=10,
        n_queries=20,
        random_state=seed,
    ).fit(X_train, y_train)
    return loop.n_labels_, [np.mean(predicted == y_test) for predicted in loop.staged_predict(X_test)]


def labels_to_reach(target, n_labels, accuracy):
    """Labels after which a curve first reaches a target, or None."""
    reached = np.flatnonzero(accuracy >= target)
    return int(n_labels[reached[0]]) if reached.size else None


def report(n_labels, curves):
    """Print accuracy by labels bought, and the labels each strategy needs for random's final accuracy."""
    print("\naccuracy on held-out digits, mean and standard deviation of 5 seeds\n")
    print("labels  " + "".join(f"{name:>16}" for name in STRATEGIES))
    for round_, n in enumerate(n_labels):
        if round_ % 2 == 0:
            cells = (f"{c[:, round_].mean():.3f} +- {c[:, round_].std(ddof=1):.3f}" for c in curves.values())
            print(f"{n:>6}  " + "".join(f"{cell:>16}" for cell in cells))
    target = curves["random"].mean(0)[-1]
    print(f"\nlabels to reach random's accuracy after {n_labels[-1]} labels, {target:.3f}\n")
    for name, accuracy in curves.items():
        needed = labels_to_reach(target, n_labels, accuracy.mean(0))
        saved = f"{needed} ({1 - needed / n_labels[-1]:.0%} fewer)" if needed else "not reached"
        print(f"{name:>8}  {saved}")


def plot(n_labels, curves, path):
    """Draw the mean curves with bands of one standard deviation."""
    figure, axes = plt.subplots(figsize=(7, 4.2), layout="constrained")
    for name, accuracy in curves.items():
        mean, spread = accuracy.mean(0), accuracy.std(0, ddof=1)
        (line,) = axes.plot(n_labels, mean, label=name, color="grey" if name == "random" else None)
        axes.fill_between(n_labels, mean - spread, mean + spread, alpha=0.15, color=line.get_color())
    axes.axhline(curves["random"].mean(0)[-1], color="grey", linestyle=":", linewidth=1)
    axes.set(xlabel="labels bought", ylabel="accuracy on held-out digits", title="Digits, 5 seeds: mean and spread")
    axes.legend(loc="lower right")
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=120)
    print(f"\ncurves saved to {path}")


def main():
    runs = [(strategy, seed) for strategy in STRATEGIES for seed in SEEDS]
    jobs = Parallel(n_jobs=2, return_as="generator")(delayed(learning_curve)(*run) for run in runs)
    results = dict(zip(runs, tqdm(jobs, total=len(runs), desc="runs"), strict=True))
    n_labels = results[runs[0]][0]
    curves = {name: np.array([results[name, seed][1] for seed in SEEDS]) for name in STRATEGIES}
    report(n_labels, curves)
    plot(n_labels, curves, Path(__file__).with_suffix(".png"))


if __name__ == "__main__":
    main()
