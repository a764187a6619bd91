"""What a network knows about its rows: the input of its last linear layer, or the output of a layer named."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode


class _LinearCalls(TorchFunctionMode):
    """Remembers the inputs and outputs of linear layers, however they are called."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[torch.Tensor, torch.Tensor]] = []

    def __torch_function__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if func is nn.functional.linear:
            self.calls.append((args[0] if args else kwargs["input"], out))  # type: ignore[index]
        return out


def embed_batch(module: nn.Module, args: tuple, kwargs: dict, layer: str | None = None) -> torch.Tensor:
    """Run a network on a batch and return an embedding of each row.

    Parameters
    ----------
    module : Module
        The network.
    args, kwargs : tuple, dict
        What it is called with.
    layer : str, optional
        Name of a submodule whose output to return. By default the input of the linear layer whose output is the
        network's (first) output, or else of the last one that runs.

    Returns
    -------
    tensor of shape (n, D)

    Raises
    ------
    ValueError
        If there is no linear layer, or no submodule of that name ran.

    Examples
    --------
    >>> import torch
    >>> from alkit.nets.embedding import embed_batch
    >>> net = torch.nn.Sequential(torch.nn.Linear(2, 5), torch.nn.ReLU(), torch.nn.Linear(5, 3))
    >>> embed_batch(net, (torch.zeros(4, 2),), {}).shape
    torch.Size([4, 5])
    """
    if layer is not None:
        return _output_of(module, args, kwargs, layer)
    with _LinearCalls() as seen:
        out = first_output(module(*args, **kwargs))
    if not seen.calls:
        raise ValueError(
            f"{type(module).__name__} runs no linear layer whose input could serve as embedding; name a submodule by "
            f"embedding_layer= (or embed(X, layer=...)), one of {_names(module)}"
        )
    memory = out.untyped_storage().data_ptr()
    final = [call for call in seen.calls if call[1].untyped_storage().data_ptr() == memory]
    return (final or seen.calls)[-1][0].flatten(1)


def first_output(out: Any) -> Any:
    """Return the logits of a network that returns logits or (logits, ...)."""
    return out[0] if isinstance(out, (tuple, list)) else out


def _output_of(module: nn.Module, args: tuple, kwargs: dict, layer: str) -> torch.Tensor:
    """Return the output of one submodule, watched by a hook for one call."""
    submodules = dict(module.named_modules())
    if layer not in submodules:
        raise ValueError(f"{type(module).__name__} has no submodule {layer!r}; it has {_names(module)}")
    seen: list[torch.Tensor] = []
    handle = submodules[layer].register_forward_hook(lambda *call: seen.append(first_output(call[-1])))
    try:
        module(*args, **kwargs)
    finally:
        handle.remove()
    if not seen:
        raise ValueError(f"submodule {layer!r} did not run; name one that forward calls")
    return seen[-1].flatten(1)


def _names(module: nn.Module) -> str:
    """List the names of submodules."""
    return ", ".join(repr(name) for name, _ in module.named_modules() if name) or "none"
