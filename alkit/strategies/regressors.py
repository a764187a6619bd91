"""How regressors answer: what they predict, how far that spreads, and what the members of an ensemble predict.

Members of forests, bagging, voting and AdaBoost are samples with the same weight. Boosting by gradients adds up what
its members predict, and a regressor per output has one for each: these are not counted.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.multioutput import MultiOutputRegressor, RegressorChain
from sklearn.utils import get_tags
from torch import Tensor

from alkit.rows import Rows
from alkit.strategies.ensembles import fitted_inside, rows_for_member
from alkit.strategies.signatures import takes

_OF_PARTS = (GradientBoostingRegressor, MultiOutputRegressor, RegressorChain)


def predicts_numbers(model: Any) -> bool:
    """Tell whether a model is a regressor: it says so, or it predicts and knows of no classes.

    Examples
    --------
    >>> from sklearn.linear_model import LinearRegression, LogisticRegression
    >>> from alkit.strategies.regressors import predicts_numbers
    >>> predicts_numbers(LinearRegression()), predicts_numbers(LogisticRegression())
    (True, False)
    """
    try:
        kind = get_tags(model).estimator_type
    except (AttributeError, TypeError):  # not an estimator of scikit-learn
        kind = None
    if kind is not None:
        return kind == "regressor"
    return hasattr(model, "predict") and not (hasattr(model, "predict_proba") or hasattr(model, "classes_"))


def tells_std(model: Any) -> bool:
    """Tell whether a regressor predicts with a standard deviation, as scikit-learn's Gaussian processes do."""
    return hasattr(model, "predict") and takes(model.predict, "return_std")


def samples_values(model: Any) -> bool:
    """Tell whether a regressor draws predictions row by row.

    Gaussian processes draw all rows jointly, which takes the memory of their square: their mean and standard deviation
    tell as much of single rows.
    """
    return hasattr(model, "sample_y") and not isinstance(model, GaussianProcessRegressor)


def regressors_of(model: Any) -> list[Any]:
    """Return the fitted members of an ensemble of regressors, and none of any other model.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.ensemble import GradientBoostingRegressor, RandomForestRegressor
    >>> from alkit.strategies.regressors import regressors_of
    >>> X, y = load_diabetes(return_X_y=True)
    >>> models = RandomForestRegressor(7), GradientBoostingRegressor(n_estimators=2)
    >>> [len(regressors_of(model.fit(X, y))) for model in models]
    [7, 0]
    """
    if isinstance(model, _OF_PARTS) or not predicts_numbers(model):
        return []
    members = fitted_inside(model)
    return members if all(hasattr(member, "predict") for member in members) else []


def member_values(model: Any, X: Rows) -> np.ndarray:
    """Return what each member of an ensemble predicts, (n, K) or (n, K, T)."""
    members = regressors_of(model)
    predicted = [one_output_flat(member.predict(rows_for_member(model, k, X)), 1) for k, member in enumerate(members)]
    return np.stack(predicted, axis=1)


def normal_values(model: Any, X: Rows, n_samples: int, seed: int) -> np.ndarray:
    """Return values at quantiles of each row's normal distribution that are the same for all rows, (n, K[, T])."""
    mean, std = (one_output_flat(part, 1) for part in model.predict(X, return_std=True))
    quantiles = np.random.default_rng(seed).standard_normal((n_samples, *mean.shape[1:]))
    return mean[:, None] + std[:, None] * quantiles


def one_output_flat(answer: Any, axes: int) -> Any:
    """Return an answer without the last axis where that is of one output, as of models that were taught a column."""
    answer = answer if isinstance(answer, Tensor) else np.asarray(answer)
    return answer[..., 0] if answer.ndim == axes + 1 and answer.shape[-1] == 1 else answer
