"""Greedy sampling for regression: rows far from all labelled ones, in features, in what is predicted, or in both.

``features`` is ``(N, D)``, ``train_features``, of the labelled rows, ``(M, D)``; ``prediction`` is ``(N,)`` and
``y_train``, the labels, ``(M,)``; with T outputs ``(N, T)`` and ``(M, T)``.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from alkit.strategies.picks.diversity import farthest_first
from alkit.strategies.picks.geometry import check_matrices, distance_to, in_range, nearest_distance, row_blocks
from alkit.strategies.picks.single import Picks
from alkit.strategies.picks.ties import seeded_argmax

__all__ = ["gsx", "gsy", "igs"]


def gsx(features: Tensor, train_features: Tensor, *, k: int, rng: np.random.Generator) -> Picks:
    """Pick the row whose features are farthest from those of all labelled and picked rows, k times.

    Parameters
    ----------
    features : Tensor (N, D)
        Rows of the pool, best of one scale.
    train_features : Tensor (M, D)
        Labelled rows. Without any (M = 0) the first is the row nearest the mean of the pool.
    k : int
        Number of rows.
    rng : numpy.random.Generator
        Breaks ties.

    Returns
    -------
    Picks
        Scored by the distance to the nearest labelled or picked row, infinite where there was none.

    Raises
    ------
    ValueError
        If pool and labelled rows differ in width, or there are fewer than k rows.

    References
    ----------
    Wu, Lin & Huang (2019), Active Learning for Regression Using Greedy Sampling; Yu & Kim (2010), Passive Sampling for
    Regression.

    Examples
    --------
    >>> import numpy as np, torch
    >>> from alkit.strategies.picks.greedy_sampling import gsx
    >>> pool = torch.tensor([[0.0], [4.0], [12.0], [5.0]])
    >>> gsx(pool, torch.empty(0, 1), k=3, rng=np.random.default_rng(0)).indices
    array([3, 2, 0])
    """
    check_matrices(k, features, train_features)
    (features, train_features), scale = in_range(features, train_features)
    nearest = nearest_distance(features, train_features)

    def to_row(i: int) -> Tensor:
        return distance_to(features, features[i])

    picks = farthest_first(nearest, to_row, k, rng, first=None if len(train_features) else _central(features, rng))
    return picks._replace(scores=scale * picks.scores)


def gsy(prediction: Tensor, y_train: Tensor, *, k: int, rng: np.random.Generator) -> Picks:
    """Pick the row whose prediction is farthest from all labels, k times; a picked row's label is its prediction.

    Parameters
    ----------
    prediction : Tensor (N,) or (N, T)
        What the model predicts. The distance of several outputs is the product of theirs.
    y_train : Tensor (M,) or (M, T)
        Labels. Without any (M = 0) the first is the row whose prediction is nearest their mean.
    k : int
        Number of rows.
    rng : numpy.random.Generator
        Breaks ties.

    Returns
    -------
    Picks
        Scored by the distance to the nearest label, infinite where there was none.

    References
    ----------
    Wu, Lin & Huang (2019), Active Learning for Regression Using Greedy Sampling; Wu & Huang (2022), Affect Estimation
    in 3D Space Using Multi-Task Active Learning for Regression.

    Examples
    --------
    >>> import numpy as np, torch
    >>> from alkit.strategies.picks.greedy_sampling import gsy
    >>> gsy(torch.tensor([1.0, 6.0, 2.5]), torch.tensor([0.0, 4.0]), k=2, rng=np.random.default_rng(0)).indices
    array([1, 2])
    """
    targets, y_train = _as_matrices(prediction, y_train)
    check_matrices(k, targets)
    return _greedy(k, rng, _label_distance, (targets,), (y_train,))


def igs(
    features: Tensor,
    train_features: Tensor,
    prediction: Tensor,
    y_train: Tensor,
    *,
    k: int,
    rng: np.random.Generator,
) -> Picks:
    """Pick the row that is far from all labelled ones in features times prediction, k times.

    The distance of two rows is the product of their distances in both. A picked row's label is its prediction.

    Parameters
    ----------
    features : Tensor (N, D)
        Rows of the pool, best of one scale.
    train_features : Tensor (M, D)
        Labelled rows. Without any (M = 0) the first is the row nearest the mean of the pool.
    prediction : Tensor (N,) or (N, T)
        What the model predicts. The distance of several outputs is the product of theirs.
    y_train : Tensor (M,) or (M, T)
        Labels.
    k : int
        Number of rows.
    rng : numpy.random.Generator
        Breaks ties.

    Returns
    -------
    Picks
        Scored by the product with the nearest labelled or picked row, infinite where there was none.

    Raises
    ------
    ValueError
        If pool and labelled rows differ in width, or there are fewer than k rows.

    References
    ----------
    Wu, Lin & Huang (2019), Active Learning for Regression Using Greedy Sampling; Wu & Huang (2022), Affect Estimation
    in 3D Space Using Multi-Task Active Learning for Regression.

    Examples
    --------
    >>> import numpy as np, torch
    >>> from alkit.strategies.picks.greedy_sampling import igs
    >>> pool, predicted = torch.tensor([[1.0], [2.0], [9.0]]), torch.tensor([5.0, 4.0, 0.1])
    >>> igs(pool, torch.zeros(1, 1), predicted, torch.zeros(1), k=2, rng=np.random.default_rng(0)).indices
    array([1, 0])
    """
    check_matrices(k, features, train_features)
    (features, train_features), scale = in_range(features, train_features)
    targets, y_train = _as_matrices(prediction, y_train)

    def distance(rows: tuple[Tensor, ...], centres: tuple[Tensor, ...]) -> Tensor:
        # of differences, so that duplicates are at exactly 0
        in_features = torch.cdist(rows[0], centres[0], compute_mode="donot_use_mm_for_euclid_dist")
        return in_features * _label_distance(rows[1:], centres[1:])

    picks = _greedy(k, rng, distance, (features, targets), (train_features, y_train))
    return picks._replace(scores=scale * picks.scores)


def _greedy(
    k: int,
    rng: np.random.Generator,
    distance: Callable[[tuple[Tensor, ...], tuple[Tensor, ...]], Tensor],
    rows: tuple[Tensor, ...],
    labelled: tuple[Tensor, ...],
) -> Picks:
    """Pick the row farthest from all labelled and picked ones, by a distance of two sets of rows, (n, m)."""
    n_labelled = len(labelled[0])
    nearest = torch.full((len(rows[0]),), torch.inf, dtype=torch.float64, device=rows[0].device)
    if n_labelled:
        for block in row_blocks(torch.arange(len(nearest), device=nearest.device), n_labelled):
            nearest[block] = distance(tuple(part[block] for part in rows), labelled).amin(1)

    def to_row(i: int) -> Tensor:
        return distance(rows, tuple(part[i : i + 1] for part in rows))[:, 0]

    return farthest_first(nearest, to_row, k, rng, first=None if n_labelled else _central(rows[0], rng))


def _label_distance(rows: tuple[Tensor, ...], centres: tuple[Tensor, ...]) -> Tensor:
    """Return the product over outputs of the distances of predictions and labels, ((n, T),), ((m, T),) -> (n, m)."""
    (predictions,), (labels,) = rows, centres
    return (predictions[:, None] - labels).abs().prod(-1)


def _as_matrices(prediction: Tensor, y_train: Tensor) -> tuple[Tensor, Tensor]:
    """Return predictions and labels as float64 matrices of one width, refusing labels of another one."""
    predictions = prediction.double().reshape(len(prediction), -1)
    width = predictions.shape[1]
    if y_train.numel() != len(y_train) * width:
        raise ValueError(
            f"the model predicts {width} number(s) per row, but labels have shape {tuple(y_train.shape)}; fit it to "
            "these labels"
        )
    return predictions, y_train.double().reshape(len(y_train), width)


def _central(rows: Tensor, rng: np.random.Generator) -> int:
    """Return the row nearest the mean of all."""
    return seeded_argmax(-distance_to(rows, rows.mean(0)), rng)
