"""Query strategies: small pure functions, one line each in `alkit.strategies.table`."""

from difflib import get_close_matches
from typing import Any

from alkit.strategies import picks, scores
from alkit.strategies.selection import Picks
from alkit.strategies.strategy import Strategy
from alkit.strategies.table import TABLE
from alkit.strategies.wrappers import class_balanced, cost_aware, diversified, mixed, stochastic, subsample

_BY_NAME = {strategy.name: strategy for strategy in TABLE}


def get_strategy_names() -> list[str]:
    """Return the names of all strategies, in the order of the table.

    Returns
    -------
    list of str

    Examples
    --------
    >>> from alkit import get_strategy_names
    >>> "bald" in get_strategy_names()
    True
    """
    return list(_BY_NAME)


def get_strategy(name: str, **params: Any) -> Strategy:
    """Return a strategy by name, with other parameters where given.

    Parameters
    ----------
    name : str
        One of `get_strategy_names`.
    **params
        Parameters of the strategy, such as ``n_samples`` of those that read posterior samples.

    Returns
    -------
    Strategy

    Raises
    ------
    ValueError
        If there is no strategy of that name; close matches are listed.
    TypeError
        If the strategy has no such parameter; those it has are listed.

    Examples
    --------
    >>> from alkit import get_strategy
    >>> get_strategy("bald", n_samples=50)
    bald(n_samples=50)
    """
    if name not in _BY_NAME:
        close = get_close_matches(str(name), _BY_NAME)
        hint = f"did you mean {' or '.join(map(repr, close))}?" if close else f"there are {', '.join(_BY_NAME)}"
        raise ValueError(f"there is no strategy {name!r}; {hint}")
    return _BY_NAME[name].with_params(**params)


def as_strategy(query_strategy: Any) -> Any:
    """Return the strategy of a name; a `Strategy` or any other callable as it is.

    Raises
    ------
    TypeError
        If it is neither a name nor a callable.
    """
    if isinstance(query_strategy, str):
        return get_strategy(query_strategy)
    if not callable(query_strategy):
        raise TypeError(f"query_strategy is {query_strategy!r}; pass a name, a Strategy or a modAL callable")
    return query_strategy


__all__ = [
    "Picks",
    "Strategy",
    "as_strategy",
    "class_balanced",
    "cost_aware",
    "diversified",
    "get_strategy",
    "get_strategy_names",
    "mixed",
    "picks",
    "scores",
    "stochastic",
    "subsample",
]
