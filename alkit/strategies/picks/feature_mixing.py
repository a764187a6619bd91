"""ALFA-Mix: rows whose prediction changes when their embedding is mixed with that of labelled rows."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from alkit.strategies.picks.diversity import nearest_to_centres
from alkit.strategies.picks.geometry import check_matrices, in_range, row_blocks, unit_rows
from alkit.strategies.picks.single import Picks

__all__ = ["alfa_mix"]


def alfa_mix(
    proba: Tensor,
    embedding: Tensor,
    train_embedding: Tensor,
    y_train: Tensor,
    *,
    k: int,
    rng: np.random.Generator,
    alpha: float = 0.2,
) -> Picks:
    """Pick by k-means among rows whose prediction changes when they are mixed with the mean of a labelled class.

    Mixing moves an embedding along the gradient of the loss, by alpha / sqrt(D) of its distance to the mean embedding
    of a class that has labels: the paper's closed form. Alpha grows in steps, up to 1, until k predictions change; if
    that is not enough, the other rows are drawn evenly.

    The last layer's weights are read off the pool: logits are linear in the embedding, so that least squares of log
    probabilities on embeddings gives those weights, exactly where the model is such a network and its pool spans the
    embedding, and approximately otherwise.

    Parameters
    ----------
    proba : Tensor (N, C)
        Class probabilities.
    embedding : Tensor (N, D)
        What the last layer reads.
    train_embedding : Tensor (M, D)
        The same of the labelled rows. Without any, rows are picked by k-means alone.
    y_train : Tensor (M,)
        Their classes, as columns of `proba`.
    k : int
        Number of rows.
    rng : numpy.random.Generator
        Seeds k-means and draws rows.
    alpha : float, default=0.2
        Size of the steps in which alpha grows.

    Returns
    -------
    Picks
        Scored by 1 - alpha with which the prediction changes; 0 where it does not.

    Raises
    ------
    ValueError
        If numbers of rows or widths do not match, `alpha` is not between 0 and 1, or there are fewer than k rows.

    References
    ----------
    Parvaneh, Abbasnejad, Teney, Haffari, van den Hengel & Shi (2022), Active Learning by Feature Mixing.

    Examples
    --------
    >>> import numpy as np, torch
    >>> from alkit.strategies.picks.feature_mixing import alfa_mix
    >>> embedding = torch.tensor([[-4.0], [-3.0], [0.1], [5.0]])
    >>> proba = torch.cat([-embedding, embedding], 1).softmax(1)
    >>> labelled = torch.tensor([[-4.0], [4.0]])
    >>> alfa_mix(proba, embedding, labelled, torch.tensor([0, 1]), k=1, rng=np.random.default_rng(0)).indices
    array([2])
    """
    check_matrices(k, embedding, train_embedding)
    check_matrices(k, proba)
    if not 0 < alpha <= 1:
        raise ValueError(f"alpha={alpha}; it is a share between 0 and 1")
    for name, other, rows in (("proba", proba, embedding), ("y_train", y_train, train_embedding)):
        if len(other) != len(rows):
            raise ValueError(f"{name} has {len(other)} rows, but the embedding {len(rows)}; pass both of the same rows")
    if not len(train_embedding):
        return nearest_to_centres(embedding, k, rng)
    (embedding, train_embedding), _ = in_range(embedding.double(), train_embedding.double())
    needed = _needed_alpha(proba.double(), embedding, _class_means(train_embedding, y_train)).cpu().numpy()
    steps = np.ceil(np.sort(needed)[k - 1] / alpha) if np.sort(needed)[k - 1] <= 1 else np.inf
    candidates = np.flatnonzero(needed <= min(1.0, max(1, steps) * alpha))
    n_clusters = min(k, len(candidates))
    indices = candidates
    if n_clusters:
        spread = nearest_to_centres(
            unit_rows(embedding[torch.from_numpy(candidates).to(embedding.device)]), n_clusters, rng
        )
        indices = candidates[spread.indices]
    others = np.setdiff1d(np.arange(len(needed)), candidates)
    drawn = rng.choice(others, k - len(indices), replace=False)
    indices = np.concatenate([indices, drawn]).astype(np.intp)
    return Picks(indices, np.clip(1 - needed[indices], 0, 1))


def _class_means(rows: Tensor, y: Tensor) -> Tensor:
    """Mean row of each class that occurs: (M, D), (M,) -> (C', D)."""
    classes, positions = y.to(rows.device).unique(return_inverse=True)
    sums = rows.new_zeros(len(classes), rows.shape[1]).index_add_(0, positions, rows)
    return sums / positions.bincount()[:, None]


def _needed_alpha(proba: Tensor, embedding: Tensor, anchors: Tensor) -> Tensor:
    """Smallest alpha with which the prediction of each row changes, infinite if none does: (N,)."""
    log_proba = proba.clamp_min(torch.finfo(torch.float32).tiny).log()
    weights = _last_layer(log_proba, embedding)
    needed = []
    width = max(embedding.shape[1], proba.shape[1], len(anchors))
    for rows, p, log_p in zip(*(row_blocks(of, width) for of in (embedding, proba, log_proba)), strict=True):
        predicted = log_p.argmax(1, keepdim=True)
        error = p.scatter_add(1, predicted, -torch.ones_like(p[:, :1]))
        # how logits change for a step of length 1 along the gradient of the loss
        change = unit_rows(error @ weights) @ weights.T
        lead = log_p.gather(1, predicted) - log_p
        gain = change - change.gather(1, predicted)
        step = torch.where(gain > 0, lead / gain, torch.inf).amin(1)
        # of all anchors the farthest moves a row most
        farthest = torch.cdist(rows, anchors).amax(1)
        needed.append(step * math.sqrt(rows.shape[1]) / farthest)
    # no step at all from an anchor that is the row itself: infinity over zero, or zero over zero
    return torch.cat(needed).nan_to_num(nan=torch.inf, posinf=torch.inf)


def _last_layer(log_proba: Tensor, embedding: Tensor) -> Tensor:
    """Weights of the last layer, up to the same row for all classes, by least squares: (N, C), (N, D) -> (C, D)."""
    # log probabilities are logits less one number per row, which centring over classes takes out
    logits = log_proba - log_proba.mean(1, keepdim=True)
    logits, rows = logits - logits.mean(0), embedding - embedding.mean(0)
    inverse = torch.linalg.pinv(rows.T @ rows, hermitian=True, rtol=1e-12)
    return (inverse @ (rows.T @ logits)).T
