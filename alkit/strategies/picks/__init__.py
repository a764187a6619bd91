"""Picks: functions that choose which rows to label, looking at the whole set.

``pick(*pick_needs, k=, rng=) -> Picks``; one whose first parameter is ``scores``, (n,), is handed those of the
strategy before. The contract is `alkit.protocols.Pick`.

Public is what a file names in its ``__all__``.
"""

from typing import Any

from alkit._moved import RENAMED_PICKS, resolve
from alkit.strategies.picks import (
    clustered,
    cold_start,
    density,
    diversity,
    greedy_sampling,
    herding,
    multi_label,
    single,
)
from alkit.strategies.picks.batch_bald import batch_bald
from alkit.strategies.picks.clustered import *  # noqa: F403
from alkit.strategies.picks.cold_start import *  # noqa: F403
from alkit.strategies.picks.density import *  # noqa: F403
from alkit.strategies.picks.diversity import *  # noqa: F403
from alkit.strategies.picks.falcun import falcun
from alkit.strategies.picks.feature_mixing import alfa_mix
from alkit.strategies.picks.fisher import bait
from alkit.strategies.picks.greedy_sampling import *  # noqa: F403
from alkit.strategies.picks.herding import *  # noqa: F403
from alkit.strategies.picks.lcmd import lcmd
from alkit.strategies.picks.multi_label import *  # noqa: F403
from alkit.strategies.picks.single import *  # noqa: F403

__all__ = [
    "alfa_mix",
    "bait",
    "batch_bald",
    "falcun",
    "lcmd",
    *clustered.__all__,
    *cold_start.__all__,
    *density.__all__,
    *diversity.__all__,
    *greedy_sampling.__all__,
    *herding.__all__,
    *multi_label.__all__,
    *single.__all__,
]


def __getattr__(name: str) -> Any:
    # four picks had other names in 0.1.0
    homes = ["alkit.strategies.picks.single"] if name in RENAMED_PICKS else []
    return resolve(name, __name__, homes, RENAMED_PICKS)
