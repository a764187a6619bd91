"""Networks that read several modalities, such as a text and a picture, as scikit-learn classifiers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn

from alkit.labels import most_probable
from alkit.nets.classifier import NetClassifier
from alkit.nets.multimodal.encoders import ModalityEncoder
from alkit.nets.multimodal.fusion import build_fusion
from alkit.nets.multimodal.losses import FixedWeightLoss, UncertaintyWeightedLoss
from alkit.nets.multimodal.rows import (
    JOINT,
    Modalities,
    ModalityRows,
    Shape,
    check_modalities,
    present_rows,
)
from alkit.nets.training.sample_weight import WeightedCodes
from alkit.rows import Rows


class MultimodalNet(nn.Module):
    """An encoder for each modality, their fusion, a joint head on it, and a head on each modality alone.

    Parameters
    ----------
    modalities : dict of str to int or tuple of int
        Width or shape of the rows of each.
    n_classes : int
        Outputs of each head.
    encoder, fusion, width, depth, dropout
        See `MultimodalClassifier`.

    Attributes
    ----------
    asked : tuple of str
        The heads whose logits `forward` returns, ``("joint",)`` at first. Encoders that none of them reads do not run.

    Examples
    --------
    >>> import torch
    >>> from alkit.nets.multimodal.classifier import MultimodalNet
    >>> net = MultimodalNet({"text": 4, "image": (3, 8, 8)}, n_classes=5)
    >>> (logits,) = net(text=torch.zeros(2, 4), image=torch.zeros(2, 3, 8, 8))
    >>> logits.shape
    torch.Size([2, 5])
    """

    def __init__(
        self,
        modalities: Mapping[str, int | Shape],
        n_classes: int,
        encoder: Any = "residual",
        fusion: str = "gated",
        width: int = 128,
        depth: int = 1,
        dropout: float = 0.5,
    ):
        super().__init__()
        check_modalities(modalities)
        encoders = encoder if isinstance(encoder, Mapping) else dict.fromkeys(modalities, encoder)
        if encoders.keys() != modalities.keys():
            raise ValueError(f"encoder names {list(encoders)}, but the modalities are {list(modalities)}")
        self.encoders = nn.ModuleDict()
        for name, size in modalities.items():
            shape = size if isinstance(size, tuple) else (size,)
            try:
                self.encoders[name] = ModalityEncoder(encoders[name], shape, width, depth, dropout)
            except (RuntimeError, TypeError, ValueError) as error:
                raise ValueError(f"encoder of modality {name!r}: {error}") from error
        self.fusion = build_fusion(fusion, len(modalities), width)
        self.dropout = nn.Dropout(dropout)
        heads = {name: nn.Linear(width, n_classes) for name in (JOINT, *modalities)}
        self.heads = nn.ModuleDict(heads)
        self.asked: tuple[str, ...] = (JOINT,)

    def forward(self, **rows: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return the logits (n, n_classes) of each head asked; those of rows that lack its modality mean nothing.

        Parameters
        ----------
        **rows : tensor of shape (n, ...)
            Rows of each modality, NaN where it is missing.

        Returns
        -------
        tuple of tensors (n, n_classes)
        """
        inputs: dict[str, torch.Tensor] = {}  # of each head
        presents = []
        for name, encoder in self.encoders.items():
            if name in self.asked or JOINT in self.asked:
                inputs[name], present_B = encoder(rows[name])
                presents.append(present_B)
        if JOINT in self.asked:
            encoding_B_M_H = torch.stack(list(inputs.values()), 1)
            present_B_M = torch.stack(presents, 1)
            inputs[JOINT] = self.dropout(self.fusion(encoding_B_M_H, present_B_M))
        return tuple(self.heads[head](inputs[head]) for head in self.asked)


class MultimodalClassifier(NetClassifier):
    """A network that reads several modalities of each row, such as a text and a picture; some may be missing.

    It has an encoder for each modality, their fusion, a joint head that classifies by this, and, trained along with it,
    a head on each modality alone. A modality that a row lacks takes part neither in fusion nor in its head's loss.

    Parameters
    ----------
    modalities : dict of str to int, tuple of int or slice
        By name, the width of a modality's vectors or the shape of its rows; where X is one matrix, its columns.
    encoder : {"residual", "highway", "mlp"}, Module, callable, or dict of these by modality, default="residual"
        Modules are copied, callables are called without arguments and build one. A module must return vectors: a CNN
        for pictures, a transformer for token ids. One with an ``nn.Embedding`` that refuses floats gets integers, any
        other gets floats.
    fusion : {"gated", "attention", "concat", "bilinear"}, default="gated"
        See :mod:`alkit.nets.multimodal.fusion`.
    width : int, default=128
        Units of each encoding, and of their fusion.
    depth : int, default=1
        Blocks of an encoder given by name, after a first linear layer with ReLU.
    dropout : float, default=0.5
        Probability of dropping a unit within encoders given by name, of encodings, and of their fusion.
    loss_weights : {"uncertainty", "sum"} or dict of str to float, default="uncertainty"
        Weights of the losses of the heads, "joint" and each modality: learnt, see
        :class:`alkit.nets.multimodal.losses.UncertaintyWeightedLoss`, all one, or those given.
    module : class, default=MultimodalNet
        The network.
    **kwargs : dict
        As for `NetClassifier`.

    Attributes
    ----------
    loss_weights_ : dict of str to float
        The weight of each head's loss, 1 / s^2 where learnt.
    classes_, module_, history_
        As for `NetClassifier`; ``train_loss`` is the sum of the heads' losses, weighted where the weights
        are fixed, ``valid_loss`` the joint head's.

    Notes
    -----
    X is a dict of arrays (a ``SliceDict``), a DataFrame with a column for each modality (its cells arrays), a torch
    Dataset of dicts, or one matrix where `modalities` are slices, as behind a ``ColumnTransformer``. A modality is
    missing in a row where it is None or holds a NaN. Inputs are not scaled, see
    :class:`sklearn.preprocessing.StandardScaler`.

    There is no batch normalisation: an encoder reads rows that lack its modality as zeros, which would count in its
    statistics, as they do in those of an encoder of your own that has it.

    Examples
    --------
    >>> import numpy as np
    >>> from alkit import MultimodalClassifier
    >>> rng = np.random.default_rng(0)
    >>> X = {"text": rng.normal(size=(60, 4)), "image": rng.normal(size=(60, 6))}
    >>> y = np.where(X["text"][:, 0] + X["image"][:, 0] > 0, "spam", "ham")
    >>> X["image"][::3] = np.nan
    >>> clf = MultimodalClassifier({"text": 4, "image": 6}, width=16, max_epochs=20, random_state=0).fit(X, y)
    >>> clf.predict_proba(X).shape, clf.predict_proba(X, head="text").shape, list(clf.loss_weights_)
    ((60, 2), (60, 2), ['joint', 'text', 'image'])
    """

    def __init__(
        self,
        modalities: Modalities,
        *,
        encoder: Any = "residual",
        fusion: str = "gated",
        width: int = 128,
        depth: int = 1,
        dropout: float = 0.5,
        loss_weights: str | Mapping[str, float] = "uncertainty",
        module: Any = MultimodalNet,
        **kwargs: Any,
    ):
        super().__init__(module, **kwargs)
        self.modalities = modalities
        self.encoder = encoder
        self.fusion = fusion
        self.width = width
        self.depth = depth
        self.dropout = dropout
        self.loss_weights = loss_weights

    _added_criteria = ("multitask_loss",)

    @property
    def row_adapter(self) -> ModalityRows:
        """Rows by modality, each with something that the head asked can read."""
        head = self.network.asked[0] if self.initialized_ else JOINT
        return ModalityRows(self.modalities, head)

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an attribute; skorch would take a module given as `encoder` for a part already fitted, and refuse it."""
        if name == "encoder":
            object.__setattr__(self, name, value)
        else:
            super().__setattr__(name, value)

    @property
    def loss_weights_(self) -> dict[str, float]:
        """The weight of each head's loss."""
        self.check_is_fitted()
        return dict(zip(self._heads, self.multitask_loss_.weights.tolist(), strict=True))

    @property
    def _heads(self) -> tuple[str, ...]:
        return JOINT, *self.modalities

    def get_params_for(self, prefix: str) -> dict[str, Any]:
        """Collect the parameters of a part; those of the network are this classifier's own."""
        params = super().get_params_for(prefix)
        if prefix != "module":
            return params
        own = {name: getattr(self, name) for name in ("encoder", "fusion", "width", "depth", "dropout")}
        # Once rows were seen their shapes are known, those of open slices too.
        shapes = getattr(self, "input_shape_", self.modalities)
        return {"modalities": shapes, **own, **params}

    def initialize_criterion(self) -> MultimodalClassifier:
        """Build the loss of one head, and that which adds up the losses of all heads."""
        super().initialize_criterion()
        heads = self._heads
        self.multitask_loss_: UncertaintyWeightedLoss | FixedWeightLoss
        if self.loss_weights == "uncertainty":
            self.multitask_loss_ = UncertaintyWeightedLoss(len(heads))
            return self
        weights = dict.fromkeys(heads, 1.0) if self.loss_weights == "sum" else self.loss_weights
        if not isinstance(weights, Mapping) or weights.keys() != set(heads):
            raise ValueError(
                f"loss_weights={self.loss_weights!r}: choose 'uncertainty', 'sum', or give a weight for each of {heads}"
            )
        self.multitask_loss_ = FixedWeightLoss([weights[head] for head in heads])
        return self

    def infer(self, x: Any, **fit_params: Any) -> Any:
        """Run the network; in training, ask all its heads."""
        if not self.module_.training:
            return super().infer(x, **fit_params)
        with self._asking(*self._heads):
            return super().infer(x, **fit_params)

    def get_loss(
        self, y_pred: Any, y_true: Any, X: Any = None, *args: Any, training: bool = False, **kwargs: Any
    ) -> torch.Tensor:
        """Return the loss of a batch: in training the weighted sum over heads, each over the rows it can read."""
        if not training:
            return super().get_loss(y_pred, y_true, X, *args, training=training, **kwargs)
        codes, weights = y_true if isinstance(y_true, WeightedCodes) else (y_true, None)
        device = self.compute_device
        codes = codes.to(device)
        present_M_B = torch.stack([present_rows(X[name]).to(device) for name in self.modalities])
        # The joint head reads a row that has any modality.
        present_T_B = torch.cat([present_M_B.any(0, keepdim=True), present_M_B])
        counted_T = present_T_B.any(1)
        losses = []
        for logits, rows, is_counted in zip(y_pred, present_T_B, counted_T, strict=True):
            # The mean over no rows at all would be NaN.
            if is_counted:
                of_rows = codes[rows] if weights is None else WeightedCodes(codes[rows], weights.to(device)[rows])
                losses.append(super().get_loss(logits[rows], of_rows))
            else:
                losses.append(logits.new_zeros(()))
        losses_T = torch.stack(losses)
        total = self.multitask_loss_(losses_T, counted_T)
        if isinstance(self.multitask_loss_, UncertaintyWeightedLoss):
            # Its gradient trains; its value falls on while the weights still grow, long after the heads have stopped
            # learning. What is reported, and ends the fit when it is flat, is the plain sum.
            total = total + (losses_T.sum() - total).detach()
        return total

    def predict_proba(self, X: Rows, head: str = JOINT) -> np.ndarray:
        """Return class probabilities.

        Parameters
        ----------
        X : dict, DataFrame, matrix or Dataset of n rows
            The rows.
        head : str, default="joint"
            The head that answers: "joint", or a modality, which all rows must have.

        Returns
        -------
        ndarray of shape (n, n_classes), float32
        """
        with self._asking(head):
            return super().predict_proba(X)

    def predict(self, X: Rows, head: str = JOINT) -> np.ndarray:
        """Return the most probable label of each row; of several labels, those that are on.

        Parameters
        ----------
        X, head
            See `predict_proba`.

        Returns
        -------
        ndarray of shape (n,), or 0/1 (n, L)
        """
        return most_probable(self.predict_proba(X, head), self.classes_, self.multilabel_)

    def sample_proba(
        self,
        X: Rows,
        n_samples: int = 20,
        random_state: Any = None,
        consistent: bool | None = None,
        head: str = JOINT,
    ) -> np.ndarray:
        """Return class probabilities under draws of the network's dropout.

        Parameters
        ----------
        X, head
            See `predict_proba`.
        n_samples, random_state, consistent
            See :meth:`NetClassifier.sample_proba`.

        Returns
        -------
        ndarray of shape (n, n_samples, n_classes), float32
        """
        with self._asking(head):
            return super().sample_proba(X, n_samples, random_state, consistent)

    def embed(self, X: Rows, layer: str | None = None, head: str = JOINT) -> np.ndarray:
        """Return an embedding of each row: what the head reads, the fusion or the encoding of its modality.

        Parameters
        ----------
        X, head
            See `predict_proba`.
        layer : str, optional
            Name of a submodule whose output to return instead; by default `embedding_layer`.

        Returns
        -------
        ndarray of shape (n, width), float32
        """
        with self._asking(head):
            return super().embed(X, layer)

    @contextmanager
    def _asking(self, *heads: str) -> Iterator[None]:
        """Have the network answer with these heads inside the context."""
        self.check_is_fitted()
        unknown = [head for head in heads if head not in self._heads]
        if unknown:
            raise ValueError(f"head={unknown[0]!r} is unknown; choose one of {', '.join(map(repr, self._heads))}")
        network = self.network
        before = network.asked
        network.asked = heads
        try:
            yield
        finally:
            network.asked = before
