"""Networks that read several modalities, such as a text and a picture, as scikit-learn classifiers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn

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
from alkit.rows import Rows


class MultimodalNet(nn.Module):
    """An encoder for each modality, fusion, a head on what is fused, and one on each modality alone.

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
        The heads to answer, ``("joint",)`` at first. What they do not read does not run.

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
        for name, given in modalities.items():
            shape = given if isinstance(given, tuple) else (given,)
            try:
                self.encoders[name] = ModalityEncoder(encoders[name], shape, width, depth, dropout)
            except (RuntimeError, TypeError, ValueError) as error:
                raise ValueError(f"encoder of modality {name!r}: {error}") from error
        self.fusion = build_fusion(fusion, len(modalities), width)
        self.dropout = nn.Dropout(dropout)
        self.heads = nn.ModuleDict({name: nn.Linear(width, n_classes) for name in (JOINT, *modalities)})
        self.asked: tuple[str, ...] = (JOINT,)

    def forward(self, **rows: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return the logits (n, n_classes) of each head asked; any for rows that lack its modality.

        Parameters
        ----------
        **rows : tensor of shape (n, ...)
            Rows of each modality, NaN where it is missing.

        Returns
        -------
        tuple of tensors (n, n_classes)
        """
        read = [name for name in self.encoders if name in self.asked or JOINT in self.asked]
        encoded = {name: self.encoders[name](rows[name]) for name in read}
        answers = {name: encoding for name, (encoding, _) in encoded.items()}
        if JOINT in self.asked:
            encoding_B_M_H, present_B_M = (torch.stack(parts, 1) for parts in zip(*encoded.values(), strict=True))
            answers[JOINT] = self.dropout(self.fusion(encoding_B_M_H, present_B_M))
        return tuple(self.heads[head](answers[head]) for head in self.asked)


class MultimodalClassifier(NetClassifier):
    """A network that reads several modalities of each row, such as a text and a picture, and does without some of them.

    An encoder for each modality, fusion and a classifier on what is fused; beside it a classifier on each modality
    alone, trained with it. A modality that a row lacks takes no part in fusion nor in its own classifier's loss.

    Parameters
    ----------
    modalities : dict of str to int, tuple of int or slice
        By name, the width of a modality's vectors, or the shape of its rows; or its columns, where X is one matrix.
    encoder : {"residual", "highway", "mlp"}, Module, callable, or dict of these by modality, default="residual"
        A module, which is copied, or what a callable without arguments builds, returns vectors: a CNN for pictures, a
        transformer for token ids. One that begins with an ``nn.Embedding`` gets integers, others get floats.
    fusion : {"gated", "attention", "concat", "bilinear"}, default="gated"
        See :mod:`alkit.nets.multimodal.fusion`.
    width : int, default=128
        Units of an encoding, and of what is fused.
    depth : int, default=1
        Blocks of an encoder given by name, after a first linear layer with ReLU.
    dropout : float, default=0.5
        Probability of dropping a unit within such encoders, of encodings, and of what is fused.
    loss_weights : {"uncertainty", "sum"} or dict of str to float, default="uncertainty"
        How the losses of the heads, "joint" and each modality, add up: by learnt weights, see
        :class:`alkit.nets.multimodal.losses.UncertaintyWeightedLoss`, all equal, or by weights given.
    module : class, default=MultimodalNet
        The network.
    **kwargs : dict
        As for `NetClassifier`.

    Attributes
    ----------
    loss_weights_ : dict of str to float
        The weight of each head's loss, 1 / s^2 where learnt.
    classes_, module_, history_
        As for `NetClassifier`; ``train_loss`` is the weighted sum of losses, ``valid_loss`` the joint head's.

    Notes
    -----
    X is a dict of arrays (a ``SliceDict``), a DataFrame with a column for each modality (its cells arrays), a torch
    Dataset of dicts, or one matrix where `modalities` are slices, as behind a ``ColumnTransformer``. A modality is
    missing in a row where it is None or holds a NaN. Inputs are not scaled, see
    :class:`sklearn.preprocessing.StandardScaler`.

    There is no batch normalisation: it would be in the way of MC dropout, and of rows that lack a modality, which an
    encoder reads as zeros; one of your own that has it counts them in its statistics.

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

    @property
    def row_adapter(self) -> ModalityRows:
        """Rows by modality, of which the head that is asked must find something to read."""
        return ModalityRows(self.modalities, self.network.asked[0] if self.initialized_ else JOINT)

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
        return dict(zip((JOINT, *self.modalities), self.multitask_loss_.weights.tolist(), strict=True))

    def get_params_for(self, prefix: str) -> dict[str, Any]:
        """Collect the parameters of a part; those of the network are this classifier's own."""
        params = super().get_params_for(prefix)
        if prefix != "module":
            return params
        own = {name: getattr(self, name) for name in ("encoder", "fusion", "width", "depth", "dropout")}
        return {"modalities": getattr(self, "input_shape_", self.modalities), **own, **params}

    def initialize_criterion(self) -> MultimodalClassifier:
        """Build the loss of a head and what weighs the heads."""
        super().initialize_criterion()
        heads = JOINT, *self.modalities
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
        with self._asking(JOINT, *self.modalities):
            return super().infer(x, **fit_params)

    def get_loss(
        self, y_pred: Any, y_true: torch.Tensor, X: Any = None, *args: Any, training: bool = False, **kwargs: Any
    ) -> torch.Tensor:
        """Return the loss of a batch: in training the weighted sum over heads, each over the rows it can read."""
        if not training:
            return super().get_loss(y_pred, y_true, X, *args, training=training, **kwargs)
        y_true = y_true.to(self.device)
        present = [present_rows(X[name]).to(self.device) for name in self.modalities]
        present_T_B = torch.stack([torch.stack(present).any(0), *present])
        counted_T = present_T_B.any(1)
        losses = []
        for logits, rows, counted in zip(y_pred, present_T_B, counted_T, strict=True):
            loss = super().get_loss(logits[rows], y_true[rows]) if counted else logits.new_zeros(())
            losses.append(loss)
        return self.multitask_loss_(torch.stack(losses), counted_T)

    def predict_proba(self, X: Rows, head: str = JOINT) -> np.ndarray:
        """Return class probabilities.

        Parameters
        ----------
        X : dict, DataFrame, matrix or Dataset of n rows
            The rows.
        head : str, default="joint"
            Whose answer: the joint one, or that of a modality alone, which all rows must have.

        Returns
        -------
        ndarray of shape (n, n_classes), float32
        """
        with self._asking(head):
            return super().predict_proba(X)

    def predict(self, X: Rows, head: str = JOINT) -> np.ndarray:
        """Return the most probable label of each row.

        Parameters
        ----------
        X, head
            See `predict_proba`.

        Returns
        -------
        ndarray of shape (n,)
        """
        return self.classes_[self.predict_proba(X, head).argmax(axis=1)]

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
        """Return an embedding of each row: what is fused, or the encoding of a modality.

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
        """Have the network answer by some of its heads for a while."""
        self.check_is_fitted()
        net, known = self.network, (JOINT, *self.modalities)
        unknown = [head for head in heads if head not in known]
        if unknown:
            raise ValueError(f"head={unknown[0]!r} is unknown; choose one of {', '.join(map(repr, known))}")
        before, net.asked = net.asked, heads
        try:
            yield
        finally:
            net.asked = before
