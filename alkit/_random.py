"""Random states: one numpy Generator from scikit-learn's ``random_state``, and global states put back after use."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from sklearn.utils import check_random_state

RandomState = int | np.random.RandomState | np.random.Generator | None


def generator(random_state: RandomState) -> np.random.Generator:
    """Return a Generator: the one given, or a new one seeded as scikit-learn seeds (None: from numpy's global)."""
    if isinstance(random_state, np.random.Generator):
        return random_state
    entropy = check_random_state(random_state).randint(2**31 - 1, size=4)
    return np.random.default_rng(entropy)


def draw_seed(rng: np.random.Generator) -> int:
    """Draw an int that any ``random_state`` or ``torch.manual_seed`` takes."""
    return int(rng.integers(2**31 - 1))


def seed_estimator(estimator: Any, rng: np.random.Generator, *, every: bool = False) -> None:
    """Give each ``random_state`` inside an estimator that is None (or every one) a seed of its own."""
    params = estimator.get_params().items()
    # sorted, so that which seed a step gets does not depend on the order in which steps are listed
    keys = sorted(key for key, value in params if _is_random_state(key) and (every or value is None))
    estimator.set_params(**{key: draw_seed(rng) for key in keys})


def _is_random_state(key: str) -> bool:
    return key == "random_state" or key.endswith("__random_state")


def sampling_seed(random_state: Any) -> int:
    """Return the seed of posterior samples; None draws one without touching any global random state."""
    if random_state is None:
        return int(np.random.default_rng().integers(2**31 - 1))
    return int(check_random_state(random_state).randint(2**31 - 1))


@contextmanager
def isolated_rng(device: str | torch.device = "cpu", seed: int | None = None) -> Iterator[None]:
    """Put the global random states of torch, numpy and python back after, and seed them inside.

    Parameters
    ----------
    device : str or torch.device, default="cpu"
        Where the network runs; the generators of all devices of its type are kept as well.
    seed : int, optional
        Seeds every generator inside; by default they go on from where they are.

    Examples
    --------
    >>> import torch
    >>> from alkit._random import isolated_rng
    >>> before = torch.get_rng_state()
    >>> with isolated_rng(seed=0):
    ...     noise = torch.rand(3)
    >>> torch.equal(before, torch.get_rng_state())
    True
    """
    kind = torch.device(device).type
    devices = []
    if kind != "cpu":
        devices = list(range(torch.get_device_module(kind).device_count()))
    state, numpy_state = random.getstate(), np.random.get_state()  # noqa: NPY002
    try:
        with torch.random.fork_rng(devices, device_type="cuda" if kind == "cpu" else kind):
            if seed is not None:
                random.seed(seed)
                np.random.seed(seed)  # noqa: NPY002
                # torch.manual_seed would seed the generators of every other device, too, which are not put back
                seed_torch = torch.default_generator.manual_seed if kind == "cpu" else torch.manual_seed
                seed_torch(seed)
            yield
    finally:
        random.setstate(state)
        np.random.set_state(numpy_state)  # noqa: NPY002
