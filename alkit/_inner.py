"""What a meta-estimator takes over from the estimator inside, and tells it."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from sklearn.utils import get_tags


def take_over_tags(tags: Any, inner: Any) -> Any:
    """Return tags of a meta-estimator that takes the rows, and makes the predictions, of the estimator inside."""
    of_inner = get_tags(inner)
    tags.input_tags = copy.deepcopy(of_inner.input_tags)
    tags.classifier_tags = copy.deepcopy(of_inner.classifier_tags)
    tags.regressor_tags = copy.deepcopy(of_inner.regressor_tags)
    if tags.regressor_tags is not None:
        tags.target_tags = copy.deepcopy(of_inner.target_tags)
    return tags


def tell_classes(estimator: Any, classes: np.ndarray) -> Any:
    """Declare every label there may be, where an estimator has the parameter ``classes`` and it is None; return it."""
    params = estimator.get_params().items()
    # of a step of a Pipeline, too: "classifier__classes"
    names = [key for key, value in params if value is None and key.split("__")[-1] == "classes"]
    # scikit-learn's FrozenEstimator returns nothing
    estimator.set_params(**dict.fromkeys(names, classes))
    return estimator


def take_over_features(outer: Any, inner: Any) -> None:
    """Give a fitted meta-estimator the names and number of features that the estimator inside has, if it has them."""
    for name in ("n_features_in_", "feature_names_in_"):
        if hasattr(inner, name):
            setattr(outer, name, getattr(inner, name))
        elif name in vars(outer):
            # from an earlier fit on other rows
            delattr(outer, name)
