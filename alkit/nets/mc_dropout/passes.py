"""Passes of a network, each with the random numbers of one posterior sample: recorded, replayed or bare."""

import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
from torch import Tensor, nn

from alkit.nets.mc_dropout.batch import Batch
from alkit.nets.mc_dropout.draws import Draws
from alkit.nets.mc_dropout.fold import FoldedPass
from alkit.nets.mc_dropout.plan import Plan
from alkit.nets.mc_dropout.record import Recorder
from alkit.nets.mc_dropout.replay import DivergedError, Program, Replayer
from alkit.nets.mc_dropout.tail import FoldedTail
from alkit.nets.mc_dropout.trace import Trace, restore


class Passes:
    """Runs passes of a module; `on_device` tells whether it is on a GPU."""

    def __init__(self, module: nn.Module, draws: Draws, on_device: bool = False):
        self.module, self.draws, self.on_device = module, draws, on_device

    def record(self, batch: Batch, k: int, plan: Plan, undo: ExitStack, keep: bool = True) -> tuple[Tensor, Trace]:
        """Run pass k in full; `undo` puts back what the module overwrites outside itself.

        Without `keep` no results are kept for later passes.
        """
        self.draws.begin(k, batch.n, plan.layouts)
        if plan.draws_in_python:
            self.reseed_everything(k)
        recorder = Recorder(self.draws, plan.trace if plan.fixed else None, keep, counts_work=self.on_device)
        # Before the pass, so that what it has overwritten is put back even if it fails half-way.
        undo.callback(restore, recorder.trace.originals)
        with recorder:
            output = batch.run(self.module)
        trace = recorder.finish(output)
        # A folded pass may overwrite a copy of its inputs. What it writes into buffers would be found by the next.
        if not all(batch.holds(tensor) for tensor, _ in trace.originals):
            trace.tail = None
        return output, trace

    def fold(self, batch: Batch, plan: Plan) -> FoldedTail | None:
        """Run a pass up to the tail that is folded; None if it leaves the path that was proven."""
        assert plan.trace is not None
        self.draws.begin(0, batch.n, plan.layouts)
        folded = FoldedPass(self.draws, plan.trace)
        try:
            with folded:
                output = (batch.copy() if plan.trace.originals else batch).run(self.module)
            return folded.finish(output)
        except DivergedError:
            return None

    def record_alone(self, batch: Batch, k: int, plan: Plan) -> Tensor:
        """Output of pass k run in full, with nothing kept and nothing left changed."""
        with ExitStack() as undo:
            return self.record(batch, k, plan, undo, keep=False)[0].clone()

    def replay(self, batch: Batch, k: int, plan: Plan, trace: Trace, program: Program | None = None) -> Tensor:
        """Compute of pass k what draws touch, by the trace's program or by running the module along the trace."""
        recorded = trace.complete if program is None else trace.replayable
        if not recorded:
            raise DivergedError
        # Each pass must find what the recorded one found before it wrote over it.
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
        # A copy: without a trace nobody sees what the module writes into its input.
        return batch.copy().run(self.module)

    def reseed_everything(self, k: int) -> None:
        """Seed torch, numpy and Python for pass k."""
        self.draws.reseed(k)
        seed = (self.draws.seed * 1_000_003 + k) % 2**32
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002 - the generator that modules may draw from


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
        # Only then: another thread may draw from them too, and should not meet the same numbers twice without need.
        if moved():
            random.setstate(python)
            np.random.set_state(numpy)  # noqa: NPY002
