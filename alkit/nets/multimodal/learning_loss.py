"""Learning loss for networks that read several modalities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from alkit.nets.learning_loss import LearningLossClassifier
from alkit.nets.multimodal.classifier import MultimodalClassifier, MultimodalNet
from alkit.nets.multimodal.rows import Modalities


class MultimodalLearningLossClassifier(LearningLossClassifier, MultimodalClassifier):
    """A `MultimodalClassifier` that learns its task and the joint head's loss of each row.

    Parameters
    ----------
    modalities : dict of str to int, tuple of int or slice
        See `MultimodalClassifier`.
    loss_layers : list of str, optional
        See `LearningLossClassifier`. By default the fusion and the encoding of each modality (zeros where it is
        missing): "fusion", "encoders.text" ...
    **kwargs : dict
        As for `MultimodalClassifier` and `LearningLossClassifier`.

    Examples
    --------
    >>> import numpy as np
    >>> from alkit.nets import MultimodalLearningLossClassifier
    >>> rng = np.random.default_rng(0)
    >>> X = {"text": rng.normal(size=(60, 4)), "image": rng.normal(size=(60, 6))}
    >>> y = X["text"][:, 0] + X["image"][:, 0] > 0
    >>> clf = MultimodalLearningLossClassifier({"text": 4, "image": 6}, width=16, max_epochs=20)
    >>> clf = clf.fit(X, y)
    >>> clf.predict_loss(X).shape, clf.loss_head_.layers
    ((60,), ['fusion', 'encoders.text', 'encoders.image'])
    """

    def __init__(
        self,
        modalities: Modalities,
        loss_layers: Sequence[str] | None = None,
        *,
        module: Any = MultimodalNet,
        **kwargs: Any,
    ):
        super().__init__(module, loss_layers, modalities=modalities, **kwargs)

    def _loss_layers(self) -> Sequence[str] | None:
        if self.loss_layers is not None:
            return self.loss_layers
        return ["fusion", *(f"encoders.{name}" for name in self.modalities)]
