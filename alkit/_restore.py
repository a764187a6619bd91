"""Failures that lose nothing: learners and estimators put back as they were."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import skorch
import torch
from modAL.models.base import BaseCommittee, BaseLearner
from torch import nn

from alkit._turns import estimator_lock


@contextmanager
def restored_on_failure(holder: Any) -> Iterator[None]:
    """Put learners and estimators back as they were, the same objects, if the body raises or is interrupted."""
    parts = list(_parts(holder))
    kept: dict[int, Any] = {}
    for part in parts:
        for thing in (part, *_taught_data(part), *_parameters(part), *_replaced_by_fit(part)):
            kept[id(thing)] = thing
    trained = [tensor for part in parts for tensor in _trained_tensors(part)]
    for tensor in trained:
        kept[id(tensor)] = tensor
    states = []
    for part in parts:
        # not while another thread has its network in other modes
        with estimator_lock(part):
            states.append(_state(part, kept))
    with torch.no_grad():
        values = [tensor.to("cpu", copy=True) for tensor in trained]
    try:
        yield
    except BaseException:
        with torch.no_grad():
            for tensor, before in zip(trained, values, strict=True):
                tensor.copy_(before)
                tensor.grad = None
        for part, state in zip(parts, states, strict=True):
            # never empty in between, as other threads may be asking it
            vars(part).update(state)
            for name in vars(part).keys() - state.keys():
                del vars(part)[name]
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
        parameters = holder.get_params().values()
        # a class has `get_params` as well, but no state of its own
        yield from (value for value in parameters if hasattr(value, "get_params") and not isinstance(value, type))
        # a network copied as one thing would be copied on its device
        replaced = getattr(holder, "replaced_by_fit", ())
        held = {name: value for name, value in vars(holder).items() if name.endswith("_") and name not in replaced}
        yield from (value for value in held.values() if isinstance(value, skorch.NeuralNet))


def _taught_data(part: Any) -> tuple[Any, Any]:
    """Return rows and labels, which are replaced, never changed, and so need no copy."""
    return getattr(part, "X_training", None), getattr(part, "y_training", None)


def _parameters(part: Any) -> list[Any]:
    """Return what a constructor was given and a fit leaves alone: a network, a validation set ..."""
    if isinstance(part, (BaseLearner, BaseCommittee)) or not hasattr(part, "get_params"):
        return []
    # a fit may write into lists, draw from generators, and train the very module it was given
    written = (list, dict, np.random.RandomState, np.random.Generator)
    trained = getattr(part, "module_", None)
    given = part.get_params(deep=False).values()
    return [value for value in given if not isinstance(value, written) and value is not trained]


def _replaced_by_fit(part: Any) -> list[Any]:
    """Return what a fit replaces and leaves as it is, such as a network that the next one does not go on from."""
    return [vars(part)[name] for name in getattr(part, "replaced_by_fit", ()) if name in vars(part)]


def _trained_tensors(part: Any) -> list[torch.Tensor]:
    """Return the weights and the optimizers' state that a fit of a network goes on from, and changes in place.

    Only their values are kept, on the host: a copy of the network beside the network may be more than a GPU holds.
    """
    if not isinstance(part, skorch.NeuralNet) or _replaced_by_fit(part) or not part.initialized_:
        return []
    modules = [vars(part).get(name + "_") for name in (*part._modules, *part._criteria)]
    optimizers = [vars(part).get(name + "_") for name in part._optimizers]
    tensors: list[Any] = []
    for module in modules:
        if isinstance(module, nn.Module):
            tensors += [*module.parameters(), *module.buffers()]
    for optimizer in optimizers:
        of_weights = [] if optimizer is None else optimizer.state.values()
        tensors += [value for state in of_weights for value in state.values()]
    # those of lazy layers that have no values yet are copied with all the rest
    return [value for value in tensors if isinstance(value, torch.Tensor) and not nn.parameter.is_lazy(value)]


def _state(part: Any, kept: dict[int, Any]) -> dict[str, Any]:
    """Return a copy of all attributes, in which what is kept, by id, stands for itself."""
    # deepcopy looks objects up in its memo before it copies them
    memo = dict(kept)
    state = {}
    for name, value in vars(part).items():
        try:
            state[name] = copy.deepcopy(value, memo)
        except Exception:  # what cannot be copied is put back as it is, changed or not
            state[name] = value
    return state
