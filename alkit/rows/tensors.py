"""Tensors of torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from alkit._finite import marked_rows
from alkit.rows.kind import RowKind, Rows, register

_DTYPES_OF_NUMPY = (torch.float16, torch.float32, torch.float64)


class _Tensor(RowKind):
    """Tensors, without their gradients: those of the user's tensors are not ours to write."""

    def take(self, X: Rows, rows: Any) -> Rows:
        return X.detach()[rows]

    def stack(self, blocks: Sequence[Rows]) -> Rows:
        return torch.cat([torch.as_tensor(block).detach() for block in blocks])

    def is_of_numbers(self, X: Rows) -> bool:
        return X.ndim == 1

    def dense(self, X: Rows) -> Any:
        return X.detach()

    def readable(self, X: Rows) -> Rows:
        X = X.detach()
        # numpy, and so scikit-learn, has no bfloat16
        return X.float() if X.is_floating_point() and X.dtype not in _DTYPES_OF_NUMPY else X

    def non_finite_rows(self, X: Rows, allow_nan: bool) -> np.ndarray:
        return marked_rows(self.readable(X).cpu().numpy(), allow_nan)


register(torch.Tensor, _Tensor())
