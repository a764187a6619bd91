"""A fit from its checks to its last epoch, whatever the network predicts."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Self

import numpy as np
import torch
from sklearn.utils import check_random_state
from torch import nn
from torch.utils.data import Dataset

from alkit._random import isolated_rng
from alkit._turns import fits_alone
from alkit.nets.training.budget import BudgetSpent, TrainingBudget
from alkit.nets.training.callbacks import raised_by_early_stopping
from alkit.nets.training.sample_weight import as_tensor, check_weights
from alkit.nets.training.scoring_net import ScoringNet
from alkit.nets.training.tensors import labels_of, unwrap
from alkit.rows import Rows, n_rows


class TrainingNet(ScoringNet):
    """How a network is fitted: anew, warm, or for a few epochs more.

    What y holds is the business of a subclass, which learns it (`_learn_targets`), tells what of it a network is built
    for (`_input_and_targets`), and turns it into what the loss takes (`encoded`).
    """

    warm_start: bool | str
    random_state: Any
    min_steps: int | None
    # In the warning of a warm start that cannot go on: what of y may have changed, and how to avoid it.
    _targets_named: str
    _remedy = ""

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.allow_nan = self.row_adapter.allow_nan
        return tags

    @fits_alone
    def fit(self, X: Rows, y: Any = None, sample_weight: Any = None, **fit_params: Any) -> Self:
        """Fit the network.

        Parameters
        ----------
        X : array, sparse matrix, DataFrame, tensor, list, dict or Dataset of n rows
            The rows.
        y : array-like of shape (n,) or (n, n_outputs), optional
            Labels of a classifier, or a 0/1 matrix of several per row, or ``(n, *S)`` with ``task="positions"``;
            numbers of a regressor. May be left out if X is a Dataset that yields (x, y).
        sample_weight : array-like of shape (n,), optional
            Weights of the rows in the loss, multiplied with those of their classes. The criterion must have a
            ``reduction``, as torch's have.
        **fit_params : dict
            Passed to the network's ``forward``, and to `train_split`.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            On bad input (the message names cause and remedy), and if the loss is not finite.
        """
        if self.warm_start not in (False, True, "shrink_perturb"):
            raise ValueError(f"warm_start={self.warm_start!r} is unknown; choose False, True or 'shrink_perturb'")
        self.check_training_readiness()
        warm = bool(self.warm_start) and self.initialized_
        # refused before anything of an earlier fit is lost
        budget = TrainingBudget(self.max_epochs, self.min_steps)
        if sample_weight is not None:
            sample_weight = check_weights(sample_weight, n_rows(X))
        n_epochs = len(self.history_ or ()) if warm else 0
        with self.seeded(n_epochs):
            X, y = self.prepare(X, y, warm, sample_weight, **fit_params)
            return self._train(X, y, budget, sample_weight, **fit_params)

    def prepare(
        self, X: Rows, y: Any, warm: bool = False, sample_weight: np.ndarray | None = None, **fit_params: Any
    ) -> tuple[Rows, np.ndarray]:
        """Do what comes before the first epoch of a fit; return checked rows and labels."""
        before = self._input_and_targets() if warm else None
        X, y = self._check_rows_and_labels(X, y)
        self._learn_targets(X, y, warm)
        if warm and before != self._input_and_targets():
            warnings.warn(
                f"warm_start={self.warm_start!r}, but the shape of rows or {self._targets_named} have changed from "
                f"{before} to {self._input_and_targets()}: starting fresh{self._remedy}",
                UserWarning,
                stacklevel=3,
            )
            warm = False
        if not warm:
            self._start_fresh(y, sample_weight)
        elif self.warm_start == "shrink_perturb":
            self._shrink_perturb()
        self._try_first_rows(X, **fit_params)
        self._weigh_classes(y, sample_weight)
        return X, y

    def _fit_more(
        self,
        X: Rows,
        y: Any,
        learn: Callable[[Rows, np.ndarray], None],
        sample_weight: Any,
        epochs: int | None,
        **fit_params: Any,
    ) -> Self:
        """Train for some epochs more, having learnt what y holds by `learn`."""
        self.check_training_readiness()
        budget = TrainingBudget(self.max_epochs if epochs is None else epochs, min_steps=0)
        if sample_weight is not None:
            sample_weight = check_weights(sample_weight, n_rows(X))
        with self.seeded(len(self.history_ or ())):
            X, y = self._check_rows_and_labels(X, y)
            learn(X, y)
            if not self.initialized_:
                self._start_fresh(y, sample_weight)
            self._try_first_rows(X, **fit_params)
            self._weigh_classes(y, sample_weight)
            return self._train(X, y, budget, sample_weight, _routing_method="partial_fit", **fit_params)

    def _learn_targets(self, X: Rows, y: np.ndarray, warm: bool) -> None:
        """Remember what y holds and the shape of rows; in a warm start, what is known already stays."""
        raise NotImplementedError

    def _input_and_targets(self) -> tuple:
        """Return what must stay the same for weights to be kept: the shape of a row, where it counts, and targets."""
        raise NotImplementedError

    def _start_fresh(self, y: np.ndarray, sample_weight: np.ndarray | None) -> None:
        """Build the network anew."""
        self._build()

    def _weigh_classes(self, y: np.ndarray, sample_weight: np.ndarray | None) -> None:
        """Put class weights into the loss, where there are classes."""

    def _sized_row(self) -> Any:
        """Return the shape of a row, where it counts for the network."""
        return getattr(self, "input_shape_", None) if self.row_adapter.is_sized(self.integer_inputs_) else None

    def fit_loop(self, X: Rows, y: Any = None, epochs: int | None = None, **fit_params: Any) -> Self:
        """Run skorch's loop over epochs: by default `max_epochs` of them (20 where it is None)."""
        if epochs is None:
            epochs = TrainingBudget(self.max_epochs, min_steps=0).most_epochs
        return super().fit_loop(X, y, epochs=epochs, **fit_params)

    def _check_rows_and_labels(self, X: Rows, y: Any) -> tuple[Rows, np.ndarray]:
        """Return checked rows, and y, or the labels that X yields, as an array."""
        X, y = unwrap(X, y)
        X = self.row_adapter.arrange(X)
        n = self._count_checked(X)
        if y is None and isinstance(X, Dataset):
            y = labels_of(X)
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is None; pass y, "
                "or a Dataset whose items are (x, y)"
            )
        return X, self.checked_targets(y, n)

    def seeded(self, n_epochs: int) -> AbstractContextManager[None]:
        """Isolate and seed global random states, unless random_state is None; later epochs draw other numbers."""
        if self.random_state is None:
            return nullcontext()
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        return isolated_rng(self.compute_device, (seed + n_epochs) % 2**32)

    def _train(
        self, X: Rows, y: np.ndarray, budget: TrainingBudget, sample_weight: Any = None, **fit_params: Any
    ) -> Self:
        """Run the epochs; of KeyboardInterrupts, only that of skorch's EarlyStopping may end them."""
        self.notify("on_train_begin", X=X, y=y)
        self.budget_ = budget
        try:
            rows = self._weighted_rows(X, y, sample_weight)
            self.fit_loop(rows, y, epochs=budget.most_epochs, **fit_params)
        except BudgetSpent:
            pass
        except KeyboardInterrupt as interrupt:
            if not raised_by_early_stopping(interrupt):
                raise
        finally:
            self.budget_ = None
            for part in self.parts(self._modules):
                _detach_stored_tensors(part)
            self._set_training(False)
        self.notify("on_train_end", X=X, y=y)
        return self

    def _weighted_rows(self, X: Rows, y: np.ndarray, sample_weight: np.ndarray | None) -> Rows:
        """Return rows whose weights come with them, or just rows if they have none."""
        weights = self._loss_weights(y, sample_weight)
        if weights is None:
            return X
        dataset: Any = self.get_dataset(X, y)
        dataset.weights = weights
        return dataset

    def _loss_weights(self, y: np.ndarray, sample_weight: np.ndarray | None) -> torch.Tensor | None:
        """Return the weights of rows in the loss, or None if they have none."""
        return as_tensor(sample_weight)


def _detach_stored_tensors(module: nn.Module) -> None:
    """Detach activations that layers have stored: tensors with a graph can be neither copied nor pickled."""
    for layer in module.modules():
        for name, value in vars(layer).items():
            if isinstance(value, torch.Tensor) and value.grad_fn is not None:
                vars(layer)[name] = value.detach()
