"""Pictures of the benchmark: ranks and labels saved of each strategy, and who beats whom."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

INCHES_PER_STRATEGY = 0.19


def draw(strategies: pd.DataFrame, wins: dict[str, pd.DataFrame], folder: Path) -> None:
    """Draw tables of the report, a picture of each kind of set and of each matrix."""
    for kind, table in strategies.groupby("kind", sort=False):
        _save(_ranks(kind, table), folder / f"ranks_{kind}.png")
        _save(_wins(kind, wins[kind]), folder / f"wins_{kind}.png")


def _ranks(kind: str, table: pd.DataFrame) -> plt.Figure:
    """Draw mean ranks and labels saved, with few labels and with more, the best on top."""
    budgets = [budget for budget in ("low", "high") if budget in set(table["budget"])]
    height = 1.6 + INCHES_PER_STRATEGY * table["strategy"].nunique()
    figure, axes = plt.subplots(1, 2 * len(budgets), figsize=(6.5 * len(budgets), height), layout="constrained")
    for budget, (left, right) in zip(budgets, axes.reshape(-1, 2), strict=True):
        of_budget = table[table["budget"] == budget].sort_values("mean_rank", ascending=False)
        names = of_budget["strategy"].tolist()
        _bars(left, of_budget, "mean_rank", "rank")
        left.set_yticks(range(len(names)), names, fontsize="small")
        _bars(right, of_budget, "saved", "saved")
        right.set_yticks([])
        right.axvline(0, color="grey", linewidth=1)
        n_sets = of_budget["n_sets"].max()
        left.set(title=f"{kind}, {budget} budget", xlabel=f"mean rank over {n_sets} sets")
        right.set_xlabel("labels saved against random")
    return figure


def _bars(ax: plt.Axes, table: pd.DataFrame, column: str, prefix: str) -> None:
    """Draw a column and its interval, grey for random picks, red where a strategy is worse than those on some set."""
    for place, row in enumerate(table.itertuples()):
        value = getattr(row, column)
        low, high = getattr(row, f"{prefix}_low"), getattr(row, f"{prefix}_high")
        color = "grey" if row.strategy.startswith("random") else "C3" if row.worse else "C0"
        ax.plot([low, high], [place, place], color=color, linewidth=1.5)
        ax.plot(value, place, "o", color=color, markersize=4)
    ax.grid(alpha=0.3)
    ax.set_ylim(-1, len(table))


def _wins(kind: str, matrix: pd.DataFrame) -> plt.Figure:
    """Draw who beats whom, those that are beaten least first."""
    order = matrix.mean().sort_values().index
    matrix = matrix.loc[order, order]
    size = 3.0 + INCHES_PER_STRATEGY * len(matrix)
    figure, ax = plt.subplots(figsize=(size, size), layout="constrained")
    image = ax.imshow(matrix, cmap="Blues", vmin=0, vmax=np.nanmax(matrix.to_numpy()))
    ax.set_xticks(range(len(matrix)), matrix.columns, rotation=90, fontsize="small")
    ax.set_yticks(range(len(matrix)), matrix.index, fontsize="small")
    ax.set(xlabel="is beaten", ylabel="beats", title=kind)
    figure.colorbar(image, ax=ax, shrink=0.6, label="share of rounds")
    return figure


def _save(figure: plt.Figure, path: Path) -> None:
    figure.savefig(path, dpi=80)
    plt.close(figure)
