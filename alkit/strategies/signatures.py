"""Signatures of scores, picks and models' methods: the only file that reads what they take by parameter names.

What a parameter's name or kind means:

- **keyword-only, with a value** (a score or a pick): a parameter of the strategy, with that value as its default. So
  ``def gini(proba, *, power=2.0)`` makes ``Strategy("gini", gini, ("proba",)).with_params(power=3.0)`` possible.
- **keyword-only, without a value**: refused when the strategy is made, because nothing would ever fill it in. Excepted
  are the `HANDED_TO_PICKS`. One name may not have two defaults, nor be one that alkit gives a strategy by itself
  (`GIVEN_BY_NEEDS`): it would not be clear which is set.
- **scores**, the first of a pick: the scores of single rows are handed to it, before what its `pick_needs` name.
- **budget** (a pick): the strategy takes ``budget=`` in place of ``n_instances=``; None where a query gives none.
- **consistent** (a model's ``sample_proba``): posterior sample k can be made the same model for every row.

The order of a score's or pick's positional parameters is that of `needs` or `pick_needs`; their names are free.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from inspect import Parameter, signature
from types import FunctionType
from typing import Any

HANDED_TO_PICKS = ("k", "rng", "budget")
"""Keyword-only parameters of picks that each query fills in, so that they are no parameters of the strategy."""
GIVEN_BY_NEEDS = {
    "samples": "n_samples",
    "target_samples": "n_samples",
    "votes": "n_samples",
    "values": "n_samples",
    "features": "embed",
    "cost": "cost",
}
"""Parameters that every strategy has which reads a quantity."""
GIVEN_BY_ANSWERS = "reduce"
"""Parameter that every strategy has whose score reads what a model answers (`alkit.strategies.answers.ANSWERED`)."""


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
    return name in _parameters_of(function)


def sees_scores(pick: Callable[..., Any]) -> bool:
    """Whether a pick is handed the scores of single rows: its first parameter is then called ``scores``.

    Parameters
    ----------
    pick : callable

    Returns
    -------
    bool
    """
    return next(iter(_parameters_of(pick)), None) == "scores"


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
    try:
        parameters = _parameters_of(function).values()
    except ValueError as error:
        raise TypeError(
            f"{_name(function)} does not tell its parameters, as functions written in C may not; wrap it in a lambda"
        ) from error
    keyword_only = [parameter for parameter in parameters if parameter.kind is Parameter.KEYWORD_ONLY]
    return {parameter.name: parameter.default for parameter in keyword_only if parameter.name not in handed}


def _parameters_of(function: Callable[..., Any]) -> Mapping[str, Parameter]:
    """Return the parameters of a callable; those of plain functions are remembered, as each query asks often."""
    # what is bound would keep its object alive
    return _remembered(function) if isinstance(function, FunctionType) else signature(function).parameters


@lru_cache
def _remembered(function: FunctionType) -> Mapping[str, Parameter]:
    return signature(function).parameters


def check_parameters(
    strategy: str, score: Callable[..., Any] | None, pick: Callable[..., Any], needs: tuple[str, ...]
) -> None:
    """Refuse parameters of a strategy that nothing would fill in, or that could mean two things.

    Parameters
    ----------
    strategy : str
        Name of the strategy, for the error message.
    score : callable or None
    pick : callable
    needs : tuple of str
        Quantities that either reads.

    Raises
    ------
    TypeError
        If a keyword-only parameter has no value, if a name has two defaults or is one that alkit gives the strategy by
        itself, if a pick's ``scores`` do not come first, or if a function does not tell its parameters.
    """
    of_score, of_pick = own_parameters(score), own_parameters(pick, HANDED_TO_PICKS)
    for function, parameters in ((score, of_score), (pick, of_pick)):
        for name, default in parameters.items():
            if default is Parameter.empty:
                raise TypeError(
                    f"strategy {strategy}: {_name(function)} has the keyword-only parameter "
                    f"{name!r} without a value; give it one ({name}=...), which is then the strategy's default"
                )
    if takes(pick, "scores") and not sees_scores(pick):
        raise TypeError(
            f"strategy {strategy}: scores must be the first parameter of {_name(pick)}, which is handed them"
        )
    twice = [name for name in of_score.keys() & of_pick.keys() if of_score[name] != of_pick[name]]
    by_needs = {GIVEN_BY_ANSWERS, *(GIVEN_BY_NEEDS[need] for need in needs if need in GIVEN_BY_NEEDS)}
    taken = sorted([*twice, *(by_needs & {*of_score, *of_pick})])
    if taken:
        raise TypeError(
            f"strategy {strategy}: {taken[0]!r} is a parameter twice, of {_name(score)}, of {_name(pick)} or of every "
            f"strategy that reads {' and '.join(needs)}; give it another name"
        )


def _name(function: Callable[..., Any] | None) -> str:
    return getattr(function, "__name__", type(function).__name__)


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
