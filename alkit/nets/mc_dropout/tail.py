"""Folded tail: what draws touch of a network, where that is dropout -> linear, once or several times (-> softmax).

(x * mask) @ weight is x @ (mask * weight), with the mask on the rows of the weights. So the K networks differ in their
weights only, and none of them is called.
"""

from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch._ops import OpOverload

from alkit.nets.mc_dropout.masks import SharedMask

# Leaving dropped features out costs a copy of those that are kept, and pays if at most this share of them is.
_MANY_DROPPED = 0.75


@dataclass
class FoldedLayer:
    """Dropout -> linear."""

    mask: SharedMask
    weight: Tensor  # (H, C)
    bias: Tensor | None
    then: list[tuple[OpOverload, tuple]] = field(default_factory=list)
    """What follows up to the next dropout: ops on single numbers, such as a ReLU, with their other arguments."""

    def followed(self, values: Tensor) -> Tensor:
        """Return what follows, run on values of any layout."""
        for func, rest in self.then:
            values = func(values, *rest)
        return values


@dataclass(frozen=True)
class FoldedTail:
    """The end of a network for all samples: layers that draws touch, after x (n, H), which is the same for all."""

    x: Tensor
    layers: tuple[FoldedLayer, ...]
    softmax: OpOverload | None

    def samples(self, n_samples: int) -> Tensor:
        """Return outputs (n, K, C) of samples 0 to K - 1, which in memory are (C, K, n).

        Softmax and scores add over classes: few numbers if these are side by side, and slow to add up on a CPU.
        """
        masks = [layer.mask.of_samples(n_samples) for layer in self.layers]
        if len(self.layers) > 1 and self.x.device.type == "cpu":
            outputs_N_K_C = self._one_by_one(masks)
        else:
            outputs_N_K_C = self._at_once(masks)
        if self.softmax is None:
            return outputs_N_K_C
        return self.softmax(outputs_N_K_C, -1, False)

    def _at_once(self, masks: list[Tensor]) -> Tensor:
        """Compute each layer for all samples by one product, (K, H) masks -> (n, K, C): few ops, and large ones."""
        first, *others = self.layers
        n_samples = len(masks[0])
        weights = (first.weight.t()[:, None] * masks[0]).flatten(0, 1)  # (C * K, H), one below the other
        if first.bias is None:
            outputs = weights @ self.x.t()
        else:
            outputs = torch.addmm(first.bias.repeat_interleave(n_samples)[:, None], weights, self.x.t())
        values_N_K_C = first.followed(outputs.view(-1, n_samples, len(self.x)).permute(2, 1, 0))
        for layer, mask_K_H in zip(others, masks[1:], strict=True):
            weights_K_H_C = mask_K_H[:, :, None] * layer.weight
            products_K_N_C = values_N_K_C.transpose(0, 1) @ weights_K_H_C
            if layer.bias is not None:
                products_K_N_C += layer.bias
            values_N_K_C = layer.followed(products_K_N_C).transpose(0, 1)
        return values_N_K_C

    def _one_by_one(self, masks: list[Tensor]) -> Tensor:
        """Compute sample by sample without what its masks drop, before a layer and after it: a quarter of the work."""
        n_samples = len(masks[0])
        x_H_N = self.x.t().contiguous()  # in rows, which are quick to choose from
        outputs_C_K_N = self.x.new_empty(self.layers[-1].weight.shape[1], n_samples, len(self.x))
        for k in range(n_samples):
            kept = [_kept(mask_K_H[k]) for mask_K_H in masks]
            values = _chosen(x_H_N, 0, kept[0])
            for layer, mask_K_H, read, read_next in zip(self.layers, masks, kept, [*kept[1:], None], strict=True):
                scale_H_1 = _chosen(mask_K_H[k], 0, read)[:, None]
                weight_H_C = _chosen(_chosen(layer.weight, 0, read) * scale_H_1, 1, read_next)
                if layer.bias is None:
                    values = weight_H_C.t() @ values
                else:
                    bias_C = _chosen(layer.bias, 0, read_next)
                    values = torch.addmm(bias_C[:, None], weight_H_C.t(), values)
                values = layer.followed(values)
            outputs_C_K_N[:, k] = values
        return outputs_C_K_N.permute(2, 1, 0)


def _kept(mask_H: Tensor) -> Tensor | None:
    """Return which features a mask keeps; None where it drops few, so that all are."""
    kept = mask_H.nonzero()[:, 0]
    return kept if len(kept) <= _MANY_DROPPED * len(mask_H) else None


def _chosen(values: Tensor, axis: int, kept: Tensor | None) -> Tensor:
    """Return some rows or columns."""
    # not `values[kept]`, which takes six times as long
    return values if kept is None else values.index_select(axis, kept)
