"""Picks: functions that choose which rows to label, looking at the whole set.

``pick(*pick_needs, k=, rng=) -> Picks``; one whose first parameter is ``scores``, (n,), is handed those of the
strategy before. The contract is `alkit.protocols.Pick`.
"""

from alkit.strategies.picks.batch_bald import batch_bald
from alkit.strategies.picks.cold_start import probcover, typiclust
from alkit.strategies.picks.density import information_density, ranked_batch
from alkit.strategies.picks.diversity import badge, coreset, diverse, kmeans
from alkit.strategies.picks.single import (
    Picks,
    balance_classes,
    sample_by_score,
    top_k,
    top_k_and_uniform,
    top_k_per_cost,
    uniform,
)

__all__ = [
    "Picks",
    "badge",
    "balance_classes",
    "batch_bald",
    "coreset",
    "diverse",
    "information_density",
    "kmeans",
    "probcover",
    "ranked_batch",
    "sample_by_score",
    "top_k",
    "top_k_and_uniform",
    "top_k_per_cost",
    "typiclust",
    "uniform",
]
