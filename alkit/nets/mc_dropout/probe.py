"""Probe: what a few rows prove about a network.

Two things are to be found out: where the rows lie in its random draws, so that they can share masks, and whether later
passes can be computed from the record of one. Each is tried on copies of the batch's first and last row and compared
with what a pass in full gives, before the batch itself is run that way.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from itertools import islice, product
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from alkit.nets.mc_dropout.batch import Batch
from alkit.nets.mc_dropout.layouts import Layout, Layouts, LeadingRows, LearntLayouts, NoRowAxisError
from alkit.nets.mc_dropout.passes import Passes, python_random_states
from alkit.nets.mc_dropout.plan import Plan, close
from alkit.nets.mc_dropout.replay import DivergedError, Program
from alkit.nets.mc_dropout.trace import Trace

_LOOKS = 4
_MAX_ARRANGEMENTS = 64
_ESCAPES = {"numpy", "tolist", "__array__", "__dlpack__", "data_ptr"}
_PASSES_TO_TELL_ARRANGEMENTS = 8
_PASSES_TO_MEET_ALL_PATHS = 16


def probe(passes: Passes, batch: Batch, refusal: str = "") -> Plan:
    """Find the shortest proven way of sampling a batch; a `refusal` tells why its rows cannot share masks."""
    first, last = 0, batch.n - 1
    # Two sizes without a common factor show which axis of a draw grows with the rows. Equal rows show whether masks are
    # shared: they must have equal outputs. Real rows, because zeros might take another path through the network.
    few = batch.take([first, last, first])
    more = batch.take([first, last, first, last, first])
    with python_random_states():
        try:
            look = _undisturbed_look(passes, few)
            if look is None:
                return Plan(draws_in_python=True, reason="it draws from numpy's or Python's random numbers")
            plan, trace = look
            if not passes.draws.shapes:
                return Plan(draws=False)
            if refusal:
                return _own_masks(passes, more, refusal)
            return plan or _shared_masks(passes, few, more, trace)
        except NoRowAxisError as error:
            return _own_masks(passes, more, str(error))
        except torch.OutOfMemoryError:
            raise  # this tells nothing of the network
        except Exception as error:  # whatever a foreign network may raise when given few rows
            return Plan(bare=True, reason=f"{type(error).__name__} on a trial of {few.n} and {more.n} rows: {error}")


def _undisturbed_look(passes: Passes, rows: Batch) -> tuple[Plan | None, Trace] | None:
    """First look, or None if each look moves numpy's or Python's random numbers.

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
            if trace.tail is None or escapes.seen or not close(trace.tail.samples(1)[:, 0], output):
                return None, trace
            reference = output[:2].clone()  # a copy: `undo` may put back what the output is a view of
            return Plan(Layouts(layouts.known), trace, fixed=True, reference=reference), trace
    except NoRowAxisError:
        # Some draw is no (n, H) with the rows first. Each row's own draws need no layouts, so they show all shapes.
        with ExitStack() as undo:
            return None, passes.record(rows, 0, Plan(), undo, keep=False)[1]


def _own_masks(passes: Passes, rows: Batch, reason: str) -> Plan:
    """Plan for a network whose rows cannot share masks, with its later passes replayed if that is right."""
    plan = Plan(reason=reason)
    return _proven(passes, rows, plan) or plan


def _shared_masks(passes: Passes, few: Batch, more: Batch, first: Trace) -> Plan:
    """Find where the rows lie in each draw, by comparing few rows, of which `first` is a pass, and more."""
    learnt = LearntLayouts([], passes.draws.shapes, few.n)  # the shapes of that pass: nothing was run since
    if first.steered:
        learnt.known += _layouts_on_many_paths(passes, few, more)
    plan = _proven(passes, more, Plan(layouts=learnt))  # its passes fill `learnt`
    if len(learnt.known) < len(learnt.shapes):
        raise NoRowAxisError(f"{more.n} rows make fewer random draws than {few.n} rows do")
    if any(layout.merged for layout in learnt.known):
        plan = _rearranged(passes, more, learnt.known)
    if plan is None:
        raise NoRowAxisError("equal rows get different outputs, however their draws are shared")
    if plan.layouts is learnt:
        return replace(plan, layouts=Layouts(learnt.known))  # nothing is learnt from the batch itself
    return plan


def _rearranged(passes: Passes, rows: Batch, layouts: list[Layout]) -> Plan | None:
    """Plan for the first arrangement of merged draws in which equal rows have equal outputs.

    Shapes do not tell whether rows are around or inside what they are merged with: 3 rows of 4 heads are 12 either way.
    """
    for arrangement in _arrangements(layouts):
        plan = Plan(layouts=Layouts(arrangement))
        if _arranged_rightly(passes, rows, plan):
            return _proven(passes, rows, plan)
    return None


def _layouts_on_many_paths(passes: Passes, few: Batch, more: Batch) -> list[Layout]:
    """Layouts of the draws met on the paths that draws steer a network along."""
    known: list[Layout] = []
    for k in range(_PASSES_TO_MEET_ALL_PATHS):
        passes.record_alone(few, k, Plan())
        learnt = LearntLayouts([], passes.draws.shapes, few.n)
        passes.record_alone(more, k, Plan(layouts=learnt))
        # Those of pass 0 in full, as its draws are found by their number; of other paths what is new.
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
    """Whether equal rows agree under enough masks that some would differ if arranged wrongly."""
    # One small mask may be the same either way round. NaN is no agreement: it hides whatever differs.
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
        # Two passes on one path prove that all take it only if nothing could have chosen another: neither a drawn value
        # that steers torch's ops, nor one that has left torch for Python, where an `if` is not seen.
        plan = replace(plan, fixed=trace.same_path(other_trace) and not trace.steered and not escapes.seen)
        if not plan.fixed:
            trace.tail = None
        shortcut = _shortcut(passes, rows, plan, trace)
        right = shortcut is None or close(shortcut, other)
    if plan.layouts is not None:
        if not (_equal_rows_agree(output) and _equal_rows_agree(other)):
            return None
        plan = replace(plan, reference=output[:2])
    return replace(plan, trace=trace) if right else plan


def _shortcut(passes: Passes, rows: Batch, plan: Plan, trace: Trace) -> Tensor | None:
    """Output of pass 1 by the shortest way; None if it leaves the path of the trace, which is noticed each time."""
    if trace.tail is not None:
        return trace.tail.samples(2)[:, 1]
    program = Program(trace) if plan.fixed else None
    try:
        return passes.replay(rows, 1, plan, trace, program).clone()
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
    return close(output[2:], output[:3])
