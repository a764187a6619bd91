"""EPIG: rows whose labels tell most about predictions elsewhere, not about the model's weights as such."""

from __future__ import annotations

import torch
from torch import Tensor

from alkit.strategies.batch_bald import Configurations, conditional_entropy
from alkit.strategies.scores import entropy

# numbers in one block of the targets' posteriors: 16 MiB of float32
_BLOCK = 2**22


def epig(samples: Tensor, target_samples: Tensor) -> Tensor:
    """Expected predictive information gain: mutual information of a row's label and a target's, mean over targets.

    Parameters
    ----------
    samples : Tensor (n, K, C)
        Class probabilities of the rows under K posterior samples.
    target_samples : Tensor (M, K, C)
        The same of the rows one wants to predict; sample k is the same model in both.

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
    >>> from alkit.strategies.epig import epig
    >>> sure, torn = [[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]], [[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 1.0]]
    >>> epig(torch.tensor([sure, torn]), torch.tensor([sure])).round(decimals=4)
    tensor([0.6931, 0.0000])
    """
    M, K, C = target_samples.shape
    # I(y; y*) = H(y) - H(y | y*): to a row, the labels of a target are what labels of picked rows are in BatchBALD
    conditional_n = torch.zeros(len(samples), dtype=torch.float64)
    for targets in target_samples.split(max(1, _BLOCK // (K * C))):
        joint_mC_K = targets.transpose(1, 2).reshape(-1, K) / (K * M)
        weight_mC = joint_mC_K.sum(1)
        likely = weight_mC * M * C > torch.finfo(weight_mC.dtype).eps  # what the others lack is lost in rounding
        joint_mC_K, weight_mC = joint_mC_K[likely], weight_mC[likely]
        conditional_n += conditional_entropy(samples, Configurations(weight_mC, joint_mC_K / weight_mC[:, None]))
    marginal_n = torch.cat([entropy(block.mean(1)) for block in samples.split(1024)])
    return (marginal_n - conditional_n).clamp_min_(0).to(samples.dtype)
