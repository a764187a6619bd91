"""Learning loss: a small module that reads hidden layers and predicts the loss of each row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from alkit.nets.classifier import NetClassifier
from alkit.nets.embedding import outputs_of
from alkit.nets.training.outputs import first_output
from alkit.nets.training.reading_net import Device
from alkit.nets.training.sample_weight import WeightedCodes, row_losses
from alkit.rows import Rows, n_rows


def margin_ranking_loss(
    predicted_B: torch.Tensor, true_B: torch.Tensor, margin: float = 1.0, weights_B: torch.Tensor | None = None
) -> torch.Tensor:
    """Return how badly predicted losses rank rows: a hinge on the order of each pair.

    Row i of a batch is paired with row B - 1 - i; the middle one of an odd batch has no partner.

    Parameters
    ----------
    predicted_B, true_B : tensor (B,)
        Predicted and true losses; only the sign of true differences counts, so they get no gradient.
    margin : float, default=1.0
        By how much the prediction must separate the two rows of a pair.
    weights_B : tensor (B,), optional
        Weights of rows. A pair counts as often as its rows would meet if each were repeated: by their product.

    Returns
    -------
    tensor ()
        max(0, margin - s (predicted_i - predicted_j)), averaged over pairs, with s = 1 if row i has the higher loss
        and else -1. Zero where no pair counts.

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
    n_pairs = len(predicted_B) // 2
    difference_P = (predicted_B - predicted_B.flip(0))[:n_pairs]
    true_difference_P = (true_B - true_B.flip(0))[:n_pairs]
    sign_P = torch.where(true_difference_P > 0, 1.0, -1.0).to(predicted_B.dtype)
    hinge_P = (margin - sign_P * difference_P).clamp_min(0)
    if weights_B is None:
        return hinge_P.sum() / max(1, n_pairs)
    weights_P = (weights_B * weights_B.flip(0))[:n_pairs].to(hinge_P)
    return (hinge_P * weights_P).sum() / weights_P.sum().clamp_min(torch.finfo(hinge_P.dtype).tiny)


class LossHead(nn.Module):
    """Predicts the loss of each row: hidden layers, each pooled and read by a linear layer, then one on them all."""

    def __init__(self, layers: Sequence[str], width: int):
        super().__init__()
        self.layers = list(layers)
        self.of_layer = nn.ModuleList([nn.LazyLinear(width) for _ in self.layers])
        self.output = nn.Linear(width * len(self.layers), 1)

    def forward(self, hidden: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Return predicted losses (n,)."""
        activations = []
        for layer, linear in zip(self.layers, self.of_layer, strict=True):
            pooled = _pooled(hidden[layer]).to(self.output.weight.dtype)
            activations.append(torch.relu(linear(pooled)))
        return self.output(torch.cat(activations, dim=1))[:, 0]


def _pooled(hidden: torch.Tensor) -> torch.Tensor:
    """Average a hidden layer over its steps (n, steps, D) or places (n, channels, ...): one vector per row."""
    if hidden.ndim == 3:
        return hidden.mean(1)
    if hidden.ndim > 3:
        return hidden.flatten(2).mean(2)
    return hidden


class LearningLossClassifier(NetClassifier):
    """A network that learns its task and the loss of each row [1]_, for the strategy ``learning_loss``.

    Parameters
    ----------
    module : class, callable or instance of torch.nn.Module
        See `NetClassifier`.
    loss_layers : list of str
        Names of the submodules whose outputs the loss is predicted from, as ``module.named_modules()`` gives them.
        Outputs of three axes are (n, steps, D) and averaged over steps; those of four are (n, channels, height, width)
        and averaged over height and width.
    loss_width : int, default=128
        Units of the linear layer that reads each of these outputs.
    loss_weight : float, default=1.0
        Weight of the ranking loss beside the task's loss.
    loss_margin : float, default=1.0
        By how much the predicted losses of a pair must differ.
    detach_after : int, optional
        Epochs of a fit after which the ranking loss no longer trains the network itself, but only the module that
        predicts losses. By default it trains both to the end.
    **kwargs : dict
        As for `NetClassifier`. The criterion must have a ``reduction``, as torch's have.

    Attributes
    ----------
    loss_head_ : torch.nn.Module
        The module that predicts losses.
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
        """Build the loss, which must have a value for each row."""
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
        """Run the network; in training, predict the losses of the batch too."""
        if not self.module_.training:
            return super().infer(x, **fit_params)
        with outputs_of(self.module_, self.loss_head_.layers) as hidden:
            out = super().infer(x, **fit_params)
        logits = first_output(out)
        _check_layers(hidden, len(logits))
        epoch = len(self.history) - self.epochs_before_
        if self.detach_after is not None and epoch > self.detach_after:
            hidden = {layer: values.detach() for layer, values in hidden.items()}
        return logits, out, self.loss_head_(hidden)

    def get_loss(self, y_pred: Any, y_true: torch.Tensor, *args: Any, training: bool = False, **kwargs: Any) -> Any:
        """Return the loss of a batch: in training, the task's and that of the predicted losses."""
        if not training:
            return super().get_loss(y_pred, y_true, *args, training=training, **kwargs)
        logits, out, predicted = y_pred
        task_loss = super().get_loss(out, y_true, *args, training=training, **kwargs)
        codes, weights = y_true if isinstance(y_true, WeightedCodes) else (y_true, None)
        with torch.no_grad():
            true = row_losses(self.criterion_, *self._criterion_arguments(logits, codes))
        ranking_loss = margin_ranking_loss(predicted, true, self.loss_margin, weights)
        return task_loss + self.loss_weight * ranking_loss

    def _try_first_rows(self, X: Rows, **fit_params: Any) -> None:
        """Run the first rows, on which the module that predicts learns the widths of the layers it reads."""
        super()._try_first_rows(X, **fit_params)
        with self.scoring():
            args, kwargs = self._call_arguments(self._first_rows(X, 2))
            self._predict_batch_loss(args, kwargs)

    def predict_loss(self, X: Rows) -> np.ndarray:
        """Predict the loss of each row: only the order of these values has a meaning.

        Parameters
        ----------
        X : array, sparse matrix, DataFrame, tensor, list, dict or Dataset of n rows
            The rows, read a batch at a time.

        Returns
        -------
        ndarray of shape (n,), float32
        """
        return self._predict_loss_tensor(X, to="cpu").numpy()

    def _predict_loss_tensor(self, X: Rows, to: Device = None) -> torch.Tensor:
        self.check_is_fitted()
        with self.scoring():
            losses = self.outputs(X, lambda rows: self._predict_batch_loss(*self._call_arguments(rows)))
            return self.gather(n_rows(X), losses, to)

    def _predict_batch_loss(self, args: tuple, kwargs: dict) -> torch.Tensor:
        with outputs_of(self.module_, self.loss_head_.layers) as hidden:
            logits = first_output(self.module_(*args, **kwargs))
        _check_layers(hidden, len(logits))
        return self.loss_head_(hidden)


def _check_layers(hidden: Mapping[str, Any], n: int) -> None:
    """Raise unless the output of each layer has rows first, and one axis or more beside them."""
    for layer, values in hidden.items():
        shape = tuple(values.shape) if isinstance(values, torch.Tensor) else None
        if shape is None or len(shape) < 2 or shape[0] != n:
            returned = f"shape {shape}" if shape else type(values).__name__
            raise ValueError(
                f"submodule {layer!r} returns {returned} for {n} rows, but "
                f"loss_layers must return tensors ({n}, D) or of more axes, rows first; name another (recurrent layers "
                "can be built with batch_first=True)"
            )
