"""Tasks of a classifying network: one label per row, several yes-or-no labels, or a class for each position.

A task says how labels are checked, what codes of them the loss takes, and how outputs become probabilities and labels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from alkit.labels import as_labels
from alkit.nets.training.label_codes import check_labels, class_weights, encode, weights_given
from alkit.nets.training.outputs import softmax

IGNORE_INDEX = -100
"""What marks a position without a label where the loss does not say otherwise, as in torch."""


class Task(Protocol):
    """What a network is trained for."""

    weight_name: str
    """Where the loss keeps the weights of classes."""

    def check(self, y: Any, n: int) -> np.ndarray:
        """Return labels of n rows as an array, or refuse them."""
        ...

    def classes(self, y: np.ndarray, declared: Any) -> np.ndarray:
        """Return the classes, those declared (if not None) or else those in y."""
        ...

    def encode(self, y: np.ndarray, classes: np.ndarray) -> Tensor:
        """Return labels as the loss takes them, or refuse those that are none of the classes."""
        ...

    def class_weights(
        self, class_weight: Any, classes: np.ndarray, y: np.ndarray, sample_weight: np.ndarray | None
    ) -> Tensor | None:
        """Return the weights of classes in the loss."""
        ...

    def fits(self, out: Tensor, n_classes: int) -> bool:
        """Tell whether outputs (n, ...) are those of so many classes."""
        ...

    def proba(self, logits: Tensor) -> Tensor:
        """Return probabilities of logits (n, C, ...) or (n, K, C, ...)."""
        ...


def task_of(name: str | None, y: Any, ignore_index: int = IGNORE_INDEX) -> Task:
    """Return the task that a classifier is fitted to, by its parameter and its labels.

    Parameters
    ----------
    name : {None, "positions"}
        None leaves it to y.
    y : labels
    ignore_index : int
        What marks a position without a label.

    Examples
    --------
    >>> from alkit.nets.training.tasks import task_of
    >>> task_of(None, ["ham", "spam"]), task_of(None, [[0, 1, 1], [1, 0, 0]])
    (OneLabel(), SeveralLabels())
    """
    if name not in (None, "positions"):
        raise ValueError(f"task={name!r} is unknown; choose 'positions', or None, which leaves it to y")
    if name == "positions":
        return Positions(ignore_index, n_axes=max(1, np.asarray(y).ndim - 1))
    return SeveralLabels() if is_label_matrix(as_labels(y)) else OneLabel()


def is_label_matrix(y: Any) -> bool:
    """Tell whether labels are a matrix (n, L) of zeros and ones (or missing), with a column for each of several."""
    values = np.asarray(y)
    if values.ndim != 2 or values.shape[1] < 2 or values.dtype.kind not in "biuf":
        return False
    return bool((np.isin(values, (0, 1)) | np.isnan(values)).all()) and not bool(np.isnan(values).all())


@dataclass(frozen=True)
class OneLabel:
    """One class per row: y (n,), logits (n, C)."""

    weight_name = "weight"

    def check(self, y: Any, n: int) -> np.ndarray:
        """Return labels of n rows as an array (n,), see `check_labels`."""
        return check_labels(y, n)

    def classes(self, y: np.ndarray, declared: Any) -> np.ndarray:
        """Return the classes, sorted."""
        return np.unique(y if declared is None else declared)

    def encode(self, y: np.ndarray, classes: np.ndarray) -> Tensor:
        """Return the position of each label among the classes, (n,)."""
        return encode(y, classes)

    def class_weights(
        self, class_weight: Any, classes: np.ndarray, y: np.ndarray, sample_weight: np.ndarray | None
    ) -> Tensor | None:
        """Return the weight of each class, (C,)."""
        return class_weights(class_weight, classes, y, sample_weight)

    def fits(self, out: Tensor, n_classes: int) -> bool:
        """Tell whether outputs are (n, C)."""
        return out.ndim == 2 and out.shape[1] == n_classes

    def proba(self, logits: Tensor) -> Tensor:
        """Return the softmax over the last axis."""
        return softmax(logits)


@dataclass(frozen=True)
class SeveralLabels:
    """Labels that are on or off by themselves: y (n, L) of zeros and ones, logits (n, L)."""

    weight_name = "pos_weight"

    def check(self, y: Any, n: int) -> np.ndarray:
        """Return labels of n rows as an int matrix (n, L)."""
        labels = np.asarray(as_labels(y))
        if len(labels) != n:
            raise ValueError(f"X has {n} rows, but y has {len(labels)} rows of labels; give every row its labels")
        missing = np.isnan(labels).any(1)
        if missing.any():
            raise ValueError(
                f"Input y contains NaN in {missing.sum()} of {n} rows (first: row {missing.argmax()}); drop rows "
                "without all their labels"
            )
        return labels.astype(np.int64)

    def classes(self, y: np.ndarray, declared: Any) -> np.ndarray:
        """Return the numbers of the labels."""
        n_labels = y.shape[1]
        if declared is not None and len(declared) != n_labels:
            raise ValueError(
                f"y has {n_labels} columns, one per label, but {len(declared)} labels are known; declare with "
                "classes=[...] as many, or leave it out"
            )
        return np.arange(n_labels)

    def encode(self, y: np.ndarray, classes: np.ndarray) -> Tensor:
        """Return the labels as floats (n, L)."""
        if y.ndim != 2 or y.shape[1] != len(classes):
            raise ValueError(
                f"y has shape {y.shape}, but {len(classes)} labels per row are known; give (n, {len(classes)})"
            )
        return torch.from_numpy(y.astype(np.float32))

    def class_weights(
        self, class_weight: Any, classes: np.ndarray, y: np.ndarray, sample_weight: np.ndarray | None
    ) -> Tensor | None:
        """Return how much more each label counts where it is on than where it is off, (L,)."""
        if class_weight is None:
            return None
        if class_weight != "balanced":
            return weights_given(class_weight, classes, "column")
        share_on = torch.from_numpy(np.average(y, axis=0, weights=sample_weight))
        # a label that is always on or always off has nothing to balance
        varies = (share_on > 0) & (share_on < 1)
        return torch.where(varies, (1 - share_on) / share_on, 1.0).float()

    def fits(self, out: Tensor, n_classes: int) -> bool:
        """Tell whether outputs are (n, L)."""
        return out.ndim == 2 and out.shape[1] == n_classes

    def proba(self, logits: Tensor) -> Tensor:
        """Return the probability that each label is on."""
        return torch.sigmoid(logits)


@dataclass(frozen=True)
class Positions:
    """A class for each position of a row: y ``(n, *S)`` of ints, logits ``(n, C, *S)``.

    Parameters
    ----------
    ignore_index : int
        What marks a position without a label.
    n_axes : int
        Axes of S: 1 for the steps of a sequence, 2 for the pixels of a picture.
    """

    ignore_index: int = IGNORE_INDEX
    n_axes: int = 1

    weight_name = "weight"

    def check(self, y: Any, n: int) -> np.ndarray:
        """Return labels of n rows as an int array ``(n, *S)``."""
        labels = np.asarray(y)
        if labels.ndim < 2 or labels.dtype.kind not in "biu":
            raise ValueError(
                f"y is an array of {labels.dtype} of shape {labels.shape}, but with task='positions' it holds for each "
                f"row an int for each position, of the output that is right, or {self.ignore_index} where there is no "
                "label (the loss's ignore_index); turn names into numbers, and pad rows of different lengths"
            )
        if len(labels) != n:
            raise ValueError(f"X has {n} rows, but y has {len(labels)}; give every row its labels")
        labels = labels.astype(np.int64)
        counted = labels[labels != self.ignore_index]
        if not counted.size:
            raise ValueError(f"all {labels.size} positions of y are masked by {self.ignore_index}; label some")
        if counted.min() < 0:
            raise ValueError(
                f"y holds {counted.min()}, which is no output of a network; number classes from 0, or mask positions "
                f"by {self.ignore_index}"
            )
        return labels

    def classes(self, y: np.ndarray, declared: Any) -> np.ndarray:
        """Return the numbers of the outputs."""
        if declared is not None:
            return np.arange(len(declared))
        return np.arange(max(2, y[y != self.ignore_index].max() + 1))

    def encode(self, y: np.ndarray, classes: np.ndarray) -> Tensor:
        """Return the labels as they are, ``(n, *S)``."""
        beyond = (y != self.ignore_index) & ((y < 0) | (y >= len(classes)))
        if beyond.any():
            raise ValueError(
                f"y holds {np.unique(y[beyond]).tolist()[:10]}, but the network has outputs for classes 0 to "
                f"{len(classes) - 1}; mask positions by {self.ignore_index}, or give the network more outputs"
            )
        return torch.from_numpy(y)

    def class_weights(
        self, class_weight: Any, classes: np.ndarray, y: np.ndarray, sample_weight: np.ndarray | None
    ) -> Tensor | None:
        """Return the weight of each class, (C,), by the positions that have a label."""
        counted = y != self.ignore_index
        of_positions = None
        if sample_weight is not None:
            of_rows = sample_weight.reshape(-1, *[1] * self.n_axes)
            of_positions = np.broadcast_to(of_rows, y.shape)[counted]
        return class_weights(class_weight, classes, y[counted], of_positions)

    def fits(self, out: Tensor, n_classes: int) -> bool:
        """Tell whether outputs are ``(n, C, *S)``, of those classes or more."""
        return out.ndim == 2 + self.n_axes and out.shape[1] >= n_classes

    def proba(self, logits: Tensor) -> Tensor:
        """Return the softmax over the axis of classes, which is before those of positions."""
        return torch.softmax(logits, dim=-1 - self.n_axes)
