"""BAIT: rows that tell most about the last layer's weights, as far as predictions for the pool depend on them.

Sizes: N rows, C classes, D numbers in an embedding, P parameters. The Fisher information of a row is V V^T, whose
factor V (P, R) is the outer product of its embedding (D,) and a small matrix (P / D, R).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from alkit.strategies.picks.geometry import check_matrices, in_range, row_blocks
from alkit.strategies.picks.single import Picks
from alkit.strategies.picks.ties import seeded_argmax

__all__ = ["bait"]

_PAIR_NUMBERS = 2**25
"""Most numbers in the (R, R) matrices of all rows, of which two are held: 256 MiB each."""


def bait(
    proba: Tensor,
    embedding: Tensor,
    train_proba: Tensor,
    train_embedding: Tensor,
    *,
    k: int,
    rng: np.random.Generator,
    regularization: float = 1.0,
    oversampling: float = 2.0,
    max_parameters: int = 1024,
) -> Picks:
    """Pick rows that make tr(M^-1 F) smallest: M the Fisher information of labelled and picked rows, F the pool's.

    Greedily, more rows than asked for are picked, and then the least missed ones are put back, one by one. M starts at
    `regularization` on its diagonal, and labelled and picked rows count alike.

    The Fisher information is that of the last layer under a softmax, with P = C D parameters. Where that is more than
    `max_parameters`, or there are too many rows for so many classes, it is that of the predicted class against the
    rest, with P = D (Huseljic et al. 2024). Needs P^2 and, for the softmax, 2 N C^2 numbers, and k N P C operations.

    Parameters
    ----------
    proba : Tensor (N, C)
        Class probabilities.
    embedding : Tensor (N, D)
        What the last layer reads.
    train_proba, train_embedding : Tensor (M, C), (M, D)
        The same of the labelled rows; there may be none.
    k : int
        Number of rows.
    rng : numpy.random.Generator
        Breaks ties.
    regularization : float, default=1.0
        Information there is before any label.
    oversampling : float, default=2.0
        Rows picked before some are put back, in multiples of k. The picks cannot be undone at 1.
    max_parameters : int, default=1024
        See above.

    Returns
    -------
    Picks
        In the order picked, scored by how far each lowered the trace then.

    Raises
    ------
    ValueError
        If numbers of rows or widths do not match, `regularization` is not positive, `oversampling` is below 1, or
        there are fewer than k rows.

    References
    ----------
    Ash, Goel, Krishnamurthy & Kakade (2021), Gone Fishing: Neural Active Learning with Fisher Embeddings; Huseljic,
    Hahn, Herde, Rauch & Sick (2024), Fast Fishing: Approximating BAIT for Efficient and Scalable Deep Active Image
    Classification.

    Examples
    --------
    Row 0 is labelled already, and row 2 is certain:

    >>> import numpy as np, torch
    >>> from alkit.strategies.picks.fisher import bait
    >>> embedding = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    >>> proba = torch.tensor([[0.5, 0.5], [0.5, 0.5], [1.0, 0.0]])
    >>> bait(proba, embedding, proba[:1], embedding[:1], k=1, rng=np.random.default_rng(0)).indices
    array([1])
    """
    check_matrices(k, embedding, train_embedding)
    check_matrices(k, proba, train_proba)
    if len(proba) != len(embedding) or len(train_proba) != len(train_embedding):
        raise ValueError(
            f"proba has {len(proba)} and {len(train_proba)} rows, but embedding {len(embedding)} and "
            f"{len(train_embedding)}; pass both of the same rows"
        )
    if not 0 < regularization < np.inf:
        raise ValueError(f"regularization={regularization}; it must be a number above 0")
    if not oversampling >= 1:
        raise ValueError(f"oversampling={oversampling}; it must be at least 1, so that k rows are left")
    (embedding, train_embedding), scale = in_range(embedding.double(), train_embedding.to(embedding).double())
    n, n_classes = proba.shape
    fits = n_classes * embedding.shape[1] <= max_parameters and n * n_classes**2 <= _PAIR_NUMBERS
    factors = _softmax_factors if fits else _binary_factors
    pool, labelled = (
        _Rows(rows, factors(p.double())) for rows, p in ((embedding, proba), (train_embedding, train_proba))
    )
    selection = _Selection(pool, labelled, regularization / scale**2)
    n_forward = min(n, int(np.ceil(oversampling * k)))
    chosen = [selection.change(rng, adding=True) for _ in range(n_forward)]
    put_back = {selection.change(rng, adding=False)[0] for _ in range(n_forward - k)}
    indices, scores = zip(*[pair for pair in chosen if pair[0] not in put_back], strict=True)
    return Picks(np.array(indices, np.intp), np.array(scores))


class _Rows(NamedTuple):
    """Rows by the two parts of their factors V."""

    embedding: Tensor
    """(N, D)."""
    factors: Tensor
    """(N, P / D, R)."""


def _softmax_factors(proba: Tensor) -> Tensor:
    """Factors of diag(p) - p p^T, whose columns are (onehot(c) - p) sqrt(p(c)): (N, C) -> (N, C, C)."""
    roots = proba.sqrt()
    return torch.diag_embed(roots) - proba[:, :, None] * roots[:, None, :]


def _binary_factors(proba: Tensor) -> Tensor:
    """Standard deviation of a label that is the predicted class or not: (N, C) -> (N, 1, 1)."""
    largest = proba.amax(1)
    return (largest * (1 - largest)).clamp_min(0).sqrt()[:, None, None]


class _Selection:
    """Rows chosen so far, and what each further one would change.

    For the inverse J of M are kept, of each row, V^T J V and V^T J F J V, (N, R, R): adding or taking away a row
    changes J by a matrix of rank R, and these by products of that with V.
    """

    def __init__(self, pool: _Rows, labelled: _Rows, regularization: float) -> None:
        self.pool = pool
        self.of_pool = _information(pool) / len(pool.embedding)
        n_parameters = len(self.of_pool)
        known = _information(labelled) if len(labelled.embedding) else torch.zeros_like(self.of_pool)
        # a diagonal that is lost to rounding would leave nothing to invert
        largest = max(float(known.diagonal().max()), float(self.of_pool.diagonal().max()))
        known.diagonal().add_(max(regularization, 1e-10 * largest))
        self.inverse = torch.linalg.inv(known)
        self.spread = _products(pool, self.inverse)
        self.reduction = _products(pool, self.inverse @ self.of_pool @ self.inverse)
        self.chosen = torch.zeros(len(pool.embedding), dtype=torch.bool, device=known.device)
        self.identity = torch.eye(pool.factors.shape[2]).to(known)
        self.shape = n_parameters // pool.embedding.shape[1], pool.embedding.shape[1]

    def change(self, rng: np.random.Generator, *, adding: bool) -> tuple[int, float]:
        """Add the row that lowers the trace most, or take away the one that raises it least; return it and by how much.

        By Woodbury, J becomes J - J V S V^T J with S = (I + V^T J V)^-1, and for taking away S = (V^T J V - I)^-1.
        """
        sign = 1.0 if adding else -1.0
        open_rows = (self.chosen != adding).nonzero()[:, 0]
        # the trace falls by tr(S V^T J F J V)
        parts = row_blocks(open_rows, self.identity.numel())
        falls = [self._solve(sign, part).diagonal(dim1=1, dim2=2).sum(1) for part in parts]
        fall = torch.cat(falls)
        place = seeded_argmax(fall, rng)
        i = int(open_rows[place])
        self._update(i, torch.linalg.inv(sign * self.identity + self.spread[i]))
        self.chosen[i] = adding
        return i, float(fall[place])

    def _solve(self, sign: float, rows: Tensor) -> Tensor:
        """Return S V^T J F J V of some rows, (n, R, R)."""
        return torch.linalg.solve(sign * self.identity + self.spread[rows], self.reduction[rows])

    def _update(self, i: int, S: Tensor) -> None:
        """Change all that is kept for row i added or taken away."""
        factor = torch.einsum("cr,d->cdr", self.pool.factors[i], self.pool.embedding[i]).reshape(-1, len(S))
        u = self.inverse @ factor
        f_u = self.of_pool @ u
        w, e = self.inverse @ f_u, u.T @ f_u
        both = torch.cat([u, w], dim=1)
        R, width = len(S), self.pool.factors.shape[1] * 2 * len(S)
        parts = (self.pool.embedding, self.pool.factors, self.spread, self.reduction)
        for rows, factors, spread, reduction in zip(*(row_blocks(of, width) for of in parts), strict=True):
            by_row = torch.einsum("nd,cdr->ncr", rows, both.view(*self.shape, -1))
            products = factors.transpose(1, 2) @ by_row
            v_u, v_w = products[..., :R], products[..., R:]
            v_u_S = v_u @ S
            cross = v_u_S @ v_w.transpose(1, 2)
            spread -= v_u_S @ v_u.transpose(1, 2)
            reduction -= cross + cross.transpose(1, 2) - v_u_S @ e @ v_u_S.transpose(1, 2)
        self.inverse -= u @ S @ u.T


def _information(rows: _Rows) -> Tensor:
    """Sum of V V^T over rows: (P, P)."""
    n_outputs, D = rows.factors.shape[1], rows.embedding.shape[1]
    total = rows.embedding.new_zeros(n_outputs * n_outputs * D, D)
    width = n_outputs * n_outputs * D
    for h, factors in zip(*(row_blocks(of, width) for of in rows), strict=True):
        pairs = (factors @ factors.transpose(1, 2)).reshape(len(h), -1)
        total += (pairs[:, :, None] * h[:, None]).reshape(len(h), -1).T @ h
    # from (c, c', d, d') to (c, d, c', d')
    return total.view(n_outputs, n_outputs, D, D).transpose(1, 2).reshape(n_outputs * D, n_outputs * D)


def _products(rows: _Rows, matrix: Tensor) -> Tensor:
    """V^T A V of each row, (N, R, R), for a symmetric A (P, P)."""
    n_outputs, D = rows.factors.shape[1], rows.embedding.shape[1]
    # from (c, d, c', d') to (d, c c' d')
    by_number = matrix.view(n_outputs, D, n_outputs, D).permute(1, 0, 2, 3).reshape(D, -1)
    products = []
    for h, factors in zip(*(row_blocks(of, n_outputs * n_outputs * D) for of in rows), strict=True):
        pairs = (h @ by_number).view(len(h), n_outputs * n_outputs, D) @ h[:, :, None]
        products.append(factors.transpose(1, 2) @ pairs.view(len(h), n_outputs, n_outputs) @ factors)
    return torch.cat(products)
