"""Query strategies: small pure functions, each with one line in `alkit.strategies.table`.

What is not in ``__all__`` here, in `alkit.strategies.scores` or in `alkit.strategies.picks` is private.
"""

from alkit.strategies import picks, scores
from alkit.strategies.picks import Picks
from alkit.strategies.strategy import Strategy
from alkit.strategies.table import as_strategy, get_strategy, get_strategy_names
from alkit.strategies.wrappers import class_balanced, cost_aware, diversified, mixed, stochastic, subsample

__all__ = [
    "Picks",
    "Strategy",
    "as_strategy",
    "class_balanced",
    "cost_aware",
    "diversified",
    "get_strategy",
    "get_strategy_names",
    "mixed",
    "picks",
    "scores",
    "stochastic",
    "subsample",
]
