"""Several answers per row: several labels (yes or no each), several outputs, or a class for each position.

Whatever form a model gives them in, they become distributions with an axis of answers, ``(n, A, C)``, and posterior
samples of them, ``(n, A, K, C)``. A score of single rows is then taken of each answer, as if it were a row, and the
scores of a row's answers are reduced to one.

===================================== ============================= ==========================
what the model returns                as                            becomes
===================================== ============================= ==========================
probabilities that labels are on      ``(n, L)``, ``(n, K, L)``     ``(n, L, 2)``, ``(n, L, K, 2)``
one array for each of L outputs       list of ``(n, C_l)``          ``(n, L, max C_l)``
probabilities at positions ``*S``     ``(n, C, *S)``                ``(n, prod(S), C)``
===================================== ============================= ==========================
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from sklearn.ensemble import StackingClassifier
from sklearn.utils import get_tags
from torch import Tensor

from alkit._tensors import as_array, as_tensor
from alkit.strategies.levels import iter_members, levels

ANSWERED = {
    "proba": 2,
    "class_scores": 2,
    "samples": 3,
    "votes": 3,
    "true_loss": 1,
}
"""Quantities that have an axis of answers where a row has several, and how many axes they have where it has one."""
REDUCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "mean": lambda scores_n_A: scores_n_A.mean(1),
    "max": lambda scores_n_A: scores_n_A.amax(1),
    "sum": lambda scores_n_A: scores_n_A.sum(1),
}
"""How the scores of a row's answers become one."""
_OF_WHOLE_ROWS = ("label_proba", "embedding", "features", "loss", "cost")
"""Quantities of rows that have no axis of answers: a score that reads them too is shown them with each answer."""


def has_several_labels(model: Any) -> bool | None:
    """Tell whether a fitted model predicts several labels per row, by what its fit has left; None where nothing tells.

    Parameters
    ----------
    model : estimator, modAL learner or Committee

    Returns
    -------
    bool or None

    Examples
    --------
    >>> from sklearn.datasets import make_multilabel_classification
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.multiclass import OneVsRestClassifier
    >>> from alkit.strategies.answers import has_several_labels
    >>> X, Y = make_multilabel_classification(random_state=0)
    >>> model = OneVsRestClassifier(LogisticRegression())
    >>> has_several_labels(model.fit(X, Y)), has_several_labels(model.fit(X, Y[:, 0]))
    (True, False)
    """
    estimator = levels(model)[-1].estimator
    members = [has_several_labels(member) for member in iter_members(estimator)]
    if members:
        return members[0]
    # networks of skorch have it before a fit, when it tells nothing
    if hasattr(estimator, "multilabel_") and getattr(estimator, "initialized_", True):
        return bool(estimator.multilabel_)
    # one array of classes for each output, no list of classes
    classes = getattr(estimator, "classes_", None)
    if isinstance(classes, list) and np.ndim(classes[:1]) > 1:
        return True
    # what the networks and linear models of scikit-learn have learnt y with
    binarizer: Any = getattr(estimator, "_label_binarizer", None)
    if hasattr(binarizer, "y_type_"):
        return binarizer.y_type_.startswith("multilabel")
    return None


def may_have_several_labels(model: Any) -> bool:
    """Tell whether a model says by scikit-learn's tags that it can be fitted to several labels per row."""
    try:
        tags = get_tags(levels(model)[-1].estimator)
    except (AttributeError, TypeError):  # not a scikit-learn estimator
        return False
    return tags.classifier_tags is not None and bool(tags.classifier_tags.multi_label)


def several_labels_in(y: Any) -> bool | None:
    """Tell whether labels are several per row; None where there are no labels."""
    return None if y is None else np.ndim(y) == 2 and np.shape(y)[1] > 1


def distributions(values: Any, n_axes: int, several_labels: bool) -> Tensor:
    """Return what a model answers with an axis of answers behind that of rows, where a row has several.

    Parameters
    ----------
    values : Tensor, array-like, or list of one array per output
        Probabilities: (n, C), (n, L), ``(n, C, *S)``, or of posterior samples (n, K, C), (n, K, L), ``(n, K, C, *S)``.
    n_axes : int
        How many axes one answer per row has: 2 for probabilities, 3 for those of posterior samples.
    several_labels : bool
        Whether the last of so many axes is one of labels, not one of classes.

    Returns
    -------
    Tensor (n, C) or (n, K, C), or of several answers (n, A, C) or (n, A, K, C)
        On the device of the answer.

    Examples
    --------
    >>> import numpy as np
    >>> from alkit.strategies.answers import distributions
    >>> distributions(np.array([[0.25, 1.0]]), 2, several_labels=True).tolist()
    [[[0.75, 0.25], [0.0, 1.0]]]
    >>> distributions(np.zeros((7, 3, 8, 8)), 2, several_labels=False).shape
    torch.Size([7, 64, 3])
    """
    if are_per_output(values, n_axes):
        return as_tensor(_side_by_side(values))
    values = as_tensor(values)
    if values.ndim > n_axes:
        return values.flatten(n_axes).movedim(-1, 1).contiguous()
    if values.ndim == n_axes and several_labels:
        return torch.stack([1 - values, values], -1).movedim(-2, 1).contiguous()
    return values


def of_labels_on(model: Any, proba: Any) -> Any:
    """Return probabilities as a model gives them, of labels being on where it gives those of their being off.

    scikit-learn's StackingClassifier does, fitted to several labels: of each it gives the first of two classes.
    """
    estimator = levels(model)[-1].estimator
    is_of_off = isinstance(estimator, StackingClassifier) and has_several_labels(estimator)
    return 1 - np.asarray(proba) if is_of_off else proba


def are_per_output(values: Any, n_axes: int) -> bool:
    """Tell whether an answer is a list of one array per output, not a list of rows."""
    return isinstance(values, list) and len(values) > 0 and np.ndim(values[0]) == n_axes


def sum_to_one(values: Any, n_axes: int) -> bool:
    """Tell whether an answer is one per row, and sums to one over its classes."""
    return not isinstance(values, list) and values.ndim == n_axes and bool(abs(values.sum(-1) - 1).max() < 0.01)


def _side_by_side(outputs: list[np.ndarray]) -> np.ndarray:
    """Return the probabilities of several outputs in one array, (n, A, ..., C); classes that an output lacks are 0."""
    arrays = [np.asarray(output) for output in outputs]
    most = max(array.shape[-1] for array in arrays)
    padding = [(0, 0)] * (arrays[0].ndim - 1)
    padded = [np.pad(array, [*padding, (0, most - array.shape[-1])]) for array in arrays]
    return np.stack(padded, axis=1)


def scores_of_decisions(decisions: Any, several_labels: bool) -> np.ndarray:
    """Return decision values as one score per class in (-1, 0], the best being 0; two classes may have one value.

    The lead g of the best over the second becomes g / (1 + g), below 1, so that a margin ranks rows by g.

    Parameters
    ----------
    decisions : array (n,), (n, C), or (n, L) of several labels

    Returns
    -------
    array (n, C) or (n, L, 2)
    """
    decisions = np.asarray(decisions, dtype=float)
    if decisions.ndim == 1 or several_labels:
        decisions = np.stack([np.zeros_like(decisions), decisions], axis=-1)
    # of an infinite value NaN remains, which is refused later
    with np.errstate(invalid="ignore"):
        behind = decisions.max(axis=-1, keepdims=True) - decisions
        return -behind / (1 + behind)


def proba_of_labels(values: Tensor, classes: Any) -> Tensor | None:
    """Return the probability that each label is on, (n, L), or None where the answers are not all yes or no.

    Parameters
    ----------
    values : Tensor (n, A, C) of `distributions`
    classes : list of array, or anything else
        The classes of each output, where a model has such a list: an output that has met one answer has one class.
    """
    if values.ndim != 3 or values.shape[2] > 2:
        return None
    if not isinstance(classes, list):
        return values[:, :, 1] if values.shape[2] == 2 else None
    proba = values.new_zeros(values.shape[:2])
    for label, known in enumerate(classes):
        if not np.isin(known, (0, 1)).all():
            return None
        on = np.flatnonzero(np.asarray(known) == 1)
        if on.size:
            proba[:, label] = values[:, label, on[0]]
    return proba


def label_proba_of(estimator: Any, X: Any, **predict_proba_kwargs: Any) -> np.ndarray:
    """Return the probability that each label is on, (n, L), in whatever form an estimator has it.

    Raises
    ------
    TypeError
        If its answers are not all yes or no.
    """
    answer = of_labels_on(estimator, estimator.predict_proba(X, **predict_proba_kwargs))
    if not are_per_output(answer, ANSWERED["proba"]):
        return np.asarray(answer)
    proba = proba_of_labels(distributions(answer, ANSWERED["proba"], True), estimator.classes_)
    if proba is None:
        raise TypeError(
            f"{estimator!r} predicts outputs of other classes than 0 and 1, which a committee cannot take; encode each "
            "class of an output as a label of its own"
        )
    return as_array(proba)


def positions_of_labels(y: Any, classes: Any, n_classes: int | None = None) -> np.ndarray:
    """Return the classes of several answers per row, as their positions among those of each answer: (n, A) of int.

    Parameters
    ----------
    y : array (n, L) of labels, or ``(n, *S)`` of classes at positions
    classes : list of array, or anything else
        The classes of each output, where a model has such a list; of yes-or-no labels and of positions, labels are
        positions of classes already.
    n_classes : int, optional
        How many classes of positions there are, where that is known.

    Returns
    -------
    int array (n, A)
        -1 where a position is masked, by a negative number or one that is none of the classes. Where an output has not
        met a label, the number of its classes.
    """
    y = np.asarray(y).reshape(len(y), -1)
    if isinstance(classes, list):
        columns = [_found(column, known) for column, known in zip(y.T, classes, strict=True)]
        return np.stack(columns, axis=1)
    known = y >= 0 if n_classes is None else (y >= 0) & (y < n_classes)
    return np.where(known, y, -1).astype(np.int64)


def _found(labels: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Return the position of each label among sorted classes, their number where it is none of them."""
    places = np.searchsorted(known, labels).clip(max=len(known) - 1)
    return np.where(known[places] == labels, places, len(known))


def losses_of_answers(proba: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Return -log of the probability of each right answer, (n, A); 0 of one that is masked.

    Parameters
    ----------
    proba : array (n, A, C)
    positions : int array (n, A)
        The right classes, see `positions_of_labels`.
    """
    # a class that an output has not met has probability 0
    with_unmet = np.pad(proba, [(0, 0), (0, 0), (0, 1)])
    masked = positions < 0
    right = np.take_along_axis(with_unmet, np.where(masked, 0, positions)[:, :, None], 2)[:, :, 0]
    losses = -np.log(np.maximum(right, np.finfo(proba.dtype).tiny))
    return np.where(masked, 0, losses).astype(proba.dtype)


def scores_of_rows(
    score: Callable[..., Tensor], needs: Iterable[str], tensors: dict[str, Tensor], reduce: str
) -> Tensor:
    """Return the score of each row, (n,): of several answers, each is scored as a row is, and the scores are reduced.

    Parameters
    ----------
    score : callable
        ``score(*needs) -> (n,)``.
    needs : iterable of str
        What it reads.
    tensors : dict of Tensor
        Those quantities, with an axis of answers where a row has several.
    reduce : {"mean", "max", "sum"}

    Returns
    -------
    Tensor (n,)

    Examples
    --------
    >>> import torch
    >>> from alkit.strategies.answers import scores_of_rows
    >>> from alkit.strategies.scores import least_confident
    >>> proba = torch.tensor([[[0.5, 0.5], [1.0, 0.0]]])
    >>> scores_of_rows(least_confident, ["proba"], {"proba": proba}, "mean")
    tensor([0.2500])
    """
    several = [name for name in needs if tensors[name].ndim > ANSWERED.get(name, tensors[name].ndim)]
    if not several:
        return score(*(tensors[name] for name in needs))
    n, n_answers = tensors[several[0]].shape[:2]
    inputs = []
    for name in needs:
        if name in several:
            inputs.append(tensors[name].flatten(0, 1))
        elif name in _OF_WHOLE_ROWS:
            inputs.append(tensors[name].repeat_interleave(n_answers, 0))
        else:
            inputs.append(tensors[name])
    return REDUCTIONS[reduce](score(*inputs).unflatten(0, (n, n_answers)))


def check_reduce(reduce: Any) -> None:
    """Refuse what is no way to reduce scores."""
    if reduce not in REDUCTIONS:
        raise ValueError(f"reduce={reduce!r}; choose {', '.join(map(repr, REDUCTIONS))}")
