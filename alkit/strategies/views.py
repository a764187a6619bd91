"""Views: how a model answers for a quantity, found by what it has, and which error says what it lacks.

Each quantity has ways to be answered, and the first that a level of the model offers is taken, from outside in.
`alkit.protocols` says which methods those are; `ensembles` and `skorch_networks` serve models without them.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from sklearn.ensemble import BaseEnsemble, StackingClassifier, VotingClassifier
from sklearn.utils.validation import check_is_fitted

from alkit._tensors import as_array, tensor_method
from alkit.rows import Rows
from alkit.strategies import skorch_networks
from alkit.strategies.ensembles import (
    committee_votes,
    member_proba,
    member_votes,
    members_have_proba,
    members_of,
)
from alkit.strategies.features import dense_features
from alkit.strategies.levels import Level, iter_members, levels, predicts_by_last_step
from alkit.strategies.regressors import (
    member_values,
    normal_values,
    one_output_flat,
    predicts_numbers,
    regressors_of,
    samples_values,
    tells_std,
)
from alkit.strategies.signatures import takes


class Draws(NamedTuple):
    """How posterior samples are drawn."""

    n_samples: int
    """Number of samples K, where a model draws them (an ensemble has its members)."""
    seed: int
    joint: bool
    """Whether sample k must be the same model for every row."""


class View(NamedTuple):
    """How a model answers for a quantity."""

    depth: int
    """Number of its level, 0 for the outermost."""
    steps: tuple[Any, ...]
    """What transforms X before it is asked."""
    estimator: Any
    """What is asked."""
    source: str
    """Name of the method, for error messages."""
    ask: Callable[[Rows], Any]
    """Takes transformed rows."""


Way = Callable[[Any, Draws], tuple[str, Callable[[Rows], Any]] | None]
"""``way(estimator, draws) -> (source, ask)``, or None where the estimator does not offer it."""


def _method(name: str) -> Way:
    """Return the way to ask a method."""

    def way(estimator: Any, draws: Draws) -> tuple[str, Callable[[Rows], Any]] | None:
        members = list(iter_members(estimator))
        # skorch's regressors have the method too, under which they give what they predict
        if name == "predict_proba" and predicts_numbers(estimator):
            return None
        # a committee has its methods, but can only answer if its members have theirs
        if not hasattr(estimator, name) or not all(hasattr(member, "predict_proba") for member in members):
            return None
        return name, tensor_method(estimator, name)

    return way


def _sample_proba(estimator: Any, draws: Draws) -> tuple[str, Callable[[Rows], Any]] | None:
    if not hasattr(estimator, "sample_proba"):
        return None
    method = tensor_method(estimator, "sample_proba")
    shared = {"consistent": True} if draws.joint and takes(estimator.sample_proba, "consistent") else {}
    return "sample_proba", partial(method, n_samples=draws.n_samples, random_state=draws.seed, **shared)


def _of_ensemble(estimator: Any, draws: Draws) -> tuple[str, Callable[[Rows], Any]] | None:
    if not members_have_proba(members_of(estimator)):
        return None
    return "predict_proba of the members", partial(member_proba, estimator)


def _of_plain_network(estimator: Any, draws: Draws) -> tuple[str, Callable[[Rows], Any]] | None:
    if not skorch_networks.is_plain_network(estimator):
        return None
    consistent = True if draws.joint else None
    draw = partial(skorch_networks.sample_proba, estimator, n_samples=draws.n_samples, seed=draws.seed)
    return "dropout", partial(draw, consistent=consistent)


def _hard_votes(estimator: Any, draws: Draws) -> tuple[str, Callable[[Rows], Any]] | None:
    if any(True for _ in iter_members(estimator)) and not predicts_numbers(estimator):
        return "predict of the members", partial(committee_votes, estimator)
    return ("predict of the members", partial(member_votes, estimator)) if members_of(estimator) else None


def _decision_function(estimator: Any, draws: Draws) -> tuple[str, Callable[[Rows], Any]] | None:
    if not hasattr(estimator, "decision_function"):
        return None
    # one column for each pair of classes tells nothing of a class; the last level can be asked otherwise
    if getattr(levels(estimator)[-1].estimator, "decision_function_shape", None) == "ovo":
        if len(levels(estimator)) > 1:
            return None
        estimator = copy.copy(estimator)
        estimator.decision_function_shape = "ovr"
    return "decision_function", estimator.decision_function


def _proba_of_plain_network(estimator: Any, draws: Draws) -> tuple[str, Callable[[Rows], Any]] | None:
    if not skorch_networks.has_softmax_of_skorch(estimator):
        return None
    return "predict_proba", partial(skorch_networks.predict_proba, estimator)


def _embed_plain_network(estimator: Any, draws: Draws) -> tuple[str, Callable[[Rows], Any]] | None:
    if not skorch_networks.is_plain_network(estimator):
        return None
    return "the input of the last linear layer", partial(skorch_networks.embed, estimator)


def _prediction(estimator: Any, draws: Draws) -> tuple[str, Callable[[Rows], Any]] | None:
    if not (hasattr(estimator, "predict") and predicts_numbers(estimator)):
        return None
    predict = tensor_method(estimator, "predict")
    return "predict", lambda X: one_output_flat(predict(X), 1)


def _sample_y(estimator: Any, draws: Draws) -> tuple[str, Callable[[Rows], Any]] | None:
    if not samples_values(estimator):
        return None
    draw = partial(tensor_method(estimator, "sample_y"), n_samples=draws.n_samples, random_state=draws.seed)
    return "sample_y", lambda X: one_output_flat(draw(X), 2)


def _of_regressors(estimator: Any, draws: Draws) -> tuple[str, Callable[[Rows], Any]] | None:
    if any(True for _ in iter_members(estimator)) and predicts_numbers(estimator):
        return "predict of the members", estimator.vote
    return ("predict of the members", partial(member_values, estimator)) if regressors_of(estimator) else None


def _std(estimator: Any, draws: Draws) -> tuple[str, Callable[[Rows], Any]] | None:
    if tells_std(estimator):
        predict = tensor_method(estimator, "predict")
        return "predict", lambda X: one_output_flat(predict(X, return_std=True)[1], 1)
    values = _sample_y(estimator, draws) or _of_regressors(estimator, draws)
    if values is None:
        return None
    source, ask = values
    return source, lambda X: np.std(as_array(ask(X)), axis=1)


def _normal_values(estimator: Any, draws: Draws) -> tuple[str, Callable[[Rows], Any]] | None:
    if not tells_std(estimator):
        return None
    return "predict", partial(normal_values, estimator, n_samples=draws.n_samples, seed=draws.seed)


_PROBA = (_proba_of_plain_network, _method("predict_proba"))
_SAMPLES = (_sample_proba, _method("vote_proba"), _of_ensemble, _of_plain_network)
_EMBEDDING = (_method("embed"), _embed_plain_network)
WAYS: dict[str, tuple[Way, ...]] = {
    "proba": _PROBA,
    "label_proba": _PROBA,
    "samples": _SAMPLES,
    "embedding": _EMBEDDING,
    "loss": (_method("predict_loss"),),
    "true_loss": (*_PROBA, _prediction),
    "prediction": (_prediction,),
    "last_layer": _EMBEDDING,
    "std": (_std,),
    "values": (_sample_y, _of_regressors, _normal_values),
    "class_scores": (*_PROBA, _decision_function),
    "votes": (*_SAMPLES, _hard_votes),
}
"""Quantities that a model is asked for, and the ways in which it may answer."""
_PREDICTIONS = ("proba", "label_proba", "class_scores", "true_loss", "prediction")
_POSTERIORS = (
    "alkit.NetClassifier or skorch's NeuralNetClassifier around a network with dropout, alkit.DropoutMLPClassifier, "
    "alkit.EnsembleClassifier, alkit.LaplaceClassifier, a forest, a bagging or voting ensemble, or a Committee"
)
_UNSURE_REGRESSORS = (
    "alkit.NetRegressor around a network with dropout, alkit.DropoutMLPRegressor, alkit.EnsembleRegressor, a Gaussian "
    "process, BayesianRidge, a forest, a bagging or voting ensemble, or a CommitteeRegressor"
)
# the method named in the error where a model has none, and classes that have it
_LACKING = {
    "proba": ("predict_proba", "alkit.NetClassifier, or any classifier with probabilities"),
    "label_proba": ("predict_proba", "alkit.NetClassifier, or any classifier with probabilities of several labels"),
    "class_scores": (
        "predict_proba",
        "alkit.NetClassifier, any classifier with probabilities, or one with a decision_function",
    ),
    "samples": ("sample_proba", _POSTERIORS),
    "votes": ("sample_proba", _POSTERIORS + " (members that only predict will do)"),
    "embedding": (
        "embed",
        "alkit.NetClassifier, alkit.NetRegressor, alkit.DropoutMLPClassifier or skorch's NeuralNetClassifier",
    ),
    "loss": ("predict_loss", "alkit.LearningLossClassifier"),
    "true_loss": ("predict_proba", "alkit.NetClassifier, or any classifier with probabilities"),
    "prediction": ("predictions of numbers", "alkit.NetRegressor, or any regressor"),
    "std": ("predict(return_std=True)", _UNSURE_REGRESSORS),
    "values": ("sample_y", _UNSURE_REGRESSORS),
}
_FOR_REGRESSORS = ", such as std, qbc, emcm, gsx, gsy, igs or lcmd, which are for regressors"


def views_of(model: Any, names: Iterable[str], asked_by: str, draws: Draws) -> dict[str, View]:
    """Return how a model answers for some quantities.

    Parameters
    ----------
    model : estimator, modAL learner or Committee
    names : iterable of str
        Some of `WAYS`.
    asked_by : str
        The strategy, for error messages.
    draws : Draws

    Returns
    -------
    dict of str to View

    Raises
    ------
    TypeError
        If the model offers none of the ways for a quantity.
    NotFittedError
        If only a fit would tell.
    """
    of_model = levels(model)
    views = {name: _view(of_model, name, asked_by, draws) for name in names}
    deepest = max((view.depth for view in views.values()), default=0)
    # Where steps are run anyway, for an embedding, probabilities are asked of what comes after them, so that an encoder
    # runs once. A Pipeline of another class may predict in its own way, and is asked itself.
    if all(predicts_by_last_step(level.estimator) for level in of_model[:deepest]):
        for name in views.keys() & _PREDICTIONS:
            views[name] = _view(of_model, name, asked_by, draws, deepest)
    return views


def _view(of_model: list[Level], name: str, asked_by: str, draws: Draws, start: int = 0) -> View:
    """Return how the outermost level that can, from number `start` on, answers for a quantity."""
    for depth, (steps, estimator) in list(enumerate(of_model))[start:]:
        for way in WAYS[name]:
            answer = way(estimator, draws)
            if answer is not None:
                return View(depth, steps, estimator, *answer)
    if name == "last_layer":
        # a model without layers is taken for a linear one, which reads the features
        depth = len(of_model) - 1
        return View(depth, *of_model[depth], "features", partial(dense_features, embed=None, asked_by=asked_by))
    raise _lacks(of_model[-1].estimator, name, asked_by)


def _lacks(estimator: Any, name: str, asked_by: str) -> TypeError:
    """Return the error that says what a model lacks, unless it has not been fitted, which is raised."""
    method, classes = _LACKING[name]
    refit = ""
    if getattr(estimator, "refit", True) is False:
        refit = f" (a {type(estimator).__name__} with refit=False keeps no model: set refit=True)"
    elif hasattr(estimator, "refit") or isinstance(estimator, (BaseEnsemble, VotingClassifier, StackingClassifier)):
        # what a search or an ensemble has, it has once it is fitted
        check_is_fitted(estimator)
    return TypeError(
        f"strategy {asked_by} needs {method}, which {type(estimator).__name__} does not have{refit}; use {classes}, "
        f"or another strategy{_FOR_REGRESSORS if predicts_numbers(estimator) else ''}"
    )
