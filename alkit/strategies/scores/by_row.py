"""Scores of single rows from what the model says about each: pure functions, higher is more useful.

``proba`` is ``(n, C)``: class probabilities. ``samples`` is ``(n, K, C)``: class probabilities under K posterior
samples of the model (MC dropout, an ensemble or a committee). Each function returns ``(n,)``; entropies are in nats.
"""

from __future__ import annotations

import torch
from torch import Tensor

from alkit._tensors import reduced

__all__ = [
    "bald",
    "entropy",
    "ideal_loss",
    "learning_loss",
    "least_confident",
    "margin",
    "max_disagreement",
    "mc_entropy",
    "mc_least_confident",
    "mc_margin",
    "mean_std",
    "variation_ratio",
    "vote_entropy",
]

# ---- of one prediction


def least_confident(proba: Tensor) -> Tensor:
    """Probability that the predicted class is wrong: 1 - max p.

    Parameters
    ----------
    proba : Tensor (n, C)

    Returns
    -------
    Tensor (n,)

    References
    ----------
    Lewis & Gale (1994), A Sequential Algorithm for Training Text Classifiers.

    Examples
    --------
    >>> import torch
    >>> from alkit.strategies.scores import least_confident
    >>> least_confident(torch.tensor([[0.75, 0.25], [0.5, 0.5]]))
    tensor([0.2500, 0.5000])
    """
    return 1 - proba.amax(-1)


def margin(proba: Tensor) -> Tensor:
    """How close the two most probable classes are: 1 - (p1 - p2).

    Parameters
    ----------
    proba : Tensor (n, C)
        Or decision values, of a model without probabilities: the best is 0, one g behind it is -g / (1 + g).

    Returns
    -------
    Tensor (n,)

    References
    ----------
    Scheffer, Decomain & Wrobel (2001), Active Hidden Markov Models for Information Extraction.

    Examples
    --------
    >>> import torch
    >>> from alkit.strategies.scores import margin
    >>> margin(torch.tensor([[0.75, 0.25], [0.5, 0.5]]))
    tensor([0.5000, 1.0000])
    """
    if proba.shape[-1] == 1:
        return 1 - proba[..., 0]
    first_second = proba.topk(2, dim=-1).values
    return 1 - (first_second[..., 0] - first_second[..., 1])


def entropy(proba: Tensor) -> Tensor:
    """Shannon entropy of the prediction: -sum p log p, in nats.

    Parameters
    ----------
    proba : Tensor (n, C) or (n, K, C)

    Returns
    -------
    Tensor (n,) or (n, K)

    References
    ----------
    Shannon (1948), A Mathematical Theory of Communication.

    Examples
    --------
    >>> import torch
    >>> from alkit.strategies.scores import entropy
    >>> entropy(torch.tensor([[1.0, 0.0], [0.5, 0.5]]))
    tensor([0.0000, 0.6931])
    """
    log_proba = proba.clamp_min(torch.finfo(proba.dtype).tiny).log_()
    # 0 - x instead of -x, so that a certain prediction has entropy 0, not -0
    return (0 - reduced(log_proba.mul_(proba), -1, torch.sum)).clamp_min_(0)


# ---- the same of the posterior mean


def mc_least_confident(samples: Tensor) -> Tensor:
    """`least_confident` of the mean over posterior samples.

    Parameters
    ----------
    samples : Tensor (n, K, C)

    Returns
    -------
    Tensor (n,)

    References
    ----------
    Gal & Ghahramani (2016), Dropout as a Bayesian Approximation.

    Examples
    --------
    >>> import torch
    >>> from alkit.strategies.scores import mc_least_confident
    >>> mc_least_confident(torch.tensor([[[1.0, 0.0], [0.5, 0.5]]]))
    tensor([0.2500])
    """
    return least_confident(_posterior_mean(samples))


def mc_margin(samples: Tensor) -> Tensor:
    """`margin` of the mean over posterior samples.

    Parameters
    ----------
    samples : Tensor (n, K, C)

    Returns
    -------
    Tensor (n,)

    References
    ----------
    Gal & Ghahramani (2016), Dropout as a Bayesian Approximation.

    Examples
    --------
    >>> import torch
    >>> from alkit.strategies.scores import mc_margin
    >>> mc_margin(torch.tensor([[[1.0, 0.0], [0.5, 0.5]]]))
    tensor([0.5000])
    """
    return margin(_posterior_mean(samples))


def mc_entropy(samples: Tensor) -> Tensor:
    """Entropy of the consensus: `entropy` of the mean over posterior samples or committee members.

    Parameters
    ----------
    samples : Tensor (n, K, C)

    Returns
    -------
    Tensor (n,)

    References
    ----------
    Gal & Ghahramani (2016), Dropout as a Bayesian Approximation.

    Examples
    --------
    >>> import torch
    >>> from alkit.strategies.scores import mc_entropy
    >>> mc_entropy(torch.tensor([[[1.0, 0.0], [0.0, 1.0]]]))
    tensor([0.6931])
    """
    return entropy(_posterior_mean(samples))


# ---- disagreement between posterior samples


def bald(samples: Tensor) -> Tensor:
    """Mutual information between label and weights: H[E p] - E H[p], in nats.

    Parameters
    ----------
    samples : Tensor (n, K, C)

    Returns
    -------
    Tensor (n,)

    Notes
    -----
    Samples can only disagree about what they know. Of a class without labels they all know nothing, and such rows score
    low: where many classes have no label yet, this asks for rows like those labelled, and is worse than random picks,
    however many samples there are. Start over features (``typiclust``), or ask for margins, until most classes have
    labels. The best rows of one query resemble each other, too: pick on the set, by ``batch_bald`` or `diversified`, or
    at random by score, by ``power_bald``.

    References
    ----------
    Houlsby et al. (2011), Bayesian Active Learning for Classification and Preference Learning; Gal, Islam &
    Ghahramani (2017), Deep Bayesian Active Learning with Image Data.

    Examples
    --------
    Two confident samples that contradict each other score ln 2; two that are equally undecided agree and score 0:

    >>> import torch
    >>> from alkit.strategies.scores import bald
    >>> bald(torch.tensor([[[1.0, 0.0], [0.0, 1.0]], [[0.5, 0.5], [0.5, 0.5]]]))
    tensor([0.6931, 0.0000])
    """
    of_mean_n = entropy(_posterior_mean(samples))
    mean_n = reduced(entropy(samples), 1, torch.mean)
    # never negative but by rounding
    return (of_mean_n - mean_n).clamp_min_(0)


def mean_std(samples: Tensor) -> Tensor:
    """Standard deviation of each class's probability over posterior samples, averaged over classes.

    Parameters
    ----------
    samples : Tensor (n, K, C)

    Returns
    -------
    Tensor (n,)

    References
    ----------
    Kampffmeyer, Salberg & Jenssen (2016), Semantic Segmentation of Small Objects and Modeling of Uncertainty.

    Examples
    --------
    >>> import torch
    >>> from alkit.strategies.scores import mean_std
    >>> mean_std(torch.tensor([[[1.0, 0.0], [0.0, 1.0]]]))
    tensor([0.5000])
    """
    deviation = samples - samples.mean(1, keepdim=True)
    std_n_C = deviation.square_().mean(1).sqrt_()
    return std_n_C.mean(-1)


def variation_ratio(samples: Tensor) -> Tensor:
    """Share of posterior samples that do not vote for the most voted class.

    Parameters
    ----------
    samples : Tensor (n, K, C)

    Returns
    -------
    Tensor (n,)

    References
    ----------
    Freeman (1965), Elementary Applied Statistics.

    Examples
    --------
    >>> import torch
    >>> from alkit.strategies.scores import variation_ratio
    >>> variation_ratio(torch.tensor([[[1.0, 0.0], [0.0, 1.0]]]))
    tensor([0.5000])
    """
    return least_confident(_member_vote_shares(samples))


def vote_entropy(samples: Tensor) -> Tensor:
    """Entropy of the committee's votes, each member voting for its most probable class, in nats.

    Parameters
    ----------
    samples : Tensor (n, K, C)

    Returns
    -------
    Tensor (n,)

    References
    ----------
    Dagan & Engelson (1995), Committee-Based Sampling for Training Probabilistic Classifiers.

    Examples
    --------
    >>> import torch
    >>> from alkit.strategies.scores import vote_entropy
    >>> vote_entropy(torch.tensor([[[0.9, 0.1], [0.2, 0.8]]]))
    tensor([0.6931])
    """
    return entropy(_member_vote_shares(samples))


def max_disagreement(samples: Tensor) -> Tensor:
    """Largest Kullback-Leibler divergence of a committee member from the consensus: max_k KL(p_k || E p), in nats.

    Parameters
    ----------
    samples : Tensor (n, K, C)

    Returns
    -------
    Tensor (n,)

    References
    ----------
    McCallum & Nigam (1998), Employing EM and Pool-Based Active Learning for Text Classification.

    Examples
    --------
    >>> import torch
    >>> from alkit.strategies.scores import max_disagreement
    >>> max_disagreement(torch.tensor([[[1.0, 0.0], [0.0, 1.0]]]))
    tensor([0.6931])
    """
    tiny = torch.finfo(samples.dtype).tiny
    log_consensus_n_C = _posterior_mean(samples).clamp_min(tiny).log()
    cross_entropy_n_K = -reduced(samples * log_consensus_n_C[:, None], -1, torch.sum)
    return (cross_entropy_n_K - entropy(samples)).amax(1).clamp_min(0)


# ---- losses


def learning_loss(loss: Tensor) -> Tensor:
    """Loss that a module trained beside the network predicts for a row.

    Parameters
    ----------
    loss : Tensor (n,)
        On the module's own scale: only its order means something.

    Returns
    -------
    Tensor (n,)

    References
    ----------
    Yoo & Kweon (2019), Learning Loss for Active Learning.

    Examples
    --------
    >>> import torch
    >>> from alkit.strategies.scores import learning_loss
    >>> learning_loss(torch.tensor([-0.5, 2.0]))
    tensor([-0.5000,  2.0000])
    """
    return loss


def ideal_loss(true_loss: Tensor) -> Tensor:
    """Loss that a row's hidden label would give: what learning loss is after, known only in a simulation.

    Parameters
    ----------
    true_loss : Tensor (n,)
        -log p of the hidden label, in nats; of a class the model has not met, that of the smallest positive float.

    Returns
    -------
    Tensor (n,)

    References
    ----------
    Yoo & Kweon (2019), Learning Loss for Active Learning.

    Examples
    --------
    >>> import torch
    >>> from alkit.strategies.scores import ideal_loss
    >>> ideal_loss(torch.tensor([0.5, 2.0]))
    tensor([0.5000, 2.0000])
    """
    return true_loss


def _posterior_mean(samples: Tensor) -> Tensor:
    """Mean over posterior samples: (n, K, C) -> (n, C)."""
    return reduced(samples, 1, torch.mean)


def _member_vote_shares(samples: Tensor) -> Tensor:
    """Share of posterior samples whose most probable class is c: (n, K, C) -> (n, C)."""
    n, K, C = samples.shape
    votes_n_K = samples.argmax(-1)
    share_of_a_vote = samples.new_full((n, K), 1 / K)
    shares = samples.new_zeros(n, C).scatter_add_(1, votes_n_K, share_of_a_vote)
    # argmax would vote for a NaN; NaN shares are refused where scores are checked
    shares[samples.isnan().flatten(1).any(1)] = torch.nan
    return shares
