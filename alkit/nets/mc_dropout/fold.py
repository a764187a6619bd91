"""Folded passes: a network that ends in dropout -> linear, once or several times, runs once for all samples."""

from typing import Any

import torch
from torch import Tensor
from torch._ops import OpOverload

from alkit.nets.mc_dropout.draws import Draws
from alkit.nets.mc_dropout.masks import SharedMask, shared_mask
from alkit.nets.mc_dropout.record import TracedPass, is_in_place, is_on_single_numbers, run_op
from alkit.nets.mc_dropout.replay import DivergedError
from alkit.nets.mc_dropout.tail import FoldedLayer, FoldedTail
from alkit.nets.mc_dropout.trace import Kind, Trace, tensors_in

aten = torch.ops.aten


class FoldedPass(TracedPass):
    """A pass that computes no more than what the folded tail reads.

    Nothing is recorded. Each op must be the one that stands in its place in the trace, and those of the tail must be
    handed each other's results, or the pass is given up (`DivergedError`).
    """

    def __init__(self, draws: Draws, trace: Trace):
        super().__init__(draws, trace)
        self._position = 0  # number of the step that the next op must be
        self._x: Tensor | None = None
        self._mask: SharedMask | None = None
        self._layers: list[FoldedLayer] = []
        self._last: Tensor | None = None  # what the last op of the tail has made

    def run(self, func: OpOverload, args: tuple, kwargs: dict) -> Any:
        """Run an op, or stand in for what the tail will compute."""
        steps, position = self.trace.steps, self._position
        if position == len(steps) or steps[position].func is not func:
            raise DivergedError
        self._position += 1
        step = steps[position]
        if step.kind is Kind.SKIP:
            return self._masked(*args)
        if step.kind is Kind.FOLD:
            return self._linear(*args)
        if step.kind is not Kind.RUN:
            return func(*args, **kwargs)
        if self._last is None or step.drawn or func is aten.empty_like.default or shared_mask(args[0]) is not None:
            return run_op(step, args, kwargs, tensors_in(*args, *kwargs.values()), self.draws)
        return self._follow(func, args, kwargs)

    def _masked(self, x: Tensor, mask: Tensor) -> Tensor:
        """Stand in for a product with a mask."""
        if self._x is None:
            self._x = x
        else:
            self._expect(x)
        self._mask = shared_mask(mask)
        self._last = torch.empty_like(x)
        return self._last

    def _linear(self, *args: Tensor) -> Tensor:
        """Stand in for a linear layer: bias, if any, its input, weight."""
        *bias, x, weight = args
        self._expect(x)
        if self._mask is None:
            raise DivergedError
        self._layers.append(FoldedLayer(self._mask, weight, bias[0] if bias else None))
        self._last = weight.new_empty(len(x), weight.shape[1])
        return self._last

    def _follow(self, func: OpOverload, args: tuple, kwargs: dict) -> Tensor:
        """Stand in for the softmax, or for an op on single numbers."""
        self._expect(args[0])
        assert self.trace.tail is not None
        if func is not self.trace.tail.softmax:
            if not self._layers or not is_on_single_numbers(func, args, kwargs):
                raise DivergedError
            self._layers[-1].then.append((func, args[1:]))
        if not is_in_place(func):
            self._last = torch.empty_like(args[0])
        assert self._last is not None
        return self._last

    def _expect(self, operand: Tensor) -> None:
        if operand is not self._last:
            raise DivergedError

    def finish(self, output: Tensor) -> FoldedTail:
        """End the pass; return the tail, on what this pass has computed."""
        self._expect(output)
        if self._position < len(self.trace.steps) or self._x is None or self.trace.tail is None:
            raise DivergedError
        return FoldedTail(self._x, tuple(self._layers), self.trace.tail.softmax)
