"""Modes: what a network and torch are set to while samples are drawn, and how all of it is put back."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import chain
from typing import Any

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

# Buffers of running statistics: those of BatchNorm and InstanceNorm, and the vectors of both kinds of spectral norm.
_STATISTICS = ("running_mean", "running_var", "_u", "weight_u")
_SETTINGS = (bool, int, float, str, tuple, type(None))


def set_dropout_modes(module: nn.Module) -> None:
    """Put each part in training mode, except those in which that is more than dropout.

    Every part, not only the dropout layers known by name: a dropout may be a function that reads `self.training`, or
    sit in attention or between recurrent layers.
    """
    for part in module.modules():
        part.training = not _keeps_statistics(part)


def _keeps_statistics(module: nn.Module) -> bool:
    """Whether training mode would make normalisation stochastic, or is no dropout (RReLU's random slopes)."""
    return isinstance(module, nn.RReLU) or any(name in _STATISTICS for name, _ in module.named_buffers(recurse=False))


def network_state(module: nn.Module) -> tuple:
    """Everything a plan may depend on: which tensors and settings the network has, and whether they have changed.

    torch counts the writes into a tensor, in `_version`: a weight that was trained since, has another number.
    """
    tensors = [(id(tensor), tensor._version) for tensor in chain(module.parameters(), module.buffers())]
    settings = [
        (type(part), [item for item in vars(part).items() if isinstance(item[1], _SETTINGS)])
        for part in module.modules()
    ]
    return tensors, settings


@contextmanager
def modes_and_buffers_kept(module: nn.Module) -> Iterator[None]:
    """Put back each module's mode and buffers, bit by bit."""
    # Module by module, as `module.train(mode)` would give all of them one mode.
    modes = [(part, part.training) for part in module.modules()]
    buffers = [(part, name, value) for part, _ in modes for name, value in part.named_buffers(recurse=False)]
    values = [value.clone() for _, _, value in buffers]
    try:
        yield
    finally:
        for part, training in modes:
            part.training = training
        with torch.no_grad():
            for (part, name, buffer), value in zip(buffers, values, strict=True):
                # The tensor itself: a module may have put another in its place. Scripted ones allow no such thing.
                if not isinstance(part, torch.jit.ScriptModule):
                    part._buffers[name] = buffer
                # Only what differs: a write would look like another network to `network_state`.
                if not torch.equal(buffer, value):
                    buffer.copy_(value)


def accelerators(module: nn.Module) -> list[torch.device]:
    """Devices other than the CPU that hold the network's tensors."""
    devices = {tensor.device for tensor in chain(module.parameters(), module.buffers())}
    return sorted((device for device in devices if device.type != "cpu"), key=str)


def fork_arguments(devices: list[torch.device]) -> dict[str, Any]:
    """Arguments of `fork_rng` for the generators that a network on these devices reads."""
    if not devices:
        return {"devices": []}  # None would mean every GPU there is
    return {"devices": [device.index or 0 for device in devices], "device_type": devices[0].type}


@contextmanager
def seeded_backends(module: nn.Module) -> Iterator[None]:
    """Rule out kernels whose masks no seed determines."""
    with ExitStack() as stack:
        # A compiled network draws within its kernels. Where the compiler is not loaded there is no such network, and
        # loading it takes a second.
        if "torch._dynamo" in sys.modules:
            stack.enter_context(torch.compiler.set_stance("force_eager"))
        # cuDNN's recurrent layers keep a generator of their own from one call to the next.
        on_cuda = any(device.type == "cuda" for device in accelerators(module))
        if on_cuda and any(isinstance(part, nn.RNNBase) for part in module.modules()):
            stack.enter_context(torch.backends.cudnn.flags(enabled=False))
        yield


@contextmanager
def traceable_backends(module: nn.Module) -> Iterator[None]:
    """Rule out kernels that draw their masks where no dispatch mode sees it."""
    caches = torch.is_autocast_cache_enabled()
    # The copies of weights that autocast keeps would be made in the first pass only, so that no two ran the same ops.
    torch.set_autocast_cache_enabled(False)
    try:
        if any(device.type == "cuda" for device in accelerators(module)):
            with sdpa_kernel(SDPBackend.MATH):  # no flash attention
                yield
        else:
            yield
    finally:
        torch.set_autocast_cache_enabled(caches)


def autocast_state(devices: list[torch.device]) -> list[tuple]:
    """What autocast does on the CPU and the devices: another network, as far as a plan is concerned."""
    kinds = sorted({"cpu", *(device.type for device in devices)})
    return [(kind, torch.is_autocast_enabled(kind), torch.get_autocast_dtype(kind)) for kind in kinds]
