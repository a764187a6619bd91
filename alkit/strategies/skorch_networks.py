"""skorch's own networks, which serve strategies as alkit's do: dropout samples, embeddings, and nothing changed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import skorch
import torch
from skorch.dataset import unpack_data
from torch import Tensor, nn

from alkit._random import isolated_rng
from alkit.nets.embedding import embed_batch
from alkit.nets.mc_dropout.sampler import DropoutSampler
from alkit.rows import Rows


def is_plain_network(model: Any) -> bool:
    """Tell whether a model is a network of skorch, and none of alkit, which offers the same itself.

    Examples
    --------
    >>> from skorch import NeuralNetClassifier
    >>> from torch import nn
    >>> from alkit import NetClassifier
    >>> from alkit.strategies.skorch_networks import is_plain_network
    >>> is_plain_network(NeuralNetClassifier(nn.Linear)), is_plain_network(NetClassifier(nn.Linear))
    (True, False)
    """
    network = isinstance(model, skorch.NeuralNet) and not isinstance(model, skorch.NeuralNetRegressor)
    return network and not hasattr(model, "sample_proba")


class _Inference(nn.Module):
    """A network as skorch calls it: what becomes of a batch is its business, such as a dict by name."""

    def __init__(self, net: Any) -> None:
        super().__init__()
        self.module = net.module_
        self._infer = net.infer

    def forward(self, x: Any) -> Any:
        return self._infer(x)


def sample_proba(net: Any, X: Rows, n_samples: int, seed: int, consistent: bool | None) -> np.ndarray:
    """Return class probabilities under draws of a network's dropout, see `alkit.NetClassifier.sample_proba`.

    Parameters
    ----------
    net : fitted skorch.NeuralNet
    X : rows
    n_samples, seed, consistent
        See :class:`alkit.nets.mc_dropout.sampler.DropoutSampler`.

    Returns
    -------
    array (n, K, C)
    """
    with unchanged(net), DropoutSampler(_Inference(net), n_samples, seed, consistent) as sampler:
        nonlinearity = net._get_predict_nonlinearity()
        parts = []
        for batch in _batches(net, X):
            samples = sampler(batch)
            # skorch's nonlinearities are made for outputs of rows, not of rows and samples
            proba = nonlinearity(samples.flatten(0, 1))
            parts.append(proba.unflatten(0, samples.shape[:2]).cpu().numpy())
    return np.concatenate(parts)


def embed(net: Any, X: Rows) -> np.ndarray:
    """Return the input of a network's last linear layer: (n, D)."""
    with unchanged(net), torch.no_grad():
        net.module_.eval()
        module = _Inference(net)
        return np.concatenate([embed_batch(module, (batch,), {}).cpu().numpy() for batch in _batches(net, X)])


def _batches(net: Any, X: Rows) -> Iterator[Tensor | dict[str, Tensor]]:
    """Yield rows batch by batch, as skorch scores them."""
    for batch in net.get_iterator(net.get_dataset(X), training=False):
        yield unpack_data(batch)[0]


@contextmanager
def unchanged(model: Any) -> Iterator[None]:
    """Put the modes of a plain network, and global random states, back after it was asked; of others, nothing is due.

    skorch leaves a network in the mode that it was asked in, and its iterators draw from torch's generator.
    """
    if not (is_plain_network(model) and model.initialized_):
        yield
        return
    parts = [part for name in model._modules + model._criteria for part in getattr(model, name + "_").modules()]
    modes = [part.training for part in parts]
    try:
        with isolated_rng(model.device or "cpu"):
            yield
    finally:
        for part, mode in zip(parts, modes, strict=True):
            part.training = mode
