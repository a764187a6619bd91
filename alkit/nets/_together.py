"""Train several networks of one kind at once: one vmapped forward, one ordinary backward, one fused optimizer."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from alkit._random import isolated_rng
from alkit._turns import torch_modes_kept
from alkit.nets.classifier import NetClassifier
from alkit.nets.regressor import NetRegressor
from alkit.nets.training.batches import EpochBatches, epoch_batches
from alkit.nets.training.budget import TrainingBudget
from alkit.nets.training.outputs import first_output
from alkit.nets.training.tensors import Tensors, fetch
from alkit.rows import Rows, n_rows

Net = NetClassifier | NetRegressor
# Layers that are faster together; convolutions are slower, recurrent layers cannot be vmapped.
_FASTER_LAYERS = (nn.Linear, nn.LayerNorm, nn.BatchNorm1d)
# Beyond, the networks' weights leave the cache at each step and one after another is faster (measured on 2 cores).
_MAX_WEIGHTS = 2_000_000
# Optimizers that treat every weight alone, so that stacked weights are the same as weights apart.
_OPTIMIZERS = (torch.optim.Adam, torch.optim.AdamW, torch.optim.SGD, torch.optim.RMSprop)
# Parameters of a network that a joint fit follows whatever their values; others must have their defaults.
_FOLLOWED_PARAMS = (
    "lr", "max_epochs", "min_steps", "batch_size", "batching", "classes", "class_weight", "random_state",
    "embedding_layer",
)  # fmt: skip


@torch_modes_kept()
def fit_together(nets: Sequence[Net], X: Rows, y: Any, seed: int) -> bool:
    """Fit networks together if they allow it and that is faster; tell whether they were fitted.

    Each network begins as it would alone with its own ``random_state``, and shuffles as it would if it drew nothing
    else; dropout is drawn by `seed`. Where a flat loss ends the fit, it is the mean loss of all networks.

    Parameters
    ----------
    nets : sequence of NetClassifier or NetRegressor
        Clones of one, each with a ``random_state`` of its own.
    X, y : rows, labels
        As for their ``fit``.
    seed : int
        Seeds dropout.

    Returns
    -------
    bool
        False if they must be fitted one after another.

    Examples
    --------
    >>> import torch
    >>> from alkit import NetClassifier
    >>> from alkit.nets._together import fit_together
    >>> nets = [NetClassifier(torch.nn.LazyLinear, module__out_features=2, random_state=k) for k in range(3)]
    >>> fit_together(nets, [[0.0], [1.0]], [0, 1], seed=0), nets[2].predict_proba([[0.5]]).shape
    (True, (1, 2))
    """
    if not all(_can_train_together(net) for net in nets):
        return False
    epochs = []
    for net in nets:
        with net.seeded(0):
            rows, checked_y = net.prepare(X, y)
            n = n_rows(rows)
            net.check_batch_norm(EpochBatches(n, net.batch_size, net.batching))
            # Alone, the network would go on to shuffle with the state that building it has left.
            epochs.append(_epochs(net, n, torch.get_rng_state()))
    with isolated_rng(nets[0].device, seed):
        stacked = _StackedNets(nets, rows, checked_y)
        if not stacked.is_faster or not stacked.agrees_with_single_nets():
            return False
        stacked.train(epochs)
    return True


def _can_train_together(net: Net) -> bool:
    """Whether a fit is nothing but epochs of steps, and has no setting that a joint step does not follow."""
    if (
        type(net) not in (NetClassifier, NetRegressor)
        or net.optimizer not in _OPTIMIZERS
        or not isinstance(net.criterion, type)
    ):
        return False
    defaults = type(net)(net.module, optimizer=net.optimizer, criterion=net.criterion).get_params(deep=False)
    return all(
        name in _FOLLOWED_PARAMS or (name in defaults and _is_same(value, defaults[name]))
        for name, value in net.get_params(deep=False).items()
        if not _belongs_to_a_part(name)
    )


def _is_same(value: Any, default: Any) -> bool:
    return default is value or default == value


def _belongs_to_a_part(name: str) -> bool:
    """Whether a parameter is one of the module, loss or optimizer, which the joint fit builds as any fit does."""
    # But for groups of weights: those are named, and the weights that the joint optimizer gets are stacks of them.
    if name == "optimizer__param_groups":
        return False
    return name.startswith(("_", "module", "criterion__", "optimizer__"))


def _epochs(net: Net, n: int, rng_state: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Yield the row numbers of each batch, epoch by epoch without end, as the network would draw them alone."""
    rng = torch.Generator().set_state(rng_state)
    while True:
        yield epoch_batches(n, net.batch_size, net.batching, rng)


class _StackedNets:
    """Networks whose weights are stacked along a first axis K.

    Everything but weights is taken from the first: all are clones of one.
    """

    def __init__(self, nets: Sequence[Net], X: Rows, y: np.ndarray):
        self.nets = nets
        self.first = nets[0]
        self.dataset = self.first.get_dataset(X, y)

    @property
    def is_faster(self) -> bool:
        """Whether stacked networks train faster than one after another."""
        module = self.first.module_
        n_weights = sum(p.numel() for p in module.parameters())
        if n_weights * len(self.nets) > _MAX_WEIGHTS:
            return False
        return all(isinstance(layer, _FASTER_LAYERS) or _is_stateless(layer) for layer in module.modules())

    def agrees_with_single_nets(self) -> bool:
        """Stack the weights; tell whether outputs for a few rows are those of each network alone, in both modes."""
        self.weights, self.buffers = stack_module_state([net.module_ for net in self.nets])
        self.loss = vmap(self.first.get_loss, randomness="different")
        rows = torch.arange(min(4, n_rows(self.dataset)))
        try:
            # What runs is a copy: whatever forward may store on its module, no network of the ensemble keeps.
            self.template = copy.deepcopy(self.first.module_)
            return self._same_outputs(rows) and self._can_follow_training(rows)
        except (RuntimeError, TypeError, ValueError, NotImplementedError):  # whatever vmap cannot follow
            return False

    @torch.no_grad()
    def _same_outputs(self, rows: Tensor) -> bool:
        """Whether stacked networks return for a few rows what each returns alone."""
        self._set_training(False)
        together, _ = self._outputs(rows.expand(len(self.nets), -1))
        batch, _ = fetch(self.dataset, rows)
        alone = torch.stack([first_output(net.infer(batch)) for net in self.nets])
        return torch.allclose(together, alone, rtol=1e-3, atol=1e-4)

    @torch.no_grad()
    def _can_follow_training(self, rows: Tensor) -> bool:
        """Whether vmap can run training mode too, and a forward pass changes nothing of the module but buffers."""
        self._set_training(True)
        attributes_before = _attributes(self.template)
        buffers = self.buffers
        self.buffers = {name: values.clone() for name, values in buffers.items()}
        self.loss(*self._outputs(rows.expand(len(self.nets), -1)))
        self.buffers = buffers
        return all(
            now.keys() == before.keys() and all(now[name] is before[name] for name in now)
            for now, before in zip(_attributes(self.template), attributes_before, strict=True)
        )

    def train(self, epochs: Sequence[Iterator[Sequence[Tensor]]]) -> None:
        """Take the steps of all epochs, as many as the mean loss asks for, and give each network its weights."""
        budget = TrainingBudget(self.first.max_epochs, self.first.min_steps)
        self._set_training(True)
        args, kwargs = self.first.get_params_for_optimizer("optimizer", list(self.weights.items()))
        optimizer = self.first.optimizer(*args, **kwargs)
        for batches_of_nets in islice(zip(*epochs, strict=True), budget.most_epochs):
            losses_K_S = self._take_steps(optimizer, batches_of_nets)
            self._record(losses_K_S.tolist(), [len(rows) for rows in batches_of_nets[0]])
            if budget.is_spent(losses_K_S.mean(0).tolist()):
                break
        self._set_training(False)
        self._unstack()

    def _take_steps(self, optimizer: torch.optim.Optimizer, batches_of_nets: Sequence[Sequence[Tensor]]) -> Tensor:
        """Take the S steps of one epoch; return the losses of each network (K, S)."""
        losses = []
        for rows in zip(*batches_of_nets, strict=True):
            loss_K = self.loss(*self._outputs(torch.stack(rows)))
            optimizer.zero_grad()
            # A weight is in the loss of its own network only, so that the gradient of the sum is that of each alone.
            loss_K.sum().backward()
            optimizer.step()
            losses.append(loss_K.detach())
        return torch.stack(losses, 1)

    def _outputs(self, rows_K_B: Tensor) -> tuple[Tensor, Tensor]:
        """Return outputs (K, B, C) of each network for its own batch, and codes of labels (K, B)."""
        batch, codes = fetch(self.dataset, rows_K_B.flatten())
        batch = self.first.cast(batch)
        stacked: Tensors
        if isinstance(batch, dict):
            stacked = {name: values.unflatten(0, rows_K_B.shape) for name, values in batch.items()}
        else:
            stacked = batch.unflatten(0, rows_K_B.shape)
        outputs = vmap(self._forward, randomness="different")(self.weights, self.buffers, stacked)
        assert codes is not None
        return outputs, codes.to(outputs.device).unflatten(0, rows_K_B.shape)

    def _forward(self, weights: dict[str, Tensor], buffers: dict[str, Tensor], batch: Tensors) -> Tensor:
        """Run one network, that of these weights: what vmap maps over all of them."""
        args: tuple = ()
        kwargs: dict = {}
        if isinstance(batch, dict):
            kwargs = batch
        else:
            args = (batch,)
        return first_output(functional_call(self.template, (weights, buffers), args, kwargs))

    @torch.no_grad()
    def _unstack(self) -> None:
        """Copy each network's weights and buffers into its own module."""
        for k, net in enumerate(self.nets):
            own = dict(net.module_.named_parameters()) | dict(net.module_.named_buffers())
            for name, values in (self.weights | self.buffers).items():
                own[name].copy_(values[k])

    def _set_training(self, training: bool) -> None:
        self.template.train(training)
        for net in self.nets:
            net._set_training(training)

    def _record(self, losses: list[list[float]], sizes: list[int]) -> None:
        """Write an epoch into each network's history, and raise if a loss is not finite."""
        for net, losses_of_net in zip(self.nets, losses, strict=True):
            net.history.new_epoch()
            net.history.record("epoch", len(net.history))
            net.history[-1]["batches"] = [
                {"train_loss": loss, "train_batch_size": size} for loss, size in zip(losses_of_net, sizes, strict=True)
            ]
            net.history.record("train_loss", float(np.average(losses_of_net, weights=sizes)))
            net.check_losses()


def _is_stateless(layer: nn.Module) -> bool:
    """Whether a layer has no weights or buffers of its own; those within it are looked at by themselves."""
    return not [*layer.parameters(recurse=False), *layer.buffers(recurse=False)]


def _attributes(module: nn.Module) -> list[dict[str, Any]]:
    """Return what each submodule holds beside its weights, buffers and submodules."""
    state = ("_parameters", "_buffers", "_modules")
    attributes = []
    for layer in module.modules():
        attributes.append({name: value for name, value in vars(layer).items() if name not in state})
    return attributes
