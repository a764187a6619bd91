"""Entropy of a row's label once other labels are known: what BatchBALD and EPIG have in common."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

# far below any probability that matters; keeps logarithms finite and float32 products out of the slow denormals
FLOOR = 1e-18
# one matrix product, small enough for the processor's caches: 8 MiB of float32, at most 1,024 configurations
_TILE = 2**21
_TILE_CONFIGURATIONS = 1024


class Configurations(NamedTuple):
    """Joint labels of some rows, and what each set of labels would tell about the K models."""

    weight: Tensor
    """Probability of each configuration, (S,), summing to one."""
    posterior: Tensor
    """Probability of each model given the configuration, (S, K), rows summing to one."""


def conditional_entropy(samples: Tensor, given: Configurations) -> Tensor:
    """Entropy of each row's label, given the labels of other rows: sum over configurations of w H(y | configuration).

    Parameters
    ----------
    samples : Tensor (N, K, C)
        Class probabilities under K posterior samples.
    given : Configurations
        Of the other rows, under the same K models.

    Returns
    -------
    Tensor (N,)
        In nats, float64.

    References
    ----------
    Cover & Thomas (2006), Elements of Information Theory, section 2.2.

    Examples
    --------
    Two models contradict each other. First the other labels tell nothing, then they tell which model is right:

    >>> import torch
    >>> from alkit.strategies.scores.joint_entropy import Configurations, conditional_entropy
    >>> samples = torch.tensor([[[1.0, 0.0], [0.0, 1.0]]])
    >>> conditional_entropy(samples, Configurations(torch.ones(1), torch.tensor([[0.5, 0.5]]))).tolist()
    [0.693...]
    >>> conditional_entropy(samples, Configurations(torch.tensor([0.5, 0.5]), torch.eye(2))).round(decimals=6).tolist()
    [0.0]
    """
    _, K, C = samples.shape
    weight_S, posterior_S_K = (part.to(samples) for part in given)
    n_configurations = min(len(weight_S), _TILE_CONFIGURATIONS)
    n_rows = max(1, _TILE // (max(n_configurations, K) * C))
    tiles = list(zip(weight_S.split(n_configurations), posterior_S_K.split(n_configurations), strict=True))
    buffers = samples.new_empty(2, n_configurations * n_rows * C)  # one allocation per tile would fragment the heap
    entropies = []
    for block in samples.split(n_rows):
        proba_K_nC = block.transpose(0, 1).reshape(K, -1).clamp_min(FLOOR)
        # float64, or thousands of light configurations would be rounded away one by one
        terms_nC = samples.new_zeros(proba_K_nC.shape[1], dtype=torch.float64)
        for weight_s, posterior_s_K in tiles:
            shape = len(weight_s), len(terms_nC)
            predictive_s_nC, log_s_nC = buffers[:, : shape[0] * shape[1]].view(2, *shape)
            torch.mm(posterior_s_K, proba_K_nC, out=predictive_s_nC)
            torch.log(predictive_s_nC, out=log_s_nC)  # torch.special.entr would be three times slower
            terms_nC -= weight_s @ log_s_nC.mul_(predictive_s_nC)
        entropies.append(terms_nC.view(-1, C).sum(1).clamp_min_(0))
    return torch.cat(entropies)
