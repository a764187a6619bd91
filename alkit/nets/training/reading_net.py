"""One pass over the rows of a fitted network: in eval mode, in order, a batch at a time, on its device."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import torch
from torch import nn

from alkit._memory import FittingParts
from alkit._random import isolated_rng
from alkit._turns import estimator_lock, torch_modes_kept
from alkit.nets.training.built_net import BuiltNet
from alkit.nets.training.skorch_net import SkorchNet
from alkit.nets.training.tensors import Tensors, batch_part, n_batch_rows
from alkit.rows import Rows
from alkit.validation import was_checked

T = TypeVar("T")
Device = str | torch.device | None
"""Where a tensor is to be; None: where it was computed."""

# How many rows of a network fit in the memory of its device, beside the network, as it is pickled and copied.
_FITTING: WeakKeyDictionary[nn.Module, FittingParts] = WeakKeyDictionary()


class ReadingNet(BuiltNet):
    """How rows are read: modes and global random states are afterwards as they were."""

    def outputs(self, X: Rows, run: Callable[[Tensors], T]) -> Iterator[T]:
        """Yield what `run` makes of rows, batch by batch; of halves of a batch that does not fit on the device.

        Parameters
        ----------
        X : rows
        run : callable
            Called with rows that are on the device already; they may be cast again.

        Yields
        ------
        what `run` returns
        """
        self.check_is_fitted()
        fitting = _FITTING.setdefault(self.network, FittingParts())
        dataset: Any = self.get_dataset(X)
        sums: list[torch.Tensor] = []
        for batch, _ in self.get_iterator(dataset):
            yield from fitting.of(n_batch_rows(batch), partial(self._output, run, batch, sums))
        # read once, at the end, as that waits for the device
        if sums and not was_checked(getattr(dataset, "X", None)) and not torch.stack(sums).isfinite().all():
            self._check_batches(dataset)

    def _output(self, run: Callable[[Tensors], T], batch: Tensors, sums: list[torch.Tensor], part: slice) -> T:
        """Return what `run` makes of some rows of a batch, whose sums tell whether they are finite."""
        rows = self.cast(batch_part(batch, part))
        if self.checks_on_device:
            sums += [values.sum(dtype=torch.float32) for values in entries(rows) if values.is_floating_point()]
        return run(rows)

    def _check_batches(self, dataset: Any) -> None:
        """Check rows again on the host, where the error tells which of them hold what a network does not take."""
        n_before = 0
        for batch, _ in self.get_iterator(dataset):
            self.row_adapter.check_batch(batch, n_before)
            n_before += n_batch_rows(batch)

    def forward_iter(self, X: Rows, training: bool = False, device: str | None = "cpu") -> Iterator[Any]:
        """Yield the network's outputs batch by batch, after checking X. See skorch."""
        self.check_is_fitted()
        return super().forward_iter(X, training=training, device=device)

    def gather(self, n: int, outputs: Iterator[torch.Tensor], to: Device = None) -> torch.Tensor:
        """Write the outputs of n rows into one float32 tensor as they come; raise on NaN.

        Parameters
        ----------
        n : int
        outputs : iterator of tensors
        to : device, optional
            Where the tensor is; by default where the outputs are.

        Returns
        -------
        tensor (n, ...)
        """
        gathered = torch.empty(0)
        sums = []
        stops = [0]
        for out in outputs:
            stop = stops[-1] + len(out)
            # always a copy: an output may be a network's own memory, or its input
            if stops[-1] == 0:
                gathered = _empty_rows(n, out, to or out.device)
            gathered[stops[-1] : stop] = out
            sums.append(gathered[stops[-1] : stop].sum())
            stops.append(stop)
        if stops[-1] != n:
            raise ValueError(
                f"the batches to score hold {stops[-1]} of {n} rows; leave iterator_valid__drop_last and samplers out, "
                "or give them to iterator_train alone"
            )
        # a sum that is finite clears a batch; they are read once, as that waits for the device
        suspects = torch.stack(sums).isfinite().logical_not().nonzero()[:, 0].tolist() if sums else []
        for batch in suspects:
            start, stop = stops[batch : batch + 2]
            if gathered[start:stop].isnan().any():
                raise ValueError(
                    f"{type(self.module_).__name__} returns NaN among rows {start} to {stop - 1} of X; "
                    "check its weights (a diverged fit?) and the scale of X"
                )
        return gathered

    @contextmanager
    def scoring(self) -> Iterator[None]:
        """Score in eval mode without gradients; restore modes and global random states after.

        Threads that ask one estimator take turns.
        """
        with estimator_lock(self), torch_modes_kept():
            layers = [layer for part in self.parts(self._modules + self._criteria) for layer in part.modules()]
            modes = [layer.training for layer in layers]
            try:
                with isolated_rng(self.compute_device), torch.no_grad():
                    # skorch's own, not SkorchNet's, which trusts the mode of the outermost module: a layer within it
                    # may be in another.
                    super(SkorchNet, self)._set_training(False)
                    yield
            finally:
                for layer, mode in zip(layers, modes, strict=True):
                    layer.training = mode


def _empty_rows(n: int, out: torch.Tensor, device: str | torch.device) -> torch.Tensor:
    """Return memory for n rows of float32 like those of an output, with its axes in the order that it has them."""
    order = sorted(range(out.ndim), key=out.stride, reverse=True)
    shape = [n if axis == 0 else out.shape[axis] for axis in order]
    places = [order.index(axis) for axis in range(out.ndim)]
    return torch.empty(shape, dtype=torch.float32, device=device).permute(places)


def entries(batch: Tensors) -> list[torch.Tensor]:
    """Return the tensors of a batch."""
    if isinstance(batch, dict):
        return list(batch.values())
    return list(batch) if isinstance(batch, (list, tuple)) else [batch]
