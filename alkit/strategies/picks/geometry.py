"""Distances and clusters of rows, block by block: memory grows with the rows, never with pairs of rows."""

from __future__ import annotations

import math
import warnings

import numpy as np
import torch
from sklearn.cluster import KMeans, MiniBatchKMeans
from sklearn.exceptions import ConvergenceWarning
from torch import Tensor

from alkit._random import draw_seed
from alkit._tensors import as_array
from alkit.validation import checked_count

_BLOCK_NUMBERS = 2**21
"""Numbers in one block of rows or distances, 16 MB of float64: few blocks, as threads meet after each."""
_DEVICE_BLOCK_NUMBERS = 2**27
"""The same on a GPU, where each block costs the time to start its kernels."""
_SQUARES_FIT = 2.0**40
"""Up to here sums and products of squares, too, fit into float32, which ends at 2^128."""
_MINI_BATCH_FROM = 50_000
"""Rows from which mini-batches stand in for Lloyd's algorithm."""


def check_matrices(k: int, rows: Tensor, labelled: Tensor | None = None) -> None:
    """Refuse fewer than k rows, rows that are no matrix, and labelled rows of another width."""
    checked_count(k, len(rows))
    for matrix in (rows,) if labelled is None else (rows, labelled):
        if matrix.ndim != 2:
            raise ValueError(f"rows have shape {tuple(matrix.shape)}; pass a matrix, one row of numbers per item")
    if labelled is not None and rows.shape[1] != labelled.shape[1]:
        raise ValueError(
            f"rows of the pool have {rows.shape[1]} numbers, labelled rows {labelled.shape[1]}; "
            "embed both by the same model"
        )


def row_blocks(rows: Tensor, width: int) -> tuple[Tensor, ...]:
    """Split rows so that a block by `width` numbers stays small, for the kind of device that rows are on."""
    numbers = _BLOCK_NUMBERS if rows.device.type == "cpu" else _DEVICE_BLOCK_NUMBERS
    return rows.split(max(1, numbers // max(1, width)))


def in_range(*matrices: Tensor) -> tuple[list[Tensor], float]:
    """Divide rows by one power of two where the squares of their numbers might overflow, and tell by which.

    Which row is nearest, and by how many times, stays what it is.

    Examples
    --------
    >>> import torch
    >>> from alkit.strategies.picks.geometry import in_range
    >>> (rows,), scale = in_range(torch.tensor([[1e30], [3e30]]))
    >>> round(float(rows[1] / rows[0]), 3), rows.square().isfinite().all().item(), scale > 1e30
    (3.0, True, True)
    """
    largest = max((float(rows.abs().max()) for rows in matrices if rows.numel()), default=0.0)
    if largest < _SQUARES_FIT:
        return list(matrices), 1.0
    scale = 2.0 ** math.frexp(largest)[1]
    return [rows / scale for rows in matrices], scale


def unit_rows(rows: Tensor) -> Tensor:
    """Scale each row to length 1, whatever the size of its numbers; rows of zeros stay.

    Examples
    --------
    >>> import torch
    >>> from alkit.strategies.picks.geometry import unit_rows
    >>> unit_rows(torch.tensor([[3e30, 4e30], [0.0, 0.0]]))
    tensor([[0.6000, 0.8000],
            [0.0000, 0.0000]])
    """
    if not rows.shape[1]:
        return rows
    # squares of very large or small numbers would overflow or vanish
    largest = rows.abs().amax(1, keepdim=True)
    scaled = rows / largest.masked_fill(largest == 0, 1)
    length = torch.linalg.vector_norm(scaled, dim=1, keepdim=True)
    return scaled / length.masked_fill(length == 0, 1)


def distance_to(rows: Tensor, centre: Tensor) -> Tensor:
    """Euclidean distance of each row to one centre, (N, D), (D,) -> (N,); exactly 0 for its duplicates."""
    distance = rows.new_empty(len(rows))
    width = rows.shape[1]
    for block, out in zip(row_blocks(rows, width), row_blocks(distance, width), strict=True):
        torch.linalg.vector_norm(block - centre, dim=1, out=out)
    return distance


def nearest_distance(rows: Tensor, centres: Tensor) -> Tensor:
    """Euclidean distance of each row to its nearest centre, (N, D), (M, D) -> (N,); infinite where M = 0."""
    return nearest_centre(rows, centres)[0]


def nearest_centre(rows: Tensor, centres: Tensor) -> tuple[Tensor, Tensor]:
    """Distance of each row to its nearest centre, see `nearest_distance`, and which it is, (N,) of int (0 if M = 0)."""
    which = torch.zeros(len(rows), dtype=torch.int64, device=rows.device)
    if len(centres) == 0:
        return rows.new_full((len(rows),), torch.inf), which
    centres = centres.to(rows)
    # |x - c|^2 = |x|^2 + 2 (|c|^2 / 2 - x.c): the nearest centre has the smallest bracket, which one product gives.
    # Far from the origin it would lose its digits, so rows and centres are shifted there first.
    origin = centres.mean(0)
    shifted = centres - origin
    half_squares = shifted.square().sum(1) / 2
    distance = rows.new_empty(len(rows))
    width = len(centres)
    parts = (row_blocks(values, width) for values in (rows, distance, which))
    for block, out, nearest in zip(*parts, strict=True):
        brackets = torch.addmm(half_squares, block - origin, shifted.T, alpha=-1)
        torch.argmin(brackets, 1, out=nearest)
        # the distance itself is taken of the difference, so that duplicates of a centre are at exactly 0
        torch.linalg.vector_norm(block - centres[nearest], dim=1, out=out)
    return distance, which


def k_means(
    rows: Tensor | np.ndarray, n_clusters: int, rng: np.random.Generator, weights: np.ndarray | None = None
) -> KMeans | MiniBatchKMeans:
    """Fit k-means: Lloyd's algorithm, or mini-batches from 50,000 rows on; rows may be weighted."""
    algorithm = KMeans if len(rows) < _MINI_BATCH_FROM else MiniBatchKMeans
    with warnings.catch_warnings():
        # fewer distinct rows than clusters leave clusters empty, which callers expect
        warnings.simplefilter("ignore", ConvergenceWarning)
        return algorithm(n_clusters, random_state=draw_seed(rng)).fit(as_array(rows), sample_weight=weights)


def rank_within(groups: np.ndarray, cost: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Position of each row in its group by increasing cost, ties in random order: (N,), (N,) -> (N,) from 0."""
    # lexsort sorts by its last column first: by group, within it by cost, and equal costs by the permutation
    order = np.lexsort((rng.permutation(len(groups)), cost, groups))
    sizes = np.bincount(groups)
    first_of_group = np.cumsum(sizes) - sizes
    ranks = np.empty_like(order)
    ranks[order] = np.arange(len(groups)) - first_of_group[groups[order]]
    return ranks
