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
from alkit.nets.classifier import NetClassifier
from alkit.nets.embedding import first_output
from alkit.nets.training.batches import EpochBatches, epoch_batches
from alkit.nets.training.budget import TrainingBudget
from alkit.nets.training.tensors import Tensors, fetch
from alkit.rows import Rows, n_rows

# Layers that are faster together; convolutions are slower, recurrent layers cannot be vmapped
_LAYERS = (nn.Linear, nn.LayerNorm, nn.BatchNorm1d)
# Beyond, the networks' weights leave the cache at each step and one after another is faster (measured on 2 cores)
_MAX_WEIGHTS = 2_000_000
# Optimizers that treat every weight alone, so that stacked weights are the same as weights apart
_OPTIMIZERS = (torch.optim.Adam, torch.optim.AdamW, torch.optim.SGD, torch.optim.RMSprop)
_FREE = (
    "lr", "max_epochs", "min_steps", "batch_size", "batching", "classes", "class_weight", "random_state",
    "embedding_layer",
)  # fmt: skip


def fit_together(nets: Sequence[NetClassifier], X: Rows, y: Any, seed: int) -> bool:
    """Fit networks together, if they allow it and it is worth while; False if they are left to be fitted in turn.

    Each network begins as it would alone with its own ``random_state``, and shuffles as it would if it drew nothing
    else; dropout is drawn by `seed`. Where a flat loss ends the fit, it is the mean loss of all networks.

    Parameters
    ----------
    nets : sequence of NetClassifier
        Clones of one, with other ``random_state``.
    X, y : rows, labels
        As for `NetClassifier.fit`.
    seed : int
        Seeds dropout.

    Returns
    -------
    bool

    Examples
    --------
    >>> import torch
    >>> from alkit import NetClassifier
    >>> from alkit.nets._together import fit_together
    >>> nets = [NetClassifier(torch.nn.LazyLinear, module__out_features=2, random_state=k) for k in range(3)]
    >>> fit_together(nets, [[0.0], [1.0]], [0, 1], seed=0), nets[2].predict_proba([[0.5]]).shape
    (True, (1, 2))
    """
    if not all(map(_can_train_together, nets)):
        return False
    epochs = []
    for net in nets:
        with net.seeded(0):
            rows, labels = net.prepare(X, y)
            net.check_batch_norm(EpochBatches(n_rows(rows), net.batch_size, net.batching))
            epochs.append(_epochs(net, n_rows(rows), torch.get_rng_state()))
    with isolated_rng(nets[0].device, seed):
        team = _Team(nets, rows, labels)
        if not team.is_faster or not team.agrees():
            return False
        team.train(epochs)
    return True


def _can_train_together(net: NetClassifier) -> bool:
    """Whether a fit is nothing but epochs of steps: what is set beside is what a joint step respects."""
    if type(net) is not NetClassifier or net.optimizer not in _OPTIMIZERS or not isinstance(net.criterion, type):
        return False
    usual = NetClassifier(net.module, optimizer=net.optimizer, criterion=net.criterion).get_params(deep=False)
    return all(
        name in _FREE or (name in usual and (usual[name] is value or usual[name] == value))
        for name, value in net.get_params(deep=False).items()
        if not name.startswith(("_", "module", "criterion__", "optimizer__")) or name == "optimizer__param_groups"
    )


def _epochs(net: NetClassifier, n: int, rng_state: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Yield the row numbers of each batch, epoch by epoch without end, as the network would draw them alone."""
    rng = torch.Generator().set_state(rng_state)
    while True:
        yield epoch_batches(n, net.batch_size, net.batching, rng)


class _Team:
    """Networks whose weights are stacked along a first axis K."""

    def __init__(self, nets: Sequence[NetClassifier], X: Rows, y: np.ndarray):
        self.nets, self.first = nets, nets[0]
        self.dataset = self.first.get_dataset(X, y)
        self.modules = [net.module_ for net in nets]
        weights = sum(p.numel() for p in self.first.module_.parameters())
        known = all(
            isinstance(part, _LAYERS) or not [*part.parameters(recurse=False), *part.buffers(recurse=False)]
            for part in self.first.module_.modules()
        )
        self.is_faster = known and weights * len(nets) <= _MAX_WEIGHTS

    def _forward(self, weights: dict[str, Tensor], buffers: dict[str, Tensor], batch: Tensors) -> Tensor:
        args, kwargs = ((), batch) if isinstance(batch, dict) else ((batch,), {})
        return first_output(functional_call(self.template, (weights, buffers), args, kwargs))

    def _outputs(self, rows_K_B: Tensor) -> tuple[Tensor, Tensor]:
        """Outputs (K, B, C) of each network for its own batch, and labels (K, B)."""
        batch, codes = fetch(self.dataset, rows_K_B.flatten())
        batch = self.first.cast(batch)
        stacked = (
            {name: values.unflatten(0, rows_K_B.shape) for name, values in batch.items()}
            if isinstance(batch, dict)
            else batch.unflatten(0, rows_K_B.shape)
        )
        outputs = vmap(self._forward, randomness="different")(self.weights, self.buffers, stacked)
        assert codes is not None
        return outputs, codes.to(outputs.device).unflatten(0, rows_K_B.shape)

    def agrees(self) -> bool:
        """Whether stacked networks say of a few rows what each says alone, and can take a step."""
        self.weights, self.buffers = stack_module_state(self.modules)
        self.loss = vmap(self.first.get_loss, randomness="different")
        rows = torch.arange(min(4, n_rows(self.dataset)))
        try:
            self.template = copy.deepcopy(self.first.module_)  # what is run: what forward may store, no member keeps
            self._set_training(False)
            with torch.no_grad():
                stacked, _ = self._outputs(rows.expand(len(self.nets), -1))
                batch, _ = fetch(self.dataset, rows)
                alone = torch.stack([first_output(net.infer(batch)) for net in self.nets])
                return torch.allclose(stacked, alone, rtol=1e-3, atol=1e-4) and self._follows_training(rows)
        except (RuntimeError, TypeError, ValueError, NotImplementedError):  # whatever vmap cannot follow
            return False

    def _follows_training(self, rows: Tensor) -> bool:
        """Whether training mode can be followed too, and a forward pass leaves no trace but in buffers."""
        self._set_training(True)
        buffers, before = self.buffers, _attributes(self.template)
        self.buffers = {name: values.clone() for name, values in buffers.items()}
        self.loss(*self._outputs(rows.expand(len(self.nets), -1)))
        self.buffers = buffers
        return all(
            now.keys() == then.keys() and all(now[name] is then[name] for name in now)
            for now, then in zip(_attributes(self.template), before, strict=True)
        )

    def train(self, epochs: Sequence[Iterator[Sequence[Tensor]]]) -> None:
        """Take the steps of all epochs, as many as the mean loss of the networks asks for; give them their weights."""
        budget = TrainingBudget(self.first.max_epochs, self.first.min_steps)
        self._set_training(True)
        args, kwargs = self.first.get_params_for_optimizer("optimizer", list(self.weights.items()))
        optimizer = self.first.optimizer(*args, **kwargs)
        for batches_of_nets in islice(zip(*epochs, strict=True), budget.most_epochs):
            losses = []
            for rows in zip(*batches_of_nets, strict=True):
                loss_K = self.loss(*self._outputs(torch.stack(rows)))
                optimizer.zero_grad()
                loss_K.sum().backward()
                optimizer.step()
                losses.append(loss_K.detach())
            losses_K_S = torch.stack(losses, 1)
            self._record(losses_K_S.tolist(), [len(rows) for rows in batches_of_nets[0]])
            if budget.is_spent(losses_K_S.mean(0).tolist()):
                break
        self._set_training(False)
        with torch.no_grad():
            for k, net in enumerate(self.nets):
                own = dict(net.module_.named_parameters()) | dict(net.module_.named_buffers())
                for name, values in (self.weights | self.buffers).items():
                    own[name].copy_(values[k])

    def _set_training(self, training: bool) -> None:
        self.template.train(training)
        for net in self.nets:
            net._set_training(training)

    def _record(self, losses: list[list[float]], sizes: list[int]) -> None:
        """Write an epoch into each network's history, and stop if a loss is not finite."""
        for net, of_net in zip(self.nets, losses, strict=True):
            net.history.new_epoch()
            net.history.record("epoch", len(net.history))
            net.history[-1]["batches"] = [
                {"train_loss": loss, "train_batch_size": size} for loss, size in zip(of_net, sizes, strict=True)
            ]
            net.history.record("train_loss", float(np.average(of_net, weights=sizes)))
            net.check_losses()


def _attributes(module: nn.Module) -> list[dict[str, Any]]:
    """Return what each submodule holds beside its weights, buffers and submodules."""
    state = ("_parameters", "_buffers", "_modules")
    return [{name: value for name, value in vars(part).items() if name not in state} for part in module.modules()]
