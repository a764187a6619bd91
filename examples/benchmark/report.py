"""Tables of the benchmark: each set, mean ranks, labels saved, who beats whom, failures, and the check of random."""

from pathlib import Path

import numpy as np
import pandas as pd
from asked import of_sets as asked_of_sets
from pictures import draw
from sets import Rows
from strategies import RANDOM_AGAIN

from alkit.experiment import Comparison
from alkit.experiment.curves import area_under_curve, holm, mean_interval, paired_savings, paired_test

COLUMNS = ["area", "gain", "gain_low", "gain_high", "p_value", "verdict", "saved", "saved_low", "saved_high"]
N_BOOTSTRAPS, N_TRIALS, N_OF_BEST, LEVEL = 2000, 200, 5, 0.05


def of_sets(comparisons: dict[tuple[str, str], Comparison], kinds: dict[str, str]) -> pd.DataFrame:
    """Return one row per set, budget, scorer and strategy, as `Comparison.summary` has it, with seconds per query."""
    frames = []
    for (name, budget), comparison in comparisons.items():
        for scorer in comparison.scorers:
            shown = comparison.scored_by(scorer)
            summary = shown.summary()
            n_queries = len(shown.runs[0].n_labels) - 1
            frame = summary[COLUMNS].assign(seconds_per_query=summary["query_seconds"] / max(1, n_queries))
            frame.insert(0, "main", scorer == next(iter(comparison.scorers)))
            frame.insert(0, "rank", summary["area"].rank(ascending=False))
            frame.insert(0, "n_seeds", len({run.seed for run in shown.runs}))
            where = {"kind": kinds[name], "set": name, "budget": budget, "scorer": scorer}
            frames.append(frame.reset_index().assign(**where))
    table = pd.concat(frames, ignore_index=True)
    first = ["kind", "set", "budget", "scorer", "strategy"]
    return table[[*first, *table.columns.drop(first)]]


def of_strategies(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row per kind of set, budget and strategy, over sets, by the scorer that counts on each.

    Intervals are over sets: percentiles of means of sets drawn with replacement. Of one set there is none.
    """
    rows = []
    for (kind, budget, strategy), frame in table[table["main"]].groupby(["kind", "budget", "strategy"], sort=False):
        rank_low, rank_high = _interval_over_sets(frame["rank"])
        saved_low, saved_high = _interval_over_sets(frame["saved"])
        rows.append(
            {
                "kind": kind, "budget": budget, "strategy": strategy, "n_sets": len(frame),
                "mean_rank": frame["rank"].mean(), "rank_low": rank_low, "rank_high": rank_high,
                "saved": frame["saved"].mean(), "saved_low": saved_low, "saved_high": saved_high,
                "better": (frame["verdict"] == "better").sum(), "worse": (frame["verdict"] == "worse").sum(),
                "worse_on": "; ".join(frame.loc[frame["verdict"] == "worse", "set"]),
                "seconds_per_query": frame["seconds_per_query"].mean(),
            }
        )  # fmt: skip
    return pd.DataFrame(rows).sort_values(["kind", "budget", "mean_rank"], ignore_index=True)


def _interval_over_sets(values: pd.Series) -> tuple[float, float]:
    """Return the 95 % interval of a mean over sets."""
    if len(values) < 2:
        return float("nan"), float("nan")
    drawn = np.random.default_rng(0).integers(len(values), size=(N_BOOTSTRAPS, len(values)))
    low, high = np.percentile(values.to_numpy()[drawn].mean(1), [2.5, 97.5])
    return float(low), float(high)


def who_beats_whom(comparisons: dict[tuple[str, str], Comparison], kinds: dict[str, str]) -> dict[str, pd.DataFrame]:
    """Return, of each kind of set, the share of rounds in which the row's strategy beats the column's.

    Mean over sets and budgets; a pair that does not meet on a set is left out there.
    """
    found = {}
    for kind in dict.fromkeys(kinds.values()):
        matrices = [c.penalty_matrix() for (name, _), c in comparisons.items() if kinds[name] == kind]
        mean = pd.concat(matrices).groupby(level="wins", sort=False).mean()
        found[kind] = mean[list(mean.index)].rename_axis(columns="loses")
    return found


def null_check(comparisons: dict[tuple[str, str], Comparison], table: pd.DataFrame) -> pd.Series:
    """Return what random seems to save against random, over sets and budgets, and how often it passes as better.

    By one scorer per set: scores of the same run by others are no further evidence.
    """
    again = table[table["main"] & (table["strategy"] == RANDOM_AGAIN)]
    low, high = mean_interval(again["saved"])
    found = {
        "comparisons": len(again), "saved": again["saved"].mean(), "saved_low": low, "saved_high": high,
        "better": (again["verdict"] == "better").mean(), "worse": (again["verdict"] == "worse").mean(),
    }  # fmt: skip
    scored = [comparison.scored_by(next(iter(comparison.scorers))) for comparison in comparisons.values()]
    exchanged = [_exchanged(comparison, seed) for seed, comparison in enumerate(scored)]
    return pd.Series(found | pd.DataFrame(exchanged).mean().to_dict())


def _exchanged(comparison: Comparison, seed: int) -> dict[str, float]:
    """Return how often chance passes for a finding, over trials that exchange the two random curves of some seeds.

    Both are uniform and start alike, so that every exchange is another comparison of random with random.
    """
    curves = {strategy: curve for (_, strategy), curve in comparison.curves().items()}
    random, again = curves["random"], curves[RANDOM_AGAIN]
    gain_R = np.subtract(*(list(map(area_under_curve, *curve)) for curve in (again, random)))
    saved_R = paired_savings(*again, *random)
    signs = np.random.default_rng(seed).choice([-1, 1], size=(N_TRIALS, N_OF_BEST, len(gain_R)))
    passes, excluded = [], []
    for sign_M_R in signs:
        p_values = holm([paired_test(sign_R * gain_R) for sign_R in sign_M_R])
        passes.append(np.any((p_values < LEVEL) & (sign_M_R @ gain_R > 0)))
        low, high = mean_interval(sign_M_R[0] * saved_R)
        excluded.append(not low <= 0 <= high)
    return {f"best of {N_OF_BEST} passes as better": np.mean(passes), "intervals without 0": np.mean(excluded)}


def write(comparisons: dict[tuple[str, str], Comparison], sets: dict[str, Rows], folder: Path) -> None:
    """Write tables and pictures, and print what they say."""
    folder.mkdir(parents=True, exist_ok=True)
    kinds = {name: rows.kind for name, rows in sets.items()}
    table = of_sets(comparisons, kinds)
    strategies = of_strategies(table)
    table.to_csv(folder / "sets.csv", index=False, float_format="%.4g")
    strategies.to_csv(folder / "strategies.csv", index=False, float_format="%.4g")
    asked_of_sets(comparisons, sets).to_csv(folder / "asked.csv", index=False, float_format="%.3g")
    wins = who_beats_whom(comparisons, kinds)
    for kind, matrix in wins.items():
        matrix.to_csv(folder / f"wins_{kind}.csv", float_format="%.3g")
    draw(strategies, wins, folder)
    for (kind, budget), frame in strategies.groupby(["kind", "budget"], sort=False):
        n_sets = frame["n_sets"].max()
        print(f"\n{kind}, {budget} budget, {n_sets} sets: mean rank, labels saved against random, and on how many sets")
        print("significantly better or worse than random (p < .05 after Holm)\n")
        print(frame.drop(columns=["kind", "budget"]).to_string(index=False))
    failed = strategies[strategies["worse"] > 0]
    named = [f"{row.strategy} ({row.budget}: {row.worse_on})" for row in failed.itertuples()]
    print(f"\nworse than random: {', '.join(named) or 'none'}")
    of_random = null_check(comparisons, table)
    of_random.to_csv(folder / "random_against_random.csv", header=False, float_format="%.3g")
    print(f"\nrandom against random\n\n{of_random.to_string()}")
    print(f"\ntables written to {folder}", flush=True)
