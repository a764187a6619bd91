"""Batch: the inputs of one call of a network."""

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn
from torch.utils._pytree import tree_flatten, tree_unflatten

from alkit.nets.training.outputs import first_output


class Batch:
    """Inputs of a module: tensors in any nesting, those of n rows along their first axis being rows."""

    def __init__(self, args: tuple, kwargs: dict):
        leaves, self._spec = tree_flatten((args, kwargs))
        # A tensor made in inference mode cannot be overwritten outside of it, as an in-place dropout would; a copy can.
        self._leaves = [leaf.clone() if isinstance(leaf, Tensor) and leaf.is_inference() else leaf for leaf in leaves]
        tensors = [leaf for leaf in self._leaves if isinstance(leaf, Tensor) and leaf.ndim]
        if not tensors:
            raise TypeError("a batch must hold at least one tensor with rows along its first axis")
        self.n = len(tensors[0])

    def _map(self, function: Callable[[Tensor], Tensor]) -> "Batch":
        leaves = [function(leaf) if self._is_rows(leaf) else leaf for leaf in self._leaves]
        return Batch(*tree_unflatten(leaves, self._spec))

    def _is_rows(self, leaf: Any) -> bool:
        return isinstance(leaf, Tensor) and leaf.ndim > 0 and len(leaf) == self.n

    def take(self, rows: list[int]) -> "Batch":
        """Copy some rows."""
        return self._map(lambda leaf: leaf[rows])

    def copy(self) -> "Batch":
        """Copy all rows."""
        return self._map(Tensor.clone)

    def zeros_row(self) -> "Batch":
        """One row of zeros."""
        return self._map(lambda leaf: leaf.new_zeros((1, *leaf.shape[1:])))

    def holds(self, tensor: Tensor) -> bool:
        """Whether a tensor lies in the memory of an input."""
        storage = tensor.untyped_storage()._cdata
        return any(isinstance(leaf, Tensor) and leaf.untyped_storage()._cdata == storage for leaf in self._leaves)

    def geometry(self) -> list:
        """Nesting, shapes, kinds and devices of the inputs, whatever the rows hold and however many they are."""
        tensors = [leaf for leaf in self._leaves if isinstance(leaf, Tensor)]
        return [self._spec, [(self._shape_without_rows(leaf), leaf.dtype, leaf.device) for leaf in tensors]]

    def _shape_without_rows(self, leaf: Tensor) -> tuple[int, ...]:
        return leaf.shape[1:] if self._is_rows(leaf) else leaf.shape

    def run(self, module: nn.Module) -> Tensor:
        """Output of the module, or the first one of several."""
        args, kwargs = tree_unflatten(self._leaves, self._spec)
        output = first_output(module(*args, **kwargs))
        if not isinstance(output, Tensor):
            raise TypeError(
                f"the module returned {type(output).__name__}; it must return a tensor, a tuple that starts with one, "
                "or anything that has it as logits"
            )
        if output.ndim == 0 or len(output) != self.n:
            raise ValueError(f"the module returned shape {tuple(output.shape)} for {self.n} rows; rows must come first")
        return output
