"""Networks as scikit-learn classifiers."""

from alkit.nets.classifier import NetClassifier
from alkit.nets.ensemble import EnsembleClassifier
from alkit.nets.laplace import LaplaceClassifier
from alkit.nets.learning_loss import LearningLossClassifier
from alkit.nets.mlp import DropoutMLPClassifier
from alkit.nets.multimodal import MultimodalClassifier
from alkit.nets.multimodal_learning_loss import MultimodalLearningLossClassifier

__all__ = [
    "DropoutMLPClassifier",
    "EnsembleClassifier",
    "LaplaceClassifier",
    "LearningLossClassifier",
    "MultimodalClassifier",
    "MultimodalLearningLossClassifier",
    "NetClassifier",
]
