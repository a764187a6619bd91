"""What a fitted network tells of rows: probabilities, labels, samples under dropout and embeddings."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn

from alkit._finite import sums_to_finite
from alkit._random import isolated_rng, sampling_seed
from alkit._turns import estimator_lock, torch_modes_kept
from alkit.nets.embedding import embed_batch, first_output
from alkit.nets.mc_dropout.sampler import DropoutSampler
from alkit.nets.training.skorch_net import SkorchNet
from alkit.nets.training.tensors import RowDataset, Tensors, root, to_tensors
from alkit.rows import Rows, n_rows, take

# What torch raises where a layer cannot take integers; the same rows are then tried as floats.
_REFUSALS = (RuntimeError, TypeError, NotImplementedError)


class ScoringNet(SkorchNet):
    """How rows are scored: in eval mode, in order and in large batches.

    Modes and global random states are afterwards as they were.

    The first rows of a fit are scored before it, to find out how the network takes its inputs.
    """

    embedding_layer: str | None = None

    def predict_proba(self, X: Rows) -> np.ndarray:
        """Return class probabilities.

        Parameters
        ----------
        X : array, sparse matrix, DataFrame, tensor, list, dict or Dataset of n rows
            The rows, read a batch at a time.

        Returns
        -------
        ndarray of shape (n, n_classes), float32

        Raises
        ------
        ValueError
            If X is not like the rows fitted, or the network returns NaN.
        """
        nonlinearity = self._get_predict_nonlinearity()
        with self.scoring():
            probas = (nonlinearity(first_output(out)) for out in self.forward_iter(X))
            # A scoring callback's cache of training batches: upsampling makes it longer than X.
            if isinstance(root(X), RowDataset):
                return torch.cat(list(probas)).numpy()
            return self.gather(n_rows(X), probas)

    def predict(self, X: Rows) -> np.ndarray:
        """Return the most probable label of each row, of the dtype fitted.

        Parameters
        ----------
        X : array, sparse matrix, DataFrame, tensor, list, dict or Dataset of n rows
            The rows.

        Returns
        -------
        ndarray of shape (n,)
        """
        best = self.predict_proba(X).argmax(axis=1)
        return self.classes_[best]

    def sample_proba(
        self, X: Rows, n_samples: int = 20, random_state: Any = None, consistent: bool | None = None
    ) -> np.ndarray:
        """Return class probabilities under draws of the network's dropout: samples of an approximate posterior.

        Parameters
        ----------
        X : array, sparse matrix, DataFrame, tensor, list, dict or Dataset of n rows
            The rows.
        n_samples : int, default=20
            Number of draws K.
        random_state : int, RandomState or None, default=None
            Seeds the masks: the same int draws the same masks whatever X is. None draws new ones each time, without
            touching any global random state.
        consistent : bool, optional
            Whether all rows must share one mask per draw, see :class:`alkit.nets.mc_dropout.sampler.DropoutSampler`.

        Returns
        -------
        ndarray of shape (n, n_samples, n_classes), float32

        References
        ----------
        .. [1] Y. Gal and Z. Ghahramani, "Dropout as a Bayesian Approximation", ICML 2016.
        """
        nonlinearity = self._get_predict_nonlinearity()
        seed = sampling_seed(random_state)
        with (
            self.scoring(),
            DropoutSampler(self.network, n_samples=n_samples, seed=seed, consistent=consistent) as sampler,
        ):
            outputs = (sampler(*args, **kwargs) for args, kwargs in self.batches(X))
            return self.gather(n_rows(X), (nonlinearity(first_output(out)) for out in outputs))

    def embed(self, X: Rows, layer: str | None = None) -> np.ndarray:
        """Return an embedding of each row: the input of the last linear layer.

        Parameters
        ----------
        X : array, sparse matrix, DataFrame, tensor, list, dict or Dataset of n rows
            The rows.
        layer : str, optional
            Name of a submodule whose output to return instead; by default `embedding_layer`.

        Returns
        -------
        ndarray of shape (n, D), float32

        Raises
        ------
        ValueError
            If the network has no linear layer, or no submodule of that name.
        """
        self.check_is_fitted()
        name = layer or self.embedding_layer
        with self.scoring():
            module = self.network
            embeddings = (embed_batch(module, args, kwargs, name) for args, kwargs in self.batches(X))
            return self.gather(n_rows(X), embeddings)

    # One pass over rows

    def batches(self, X: Rows) -> Iterator[tuple[tuple, dict]]:
        """Yield what the network is to be called with, args and kwargs, batch by batch."""
        self.check_is_fitted()
        for batch, _ in self.get_iterator(self.get_dataset(X)):
            yield self._call_arguments(batch)

    def forward_iter(self, X: Rows, training: bool = False, device: str = "cpu") -> Iterator[Any]:
        """Yield the network's outputs batch by batch, after checking X. See skorch."""
        self.check_is_fitted()
        return super().forward_iter(X, training=training, device=device)

    def gather(self, n: int, outputs: Iterator[torch.Tensor]) -> np.ndarray:
        """Write the outputs of n rows into one array as they come; raise on NaN."""
        gathered = np.empty(0)
        start = 0
        for out in outputs:
            if start == 0:
                gathered = np.empty((n, *out.shape[1:]), dtype=np.float32)
            stop = start + len(out)
            gathered[start:stop] = out.cpu().float().numpy()
            if not sums_to_finite(gathered[start:stop]) and np.isnan(gathered[start:stop]).any():
                raise ValueError(
                    f"{type(self.module_).__name__} returns NaN among rows {start} to {stop - 1} of X; "
                    "check its weights (a diverged fit?) and the scale of X"
                )
            start = stop
        return gathered

    @contextmanager
    def scoring(self) -> Iterator[None]:
        """Score in eval mode without gradients; restore modes and global random states after.

        Threads that ask one estimator take turns.
        """
        with estimator_lock(self), torch_modes_kept():
            parts = [getattr(self, name + "_") for name in self._modules + self._criteria]
            layers = [layer for part in parts for layer in part.modules()]
            modes = [layer.training for layer in layers]
            try:
                with isolated_rng(self.device), torch.no_grad():
                    # skorch's own, not SkorchNet's, which trusts the mode of the outermost module: a layer within it
                    # may be in another.
                    super(SkorchNet, self)._set_training(False)
                    yield
            finally:
                for layer, mode in zip(layers, modes, strict=True):
                    layer.training = mode

    def _get_predict_nonlinearity(self) -> Any:
        self.check_is_fitted()
        # Modules return logits whatever the criterion is; of torch's, only NLLLoss is given probabilities by skorch.
        if self.predict_nonlinearity == "auto" and not isinstance(self.criterion_, nn.NLLLoss):
            return softmax
        return super()._get_predict_nonlinearity()

    # Before a fit

    def _try_first_rows(self, X: Rows, **fit_params: Any) -> None:
        """Run the first rows: find out how the network treats its inputs, and check its outputs."""
        rows = to_tensors(take(X, slice(0, min(8, n_rows(X)))))
        self.integer_inputs_ = any(not values.is_floating_point() for values in _entries(rows))
        with self.scoring():
            try:
                out = self._try_batch(rows, **fit_params)
            except _REFUSALS as refused_integers:
                if not self.integer_inputs_:
                    raise
                self.integer_inputs_ = False
                try:
                    out = self._try_batch(rows, **fit_params)
                except _REFUSALS as refused_floats:
                    raise refused_floats from refused_integers
        self._check_outputs(first_output(out))

    def _try_batch(self, rows: Tensors, **fit_params: Any) -> Any:
        """Run the network on a copy of rows, and see whether it changes them in place."""
        self.writes_inputs_ = True  # makes `cast` copy: casting may return the user's own memory
        batch = self.cast(rows)
        self.writes_inputs_ = False
        versions = [values._version for values in _entries(batch)]
        out = self.infer(batch, **fit_params)
        self.writes_inputs_ = versions != [values._version for values in _entries(batch)]
        return out

    def _check_outputs(self, out: torch.Tensor) -> None:
        """Raise if outputs are not one column per class, and warn if they are probabilities."""
        if out.ndim != 2 or out.shape[1] != len(self.classes_):
            raise ValueError(
                f"{type(self.module_).__name__} returns outputs of shape {tuple(out.shape)} for {len(out)} rows, but "
                f"there are {len(self.classes_)} classes; give it that many outputs, or declare with classes=[...] "
                "the label of every output"
            )
        criterion = getattr(self.criterion_, "_orig_mod", self.criterion_)
        if isinstance(criterion, nn.CrossEntropyLoss) and _are_probabilities(out):
            warnings.warn(
                f"{type(self.module_).__name__} returns probabilities, but CrossEntropyLoss takes logits and applies "
                "softmax itself: training will be slow and probabilities too flat; remove the last Softmax",
                UserWarning,
                stacklevel=2,
            )


def _entries(batch: Tensors) -> list[torch.Tensor]:
    """Return the tensors of a batch."""
    return list(batch.values()) if isinstance(batch, dict) else [batch]


def _are_probabilities(out: torch.Tensor) -> bool:
    """Tell whether every row of outputs (n, C) is non-negative and sums to one."""
    if (out < 0).any():
        return False
    sums = out.sum(1)
    return torch.allclose(sums, torch.ones_like(sums), atol=1e-4)


def softmax(logits: torch.Tensor) -> torch.Tensor:
    """Softmax over the last axis; on samples (n, K, C) of few classes torch's own takes three times as long."""
    if logits.ndim == 2:
        return torch.softmax(logits, dim=-1)
    exp = (logits - logits.amax(-1, keepdim=True)).exp_()
    return exp.div_(exp.sum(-1, keepdim=True))
