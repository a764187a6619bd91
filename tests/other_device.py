"""A device that is not there: its tensors compute on the CPU, and refuse to meet those of the CPU as a GPU's do.

torch takes them for tensors of its device "meta", which every build has, though these have values.
"""

from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

aten = torch.ops.aten
OTHER = torch.device("meta")
# of an index as well, torch takes one of the CPU
_CROSSINGS = (aten._to_copy.default, aten.copy_.default, aten.index.Tensor, aten.index_put_.default)


class _There(Tensor):
    """A tensor of the other device; `values` are those on the CPU that it stands for."""

    @staticmethod
    def __new__(cls, values):
        layout = {"strides": values.stride(), "storage_offset": values.storage_offset(), "dtype": values.dtype}
        return Tensor._make_wrapper_subclass(cls, values.shape, **layout, device=OTHER)

    def __init__(self, values):
        self.values = values

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        return _run(func, args, kwargs or {})


class OtherDevice(TorchDispatchMode):
    """Within it the other device takes part: tensors can be made there, or moved there by ``.to(OTHER)``.

    Examples
    --------
    >>> import torch
    >>> from tests.other_device import OTHER, OtherDevice
    >>> with OtherDevice():
    ...     there = torch.ones(3).to(OTHER)
    ...     (there * 2).sum().item()
    6.0
    """

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        """Run an op."""
        return _run(func, args, kwargs or {})


def _run(func: Any, args: tuple, kwargs: dict) -> Any:
    """Run an op on the values; its results are there if its operands are, unless a device is named."""
    operands = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
    there = [operand for operand in operands if isinstance(operand, _There)]
    here = [operand for operand in operands if not isinstance(operand, _There)]
    # as on a GPU, a number of the CPU may take part
    if there and func not in _CROSSINGS and any(operand.ndim for operand in here):
        raise RuntimeError(f"{func} has operands on two devices")
    device = kwargs.get("device")
    on_values = kwargs | {"device": torch.device("cpu")} if device is not None else kwargs
    results = func(*tree_map(_values, args), **tree_map(_values, on_values))
    if func is aten.copy_.default:
        return args[0]
    if not there if device is None else torch.device(device) != OTHER:
        return results
    # what an op writes into is handed back as it is
    known = {id(operand.values): operand for operand in there}
    return tree_map(lambda leaf: known[id(leaf)] if id(leaf) in known else _wrapped(leaf), results)


def _values(leaf: Any) -> Any:
    return leaf.values if isinstance(leaf, _There) else leaf


def _wrapped(leaf: Any) -> Any:
    return _There(leaf) if isinstance(leaf, Tensor) else leaf
