"""Herding: rows that cover the pool best by a smooth kernel, each pool row counted alike or by its uncertainty.

``features`` is ``(N, D)``, ``train_features``, of the labelled rows, ``(M, D)``, M = 0 at the start. Rows at distance d
have similarity exp(-(d / bandwidth)^2), and a row is covered as far as it resembles the most similar labelled one.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.neighbors import NearestNeighbors
from torch import Tensor

from alkit.strategies.picks.geometry import check_matrices, row_blocks, unit_rows
from alkit.strategies.picks.single import Picks, check_scores, check_utilities
from alkit.strategies.picks.ties import seeded_argmax

__all__ = ["max_herding", "uncertainty_herding"]

_REFERENCES = 5_000
"""Rows up to which coverage is that of the whole pool."""
_FIRST_LOOK, _LARGEST_LOOK = 64, 4096
"""Rows whose gains are computed anew at a time: few at first, because the first ones mostly settle a pick."""


def max_herding(
    features: Tensor,
    train_features: Tensor,
    *,
    k: int,
    rng: np.random.Generator,
    bandwidth: float = 1.0,
    normalize: bool = True,
    n_references: int | None = _REFERENCES,
) -> Picks:
    """Pick the row that adds most to how well the pool is covered, k times.

    Coverage is the mean over the pool of the similarity to the most similar labelled or picked row: ProbCover with a
    smooth kernel in place of a ball, which depends far less on its width. No matrix of pairs is held: gains only ever
    fall, so that a pick looks again at the few rows whose last known gain is still large enough. 100,000 rows of 384
    numbers take about a minute of computing for 100 picks.

    Parameters
    ----------
    features : Tensor (N, D)
        Rows of the pool.
    train_features : Tensor (M, D)
        Labelled rows; there may be none.
    k : int
        Number of rows.
    rng : numpy.random.Generator
        Breaks ties and draws the reference rows.
    bandwidth : float, default=1.0
        Distance at which similarity has fallen to 1 / e. The paper takes 1 for rows of length 1, whose distances lie
        between 0 and 2.
    normalize : bool, default=True
        Whether rows are scaled to length 1, as embeddings of pretrained networks are in the paper. For plain columns
        of numbers, whose lengths mean something, pass False and a `bandwidth` of their scale.
    n_references : int or None, default=5,000
        Where the pool has more rows, coverage is that of so many rows drawn at random; every row may still be picked.
        Give twenty for each pick or more. None: of all rows, in about 5 N^2 distances.

    Returns
    -------
    Picks
        Scored by the gain in mean coverage.

    Raises
    ------
    ValueError
        If pool and labelled rows differ in width, `bandwidth` or `n_references` is not positive, or there are fewer
        than k rows.

    References
    ----------
    Bae, Noh & Sutherland (2024), Generalized Coverage for More Robust Low-Budget Active Learning.

    Examples
    --------
    >>> import numpy as np, torch
    >>> from alkit.strategies.picks.herding import max_herding
    >>> pool = torch.tensor([[0.0], [1.0], [2.0], [10.0], [11.0]])
    >>> picks = max_herding(pool, pool[:0], k=2, rng=np.random.default_rng(0), normalize=False)
    >>> picks.indices[0] == 1, picks.indices[1] in (3, 4)
    (np.True_, True)
    """
    rows, labelled = _prepared(features, train_features, k, normalize)
    return _herd(rows, labelled, torch.ones(len(rows)), k, rng, bandwidth, n_references)


def uncertainty_herding(
    scores: ArrayLike,
    features: Tensor,
    train_features: Tensor,
    *,
    k: int,
    rng: np.random.Generator,
    bandwidth: float | None = None,
    normalize: bool = True,
    n_references: int | None = _REFERENCES,
) -> Picks:
    """Pick the row that adds most to how well the uncertain part of the pool is covered, k times.

    `max_herding` with each row of the pool weighted by its score. With few labels, which lie far apart, it picks what
    is typical; the more there are, the narrower the kernel and the more it resembles sampling by score alone.

    Parameters
    ----------
    scores : array (N,)
        Uncertainty of each row, 0 or more. The paper calibrates the model by temperature first, which is up to the
        model here.
    features, train_features, k, rng, normalize, n_references
        As in `max_herding`.
    bandwidth : float, optional
        As in `max_herding`; by default the smallest distance between two labelled rows that differ, and 1.0 while
        there are none.

    Returns
    -------
    Picks
        Scored by the gain in mean weighted coverage.

    Raises
    ------
    ValueError
        As `max_herding`, and if there are not as many scores as rows, or a score is negative.

    References
    ----------
    Bae, Oliveira & Sutherland (2025), Uncertainty Herding: One Active Learning Method for All Label Budgets.

    Examples
    --------
    >>> import numpy as np, torch
    >>> from alkit.strategies.picks.herding import uncertainty_herding
    >>> pool = torch.tensor([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0], [0.1, 1.0]])
    >>> picks = uncertainty_herding([0.1, 0.1, 0.9, 0.8], pool, pool[:0], k=1, rng=np.random.default_rng(0))
    >>> picks.indices
    array([3])
    """
    rows, labelled = _prepared(features, train_features, k, normalize)
    uncertainty = check_scores(scores, len(rows))
    check_utilities(uncertainty, "weighs coverage by uncertainty")
    if bandwidth is None:
        bandwidth = _smallest_distance(labelled)
    return _herd(rows, labelled, torch.from_numpy(uncertainty), k, rng, bandwidth, n_references)


def _prepared(features: Tensor, train_features: Tensor, k: int, normalize: bool) -> tuple[Tensor, Tensor]:
    """Return checked rows of pool and labels, of length 1 where that is asked for."""
    check_matrices(k, features, train_features)
    labelled = train_features.to(features)
    return (unit_rows(features), unit_rows(labelled)) if normalize else (features, labelled)


def _smallest_distance(rows: Tensor) -> float:
    """Smallest distance between two rows that differ, 1.0 if there are none."""
    distinct = np.unique(rows.cpu().numpy(), axis=0)
    if len(distinct) < 2:
        return 1.0
    to_nearest, _ = NearestNeighbors(n_neighbors=1).fit(distinct).kneighbors()
    return float(to_nearest.min()) or 1.0


def _herd(
    rows: Tensor,
    labelled: Tensor,
    weights: Tensor,
    k: int,
    rng: np.random.Generator,
    bandwidth: float,
    n_references: int | None,
) -> Picks:
    """Pick greedily what adds most to the weighted mean of coverage."""
    if not bandwidth > 0:
        raise ValueError(f"bandwidth={bandwidth}; it is a distance above 0")
    if n_references is not None and n_references < 1:
        raise ValueError(f"n_references={n_references}; give 1 or more, or None for all rows")
    coverage = _Coverage(*_scaled(rows, labelled, bandwidth), weights, n_references, rng)
    indices, scores = np.empty(k, np.intp), np.empty(k)
    for t in range(k):
        indices[t], scores[t] = coverage.take_best()
    return Picks(indices, scores)


def _scaled(rows: Tensor, labelled: Tensor, bandwidth: float) -> tuple[Tensor, Tensor]:
    """Return rows in units of the bandwidth, in the precision that kernels need."""
    # far from the origin squared distances would lose their digits
    origin = rows.double().mean(0)
    rows, labelled = ((part.double() - origin) / bandwidth for part in (rows, labelled))
    longest = max((float(part.square().sum(1).max()) for part in (rows, labelled) if len(part)), default=0.0)
    # an error of 1e-7 of the squares stays below a thousandth of the kernel in float32, which is twice as fast
    return (rows.float(), labelled.float()) if longest < 1e4 else (rows, labelled)


class _Coverage:
    """How far each row of a pool is covered, and what picking another one would add."""

    def __init__(
        self, rows: Tensor, labelled: Tensor, weights: Tensor, n_references: int | None, rng: np.random.Generator
    ) -> None:
        self.rows, self.rng = rows, rng
        self.half_squares = rows.square().sum(1) / 2
        self.weights = weights.to(rows)
        n = len(rows)
        m = n if n_references is None else min(n, n_references)
        self.sample = torch.from_numpy(rng.permutation(n)[:m] if m < n else np.arange(n)).to(rows.device)
        self.is_reference = torch.zeros(n, dtype=torch.bool, device=rows.device)
        self.is_reference[self.sample] = True
        self.covered = torch.zeros_like(self.half_squares)
        if len(labelled):
            self._cover(labelled)
        self.gains = torch.cat([self._gains(part) for part in torch.arange(n, device=rows.device).split(_LARGEST_LOOK)])

    def take_best(self) -> tuple[int, float]:
        """Return the row with the largest gain, and its gain, and count it as picked."""
        best = -torch.inf
        order, start, size = self.gains.argsort(descending=True), 0, _FIRST_LOOK
        # Gains never rise: once the next known gain is below the best new one, no later row can be better. A gain of
        # zero cannot fall any further, and need not be computed again.
        while start < len(order) and max(best, 0.0) <= self.gains[order[start]] and self.gains[order[start]] > 0:
            part = order[start : start + size]
            part = part[self.gains[part] > 0]
            self.gains[part] = self._gains(part)
            best = max(best, float(self.gains[part].max()))
            start, size = start + size, min(2 * size, _LARGEST_LOOK)
        i = seeded_argmax(self.gains, self.rng)
        gain = float(self.gains[i])
        self._cover(self.rows[i, None])
        self.gains[i] = -torch.inf
        return i, gain

    def _gains(self, candidates: Tensor) -> Tensor:
        """Return how much each candidate would add to the mean coverage of the pool: (n,) of positions -> (n,)."""
        references, covered = self.rows[self.sample], self.covered[self.sample]
        halves, weights = self.half_squares[self.sample], self.weights[self.sample]
        sums = []
        for part in row_blocks(candidates, len(self.sample)):
            more = _kernel(self.rows[part], self.half_squares[part], references, halves)
            sums.append(more.sub_(covered).clamp_min_(0) @ weights)
        # A row of the sample covers itself, which would count too much there: that is taken out and put back with the
        # weight that one row of the pool has.
        own = self.weights[candidates] * (1 - self.covered[candidates])
        of_sample = self.is_reference[candidates]
        others = (torch.cat(sums) - own * of_sample).clamp_min_(0)
        n, n_others = len(self.rows), (len(self.sample) - of_sample.to(own)).clamp_min(1)
        return ((own + (n - 1) * others / n_others) / n).clamp_min_(0)

    def _cover(self, centres: Tensor) -> None:
        """Count rows as labelled or picked."""
        halves = centres.square().sum(1) / 2
        width = len(centres)
        blocks = (row_blocks(of_rows, width) for of_rows in (self.rows, self.half_squares, self.covered))
        for rows, half_squares, covered in zip(*blocks, strict=True):
            similarity = _kernel(rows, half_squares, centres, halves).amax(1)
            torch.maximum(covered, similarity, out=covered)


def _kernel(rows: Tensor, half_squares: Tensor, others: Tensor, other_halves: Tensor) -> Tensor:
    """Return exp(-|x - y|^2) of each pair, (n, D), (n,), (M, D), (M,) -> (n, M)."""
    exponents = torch.addmm(other_halves, rows, others.T, beta=-1).sub_(half_squares[:, None])
    return exponents.mul_(2).clamp_max_(0).exp_()
