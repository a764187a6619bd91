"""Picks: functions that choose which rows to label, looking at the whole set.

``pick(*pick_needs, k=, rng=) -> Picks``; one whose first parameter is ``scores``, (n,), is handed those of the
strategy before. The contract is `alkit.protocols.Pick`.

Public is what a file names in its ``__all__``.
"""

from alkit.strategies.picks import cold_start, density, diversity, single
from alkit.strategies.picks.batch_bald import batch_bald
from alkit.strategies.picks.cold_start import *  # noqa: F403
from alkit.strategies.picks.density import *  # noqa: F403
from alkit.strategies.picks.diversity import *  # noqa: F403
from alkit.strategies.picks.single import *  # noqa: F403

__all__ = ["batch_bald", *cold_start.__all__, *density.__all__, *diversity.__all__, *single.__all__]
