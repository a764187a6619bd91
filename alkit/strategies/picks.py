"""Picks: which rows to label, chosen on the whole set, all in one place.

``pick(*views, k=, rng=) -> Picks``; one that takes ``scores`` first, (n,), sees those of the strategy.
"""

from alkit.strategies.batch_bald import batch_bald
from alkit.strategies.coldstart import probcover, typiclust
from alkit.strategies.density import information_density, ranked_batch
from alkit.strategies.diversity import badge, coreset, diverse, kmeans
from alkit.strategies.selection import Picks, evened_out, mixed, per_cost, stochastic, top_k, uniform

__all__ = [
    "Picks",
    "badge",
    "batch_bald",
    "coreset",
    "diverse",
    "evened_out",
    "information_density",
    "kmeans",
    "mixed",
    "per_cost",
    "probcover",
    "ranked_batch",
    "stochastic",
    "top_k",
    "typiclust",
    "uniform",
]
