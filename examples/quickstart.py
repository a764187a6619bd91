"""Which rows should be labelled? Random picks against margin, entropy and BALD on handwritten digits, 5 seeds.

Run it with ``python examples/quickstart.py``; it takes about two minutes on 2 cores and saves ``quickstart.png``
beside itself.
"""

from pathlib import Path

import pandas as pd
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

from alkit import NetClassifier, compare_strategies
from alkit.experiment import LearningCurveDisplay


class DigitsNet(nn.Sequential):
    """64 pixels in, 10 digits out, with the dropout that BALD needs."""

    def __init__(self):
        super().__init__(nn.Linear(64, 128), nn.ReLU(), nn.Dropout(0.5), nn.Linear(128, 10))


def main(strategies=("random", "margin", "entropy", "bald"), **sizes):
    X, y = load_digits(return_X_y=True)
    X, X_test, y, y_test = train_test_split(X / 16, y, test_size=0.4, stratify=y, random_state=0)
    network = NetClassifier(DigitsNet, lr=0.005)
    sizes = {"n_instances": 20, "n_queries": 10} | sizes
    comparison = compare_strategies(network, X, y, strategies, X_test=X_test, y_test=y_test, n_jobs=2, **sizes)

    pd.set_option("display.width", 160, "display.max_columns", 20, "display.precision", 3)
    table = comparison.to_frame().pivot_table("score", "n_labels", "strategy", sort=False)
    print("\naccuracy on held-out digits by labels acquired, mean of seeds\n", table, sep="\n")
    print("\nlabels that reach random's final accuracy, the share saved and its 95 % interval; gain in mean accuracy\n")
    print(comparison.summary()[["labels_to_target", "saved", "saved_low", "saved_high", "gain", "p_value"]])

    path = Path(__file__).with_suffix(".png")
    display = LearningCurveDisplay.from_comparison(comparison, band="std", score_name="accuracy on held-out digits")
    display.ax_.set_title("Digits: mean of seeds and their spread")
    display.figure_.savefig(path, dpi=120)
    print(f"\ncurves saved to {path}")


if __name__ == "__main__":
    main()
