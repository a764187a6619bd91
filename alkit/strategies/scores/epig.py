"""EPIG: rows whose labels tell most about predictions for other rows, not about the weights."""

from __future__ import annotations

import torch
from torch import Tensor

from alkit.strategies.scores.by_row import mc_entropy
from alkit.strategies.scores.joint_entropy import Configurations, conditional_entropy

__all__ = ["epig"]

# numbers in one block of the targets' posteriors: 16 MiB of float32
_TARGET_NUMBERS = 2**22


def epig(samples: Tensor, target_samples: Tensor) -> Tensor:
    """Expected predictive information gain: mutual information of a row's label and a target's, mean over targets.

    Parameters
    ----------
    samples : Tensor (n, K, C)
        Class probabilities of the rows under K posterior samples.
    target_samples : Tensor (M, K, C)
        Class probabilities of the rows that predictions are wanted for; sample k is the same model in both.

    Returns
    -------
    Tensor (n,)
        In nats. Exact; time is proportional to n M C^2 K, memory to neither n M nor M C.

    References
    ----------
    Bickford Smith, Kirsch, Farquhar, Gal, Foster & Rainforth (2023), Prediction-Oriented Bayesian Active Learning.

    Examples
    --------
    Two models contradict each other about rows 0 and 1, but only row 0 has to do with the target:

    >>> import torch
    >>> from alkit.strategies.scores.epig import epig
    >>> sure, torn = [[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]], [[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 1.0]]
    >>> epig(torch.tensor([sure, torn]), torch.tensor([sure])).round(decimals=4)
    tensor([0.6931, 0.0000])
    """
    M, K, C = target_samples.shape
    # I(y; y*) = H(y) - H(y | y*): the label of a target is to a row what the labels of picked rows are in BatchBALD.
    # A block of targets contributes its share to the mean.
    conditional_n = samples.new_zeros(len(samples), dtype=torch.float64)
    for targets in target_samples.split(max(1, _TARGET_NUMBERS // (K * C))):
        joint_mC_K = targets.transpose(1, 2).reshape(-1, K) / (K * M)
        weight_mC = joint_mC_K.sum(1)
        # labels this improbable change the mean by less than rounding does
        likely = weight_mC * M * C > torch.finfo(weight_mC.dtype).eps
        joint_mC_K, weight_mC = joint_mC_K[likely], weight_mC[likely]
        labels = Configurations(weight_mC, joint_mC_K / weight_mC[:, None])
        conditional_n += conditional_entropy(samples, labels)
    return (mc_entropy(samples) - conditional_n).clamp_min_(0).to(samples.dtype)
