"""Hidden layers of a network, by name: what their outputs are while it runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import torch
from torch import nn


@contextmanager
def outputs_of(module: nn.Module, layers: Sequence[str]) -> Iterator[dict[str, torch.Tensor]]:
    """Collect what submodules return while the network runs.

    Parameters
    ----------
    module : Module
        The network.
    layers : sequence of str
        Names of submodules, as ``module.named_modules()`` gives them.

    Yields
    ------
    dict of str to tensor
        The last output of each submodule (of a tuple, the first item), filled as they run.

    Raises
    ------
    ValueError
        If there is no submodule of a name, or, after the run, if one did not run.

    Examples
    --------
    >>> import torch
    >>> from alkit.nets.hidden import outputs_of
    >>> net = torch.nn.Sequential(torch.nn.Linear(2, 5), torch.nn.ReLU(), torch.nn.Linear(5, 3))
    >>> with outputs_of(net, ["0", "1"]) as hidden:
    ...     out = net(torch.zeros(4, 2))
    >>> [hidden[name].shape for name in ("0", "1")]
    [torch.Size([4, 5]), torch.Size([4, 5])]
    """
    submodules = dict(module.named_modules())
    missing = [layer for layer in layers if layer not in submodules]
    if missing:
        raise ValueError(f"{type(module).__name__} has no submodule {missing[0]!r}; it has {submodule_names(module)}")
    seen: dict[str, torch.Tensor] = {}

    def note(layer: str, part: nn.Module, inputs: Any, output: Any) -> None:
        seen[layer] = output[0] if isinstance(output, (tuple, list)) else output

    with ExitStack() as hooks:
        for layer in layers:
            hooks.callback(submodules[layer].register_forward_hook(partial(note, layer)).remove)
        yield seen
    idle = [layer for layer in layers if layer not in seen]
    if idle:
        raise ValueError(f"submodule {idle[0]!r} did not run; name one that forward calls")


def submodule_names(module: nn.Module) -> str:
    """List the names of submodules, for error messages."""
    return ", ".join(repr(name) for name, _ in module.named_modules() if name) or "none"
