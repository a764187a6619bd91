"""Quantities: what a model says about some rows, by the names strategies ask for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from alkit._finite import sums_to_finite
from alkit._tensors import as_array, as_tensor
from alkit._turns import estimator_lock
from alkit.labels import check_same_labels
from alkit.rows import Rows, dense, n_rows, readable
from alkit.strategies.ensembles import members_of
from alkit.strategies.levels import has_steps, iter_members, levels, transformed
from alkit.strategies.skorch_networks import unchanged
from alkit.strategies.views import WAYS, Draws, View, views_of
from alkit.validation import checked, is_known_finite, let_through, naming_rows, position_of

OF_ROWS = (*WAYS, "features", "cost")
"""Quantities of the rows that are scored."""
_DIMENSIONS = {"proba": 2, "class_scores": 2, "samples": 3, "votes": 3, "embedding": 2, "true_loss": 2}

Positions = slice | np.ndarray | None
"""Where rows are in the pool; None for others, which are numbered from 0."""


@dataclass
class Quantities:
    """What a model says about rows; holds no rows itself, so that it can be sent to where they are.

    Parameters
    ----------
    model : estimator, Pipeline, modAL learner or Committee
        Asked as it is given, and taken apart only for what it does not offer itself, see `alkit.strategies.views`.
    asked_by : str
        The strategy, for error messages.
    seed : int
        Seeds the posterior samples: the same in every chunk, so that all rows see the same K models.
    n_samples : int
        Number of posterior samples K, where the model draws them (an ensemble or a committee has its members).
    embed : fitted transformer, optional
        Turns X into ``features``; without one they are X itself.
    cost : callable or str, optional
        ``cost(X) -> (n,)``, or the name of the column of X that holds it.
    joint : bool
        Whether sample k must be the same model for every row, as scores of sets of rows need.
    on_transformed : bool
        Whether ``features`` are what the steps of a Pipeline make of X, where there is no `embed`.
    any_values : bool
        Whether networks are told to let NaN and infinity through.
    """

    model: Any
    asked_by: str
    seed: int = 0
    n_samples: int = 20
    embed: Any = None
    cost: Callable[[Rows], Any] | str | None = None
    joint: bool = False
    on_transformed: bool = False
    any_values: bool = False

    def check(self, names: Iterable[str]) -> None:
        """Refuse what the model has no method for, before any row is read."""
        self._views(names)

    def n_classes(self) -> int:
        """Return how many classes the model knows, 0 where it does not say."""
        return int(np.size(getattr(self._estimator, "classes_", ())))

    def n_posterior_samples(self) -> int:
        """Return how many posterior samples there are: as many as an ensemble has members, or as are drawn."""
        for _, estimator in levels(self.model):
            members = list(iter_members(estimator)) or members_of(estimator)
            if members:
                return len(members)
        return self.n_samples

    @property
    def _estimator(self) -> Any:
        """The model as it is given."""
        return levels(self.model)[0].estimator

    def _views(self, names: Iterable[str]) -> dict[str, View]:
        """Return how the model answers for those quantities that are asked of it."""
        asked = [name for name in names if name in WAYS]
        return views_of(self.model, asked, self.asked_by, Draws(self.n_samples, self.seed, self.joint))

    def class_positions(self, y: Any) -> np.ndarray:
        """Return the columns of labels in what the model predicts."""
        classes, y = np.asarray(self._estimator.classes_), np.asarray(y)
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
        self, names: Iterable[str], X: Rows, positions: Positions = None, y: Any = None, costs: Any = None
    ) -> dict[str, Tensor]:
        """Return quantities of rows.

        Parameters
        ----------
        names : iterable of str
        X : rows of any kind
        positions : slice or int array, optional
            Where the rows are in the pool, for error messages.
        y, costs : array (n,), optional
            Labels, for ``true_loss``, and costs, for ``cost``.

        Returns
        -------
        dict of Tensor (n, ...)
        """
        names = list(dict.fromkeys(names))
        answers = self._ask(self._views(names), X, positions)
        tensors = {}
        for name in names:
            if name == "features":
                tensors[name] = torch.from_numpy(self._features(X, positions))
                continue
            if name == "cost":
                answer, source = self._costs(X) if costs is None else np.asarray(costs, dtype=float), "cost"
            else:
                answer, source = answers[name]
            values = _checked_shape(answer, name, source, n_rows(X), self.asked_by)
            # a cost is checked by the pick that divides by it: the message here is about models
            if name != "cost":
                refuse_non_finite(values, source, positions, allow_inf=name != "embedding")
            if source in ("predict_proba", "sample_proba", "vote_proba") and values.numel():
                self._check_probabilities(values, source)
            tensors[name] = self._true_loss(values, y) if name == "true_loss" else values
        return self.on_one_device(tensors)

    @property
    def device(self) -> torch.device:
        """Where the model computes; the CPU, where it does not say."""
        return getattr(levels(self.model)[-1].estimator, "compute_device", torch.device("cpu"))

    def on_one_device(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return tensors where the model computes, if any of them is there: a score or pick reads them together."""
        devices = {values.device for values in tensors.values()}
        if len(devices) < 2:
            return tensors
        device = next(device for device in devices if device.type != "cpu")
        return {name: values.to(device) for name, values in tensors.items()}

    def _ask(self, views: dict[str, View], X: Rows, positions: Positions) -> dict[str, tuple[Any, str]]:
        """Return what the model answers for each quantity, and by which method."""
        if not views:
            return {}
        answers = {}
        prepared: dict[tuple[int, ...], Rows] = {}
        # an estimator of one's own may set modes of its network, and have no lock itself
        lock = estimator_lock(levels(self.model)[-1].estimator)
        with lock, naming_rows(X, "the pool" if positions is not None else "X", positions), self._known(X):
            for name, view in views.items():
                # steps run once, however many quantities are asked for
                steps = tuple(map(id, view.steps))
                if steps not in prepared:
                    prepared[steps] = transformed(view.steps, X)
                with unchanged(self._networks()):
                    answers[name] = view.ask(prepared[steps]), view.source
        return answers

    def _known(self, X: Rows) -> AbstractContextManager[None]:
        """Look at rows, so that networks need not, however many there are and however often they are asked."""
        if self.any_values:
            return let_through()
        # a step may write to the rows it is given, so that only a network behind it can look at them; one on a GPU does
        # so there, where that takes no time
        looks_itself = has_steps(self.model) or self.device.type != "cpu"
        return checked(X if not looks_itself and is_known_finite(X) else None)

    def _networks(self) -> list[Any]:
        """Return what answers in the end: the innermost estimator, or that of each member."""
        _, innermost = levels(self.model)[-1]
        members = list(iter_members(innermost)) or members_of(innermost) or [innermost]
        return [levels(member)[-1].estimator for member in members]

    def _features(self, X: Rows, positions: Positions) -> np.ndarray:
        """Return what distances between rows are measured in, (n, D), refusing NaN and infinity."""
        if self.on_transformed and self.embed is None:
            # members of a committee have steps of their own
            models = list(iter_members(self.model)) or [self.model]
            parts = [dense_features(transformed(levels(m)[-1].steps, X), None, self.asked_by) for m in models]
            features = np.concatenate(parts, axis=1)
        else:
            features = dense_features(X, self.embed, self.asked_by)
        if not sums_to_finite(features):
            bad = np.flatnonzero(~np.isfinite(features).all(axis=1))
            if bad.size:
                where = "the pool" if positions is not None else "X"
                raise ValueError(
                    f"{bad.size} of {len(features)} rows of {where} hold NaN or infinity, the first is row "
                    f"{position_of(bad[0], positions)}, and strategy {self.asked_by} measures distances between rows; "
                    "pass embed=a transformer that fills them, such as SimpleImputer(), or leave them out"
                )
        return features

    def _check_probabilities(self, values: Tensor, source: str) -> None:
        """Refuse what lies outside [0, 1], or sums to something else than 1, by more than rounding."""
        asked = f"{source} of {type(levels(self.model)[-1].estimator).__name__}"
        # of posterior samples the first will do
        sums = (values if values.ndim == 2 else values[:, 0]).sum(-1)
        # read at once, as that waits for the device
        low, high, least, most = torch.stack([*values.aminmax(), *sums.aminmax()]).tolist()
        if low < -1e-4 or high > 1 + 1e-4:
            raise ValueError(
                f"{asked} returned values from {low:.3g} to {high:.3g}, which are not probabilities; has it a softmax?"
            )
        if max(1 - least, most - 1) > 0.01:
            raise ValueError(
                f"{asked} returned rows that sum to {least:.3g} to {most:.3g}, not to 1: of several labels "
                f"per row (multi-label), strategy {self.asked_by} would rank them wrongly; pass one label per row"
            )

    def _true_loss(self, proba_on_device: Tensor, y: Any) -> Tensor:
        """Return -log of the probability of each row's hidden label, (n,)."""
        if y is None:
            raise ValueError(
                f"strategy {self.asked_by} needs the labels of the pool, which only a simulation has; pass y_pool="
            )
        proba = as_array(proba_on_device)
        y, classes = np.asarray(y), self._estimator.classes_
        check_same_labels(y, classes)
        seen = np.isin(y, classes)
        # a class that the model has not met has probability 0
        right = np.zeros(len(y), proba.dtype)
        right[seen] = proba[seen, self.class_positions(y[seen])]
        return torch.from_numpy(-np.log(np.maximum(right, np.finfo(proba.dtype).tiny)))

    def _costs(self, X: Rows) -> np.ndarray:
        """Return what each label costs, (n,), by `cost`."""
        if self.cost is None:
            raise ValueError(f"strategy {self.asked_by} needs costs; pass cost= to it or costs= to the query")
        costs = X[self.cost] if isinstance(self.cost, str) else self.cost(X)
        return np.asarray(costs, dtype=float)


def _checked_shape(values: Any, name: str, source: str, n: int, asked_by: str) -> Tensor:
    """Return an answer as a tensor, refusing one of another shape: its scores would mean nothing."""
    n_dimensions = _DIMENSIONS.get(name, 1)
    values = values if isinstance(values, Tensor) else np.asarray(values)
    if values.ndim != n_dimensions or len(values) != n:
        raise ValueError(
            f"strategy {asked_by} got an answer of shape {tuple(values.shape)} from {source} for {n} rows; "
            f"{n_dimensions} dimensions, the first of length {n}, are needed"
        )
    return as_tensor(values)


def dense_features(X: Rows, embed: Any, asked_by: str) -> np.ndarray:
    """Return rows as one float matrix, (n, D), after a transformer where there is one."""
    if embed is not None:
        X = embed.transform(X)
    X = dense(readable(X))
    if isinstance(X, dict):
        entries = [dense_features(value, None, asked_by) for value in X.values()]
        return np.concatenate(entries, axis=1)
    values = np.asarray(X.cpu() if isinstance(X, Tensor) else X)
    if values.dtype.kind not in "biuf":
        raise TypeError(
            f"strategy {asked_by} measures distances between rows, but X holds {values.dtype}; pass "
            "embed=a transformer that makes numbers of them, such as make_pipeline(TfidfVectorizer(), TruncatedSVD())"
        )
    # what float32 cannot hold becomes infinity, which is refused later
    with np.errstate(over="ignore"):
        matrix = values.reshape(len(values), -1)
        return np.ascontiguousarray(matrix, dtype=np.float32)


def refuse_non_finite(values: Tensor, source: str, positions: Positions, *, allow_inf: bool = True) -> None:
    """Refuse NaN and, unless allowed, infinity in an answer or score."""
    # a sum that is finite clears all values at once; it may also have overflowed
    if values.sum().isfinite():
        return
    refused = values.isnan() if allow_inf else values.isfinite().logical_not()
    bad = refused.flatten(1).any(1) if refused.ndim > 1 else refused
    if bad.any():
        what = "NaN" if values.isnan().any() else "infinite"
        first = int(bad.nonzero()[0])
        raise ValueError(
            f"{source} is {what} for {int(bad.sum())} of {len(values)} rows, the first is row "
            f"{position_of(first, positions)} of those asked for; has the fit diverged (lower lr, scale X), or "
            "does X hold values the model cannot take?"
        )
