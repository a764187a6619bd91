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
from skorch.utils import to_tensor
from torch import nn
from torch.utils.data import DataLoader, Dataset

from alkit.nets.training import iterators
from alkit.nets.training.batches import EpochBatches
from alkit.nets.training.budget import BudgetSpent, TrainingBudget
from alkit.nets.training.callbacks import MeanOverBatches, QuietPrintLog, acts_on_batches, listens_to_batches
from alkit.nets.training.items import ItemDataset
from alkit.nets.training.outputs import first_output
from alkit.nets.training.sample_weight import WeightedCodes, check_has_reduction, weighted_loss
from alkit.nets.training.tasks import IGNORE_INDEX, OneLabel, SeveralLabels, Task, task_of
from alkit.nets.training.tensors import (
    RowAdapter,
    RowDataset,
    Tensors,
    input_shape,
    labels_of,
    moved,
    root,
    to_tensors,
    unwrap,
)
from alkit.rows import Rows, n_rows
from alkit.validation import check_shape


class SkorchNet(skorch.NeuralNet):
    """A network of skorch with its iterators, casts and bookkeeping replaced: how rows reach a network, and train it.

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
    is_single_logit_ : bool
        Whether the network returns one logit per row, that of the second of two classes.
    task_ : Task
        What the network was fitted to: one label per row, several, or one per position.
    nll_of_logits_ : bool
        Whether ``NLLLoss`` is given logits or log-probabilities, as torch has it, not probabilities, as skorch has it.
    """

    batching = "flexible"
    integer_inputs_ = False
    writes_inputs_ = False
    is_single_logit_ = False
    nll_of_logits_ = False
    task: str | None = None
    task_: Task = OneLabel()
    dtype_ = torch.float32
    budget_: TrainingBudget | None = None

    def __getstate__(self) -> dict[str, Any]:
        # skorch pickles weights apart, to move them between devices, and by plain pickle: that cannot send a network
        # class of a notebook to joblib's workers, nor copy it there
        # (of device None nobody knows where the net will be loaded)
        is_plain = self.device is not None and self.compute_device.type == "cpu" and self.torch_load_kwargs is None
        state = self.__dict__.copy() if is_plain else super().__getstate__()
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
        # called by `set_params`, which checks nothing: it may be an array
        if isinstance(self.task, str) and self.task == "positions":
            # scikit-learn's accuracy is one of rows
            callbacks = [(name, callback) for name, callback in callbacks if name != "valid_acc"]
        quick = {
            "train_loss": MeanOverBatches("train_loss", on_train=True),
            "valid_loss": MeanOverBatches("valid_loss"),
            "print_log": QuietPrintLog(),
        }
        return [(name, quick.get(name, callback)) for name, callback in callbacks]

    @property
    def row_adapter(self) -> RowAdapter:
        """What prepares X for the network; a subclass that reads other rows hands in another."""
        return RowAdapter()

    @property
    def network(self) -> Any:
        """The module itself, where it is compiled too."""
        return getattr(self.module_, "_orig_mod", self.module_)

    @property
    def compute_device(self) -> torch.device:
        """Where the network runs: ``device``, or, where that is None and so left to others, where its weights are."""
        if self.device is not None:
            return torch.device(self.device)
        parameters = (p for part in self.parts(self._modules) for p in part.parameters())
        return next((p.device for p in parameters), torch.device("cpu"))

    @property
    def checks_on_device(self) -> bool:
        """Whether rows that are scored are looked at on the device, where that takes no time, not on the host."""
        is_own = (self.iterator_valid is DataLoader) and not self.collates and not self.row_adapter.allow_nan
        return is_own and self.compute_device.type != "cpu"

    def parts(self, names: list[str]) -> list[nn.Module]:
        """Return those of the named modules and losses that there are: a trimmed net has no losses."""
        parts = [vars(self).get(name + "_") for name in names]
        return [part for part in parts if isinstance(part, nn.Module)]

    @property
    def known_classes(self) -> np.ndarray | None:
        """Labels known by a fit, or declared; None where skorch's `initialize` built the network, before any."""
        if "classes_inferred_" in vars(self):
            return self.classes_inferred_
        return None if self.classes is None or not len(self.classes) else np.unique(self.classes)

    @property
    def multilabel_(self) -> bool:
        """Whether the network was fitted to several labels per row."""
        return isinstance(self.task_, SeveralLabels)

    def task_for(self, y: Any) -> Task:
        """Return what a fit to these labels trains the network for."""
        # an instance of a loss has it, and of a class it is a parameter
        given = self.get_params_for("criterion").get("ignore_index")
        masked = getattr(self.criterion, "ignore_index", IGNORE_INDEX) if given is None else given
        return task_of(self.task, y, masked)

    @property
    def collates(self) -> bool:
        """Whether a function of the user's own makes batches of rows, which only it can read then."""
        return any(f"{prefix}__{iterators.COLLATE}" in vars(self) for prefix in iterators.PREFIXES)

    def checked_targets(self, y: Any, n: int) -> np.ndarray:
        """Return y of n rows as an array, or refuse what the network does not predict."""
        return self.task_for(y).check(y, n)

    def encoded(self, y: np.ndarray) -> torch.Tensor | None:
        """Return y as the loss takes it; None where no fit has learnt yet what y holds."""
        return None if self.known_classes is None else self.task_.encode(y, self.known_classes)

    # Rows: datasets, iterators and what a batch becomes

    def check_data(self, X: Rows, y: Any) -> None:
        """Do nothing: `fit` and `partial_fit` have checked X and y before."""

    def get_dataset(self, X: Rows, y: Any = None) -> Dataset:
        """Return rows that are fetched a batch at a time."""
        if isinstance(root(X), RowDataset):
            return X
        X, y = unwrap(X, y)
        X = self.row_adapter.arrange(X)
        if not self.collates:
            check_shape(X)
            self._check_row_shape(X)
        # A dataset class of the user's own is given X and y, and is itself what batches are fetched from.
        if self.dataset is not skorch.dataset.Dataset:
            X = super().get_dataset(X, y)
        codes = None if y is None else self.encoded(np.asarray(y))
        return ItemDataset(X, y, codes) if self.collates else RowDataset(X, y, codes)

    def get_split_datasets(self, X: Rows, y: Any = None, **fit_params: Any) -> tuple[Dataset, Dataset | None]:
        """Return rows to train on and rows to validate on (or None)."""
        train, valid = super().get_split_datasets(X, y, **fit_params)
        # skorch's predefined_split brings rows of its own, which nothing has checked yet.
        if valid is not None and not isinstance(root(valid), RowDataset):
            X, y = unwrap(valid)
            X = self.row_adapter.arrange(X)
            y = labels_of(X) if y is None else y
            y = self.checked_targets(y, self._count_checked(X))
            valid = self.get_dataset(X, y)
        return train, valid

    def get_iterator(self, dataset: Dataset, training: bool = False) -> Any:
        """Return an iterator over batches: our own, or a DataLoader where its options are set."""
        prefix = iterators.PREFIXES[0] if training else iterators.PREFIXES[1]
        if getattr(self, prefix) is not DataLoader or not isinstance(root(dataset), RowDataset):
            return super().get_iterator(dataset, training)
        options = self.get_params_for(prefix)
        batch_size = options.pop("batch_size", None)
        if not training:
            device = self.compute_device
            check = None if self.checks_on_device else self.row_adapter.check_batch
            return iterators.scoring_batches(dataset, batch_size, self.batch_size, options, check, device)
        batches = iterators.training_batches(dataset, batch_size or self.batch_size, self.batching, options)
        drawn_by = getattr(batches, "batches", getattr(batches, "batch_sampler", None))
        if isinstance(drawn_by, EpochBatches):
            self.check_batch_norm(drawn_by)
        return batches

    def _count_checked(self, X: Rows) -> int:
        """Return the number of arranged rows, after checking their values, where the network is given those."""
        return n_rows(X) if self.collates else self.row_adapter.check(X)

    def cast(self, x: Any) -> Tensors:
        """Cast floats (and integers, unless the network takes them) to the network's dtype, on its device."""
        if isinstance(x, (list, tuple)) and x and isinstance(x[0], torch.Tensor):
            # from a function that collates: skorch hands such a list to the network as it is
            return [self.cast(values) for values in x]  # type: ignore[return-value]
        batch = to_tensors(x)
        if isinstance(batch, dict):
            return {key: self.cast(values) for key, values in batch.items()}
        if self.writes_inputs_:
            batch = batch.clone()
        if batch.is_floating_point() or not self.integer_inputs_:
            return moved(batch, self.device, self.dtype_)
        return moved(batch, self.device, batch.dtype if batch.dtype == torch.bool else torch.int64)

    def _call_arguments(self, x: Any) -> tuple[tuple, dict]:
        """Return what the network is called with for a batch: one tensor, or a dict's entries by name."""
        batch = self.cast(x)
        if isinstance(batch, dict):
            return (), batch
        return (batch,), {}

    def _check_row_shape(self, X: Rows, reset: bool = False) -> None:
        """Check that rows, as the adapter arranges them, have the shape of those fitted, or (reset) remember it."""
        # What a function that collates makes of rows has no shape that X could tell.
        shape = None if self.collates else input_shape(X)
        if reset:
            self.input_shape_ = shape
            self.__dict__.pop("n_features_in_", None)
            self.__dict__.pop("feature_names_in_", None)
        if not (reset or self.row_adapter.is_sized(self.integer_inputs_)):
            return
        if self.collates:
            return
        # Of a matrix or DataFrame scikit-learn checks the columns, by number and name, in its own words.
        matrix = self.row_adapter.matrix_of(X)
        if matrix is not None:
            validate_data(self, matrix, reset=reset, skip_check_array=True)
        if shape != getattr(self, "input_shape_", shape) and not self._takes(X):
            raise ValueError(
                f"X has rows of shape {shape}, but {type(self).__name__} was fitted to rows of shape "
                f"{self.input_shape_}; pass rows of that shape, or fit again"
            )

    def _takes(self, X: Rows) -> bool:
        """Tell whether the network takes rows of another shape than those fitted: of the same vectors, never."""
        return False

    # Training: what a step computes, and what is recorded of it

    def _initialize_module(self, reason: str | None = None) -> SkorchNet:
        """Build the network and remember its floating dtype."""
        super()._initialize_module(reason)
        parameters = (p for part in self.parts(self._modules) for p in part.parameters())
        float_dtypes = (p.dtype for p in parameters if p.is_floating_point())
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
        if kwargs and fit_params:
            kwargs, fit_params = self._merge_x_and_fit_params(kwargs, fit_params), {}
        return self.module_(*args, **kwargs, **fit_params)

    def get_loss(self, y_pred: Any, y_true: Any, *args: Any, **kwargs: Any) -> torch.Tensor:
        """Return the loss of a batch, whose rows may have weights; of several outputs, the first or ``logits`` counts.

        Parameters
        ----------
        y_pred : Tensor, tuple or mapping
            Outputs of the network.
        y_true : Tensor of shape (n,), (n, L) or ``(n, *S)``, or WeightedCodes
            Codes of the labels.
        *args, **kwargs
            Not used here.

        Returns
        -------
        Tensor ()
        """
        codes, weights = y_true if isinstance(y_true, WeightedCodes) else (y_true, None)
        out, target = self._criterion_arguments(first_output(y_pred), codes)
        if weights is None:
            return self.criterion_(out, target)
        check_has_reduction(self.criterion_)
        return weighted_loss(self.criterion_, out, target, weights)

    def _criterion_arguments(self, out: torch.Tensor, codes: Any) -> tuple[torch.Tensor, torch.Tensor]:
        """Return outputs and labels in the form that the loss takes."""
        target = to_tensor(codes, device=self.device).to(out.device)
        if self.is_single_logit_:
            return out.reshape(len(out)), target.to(out.dtype)
        if self.multilabel_:
            return out, target.to(out.dtype)
        if not isinstance(self.criterion_, nn.NLLLoss):
            return out, target
        # Log-probabilities stay what they are.
        if self.nll_of_logits_:
            return torch.log_softmax(out, 1), target
        return torch.log(out + torch.finfo(out.dtype).eps), target

    def _set_training(self, training: bool = True) -> None:
        """Set train or eval mode, unless the network is in it: `run_single_epoch` sees to it for a whole epoch."""
        if any(part.training != training for part in self.parts(self._modules)):
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
        if self._needs_mode(training):
            super()._set_training(training)
        if self._is_listened_to(training):
            super().run_single_epoch(iterator, training, prefix, step_fn, **fit_params)
        else:
            self._run_unobserved_epoch(iterator, prefix, step_fn, **fit_params)
        if training:
            self.check_losses()

    def _needs_mode(self, training: bool) -> bool:
        """Tell whether a layer is in another mode, or does something of its own when it is told its mode.

        To set it takes several times as long as to look, which counts where an epoch is a single step.
        """
        layers = (layer for part in self.parts(self._modules + self._criteria) for layer in part.modules())
        return any(layer.training != training or type(layer).train is not nn.Module.train for layer in layers)

    def _is_listened_to(self, training: bool) -> bool:
        """Tell whether a callback, or a subclass of this class, acts on single batches."""
        if acts_on_batches(self):
            return True
        return any(listens_to_batches(callback, training) for _, callback in self.callbacks_)

    def _run_unobserved_epoch(self, iterator: Any, prefix: str, step_fn: Any, **fit_params: Any) -> None:
        """Take the steps of an epoch, and read their losses once at its end."""
        losses, sizes = [], []
        for batch in iterator:
            losses.append(step_fn(batch, **fit_params)["loss"].detach())
            codes = batch[1].codes if isinstance(batch[1], WeightedCodes) else batch[1]
            sizes.append(len(codes))
        if not losses:
            raise ValueError(
                f"the iterator of {prefix} batches yields none; with drop_last, give more rows than batch_size="
                f"{self.batch_size}, or a smaller one"
            )
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
        if method_name == "on_batch_end":
            cb_kwargs["batch"] = self._as_taught(cb_kwargs["batch"])
        super().notify(method_name, **cb_kwargs)
        # Only here have all callbacks seen the epoch: a callback that ends a fit, as skorch's EarlyStopping does, hides
        # its last epoch from the callbacks after it.
        if method_name == "on_epoch_end" and self.budget_ is not None:
            losses = self.history[-1, "batches", :, "train_loss"]
            if self.budget_.is_spent(losses):
                raise BudgetSpent

    def _as_taught(self, batch: Any) -> Any:
        """Return a batch with labels as the user knows them, in place of their codes and weights."""
        X, codes = unpack_data(batch)
        if isinstance(codes, WeightedCodes):
            codes = codes.codes
            batch = X, codes
        classes = self.known_classes
        if classes is None or classes.tolist() == list(range(len(classes))):
            return batch
        return X, classes[codes.cpu().numpy()]
