"""What a few rows prove about a network: where rows lie in its random draws, and whether its passes can be replayed."""

import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from itertools import islice, product
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_flatten, tree_unflatten

from alkit.nets.mc_dropout.draws import Draws, Layout, Layouts, LeadingRows, LearntLayouts, NoRowAxisError
from alkit.nets.mc_dropout.record import Recorder
from alkit.nets.mc_dropout.replay import DivergedError, Program, Replayer
from alkit.nets.mc_dropout.trace import Trace, restore

_LOOKS = 4
_MAX_ARRANGEMENTS = 64
_ESCAPES = {"numpy", "tolist", "__array__", "__dlpack__", "data_ptr"}
_PASSES_TO_TELL_ARRANGEMENTS = 8
_PASSES_TO_MEET_ALL_PATHS = 16


@dataclass(frozen=True)
class Plan:
    """What is proven about a network and a shape of input.

    ``layouts`` is None where masks cannot be shared by the rows, for the ``reason`` given; ``trace`` is None where
    passes cannot be replayed, and ``fixed`` where they all take the same path; a ``bare`` network cannot be traced at
    all. ``reference`` holds the outputs of the batch's first and last row in sample 0, computed apart from the rest.
    """

    layouts: Layouts | None = None
    trace: Trace | None = None
    fixed: bool = False
    reason: str = ""
    bare: bool = False
    draws: bool = True
    draws_in_python: bool = False
    reference: Tensor | None = None

    @property
    def follows_data(self) -> bool:
        """Whether another batch may take another path through the network."""
        return self.trace is not None and self.trace.data_dependent

    def program(self, trace: Trace) -> Program | None:
        """Program of a batch's trace, if it runs the ops that were proven to be the same in every pass."""
        same = self.fixed and self.trace is not None and trace.replayable and trace.same_ops(self.trace)
        return Program(trace) if same else None

    @property
    def folds(self) -> bool:
        """Whether all samples come from one matrix product."""
        return self.trace is not None and self.trace.tail is not None

    def agrees(self, samples: Tensor) -> bool:
        """Whether rows of a batch have the outputs they have without the other rows."""
        return self.reference is None or _close(samples[[0, -1], 0], self.reference)


class Batch:
    """Inputs of a module: tensors in any nesting, those of n rows along their first axis being rows."""

    def __init__(self, args: tuple, kwargs: dict):
        leaves, self._spec = tree_flatten((args, kwargs))
        self._leaves = [leaf.clone() if isinstance(leaf, Tensor) and leaf.is_inference() else leaf for leaf in leaves]
        tensors = [leaf for leaf in self._leaves if isinstance(leaf, Tensor) and leaf.ndim]
        if not tensors:
            raise TypeError("a batch must hold at least one tensor with rows along its first axis")
        self.n = len(tensors[0])

    def _map(self, function: Callable[[Tensor], Tensor]) -> "Batch":
        leaves = [function(leaf) if self._is_rows(leaf) else leaf for leaf in self._leaves]
        return Batch(*tree_unflatten(leaves, self._spec))

    def _is_rows(self, leaf: Any) -> bool:
        return isinstance(leaf, Tensor) and leaf.ndim > 0 and len(leaf) == self.n

    def take(self, rows: list[int]) -> "Batch":
        """Copy some rows."""
        return self._map(lambda leaf: leaf[rows])

    def copy(self) -> "Batch":
        """Copy all rows."""
        return self._map(Tensor.clone)

    def blank_row(self) -> "Batch":
        """One row of zeros."""
        return self._map(lambda leaf: leaf.new_zeros((1, *leaf.shape[1:])))

    def geometry(self) -> list:
        """Everything about the batch that does not depend on its rows."""
        rows = [
            (leaf.shape[self._is_rows(leaf) :], leaf.dtype, leaf.device)
            for leaf in self._leaves
            if isinstance(leaf, Tensor)
        ]
        return [self._spec, rows]

    def run(self, module: nn.Module) -> Tensor:
        """Output of the module, or the first one of several."""
        args, kwargs = tree_unflatten(self._leaves, self._spec)
        output = module(*args, **kwargs)
        output = output[0] if isinstance(output, tuple) else output
        if not isinstance(output, Tensor):
            raise TypeError(
                f"the module returned {type(output).__name__}; it must return a tensor, or a tuple that starts with one"
            )
        if output.ndim == 0 or len(output) != self.n:
            raise ValueError(f"the module returned shape {tuple(output.shape)} for {self.n} rows; rows must come first")
        return output


class Passes:
    """Runs passes of a module, each with the random numbers of one posterior sample."""

    def __init__(self, module: nn.Module, draws: Draws):
        self.module, self.draws = module, draws

    def record(self, batch: Batch, k: int, plan: Plan, undo: ExitStack, keep: bool = True) -> tuple[Tensor, Trace]:
        """Run pass k in full; `undo` puts back what the module overwrites outside itself."""
        self.draws.begin(k, batch.n, plan.layouts)
        if plan.draws_in_python:
            self.reseed_everything(k)
        recorder = Recorder(self.draws, plan.trace if plan.fixed else None, keep)
        undo.callback(restore, recorder.trace.originals)
        with recorder:
            output = batch.run(self.module)
        return output, recorder.finish(output)

    def record_alone(self, batch: Batch, k: int, plan: Plan) -> Tensor:
        """Output of pass k run in full, with nothing kept and nothing left changed."""
        with ExitStack() as undo:
            return self.record(batch, k, plan, undo, keep=False)[0].clone()

    def replay(self, batch: Batch, k: int, plan: Plan, trace: Trace, program: Program | None = None) -> Tensor:
        """Compute of pass k what draws touch, by the trace's program or by running the module along the trace."""
        if not (trace.complete if program is None else trace.replayable):
            raise DivergedError
        restore(trace.overwritten)
        self.draws.begin(k, batch.n, plan.layouts)
        if program is not None:
            return program.run(self.draws)
        replayer = Replayer(self.draws, trace)
        with replayer:
            output = batch.run(self.module)
        return replayer.finish(output)

    def bare(self, batch: Batch, k: int) -> Tensor:
        """Plain pass k."""
        self.reseed_everything(k)
        return batch.copy().run(self.module)

    def reseed_everything(self, k: int) -> None:
        """Seed torch, numpy and Python for pass k."""
        self.draws.reseed(k)
        seed = (self.draws.seed * 1_000_003 + k) % 2**32
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002 - the generator that modules may draw from


def probe(passes: Passes, batch: Batch, refusal: str = "") -> Plan:
    """Find the shortest proven way of sampling a batch; a `refusal` tells why its rows cannot share masks."""
    n = batch.n
    few, more = batch.take([0, n - 1, 0]), batch.take([0, n - 1, 0, n - 1, 0])
    with python_random_states():
        try:
            look = _undisturbed_look(passes, few)
            if look is None:
                return Plan(draws_in_python=True, reason="it draws from numpy's or Python's random numbers")
            plan, first = look
            if not passes.draws.shapes:
                return Plan(draws=False)
            if refusal:
                return _own_masks(passes, more, refusal)
            return plan or _shared_masks(passes, few, more, first)
        except NoRowAxisError as error:
            return _own_masks(passes, more, str(error))
        except Exception as error:  # whatever a foreign network may raise when given few rows
            return Plan(bare=True, reason=f"{type(error).__name__} on a trial of {few.n} and {more.n} rows: {error}")


def _undisturbed_look(passes: Passes, rows: Batch) -> tuple[Plan | None, Trace] | None:
    """First look, or None if numpy's or Python's random numbers are drawn from each time that one is taken.

    Once proves nothing: other threads draw from them as well, such as the event loop of a cluster's worker.
    """
    for _ in range(_LOOKS):
        with python_random_states() as states_moved:
            look = _first_look(passes, rows)
            if not states_moved():
                return look
    return None


def _first_look(passes: Passes, rows: Batch) -> tuple[Plan | None, Trace]:
    """Trace of a first pass; and the plan for a network that ends in dropout -> linear, and draws nothing else.

    There the rows of the output are the rows of the mask, so there is nothing to find out.
    """
    layouts = LeadingRows([])
    try:
        with ExitStack() as undo, _Escapes() as escapes:
            output, trace = passes.record(rows, 0, Plan(layouts=layouts), undo)
            if trace.tail is None or escapes.seen or not _close(trace.tail.samples(1)[:, 0], output):
                return None, trace
            return Plan(Layouts(layouts.known), trace, fixed=True, reference=output[:2].clone()), trace
    except NoRowAxisError:
        with ExitStack() as undo:
            return None, passes.record(rows, 0, Plan(), undo, keep=False)[1]


def _own_masks(passes: Passes, rows: Batch, reason: str) -> Plan:
    plan = Plan(reason=reason)
    return _proven(passes, rows, plan) or plan


def _shared_masks(passes: Passes, few: Batch, rows: Batch, first: Trace) -> Plan:
    """Find where the rows lie in each draw, by comparing few rows, of which `first` is a pass, and more."""
    learnt = LearntLayouts([], passes.draws.shapes, few.n)
    if first.steered:
        learnt.known += _layouts_on_many_paths(passes, few, rows)
    plan = _proven(passes, rows, Plan(layouts=learnt))
    if len(learnt.known) < len(learnt.shapes):
        raise NoRowAxisError(f"{rows.n} rows make fewer random draws than {few.n} rows do")
    if any(layout.merged for layout in learnt.known):
        plans = (Plan(layouts=Layouts(arrangement)) for arrangement in _arrangements(learnt.known))
        plan = next((plan for plan in plans if _arranged_rightly(passes, rows, plan)), None)
        plan = plan and _proven(passes, rows, plan)
    if plan is None:
        raise NoRowAxisError("equal rows get different outputs, however their draws are shared")
    return replace(plan, layouts=Layouts(learnt.known)) if plan.layouts is learnt else plan


def _layouts_on_many_paths(passes: Passes, few: Batch, rows: Batch) -> list[Layout]:
    """Layouts of the draws met on the paths that draws steer a network along."""
    known: list[Layout] = []
    for k in range(_PASSES_TO_MEET_ALL_PATHS):
        passes.record_alone(few, k, Plan())
        learnt = LearntLayouts([], passes.draws.shapes, few.n)
        passes.record_alone(rows, k, Plan(layouts=learnt))
        known += [layout for layout in learnt.known if k == 0 or layout not in known]
    return known


def _arrangements(layouts: list[Layout]) -> Iterator[list[Layout]]:
    """Layouts with the rows around or inside what is merged with them, likely ones first."""
    merged = [i for i, layout in enumerate(layouts) if layout.merged]
    yield layouts
    yield [layout._replace(rows_first=False) for layout in layouts]
    for order in islice(product((True, False), repeat=len(merged)), 1, _MAX_ARRANGEMENTS):
        arranged = list(layouts)
        for i, rows_first in zip(merged, order, strict=True):
            arranged[i] = layouts[i]._replace(rows_first=rows_first)
        yield arranged


def _arranged_rightly(passes: Passes, rows: Batch, plan: Plan) -> bool:
    """Tell arrangements apart by enough masks that some differ."""
    outputs = (passes.record_alone(rows, k, plan) for k in range(_PASSES_TO_TELL_ARRANGEMENTS))
    return all(_equal_rows_agree(output) and not output.isnan().any() for output in outputs)


def _proven(passes: Passes, rows: Batch, plan: Plan) -> Plan | None:
    """Add to a plan the trace of its passes, if the shortcuts it allows give what full passes give.

    None if rows share masks but equal rows have different outputs.
    """
    with ExitStack() as undo, _Escapes() as escapes:
        other, other_trace = passes.record(rows, 1, plan, undo)
        other = other.clone()
    with ExitStack() as undo:
        output, trace = passes.record(rows, 0, plan, undo)
        output = output.clone()
        plan = replace(plan, fixed=trace.same_path(other_trace) and not trace.steered and not escapes.seen)
        trace.tail = trace.tail if plan.fixed else None
        shortcut = _shortcut(passes, rows, plan, trace)
        right = shortcut is None or _close(shortcut, other)
    if plan.layouts is not None:
        if not (_equal_rows_agree(output) and _equal_rows_agree(other)):
            return None
        plan = replace(plan, reference=output[:2])
    return replace(plan, trace=trace) if right else plan


def _shortcut(passes: Passes, rows: Batch, plan: Plan, trace: Trace) -> Tensor | None:
    """Output of pass 1 by the shortest way, if pass 1 takes the path of the trace."""
    if trace.tail is not None:
        return trace.tail.samples(2)[:, 1]
    try:
        return passes.replay(rows, 1, plan, trace, Program(trace) if plan.fixed else None).clone()
    except DivergedError:
        return None


class _Escapes(TorchFunctionMode):
    """Notices values that leave torch, where a trace cannot follow them."""

    seen = False

    def __torch_function__(self, func: Callable, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        """Call a function of torch."""
        self.seen = self.seen or getattr(func, "__name__", "") in _ESCAPES
        return func(*args, **(kwargs or {}))


def _equal_rows_agree(output: Tensor) -> bool:
    """Whether rows 0, 2, 4 and rows 1, 3 have the same outputs."""
    return _close(output[2:], output[:3])


def _close(a: Tensor, b: Tensor) -> bool:
    """Whether two outputs differ by rounding only."""
    if torch.equal(a, b):
        return True
    if a.shape != b.shape or not a.is_floating_point():
        return False
    finite = b[b.isfinite()]
    scale = finite.abs().max().item() if finite.numel() else 0.0
    tolerance = torch.finfo(a.dtype).eps ** 0.5
    return torch.allclose(a.double(), b.double(), rtol=0, atol=tolerance * scale, equal_nan=True)


@contextmanager
def python_random_states() -> Iterator[Callable[[], bool]]:
    """Put back the states of Python's and numpy's global generators; yields a test whether they have moved."""
    python = random.getstate()
    numpy: Any = np.random.get_state()  # noqa: NPY002

    def moved() -> bool:
        now: Any = np.random.get_state()  # noqa: NPY002
        return random.getstate() != python or now[2:] != numpy[2:] or not np.array_equal(now[1], numpy[1])

    try:
        yield moved
    finally:
        if moved():
            random.setstate(python)
            np.random.set_state(numpy)  # noqa: NPY002
