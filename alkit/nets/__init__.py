"""Networks as scikit-learn classifiers and regressors. What is not in ``__all__`` is private, whole folders too."""

from alkit.nets.classifier import NetClassifier
from alkit.nets.ensemble import EnsembleClassifier, EnsembleRegressor
from alkit.nets.laplace import LaplaceClassifier
from alkit.nets.laplace_regressor import LaplaceRegressor
from alkit.nets.learning_loss import LearningLossClassifier
from alkit.nets.mlp import DropoutMLPClassifier, DropoutMLPRegressor
from alkit.nets.multimodal import MultimodalClassifier, MultimodalLearningLossClassifier
from alkit.nets.regressor import NetRegressor

__all__ = [
    "DropoutMLPClassifier",
    "DropoutMLPRegressor",
    "EnsembleClassifier",
    "EnsembleRegressor",
    "LaplaceClassifier",
    "LaplaceRegressor",
    "LearningLossClassifier",
    "MultimodalClassifier",
    "MultimodalLearningLossClassifier",
    "NetClassifier",
    "NetRegressor",
]
