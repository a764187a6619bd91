"""Cut few rows into batches of sensible size: the last batch of a small label set must not be a tiny one."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch

BATCHINGS = ("flexible", "upsample", "fixed")


def batch_sizes(n: int, batch_size: int, batching: str = "flexible") -> list[int]:
    """Return the sizes of the batches of one epoch.

    Parameters
    ----------
    n : int
        Number of rows, at least 1.
    batch_size : int
        Rows that a batch is meant to hold; -1 for all of them.
    batching : {"flexible", "upsample", "fixed"}, default="flexible"
        ``"flexible"`` makes ``max(1, n // batch_size)`` batches whose sizes differ by at most one, so none is smaller
        than asked (unless n is). ``"upsample"`` repeats rows up to the next multiple of `batch_size`. ``"fixed"`` cuts
        as torch's DataLoader does, and gives a last batch of a single row, on which BatchNorm would fail, to the
        batch before it.

    Returns
    -------
    list of int
        Sums to n, or with ``"upsample"`` to the next multiple of `batch_size`.

    Raises
    ------
    ValueError
        If n or `batch_size` is not positive, or `batching` unknown.

    Examples
    --------
    >>> from alkit.nets.training.batches import batch_sizes
    >>> batch_sizes(50, 16), batch_sizes(50, 16, "upsample"), batch_sizes(50, 16, "fixed")
    ([17, 17, 16], [16, 16, 16, 16], [16, 16, 16, 2])
    """
    if batching not in BATCHINGS:
        raise ValueError(f"batching={batching!r} is unknown; choose one of {', '.join(map(repr, BATCHINGS))}")
    if n < 1 or not (batch_size >= 1 or batch_size == -1):
        raise ValueError(f"cannot cut {n} rows into batches of {batch_size}; both must be at least 1")
    if batch_size == -1:
        return [n]
    n_full, rest = divmod(n, batch_size)
    if batching == "upsample":
        n_batches = n_full + (rest > 0)
        return [batch_size] * n_batches
    if batching == "flexible":
        n_batches = max(1, n_full)
        size, n_larger = divmod(n, n_batches)
        return [size + 1] * n_larger + [size] * (n_batches - n_larger)
    # BatchNorm cannot train on one row.
    if rest == 1 and n_full > 0 and batch_size > 1:
        return [batch_size] * (n_full - 1) + [batch_size + 1]
    sizes = [batch_size] * n_full
    return [*sizes, rest] if rest else sizes


def epoch_batches(
    n: int,
    batch_size: int,
    batching: str = "flexible",
    rng: torch.Generator | None = None,
    *,
    shuffle: bool = True,
) -> tuple[torch.Tensor, ...]:
    """Return the row numbers of each batch of one epoch.

    Parameters
    ----------
    n, batch_size, batching
        As for :func:`batch_sizes`.
    rng : torch.Generator, optional
        Shuffles the rows; by default torch's global one.
    shuffle : bool, default=True
        Whether to shuffle.

    Returns
    -------
    tuple of int64 tensors (batch,)
        Every row once; with ``"upsample"`` every row equally often or once more, whole passes one after the other.

    Examples
    --------
    >>> from alkit.nets.training.batches import epoch_batches
    >>> epoch_batches(5, 2, shuffle=False)
    (tensor([0, 1, 2]), tensor([3, 4]))
    """
    sizes = batch_sizes(n, batch_size, batching)
    n_passes = math.ceil(sum(sizes) / n)
    # Repeated rows come from a further pass over all of them, so that no row is drawn a third time before all others
    # are drawn twice.
    passes = [torch.randperm(n, generator=rng) if shuffle else torch.arange(n) for _ in range(n_passes)]
    return torch.cat(passes)[: sum(sizes)].split(sizes)


class EpochBatches:
    """Row numbers of each batch, drawn anew at each pass: a batch sampler for ``torch.utils.data.DataLoader``.

    Parameters
    ----------
    n, batch_size, batching, shuffle
        As for :func:`epoch_batches`.

    Examples
    --------
    >>> from alkit.nets.training.batches import EpochBatches
    >>> len(EpochBatches(50, 16))
    3
    """

    def __init__(self, n: int, batch_size: int, batching: str = "flexible", shuffle: bool = True):
        self.sizes = batch_sizes(n, batch_size, batching)
        self.n = n
        self.batch_size = batch_size
        self.batching = batching
        self.shuffle = shuffle

    def __len__(self) -> int:
        return len(self.sizes)

    def __iter__(self) -> Iterator[Any]:
        return iter(epoch_batches(self.n, self.batch_size, self.batching, shuffle=self.shuffle))
