"""A class for each pixel: which pictures should be outlined next? Digits drawn into larger pictures, 5 seeds.

Run it with ``python examples/segmentation.py``; it takes about five minutes on 2 cores and saves ``segmentation.png``
beside itself. The network is plain torch: logits of shape (n, classes, height, width).
"""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from sklearn.datasets import load_digits
from sklearn.metrics import f1_score
from torch import nn

from alkit import ActiveLearner, NetClassifier, compare_strategies, get_strategy
from alkit.experiment import LearningCurveDisplay

SIZE = 24
BACKGROUND, FAINT = 0, -100
STRATEGIES = {
    "random": "random",
    "entropy, mean of pixels": "entropy",
    "bald, mean of pixels": "bald",
    "bald, most informative pixel": get_strategy("bald", reduce="max"),
}


class PixelNet(nn.Sequential):
    """One channel of ink in, 11 classes of each pixel out: no digit, or one of ten."""

    def __init__(self, n_classes=11):
        super().__init__(
            nn.Conv2d(1, 24, 5, padding=2), nn.ReLU(), nn.Conv2d(24, 24, 5, padding=2), nn.ReLU(), nn.Dropout2d(0.3),
            nn.Conv2d(24, n_classes, 3, padding=1),
        )  # fmt: skip


def drawn_digits(n, rng):
    """Pictures (n, 1, 24, 24) with up to three digits, and the class of each pixel; faint ink has none."""
    digits, names = load_digits(return_X_y=True)
    digits = digits.reshape(-1, 8, 8)
    pictures = np.zeros((n, 1, SIZE, SIZE), np.float32)
    labels = np.full((n, SIZE, SIZE), BACKGROUND)
    for picture, label in zip(pictures[:, 0], labels, strict=True):
        # a place for each, so that none covers another; most pictures hold one digit or none
        places = rng.permutation(9)[: rng.choice(4, p=[0.4, 0.3, 0.2, 0.1])]
        for row, column in zip(*np.divmod(places, 3), strict=True):
            which = rng.integers(len(digits))
            part = np.s_[8 * row : 8 * row + 8, 8 * column : 8 * column + 8]
            picture[part] = digits[which] / 16
            label[part] = np.where(digits[which] > 6, names[which] + 1, np.where(digits[which] > 0, FAINT, BACKGROUND))
    return pictures + 0.1 * rng.normal(size=pictures.shape).astype(np.float32), labels


def pixel_f1(model, X, y):
    """Mean F1 of the ten digits over pixels; those without a label do not count."""
    counted = y != FAINT
    return f1_score(y[counted], model.predict(X)[counted], labels=range(1, 11), average="macro", zero_division=0)


def draw(comparison, X, y, network, path):
    """Save the learning curves, and what the last strategy asks for after ten pictures."""
    figure = plt.figure(figsize=(12, 4.6), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=(3, 2))
    curves = LearningCurveDisplay.from_comparison(comparison, ax=left.subplots(), score_name="mean F1 of pixels")
    curves.ax_.set(title="Mean of seeds and its 95 % interval", xlabel="pictures outlined")
    learner = ActiveLearner(network, "bald", X[:10], y[:10], random_state=0)
    indices, _, scores = learner.query(X, n_instances=4, candidates=np.arange(10, len(X)), return_metrics=True)
    shown = np.concatenate([indices[:3], np.arange(10, 13)])
    right.suptitle("asked for first by BALD, and three at random")
    for ax, index in zip(right.subplots(2, 3).flat, shown, strict=True):
        ax.imshow(X[index, 0], cmap="gray_r", vmin=0, vmax=1)
        ax.set_axis_off()
    print(f"nats of information per pixel of the pictures asked for first: {scores.round(4)}")
    figure.savefig(path, dpi=110)


def main(n_pool=400, n_test=150, strategies=STRATEGIES, **sizes):
    rng = np.random.default_rng(0)
    X, y = drawn_digits(n_pool, rng)
    X_test, y_test = drawn_digits(n_test, rng)
    network = NetClassifier(PixelNet, task="positions", lr=0.005, max_epochs=40, batch_size=16, random_state=0)
    sizes = {"n_seeds": 5, "n_initial": 10, "n_instances": 10, "n_queries": 6} | sizes
    comparison = compare_strategies(
        network, X, y, strategies, X_test=X_test, y_test=y_test, scoring=pixel_f1, n_jobs=2, **sizes
    )
    pd.set_option("display.width", 160, "display.max_columns", 20, "display.precision", 3)
    print("\nmean F1 of the digits' pixels over the pictures outlined, its gain, and the share of pictures saved\n")
    print(comparison.summary()[["area", "gain", "gain_low", "gain_high", "saved", "saved_low", "saved_high"]])
    path = Path(__file__).with_suffix(".png")
    draw(comparison, X, y, network, path)
    print(f"\ncurves saved to {path}")


if __name__ == "__main__":
    main()
