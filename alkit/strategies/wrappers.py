"""Strategies made from strategies: the same scores, picked in another way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from alkit.protocols import Pick
from alkit.rows import Rows
from alkit.strategies import picks
from alkit.strategies.names import StrategyName
from alkit.strategies.strategy import Strategy
from alkit.strategies.table import as_strategy


def stochastic(strategy: Strategy | StrategyName | str, *, kind: str = "power", beta: float = 1.0) -> Strategy:
    """Draw rows at random, likelier the higher their scores, so that a batch holds fewer rows that are alike.

    Parameters
    ----------
    strategy : Strategy or str
        Scores the rows.
    kind : {"power", "softmax", "softrank"}, default="power"
        How scores become weights, see `picks.sample_by_score`.
    beta : float, default=1.0
        How far scores matter: 0 is uniform.

    Returns
    -------
    Strategy

    References
    ----------
    Kirsch et al. (2022), Stochastic Batch Acquisition: A Simple Baseline for Deep Active Learning.

    Examples
    --------
    >>> from alkit.strategies import stochastic
    >>> stochastic("margin", beta=2.0)
    stochastic(margin, beta=2.0, kind='power')
    """
    return _wrapped("stochastic", strategy, picks.sample_by_score, kind=kind, beta=beta)


def mixed(strategy: Strategy | StrategyName | str, *, random_share: float = 0.2) -> Strategy:
    """Draw a share of the rows uniformly, so that their labels can also serve to evaluate the model.

    Parameters
    ----------
    strategy : Strategy or str
        Scores the rows.
    random_share : float in [0, 1], default=0.2
        Share of the rows drawn uniformly.

    Returns
    -------
    Strategy
        It fills `Picks.probability`.

    Examples
    --------
    >>> from alkit.strategies import mixed
    >>> mixed("margin", random_share=0.1)
    mixed(margin, random_share=0.1)
    """
    return _wrapped("mixed", strategy, picks.top_k_and_uniform, random_share=random_share)


def cost_aware(strategy: Strategy | StrategyName | str, *, cost: Callable[[Rows], Any] | str | None = None) -> Strategy:
    """Pick the highest utility per unit of cost; ``budget=`` may then replace ``n_instances=`` in a query.

    Parameters
    ----------
    strategy : Strategy or str
        Scores the rows.
    cost : callable or str, optional
        ``cost(X) -> (n,)``, or the column of X that holds it; without it, give ``costs=`` to the query.

    Returns
    -------
    Strategy

    Raises
    ------
    TypeError
        If the strategy does not pick by the scores of single rows, or `cost` is an array: it goes to the query.

    Examples
    --------
    >>> from alkit.strategies import cost_aware
    >>> cost_aware("margin", cost="words")
    cost_aware(margin, cost='words')
    """
    if cost is not None and not callable(cost) and not isinstance(cost, str):
        raise TypeError(
            f"cost is a {type(cost).__name__}, but cost_aware takes a function of rows or the name of a column; pass "
            "what each row costs to the query: query(X, costs=...)"
        )
    return _wrapped("cost_aware", strategy, picks.top_k_per_cost, ("cost",), cost=cost)


def class_balanced(strategy: Strategy | StrategyName | str) -> Strategy:
    """Prefer rows that are likely of the classes with too few labels.

    Parameters
    ----------
    strategy : Strategy or str
        Scores the rows.

    Returns
    -------
    Strategy

    Examples
    --------
    >>> from alkit.strategies import class_balanced
    >>> class_balanced("entropy")
    class_balanced(entropy)
    """
    return _wrapped("class_balanced", strategy, picks.balance_classes, ("proba", "y_train"))


def diversified(strategy: Strategy | StrategyName | str, *, by: str = "coreset", top: float = 10.0) -> Strategy:
    """Spread the picks over the best-scored part of the pool.

    Parameters
    ----------
    strategy : Strategy or str
        Scores the rows.
    by : {"coreset", "kmeans"}, default="coreset"
        How they are spread, in the model's embedding.
    top : float, default=10.0
        Size of that part, in multiples of the rows picked.

    Returns
    -------
    Strategy

    References
    ----------
    Zhdanov (2019), Diverse Mini-Batch Active Learning.

    Examples
    --------
    >>> from alkit.strategies import diversified
    >>> diversified("margin", by="kmeans")
    diversified(margin, by='kmeans', top=10.0)
    """
    return _wrapped("diversified", strategy, picks.diverse, ("embedding",), by=by, top=top)


def subsample(strategy: Strategy | StrategyName | str, *, size: int) -> Strategy:
    """Score only a random part of the pool, which takes only that part of the time.

    Parameters
    ----------
    strategy : Strategy or str
        Any strategy, with or without scores.
    size : int
        Number of rows scored.

    Returns
    -------
    Strategy

    Examples
    --------
    >>> from alkit.strategies import subsample
    >>> subsample("bald", size=10_000)
    subsample(bald, size=10000)
    """
    inner = _strategy_of(strategy)
    if size < 1:
        raise ValueError(f"size={size}; it must be at least 1")
    return replace(inner, name="subsample", of=inner, part=size)


def _wrapped(
    name: str, strategy: Strategy | str, pick: Pick, pick_needs: tuple[str, ...] = (), **params: Any
) -> Strategy:
    """Return a strategy with the scores and parameters of another, picked by `pick`."""
    inner = _strategy_of(strategy)
    # another pick would be lost without a word
    if inner.score is None or inner.pick is not picks.top_k:
        raise TypeError(f"{name} needs a strategy that picks by the scores of single rows, which {inner!r} does not")
    taken = sorted(inner.parameters().keys() & params.keys())
    if taken:
        raise TypeError(f"{name} and {inner!r} both have a parameter {taken[0]!r}; rename that of the score")
    params = inner.params | params
    return replace(inner, name=name, pick=pick, pick_needs=pick_needs, params=params, of=inner)


def _strategy_of(strategy: Strategy | str) -> Strategy:
    """Return a Strategy by name or as it is, refusing other callables: their scores are not known."""
    inner = as_strategy(strategy)
    if not isinstance(inner, Strategy):
        raise TypeError(f"{inner!r} is no Strategy, whose scores could be picked from; pass the name of one, or one")
    return inner
