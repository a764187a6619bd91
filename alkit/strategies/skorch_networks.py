"""skorch's own networks, which serve strategies as alkit's do: dropout samples, embeddings, and nothing changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

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
        net.check_is_fitted()
        self.module = net.module_
        self._infer = net.infer

    def forward(self, x: Any) -> Any:
        return self._infer(x)


def has_softmax_of_skorch(model: Any) -> bool:
    """Tell whether a plain network predicts as skorch does, by a softmax that skorch has chosen for it."""
    if not is_plain_network(model) or not model.initialized_:
        return False
    own = (skorch.NeuralNet.predict_proba, skorch.NeuralNetClassifier.predict_proba)
    return type(model).predict_proba in own and _is_softmax(model._get_predict_nonlinearity())


def _is_softmax(nonlinearity: Any) -> bool:
    return isinstance(nonlinearity, partial) and nonlinearity.func is torch.softmax


def _nonlinearity(net: Any) -> Callable[[Tensor], Tensor]:
    """Return what makes probabilities of outputs (n, C, ...): skorch's softmax is one over positions, if there are."""
    found = net._get_predict_nonlinearity()
    return partial(torch.softmax, dim=1) if _is_softmax(found) else found


def predict_proba(net: Any, X: Rows) -> Tensor:
    """Return class probabilities of a network with skorch's softmax, taken over classes: (n, C), or ``(n, C, *S)``."""
    nonlinearity = _nonlinearity(net)
    parts = []
    for out in net.forward_iter(X, training=False, device=None):
        logits = out[0] if isinstance(out, tuple) else out
        parts.append(nonlinearity(logits))
    return torch.cat(parts)


def sample_proba(net: Any, X: Rows, n_samples: int, seed: int, consistent: bool | None) -> Tensor:
    """Return class probabilities under draws of a network's dropout, see `alkit.NetClassifier.sample_proba`.

    Parameters
    ----------
    net : fitted skorch.NeuralNet
    X : rows
    n_samples, seed, consistent
        See :class:`alkit.nets.mc_dropout.sampler.DropoutSampler`.

    Returns
    -------
    tensor (n, K, C), or ``(n, K, C, *S)`` of positions
        On the device of the network.
    """
    module = _Inference(net)
    with unchanged([net]), DropoutSampler(module, n_samples, seed, consistent) as sampler:
        nonlinearity = _nonlinearity(net)
        parts = []
        for batch in _batches(net, X):
            samples = sampler(batch)
            # skorch's nonlinearities are made for outputs of rows, not of rows and samples
            proba = nonlinearity(samples.flatten(0, 1))
            parts.append(proba.unflatten(0, samples.shape[:2]))
    return torch.cat(parts)


def embed(net: Any, X: Rows) -> Tensor:
    """Return the input of a network's last linear layer: (n, D)."""
    module = _Inference(net)
    with unchanged([net]), torch.no_grad():
        net.module_.eval()
        try:
            parts = [embed_batch(module, (batch,), {}) for batch in _batches(net, X)]
        except ValueError as error:
            raise ValueError(
                f"{type(net.module_).__name__} runs no linear layer whose input could serve as embedding; use "
                "alkit.NetClassifier, whose embedding_layer= names another layer"
            ) from error
    return torch.cat(parts)


def _batches(net: Any, X: Rows) -> Iterator[Tensor | dict[str, Tensor]]:
    """Yield rows batch by batch, as skorch scores them."""
    for batch in net.get_iterator(net.get_dataset(X), training=False):
        yield unpack_data(batch)[0]


@contextmanager
def unchanged(estimators: list[Any]) -> Iterator[None]:
    """Put the modes of plain networks, and global random states, back after; nothing is due for other estimators.

    skorch leaves a network in the mode that it was asked in, and its iterators draw from torch's generator.
    """
    nets = [estimator for estimator in estimators if is_plain_network(estimator) and estimator.initialized_]
    parts = [part for net in nets for name in net._modules + net._criteria for part in _submodules(net, name)]
    modes = [part.training for part in parts]
    try:
        with ExitStack() as states:
            for device in {net.device or "cpu" for net in nets}:
                states.enter_context(isolated_rng(device))
            yield
    finally:
        for part, mode in zip(parts, modes, strict=True):
            part.training = mode


def _submodules(net: Any, name: str) -> Iterator[nn.Module]:
    """Yield a module of a network, or its loss, and all inside; some losses are no modules."""
    module = getattr(net, name + "_")
    return module.modules() if isinstance(module, nn.Module) else iter(())
