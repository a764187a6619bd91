"""DropoutSampler: samples of a network's output by MC dropout, by the shortest way that is proven for the network."""

from contextlib import ExitStack, nullcontext
from dataclasses import replace
from threading import RLock
from typing import Any, Self
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from alkit.nets.mc_dropout.batch import Batch
from alkit.nets.mc_dropout.draws import Draws
from alkit.nets.mc_dropout.layouts import NoRowAxisError
from alkit.nets.mc_dropout.modes import (
    accelerators,
    autocast_state,
    fork_arguments,
    modes_and_buffers_kept,
    network_state,
    seeded_backends,
    set_dropout_modes,
    traceable_backends,
)
from alkit.nets.mc_dropout.passes import Passes, python_random_states
from alkit.nets.mc_dropout.plan import Plan
from alkit.nets.mc_dropout.probe import probe
from alkit.nets.mc_dropout.replay import DivergedError

_NO_DRAW = (
    "no active dropout: no random draw reaches the output, so all posterior samples would be equal. Possible causes: "
    "the network has no dropout layer, or only with p=0; functional dropout is called with a fixed training=False "
    "(pass training=self.training or True); torch's fused transformer path, which skips dropout in evaluation mode, is "
    "frozen into a scripted or exported network (use the original module)."
)
# Masks are drawn from torch's generators, of which a process has one per device: its threads take turns at a batch.
_DRAWING = RLock()
_DEPENDENT_ROWS = "the output of a row depends on the other rows of its batch"

# The plan last proven for a network, with what it was proven for, so that the chunks of a pool need one probe. Beside
# the network, not on it: networks are pickled and copied. The keys are weak, so a plan dies with its network.
_PROVEN: WeakKeyDictionary[nn.Module, tuple[tuple, list, Plan]] = WeakKeyDictionary()


class DropoutSampler:
    """Samples of a network's output under its posterior, by MC dropout [1]_.

    All modules are put in training mode, except those that keep running statistics (BatchNorm, InstanceNorm, spectral
    norm) and RReLU. So every dropout is active, be it a module, a function, inside attention or between recurrent
    layers, and normalisation is that of evaluation. BatchNorm with ``track_running_stats=False`` has only the batch to
    normalise with, in evaluation too; it is left so, but its rows are not independent and ``consistent_`` is False.

    Each of the K samples is one network: its masks are shared by all rows, and depend on ``seed`` and the number of
    the sample only, so samples of different batches belong together. What precedes the first dropout is computed once
    per batch; a network that ends in dropout and a linear layer needs one matrix product for all samples. Every
    shortcut is proven for the network at hand by tracing it on a few rows; what cannot be proven is computed plainly.

    Parameters
    ----------
    module : torch.nn.Module
        A network whose inputs and outputs have rows along their first axis.
    n_samples : int, default=20
        K, the number of posterior samples.
    seed : int, default=0
        Determines the masks.
    consistent : bool or None, default=None
        True raises where masks cannot be shared by all rows, as for dropout on packed sequences. Otherwise such rows
        get masks of their own: enough for scores of single rows (BALD), not for scores of sets (BatchBALD).

    Attributes
    ----------
    consistent_ : bool or None
        Whether all samples so far were of shared masks; None before the first batch.

    Notes
    -----
    Weights, buffers, modes, gradients and the global random states of torch, numpy and Python are left as they were.

    References
    ----------
    .. [1] Gal, Y. and Ghahramani, Z. (2016). Dropout as a Bayesian approximation: representing model uncertainty in
       deep learning. ICML.

    Examples
    --------
    >>> import torch
    >>> from alkit.nets.mc_dropout.sampler import DropoutSampler
    >>> net = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Dropout(), torch.nn.Linear(8, 3))
    >>> with DropoutSampler(net, n_samples=10, seed=0) as sampler:
    ...     samples = sampler(torch.zeros(5, 4))
    >>> samples.shape, sampler.consistent_
    (torch.Size([5, 10, 3]), True)
    """

    def __init__(self, module: nn.Module, n_samples: int = 20, seed: int = 0, consistent: bool | None = None):
        if n_samples < 1:
            raise ValueError(f"n_samples is {n_samples}, but at least 1 posterior sample must be drawn")
        self.module, self.n_samples, self.seed, self.consistent = module, n_samples, seed, consistent
        self.consistent_: bool | None = None

    def __enter__(self) -> Self:
        """Set the modes."""
        self._state = network_state(self.module)
        self._undo = ExitStack()
        self._undo.enter_context(modes_and_buffers_kept(self.module))
        set_dropout_modes(self.module)
        self._devices = devices = accelerators(self.module)
        self._forked = fork_arguments(devices)
        self._passes = Passes(self.module, Draws(self.seed, devices), on_device=bool(devices))
        return self

    def __exit__(self, *exception: object) -> None:
        """Put modes and buffers back."""
        self._undo.close()
        del self._undo, self._passes, self._state

    def __call__(self, *args: Any, **kwargs: Any) -> Tensor:
        """Sample the outputs of a batch.

        Parameters
        ----------
        *args, **kwargs
            What the module takes: tensors, or dicts, lists and tuples of tensors, with n rows each.

        Returns
        -------
        samples : Tensor of shape (n, K, ...)
            The module's output (the first item if it returns a tuple) in each of the K samples.

        Raises
        ------
        ValueError
            If the network has no active dropout, or if its rows cannot share masks though ``consistent=True``.
        """
        # In inference mode dropout would reach the dispatcher as one op, in which no mask is seen.
        with torch.inference_mode(False), torch.no_grad():
            batch = Batch(args, kwargs)
            if batch.n == 0:
                return self._sample(batch.zeros_row())[:0]  # only the network knows the shape of its output
            return self._sample(batch)

    def _sample(self, batch: Batch) -> Tensor:
        """Samples of a batch by a plan that is proven for it, which is kept for the next."""
        with _DRAWING, torch.random.fork_rng(**self._forked), seeded_backends(self.module):
            geometry = [*batch.geometry(), autocast_state(self._devices)]
            known = self._known_plan(geometry)
            with traceable_backends(self.module):
                plan = known or probe(self._passes, batch)
                plain = bool(self._devices) and not self.consistent and plan.shares_little
                if not plain:
                    plan, samples = self._planned(plan, batch, proven=known is not None)
            if plain:
                samples = self._run_bare(batch)
        if plan is not known:
            _PROVEN[self.module] = self._state, geometry, plan
        shared = plan.layouts is not None and not plain
        self.consistent_ = shared and self.consistent_ is not False
        return samples

    def _planned(self, plan: Plan, batch: Batch, proven: bool) -> tuple[Plan, Tensor]:
        """Samples of a batch by a plan, or by another one if the batch refutes it."""
        try:
            samples = self._run(plan, batch)
            # In the probe a row met copies of two rows only. Among all others it must have the same output, or the
            # rows depend on each other. That is a property of the network, so one batch shows it.
            refusal = "" if proven or plan.agrees(samples) else _DEPENDENT_ROWS
        except NoRowAxisError as error:
            refusal = str(error)
        if refusal:
            plan = probe(self._passes, batch, refusal)
            samples = self._run(plan, batch)
        return plan, samples

    def _known_plan(self, geometry: list) -> Plan | None:
        """Plan that was proven for the network as it is and for inputs of this geometry."""
        state, proven_for, plan = _PROVEN.get(self.module, (None, None, None))
        if plan is None or plan.follows_data:
            return None  # another batch may take a path that no probe has seen
        return plan if state == self._state and geometry == proven_for else None

    def _run(self, plan: Plan, batch: Batch) -> Tensor:
        """Samples (n, K, ...) of a batch, by the shortest way the plan has proven."""
        # A network that draws nothing has nothing to share: the run says what is missing.
        if plan.draws and plan.layouts is None and self.consistent:
            raise ValueError(
                f"the rows of this network cannot share masks: {plan.reason}. Pad sequences instead of packing them, "
                "give BatchNorm running statistics, draw random numbers with torch; or, for a strategy that scores "
                "rows one by one, such as 'bald', leave out consistent=True"
            )
        if plan.bare:
            return self._run_bare(batch)
        with python_random_states() if plan.draws_in_python else nullcontext(), ExitStack() as undo:
            return self._run_traced(plan, batch, undo)

    def _run_traced(self, plan: Plan, batch: Batch, undo: ExitStack) -> Tensor:
        """Record pass 0, then fold, replay or record the others."""
        if plan.folds:
            tail = self._passes.fold(batch, plan)
            if tail is not None:
                return tail.samples(self.n_samples)
            plan = replace(plan, trace=None)
        replays = plan.trace is not None
        output, trace = self._passes.record(batch, 0, plan, undo, keep=replays)
        self._check_draws(plan)
        samples = output.new_empty((batch.n, self.n_samples, *output.shape[1:]))
        samples[:, 0] = output
        program = plan.program(trace)
        for k in range(1, self.n_samples):
            try:
                samples[:, k] = self._passes.replay(batch, k, plan, trace, program)
            except DivergedError:
                # What the recorded pass overwrote is put back first, or this one would start from what that one left.
                # The new record is of the path taken last, which passes to come are as likely to take.
                undo.close()
                output, trace = self._passes.record(batch, k, replace(plan, trace=None), undo, keep=replays)
                self._check_draws(plan)
                samples[:, k] = output
                program = plan.program(trace)
        # The trace proves nothing for an output it does not see touched: it may have left torch and come back.
        if not trace.output_touched and not plan.draws_in_python:
            _check_samples_differ(samples)
        return samples

    def _run_bare(self, batch: Batch) -> Tensor:
        """Plain passes, for a network that cannot be traced."""
        # At least two: no trace shows a draw here, only samples that differ do.
        n_passes = max(self.n_samples, 2)
        with python_random_states():
            samples = torch.stack([self._passes.bare(batch, k) for k in range(n_passes)], 1)
        _check_samples_differ(samples)
        return samples[:, : self.n_samples]

    def _check_draws(self, plan: Plan) -> None:
        """Refuse a network whose last pass drew nothing, unless it draws where no trace shows it."""
        if not self._passes.draws.shapes and not plan.draws_in_python:
            raise ValueError(_NO_DRAW)


def _check_samples_differ(samples: Tensor) -> None:
    if samples.shape[1] > 1 and torch.equal(samples, samples[:, :1].expand_as(samples)):
        raise ValueError(_NO_DRAW)
