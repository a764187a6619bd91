"""Iterators over batches: alkit's own for rows it knows, torch's DataLoader wherever one of its options asks for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.utils.data import DataLoader, default_collate

from alkit.nets.training.batches import EpochBatches
from alkit.nets.training.items import ItemDataset, WeightedCollate
from alkit.nets.training.tensors import HOST, CheckedBatches, RowBatches, RowDataset, Tensors, root, scoring_rows
from alkit.rows import n_rows, slices
from alkit.validation import was_checked

PREFIXES = ("iterator_train", "iterator_valid")
COLLATE = "collate_fn"


def training_batches(dataset: Any, batch_size: int, batching: str, options: dict[str, Any]) -> Any:
    """Return batches to train on, shuffled unless told otherwise.

    Parameters
    ----------
    dataset : RowDataset or Subset of one
        Rows and codes.
    batch_size : int
        Rows per batch; -1 for all.
    batching : str
        See :func:`alkit.nets.training.batches.batch_sizes`.
    options : dict
        Further options of torch's DataLoader, which is used if there are any but ``shuffle``. With ``sampler``,
        ``batch_sampler`` or ``drop_last`` it cuts batches itself, and `batching` does not count.

    Returns
    -------
    RowBatches or DataLoader
    """
    options = dict(options)
    shuffle = options.pop("shuffle", None)
    _keep_weights(dataset, options)
    if options.get("drop_last") or _has_sampler(options):
        size = n_rows(dataset) if batch_size == -1 else batch_size
        if "batch_sampler" in options:
            return DataLoader(dataset, **options)
        if shuffle is None:
            shuffle = not _has_sampler(options)
        return DataLoader(dataset, batch_size=size, shuffle=shuffle, **options)
    options.pop("drop_last", None)
    batches = EpochBatches(n_rows(dataset), batch_size, batching, True if shuffle is None else shuffle)
    if options or isinstance(root(dataset), ItemDataset):
        return DataLoader(dataset, batch_sampler=batches, **options)
    return RowBatches(dataset, batches)


def scoring_batches(
    dataset: Any,
    batch_size: int | None,
    training_size: int,
    options: dict[str, Any],
    check: Callable[[Tensors, int], None] | None,
    device: torch.device = HOST,
) -> Any:
    """Return batches to score, in order, each checked as it is read.

    Parameters
    ----------
    dataset : RowDataset or Subset of one
        The rows.
    batch_size : int or None
        Rows per batch; -1 for all, None for as many as are fast.
    training_size : int
        Rows per batch of training, taken where nothing is known of rows, because a function collates them.
    options : dict
        Further options of torch's DataLoader, which is used if there are any.
    check : callable or None
        Called with each batch's rows and the position of the first, unless whoever made the rows has looked at them;
        None where that is done later.
    device : torch.device
        Where they are scored.

    Returns
    -------
    RowBatches, CheckedBatches or DataLoader
    """
    n = n_rows(dataset)
    options = dict(options)
    _keep_weights(dataset, options)
    if isinstance(root(dataset), ItemDataset):
        size = batch_size or training_size
        # What a function of the user's own makes of rows only the network can check.
        return _loader(dataset, n if size == -1 else size, options)
    size = n if batch_size == -1 else batch_size or scoring_rows(dataset, device)
    batches: Any = _loader(dataset, size, options) if options else RowBatches(dataset, list(slices(n, size)))
    if check is None or (isinstance(dataset, RowDataset) and was_checked(dataset.X)):
        return batches
    return CheckedBatches(batches, check)


def _loader(dataset: Any, size: int, options: dict[str, Any]) -> DataLoader:
    """Return a DataLoader with batches of a size, unless its options draw whole batches."""
    return DataLoader(dataset, **options) if "batch_sampler" in options else DataLoader(dataset, size, **options)


def _has_sampler(options: dict[str, Any]) -> bool:
    return options.get("sampler") is not None or options.get("batch_sampler") is not None


def _keep_weights(dataset: Any, options: dict[str, Any]) -> None:
    """Have a function that collates see pairs (x, code), where items have weights too."""
    if root(dataset).weights is not None and isinstance(root(dataset), ItemDataset):
        options[COLLATE] = WeightedCollate(options.get(COLLATE, default_collate))
