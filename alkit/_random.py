"""One numpy Generator from scikit-learn's ``random_state``."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils import check_random_state

RandomState = int | np.random.RandomState | np.random.Generator | None


def generator(random_state: RandomState) -> np.random.Generator:
    """Return a Generator: the one given, or a new one seeded as scikit-learn seeds (None: from numpy's global)."""
    if isinstance(random_state, np.random.Generator):
        return random_state
    return np.random.default_rng(check_random_state(random_state).randint(2**31 - 1, size=4))


def draw_seed(rng: np.random.Generator) -> int:
    """Draw an int that any ``random_state`` or ``torch.manual_seed`` takes."""
    return int(rng.integers(2**31 - 1))


def seed_estimator(estimator: Any, rng: np.random.Generator, *, every: bool = False) -> None:
    """Give each ``random_state`` inside an estimator that is None (or every one) a seed of its own."""
    params = estimator.get_params().items()
    keys = sorted(key for key, value in params if _is_random_state(key) and (every or value is None))
    estimator.set_params(**{key: draw_seed(rng) for key in keys})


def _is_random_state(key: str) -> bool:
    return key == "random_state" or key.endswith("__random_state")
