"""Levels of a model, from outside in: a search around a Pipeline around a network, and what changes X on the way.

What a model predicts is asked of it as it is given. It is taken apart only for what the outer levels do not offer, such
as the embedding that the last step of a Pipeline has.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import skorch
from modAL.models.base import BaseLearner
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

from alkit.rows import Rows


class Level(NamedTuple):
    """One of the estimators a model consists of."""

    steps: tuple[Any, ...]
    """What transforms X before it, in order."""
    estimator: Any


def levels(model: Any) -> list[Level]:
    """Return the levels of a model, the outermost first; there is at least one.

    Parameters
    ----------
    model : estimator, modAL learner or Committee
        Seen through are learners, Pipelines, `FrozenEstimator`, and searches and `CrowdClassifier` that were fitted;
        nothing else, because what other estimators predict is not what those inside them do.

    Returns
    -------
    list of Level

    Examples
    --------
    >>> from sklearn.frozen import FrozenEstimator
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from alkit.strategies.levels import levels
    >>> model = make_pipeline(StandardScaler(), FrozenEstimator(LogisticRegression()))
    >>> [(len(level.steps), type(level.estimator).__name__) for level in levels(model)]
    [(0, 'Pipeline'), (1, 'FrozenEstimator'), (1, 'LogisticRegression')]
    """
    if isinstance(model, BaseLearner):
        return levels(model.estimator)
    found = [Level((), model)]
    while (inner := _inner(found[-1])) is not None:
        found.append(inner)
    return found


def _inner(outer: Level) -> Level | None:
    """Return the next level, or None if this is the innermost."""
    steps, estimator = outer
    if isinstance(estimator, Pipeline):
        *before, last = (step for _, step in estimator.steps)
        steps, inner = (*steps, *before), last
    elif isinstance(estimator, FrozenEstimator):
        inner = estimator.estimator
    else:
        inner = _that_predicts(estimator)
    return None if inner is None or isinstance(inner, str) else Level(steps, inner)


def _that_predicts(estimator: Any) -> Any:
    """Return the fitted estimator by which a search predicts, or an estimator of alkit that says so; else None."""
    chosen = getattr(estimator, "best_estimator_", None)
    return getattr(estimator, "_predicts_by", None) if chosen is None else chosen


def transformed(steps: tuple[Any, ...], X: Rows) -> Rows:
    """Return rows after one step after the other.

    Steps are run one by one, because a Pipeline of them asks whether its last one is fitted, which an encoder that
    learns nothing is not. A step that transforms nothing ("passthrough", or a sampler of imbalanced-learn, which acts
    at fit only) is passed over.

    Parameters
    ----------
    steps : tuple of estimators
    X : rows of any kind

    Returns
    -------
    rows
    """
    for step in steps:
        if isinstance(step, Pipeline):
            X = transformed(tuple(inner for _, inner in step.steps), X)
        elif hasattr(step, "transform"):
            X = step.transform(X)
    return X


def has_steps(model: Any) -> bool:
    """Tell whether rows pass through a Pipeline anywhere inside a model, whose steps may write to them."""
    steps, innermost = levels(model)[-1]
    if steps:
        return True
    # a network has no estimators inside, but so many parameters that it takes a while to list them
    if isinstance(innermost, skorch.NeuralNet):
        return False
    parts = [part for outer in (model, *iter_members(model)) for part in (outer, *_parameters(outer))]
    return any(isinstance(part, Pipeline) for part in parts)


def _parameters(model: Any) -> list[Any]:
    """Return all that a constructor was given, of the estimators inside as well."""
    return list(model.get_params().values()) if hasattr(model, "get_params") else []


def predicts_by_last_step(estimator: Any) -> bool:
    """Tell whether an estimator is known to predict what the level inside it predicts of the transformed rows."""
    known = (Pipeline, FrozenEstimator)
    return type(estimator) in known or _that_predicts(estimator) is not None


def iter_members(committee: Any) -> Iterator[Any]:
    """Yield the estimators of a Committee's members; none of any other model."""
    for learner in getattr(committee, "learner_list", ()):
        yield learner.estimator
