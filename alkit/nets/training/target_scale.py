"""Numbers to predict: checked, and scaled to mean 0 and standard deviation 1, as networks learn them best."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch

from alkit.labels import as_numbers


def check_numbers(y: Any, n: int) -> np.ndarray:
    """Return y as floats, one number per row or several.

    Parameters
    ----------
    y : array-like of shape (n,) or (n, n_outputs)
        Numbers.
    n : int
        Number of rows of X.

    Returns
    -------
    ndarray of shape (n,) or (n, n_outputs), float64

    Raises
    ------
    ValueError
        If they are no numbers, not finite, or not as many as rows.

    Examples
    --------
    >>> from alkit.nets.training.target_scale import check_numbers
    >>> check_numbers([1, 2], 2)
    array([1., 2.])
    """
    y = as_numbers(y)
    if len(y) != n:
        raise ValueError(f"X has {n} rows, but y has {len(y)}; give every row its number, or its row of numbers")
    return y


class TargetScale(NamedTuple):
    """Mean and standard deviation of each output, (n_outputs,)."""

    mean: np.ndarray
    std: np.ndarray

    @classmethod
    def of(cls, y: np.ndarray, sample_weight: np.ndarray | None = None) -> TargetScale:
        """Return the scale of numbers (n,) or (n, n_outputs), each row counting by its weight.

        An output that is the same for all rows has a spread of 0, and is predicted as that number.

        Examples
        --------
        >>> import numpy as np
        >>> from alkit.nets.training.target_scale import TargetScale
        >>> TargetScale.of(np.array([1.0, 3.0]))
        TargetScale(mean=array([2.]), std=array([1.]))
        """
        matrix = y.reshape(len(y), -1)
        # squares of the largest floats would be infinite
        size = np.abs(matrix).max(axis=0)
        size[size == 0] = 1
        shares = matrix / size
        mean = np.average(shares, axis=0, weights=sample_weight)
        std = np.sqrt(np.average((shares - mean) ** 2, axis=0, weights=sample_weight))
        # what rounding leaves of a constant is no spread
        std[std <= 10 * np.finfo(float).eps] = 0
        return cls(mean * size, std * size)

    def scaled(self, y: np.ndarray) -> torch.Tensor:
        """Return numbers (n,) or (n, n_outputs) as a loss takes them: a float tensor (n, n_outputs)."""
        units = np.where(self.std == 0, 1, self.std)
        matrix = (y.reshape(len(y), -1) - self.mean) / units
        return torch.from_numpy(matrix).to(torch.get_default_dtype())

    def restored(self, outputs: torch.Tensor) -> torch.Tensor:
        """Return outputs of a network (..., n_outputs) in the units of y, float64."""
        std, mean = (torch.from_numpy(part).to(outputs.device) for part in (self.std, self.mean))
        return outputs.double() * std + mean
