"""skorch, but a batch of rows at a time: whole batches by index, of any kind of X, with labels of any kind."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import skorch
import torch
from sklearn.utils.validation import validate_data
from skorch.callbacks import Callback, EarlyStopping, EpochScoring, PrintLog
from skorch.dataset import unpack_data
from torch import nn
from torch.utils.data import DataLoader, Dataset

from alkit._finite import sums_to_finite
from alkit._random import isolated_rng
from alkit.nets.embedding import first_output
from alkit.nets.training.batches import EpochBatches
from alkit.nets.training.budget import BudgetSpent, TrainingBudget
from alkit.nets.training.labels import check_labels, encode
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
from alkit.rows import Rows, n_rows, slices, take
from alkit.validation import check_shape, was_checked


class QuietPrintLog(PrintLog):
    """skorch's table of epochs, which is not even made where nobody reads it: with few labels an epoch is one step."""

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Print an epoch's line."""
        if net.verbose or self.sink is not print:
            super().on_epoch_end(net, **kwargs)


class SkorchNet(skorch.NeuralNetClassifier):
    """skorch's classifier with its iterators, casts and bookkeeping replaced: how `NetClassifier` trains and scores.

    Training takes whole batches by index instead of collating rows, and keeps no books by batch unless a callback
    listens to batches. Scoring takes larger batches, in order, and leaves modes and global random states as they were.

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
        return self.__dict__.copy() if torch.device(self.device or "cpu").type == "cpu" else super().__getstate__()

    def __setstate__(self, state: dict[str, Any]) -> None:
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
        """What takes X apart for the network; a subclass that reads other rows hands in another."""
        return RowAdapter()

    @property
    def network(self) -> Any:
        """The module itself, where it is compiled too."""
        return getattr(self.module_, "_orig_mod", self.module_)

    def _get_predict_nonlinearity(self) -> Any:
        self.check_is_fitted()
        # modules return logits whatever the criterion is; of torch's, only NLLLoss is given probabilities by skorch
        if self.predict_nonlinearity == "auto" and not isinstance(self.criterion_, nn.NLLLoss):
            return softmax
        return super()._get_predict_nonlinearity()

    def check_data(self, X: Rows, y: Any) -> None:
        """Do nothing: `fit` and `partial_fit` have checked X and y before."""

    def get_dataset(self, X: Rows, y: Any = None) -> Dataset:
        """Return rows that are fetched a batch at a time."""
        if isinstance(root(X), RowDataset):
            return X
        X, y = unwrap(X, y)
        X = self.row_adapter.arrange(X)
        check_shape(X)
        self._check_width(X)
        if self.dataset is not skorch.dataset.Dataset:
            X = super().get_dataset(X, y)
        return RowDataset(X, y, None if y is None else encode(np.asarray(y), self.classes_))

    def get_split_datasets(self, X: Rows, y: Any = None, **fit_params: Any) -> tuple[Dataset, Dataset | None]:
        """Return rows to train on and rows to validate on (or None)."""
        train, valid = super().get_split_datasets(X, y, **fit_params)
        if valid is not None and not isinstance(root(valid), RowDataset):
            X, y = unwrap(valid)
            X = self.row_adapter.arrange(X)
            y = check_labels(labels_of(X) if y is None else y, self.row_adapter.check(X))
            valid = self.get_dataset(X, y)
        return train, valid

    def get_iterator(self, dataset: Dataset, training: bool = False) -> Any:
        """Return an iterator over batches: our own, or a DataLoader where its options are set."""
        prefix = "iterator_train" if training else "iterator_valid"
        options, iterator = self.get_params_for(prefix), getattr(self, prefix)
        if iterator is not DataLoader or not isinstance(root(dataset), RowDataset):
            return super().get_iterator(dataset, training)
        size = options.pop("batch_size", None)
        batches = self._training_batches if training else self._scoring_batches
        return batches(dataset, size, options)

    def _training_batches(self, dataset: Dataset, size: int | None, options: dict[str, Any]) -> Any:
        """Return batches to train on, shuffled unless told otherwise."""
        shuffle = options.pop("shuffle", True)
        batches = EpochBatches(n_rows(dataset), size or self.batch_size, self.batching, shuffle)
        self.check_batch_norm(batches)
        return DataLoader(dataset, batch_sampler=batches, **options) if options else RowBatches(dataset, batches)

    def _scoring_batches(self, dataset: Dataset, size: int | None, options: dict[str, Any]) -> Any:
        """Return batches to score, in order, each looked at as it is read."""
        size = n_rows(dataset) if size == -1 else size or scoring_rows(dataset)
        if "collate_fn" in options:  # what it makes only the network knows
            return DataLoader(dataset, batch_size=size, **options)
        ours = RowBatches(dataset, list(slices(n_rows(dataset), size)))
        batches = DataLoader(dataset, batch_size=size, **options) if options else ours
        if was_checked(dataset.X if isinstance(dataset, RowDataset) else None):
            return batches
        return CheckedBatches(batches, self.row_adapter.check_batch)

    def _probe(self, X: Rows, **fit_params: Any) -> None:
        """Run the first rows: find out how the network treats its inputs, and check its outputs."""
        rows = to_tensors(take(X, slice(0, min(8, n_rows(X)))))
        self.integer_inputs_ = any(not values.is_floating_point() for values in _values(rows))
        with self.scoring():
            try:
                out = self._try(rows, **fit_params)
            except (RuntimeError, TypeError, NotImplementedError) as error:
                if not self.integer_inputs_:
                    raise
                self.integer_inputs_ = False
                try:
                    out = self._try(rows, **fit_params)
                except (RuntimeError, TypeError, NotImplementedError) as as_floats:
                    raise as_floats from error
        self._check_outputs(first_output(out))

    def _try(self, rows: Tensors, **fit_params: Any) -> Any:
        """Run the network on a copy of rows, and see whether it changes them in place."""
        self.writes_inputs_ = True
        batch = self.cast(rows)
        self.writes_inputs_ = False
        versions = [values._version for values in _values(batch)]
        out = self.infer(batch, **fit_params)
        self.writes_inputs_ = versions != [values._version for values in _values(batch)]
        return out

    def _check_outputs(self, out: torch.Tensor) -> None:
        """Raise if outputs are not one column per class, and warn if they are probabilities."""
        if out.ndim != 2 or out.shape[1] != len(self.classes_):
            raise ValueError(
                f"{type(self.module_).__name__} returns outputs of shape {tuple(out.shape)} for {len(out)} rows, but "
                f"there are {len(self.classes_)} classes; give it that many outputs, or declare with classes=[...] "
                "the label of every output"
            )
        takes_logits = isinstance(getattr(self.criterion_, "_orig_mod", self.criterion_), nn.CrossEntropyLoss)
        if takes_logits and (out >= 0).all() and torch.allclose(out.sum(1), torch.ones_like(out[:, 0]), atol=1e-4):
            warnings.warn(
                f"{type(self.module_).__name__} returns probabilities, but CrossEntropyLoss takes logits and applies "
                "softmax itself: training will be slow and probabilities too flat; remove the last Softmax",
                UserWarning,
                stacklevel=2,
            )

    def check_batch_norm(self, batches: EpochBatches) -> None:
        """Raise if BatchNorm would see a batch of one row."""
        norms = (m for m in self.module_.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm))
        if min(batches.sizes) == 1 and any(norms):
            raise ValueError(
                f"BatchNorm needs batches of two rows or more, but {batches.n} rows and "
                f"batch_size={batches.batch_size} make a batch of one; label more rows, or pass batching='upsample' "
                "and a batch_size of two or more"
            )

    def get_params_for_optimizer(self, prefix: str, named_parameters: Any) -> tuple:
        """Collect the optimizer's parameters; Adam and AdamW run fused by default."""
        args, kwargs = super().get_params_for_optimizer(prefix, named_parameters)
        if self.optimizer in (torch.optim.Adam, torch.optim.AdamW) and "foreach" not in kwargs:
            kwargs.setdefault("fused", True)
        return args, kwargs

    def infer(self, x: Any, **fit_params: Any) -> Any:
        """Run the network on a batch, cast to its dtype and device."""
        args, kwargs = self._call(x)
        return self.module_(*args, **kwargs, **fit_params)

    def _call(self, x: Any) -> tuple[tuple, dict]:
        """Return the arguments to call the network with: one tensor, or a dict's entries by name."""
        batch = self.cast(x)
        return ((), batch) if isinstance(batch, dict) else ((batch,), {})

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

    def _initialize_module(self, reason: str | None = None) -> SkorchNet:
        """Build the network and note its floating dtype."""
        super()._initialize_module(reason)
        floats = (p.dtype for p in self.module_.parameters() if p.is_floating_point())
        self.dtype_ = next(floats, torch.get_default_dtype())
        return self

    def _set_training(self, training: bool = True) -> None:
        """Set train or eval mode, unless the network is in it: `run_single_epoch` sets it for a whole epoch."""
        if self.module_.training != training:
            super()._set_training(training)

    def get_loss(self, y_pred: Any, y_true: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        """Return the loss of a batch; of a tuple of outputs, the first counts."""
        return super().get_loss(first_output(y_pred), y_true, *args, **kwargs)

    def notify(self, method_name: str, **cb_kwargs: Any) -> None:
        """Notify callbacks, which see labels as the user knows them, not codes."""
        if method_name == "on_batch_end" and self.classes_.tolist() != list(range(len(self.classes_))):
            X, codes = unpack_data(cb_kwargs["batch"])
            cb_kwargs["batch"] = X, self.classes_[codes.cpu().numpy()]
        super().notify(method_name, **cb_kwargs)
        if method_name == "on_epoch_end":
            self._end_if_spent()

    def _end_if_spent(self) -> None:
        """End the fit where its budget is spent: after all callbacks have seen the epoch, unlike an EarlyStopping."""
        if self.budget_ is not None and self.budget_.is_spent(self.history[-1, "batches", :, "train_loss"]):
            raise BudgetSpent

    def run_single_epoch(self, iterator: Any, training: bool, prefix: str, step_fn: Any, **fit_params: Any) -> None:
        """Run one epoch, without bookkeeping by batch unless a callback listens to batches."""
        if iterator is None:
            return
        super()._set_training(training)
        if any(_listens(callback, training) for callback in (self, *(cb for _, cb in self.callbacks_))):
            super().run_single_epoch(iterator, training, prefix, step_fn, **fit_params)
        else:
            steps = [(step_fn(batch, **fit_params)["loss"].detach(), len(batch[1])) for batch in iterator]
            losses = torch.stack([loss for loss, _ in steps]).tolist()
            self.history[-1]["batches"] += [
                {f"{prefix}_loss": loss, f"{prefix}_batch_size": size}
                for loss, (_, size) in zip(losses, steps, strict=True)
            ]
            self.history.record(f"{prefix}_batch_count", len(steps))
        if training:
            self.check_losses()

    def check_losses(self) -> None:
        """Raise if a loss of the last epoch is not finite."""
        losses = self.history[-1, "batches", :, "train_loss"]
        bad = [loss for loss in losses if not math.isfinite(loss)]
        if bad:
            raise ValueError(
                f"training diverged: the loss is {bad[0]} at epoch {len(self.history)}; lower lr (now {self.lr}), "
                "scale X (e.g. StandardScaler), and check that X holds no NaN"
            )

    def forward_iter(self, X: Rows, training: bool = False, device: str = "cpu") -> Iterator[Any]:
        """Yield the network's outputs batch by batch, after checking X. See skorch."""
        self.check_is_fitted()
        return super().forward_iter(X, training=training, device=device)

    def batches(self, X: Rows) -> Iterator[tuple[tuple, dict]]:
        """Yield what the network is to be called with, args and kwargs, batch by batch."""
        self.check_is_fitted()
        for batch, _ in self.get_iterator(self.get_dataset(X)):
            yield self._call(batch)

    def _check_width(self, X: Rows, reset: bool = False) -> None:
        """Check that rows, as the adapter arranges them, look as those fitted, or remember how they look."""
        shape = input_shape(X)
        if reset:
            self.input_shape_ = shape
            self.__dict__.pop("n_features_in_", None)
            self.__dict__.pop("feature_names_in_", None)
        sized = reset or self.row_adapter.is_sized(self.integer_inputs_)
        if sized and isinstance(shape, tuple) and len(shape) == 1 and not isinstance(X, Dataset):
            validate_data(self, X, reset=reset, skip_check_array=True)
        if sized and shape != getattr(self, "input_shape_", shape):
            raise ValueError(
                f"X has rows of shape {shape}, but {type(self).__name__} was fitted to rows of shape "
                f"{self.input_shape_}; pass rows of that shape, or fit again"
            )

    def gather(self, n: int, outputs: Iterator[torch.Tensor]) -> np.ndarray:
        """Write the outputs of n rows into one array as they come; raise on NaN."""
        gathered, start = np.empty(0), 0
        for out in outputs:
            if start == 0:
                gathered = np.empty((n, *out.shape[1:]), dtype=np.float32)
            rows = slice(start, start + len(out))
            gathered[rows] = out.cpu().float().numpy()
            if not sums_to_finite(gathered[rows]) and np.isnan(gathered[rows]).any():
                raise ValueError(
                    f"{type(self.module_).__name__} returns NaN among rows {rows.start} to {rows.stop - 1} of X; "
                    "check its weights (a diverged fit?) and the scale of X"
                )
            start = rows.stop
        return gathered

    @contextmanager
    def scoring(self) -> Iterator[None]:
        """Score in eval mode without gradients; restore modes and global random states after."""
        modules = [m for name in self._modules + self._criteria for m in getattr(self, name + "_").modules()]
        modes = [m.training for m in modules]
        try:
            with isolated_rng(self.device), torch.no_grad():
                super()._set_training(False)
                yield
        finally:
            for m, mode in zip(modules, modes, strict=True):
                m.training = mode


def _listens(callback: Any, training: bool) -> bool:
    """Tell whether a callback (or subclass of the net) acts on single batches of this kind."""
    if isinstance(callback, EpochScoring):
        return callback.on_train == training
    base = SkorchNet if isinstance(callback, skorch.NeuralNet) else Callback
    return any(
        getattr(type(callback), name) is not getattr(base, name)
        for name in ("on_batch_begin", "on_batch_end", "on_grad_computed")
    )


def early_stopping(interrupt: KeyboardInterrupt) -> bool:
    """Tell skorch's EarlyStopping, which ends a fit by KeyboardInterrupt, from a person who presses Ctrl-C."""
    trace = interrupt.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and isinstance(trace.tb_frame.f_locals.get("self"), EarlyStopping)


def _values(batch: Tensors) -> list[torch.Tensor]:
    """Return the tensors of a batch."""
    return list(batch.values()) if isinstance(batch, dict) else [batch]


def softmax(logits: torch.Tensor) -> torch.Tensor:
    """Softmax over the last axis; on samples (n, K, C) of few classes torch's own takes three times as long."""
    if logits.ndim == 2:
        return torch.softmax(logits, dim=-1)
    exp = (logits - logits.amax(-1, keepdim=True)).exp_()
    return exp.div_(exp.sum(-1, keepdim=True))
