"""Folded passes: a network that is proven to end in dropout -> linear (-> softmax) runs once, for all samples."""

from typing import Any

import torch
from torch import Tensor
from torch._ops import OpOverload

from alkit.nets.mc_dropout.draws import Draws
from alkit.nets.mc_dropout.masks import SharedMask, shared_mask
from alkit.nets.mc_dropout.record import TracedPass, run_op
from alkit.nets.mc_dropout.replay import DivergedError
from alkit.nets.mc_dropout.trace import FoldedTail, Kind, Trace, tensors_in


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
        self._operands: tuple = ()  # of the linear layer: bias, if any, stand-in for its input, weight
        self._last: Tensor | None = None  # what the last op of the tail has made

    def run(self, func: OpOverload, args: tuple, kwargs: dict) -> Any:
        """Run an op, or stand in for what the tail will compute."""
        steps, position = self.trace.steps, self._position
        if position == len(steps) or steps[position].func is not func:
            raise DivergedError
        self._position += 1
        step = steps[position]
        if step.kind is Kind.SKIP:
            self._x, self._mask = args[0], shared_mask(args[1])
            self._last = torch.empty_like(args[0])
            return self._last
        if step.kind is Kind.FOLD:
            self._expect(args[-2])
            self._operands = args
            self._last = args[-1].new_empty(len(args[-2]), args[-1].shape[1])
            return self._last
        if step.kind is not Kind.RUN:
            return func(*args, **kwargs)
        if self._last is None:
            return run_op(step, args, kwargs, tensors_in(*args, *kwargs.values()), self.draws)
        self._expect(args[0])
        self._last = torch.empty_like(args[0])  # of the softmax
        return self._last

    def _expect(self, operand: Tensor) -> None:
        if operand is not self._last:
            raise DivergedError

    def finish(self, output: Tensor) -> FoldedTail:
        """End the pass; return the tail, on what this pass has computed."""
        self._expect(output)
        if self._position < len(self.trace.steps) or self._x is None or self._mask is None or self.trace.tail is None:
            raise DivergedError
        *bias, _, weight = self._operands
        return FoldedTail(self._x, self._mask, weight, bias[0] if bias else None, self.trace.tail.softmax)
