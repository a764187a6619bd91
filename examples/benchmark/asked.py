"""What rows strategies ask for: of which classes, how like rows with labels and each other, how typical of all rows."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from sets import Rows
from sklearn.metrics.pairwise import cosine_similarity

from alkit.experiment import Comparison
from alkit.experiment.runs import Run

N_NEIGHBOURS = 20
Describe = Callable[[np.ndarray, np.ndarray], dict[str, float]]
"""Describes a query: positions of rows that had labels, and of those asked for."""


def of_sets(comparisons: dict[tuple[str, str], Comparison], sets: dict[str, Rows]) -> pd.DataFrame:
    """Return one row per set, budget and strategy, as `asked_for` has it."""
    tables = {key: asked_for(comparison.runs, sets[key[0]]) for key, comparison in comparisons.items()}
    return pd.concat(tables, names=["set", "budget"]).droplevel("network").reset_index()


def asked_for(runs: Sequence[Run], rows: Rows) -> pd.DataFrame:
    """Return what rows each strategy asked for, mean over seeds and queries; the first rows of all do not count."""
    describe = _resemblance(rows.X)
    describe_classes = _classes(rows.y) if rows.kind == "classes" else None
    found = []
    for run in runs:
        of_run = {"network": run.estimator, "strategy": run.strategy}
        if describe_classes:
            of_run["classes in the end"] = len(np.unique(rows.y[run.labeled_indices]))
        for start, stop in zip(run.n_labels[:-1], run.n_labels[1:], strict=True):
            labelled, query = np.split(run.labeled_indices[:stop], [start])
            of_classes = describe_classes(labelled, query) if describe_classes else {}
            found.append(of_run | of_classes | describe(labelled, query))
    return pd.DataFrame(found).groupby(["network", "strategy"], sort=False).mean()


def _classes(y: np.ndarray) -> Describe:
    """Return what tells how frequent the classes of a query's rows are, and how many have no label yet."""
    _, code, count = np.unique(y, return_inverse=True, return_counts=True)
    share_n = count[code] / len(y)

    def describe(labelled: np.ndarray, query: np.ndarray) -> dict[str, float]:
        is_new = ~np.isin(code[query], code[labelled])
        return {"share of its class": share_n[query].mean(), "of a new class": is_new.mean()}

    return describe


def _resemblance(X: np.ndarray) -> Describe:
    """Return what tells how like labelled rows and each other a query's rows are, and how dense the set is around them.

    Likeness is the largest cosine; density is a percentile among all rows of the set, of the mean cosine of neighbours.
    """
    similarity_n_n = cosine_similarity(X)
    np.fill_diagonal(similarity_n_n, -np.inf)
    nearest_n_k = np.partition(similarity_n_n, -N_NEIGHBOURS, axis=1)[:, -N_NEIGHBOURS:]
    density_n = pd.Series(nearest_n_k.mean(1)).rank(pct=True).to_numpy()

    def describe(labelled: np.ndarray, query: np.ndarray) -> dict[str, float]:
        is_alone = len(query) == 1
        return {
            "like one labelled": similarity_n_n[np.ix_(query, labelled)].max(1).mean(),
            "like another": np.nan if is_alone else similarity_n_n[np.ix_(query, query)].max(1).mean(),
            "typical": density_n[query].mean(),
        }

    return describe
