"""What a fitted network tells of rows: probabilities, labels, samples under dropout and embeddings."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import nn

from alkit._random import sampling_seed
from alkit.labels import most_probable
from alkit.nets.embedding import embed_batch
from alkit.nets.mc_dropout.sampler import DropoutSampler
from alkit.nets.training import iterators
from alkit.nets.training.items import ItemDataset
from alkit.nets.training.outputs import (
    are_probabilities,
    first_output,
    logits,
    two_class_proba,
    two_class_proba_of_flat,
)
from alkit.nets.training.reading_net import Device, ReadingNet, entries
from alkit.nets.training.tasks import Positions
from alkit.nets.training.tensors import (
    RowDataset,
    Tensors,
    input_shape,
    root,
    to_tensors,
)
from alkit.rows import Rows, n_rows, take

# What torch raises where a layer cannot take integers; the same rows are then tried as floats.
_REFUSALS = (RuntimeError, TypeError, NotImplementedError)


class ScoringNet(ReadingNet):
    """How rows are scored: in eval mode, in order and in large batches.

    Modes and global random states are afterwards as they were. Beside each method that returns an array there is one,
    by the name ``_<method>_tensor``, that returns the same as a tensor, on the device where it was computed: what a
    pass over a pool asks for (`alkit.strategies.views`).

    The first rows of a fit are scored before it, to find out how the network takes its inputs.
    """

    embedding_layer: str | None = None
    is_flat_ = False
    # Losses that alkit adds to the user's own, which alone says what outputs mean.
    _added_criteria: tuple[str, ...] = ()

    def predict_proba(self, X: Rows) -> np.ndarray:
        """Return class probabilities.

        Parameters
        ----------
        X : array, sparse matrix, DataFrame, tensor, list, dict or Dataset of n rows
            The rows, read a batch at a time.

        Returns
        -------
        ndarray of shape (n, n_classes), float32
            Of several labels (n, L), the probability that each is on; of positions ``(n, n_classes, *S)``.

        Raises
        ------
        ValueError
            If X is not like the rows fitted, or the network returns NaN.
        """
        return self._predict_proba_tensor(X, to="cpu").numpy()

    def _predict_proba_tensor(self, X: Rows, to: Device = None) -> torch.Tensor:
        return self._scored(X, self._get_predict_nonlinearity(), to)

    def _scored(self, X: Rows, transform: Callable[[Any], Any], to: Device = None) -> torch.Tensor:
        """Return what becomes of the network's outputs (n, ...)."""
        with self.scoring():
            # A scoring callback's cache of training batches: upsampling makes it longer than X.
            if isinstance(root(X), RowDataset):
                # left where they are: skorch can move no outputs but tensors, and tuples and mappings of tensors
                outputs: Iterator[Any] = self.forward_iter(X, device=None)
                return torch.cat([torch.as_tensor(transform(logits(out))) for out in outputs]).to(to or "cpu")
            run = self.evaluation_step
            scored = self.outputs(X, lambda rows: torch.as_tensor(transform(logits(run((rows, None))))))
            return self.gather(n_rows(X), scored, to)

    def predict(self, X: Rows) -> np.ndarray:
        """Return the most probable label of each row, of the dtype fitted; of several labels, those that are on.

        Parameters
        ----------
        X : array, sparse matrix, DataFrame, tensor, list, dict or Dataset of n rows
            The rows.

        Returns
        -------
        ndarray of shape (n,), 0/1 (n, L), or of positions ``(n, *S)``
        """
        proba = self.predict_proba(X)
        # Of a network that no fit has taught labels, there are codes alone, as in skorch.
        return most_probable(proba, self.known_classes, self.multilabel_)

    def score(self, X: Rows, y: Any, sample_weight: Any = None) -> float:
        """Return the accuracy: the share of rows whose labels are all right, or of the positions that have a label.

        Parameters
        ----------
        X : rows
        y : labels
            As for `fit`.
        sample_weight : array-like of shape (n,), optional
            Weights of the rows.

        Returns
        -------
        float
        """
        if not isinstance(self.task_, Positions):
            return super().score(X, y, sample_weight)
        y = np.asarray(y)
        counted = y != self.task_.ignore_index
        of_rows = np.ones(len(y)) if sample_weight is None else np.asarray(sample_weight, dtype=float)
        weights = np.broadcast_to(of_rows.reshape(-1, *[1] * (y.ndim - 1)), y.shape)
        return float(np.average((self.predict(X) == y)[counted], weights=weights[counted]))

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
            Of several labels (n, n_samples, L), of positions ``(n, n_samples, n_classes, *S)``.

        References
        ----------
        .. [1] Y. Gal and Z. Ghahramani, "Dropout as a Bayesian Approximation", ICML 2016.
        """
        return self._sample_proba_tensor(X, n_samples, random_state, consistent, to="cpu").contiguous().numpy()

    def _sample_proba_tensor(self, X: Rows, *args: Any, **kwargs: Any) -> torch.Tensor:
        return self._sampled(X, self._get_predict_nonlinearity(), *args, **kwargs)

    def _sampled(
        self,
        X: Rows,
        transform: Callable[[Any], Any],
        n_samples: int = 20,
        random_state: Any = None,
        consistent: bool | None = None,
        to: Device = None,
    ) -> torch.Tensor:
        """Return what becomes of the network's outputs (n, K, ...) under draws of its dropout."""
        seed = sampling_seed(random_state)
        with self.scoring(), DropoutSampler(self.network, n_samples, seed, consistent) as sampler:

            def samples(rows: Tensors) -> torch.Tensor:
                args, kwargs = self._call_arguments(rows)
                return transform(logits(sampler(*args, **kwargs)))

            return self.gather(n_rows(X), self.outputs(X, samples), to)

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
        return self._embed_tensor(X, layer, to="cpu").numpy()

    def _embed_tensor(self, X: Rows, layer: str | None = None, to: Device = None) -> torch.Tensor:
        self.check_is_fitted()
        name = layer or self.embedding_layer
        with self.scoring():
            module = self.network
            embeddings = self.outputs(X, lambda rows: embed_batch(module, *self._call_arguments(rows), name))
            return self.gather(n_rows(X), embeddings, to)

    def trim_for_prediction(self) -> None:
        """Drop all that only training needs, see skorch; probabilities stay what they are."""
        self.check_is_fitted()
        # afterwards there is no loss that says what outputs mean
        self.predict_nonlinearity = self._get_predict_nonlinearity()
        super().trim_for_prediction()

    def _get_predict_nonlinearity(self) -> Any:
        self.check_is_fitted()
        criteria = [name for name in self._criteria if name not in self._added_criteria]
        # Of several losses of the user's own, skorch guesses nothing.
        if self.predict_nonlinearity != "auto" or len(criteria) != 1:
            return super()._get_predict_nonlinearity()
        criterion = getattr(self, criteria[0] + "_")
        criterion = getattr(criterion, "_orig_mod", criterion)
        # of torch's losses this one alone takes probabilities of labels
        if isinstance(criterion, nn.BCELoss) and self.multilabel_:
            return nn.Identity()
        if isinstance(criterion, nn.BCEWithLogitsLoss) and not self.multilabel_:
            return two_class_proba_of_flat if self.is_flat_ else two_class_proba
        # Modules return logits whatever the criterion is; of torch's, only NLLLoss is given probabilities by skorch.
        if isinstance(criterion, nn.NLLLoss) and not self.nll_of_logits_:
            return super()._get_predict_nonlinearity()
        return self.task_.proba

    # Before a fit

    def _try_first_rows(self, X: Rows, **fit_params: Any) -> None:
        """Run the first rows: find out how the network treats its inputs, and check its outputs."""
        rows = self._first_rows(X, 8)
        self.integer_inputs_ = any(not values.is_floating_point() for values in entries(rows))
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

    def _first_rows(self, X: Rows, n: int) -> Tensors:
        """Return the first rows as the network gets them, before they are cast."""
        n = min(n, n_rows(X))
        if not self.collates:
            return to_tensors(take(X, slice(0, n)))
        options = [self.get_params_for(prefix) for prefix in iterators.PREFIXES]
        collate = next(given[iterators.COLLATE] for given in options if iterators.COLLATE in given)
        items = ItemDataset(X)
        batch, _ = collate([items[i] for i in range(n)])
        return batch

    def _takes(self, X: Rows) -> bool:
        """Tell whether the network takes rows of other lengths than those fitted, such as longer sequences: ask it."""
        lengths = _lengths(input_shape(X))
        if lengths is None or lengths != _lengths(self.input_shape_):
            return False
        try:
            with self.scoring():
                out = first_output(self.infer(self._first_rows(X, 2)))
        except (*_REFUSALS, ValueError):
            return False
        return out.ndim > 0 and len(out) == min(2, n_rows(X))

    def _try_batch(self, rows: Tensors, **fit_params: Any) -> Any:
        """Run the network on a copy of rows, and see whether it changes them in place."""
        self.writes_inputs_ = True  # makes `cast` copy: casting may return the user's own memory
        batch = self.cast(rows)
        self.writes_inputs_ = False
        versions = [values._version for values in entries(batch)]
        out = self.infer(batch, **fit_params)
        self.writes_inputs_ = versions != [values._version for values in entries(batch)]
        return out

    def _check_outputs(self, out: torch.Tensor) -> None:
        """Raise if outputs are not one column per class, find out what they mean, and warn if they are probabilities.

        One logit per row will do for two classes and ``BCEWithLogitsLoss``.
        """
        criteria = self.parts(["criterion"])
        criterion = getattr(criteria[0], "_orig_mod", criteria[0]) if criteria else None
        self.is_flat_ = out.ndim == 1
        self.is_single_logit_ = isinstance(criterion, nn.BCEWithLogitsLoss) and out.numel() == len(out)
        known = self.known_classes
        n_classes = 0 if known is None else len(known)
        is_wrong = n_classes != 2 if self.is_single_logit_ else not self.task_.fits(out, n_classes)
        # A fit of no epochs, as skorch's users make one to learn the classes, trains nothing.
        if is_wrong and self.max_epochs != 0:
            raise ValueError(
                f"{type(self.network).__name__} returns outputs of shape {tuple(out.shape)} for {len(out)} rows, but "
                f"there are {n_classes} classes; give it that many outputs, or declare with "
                "classes=[...] the label of every output"
            )
        if isinstance(self.task_, Positions):
            # labels of positions are numbers of outputs, of which those taught may be a part
            self.classes_inferred_ = np.arange(out.shape[1])
        self.nll_of_logits_ = isinstance(criterion, nn.NLLLoss) and not are_probabilities(out)
        if isinstance(criterion, nn.CrossEntropyLoss) and are_probabilities(out):
            warnings.warn(
                f"{type(self.network).__name__} returns probabilities, but CrossEntropyLoss takes logits and applies "
                "softmax itself: training will be slow and probabilities too flat; remove the last Softmax",
                UserWarning,
                stacklevel=2,
            )


def _lengths(shape: Any) -> Any:
    """Return how many axes rows have where they may differ in length: of two or more, but not of plain vectors."""
    if isinstance(shape, dict):
        return {key: _lengths(of_entry) for key, of_entry in shape.items()}
    return len(shape) if isinstance(shape, tuple) and len(shape) > 1 else shape
