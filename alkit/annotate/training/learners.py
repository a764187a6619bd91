"""What the trainer asks of any learner: the estimators inside it, and probabilities that are finite."""

from __future__ import annotations

from typing import Any

import numpy as np


def check_finite(proba: np.ndarray) -> None:
    """Refuse probabilities that are none.

    Parameters
    ----------
    proba : array (n, C)

    Raises
    ------
    ValueError
    """
    if not np.isfinite(proba).all():
        n_broken = (~np.isfinite(proba)).any(1).sum()
        raise ValueError(f"predict_proba returned NaN or infinity for {n_broken} rows")


def estimators_of(learner: Any) -> list[Any]:
    """Return the estimator of a learner, or those of a committee.

    Parameters
    ----------
    learner : ActiveLearner or Committee

    Returns
    -------
    list of estimators
    """
    return [getattr(member, "estimator", member) for member in getattr(learner, "learner_list", [learner])]
