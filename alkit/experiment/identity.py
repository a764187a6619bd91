"""What a run is known by: names, parameters, sizes, seed, data."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import joblib
import torch
from torch.utils.data import Dataset

from alkit.rows import Rows, n_rows, slices, take
from alkit.strategies import Strategy

_ROWS_AT_A_TIME = 10_000


def run_keys(loops: Sequence[Any], labels: Sequence[tuple], data: Any, scoring: Any) -> list[dict[str, Any]]:
    """Return what determines each run, as plain JSON types."""
    shared = {
        "data": {name: fingerprint(rows) for name, rows in data._asdict().items()},
        "scoring": described(scoring),
        "alkit": sys.modules["alkit"].__version__,
    }
    # labels too: two lambdas have one name
    return [shared | {"label": label, "loop": described(loop)} for label, loop in zip(labels, loops, strict=True)]


def described(value: Any) -> Any:
    """Describe a parameter by plain JSON types: names of classes and functions, hashes of anything else."""
    if isinstance(value, Strategy):
        return repr(value)
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, dict):
        return {str(name): described(entry) for name, entry in value.items()}
    if isinstance(value, (list, tuple, Dataset)):
        return [described(value[i]) for i in range(n_rows(value))]
    if isinstance(value, torch.Tensor):  # whose pickle, which joblib would hash, differs from process to process
        as_bytes = value.detach().cpu().flatten().view(torch.uint8).numpy()
        return [str(value.dtype), *value.shape, joblib.hash(as_bytes)]
    if isinstance(value, torch.nn.Module):
        return [repr(value), joblib.hash(described(value.state_dict()))]
    if hasattr(value, "get_params") and not isinstance(value, type):
        params = sorted(value.get_params(deep=False).items())
        return {"class": described(type(value)), **{name: described(param) for name, param in params}}
    if hasattr(value, "__qualname__"):
        return f"{value.__module__}.{value.__qualname__}"
    return joblib.hash(value)


def fingerprint(rows: Rows) -> list[Any]:
    """Return the number of rows and a hash of them, read a part at a time."""
    n = n_rows(rows)
    return [n, joblib.hash([joblib.hash(described(take(rows, part))) for part in slices(n, _ROWS_AT_A_TIME)])]
