"""skorch, but a batch of rows at a time: whole batches by index, of any kind of X, with labels of any kind."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import skorch
import torch
from sklearn.utils.validation import validate_data
from skorch.callbacks import Callback
from skorch.dataset import unpack_data
from torch import nn
from torch.utils.data import DataLoader, Dataset

from alkit.nets.embedding import first_output
from alkit.nets.training.batches import EpochBatches
from alkit.nets.training.budget import BudgetSpent, TrainingBudget
from alkit.nets.training.callbacks import QuietPrintLog, listens_to_batches, overrides_batch_hooks
from alkit.nets.training.label_codes import check_labels, encode
from alkit.nets.training.tensors import (
    CheckedBatches,
    RowAdapter,
    RowBatches,
    RowDataset,
    Tensors,
    input_shape,
    labels_of,
    root,
    scoring_rows,
    to_tensors,
    unwrap,
)
from alkit.rows import Rows, n_rows, slices
from alkit.validation import check_shape, was_checked


class SkorchNet(skorch.NeuralNetClassifier):
    """skorch's classifier with its iterators, casts and bookkeeping replaced: how rows reach a network, and train it.

    Training takes whole batches by index instead of collating rows, and records no single batches unless a callback
    listens to them.

    Attributes
    ----------
    integer_inputs_ : bool
        Whether integers reach the network as integers.
    dtype_ : torch.dtype
        Floating dtype of the network's parameters, to which inputs are cast.
    writes_inputs_ : bool
        Whether the network changes its inputs in place, so that it must get copies.
    input_shape_ : tuple of int, dict of these, or None
        Shape of a row, as fitted.
    """

    batching = "flexible"
    integer_inputs_ = False
    writes_inputs_ = False
    budget_: TrainingBudget | None = None

    def __getstate__(self) -> dict[str, Any]:
        # skorch pickles weights apart, to move them between devices, and by plain pickle: that cannot send a network
        # class of a notebook to joblib's workers, nor copy it there
        on_cpu = torch.device(self.device or "cpu").type == "cpu"
        state = self.__dict__.copy() if on_cpu else super().__getstate__()
        # of the fit that is under way while a checkpoint is written, and of no other
        state.pop("budget_", None)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        # nets that 0.1.0 pickled have no `min_steps`, and train for their `max_epochs` as before
        state = {"min_steps": None} | state
        if "__cuda_dependent_attributes__" in state:
            super().__setstate__(state)
        else:
            self.__dict__.update(state)

    @property
    def _default_callbacks(self) -> list[tuple[str, Callback]]:
        callbacks = super()._default_callbacks
        return [(name, QuietPrintLog() if name == "print_log" else callback) for name, callback in callbacks]

    @property
    def row_adapter(self) -> RowAdapter:
        """What prepares X for the network; a subclass that reads other rows hands in another."""
        return RowAdapter()

    @property
    def network(self) -> Any:
        """The module itself, where it is compiled too."""
        return getattr(self.module_, "_orig_mod", self.module_)

    # Rows: datasets, iterators and what a batch becomes

    def check_data(self, X: Rows, y: Any) -> None:
        """Do nothing: `fit` and `partial_fit` have checked X and y before."""

    def get_dataset(self, X: Rows, y: Any = None) -> Dataset:
        """Return rows that are fetched a batch at a time."""
        if isinstance(root(X), RowDataset):
            return X
        X, y = unwrap(X, y)
        X = self.row_adapter.arrange(X)
        check_shape(X)
        self._check_row_shape(X)
        # A dataset class of the user's own is given X and y, and is itself what batches are fetched from.
        if self.dataset is not skorch.dataset.Dataset:
            X = super().get_dataset(X, y)
        codes = None if y is None else encode(np.asarray(y), self.classes_)
        return RowDataset(X, y, codes)

    def get_split_datasets(self, X: Rows, y: Any = None, **fit_params: Any) -> tuple[Dataset, Dataset | None]:
        """Return rows to train on and rows to validate on (or None)."""
        train, valid = super().get_split_datasets(X, y, **fit_params)
        # skorch's predefined_split brings rows of its own, which nothing has checked yet.
        if valid is not None and not isinstance(root(valid), RowDataset):
            X, y = unwrap(valid)
            X = self.row_adapter.arrange(X)
            y = labels_of(X) if y is None else y
            y = check_labels(y, self.row_adapter.check(X))
            valid = self.get_dataset(X, y)
        return train, valid

    def get_iterator(self, dataset: Dataset, training: bool = False) -> Any:
        """Return an iterator over batches: our own, or a DataLoader where its options are set."""
        prefix = "iterator_train" if training else "iterator_valid"
        if getattr(self, prefix) is not DataLoader or not isinstance(root(dataset), RowDataset):
            return super().get_iterator(dataset, training)
        options = self.get_params_for(prefix)
        batch_size = options.pop("batch_size", None)
        if training:
            return self._training_batches(dataset, batch_size, options)
        return self._scoring_batches(dataset, batch_size, options)

    def _training_batches(self, dataset: Dataset, batch_size: int | None, options: dict[str, Any]) -> Any:
        """Return batches to train on, shuffled unless told otherwise."""
        shuffle = options.pop("shuffle", True)
        batches = EpochBatches(n_rows(dataset), batch_size or self.batch_size, self.batching, shuffle)
        self.check_batch_norm(batches)
        if options:
            return DataLoader(dataset, batch_sampler=batches, **options)
        return RowBatches(dataset, batches)

    def _scoring_batches(self, dataset: Dataset, batch_size: int | None, options: dict[str, Any]) -> Any:
        """Return batches to score, in order, each checked as it is read."""
        n = n_rows(dataset)
        size = n if batch_size == -1 else batch_size or scoring_rows(dataset)
        # What a function of the user's own makes of rows only the network can check.
        if "collate_fn" in options:
            return DataLoader(dataset, batch_size=size, **options)
        batches: Any
        if options:
            batches = DataLoader(dataset, batch_size=size, **options)
        else:
            batches = RowBatches(dataset, list(slices(n, size)))
        if isinstance(dataset, RowDataset) and was_checked(dataset.X):
            return batches
        return CheckedBatches(batches, self.row_adapter.check_batch)

    def cast(self, x: Any) -> Tensors:
        """Cast floats (and integers, unless the network takes them) to the network's dtype, on its device."""
        batch = to_tensors(x)
        if isinstance(batch, dict):
            return {key: self.cast(values) for key, values in batch.items()}
        if self.writes_inputs_:
            batch = batch.clone()
        if batch.is_floating_point() or not self.integer_inputs_:
            return batch.to(self.device, self.dtype_)
        return batch.to(self.device, batch.dtype if batch.dtype == torch.bool else torch.int64)

    def _call_arguments(self, x: Any) -> tuple[tuple, dict]:
        """Return what the network is called with for a batch: one tensor, or a dict's entries by name."""
        batch = self.cast(x)
        if isinstance(batch, dict):
            return (), batch
        return (batch,), {}

    def _check_row_shape(self, X: Rows, reset: bool = False) -> None:
        """Check that rows, as the adapter arranges them, have the shape of those fitted, or (reset) remember it."""
        shape = input_shape(X)
        if reset:
            self.input_shape_ = shape
            self.__dict__.pop("n_features_in_", None)
            self.__dict__.pop("feature_names_in_", None)
        if not (reset or self.row_adapter.is_sized(self.integer_inputs_)):
            return
        # Of a matrix or DataFrame scikit-learn checks the columns, by number and name, in its own words.
        if isinstance(shape, tuple) and len(shape) == 1 and not isinstance(X, Dataset):
            validate_data(self, X, reset=reset, skip_check_array=True)
        if shape != getattr(self, "input_shape_", shape):
            raise ValueError(
                f"X has rows of shape {shape}, but {type(self).__name__} was fitted to rows of shape "
                f"{self.input_shape_}; pass rows of that shape, or fit again"
            )

    # Training: what a step computes, and what is recorded of it

    def _initialize_module(self, reason: str | None = None) -> SkorchNet:
        """Build the network and remember its floating dtype."""
        super()._initialize_module(reason)
        float_dtypes = (p.dtype for p in self.module_.parameters() if p.is_floating_point())
        self.dtype_ = next(float_dtypes, torch.get_default_dtype())
        return self

    def get_params_for_optimizer(self, prefix: str, named_parameters: Any) -> tuple:
        """Collect the optimizer's parameters; Adam and AdamW run fused by default."""
        args, kwargs = super().get_params_for_optimizer(prefix, named_parameters)
        # torch refuses fused together with foreach, so that whoever asks for foreach gets that alone.
        if self.optimizer in (torch.optim.Adam, torch.optim.AdamW) and "foreach" not in kwargs:
            kwargs.setdefault("fused", True)
        return args, kwargs

    def infer(self, x: Any, **fit_params: Any) -> Any:
        """Run the network on a batch, cast to its dtype and device."""
        args, kwargs = self._call_arguments(x)
        return self.module_(*args, **kwargs, **fit_params)

    def get_loss(self, y_pred: Any, y_true: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        """Return the loss of a batch; of a tuple of outputs, the first counts."""
        return super().get_loss(first_output(y_pred), y_true, *args, **kwargs)

    def _set_training(self, training: bool = True) -> None:
        """Set train or eval mode, unless the network is in it: `run_single_epoch` sets it for a whole epoch."""
        if self.module_.training != training:
            super()._set_training(training)

    def check_batch_norm(self, batches: EpochBatches) -> None:
        """Raise if BatchNorm would see a batch of one row."""
        if min(batches.sizes) > 1:
            return
        if any(isinstance(layer, nn.modules.batchnorm._BatchNorm) for layer in self.module_.modules()):
            raise ValueError(
                f"BatchNorm needs batches of two rows or more, but {batches.n} rows and "
                f"batch_size={batches.batch_size} make a batch of one; label more rows, or pass batching='upsample' "
                "and a batch_size of two or more"
            )

    def run_single_epoch(self, iterator: Any, training: bool, prefix: str, step_fn: Any, **fit_params: Any) -> None:
        """Run one epoch, without recording single batches unless a callback listens to them."""
        if iterator is None:
            return
        super()._set_training(training)
        if self._is_listened_to(training):
            super().run_single_epoch(iterator, training, prefix, step_fn, **fit_params)
        else:
            self._run_unobserved_epoch(iterator, prefix, step_fn, **fit_params)
        if training:
            self.check_losses()

    def _is_listened_to(self, training: bool) -> bool:
        """Tell whether a callback, or a subclass of this class, acts on single batches."""
        if overrides_batch_hooks(type(self), SkorchNet):
            return True
        return any(listens_to_batches(callback, training) for _, callback in self.callbacks_)

    def _run_unobserved_epoch(self, iterator: Any, prefix: str, step_fn: Any, **fit_params: Any) -> None:
        """Take the steps of an epoch, and read their losses once at its end."""
        losses, sizes = [], []
        for batch in iterator:
            losses.append(step_fn(batch, **fit_params)["loss"].detach())
            sizes.append(len(batch[1]))
        # Reading a loss waits for the device: one stack of all waits once per epoch instead of once per step.
        self.history[-1]["batches"] += [
            {f"{prefix}_loss": loss, f"{prefix}_batch_size": size}
            for loss, size in zip(torch.stack(losses).tolist(), sizes, strict=True)
        ]
        self.history.record(f"{prefix}_batch_count", len(sizes))

    def check_losses(self) -> None:
        """Raise if a loss of the last epoch is not finite."""
        losses = self.history[-1, "batches", :, "train_loss"]
        not_finite = [loss for loss in losses if not math.isfinite(loss)]
        if not_finite:
            raise ValueError(
                f"training diverged: the loss is {not_finite[0]} at epoch {len(self.history)}; lower lr (now "
                f"{self.lr}), scale X (e.g. StandardScaler), and check that X holds no NaN"
            )

    def notify(self, method_name: str, **cb_kwargs: Any) -> None:
        """Notify callbacks, which see labels as the user knows them, not codes; end the fit if its budget is spent."""
        if method_name == "on_batch_end" and self.classes_.tolist() != list(range(len(self.classes_))):
            X, codes = unpack_data(cb_kwargs["batch"])
            cb_kwargs["batch"] = X, self.classes_[codes.cpu().numpy()]
        super().notify(method_name, **cb_kwargs)
        # Only here have all callbacks seen the epoch: a callback that ends a fit, as skorch's EarlyStopping does, hides
        # its last epoch from the callbacks after it.
        if method_name == "on_epoch_end" and self.budget_ is not None:
            losses = self.history[-1, "batches", :, "train_loss"]
            if self.budget_.is_spent(losses):
                raise BudgetSpent
