"""A torch network as a scikit-learn regressor, made for small, growing sets of labels."""

from __future__ import annotations

from typing import Any

import numpy as np
import skorch
import torch
from torch import nn

from alkit._turns import fits_alone
from alkit.nets.training.reading_net import Device
from alkit.nets.training.target_scale import TargetScale, check_numbers
from alkit.nets.training.training_net import TrainingNet
from alkit.rows import Rows

# Draws for the standard deviation of a prediction: always the same, so that other rows do not change that of a row.
_STD_DRAWS, _STD_SEED = 20, 0


class NetRegressor(TrainingNet, skorch.NeuralNetRegressor):
    """A torch network as a scikit-learn regressor: skorch's, made for small, growing sets of labels.

    Parameters
    ----------
    module : class, callable or instance of torch.nn.Module
        Returns numbers of shape (n, n_outputs), or (n,) for one output; a tuple that starts with them, or anything that
        has them as ``logits``. A class is built anew at each fit, with ``module__*`` and, where its signature has them,
        ``n_features`` and ``n_outputs``; an instance, e.g. a pretrained network, is copied at each fit.
    criterion : class, default=torch.nn.MSELoss
        The loss, of outputs and scaled y, both (n, n_outputs).
    optimizer, lr, max_epochs, min_steps, batch_size, batching, warm_start, shrink, perturb, embedding_layer
        As in :class:`NetClassifier`. A warm start keeps the scale of y as the network has learnt it.
    train_split, random_state, verbose, **kwargs
        As in :class:`NetClassifier`.

    Attributes
    ----------
    module_ : torch.nn.Module
        The fitted network, in eval mode. Its outputs are scaled: `predict` puts them into the units of y.
    scale_ : TargetScale
        Mean and standard deviation of y, (n_outputs,) each.
    n_outputs_ : int
        Numbers per row.
    history_ : skorch.history.History
        Losses and scores of each epoch; losses are those of scaled y.
    n_features_in_, feature_names_in_ : int, ndarray of str
        As in scikit-learn, where X is a matrix or DataFrame.

    Notes
    -----
    X is what it is for :class:`NetClassifier`, and so is how long a fit takes. y is scaled to mean 0 and standard
    deviation 1, so that a learning rate means the same in any unit; X is not.

    Examples
    --------
    >>> from alkit.nets import NetRegressor
    >>> from sklearn.datasets import load_diabetes
    >>> from torch import nn
    >>> X, y = load_diabetes(return_X_y=True, scaled=False)
    >>> X = (X - X.mean(0)) / X.std(0)
    >>> layers = nn.Linear(10, 32), nn.ReLU(), nn.Dropout(0.2), nn.Linear(32, 1)
    >>> net = NetRegressor(nn.Sequential(*layers), max_epochs=30, random_state=0)
    >>> mean, std = net.fit(X, y).predict(X, return_std=True)
    >>> mean.shape, std.shape, net.sample_y(X, n_samples=5, random_state=0).shape
    ((442,), (442,), (442, 5))
    """

    scale_: TargetScale
    _targets_named = "the number of outputs"

    def __init__(
        self,
        module: Any,
        *,
        criterion: Any = nn.MSELoss,
        optimizer: Any = torch.optim.Adam,
        lr: float = 0.001,
        max_epochs: int | None = None,
        min_steps: int | None = None,
        batch_size: int = 32,
        batching: str = "flexible",
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
            warm_start=warm_start,
            train_split=train_split,
            verbose=verbose,
            **kwargs,
        )
        self.min_steps = min_steps
        self.batching = batching
        self.shrink = shrink
        self.perturb = perturb
        self.embedding_layer = embedding_layer
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    @property
    def predict_proba(self) -> Any:
        """None: skorch's regressors have it, under which name their predictions would be taken for probabilities."""
        raise _has_no(self, "predict_proba")

    @property
    def sample_proba(self) -> Any:
        """None: see `sample_y`."""
        raise _has_no(self, "sample_proba")

    @property
    def known_classes(self) -> None:
        """None: numbers are no classes."""
        return None

    @fits_alone
    def partial_fit(
        self, X: Rows, y: Any = None, sample_weight: Any = None, epochs: int | None = None, **fit_params: Any
    ) -> NetRegressor:
        """Go on training the network for ``max_epochs`` more (20 where it is None), whatever ``min_steps`` is.

        Parameters
        ----------
        X, y, sample_weight, **fit_params
            As for `fit`. The first y gives the scale.
        epochs : int, optional
            Epochs to train, in place of ``max_epochs``.

        Returns
        -------
        self
        """

        def learn(X: Rows, y: np.ndarray) -> None:
            is_first_call = not self.initialized_ or "scale_" not in vars(self)
            if not is_first_call and y.shape[1:] != self.target_shape_:
                raise ValueError(
                    f"y has shape {y.shape}, but the network was taught {self.n_outputs_} numbers per row; give it as "
                    "many, or fit it again"
                )
            self._check_row_shape(X, reset=is_first_call)
            self._learn_scale(y, sample_weight, keep=not is_first_call)

        return self._fit_more(X, y, learn, sample_weight, epochs, **fit_params)

    def predict(self, X: Rows, return_std: bool = False) -> Any:
        """Return the numbers predicted, and how far they spread under draws of dropout.

        Parameters
        ----------
        X : array, sparse matrix, DataFrame, tensor, list, dict or Dataset of n rows
            The rows, read a batch at a time.
        return_std : bool, default=False
            Whether to return the standard deviation of 20 draws too: the same draws at every call.

        Returns
        -------
        ndarray of shape (n,) or (n, n_outputs), float64
            As y was fitted; with ``return_std=True`` a pair of them.

        Raises
        ------
        ValueError
            If X is not like the rows fitted, or the network returns NaN; with ``return_std=True`` also if it has no
            dropout.
        """
        predicted = self._predict_tensor(X, return_std, to="cpu")
        return tuple(part.numpy() for part in predicted) if return_std else predicted.numpy()

    def _predict_tensor(self, X: Rows, return_std: bool = False, to: Device = None) -> Any:
        transform = self._get_predict_nonlinearity()
        predicted = self._restored(self._scored(X, transform, to))
        if not return_std:
            return predicted
        # of scaled outputs: rounding of a large mean is no spread
        samples = self._sampled(X, transform, _STD_DRAWS, _STD_SEED, to=to)
        spread = samples.double().reshape(len(predicted), _STD_DRAWS, -1).std(1, correction=0)
        return predicted, (spread * torch.from_numpy(self.scale_.std).to(spread)).reshape(predicted.shape)

    def sample_y(
        self, X: Rows, n_samples: int = 20, random_state: Any = None, consistent: bool | None = None
    ) -> np.ndarray:
        """Return predictions under draws of the network's dropout: samples of an approximate posterior.

        Parameters
        ----------
        X, n_samples, random_state, consistent
            As in :meth:`NetClassifier.sample_proba`.

        Returns
        -------
        ndarray of shape (n, n_samples) or (n, n_samples, n_outputs), float64

        Raises
        ------
        ValueError
            If the network has no dropout.
        """
        return self._sample_y_tensor(X, n_samples, random_state, consistent, to="cpu").numpy()

    def _sample_y_tensor(self, X: Rows, *args: Any, **kwargs: Any) -> torch.Tensor:
        return self._restored(self._sampled(X, self._get_predict_nonlinearity(), *args, **kwargs), axes=2)

    def _restored(self, outputs: torch.Tensor, axes: int = 1) -> torch.Tensor:
        """Return outputs, whose first axes are not those of y, in the units and the shape of y."""
        if "scale_" not in vars(self):
            return outputs
        leading = outputs.shape[:axes]
        return self.scale_.restored(outputs.reshape(*leading, -1)).reshape(*leading, *self.target_shape_)

    # What y holds

    def checked_targets(self, y: Any, n: int) -> np.ndarray:
        """Return y of n rows as floats, or refuse it."""
        return check_numbers(y, n)

    def encoded(self, y: np.ndarray) -> torch.Tensor | None:
        """Return y as the loss takes it: scaled, (n, n_outputs)."""
        return self.scale_.scaled(y) if "scale_" in vars(self) else None

    def _learn_targets(self, X: Rows, y: np.ndarray, warm: bool) -> None:
        self._check_row_shape(X, reset=True)
        self._learn_scale(y, None, keep=warm)

    def _learn_scale(self, y: np.ndarray, sample_weight: np.ndarray | None, keep: bool) -> None:
        """Remember the shape of y, and its mean and spread unless those known are to be kept and will do."""
        self.target_shape_ = y.shape[1:]
        self.n_outputs_ = y.shape[1] if y.ndim == 2 else 1
        if keep and len(self.scale_.std) == self.n_outputs_ and self.scale_.std.all():
            return
        self.scale_ = TargetScale.of(y, sample_weight)

    def _input_and_targets(self) -> tuple:
        return self._sized_row(), getattr(self, "n_outputs_", 0)

    def _start_fresh(self, y: np.ndarray, sample_weight: np.ndarray | None) -> None:
        self._learn_scale(y, sample_weight, keep=False)
        super()._start_fresh(y, sample_weight)

    def _output_sizes(self) -> dict[str, int]:
        return {"n_outputs": self.n_outputs_} if "n_outputs_" in vars(self) else {}

    # What the network returns

    def _criterion_arguments(self, out: torch.Tensor, codes: Any) -> tuple[torch.Tensor, torch.Tensor]:
        return out.reshape(len(out), -1), codes.to(out)

    def _get_predict_nonlinearity(self) -> Any:
        # that of skorch: an output is a number as it is, unless the user gave a function
        return skorch.NeuralNet._get_predict_nonlinearity(self)

    def _check_outputs(self, out: torch.Tensor) -> None:
        n = len(out)
        n_outputs = out.numel() // max(n, 1)
        # a fit of no epochs trains nothing
        if n_outputs != self.n_outputs_ and self.max_epochs != 0:
            raise ValueError(
                f"{type(self.network).__name__} returns outputs of shape {tuple(out.shape)} for {n} rows, but y has "
                f"{self.n_outputs_} number(s) per row; give it that many outputs"
            )

    def _as_taught(self, batch: Any) -> Any:
        X, targets = super()._as_taught(batch)
        # what callbacks score is compared with predictions, which are in the units of y
        return X, self._restored(targets.detach().cpu()).numpy()


def _has_no(regressor: NetRegressor, method: str) -> AttributeError:
    return AttributeError(f"{type(regressor).__name__!r} object has no attribute {method!r}: it predicts numbers")
