"""Global random states: seed them for a while, and put them back."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from sklearn.utils import check_random_state


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
    >>> from alkit.nets.randomness import isolated_rng
    >>> before = torch.get_rng_state()
    >>> with isolated_rng(seed=0):
    ...     noise = torch.rand(3)
    >>> torch.equal(before, torch.get_rng_state())
    True
    """
    kind = torch.device(device).type
    devices = [] if kind == "cpu" else list(range(torch.get_device_module(kind).device_count()))
    state, numpy_state = random.getstate(), np.random.get_state()  # noqa: NPY002
    try:
        with torch.random.fork_rng(devices, device_type="cuda" if kind == "cpu" else kind):
            if seed is not None:
                random.seed(seed)
                np.random.seed(seed)  # noqa: NPY002
                seed_torch = torch.default_generator.manual_seed if kind == "cpu" else torch.manual_seed
                seed_torch(seed)
            yield
    finally:
        random.setstate(state)
        np.random.set_state(numpy_state)  # noqa: NPY002
