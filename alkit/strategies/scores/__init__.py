"""Scores of single rows: pure functions of what a model says of them, higher is more useful. (n, ...) -> (n,)."""

from alkit.strategies.scores.by_row import (
    bald,
    entropy,
    ideal_loss,
    learning_loss,
    least_confident,
    margin,
    max_disagreement,
    mc_entropy,
    mc_least_confident,
    mc_margin,
    mean_std,
    variation_ratio,
    vote_entropy,
)
from alkit.strategies.scores.epig import epig

__all__ = [
    "bald",
    "entropy",
    "epig",
    "ideal_loss",
    "learning_loss",
    "least_confident",
    "margin",
    "max_disagreement",
    "mc_entropy",
    "mc_least_confident",
    "mc_margin",
    "mean_std",
    "variation_ratio",
    "vote_entropy",
]
