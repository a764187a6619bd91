"""Which strategy? Every strategy that fits, on twelve real sets, with few labels and with many.

    python examples/benchmark/run.py --data FOLDER [--store FOLDER] [--seeds 20] [--jobs 2] [--only SET ...]
                                     [--strategies NAME ...] [--quick]

FOLDER holds the folders `spam_assassin`, `emoji`, `uci_mfeat`, `wordnet_gloss` and `concrete`, as README.md beside this
file says how to get them; a set that is not there is left out, and three come with scikit-learn. Finished runs are
kept in the store, so that a benchmark that was stopped goes on where it was. Seeds are played in rounds over all sets,
so that there are results for all of them early; how long the rest will take is printed after the first two seeds.
Tables are written to `results` in the store: copy them beside this file to publish them. With --strategies only some
compete, beside random, and tables go to `results_of_some`; what they played counts when all do.
"""

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd
import report
from sets import ALWAYS_THERE, SETS, Folders, Rows
from sklearn.model_selection import GroupShuffleSplit
from strategies import RANDOM, contestants, model_for

from alkit import compare_strategies
from alkit.experiment import Comparison

SEEDS_SO_FAR = (2, 5, 10)
"""After so many seeds of all sets there are tables, and an estimate of the time that the rest takes."""


def sizes(budget: str, n_pool: int, quick: bool) -> dict[str, int]:
    """Return how many labels a budget has: up to 70, or up to 350; at most about half of the pool."""
    if quick:
        return {"n_initial": 20, "n_instances": 10, "n_queries": 2}
    if budget == "low":
        return {"n_initial": 10, "n_instances": min(12, n_pool // 25), "n_queries": 5}
    return {"n_initial": 50, "n_instances": min(60, n_pool // 15), "n_queries": 5}


def compare(name: str, rows: Rows, budget: str, n_seeds: int, options: argparse.Namespace) -> Comparison:
    """Play the contestants on a set with a budget."""
    strategies = contestants(rows.kind, rows.y)
    if options.strategies:
        strategies = {key: entry for key, entry in strategies.items() if key in {*options.strategies, *RANDOM}}
    size = sizes(budget, int(0.6 * len(rows.y)), options.quick)
    return play(f"{name}, {budget}", rows, model_for(rows.kind), strategies, n_seeds, options, **size)


def play(
    title: str, rows: Rows, model: Any, strategies: Any, n_seeds: int, options: argparse.Namespace, **size: int
) -> Comparison:
    """Play strategies, each seed on a split of its own; what is played is kept under the title."""
    store = options.store / "runs" / title.replace(", ", "-").replace(" ", "_")
    store.parent.mkdir(parents=True, exist_ok=True)
    return compare_strategies(
        model,
        rows.X,
        rows.y,
        strategies,
        cv=GroupShuffleSplit(n_seeds, test_size=0.4, random_state=0),
        groups=rows.groups,
        scoring=rows.scoring,
        n_seeds=n_seeds,
        n_jobs=options.jobs,
        store=store,
        **size,
    )


def load(options: argparse.Namespace) -> dict[str, Rows]:
    """Load the sets that are there."""
    folders = Folders(options.data, options.embeddings or options.store / "embeddings")
    found = {}
    for name in options.only or SETS:
        try:
            found[name] = SETS[name](folders)
        except (OSError, ImportError) as error:
            print(f"{name} is left out: {error}")
    return found


def seconds_left(comparisons: dict, n_seeds: int, n_jobs: int) -> float:
    """Return how long the seeds that are missing will take, by the time that those played took."""
    per_seed = 0.0
    for comparison in comparisons.values():
        runs = comparison.runs
        played = sum(run.query_seconds.sum() + run.fit_seconds.sum() for run in runs)
        per_seed += played / len({run.seed for run in runs})
    done = min(len({run.seed for run in comparison.runs}) for comparison in comparisons.values())
    return per_seed * (n_seeds - done) / n_jobs


def common_parser(description: str | None) -> argparse.ArgumentParser:
    """Return a parser of what all scripts of the benchmark take."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--store", type=Path, default=Path("benchmark"))
    parser.add_argument("--embeddings", type=Path, help="where embeddings are kept; by default in the store")
    parser.add_argument("--seeds", type=int)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", nargs="+", choices=list(SETS))
    return parser


def read_options() -> argparse.Namespace:
    """Read the command line."""
    parser = common_parser(__doc__)
    parser.add_argument("--strategies", nargs="+", help="only these, and random")
    parser.add_argument("--quick", action="store_true", help="two seeds, two queries, two sets of scikit-learn")
    options = parser.parse_args()
    if options.seeds is None:
        options.seeds = 2 if options.quick else 20
    if options.seeds < 2:
        parser.error(f"--seeds {options.seeds}: a test over seeds needs two")
    if options.quick and not options.only:
        options.only = [name for name in ALWAYS_THERE if name != "digits, uneven"]
    return options


def main() -> None:
    """Play the sets, round after round, and write tables after each."""
    options = read_options()
    n_seeds = options.seeds
    pd.set_option("display.width", 160, "display.max_columns", 20, "display.max_rows", 200, "display.precision", 3)
    sets, budgets = load(options), ("low",) if options.quick else ("low", "high")
    known = {name for rows in sets.values() for name in contestants(rows.kind, rows.y)}
    if unknown := set(options.strategies or ()) - known:
        sys.exit(f"no set has strategies {sorted(unknown)}; there are {sorted(known)}")
    for seeds in [*(n for n in SEEDS_SO_FAR if n < n_seeds), n_seeds]:
        started = time.perf_counter()
        comparisons = {}
        for name, rows in sets.items():
            for budget in budgets:
                print(f"\n{name}, {budget} budget: {len(rows.y)} rows, {seeds} of {n_seeds} seeds", flush=True)
                comparisons[name, budget] = compare(name, rows, budget, seeds, options)
        hours, left = (time.perf_counter() - started) / 3600, seconds_left(comparisons, n_seeds, options.jobs) / 3600
        print(f"\n{seeds} seeds of all sets; this round took {hours:.2f} hours, the rest takes about {left:.2f} hours")
        # of some strategies, ranks and corrections are others
        report.write(comparisons, sets, options.store / ("results_of_some" if options.strategies else "results"))


if __name__ == "__main__":
    main()
