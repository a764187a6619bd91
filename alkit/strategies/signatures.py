"""Signatures of scores, picks and models' methods: the only file that reads what they take by parameter names.

What a parameter's name or kind means:

- **keyword-only, with a value** (a score or a pick): a parameter of the strategy, with that value as its default. So
  ``def gini(proba, *, power=2.0)`` makes ``Strategy("gini", gini, ("proba",)).with_params(power=3.0)`` possible.
- **keyword-only, without a value**: refused when the strategy is made, because nothing would ever fill it in. Excepted
  are the `HANDED_TO_PICKS`.
- **scores** (a pick): the scores of single rows are handed to it first, before what its `pick_needs` name.
- **budget** (a pick): the strategy takes ``budget=`` in place of ``n_instances=``.
- **consistent** (a model's ``sample_proba``): posterior sample k can be made the same model for every row.

The order of a score's or pick's positional parameters is that of `needs` or `pick_needs`; their names are free.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from inspect import Parameter, signature
from typing import Any

HANDED_TO_PICKS = ("k", "rng", "budget")
"""Keyword-only parameters of picks that each query fills in, so that they are no parameters of the strategy."""


def takes(function: Callable[..., Any], name: str) -> bool:
    """Whether a function has a parameter of a name.

    Parameters
    ----------
    function : callable
    name : str

    Returns
    -------
    bool

    Examples
    --------
    >>> from alkit.strategies.picks import badge, top_k
    >>> from alkit.strategies.signatures import takes
    >>> takes(top_k, "scores"), takes(badge, "scores")
    (True, False)
    """
    return name in signature(function).parameters


def own_parameters(function: Callable[..., Any] | None, handed: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return what may be set of a score or pick: its keyword-only parameters with their defaults.

    Parameters
    ----------
    function : callable or None
        A score or a pick; None has no parameters.
    handed : tuple of str
        Keyword-only parameters that each query fills in, `HANDED_TO_PICKS` for a pick.

    Returns
    -------
    dict of str to default
        ``inspect.Parameter.empty`` for one without a value.

    Examples
    --------
    >>> from alkit.strategies.picks import sample_by_score
    >>> from alkit.strategies.signatures import HANDED_TO_PICKS, own_parameters
    >>> own_parameters(sample_by_score, HANDED_TO_PICKS)
    {'kind': 'power', 'beta': 1.0}
    """
    if function is None:
        return {}
    parameters = signature(function).parameters.values()
    keyword_only = [parameter for parameter in parameters if parameter.kind is Parameter.KEYWORD_ONLY]
    return {parameter.name: parameter.default for parameter in keyword_only if parameter.name not in handed}


def check_own_parameters(strategy: str, function: Callable[..., Any] | None, handed: tuple[str, ...] = ()) -> None:
    """Refuse a keyword-only parameter without a value.

    Parameters
    ----------
    strategy : str
        Name of the strategy, for the error message.
    function, handed
        See `own_parameters`.

    Raises
    ------
    TypeError
        If there is such a parameter.
    """
    for name, default in own_parameters(function, handed).items():
        if default is Parameter.empty:
            raise TypeError(
                f"strategy {strategy}: {getattr(function, '__name__', function)} has the keyword-only parameter "
                f"{name!r} without a value; give it one ({name}=...), which is then the strategy's default"
            )


def with_values(
    function: Callable[..., Any], values: dict[str, Any], handed: tuple[str, ...] = ()
) -> Callable[..., Any]:
    """Return a score or pick with its own parameters filled in.

    Parameters
    ----------
    function, handed
        See `own_parameters`.
    values : dict
        Every parameter of the strategy; those that are not of this function are passed over.

    Returns
    -------
    callable
    """
    own = {name: values[name] for name in own_parameters(function, handed)}
    return partial(function, **own) if own else function
