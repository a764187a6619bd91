"""Learning loss: a small module that reads hidden layers and predicts the loss of each row."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from alkit.nets.classifier import NetClassifier
from alkit.nets.embedding import first_output, outputs_of
from alkit.rows import Rows, n_rows, take


def margin_ranking_loss(predicted_B: torch.Tensor, true_B: torch.Tensor, margin: float = 1.0) -> torch.Tensor:
    """Loss of predicted losses: a hinge on the order of each pair of rows.

    Row i of a batch is paired with row B - 1 - i; the middle one of an odd batch has no partner.

    Parameters
    ----------
    predicted_B, true_B : tensor (B,)
        Losses as predicted and as they are; no gradient reaches the latter.
    margin : float, default=1.0
        By how much the prediction must separate the two rows of a pair.

    Returns
    -------
    tensor ()
        max(0, margin - s (predicted_i - predicted_j)), averaged over pairs, with s = 1 if row i has the higher loss
        and else -1.

    References
    ----------
    .. [1] D. Yoo and I. S. Kweon, "Learning Loss for Active Learning", CVPR 2019.

    Examples
    --------
    >>> import torch
    >>> from alkit.nets.learning_loss import margin_ranking_loss
    >>> margin_ranking_loss(torch.tensor([0.5, 0.0]), torch.tensor([2.0, 1.0]))
    tensor(0.5000)
    """
    pairs = len(predicted_B) // 2
    difference = (predicted_B - predicted_B.flip(0))[:pairs]
    sign = torch.where((true_B - true_B.flip(0))[:pairs] > 0, 1.0, -1.0).to(predicted_B.dtype)
    return (margin - sign * difference).clamp_min(0).sum() / max(1, pairs)


class LossHead(nn.Module):
    """Predicts the loss of each row from hidden layers: pooled, one linear layer each, and one on all of them."""

    def __init__(self, layers: Sequence[str], width: int):
        super().__init__()
        self.layers = list(layers)
        self.of_layer = nn.ModuleList([nn.LazyLinear(width) for _ in self.layers])
        self.output = nn.Linear(width * len(self.layers), 1)

    def forward(self, hidden: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Return predicted losses (n,)."""
        pooled = [_pooled(hidden[layer]).to(self.output.weight.dtype) for layer in self.layers]
        read = [torch.relu(linear(values)) for linear, values in zip(self.of_layer, pooled, strict=True)]
        return self.output(torch.cat(read, dim=1))[:, 0]


def _pooled(hidden: torch.Tensor) -> torch.Tensor:
    """Average a hidden layer over its steps (n, steps, D) or places (n, channels, ...): one vector per row."""
    if hidden.ndim == 3:
        return hidden.mean(1)
    return hidden.flatten(2).mean(2) if hidden.ndim > 3 else hidden


class LearningLossClassifier(NetClassifier):
    """A network that learns with its task to predict the loss of each row [1]_, for the strategy ``learning_loss``.

    Parameters
    ----------
    module : class, callable or instance of torch.nn.Module
        See `NetClassifier`.
    loss_layers : list of str
        Names of the submodules whose outputs the loss is predicted from, as ``module.named_modules()`` gives them.
        Outputs of three axes are (n, steps, D) and averaged over steps, of four (n, channels, height, width) and
        averaged over places.
    loss_width : int, default=128
        Units that read each of these layers.
    loss_weight : float, default=1.0
        Weight of the ranking loss beside the task's loss.
    loss_margin : float, default=1.0
        By how much predicted losses of a pair are to differ.
    detach_after : int, optional
        Epochs of a fit after which the ranking loss no longer changes the network itself, but only the module that
        predicts. By default it always does.
    **kwargs : dict
        As for `NetClassifier`. The criterion must have a ``reduction``, as torch's have.

    Attributes
    ----------
    loss_head_ : torch.nn.Module
        The module that predicts.
    classes_, module_, history_
        As for `NetClassifier`; ``train_loss`` is the sum of both losses, ``valid_loss`` the task's.

    References
    ----------
    .. [1] D. Yoo and I. S. Kweon, "Learning Loss for Active Learning", CVPR 2019.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from torch import nn
    >>> from alkit import LearningLossClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> net = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 16), nn.ReLU(), nn.Linear(16, 3))
    >>> clf = LearningLossClassifier(net, loss_layers=["1", "3"], lr=0.01, random_state=0).fit(X, y)
    >>> clf.predict_loss(X).shape
    (150,)
    """

    def __init__(
        self,
        module: Any,
        loss_layers: Sequence[str] | None,
        *,
        loss_width: int = 128,
        loss_weight: float = 1.0,
        loss_margin: float = 1.0,
        detach_after: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(module=module, **kwargs)
        self.loss_layers = loss_layers
        self.loss_width = loss_width
        self.loss_weight = loss_weight
        self.loss_margin = loss_margin
        self.detach_after = detach_after

    def initialize_module(self) -> LearningLossClassifier:
        """Build the network and the module that predicts its losses."""
        layers = self._loss_layers()
        if isinstance(layers, str) or not layers:
            raise ValueError(f"loss_layers={layers!r}: give a list of one or more names of submodules")
        super().initialize_module()
        self.loss_head_ = LossHead(layers, self.loss_width)
        return self

    def _loss_layers(self) -> Sequence[str] | None:
        return self.loss_layers

    def initialize_criterion(self) -> LearningLossClassifier:
        """Build the loss, which must be able to tell rows apart."""
        super().initialize_criterion()
        if not hasattr(self.criterion_, "reduction"):
            raise TypeError(
                f"{type(self.criterion_).__name__} has no reduction, so the loss of a single row is not known; use a "
                "criterion that has, such as CrossEntropyLoss, or a NetClassifier"
            )
        return self

    def on_train_begin(self, *args: Any, **kwargs: Any) -> None:
        """Note where the epochs of this fit begin."""
        super().on_train_begin(*args, **kwargs)
        self.epochs_before_ = len(self.history)

    def infer(self, x: Any, **fit_params: Any) -> Any:
        """Run the network; in training, predict losses beside."""
        if not self.module_.training:
            return super().infer(x, **fit_params)
        with outputs_of(self.module_, self.loss_head_.layers) as hidden:
            out = super().infer(x, **fit_params)
        logits = first_output(out)
        _check_layers(hidden, len(logits))
        if self.detach_after is not None and len(self.history) - self.epochs_before_ > self.detach_after:
            hidden = {layer: values.detach() for layer, values in hidden.items()}
        return logits, out, self.loss_head_(hidden)

    def get_loss(self, y_pred: Any, y_true: torch.Tensor, *args: Any, training: bool = False, **kwargs: Any) -> Any:
        """Return the loss of a batch: in training, the task's and that of the predicted losses."""
        if not training:
            return super().get_loss(y_pred, y_true, *args, training=training, **kwargs)
        logits, out, predicted = y_pred
        loss = super().get_loss(out, y_true, *args, training=training, **kwargs)
        by_row = copy.copy(self.criterion_)
        vars(by_row)["reduction"] = "none"
        with torch.no_grad():
            true = by_row(logits, y_true.to(logits.device))
        return loss + self.loss_weight * margin_ranking_loss(predicted, true, self.loss_margin)

    def _try_first_rows(self, X: Rows, **fit_params: Any) -> None:
        """Run the first rows, on which the module that predicts learns the widths of the layers it reads."""
        super()._try_first_rows(X, **fit_params)
        with self.scoring():
            self._predicted(*self._call_arguments(take(X, slice(0, min(2, n_rows(X))))))

    def predict_loss(self, X: Rows) -> np.ndarray:
        """Predict the loss of each row, up to scale: its order is what was learnt.

        Parameters
        ----------
        X : array, sparse matrix, DataFrame, tensor, list, dict or Dataset of n rows
            The rows, read a batch at a time.

        Returns
        -------
        ndarray of shape (n,), float32
        """
        self.check_is_fitted()
        with self.scoring():
            return self.gather(n_rows(X), (self._predicted(*call) for call in self.batches(X)))

    def _predicted(self, args: tuple, kwargs: dict) -> torch.Tensor:
        with outputs_of(self.module_, self.loss_head_.layers) as hidden:
            logits = first_output(self.module_(*args, **kwargs))
        _check_layers(hidden, len(logits))
        return self.loss_head_(hidden)


def _check_layers(hidden: Mapping[str, Any], n: int) -> None:
    """Refuse hidden layers that are not a vector or more a row."""
    for layer, values in hidden.items():
        shape = tuple(values.shape) if isinstance(values, torch.Tensor) else None
        if shape is None or len(shape) < 2 or shape[0] != n:
            raise ValueError(
                f"submodule {layer!r} returns {f'shape {shape}' if shape else type(values).__name__} for {n} rows, but "
                f"loss_layers must return tensors ({n}, D) or of more axes, rows first; name another (recurrent layers "
                "can be built with batch_first=True)"
            )
