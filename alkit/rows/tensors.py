"""Tensors of torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from alkit._finite import marked_rows
from alkit.rows.kind import RowKind, Rows, register


class _Tensor(RowKind):
    def stack(self, blocks: Sequence[Rows]) -> Rows:
        return torch.cat([torch.as_tensor(block) for block in blocks])

    def dense(self, X: Rows) -> Any:
        return X.detach()  # gradients of the user's tensors are not ours to write

    def non_finite_rows(self, X: Rows, allow_nan: bool) -> np.ndarray:
        values = X.detach().cpu()
        if values.dtype == torch.bfloat16:  # which numpy does not have
            values = values.float()
        return marked_rows(values.numpy(), allow_nan)


register(torch.Tensor, _Tensor())
