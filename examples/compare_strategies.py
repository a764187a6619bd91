"""Which strategy saves how many labels, and can that be trusted? Five strategies on handwritten digits, 5 seeds.

Run it with ``python examples/compare_strategies.py``; it takes about a minute on 2 cores and saves
``compare_strategies.png`` beside itself.
"""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

from alkit import DropoutMLPClassifier
from alkit.experiment import LearningCurveDisplay, PenaltyMatrixDisplay, compare_strategies, evaluate_transfer

STRATEGIES = ["random", "margin", "entropy", "bald", "badge"]


def load(n_rows=None):
    """Pool and test set, pixels scaled to [0, 1]."""
    X, y = (rows[:n_rows] for rows in load_digits(return_X_y=True))
    X, X_test, y, y_test = train_test_split(X / 16, y, test_size=0.4, stratify=y, random_state=0)
    return {"X": X, "y": y, "X_test": X_test, "y_test": y_test}


def main(n_rows=None, **sizes):
    data = load(n_rows)
    network = DropoutMLPClassifier(lr=0.005, max_epochs=40, batch_size=32)
    comparison = compare_strategies(network, **data, strategies=STRATEGIES, n_jobs=2, **sizes)
    pd.set_option("display.width", 160, "display.max_columns", 20, "display.precision", 3)
    summary = comparison.summary()
    print("\nmean accuracy over the labels bought, gain on random with its interval and p-value, labels saved\n")
    print(summary[["area", "area_std", "gain", "gain_low", "gain_high", "p_value"]])
    print(summary[["final", "labels_to_target", "reached", "saved", "saved_low", "saved_high", "fit_seconds"]])

    learned = evaluate_transfer(comparison, LogisticRegression(max_iter=1000), **data, n_jobs=2)
    print("\nthe same labels, bought by the network, teach a logistic regression: mean accuracy over rounds\n")
    print(learned.groupby("strategy")["score"].mean().round(3).to_string())

    figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4.6), layout="constrained")
    LearningCurveDisplay.from_comparison(comparison, ax=left, score_name="accuracy on held-out digits")
    PenaltyMatrixDisplay.from_comparison(comparison, ax=right)
    left.set_title("Digits: mean of seeds and its 95 % interval")
    path = Path(__file__).with_suffix(".png")
    figure.savefig(path, dpi=120)
    print(f"\npicture saved to {path}")


if __name__ == "__main__":
    main()
