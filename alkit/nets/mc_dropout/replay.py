"""Later passes of a network, from the record of the first: only what draws touch is computed.

A `Program` runs the touched ops alone, without the module; a `Replayer` runs the module, and checks each of its ops.
"""

from typing import Any

import torch
from torch import Tensor
from torch._ops import OpOverload

from alkit.nets.mc_dropout.draws import Draws
from alkit.nets.mc_dropout.masks import shared_mask
from alkit.nets.mc_dropout.record import TracedPass, hand_back, run_op, write_out
from alkit.nets.mc_dropout.trace import External, Kind, Label, Step, Trace, labels_in, tensors_in

# Leaving dropped features out of a matrix product costs a copy of its operands. It pays from this many outputs on, if
# at most this share of the features is left.
_WIDE, _MANY_DROPPED = 64, 0.75


class DivergedError(RuntimeError):
    """A pass left the recorded path."""


def _compute(
    step: Step, label: Label, args: tuple, kwargs: dict, masked: dict[Label, tuple[Tensor, Tensor]], draws: Draws
) -> Any:
    """Run an op of a later pass; `masked` holds the operands x and mask of products that were left out."""
    if step.kind is Kind.SKIP:
        # Nothing but the linear layer reads this product, so what is returned has its shape only.
        mask = shared_mask(args[1])
        assert mask is not None
        masked[label] = args[0], mask.values
        return torch.empty_like(args[0])
    if step.kind is Kind.FOLD:
        x, mask_1_H = masked.pop(step.signature[0][-2])
        return step.func(*args[:-2], *_masked_operands(x, args[-1], mask_1_H))
    return run_op(step, args, kwargs, tensors_in(*args, *kwargs.values()), draws)


def _masked_operands(x: Tensor, weight_H_C: Tensor, mask_1_H: Tensor) -> tuple[Tensor, Tensor]:
    """Operands of the matrix product (x * mask) @ weight, without what the mask drops where that pays.

    The mask goes on the weights, which are fewer than the rows of a large batch and need no copy of x.
    """
    weight_H_C = weight_H_C * mask_1_H.t()
    # How many features are kept is known at once on a CPU only; on a GPU all ops would have to end first.
    if x.device.type == "cpu" and weight_H_C.shape[1] >= _WIDE:
        kept = mask_1_H[0].nonzero()[:, 0]
        if len(kept) <= _MANY_DROPPED * len(weight_H_C):
            return x.index_select(1, kept), weight_H_C.index_select(0, kept)
    return x, weight_H_C


def _numbered(outputs: Any) -> list[tuple[int, Tensor]]:
    """Tensors among the results of an op, with their places."""
    outputs = outputs if isinstance(outputs, list | tuple) else (outputs,)
    return [(i, output) for i, output in enumerate(outputs) if isinstance(output, Tensor)]


class Replayer(TracedPass):
    """A later pass of the module itself, for networks whose path may depend on what is drawn.

    Every op must be the recorded one, on the recorded operands, or the pass is given up (`DivergedError`). An op that
    no draw has touched hands back its recorded result.

    That check is the proof: it is made in every pass anew, so the path need not be known to be always the same.
    """

    def __init__(self, draws: Draws, trace: Trace):
        super().__init__(draws, trace)
        self._position = 0  # number of the step that the next op must be
        self._masked: dict[Label, tuple[Tensor, Tensor]] = {}

    def run(self, func: OpOverload, args: tuple, kwargs: dict) -> Any:
        """Run an op, or hand back what it returned in the recorded pass."""
        position = self._position
        step = self.trace.steps[position] if position < len(self.trace.steps) else None
        if step is None or step.func is not func or step.signature != self.signature(func, args, kwargs):
            raise DivergedError
        self._position += 1
        inputs = tensors_in(*args, *kwargs.values())
        if step.kind is Kind.KEEP:
            return hand_back(step.outputs, inputs)
        outputs = _compute(step, Label(position, 0), args, kwargs, self._masked, self.draws)
        # A view of a recorded result is that of the recorded pass; what is touched is a value of this pass alone.
        token = self.trace.token if step.kind is Kind.VIEW else self.token
        for i, output in _numbered(outputs):
            if not any(output is tensor for tensor in inputs):
                output._alkit_label = (token, Label(position, i))  # type: ignore[attr-defined]
        return outputs

    def finish(self, output: Tensor) -> Tensor:
        """Check that the output is the recorded one; a pass may also end early, or return something else."""
        if self.label(output) != self.trace.output:
            raise DivergedError
        return write_out(output)


class Program:
    """The touched ops of a trace as a program, for networks whose path is proven to be always the same.

    The module is not called, so nothing is checked: that is why its path must be known.
    """

    def __init__(self, trace: Trace):
        self._trace = trace
        # Each op with the name of its first result and the values that nothing later reads. They are let go at once:
        # memory just freed is what the next op gets, and is still in the cache.
        self._steps: list[tuple[Label, Step, list[Label]]] = []
        # From the last op to the first, a value is alive once something later has read it.
        alive = {trace.output}
        for position in reversed(range(len(trace.steps))):
            step = trace.steps[position]
            if step.kind in (Kind.KEEP, Kind.VIEW):
                continue
            read = set(labels_in(step.signature))
            last_read = list(read - alive)
            self._steps.append((Label(position, 0), step, last_read))
            alive |= read
        self._steps.reverse()

    def run(self, draws: Draws) -> Tensor:
        """Return the module's output for the random numbers of a pass."""
        values: dict[Label, Tensor] = {}
        masked: dict[Label, tuple[Tensor, Tensor]] = {}
        for label, step, last_read in self._steps:
            args = tuple([self._resolve(arg, values) for arg in step.signature[0]])
            kwargs = {name: self._resolve(value, values) for name, value in step.signature[1]}
            for i, output in _numbered(_compute(step, label, args, kwargs, masked, draws)):
                values[Label(label.step, i)] = output
            for dead in last_read:
                values.pop(dead, None)
        output = self._resolve(self._trace.output, values)
        return write_out(output)

    def _resolve(self, value: Any, values: dict[Label, Tensor]) -> Any:
        """Argument of an op: of this pass if an op of it made it, else of the recorded one."""
        if isinstance(value, Label):
            if value in values:
                return values[value]
            kept = self._trace.steps[value.step].outputs
            return kept[value.output] if isinstance(kept, list | tuple) else kept
        if isinstance(value, External):
            return self._trace.externals[value]
        if isinstance(value, list):
            return [self._resolve(item, values) for item in value]
        return value
