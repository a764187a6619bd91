"""Failures that lose nothing: learners and estimators put back as they were."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from modAL.models.base import BaseCommittee, BaseLearner


@contextmanager
def restored_on_failure(holder: Any) -> Iterator[None]:
    """Put learners and estimators back as they were, the same objects, if the body raises or is interrupted."""
    parts = list(_parts(holder))
    kept = [thing for part in parts for thing in (part, *_taught_data(part), *_parameters(part)) if thing is not None]
    states = [_state(part, {id(other): other for other in kept}) for part in parts]
    try:
        yield
    except BaseException:
        for part, state in zip(parts, states, strict=True):
            vars(part).clear()
            vars(part).update(state)
        raise


def _parts(holder: Any) -> Iterator[Any]:
    """Yield a committee, its learners, their estimators and the estimators inside those: all that users may hold."""
    if not hasattr(holder, "__dict__"):
        return
    yield holder
    for learner in getattr(holder, "learner_list", ()):
        yield from _parts(learner)
    if hasattr(holder, "learner_list"):
        return
    if isinstance(holder, BaseLearner):
        yield from _parts(holder.estimator)
    elif hasattr(holder, "get_params"):
        yield from (p for p in holder.get_params().values() if hasattr(p, "get_params") and not isinstance(p, type))


def _taught_data(part: Any) -> tuple[Any, Any]:
    """Return rows and labels, which are replaced, never changed, and so need no copy."""
    return getattr(part, "X_training", None), getattr(part, "y_training", None)


def _parameters(part: Any) -> list[Any]:
    """Return what a constructor was given and a fit leaves alone: a network, a validation set ..."""
    if isinstance(part, (BaseLearner, BaseCommittee)) or not hasattr(part, "get_params"):
        return []
    # a fit may write into lists, draw from generators, and train the very module it was given
    written = (list, dict, np.random.RandomState, np.random.Generator)
    given = part.get_params(deep=False).values()
    return [v for v in given if not isinstance(v, written) and v is not getattr(part, "module_", None)]


def _state(part: Any, kept: dict[int, Any]) -> dict[str, Any]:
    memo, state = dict(kept), {}
    for name, value in vars(part).items():
        try:
            state[name] = copy.deepcopy(value, memo)
        except Exception:  # what cannot be copied is put back as it is, changed or not
            state[name] = value
    return state
