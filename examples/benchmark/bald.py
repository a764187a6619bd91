"""Where BALD fails, and why: variants of it, of its network and of its start, and what rows they ask for.

    python examples/benchmark/bald.py --data FOLDER [--store FOLDER] [--seeds 10] [--jobs 2] [--only SET ...]

Prints, for each set and budget of the benchmark, how far each variant is above random picks, and of the rows it asked
for: how many classes they hold, how frequent those are, how many rows are of a class that had no label yet, how much
they resemble rows that have labels and each other, and how typical they are of the pool. Verdicts are corrected for the
strategies that are played with a network, each of which has random picks of its own.
"""

import argparse

import pandas as pd
from asked import asked_for
from run import common_parser, load, play, sizes
from sets import Rows
from sklearn.base import clone
from strategies import model_for

from alkit import LaplaceClassifier, get_strategy
from alkit.strategies import class_balanced, diversified

BASIC = {"random": "random", "margin": "margin", "bald": "bald"}
VARIANTS = BASIC | {
    "entropy": "entropy",
    "power_bald": "power_bald",
    "bald, K=100": get_strategy("bald", n_samples=100),
    "bald, diversified": diversified("bald"),
    "bald, class_balanced": class_balanced("bald"),
    "typiclust, then bald": ("typiclust", "bald"),
    "typiclust, then random": ("typiclust", "random"),
}
MANY_CLASSES = ("glosses, 41 classes", "emoji, 95 classes")


def networks() -> dict[str, tuple]:
    """Return networks by name, each with the strategies that it is played with."""
    plain = model_for("classes")
    fewer = clone(plain).set_params(dropout=0.2)
    return {
        "plain": (plain, VARIANTS),
        "dropout .2": (fewer, BASIC),
        "laplace": (LaplaceClassifier(plain), BASIC),
    }


def compare(name: str, rows: Rows, budget: str, options: argparse.Namespace) -> pd.DataFrame:
    """Play a set with a budget, and return a row per network and strategy."""
    size = sizes(budget, int(0.6 * len(rows.y)), quick=False)
    tables, runs = [], []
    for network, (model, strategies) in networks().items():
        title = f"bald, {name}, {budget}"
        comparison = play(title, rows, {network: model}, strategies, options.seeds, options, **size)
        gains = comparison.summary()[["area", "gain", "gain_low", "gain_high", "verdict"]]
        accuracy = comparison.scored_by("accuracy").summary()["gain"].rename("gain in accuracy")
        tables.append(pd.concat({network: gains.join(accuracy)}, names=["network"]))
        runs += comparison.runs
    return pd.concat(tables).join(asked_for(runs, rows))


def main() -> None:
    """Print a table per set and budget."""
    parser = common_parser(__doc__)
    parser.set_defaults(seeds=10, only=["digits", *MANY_CLASSES])
    options = parser.parse_args()
    pd.set_option("display.width", 200, "display.max_columns", 20, "display.precision", 3)
    for name, rows in load(options).items():
        for budget in ("low", "high"):
            print(f"\n{name}, {budget} budget, {options.seeds} seeds, by {rows.scoring[0]}\n")
            print(compare(name, rows, budget, options).to_string(float_format="%.3f"), flush=True)


if __name__ == "__main__":
    main()
