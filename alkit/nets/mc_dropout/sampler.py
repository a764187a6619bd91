"""Posterior sampling by MC dropout."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import replace
from itertools import chain
from typing import Any, Self
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from alkit.nets.mc_dropout.draws import Draws, NoRowAxisError
from alkit.nets.mc_dropout.probe import Batch, Passes, Plan, probe, python_random_states
from alkit.nets.mc_dropout.replay import DivergedError

_NO_DRAW = (
    "no active dropout: no random draw reaches the output, so all posterior samples would be equal. Possible causes: "
    "the network has no dropout layer, or only with p=0; functional dropout is called with a fixed training=False "
    "(pass training=self.training or True); torch's fused transformer path, which skips dropout in evaluation mode, is "
    "frozen into a scripted or exported network (use the original module)."
)
_DEPENDENT_ROWS = "the output of a row depends on the other rows of its batch"
_SETTINGS = (bool, int, float, str, tuple, type(None))
_STATISTICS = ("running_mean", "running_var", "_u", "weight_u")

# The plan last proven for a network, with what it was proven for: chunks of one pool need one probe
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
        self._state = _state(self.module)
        self._undo = ExitStack()
        self._undo.enter_context(_modes_and_buffers_kept(self.module))
        for module in self.module.modules():
            module.training = not _keeps_statistics(module)
        accelerators = _accelerators(self.module)
        self._forked = _fork_arguments(accelerators)
        draws = Draws(self.seed, torch.manual_seed) if accelerators else Draws(self.seed)
        self._passes = Passes(self.module, draws)
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
                return self._sample(batch.blank_row())[:0]
            return self._sample(batch)

    def _sample(self, batch: Batch) -> Tensor:
        with torch.random.fork_rng(**self._forked), _traceable_backends(self.module):
            geometry = batch.geometry()
            state, proven_for, known = _PROVEN.get(self.module, (None, None, None))
            fresh = known is None or known.follows_data or state != self._state or geometry != proven_for
            plan = probe(self._passes, batch) if fresh or known is None else known
            try:
                samples = self._run(plan, batch)
                refusal = _DEPENDENT_ROWS if fresh and not plan.agrees(samples) else ""
            except NoRowAxisError as error:
                refusal = str(error)
            if refusal:
                plan = probe(self._passes, batch, refusal)
                samples = self._run(plan, batch)
        if fresh or refusal:
            _PROVEN[self.module] = self._state, geometry, plan
        self.consistent_ = self.consistent_ is not False and plan.layouts is not None
        return samples

    def _run(self, plan: Plan, batch: Batch) -> Tensor:
        """Samples (n, K, ...) of a batch, by the shortest way the plan has proven."""
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
        """Record one pass, fold or replay the others."""
        replays = plan.trace is not None
        output, trace = self._passes.record(batch, 0, plan, undo, keep=replays and not plan.folds)
        self._check_draws(plan)
        if plan.folds:
            if trace.tail is not None and plan.trace is not None and trace.same_ops(plan.trace):
                return trace.tail.samples(self.n_samples)
            return self._run_traced(replace(plan, trace=None), batch, undo)
        samples = output.new_empty((batch.n, self.n_samples, *output.shape[1:]))
        samples[:, 0] = output
        program = plan.program(trace)
        for k in range(1, self.n_samples):
            try:
                samples[:, k] = self._passes.replay(batch, k, plan, trace, program)
            except DivergedError:
                undo.close()
                output, trace = self._passes.record(batch, k, replace(plan, trace=None), undo, keep=replays)
                self._check_draws(plan)
                samples[:, k], program = output, plan.program(trace)
        if not trace.output_touched and not plan.draws_in_python:
            _check_samples_differ(samples)
        return samples

    def _run_bare(self, batch: Batch) -> Tensor:
        """Plain passes, for a network that cannot be traced."""
        with python_random_states():
            samples = torch.stack([self._passes.bare(batch, k) for k in range(max(self.n_samples, 2))], 1)
        _check_samples_differ(samples)
        return samples[:, : self.n_samples]

    def _check_draws(self, plan: Plan) -> None:
        if not self._passes.draws.shapes and not plan.draws_in_python:
            raise ValueError(_NO_DRAW)


def _check_samples_differ(samples: Tensor) -> None:
    if samples.shape[1] > 1 and torch.equal(samples, samples[:, :1].expand_as(samples)):
        raise ValueError(_NO_DRAW)


def _keeps_statistics(module: nn.Module) -> bool:
    """Whether training mode would make normalisation stochastic, or is no dropout (RReLU's random slopes)."""
    return isinstance(module, nn.RReLU) or any(name in _STATISTICS for name, _ in module.named_buffers(recurse=False))


def _state(module: nn.Module) -> tuple:
    """Everything a plan may depend on: which tensors and settings the network has, and whether they have changed."""
    tensors = [(id(tensor), tensor._version) for tensor in chain(module.parameters(), module.buffers())]
    settings = [
        (type(part), [item for item in vars(part).items() if isinstance(item[1], _SETTINGS)])
        for part in module.modules()
    ]
    return tensors, settings


@contextmanager
def _modes_and_buffers_kept(module: nn.Module) -> Iterator[None]:
    """Put back each module's mode and buffers, bit by bit."""
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
                if not isinstance(part, torch.jit.ScriptModule):
                    part._buffers[name] = buffer
                if not torch.equal(buffer, value):
                    buffer.copy_(value)


def _accelerators(module: nn.Module) -> list[torch.device]:
    devices = {tensor.device for tensor in chain(module.parameters(), module.buffers())}
    return sorted((device for device in devices if device.type != "cpu"), key=str)


def _fork_arguments(accelerators: list[torch.device]) -> dict[str, Any]:
    """Arguments of `fork_rng` for the generators that a network reads."""
    if not accelerators:
        return {"devices": []}
    return {"devices": [device.index or 0 for device in accelerators], "device_type": accelerators[0].type}


@contextmanager
def _traceable_backends(module: nn.Module) -> Iterator[None]:
    """Choose kernels that draw their masks where a dispatch mode sees it."""
    with ExitStack() as stack:
        if "torch._dynamo" in sys.modules:
            stack.enter_context(torch.compiler.set_stance("force_eager"))
        if any(device.type == "cuda" for device in _accelerators(module)):
            stack.enter_context(sdpa_kernel(SDPBackend.MATH))
            if any(isinstance(part, nn.RNNBase) for part in module.modules()):
                stack.enter_context(torch.backends.cudnn.flags(enabled=False))
        yield
