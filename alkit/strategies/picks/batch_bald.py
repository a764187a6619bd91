"""BatchBALD: rows that are informative together, so that a batch does not ask the same question k times."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from alkit._tensors import as_array
from alkit.strategies.picks.single import Picks
from alkit.strategies.picks.ties import largest_key
from alkit.strategies.scores.by_row import entropy
from alkit.strategies.scores.joint_entropy import FLOOR, Configurations, conditional_entropy

__all__ = ["batch_bald"]

# rows whose exact gain is computed between two comparisons with the best so far
_LAZY_ROWS = 64


def batch_bald(samples: Tensor, *, k: int, rng: np.random.Generator, n_configurations: int = 10_000) -> Picks:
    """Pick k rows whose labels together tell most about the model: greedily maximal I(y_1, ..., y_k; w).

    Each step picks the row with the largest I(y; w | labels of the rows picked so far). That is exact as long as those
    labels have at most `n_configurations` joint outcomes (configurations) of positive probability. From then on it is
    an estimate from `n_configurations` of them, drawn without replacement. Rows that gain as much within rounding are
    drawn at random, and what is lost in rounding counts as zero (in float32 with ten classes, 1e-5 nats).

    Of several answers per row, each is a question of its own to the same K models, and their gains are added up: what
    the answers of one row tell about each other is not counted.

    Parameters
    ----------
    samples : Tensor (N, K, C), or (N, A, K, C) of several answers per row
        Class probabilities under K posterior samples, sample k being the same model for every row.
    k : int
        Number of rows.
    rng : numpy.random.Generator
        Breaks ties and draws configurations.
    n_configurations : int, default=10_000
        Most joint outcomes of the picked rows to work with. Time is proportional to it.

    Returns
    -------
    Picks
        In the order chosen; scores are the gains in nats, and add up to the estimate of I(y_1, ..., y_k; w).

    Raises
    ------
    ValueError
        If `n_configurations` is below 1.

    References
    ----------
    Kirsch, van Amersfoort & Gal (2019), BatchBALD: Efficient and Diverse Batch Acquisition for Deep Bayesian Active
    Learning. Configurations are thinned as particles are in Fearnhead & Clifford (2003), On-line inference for hidden
    Markov models via particle filters.

    Examples
    --------
    Rows 0 and 1 ask the same question; row 2, a weaker one, asks another:

    >>> import numpy as np, torch
    >>> from alkit.strategies.picks.batch_bald import batch_bald
    >>> same = [[0.0, 1.0], [0.0, 1.0], [1.0, 0.0], [1.0, 0.0]]
    >>> other = [[0.1, 0.9], [0.9, 0.1], [0.1, 0.9], [0.9, 0.1]]
    >>> picks = batch_bald(torch.tensor([same, same, other]), k=2, rng=np.random.default_rng(0))
    >>> sorted(picks.indices.tolist())
    [0, 2]
    >>> picks.scores.round(3)
    array([0.693, 0.368])
    """
    if n_configurations < 1:
        raise ValueError(f"n_configurations={n_configurations}; at least 1 must be kept")
    answers = samples.unbind(1) if samples.ndim == 4 else (samples,)
    N, K, _ = answers[0].shape
    # E H[p], which no other label changes; by blocks, as the entropies of all rows and models would take much memory
    ambiguity_N = samples.new_zeros(N)
    for samples_N_K_C in answers:
        ambiguity_N += torch.cat([entropy(block).mean(1) for block in samples_N_K_C.split(256)])
    keys_N = rng.random(N)
    # before any row is picked there is one configuration, of no labels, and it tells nothing about the models
    prior_K = torch.full((1, K), 1 / K, dtype=torch.float64, device=samples.device)
    certain_1 = torch.ones(1, dtype=torch.float64, device=samples.device)
    labels = [Configurations(certain_1, prior_K) for _ in answers]
    picked: list[int] = []
    gains: list[float] = []
    for _ in range(k):
        if picked:
            asked = zip(labels, answers, strict=True)
            labels = [_extended(known, of[picked[-1]].double(), n_configurations, rng) for known, of in asked]
        row, gain = _best_row(answers, ambiguity_N, labels, picked, keys_N)
        picked.append(row)
        gains.append(max(0.0, gain))
    return Picks(np.array(picked), np.array(gains))


def _best_row(
    answers: Sequence[Tensor],
    ambiguity_N: Tensor,
    labels: Sequence[Configurations],
    picked: list[int],
    keys_N: np.ndarray,
) -> tuple[int, float]:
    """Return the row that gains most, ties going to the largest key, and its gain."""
    # Lazy, yet the answer of a full scan: what a row gains given only the group a configuration is in is at least what
    # it gains given the configuration itself. (Last step's gains, the usual bounds, are bounds no more once
    # configurations are sampled: the step's estimates then err independently. These bounds hold for the estimate.)
    bounds_N = _entropies(answers, list(map(_grouped, labels))).sub_(ambiguity_N)
    bounds_N[torch.tensor(picked, dtype=torch.int64)] = -torch.inf
    highest_entropy = len(answers) * math.log(answers[0].shape[2])
    tolerance = 16 * torch.finfo(ambiguity_N.dtype).eps * max(1.0, highest_entropy)
    if bounds_N.max() <= 3 * tolerance:  # rounding is all that is left to tell rows apart
        left = (bounds_N > -torch.inf).nonzero()[:, 0]
        return largest_key(as_array(left), keys_N), 0.0
    gains_N = torch.full_like(bounds_N, -torch.inf)
    best = -math.inf
    # picked rows, whose bound is -inf, come last
    by_bound = bounds_N.argsort(descending=True)[: len(bounds_N) - len(picked)]
    for rows in by_bound.split(_LAZY_ROWS):
        # no row from here on can gain more than the best so far
        if bounds_N[rows[0]] < best - 2 * tolerance:
            break
        gains_N[rows] = _entropies([samples[rows] for samples in answers], labels).sub_(ambiguity_N[rows])
        best = gains_N.max().item()
    ties = (gains_N >= best - tolerance).nonzero()[:, 0]
    row = largest_key(as_array(ties), keys_N)
    return row, gains_N[row].item()


def _entropies(answers: Sequence[Tensor], labels: Sequence[Configurations]) -> Tensor:
    """Return the entropy of each row's answers, given the same answers of the rows picked: (N,), added up."""
    parts = [conditional_entropy(samples, known) for samples, known in zip(answers, labels, strict=True)]
    return torch.stack(parts).sum(0)


def _grouped(labels: Configurations) -> Configurations:
    """Merge S configurations into about 2 sqrt(S) groups of similar posteriors by a few rounds of k-means."""
    joint_S_K = labels.weight[:, None] * labels.posterior
    points_S_K = labels.posterior.float().sqrt_()
    S = len(points_S_K)
    n_groups = min(S, math.ceil(2 * math.sqrt(S)))
    # neighbours are alike, so evenly spaced configurations are a good start
    centres = torch.linspace(0, S - 1, n_groups).long().to(points_S_K.device)
    posterior_G_K = labels.posterior[centres]
    for _ in range(3):
        group_S = torch.cdist(points_S_K, posterior_G_K.float().sqrt_()).argmin(1)
        joint_G_K = torch.zeros_like(posterior_G_K).index_add_(0, group_S, joint_S_K)
        # a group may have lost all its configurations to others
        joint_G_K = joint_G_K[joint_G_K.sum(1) > 0]
        posterior_G_K = joint_G_K / joint_G_K.sum(1, keepdim=True)
    return Configurations(joint_G_K.sum(1), posterior_G_K)


def _extended(
    labels: Configurations, proba_K_C: Tensor, n_configurations: int, rng: np.random.Generator
) -> Configurations:
    """Extend every configuration by every label of one more row, and thin them out where there are too many."""
    K, C = proba_K_C.shape
    proba_K_C = proba_K_C.clamp_min(FLOOR)
    predictive_S_C = labels.posterior @ proba_K_C
    weight_SC = predictive_S_C.mul_(labels.weight[:, None]).flatten()
    kept, weight_S = _thinned(weight_SC, n_configurations, rng)
    # position s * C + c is configuration s extended by label c
    joint_S_K = labels.posterior[kept // C] * proba_K_C.T[kept % C]
    joint_S_K *= (weight_S / joint_S_K.sum(1))[:, None]
    # A draw changes how probable the models are on average; giving each its 1 / K back makes the estimate a true
    # mutual information (0 <= gain <= BALD) and two to three times more precise.
    joint_S_K *= (1 / K) / joint_S_K.sum(0)
    weight_S = joint_S_K.sum(1)
    return Configurations(weight_S, (joint_S_K / weight_S[:, None]).clamp_min_(FLOOR))


def _thinned(weight_S: Tensor, n: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Draw n configurations without bias: those heavier than a cut stay, the others stay with probability weight / cut.

    Neighbours stand for each other, because the draw is systematic and they share all labels but the last few.
    Returns which configurations stay, and their weights.
    """
    possible_S = weight_S > torch.finfo(weight_S.dtype).eps
    if possible_S.sum() <= n:
        kept = possible_S.nonzero()[:, 0]
        return kept, weight_S[kept]
    # What stays for certain leaves less weight to the other draws: the cut falls, and more may stay for certain.
    cut = weight_S.sum() / n
    n_certain = 0
    n_heavy = int((weight_S >= cut).sum())
    while n_certain < n_heavy < n:
        cut = weight_S[weight_S < cut].sum() / (n - n_heavy)
        n_certain = n_heavy
        n_heavy = int((weight_S >= cut).sum())
    chances_S = (weight_S / cut).clamp_max_(1)
    evenly_spaced = torch.arange(n, dtype=torch.float64, device=weight_S.device) + rng.random()
    cumulative_S = chances_S.cumsum_(0)
    # rounding may leave the last draw beyond the end
    kept = torch.searchsorted(cumulative_S, evenly_spaced).clamp_max_(len(weight_S) - 1)
    return kept, weight_S[kept].clamp_min(cut)
