"""The simulated loop, for comparing and searching strategies."""

from alkit.experiment.loop import ActiveLearningClassifier

__all__ = ["ActiveLearningClassifier"]
