"""Networks as scikit-learn classifiers. What is not in ``__all__`` is private, whole folders among it."""

from alkit.nets.classifier import NetClassifier
from alkit.nets.ensemble import EnsembleClassifier
from alkit.nets.laplace import LaplaceClassifier
from alkit.nets.learning_loss import LearningLossClassifier
from alkit.nets.mlp import DropoutMLPClassifier
from alkit.nets.multimodal import MultimodalClassifier, MultimodalLearningLossClassifier

__all__ = [
    "DropoutMLPClassifier",
    "EnsembleClassifier",
    "LaplaceClassifier",
    "LearningLossClassifier",
    "MultimodalClassifier",
    "MultimodalLearningLossClassifier",
    "NetClassifier",
]
