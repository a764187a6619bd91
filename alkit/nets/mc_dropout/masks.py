"""Shared masks: a dropout mask held as the values of one row, and multiplied into all rows by broadcasting.

Dropout on a CPU runs as four ops: ``m = empty_like(x)``, ``m.bernoulli_(1 - p)``, ``m.div_(1 - p)``, ``x * m``. As all
rows share one mask, m never needs its n rows: it stays uninitialised and carries a `SharedMask` until it is multiplied.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch._ops import OpOverload

from alkit.nets.mc_dropout.layouts import Layout

aten = torch.ops.aten


@dataclass(frozen=True)
class SharedMask:
    """What an uninitialised tensor for n rows stands for.

    ``values`` are those of one row in the sample at hand, ``redraw(k)`` gives them for sample k as they were drawn, and
    ``updates`` are the ops that have changed them since (the division by 1 - p), with the ops' other operands.
    """

    layout: Layout
    n: int
    values: Tensor
    redraw: Callable[[int], Tensor]
    updates: tuple[tuple[OpOverload, tuple], ...] = ()

    def updated(self, func: OpOverload, rest: tuple) -> "SharedMask":
        """Apply an in-place op whose other operands are numbers."""
        # A clone: the drawn values are cached for the other batches of the pool.
        values = func(self.values.clone(), *rest)
        return SharedMask(self.layout, self.n, values, self.redraw, (*self.updates, (func, rest)))

    def of_samples(self, n_samples: int) -> Tensor:
        """One row's values in each of the samples 0 to K - 1, stacked along the first axis."""
        values = torch.cat([self.redraw(k) for k in range(n_samples)])
        for func, rest in self.updates:
            func(values, *rest)
        return values

    def times(self, func: OpOverload, x: Tensor) -> Tensor:
        """Multiply x by the mask; func is aten.mul or aten.mul_."""
        if not self.layout.merged:
            return func(x, self.values)
        assert self.layout.axis is not None
        product = func(self.layout.split(x, self.n), self.layout.broadcastable(self.values))
        if func is aten.mul_.Tensor:
            return x  # `split` is a view, so x itself was multiplied
        return product.flatten(self.layout.axis, self.layout.axis + 1)

    def write(self, tensor: Tensor) -> None:
        """Spread the values out in the tensor that stood for them."""
        tensor.copy_(self.layout.spread(self.values, self.n))
        del tensor._alkit_mask  # type: ignore[attr-defined]


def shared_mask(tensor: Any) -> SharedMask | None:
    """Return the mask that an uninitialised tensor stands for, if any."""
    return getattr(tensor, "_alkit_mask", None)


def run_on_masks(func: OpOverload, args: tuple, kwargs: dict, inputs: list[Tensor]) -> Any:
    """Run an op some inputs of which stand for shared masks."""
    mask = shared_mask(args[0])
    if mask is not None and len(inputs) == 1 and not kwargs and _is_update(func):
        args[0]._alkit_mask = mask.updated(func, args[1:])
        return args[0]
    if func in (aten.mul.Tensor, aten.mul_.Tensor) and mask is None and args[0].shape == args[1].shape:
        return args[1]._alkit_mask.times(func, args[0])
    # No other op may see the tensor: it is uninitialised memory until its values are written.
    for tensor in inputs:
        mask = shared_mask(tensor)
        if mask is not None:
            mask.write(tensor)
    return func(*args, **kwargs)


@cache
def _is_update(func: OpOverload) -> bool:
    """Whether an op changes each element by itself, so that it may be done on one row for all."""
    # by its name, as torch 2.6 has no tag for what is done in place
    return torch.Tag.pointwise in func.tags and func._schema.name.endswith("_")
