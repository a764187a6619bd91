"""A torch network as a scikit-learn classifier, made for small, growing label sets."""

from __future__ import annotations

from typing import Any

import numpy as np
import skorch
import torch
from torch import nn

from alkit._turns import fits_alone
from alkit.nets.training.sample_weight import as_tensor, scaled_to_classes
from alkit.nets.training.tasks import OneLabel, Positions
from alkit.nets.training.training_net import TrainingNet
from alkit.rows import Rows


class NetClassifier(TrainingNet, skorch.NeuralNetClassifier):
    """A torch network as a scikit-learn classifier: skorch's, made for small, growing label sets.

    Parameters
    ----------
    module : class, callable or instance of torch.nn.Module
        Returns logits of shape (n, n_classes), a tuple that starts with them, or anything that has them as ``logits``
        (attribute or key). A class is built anew at each fit, with ``module__*`` and, where its signature has them,
        ``n_features`` and ``n_classes``; an instance, e.g. a pretrained network, is copied at each fit.
    criterion : class, default=torch.nn.CrossEntropyLoss
        The loss. Of several labels, cross-entropy is that of each, :class:`torch.nn.BCEWithLogitsLoss`. With that, one
        logit per row, that of the second of two classes, will do for one label. :class:`torch.nn.NLLLoss` takes
        probabilities, as in skorch, or log-probabilities, as in torch.
    optimizer : class, default=torch.optim.Adam
        The optimizer. Adam and AdamW run fused unless ``optimizer__fused`` or ``optimizer__foreach`` says otherwise.
    lr : float, default=0.001
        Learning rate.
    max_epochs : int, optional
        Epochs of each fit. By default 20, or as many more as make `min_steps`.
    min_steps : int, optional
        Optimizer steps that each fit takes at least, in epochs beyond `max_epochs` where need be; these end early once
        the training loss is flat, see :func:`alkit.nets.training.budget.is_flat`. By default 1,000 where `max_epochs`
        is left out, and none where it is given. See the notes for what that costs.
    batch_size : int, default=32
        Rows per batch; -1 for all. Scoring takes up to 4,096 vectors, 256 pictures or 32 MB at once, or
        ``iterator_valid__batch_size``.
    batching : {"flexible", "upsample", "fixed"}, default="flexible"
        What becomes of the rest that fills no batch, see :func:`alkit.nets.training.batches.batch_sizes`.
    task : {"positions"}, optional
        "positions" has the network answer for each position of a row, such as a pixel or a step of a sequence: logits
        ``(n, n_classes, *S)``, and y ``(n, *S)`` of ints, each the number of the output that is right or the loss's
        ``ignore_index``, -100 by default, where there is no label. Otherwise y tells: one label per row, or a matrix
        (n, L) of zeros and ones, of several labels per row, as scikit-learn's ``MLPClassifier`` takes it.
    classes : array-like, optional
        Every label there may be, where some may not be seen yet. Sorted, as scikit-learn does.
    class_weight : "balanced" or dict of label to weight, optional
        Weights of the classes in the loss. Of several labels, how much more a label counts where it is on than where it
        is off; the dict names columns.
    warm_start : bool or "shrink_perturb", default=False
        Whether a fit goes on from the last one's weights: as they are, with its optimizer (True), or shrunk and blended
        with new ones [1]_. If the width of X or the classes have changed, a fit starts fresh and warns.
    shrink, perturb : float, default=0.4, 0.1
        Factors of the old and new weights for ``"shrink_perturb"``.
    embedding_layer : str, optional
        Submodule whose output `embed` returns; by default the input of the last linear layer.
    train_split : callable, optional
        As in skorch, e.g. ``skorch.helper.predefined_split(valid_ds)`` or ``skorch.dataset.ValidSplit(5)``.
    random_state : int, RandomState or None, default=None
        Seeds weights, shuffling and dropout of each fit, which then changes no global random state. None draws from
        torch's global state (``torch.manual_seed``).
    verbose : int, default=0
        Whether to print epochs.
    **kwargs : dict
        Whatever else :class:`skorch.NeuralNet` takes: ``callbacks``, ``device``, ``module__*``, ``optimizer__*`` ...

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Known labels, sorted; of several labels per row and of positions, numbers of outputs.
    multilabel_ : bool
        Whether the network was fitted to several labels per row.
    module_ : torch.nn.Module
        The fitted network, in eval mode.
    history_ : skorch.history.History
        Losses and scores of each epoch.
    n_features_in_, feature_names_in_ : int, ndarray of str
        As in scikit-learn, where X is a matrix or DataFrame.

    Notes
    -----
    X is anything with rows (:mod:`alkit.rows`); a dict's entries are passed to ``forward`` by name. Floats are cast to
    the network's dtype. Integers are passed as int64 if the network takes them so on the first rows (token ids), and
    as floats otherwise (pixels). Sparse, memory-mapped and Dataset rows are read a batch at a time.

    Few labels make few batches: 20 epochs of 50 labels are 20 steps, after which a network has hardly begun to learn.
    So by default a fit takes 1,000 steps, or, where it stops improving, from 400: on one core about a second for a
    small perceptron, 12 to 15 seconds for a CNN of 16 and 32 channels on pictures of 28 x 28 pixels. Beyond 1,600
    labels the 20 epochs take more steps than that, and nothing is added. A learning rate schedule made for a number
    of epochs needs ``max_epochs``.

    ``KeyboardInterrupt`` ends a fit with that error, unless skorch's ``EarlyStopping`` raised it. A loss that is not
    finite raises ``ValueError``.

    References
    ----------
    .. [1] J. Ash and R. P. Adams, "On Warm-Starting Neural Network Training", NeurIPS 2020.

    Examples
    --------
    >>> from alkit.nets import NetClassifier
    >>> from sklearn.datasets import load_iris
    >>> from torch import nn
    >>> X, y = load_iris(return_X_y=True)
    >>> net = NetClassifier(nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 3)), lr=0.01, random_state=0)
    >>> net.fit(X, y).predict_proba(X).shape
    (150, 3)
    """

    _targets_named = "the classes"
    _remedy = "; declare all labels with classes=[...] to avoid it"

    def __init__(
        self,
        module: Any,
        *,
        criterion: Any = nn.CrossEntropyLoss,
        optimizer: Any = torch.optim.Adam,
        lr: float = 0.001,
        max_epochs: int | None = None,
        min_steps: int | None = None,
        batch_size: int = 32,
        batching: str = "flexible",
        task: str | None = None,
        classes: Any = None,
        class_weight: Any = None,
        warm_start: bool | str = False,
        shrink: float = 0.4,
        perturb: float = 0.1,
        embedding_layer: str | None = None,
        train_split: Any = None,
        random_state: Any = None,
        verbose: int = 0,
        **kwargs: Any,
    ):
        super().__init__(
            module,
            criterion=criterion,
            optimizer=optimizer,
            lr=lr,
            max_epochs=max_epochs,
            batch_size=batch_size,
            classes=classes,
            warm_start=warm_start,
            train_split=train_split,
            verbose=verbose,
            **kwargs,
        )
        self.min_steps = min_steps
        self.task = task
        self.batching = batching
        self.class_weight = class_weight
        self.shrink = shrink
        self.perturb = perturb
        self.embedding_layer = embedding_layer
        self.random_state = random_state

    @property
    def classes_(self) -> np.ndarray:
        """Known labels, sorted."""
        # As in skorch, an empty list says that nobody is to rely on classes.
        is_hidden = self.classes is not None and not len(self.classes)
        if is_hidden or self.known_classes is None:
            raise AttributeError(f"{type(self).__name__} has no attribute 'classes_'")
        return self.known_classes

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    @fits_alone
    def partial_fit(
        self,
        X: Rows,
        y: Any = None,
        classes: Any = None,
        sample_weight: Any = None,
        epochs: int | None = None,
        **fit_params: Any,
    ) -> NetClassifier:
        """Go on training the network for ``max_epochs`` more (20 where it is None), whatever ``min_steps`` is.

        Parameters
        ----------
        X, y, sample_weight, **fit_params
            As for `fit`.
        classes : array-like, optional
            Every label there may be, at the first call.
        epochs : int, optional
            Epochs to train, in place of ``max_epochs``.

        Returns
        -------
        self
        """

        def learn(X: Rows, y: np.ndarray) -> None:
            # A network that skorch's `initialize` built knows no classes yet.
            is_first_call = not self.initialized_ or "classes_inferred_" not in vars(self)
            if is_first_call:
                declared = self.classes if classes is None else classes
                self._learn_classes(X, y, declared, reset=True)
            else:
                self._learn_classes(X, y, self.known_classes)

        return self._fit_more(X, y, learn, sample_weight, epochs, **fit_params)

    def _learn_targets(self, X: Rows, y: np.ndarray, warm: bool) -> None:
        self._learn_classes(X, y, self._classes_with_those_known(y) if warm else self.classes, reset=True)

    def _learn_classes(self, X: Rows, y: np.ndarray, declared: Any, reset: bool = False) -> None:
        """Remember the classes, those declared or else those in y, and the shape of rows (checked, unless reset)."""
        task = self.task_for(y)
        if not reset and task != self.task_:
            raise ValueError(
                f"y has shape {y.shape}, which is of another task than the network was fitted to ({self.task_}); fit "
                "it again"
            )
        classes = task.classes(y, None if declared is None or not len(declared) else declared)
        task.encode(y, classes)  # raises where y holds a label that is none of them
        if len(classes) < 2:
            raise ValueError(
                f"y holds one class, {classes.tolist()}, but a classifier needs two or more; label rows of another "
                "class, or declare every label there may be with classes=[...]"
            )
        self._check_row_shape(X, reset=reset)
        self.task_, self.classes_inferred_ = task, classes

    def _classes_with_those_known(self, y: np.ndarray) -> Any:
        """Return the classes of a warm start: those declared, or else those known and those in y."""
        known = self.known_classes
        # Labels of another kind are no further classes of the same task.
        if self.classes is not None or known is None or known.dtype.kind != y.dtype.kind:
            return self.classes
        task = self.task_for(y)
        if task != self.task_:
            return None
        if isinstance(task, Positions):
            return max(known, task.classes(y, None), key=len)
        return np.union1d(known, y) if isinstance(task, OneLabel) else None

    def _input_and_targets(self) -> tuple:
        classes = [] if self.known_classes is None else self.known_classes.tolist()
        return self._sized_row(), classes, self.multilabel_

    def _loss_weights(self, y: np.ndarray, sample_weight: np.ndarray | None) -> torch.Tensor | None:
        weights = as_tensor(sample_weight)
        if weights is None and not self.is_single_logit_:
            return None
        codes = self.task_.encode(y, self.classes_inferred_)
        if self.is_single_logit_:
            # a loss of single logits has no weights of classes
            of_classes = self.task_.class_weights(self.class_weight, self.classes_inferred_, y, sample_weight)
            if of_classes is not None:
                weights = of_classes[codes] if weights is None else weights * of_classes[codes]
        elif weights is not None and isinstance(self.task_, OneLabel):
            weights = scaled_to_classes(weights, codes, getattr(vars(self).get("criterion_"), "weight", None))
        return weights

    def _weigh_classes(self, y: np.ndarray, sample_weight: np.ndarray | None) -> None:
        """Put class weights into the loss; "balanced" ones change with y and the weights of rows."""
        name = self.task_.weight_name
        weights = self.task_.class_weights(self.class_weight, self.classes_inferred_, y, sample_weight)
        criterion = vars(self).get("criterion_")
        if not hasattr(criterion, name):
            if weights is None:
                return
            raise TypeError(
                f"class_weight needs a criterion with class weights such as CrossEntropyLoss, not "
                f"{type(criterion).__name__}"
            )
        if self.is_single_logit_:
            return
        # Without class_weight, those that the user's own loss came with are back.
        if weights is None:
            weights = vars(self).get("own_weights_")
        if weights is not None:
            weights = weights.to(self.compute_device, self.dtype_)
        setattr(criterion, name, weights)
