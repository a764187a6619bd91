"""Embeddings of rows: the input of a network's last linear layer, or the output of a submodule by its name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from alkit.nets.training.outputs import first_output


class LinearCall(NamedTuple):
    """A call of a linear layer."""

    input: torch.Tensor
    weight: torch.Tensor
    bias: torch.Tensor | None
    output: torch.Tensor


class _LinearCalls(TorchFunctionMode):
    """Remembers the calls of linear layers, however they are called."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[LinearCall] = []

    def __torch_function__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        if func is nn.functional.linear:
            by_name = dict(zip(("input", "weight", "bias"), args, strict=False)) | kwargs
            call = LinearCall(by_name["input"], by_name["weight"], by_name.get("bias"), out)
            self.calls.append(call)
        return out

    def returning(self, out: torch.Tensor) -> list[LinearCall]:
        """Return the calls whose output is that of the network, or was before a view or a change in place."""
        memory = _memory(out)
        return [call for call in self.calls if _memory(call.output) == memory]


def _memory(values: torch.Tensor) -> int:
    """Return the address of the memory that a tensor and its views share."""
    return values.untyped_storage().data_ptr()


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
    with _LinearCalls() as linear:
        out = first_output(module(*args, **kwargs))
    if not linear.calls:
        raise ValueError(
            f"{type(module).__name__} runs no linear layer whose input could serve as embedding; name a submodule by "
            f"embedding_layer= (or embed(X, layer=...)), one of {submodule_names(module)}"
        )
    # Where something follows the last linear layer (a log-softmax, say), no call returned the output itself.
    candidates = linear.returning(out) or linear.calls
    return candidates[-1].input.flatten(1)


def last_linear_call(module: nn.Module, args: tuple, kwargs: dict) -> LinearCall:
    """Run a network on a batch and return the call of the linear layer it ends in.

    Parameters
    ----------
    module : Module
        The network.
    args, kwargs : tuple, dict
        What it is called with.

    Returns
    -------
    LinearCall
        Its input (n, D), weight (C, D), bias (C,) or None and output (n, C), the network's (first) output.

    Raises
    ------
    ValueError
        If the network's output is not that of a linear layer, as the layer made it.

    Examples
    --------
    >>> import torch
    >>> from alkit.nets.embedding import last_linear_call
    >>> net = torch.nn.Sequential(torch.nn.Linear(2, 5), torch.nn.ReLU(), torch.nn.Linear(5, 3))
    >>> last_linear_call(net, (torch.zeros(4, 2),), {}).input.shape
    torch.Size([4, 5])
    """
    with _LinearCalls() as linear:
        out = first_output(module(*args, **kwargs))
    candidates = linear.returning(out)
    if not candidates or candidates[-1].output.shape != out.shape or candidates[-1].input.ndim != 2:
        raise ValueError(
            f"{type(module).__name__} does not end in a linear layer of vectors (n, D), whose weights could have a "
            "posterior; end it in torch.nn.Linear, or use MC dropout or an EnsembleClassifier"
        )
    call = candidates[-1]
    # An activation in place writes over the layer's output, in the same memory.
    recomputed = nn.functional.linear(call.input, call.weight, call.bias)
    if not torch.allclose(recomputed, call.output, rtol=1e-3, atol=1e-4, equal_nan=True):
        raise ValueError(
            f"{type(module).__name__} changes the output of its last linear layer in place, so that the logits are not "
            "those of the layer's weights; end it in torch.nn.Linear"
        )
    return call


def _output_of(module: nn.Module, args: tuple, kwargs: dict, layer: str) -> torch.Tensor:
    """Return the output of one submodule."""
    with outputs_of(module, [layer]) as outputs:
        module(*args, **kwargs)
    return outputs[layer].flatten(1)


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
    >>> from alkit.nets.embedding import outputs_of
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
    outputs: dict[str, torch.Tensor] = {}

    def remember(layer: str, submodule: nn.Module, inputs: Any, output: Any) -> None:
        outputs[layer] = output[0] if isinstance(output, (tuple, list)) else output

    with ExitStack() as hooks:
        for layer in layers:
            hook = submodules[layer].register_forward_hook(partial(remember, layer))
            hooks.callback(hook.remove)
        yield outputs
    not_run = [layer for layer in layers if layer not in outputs]
    if not_run:
        raise ValueError(f"submodule {not_run[0]!r} did not run; name one that forward calls")


def submodule_names(module: nn.Module) -> str:
    """List the names of submodules, for error messages."""
    return ", ".join(repr(name) for name, _ in module.named_modules() if name) or "none"
