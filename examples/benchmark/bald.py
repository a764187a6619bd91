"""Where BALD fails, and why: variants of it, of its network and of its start, and what rows they ask for.

    python examples/benchmark/bald.py --data FOLDER [--store FOLDER] [--seeds 10] [--jobs 2] [--only SET ...]

Prints, for each set and budget of the benchmark, how far each variant is above random picks, and of the rows it asked
for: how many classes they hold, how frequent those are, how many rows are of a class that had no label yet, how much
they resemble rows that have labels and each other, and how typical they are of the pool. Verdicts are corrected for the
strategies that are played with a network, each of which has random picks of its own.
"""

import argparse
from collections.abc import Sequence

import numpy as np
import pandas as pd
from run import common_parser, load, play, sizes
from sets import Rows
from sklearn.base import clone
from sklearn.metrics.pairwise import cosine_similarity
from strategies import model_for

from alkit import LaplaceClassifier, get_strategy
from alkit.experiment.runs import Run
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
N_NEIGHBOURS = 20
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


def asked_for(runs: Sequence[Run], rows: Rows) -> pd.DataFrame:
    """Return what rows each strategy asked for, mean over seeds and queries."""
    similarity_n_n = cosine_similarity(rows.X)
    nearest_n_k = np.sort(similarity_n_n, axis=1)[:, -N_NEIGHBOURS - 1 : -1]
    density = pd.Series(nearest_n_k.mean(1)).rank(pct=True).to_numpy()
    _, code, count = np.unique(rows.y, return_inverse=True, return_counts=True)
    found = []
    for run in runs:
        for start, stop in zip(run.n_labels[:-1], run.n_labels[1:], strict=True):
            labelled, query = np.split(run.labeled_indices[:stop], [start])
            each_other = similarity_n_n[np.ix_(query, query)] - 2 * np.eye(len(query))
            row = {
                "classes in the end": len(np.unique(rows.y[run.labeled_indices])),
                "share of its class": count[code[query]].mean() / len(code),
                "of a new class": np.mean(~np.isin(rows.y[query], rows.y[labelled])),
                "like one labelled": similarity_n_n[np.ix_(query, labelled)].max(1).mean(),
                "like another": each_other.max(1).mean(),
                "typical": density[query].mean(),
            }
            found.append({"network": run.estimator, "strategy": run.strategy} | row)
    return pd.DataFrame(found).groupby(["network", "strategy"], sort=False).mean()


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
