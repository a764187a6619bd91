"""Random states: one numpy Generator from scikit-learn's ``random_state``, and global states put back after use."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from threading import RLock
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


def seed_torch(seed: int, devices: Iterable[torch.device] = ()) -> None:
    """Seed torch's global generators of the host and of some devices, and no others.

    ``torch.manual_seed`` reaches every device there is. To each type that has not been used it leaves a note with a
    stack trace, which costs more than the masks that are drawn.
    """
    torch.default_generator.manual_seed(seed)
    for device in devices:
        module = torch.get_device_module(device)
        if hasattr(module, "default_generators"):
            module.default_generators[device.index or 0].manual_seed(seed)
        else:
            # a type of which there is one device at most, such as mps
            module.manual_seed(seed)


def sampling_seed(random_state: Any) -> int:
    """Return the seed of posterior samples; None draws one without touching any global random state."""
    if random_state is None:
        return int(np.random.default_rng().integers(2**31 - 1))
    return int(check_random_state(random_state).randint(2**31 - 1))


class _GlobalStates:
    """States of the global generators of Python, numpy and torch, those of devices of one type included."""

    def __init__(self, kind: str) -> None:
        self.python = random.getstate()
        self.numpy: Any = np.random.get_state()  # noqa: NPY002
        self.torch = torch.get_rng_state()
        self.of_devices: dict[tuple[str, int], torch.Tensor] = {}
        if kind != "cpu":
            module = torch.get_device_module(kind)
            self.of_devices = {(kind, i): module.get_rng_state(i) for i in range(module.device_count())}

    def put_back(self) -> None:
        """Set the generators to these states."""
        random.setstate(self.python)
        np.random.set_state(self.numpy)  # noqa: NPY002
        torch.set_rng_state(self.torch)
        for (kind, i), state in self.of_devices.items():
            torch.get_device_module(kind).set_rng_state(state, i)

    def inherit(self, older: _GlobalStates) -> None:
        """Take over the states of another, which were read before these."""
        self.python, self.numpy, self.torch = older.python, older.numpy, older.torch
        self.of_devices |= older.of_devices


# What each isolation found that has not ended yet, of all threads, the oldest first. Where threads overlap, the last
# one to leave puts back what the first one found.
_OPEN: list[_GlobalStates] = []
_OPEN_LOCK = RLock()


def _leave(found: _GlobalStates) -> None:
    """End an isolation: put back what it found, or leave that to the next one, if that has begun meanwhile."""
    with _OPEN_LOCK:
        place = _OPEN.index(found)
        del _OPEN[place]
        if place < len(_OPEN):
            _OPEN[place].inherit(found)
        else:
            found.put_back()


@contextmanager
def isolated_rng(device: str | torch.device = "cpu", seed: int | None = None) -> Iterator[None]:
    """Put the global random states of torch, numpy and python back after, and seed them inside.

    Parameters
    ----------
    device : str or torch.device, default="cpu"
        Where the network runs; the generators of all devices of its type are kept as well.
    seed : int, optional
        Seeds every generator inside; by default they go on from where they are.

    Notes
    -----
    All threads of a process share these generators. Where some are inside at the same time, each draws what the others
    leave it, and the states are put back when the last one has left.

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
    with _OPEN_LOCK:
        found = _GlobalStates(kind)
        _OPEN.append(found)
    try:
        if seed is not None:
            random.seed(seed)
            np.random.seed(seed)  # noqa: NPY002
            seed_torch(seed, [torch.device(*key) for key in found.of_devices])
        yield
    finally:
        _leave(found)
