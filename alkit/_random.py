"""One numpy Generator from scikit-learn's ``random_state``."""

from __future__ import annotations

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
