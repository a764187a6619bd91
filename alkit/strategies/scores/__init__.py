"""Scores of single rows: pure functions of what a model says of them, higher is more useful. (n, ...) -> (n,).

Public is what a file names in its ``__all__``.
"""

from alkit.strategies.scores import by_row, multi_label, regression
from alkit.strategies.scores.by_row import *  # noqa: F403
from alkit.strategies.scores.contrastive import cal
from alkit.strategies.scores.disagreement import disagreement
from alkit.strategies.scores.epig import epig
from alkit.strategies.scores.expected_error import eer
from alkit.strategies.scores.last_layer import egl
from alkit.strategies.scores.multi_label import *  # noqa: F403
from alkit.strategies.scores.regression import *  # noqa: F403

__all__ = [
    *by_row.__all__,
    "cal",
    "disagreement",
    "eer",
    "egl",
    "epig",
    *multi_label.__all__,
    *regression.__all__,
]
