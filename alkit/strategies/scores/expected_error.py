"""Expected error reduction: rows whose labels are expected to make predictions for other rows right."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["eer"]

# numbers in one block of predictions after a label: 16 MiB of float32
_BLOCK_NUMBERS = 2**22


def eer(samples: Tensor, target_samples: Tensor) -> Tensor:
    """Expected reduction of the error on other rows by a row's label: mean over targets, expectation over labels.

    Error is the probability that the predicted class is wrong, 1 - max p. Nothing is retrained: what the model would
    predict after a label is its posterior samples, weighted by how well each of them predicted that label. That takes
    time for each pair of a row and a target, n M C^2 K operations: a thousandfold of `bald` for 500 targets of two
    classes. Thin out large pools (``subsample``), or take `epig`, which asks the same of the entropy.

    Parameters
    ----------
    samples : Tensor (n, K, C)
        Class probabilities of the rows under K posterior samples.
    target_samples : Tensor (M, K, C)
        Class probabilities of the rows that predictions are wanted for, by default 500 rows of the pool; sample k is
        the same model in both.

    Returns
    -------
    Tensor (n,)
        Reduction of the error rate, 0 or more.

    References
    ----------
    Roy & McCallum (2001), Toward Optimal Active Learning through Sampling Estimation of Error Reduction; Mussmann,
    Reisler, Tsai, Mousavi, O'Brien & Goldszmidt (2022), Active Learning with Expected Error Reduction.

    Examples
    --------
    Two models contradict each other about rows 0 and 1, but only row 0 has to do with the target:

    >>> import torch
    >>> from alkit.strategies.scores import eer
    >>> sure, torn = [[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]], [[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 1.0]]
    >>> eer(torch.tensor([sure, torn]), torch.tensor([sure]))
    tensor([0.5000, 0.0000])
    """
    n, K, C = samples.shape
    # p(y, model) of each row and label, of which improbable ones change the mean by less than rounding does
    joint_nC_K = samples.transpose(1, 2).reshape(n * C, K) / K
    likely = (joint_nC_K.sum(1) * C > torch.finfo(samples.dtype).eps).nonzero()[:, 0]
    right = samples.new_zeros(n * C, dtype=torch.float64)
    targets_K_MC = target_samples.to(samples).transpose(0, 1).reshape(K, -1)
    for part in likely.split(max(1, _BLOCK_NUMBERS // targets_K_MC.shape[1])):
        # p(y) p(y* | y), of which the largest over y* is right
        joint_part_M_C = (joint_nC_K[part] @ targets_K_MC).view(len(part), -1, C)
        right[part] = joint_part_M_C.amax(2).double().mean(1)
    now = target_samples.mean(1).amax(1).double().mean()
    return (right.view(n, C).sum(1) - now).clamp_min_(0).to(samples.dtype)
