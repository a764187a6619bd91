"""Picks by the scores of single rows, ``(n,)``: the best ones, or drawn with more weight for better ones.

How ties are broken is in `alkit.strategies.picks.ties`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from alkit._tensors import as_array
from alkit.strategies.picks.ties import largest, largest_key

__all__ = ["Picks", "balance_classes", "sample_by_score", "top_k", "top_k_and_uniform", "top_k_per_cost", "uniform"]


class Picks(NamedTuple):
    """Rows picked for labelling, in the order chosen."""

    indices: np.ndarray
    """Positions of the rows, (k,) of int."""
    scores: np.ndarray
    """Their utilities, (k,) of float."""
    probability: np.ndarray | None = None
    """Probability with which each was selected, (k,), where the strategy draws at random and knows it."""


def top_k(scores: ArrayLike, *, k: int, rng: np.random.Generator) -> Picks:
    """Pick the k rows with the highest scores, ties broken at random.

    Parameters
    ----------
    scores : array (n,)
        Utility of each row.
    k : int
        Number of rows.
    rng : numpy.random.Generator
        Breaks ties.

    Returns
    -------
    Picks
        Highest score first.

    References
    ----------
    Settles (2009), Active Learning Literature Survey.

    Examples
    --------
    >>> import numpy as np
    >>> from alkit.strategies.picks.single import top_k
    >>> top_k([0.1, 0.9, 0.5], k=2, rng=np.random.default_rng(0)).indices
    array([1, 2])
    """
    scores = as_array(scores)
    indices = largest(scores, k, rng)
    return Picks(indices, scores[indices])


def uniform(scores: ArrayLike, *, k: int, rng: np.random.Generator) -> Picks:
    """Pick k rows uniformly at random: passive learning, the baseline every strategy has to beat.

    Parameters
    ----------
    scores : array (n,)
        Only its length is used.
    k : int
        Number of rows.
    rng : numpy.random.Generator
        Draws the rows.

    Returns
    -------
    Picks
        With the selection probability k / n.

    References
    ----------
    Settles (2009), Active Learning Literature Survey.

    Examples
    --------
    >>> import numpy as np
    >>> from alkit.strategies.picks.single import uniform
    >>> uniform(np.zeros(4), k=2, rng=np.random.default_rng(0)).probability
    array([0.5, 0.5])
    """
    n = len(as_array(scores))
    picks = top_k(np.zeros(n), k=k, rng=rng)
    return picks._replace(probability=np.full(k, k / n))


def sample_by_score(
    scores: ArrayLike, *, k: int, rng: np.random.Generator, kind: str = "power", beta: float = 1.0
) -> Picks:
    """Pick k rows at random without replacement, likelier the higher their scores.

    Parameters
    ----------
    scores : array (n,)
        Utility of each row; not negative for ``kind="power"``.
    k : int
        Number of rows.
    rng : numpy.random.Generator
        Draws the Gumbel noise.
    kind : {"power", "softmax", "softrank"}, default="power"
        Weights score^beta, exp(beta * score) or rank^-beta.
    beta : float, default=1.0
        How far scores matter: 0 is uniform, and the higher, the nearer to `top_k`.

    Returns
    -------
    Picks
        In the order drawn.

    Raises
    ------
    ValueError
        If `kind` is unknown, `beta` negative or not finite, or a score negative where powers are taken.

    References
    ----------
    Kirsch et al. (2022), Stochastic Batch Acquisition: A Simple Baseline for Deep Active Learning.

    Examples
    --------
    >>> import numpy as np
    >>> from alkit.strategies.picks.single import sample_by_score
    >>> sample_by_score([0.0, 0.0, 1.0], k=1, rng=np.random.default_rng(0)).indices
    array([2])
    """
    if not 0 <= beta < np.inf:
        raise ValueError(f"beta={beta}; it must be 0 or more, and finite")
    scores = as_array(scores).astype(float)
    if kind == "power":
        check_utilities(scores, "draws by kind='power' (softmax and softrank take any score)")
        log_weights = np.log(np.maximum(scores, np.finfo(float).tiny))
    elif kind == "softmax":
        log_weights = scores
    elif kind == "softrank":
        order = top_k(scores, k=scores.size, rng=rng).indices
        log_weights = np.empty(scores.size)
        log_weights[order] = -np.log(np.arange(1, scores.size + 1))
    else:
        raise ValueError(f"kind={kind!r}; choose 'power', 'softmax' or 'softrank'")
    # the k largest of log weights plus Gumbel noise are a weighted draw without replacement
    noise = rng.gumbel(size=scores.size)
    indices = top_k(beta * log_weights + noise, k=k, rng=rng).indices
    return Picks(indices, scores[indices])


def top_k_and_uniform(scores: ArrayLike, *, k: int, rng: np.random.Generator, random_share: float = 0.2) -> Picks:
    """Pick some rows by score and a share uniformly from the rest, and know how likely each was to be picked.

    Parameters
    ----------
    scores : array (n,)
        Utility of each row.
    k : int
        Number of rows.
    rng : numpy.random.Generator
        Draws the random rows.
    random_share : float in [0, 1], default=0.2
        Share of the k rows drawn at random. Where that is no whole number, as for ``k=1``, one row more is drawn at
        random as often as it takes to make up the share in the long run.

    Returns
    -------
    Picks
        Those by score first, each with its probability of being picked. Weighting labels by the inverse keeps
        estimates over the pool unbiased.

    References
    ----------
    Horvitz & Thompson (1952), A Generalization of Sampling Without Replacement From a Finite Universe.

    Examples
    --------
    >>> import numpy as np
    >>> from alkit.strategies.picks.single import top_k_and_uniform
    >>> top_k_and_uniform([0.1, 0.9, 0.5], k=2, rng=np.random.default_rng(0), random_share=0.5).probability
    array([1. , 0.5])
    """
    if not 0 <= random_share <= 1:
        raise ValueError(f"random_share={random_share}; it must be between 0 and 1")
    scores = as_array(scores)
    n_random, rest = divmod(random_share * k, 1)
    n_best = k - int(n_random)
    best = np.empty(0, dtype=np.intp)
    if n_best:
        best = top_k(scores, k=n_best, rng=rng).indices
    # the last by score gives its place to one more random row with probability `rest`
    n_others = scores.size - n_best
    one_more = rest * (n_random + 1) / (n_others + 1)
    among_rest = (1 - rest) * n_random / max(1, n_others) + one_more
    probability = np.full(scores.size, among_rest)
    probability[best[:-1]] = 1
    probability[best[-1:]] = 1 - rest + one_more
    if rng.random() < rest:
        best = best[:-1]
    others = np.delete(np.arange(scores.size), best)
    drawn = rng.choice(others, k - len(best), replace=False)
    indices = np.concatenate([best, drawn])
    return Picks(indices, scores[indices], probability[indices])


def top_k_per_cost(
    scores: ArrayLike, cost: ArrayLike, *, k: int, rng: np.random.Generator, budget: float | None = None
) -> Picks:
    """Pick the rows with the highest utility per unit of cost.

    Parameters
    ----------
    scores : array (n,)
        Utility of each row, not negative.
    cost : array (n,)
        What labelling it costs, above 0.
    k : int
        Number of rows, at most.
    rng : numpy.random.Generator
        Breaks ties.
    budget : float, optional
        What the labels may cost together; a row that no longer fits is passed over.

    Returns
    -------
    Picks
        Highest utility per cost first; `scores` are the utilities themselves.

    Raises
    ------
    ValueError
        If a utility is negative, a cost not a positive number, or no row within the budget.

    References
    ----------
    Settles, Craven & Friedland (2008), Active Learning with Real Annotation Costs.

    Examples
    --------
    >>> import numpy as np
    >>> from alkit.strategies.picks.single import top_k_per_cost
    >>> top_k_per_cost([1.0, 0.9, 0.5], [10.0, 1.0, 1.0], k=3, rng=np.random.default_rng(0), budget=2).indices
    array([1, 2])
    """
    scores, cost = as_array(scores), as_array(cost)
    check_utilities(scores, "divides utility by cost")
    bad = ~((cost > 0) & (cost < np.inf))
    if bad.any():
        raise ValueError(
            f"{bad.sum()} of {cost.size} costs are not positive numbers, the first is {cost[bad.argmax()]} of row "
            f"{bad.argmax()} of those asked for; give each label a price above 0"
        )
    order = top_k(scores / cost, k=k, rng=rng).indices
    if budget is not None:
        if not cost.min() <= budget:
            raise ValueError(f"budget={budget}, but the cheapest of {cost.size} rows costs {cost.min():.3g}; raise it")
        order = _affordable(order, cost, budget)
    return Picks(order, scores[order])


def balance_classes(
    scores: ArrayLike, proba: ArrayLike, y_train: ArrayLike, *, k: int, rng: np.random.Generator
) -> Picks:
    """Pick rows that are useful and likely of the classes that labels are short of.

    Greedily, the utility of a row is weighted by how much of the shortfall its predicted classes make up: the
    shortfall of a class is an even share of all labels after the batch, less the labels it has and those it expects
    from rows picked already. Of several answers per row, each has shortfalls of its own: a label that is seldom on is
    short of rows where it is.

    Parameters
    ----------
    scores : array (n,)
        Utility of each row, not negative.
    proba : array (n, C), or (n, A, C) of several answers per row
        Class probabilities.
    y_train : int array (M,) or (M, A)
        Classes of the labels there are, as columns of `proba`; those below 0 are masked.
    k : int
        Number of rows.
    rng : numpy.random.Generator
        Breaks ties.

    Returns
    -------
    Picks
        In the order chosen.

    Raises
    ------
    ValueError
        If a utility is negative.

    References
    ----------
    Bengar et al. (2022), Class-Balanced Active Learning for Image Classification.

    Examples
    --------
    >>> import numpy as np
    >>> from alkit.strategies.picks.single import balance_classes
    >>> proba = np.array([[0.9, 0.1], [0.9, 0.1], [0.2, 0.8]])
    >>> balance_classes(np.ones(3), proba, [0, 0, 0], k=1, rng=np.random.default_rng(0)).indices
    array([2])
    """
    scores = as_array(scores).astype(float)
    proba = as_array(proba).astype(float)
    check_utilities(scores, "weighs utility by the shortfall of classes")
    n, C = len(proba), proba.shape[-1]
    proba = proba.reshape(n, -1)
    labels_A_M = as_array(y_train).astype(np.intp).reshape(-1, proba.shape[1] // C).T
    expected_A_C = np.array([np.bincount(labels[labels >= 0], minlength=C) for labels in labels_A_M], dtype=float)
    even = ((expected_A_C.sum(1) + k) / C).repeat(C)
    expected = expected_A_C.ravel()
    # the least there is, so that among rows of score 0 the classes still decide
    utility = scores + np.finfo(float).tiny
    keys = -rng.permutation(n)
    left = np.ones(n, dtype=bool)
    indices = []
    for _ in range(k):
        shortfall = np.maximum(even - expected, 0)
        weighted = np.where(left, utility * (proba @ shortfall), -np.inf)
        index = largest_key(np.flatnonzero(weighted == weighted.max()), keys)
        left[index] = False
        expected += proba[index]
        indices.append(index)
    return Picks(np.array(indices), scores[indices])


def _affordable(order: np.ndarray, cost: np.ndarray, budget: float) -> np.ndarray:
    """Return the rows that the budget pays for, in order, passing over what no longer fits."""
    chosen = []
    left = budget
    for index in order:
        if cost[index] <= left:
            chosen.append(index)
            left -= cost[index]
    return np.array(chosen)


def check_scores(scores: ArrayLike, n: int) -> np.ndarray:
    """Return the scores as an array, one for each of n rows."""
    scores = np.asarray(as_array(scores), dtype=float)
    if scores.shape != (n,):
        raise ValueError(f"scores have shape {scores.shape}, but features {n} rows; score each row")
    return scores


def check_utilities(scores: np.ndarray, use: str) -> None:
    """Refuse negative scores where they are multiplied or divided: that would turn their order around."""
    if (scores < 0).any():
        raise ValueError(
            f"a pick that {use} needs scores of 0 or more, but {(scores < 0).sum()} of {scores.size} are negative, the "
            f"lowest is {scores.min():.3g}; use a strategy without negative scores, such as 'margin'"
        )
