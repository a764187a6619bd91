"""Simulated loops: play them, search over them, compare strategies, and draw what labels gave.

What is not in ``__all__`` is private, except the statistics of `alkit.experiment.curves`.
"""

from alkit.experiment.compare import compare_strategies
from alkit.experiment.comparison import Comparison
from alkit.experiment.correlation import ScoreGainCorrelation, score_gain_correlation
from alkit.experiment.curves import area_under_learning_curve
from alkit.experiment.loop import ActiveLearningClassifier, ActiveLearningRegressor
from alkit.experiment.plots import LearningCurveDisplay, PenaltyMatrixDisplay, ScoreGainDisplay
from alkit.experiment.runs import Round
from alkit.experiment.transfer import evaluate_transfer

__all__ = [
    "ActiveLearningClassifier",
    "ActiveLearningRegressor",
    "Comparison",
    "LearningCurveDisplay",
    "PenaltyMatrixDisplay",
    "Round",
    "ScoreGainCorrelation",
    "ScoreGainDisplay",
    "area_under_learning_curve",
    "compare_strategies",
    "evaluate_transfer",
    "score_gain_correlation",
]
