"""The keys of runs in a store: names, parameters, sizes, seed and data, all that determines a run."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import joblib
import torch
from torch.nn.parameter import is_lazy
from torch.utils.data import Dataset

from alkit.rows import Rows, n_rows, slices, take
from alkit.strategies import Strategy

_ROWS_AT_A_TIME = 10_000
_PLAIN = (str, bool, int, float)  # types that JSON has


def run_keys(
    loops: Sequence[Any], labels: Sequence[tuple], data: Sequence[Any], scorers: Mapping[str, Any]
) -> list[dict[str, dict[str, Any]]]:
    """Return the keys of each run's results, one per scorer by its name, as plain JSON types."""
    # splits have the same rows, and seeds the same splits
    hashes: dict[int, list[Any]] = {}
    keys = []
    for label, loop, part in zip(labels, loops, data, strict=True):
        rows = {name: value for name, value in part._asdict().items() if value is not None}
        for value in rows.values():
            if id(value) not in hashes:
                hashes[id(value)] = fingerprint(value)
        shared = {
            "data": {name: hashes[id(value)] for name, value in rows.items()},
            "alkit": sys.modules["alkit"].__version__,
            # with the labels, because two lambdas have the same name
            "label": label,
            "loop": described(loop),
        }
        keys.append({name: shared | {"scoring": _described_scorer(name, scorers)} for name in scorers})
    return keys


def _described_scorer(name: str, scorers: Mapping[str, Any]) -> Any:
    """Describe a scorer; a callable that is one of several by its name as well, as lambdas share theirs."""
    scorer = described(scorers[name])
    return [name, scorer] if callable(scorers[name]) and len(scorers) > 1 else scorer


def described(value: Any) -> Any:
    """Describe a parameter by plain JSON types: names of classes and functions, hashes of anything else."""
    if value is None or isinstance(value, _PLAIN):
        return value
    if isinstance(value, Strategy):
        return _described_strategy(value)
    if isinstance(value, dict):
        return {str(name): described(entry) for name, entry in value.items()}
    if isinstance(value, (list, tuple, Dataset)):
        return [described(value[i]) for i in range(n_rows(value))]
    if isinstance(value, torch.Tensor):
        return _described_tensor(value)
    if isinstance(value, torch.nn.Module):
        weights = described(value.state_dict())
        attributes = map(_described_attributes, value.modules())
        return [repr(value), joblib.hash([weights, *attributes])]
    if isinstance(value, partial):
        return [described(part) for part in (value.func, value.args, value.keywords)]
    if inspect.ismethod(value):
        return [described(value.__func__), described(value.__self__)]
    if hasattr(value, "get_params") and not isinstance(value, type):
        return _described_estimator(value)
    if hasattr(value, "__qualname__"):
        return _described_function(value)
    return joblib.hash(value)


def _described_strategy(strategy: Strategy) -> Any:
    """Describe a strategy by its repr, which holds all parameters, unless one of them is an object."""
    if all(value is None or isinstance(value, _PLAIN) for value in strategy.params.values()):
        return repr(strategy)
    return [strategy.name, described(strategy.params), described(strategy.of), strategy.part]


def _described_tensor(tensor: torch.Tensor) -> Any:
    """Describe a tensor, whose pickle, which joblib would hash, differs from process to process."""
    if is_lazy(tensor):
        return "uninitialized"
    as_bytes = tensor.detach().cpu().flatten().view(torch.uint8).numpy()
    return [str(tensor.dtype), *tensor.shape, joblib.hash(as_bytes)]


def _described_attributes(module: torch.nn.Module) -> Any:
    """Describe the attributes that a module's forward may read and neither its repr nor its state shows."""
    public = {name: value for name, value in vars(module).items() if not name.startswith("_")}
    return described(public)


def _described_estimator(estimator: Any) -> dict[str, Any]:
    """Describe an estimator by its parameters and, if it is fitted, by its fitted attributes."""
    params = sorted(estimator.get_params(deep=False).items())
    description = {"class": described(type(estimator))}
    description |= {name: described(param) for name, param in params}
    attributes = vars(estimator).items()
    learned = {name: value for name, value in attributes if name.endswith("_") and not name.startswith("_")}
    # skorch's nets have such attributes before fit, too
    if learned and getattr(estimator, "initialized_", True):
        description["learned"] = joblib.hash(described(learned))
    return description


def _described_function(function: Any) -> Any:
    """Describe a class or function by its name, and by the values of its closure and defaults."""
    name = f"{function.__module__}.{function.__qualname__}"
    cells = getattr(function, "__closure__", None) or ()
    enclosed = [cell.cell_contents for cell in cells]
    defaults = getattr(function, "__defaults__", None) or ()
    # a recursive function encloses itself
    values = [value for value in (*enclosed, *defaults) if value is not function]
    if not values:
        return name
    return [name, described(values)]


def fingerprint(rows: Rows) -> list[Any]:
    """Return the number of rows and a hash of them, which reads them part by part."""
    n = n_rows(rows)
    hashes = [joblib.hash(described(take(rows, part))) for part in slices(n, _ROWS_AT_A_TIME)]
    return [n, joblib.hash(hashes)]
