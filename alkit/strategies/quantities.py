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
from alkit._tensors import as_array, as_tensor, in_memory_order
from alkit._turns import estimator_lock
from alkit.labels import as_numbers, check_same_labels
from alkit.rows import Rows, n_rows
from alkit.strategies.answers import (
    ANSWERED,
    are_per_output,
    distributions,
    has_several_labels,
    losses_of_answers,
    may_have_several_labels,
    of_labels_on,
    positions_of_labels,
    proba_of_labels,
    scores_of_decisions,
    sum_to_one,
)
from alkit.strategies.ensembles import members_of
from alkit.strategies.features import dense_features
from alkit.strategies.levels import has_steps, iter_members, levels, transformed
from alkit.strategies.regressors import predicts_numbers, regressors_of
from alkit.strategies.skorch_networks import is_plain_network, unchanged
from alkit.strategies.views import WAYS, Draws, View, views_of
from alkit.validation import checked, is_known_finite, let_through, naming_rows, position_of

OF_ROWS = (*WAYS, "features", "cost")
"""Quantities of the rows that are scored."""
_DIMENSIONS = {
    "proba": (2,),
    "label_proba": (2,),
    "class_scores": (2,),
    "samples": (3,),
    "votes": (3,),
    "embedding": (2,),
    "last_layer": (2,),
    # of classes; of one number, and of several
    "true_loss": (2, 1),
    "prediction": (1, 2),
    "std": (1, 2),
    "values": (2, 3),
}
"""How many dimensions an answer may have; 1 where nothing is said."""

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
    reduce : {"mean", "max", "sum"}
        How the scores of a row's answers become one, where it has several.
    one_answer : bool
        Whether the strategy is defined for one label per row alone.
    several_labels : bool, optional
        Whether the labels taught are several per row; None where there are none, and the model has to tell.
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
    reduce: str = "mean"
    one_answer: bool = False
    several_labels: bool | None = None

    def check(self, names: Iterable[str]) -> None:
        """Refuse what the model has no method for, before any row is read."""
        names = list(names)
        self._views(names)
        if self.one_answer and self._has_several_labels():
            raise self._has_several_answers()
        if "label_proba" in names and self._has_several_labels() is False and not self._may_answer_positions():
            raise self._has_one_label()

    def numbers_per_row(self, names: Iterable[str], first_row: Callable[[], Rows]) -> int:
        """Return how many numbers the model answers for a row, 0 where it does not say and they are few.

        Parameters
        ----------
        names : iterable of str
            What it is asked for.
        first_row : callable
            Returns one row, which the model is asked about where only its answer tells how many positions there are.
        """
        names = set(names)
        are_samples = not names.isdisjoint(("samples", "votes", "values"))
        n_samples = self.n_posterior_samples() if are_samples else 1
        if self._may_answer_positions() and names & ANSWERED.keys():
            return n_samples * self.read(("proba",), first_row())["proba"].numel()
        return n_samples * max(1, self._n_classes()) if are_samples else 0

    def _n_classes(self) -> int:
        """Return how many classes the model knows, of all outputs together; 0 where it does not say."""
        classes = getattr(self._estimator, "classes_", ())
        if isinstance(classes, list):
            return len(classes) * max(map(len, classes))
        return int(np.size(classes)) * (2 if self._has_several_labels() else 1)

    def _has_several_labels(self) -> bool | None:
        """Tell whether the model predicts several labels per row, by its fit or by y; None where nothing tells."""
        told = has_several_labels(self.model)
        return self.several_labels if told is None else told

    def _may_answer_positions(self) -> bool:
        """Tell whether the model is a network that may answer for each position of a row."""
        network = self._networks()[0]
        return is_plain_network(network) or getattr(network, "task", None) == "positions"

    def n_posterior_samples(self) -> int:
        """Return how many posterior samples there are: as many as an ensemble has members, or as are drawn."""
        for _, estimator in levels(self.model):
            members = list(iter_members(estimator)) or members_of(estimator) or regressors_of(estimator)
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

    def taught(self, y: Any) -> np.ndarray:
        """Return labels as strategies read them: columns of what is predicted (M,), or numbers (M,) or (M, T)."""
        return as_numbers(y) if predicts_numbers(self._estimator) else self.class_positions(y)

    def class_positions(self, y: Any) -> np.ndarray:
        """Return the columns of labels in what the model predicts; of several answers per row (n, A)."""
        if np.ndim(y) > 1:
            return positions_of_labels(y, getattr(self._estimator, "classes_", None))
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
                answer, source = self._answers(name, *answers[name])
            values = _checked_shape(answer, name, source, n_rows(X), self.asked_by)
            # a cost is checked by the pick that divides by it: the message here is about models
            if name != "cost":
                refuse_non_finite(values, source, positions, allow_inf=name != "embedding")
            if name != "label_proba" and source in ("predict_proba", "sample_proba", "vote_proba") and values.numel():
                self._check_probabilities(values, source)
            tensors[name] = self._true_loss(values, source, y) if name == "true_loss" else values
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
        """Return what the model answers for each quantity, an array or one per output, and by which method."""
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
                    answer = view.ask(prepared[steps])
                if view.source == "predict_proba":
                    answer = of_labels_on(self.model, answer)
                as_it_is = isinstance(answer, Tensor) or are_per_output(answer, _DIMENSIONS.get(name, (-1,))[0])
                answers[name] = answer if as_it_is else np.asarray(answer), view.source
        return answers

    def _answers(self, name: str, answer: Any, source: str) -> tuple[Any, str]:
        """Return an answer with an axis of answers where a row has several, as distributions over classes."""
        is_number = source == "predict"
        if is_number or (name not in ANSWERED and name != "label_proba"):
            return answer, source
        n_axes = _DIMENSIONS[name][0]
        if source == "decision_function":
            return scores_of_decisions(answer, bool(self._has_several_labels())), source
        several_labels = self._has_several_labels()
        if several_labels is None:
            # the model says that it can be fitted to several labels, and what it answers are none of one
            several_labels = may_have_several_labels(self.model) and not sum_to_one(answer, n_axes)
        values = distributions(answer, n_axes, several_labels)
        if self.one_answer and values.ndim > n_axes:
            raise self._has_several_answers()
        if name != "label_proba":
            return values, source
        self._check_probabilities(values, source)
        proba = proba_of_labels(values, getattr(self._estimator, "classes_", None))
        if proba is None:
            raise self._has_one_label()
        return proba, source

    def _has_several_answers(self) -> TypeError:
        """Return the error of a strategy for one label per row, where the model answers with several."""
        return TypeError(
            f"strategy {self.asked_by} needs one label per row, which {type(self._networks()[0]).__name__} does not "
            "have; use alkit.NetClassifier fitted to one label per row, or another strategy, such as 'margin'"
        )

    def _has_one_label(self) -> TypeError:
        """Return the error of a strategy for several labels, which the model was not fitted to."""
        return TypeError(
            f"strategy {self.asked_by} needs several_labels, which {type(levels(self.model)[-1].estimator).__name__} "
            "does not have; use alkit.NetClassifier, or any classifier fitted to a 0/1 matrix y of shape (n, L), or "
            "another strategy"
        )

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
        members = list(iter_members(innermost)) or members_of(innermost) or regressors_of(innermost) or [innermost]
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
                    "give the strategy embed=make_pipeline(SimpleImputer(), StandardScaler()), which fills gaps and "
                    "scales columns, or leave the rows out"
                )
        return features

    def _check_probabilities(self, values: Tensor, source: str) -> None:
        """Refuse what lies outside [0, 1], or sums to something else than 1, by more than rounding."""
        asked = f"{source} of {type(levels(self.model)[-1].estimator).__name__}"
        # of posterior samples, and of several answers, the first will do
        sums = values.reshape(len(values), -1, values.shape[-1])[:, 0].sum(-1)
        # read at once, as that waits for the device
        low, high, least, most = torch.stack([*in_memory_order(values).aminmax(), *sums.aminmax()]).cpu().tolist()
        if low < -1e-4 or high > 1 + 1e-4:
            raise ValueError(
                f"{asked} returned values from {low:.3g} to {high:.3g}, which are not probabilities; has it a softmax?"
            )
        if max(1 - least, most - 1) > 0.01:
            raise ValueError(
                f"{asked} returned rows that sum to {least:.3g} to {most:.3g}, not to 1: of several labels "
                f"per row (multi-label), strategy {self.asked_by} would rank them wrongly; teach a learner the 0/1 "
                "matrix y, or give the estimator an attribute multilabel_ = True; of positions, (n, C, ...), they must "
                "sum to 1 over axis 1"
            )

    def _true_loss(self, values: Tensor, source: str, y: Any) -> Tensor:
        """Return -log of the probability of each row's hidden label, or the squared error of a number, (n,).

        Of several answers per row -log of each, (n, A). Labels are on the host, and so is the loss.
        """
        if y is None:
            raise ValueError(
                f"strategy {self.asked_by} needs the labels of the pool, which only a simulation has; pass y_pool="
            )
        answer = as_array(values)
        if source == "predict":
            errors = answer - as_numbers(y).reshape(answer.shape)
            return torch.from_numpy(np.square(errors).reshape(len(errors), -1).mean(axis=1))
        if answer.ndim == 3:
            classes = getattr(self._estimator, "classes_", None)
            return torch.from_numpy(losses_of_answers(answer, positions_of_labels(y, classes, answer.shape[2])))
        proba, y, classes = answer, np.asarray(y), self._estimator.classes_
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
    n_dimensions = _DIMENSIONS.get(name, (1,))
    values = values if isinstance(values, Tensor) else np.asarray(values)
    # where a row has several answers, there is an axis of them behind that of rows
    with_answers = [n + 1 for n in n_dimensions] if name in ANSWERED else []
    if values.ndim not in (*n_dimensions, *with_answers) or len(values) != n:
        raise ValueError(
            f"strategy {asked_by} got an answer of shape {tuple(values.shape)} from {source} for {n} rows; "
            f"{' or '.join(map(str, n_dimensions))} dimensions, the first of length {n}, are needed"
        )
    return as_tensor(values)


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
