"""Quantities: what a model says about some rows, by the names strategies ask for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
from modAL.models.base import BaseLearner
from sklearn.pipeline import Pipeline
from torch import Tensor

from alkit._finite import sums_to_finite
from alkit._turns import estimator_lock
from alkit.rows import Rows, dense, n_rows
from alkit.strategies.signatures import takes
from alkit.validation import check_same_labels, checked

# what each quantity is asked of: the first of these methods that the model has
_METHODS = {
    "proba": ("predict_proba",),
    "samples": ("sample_proba", "vote_proba"),
    "embedding": ("embed",),
    "loss": ("predict_loss",),
    "true_loss": ("predict_proba",),
}
OF_ROWS = (*_METHODS, "features", "cost")
"""Quantities of the rows that are scored."""
# named in the error where a model has no such method
_CLASSES_WITH = {
    "proba": "any classifier with probabilities, such as alkit.NetClassifier",
    "samples": "alkit.NetClassifier around a network with dropout, alkit.DropoutMLPClassifier, "
    "alkit.EnsembleClassifier, alkit.LaplaceClassifier or a Committee",
    "embedding": "alkit.NetClassifier or alkit.DropoutMLPClassifier",
    "loss": "alkit.LearningLossClassifier",
    "true_loss": "any classifier with probabilities, such as alkit.NetClassifier",
}


@dataclass
class Quantities:
    """What a model says about rows; holds no rows itself, so that it can be sent to where they are.

    Parameters
    ----------
    model : estimator, Pipeline, modAL learner or Committee
        The earlier steps of a Pipeline transform X first.
    asked_by : str
        The strategy, for error messages.
    seed : int
        Seeds the posterior samples: the same in every chunk, so that all rows see the same K models.
    n_samples : int
        Number of posterior samples K, where the model draws them (a committee has its members).
    embed : fitted transformer, optional
        Turns X into ``features``; without one they are X itself.
    cost : callable or str, optional
        ``cost(X) -> (n,)``, or the name of the column of X that holds it.
    joint : bool
        Whether sample k must be the same model for every row, as scores of sets of rows need.
    """

    model: Any
    asked_by: str
    seed: int = 0
    n_samples: int = 20
    embed: Any = None
    cost: Callable[[Rows], Any] | str | None = None
    joint: bool = False
    _prepare: Callable[[Rows], Rows] | None = field(init=False)
    _predictor: Any = field(init=False)

    def __post_init__(self) -> None:
        self._prepare, self._predictor = _steps_and_predictor(self.model)

    def check(self, names: Iterable[str]) -> None:
        """Refuse what the model has no method for, before any row is read."""
        for name in names:
            if name in _METHODS:
                self._method(name)

    def n_classes(self) -> int:
        """Return how many classes the model knows, 0 where it does not say."""
        return int(np.size(getattr(self._predictor, "classes_", ())))

    def class_positions(self, y: Any) -> np.ndarray:
        """Return the columns of labels in what the model predicts."""
        classes, y = np.asarray(self._predictor.classes_), np.asarray(y)
        # classes need not be sorted
        order = np.argsort(classes)
        places = np.searchsorted(classes, y, sorter=order)
        columns = order[places.clip(max=len(classes) - 1)]
        unknown = classes[columns] != y
        if unknown.any():
            raise ValueError(
                f"strategy {self.asked_by} met label {y[unknown].tolist()[0]!r}, but the model knows "
                f"{classes.tolist()}; declare every label there may be with classes="
            )
        return columns

    def read(
        self, names: Iterable[str], X: Rows, start: int = 0, y: Any = None, costs: Any = None
    ) -> dict[str, Tensor]:
        """Return quantities of rows.

        Parameters
        ----------
        names : iterable of str
        X : rows of any kind
        start : int
            Position of the first row, for error messages.
        y, costs : array (n,), optional
            Labels, for ``true_loss``, and costs, for ``cost``.

        Returns
        -------
        dict of Tensor (n, ...)
        """
        tensors = {}
        prepared = None
        for name in dict.fromkeys(names):
            if name == "features":
                values = dense_features(X, self.embed, self.asked_by)
            elif name == "cost":
                values = self._costs(X) if costs is None else np.asarray(costs, dtype=float)
            else:
                # a Pipeline's transformers run once, however many quantities are asked for
                if prepared is None:
                    prepared = X if self._prepare is None else self._prepare(X)
                with nullcontext() if self._prepare is None else checked(None):
                    values = self._true_loss(prepared, y) if name == "true_loss" else self._ask(name, prepared)
            tensors[name] = self._checked(values, name, n_rows(X), start)
        return tensors

    def _checked(self, values: Any, name: str, n: int, start: int) -> Tensor:
        """Return an answer as a tensor, refusing one of another shape or range: its scores would mean nothing."""
        source = _METHODS.get(name, (name,))[0]
        values = np.asarray(values)
        n_dimensions = {"proba": 2, "samples": 3, "embedding": 2, "features": 2}.get(name, 1)
        if values.ndim != n_dimensions or len(values) != n:
            raise ValueError(
                f"strategy {self.asked_by} got an answer of shape {values.shape} from {source} for {n} rows; "
                f"{n_dimensions} dimensions, the first of length {n}, are needed"
            )
        # as torch takes arrays without a copy; integers and half precision become float
        values = np.require(values, np.result_type(values, np.float32), ["C", "W"])
        # a cost is checked by the pick that divides by it: the message here is about models
        if name != "cost":
            refuse_non_finite(values, source, start, allow_inf=name not in ("embedding", "features"))
        if name in ("proba", "samples") and values.size:
            self._check_probabilities(values, source)
        return torch.from_numpy(values)

    def _check_probabilities(self, values: np.ndarray, source: str) -> None:
        """Refuse what lies outside [0, 1] by more than rounding."""
        low, high = values.min(), values.max()
        if low < -1e-4 or high > 1 + 1e-4:
            raise ValueError(
                f"{source} of {type(self._predictor).__name__} returned values from {low:.3g} to {high:.3g}, which are "
                "not probabilities; has it a softmax?"
            )

    def _method(self, name: str) -> Callable[..., np.ndarray]:
        """Return the model's method for a quantity."""
        members = [learner.estimator for learner in getattr(self._predictor, "learner_list", ())]
        # a committee has its method, but can only answer if its members have theirs
        members_answer = all(hasattr(member, "predict_proba") for member in members)
        for method in _METHODS[name]:
            if members_answer and hasattr(self._predictor, method):
                return getattr(self._predictor, method)
        raise TypeError(
            f"strategy {self.asked_by} needs {_METHODS[name][0]}, which {type(self._predictor).__name__} does not "
            f"have; use {_CLASSES_WITH[name]}, or another strategy"
        )

    def _ask(self, name: str, X: Rows) -> np.ndarray:
        """Return what the model's method for a quantity answers for prepared rows."""
        # an estimator of one's own may set modes of its network, and have no lock itself
        with estimator_lock(self._predictor):
            return self._answer(self._method(name), X)

    def _answer(self, method: Callable[..., np.ndarray], X: Rows) -> np.ndarray:
        if method.__name__ == "sample_proba":
            shared = {"consistent": True} if self.joint and takes(method, "consistent") else {}
            return np.asarray(method(X, n_samples=self.n_samples, random_state=self.seed, **shared))
        return np.asarray(method(X))

    def _true_loss(self, X: Rows, y: Any) -> np.ndarray:
        """Return -log of the probability of each row's hidden label, (n,)."""
        if y is None:
            raise ValueError(
                f"strategy {self.asked_by} needs the labels of the pool, which only a simulation has; pass y_pool="
            )
        proba, y = self._ask("true_loss", X), np.asarray(y)
        check_same_labels(y, self._predictor.classes_)
        seen = np.isin(y, self._predictor.classes_)
        # a class that the model has not met has probability 0
        right = np.zeros(len(y), proba.dtype)
        right[seen] = proba[seen, self.class_positions(y[seen])]
        return -np.log(np.maximum(right, np.finfo(proba.dtype).tiny))

    def _costs(self, X: Rows) -> np.ndarray:
        """Return what each label costs, (n,), by `cost`."""
        if self.cost is None:
            raise ValueError(f"strategy {self.asked_by} needs costs; pass cost= to it or costs= to the query")
        costs = X[self.cost] if isinstance(self.cost, str) else self.cost(X)
        return np.asarray(costs, dtype=float)


def _steps_and_predictor(model: Any) -> tuple[Callable[[Rows], Rows] | None, Any]:
    """Return what transforms X (or None) and what makes predictions from the result."""
    if isinstance(model, BaseLearner):
        return _steps_and_predictor(model.estimator)
    if hasattr(model, "best_estimator_"):
        return _steps_and_predictor(model.best_estimator_)
    if isinstance(model, Pipeline):
        inner, predictor = _steps_and_predictor(model[-1])
        outer = model[:-1].transform if len(model) > 1 else None
        steps = [step for step in (outer, inner) if step is not None]
        return (partial(_transform, steps) if steps else None), predictor
    return None, model


def _transform(steps: list[Callable[[Rows], Rows]], X: Rows) -> Rows:
    """Return rows after one step after the other."""
    for step in steps:
        X = step(X)
    return X


def dense_features(X: Rows, embed: Any, asked_by: str) -> np.ndarray:
    """Return rows as one float matrix, (n, D), after a transformer where there is one."""
    if embed is not None:
        X = embed.transform(X)
    X = dense(X)
    if isinstance(X, dict):
        entries = [dense_features(value, None, asked_by) for value in X.values()]
        return np.concatenate(entries, axis=1)
    values = np.asarray(X)
    if values.dtype.kind not in "biuf":
        raise TypeError(
            f"strategy {asked_by} measures distances between rows, but X holds {values.dtype}; pass "
            "embed=a transformer that makes numbers of them, such as make_pipeline(TfidfVectorizer(), TruncatedSVD())"
        )
    # what float32 cannot hold becomes infinity, which is refused later
    with np.errstate(over="ignore"):
        matrix = values.reshape(len(values), -1)
        return np.ascontiguousarray(matrix, dtype=np.float32)


def refuse_non_finite(values: np.ndarray, source: str, start: int, *, allow_inf: bool = True) -> None:
    """Refuse NaN and, unless allowed, infinity in an answer or score; `start` is the position of the first row."""
    if sums_to_finite(values):
        return
    refused = np.isnan(values) if allow_inf else ~np.isfinite(values)
    bad = refused.reshape(len(values), -1).any(1)
    if bad.any():
        what = "NaN" if np.isnan(values).any() else "infinite"
        raise ValueError(
            f"{source} is {what} for {bad.sum()} of {len(values)} rows, the first is row {start + bad.argmax()} of "
            "those asked for; has the fit diverged (lower lr, scale X), or does X hold values the model cannot take?"
        )
