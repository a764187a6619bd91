"""Networks that read several modalities of each row, such as a text and a picture."""

from alkit.nets.multimodal.classifier import MultimodalClassifier, MultimodalNet
from alkit.nets.multimodal.learning_loss import MultimodalLearningLossClassifier

__all__ = ["MultimodalClassifier", "MultimodalLearningLossClassifier", "MultimodalNet"]
