"""Active learning for PyTorch networks, in scikit-learn's habits."""

from alkit import _modal, _moved
from alkit._version import __version__

_modal.repair()  # before anything else imports modAL
_moved.keep_old_addresses()

from alkit.experiment import ActiveLearningClassifier, ActiveLearningRegressor, compare_strategies  # noqa: E402
from alkit.learners import ActiveLearner, BayesianOptimizer, Committee, CommitteeRegressor  # noqa: E402
from alkit.nets import (  # noqa: E402
    DropoutMLPClassifier,
    DropoutMLPRegressor,
    EnsembleClassifier,
    EnsembleRegressor,
    LaplaceClassifier,
    LaplaceRegressor,
    LearningLossClassifier,
    MultimodalClassifier,
    MultimodalLearningLossClassifier,
    NetClassifier,
    NetRegressor,
)
from alkit.strategies import get_strategy, get_strategy_names  # noqa: E402

__all__ = [
    "ActiveLearner",
    "ActiveLearningClassifier",
    "ActiveLearningRegressor",
    "BayesianOptimizer",
    "Committee",
    "CommitteeRegressor",
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
    "__version__",
    "compare_strategies",
    "get_strategy",
    "get_strategy_names",
]
