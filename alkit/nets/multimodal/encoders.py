"""Encoders of one modality: from its rows to vectors of one width, with zeros for the rows that lack it."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from alkit.nets.multimodal.rows import Shape, present_rows


class Residual(nn.Module):
    """A residual block [1]_: x + f(norm(x)), where f is a linear layer, ReLU and dropout; (n, width) -> (n, width).

    References
    ----------
    .. [1] K. He et al., "Identity Mappings in Deep Residual Networks", ECCV 2016.
    """

    def __init__(self, width: int, dropout: float):
        super().__init__()
        self.change = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, width),
            nn.ReLU(),
            nn.Dropout(dropout),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Add a change to x."""
        return x + self.change(x)


class Highway(nn.Module):
    """A highway layer [1]_: t(x) f(x) + (1 - t(x)) x; (n, width) -> (n, width).

    References
    ----------
    .. [1] R. K. Srivastava, K. Greff and J. Schmidhuber, "Highway Networks", ICML workshop on deep learning 2015.
    """

    def __init__(self, width: int, dropout: float):
        super().__init__()
        self.change = nn.Sequential(
            nn.Linear(width, width),
            nn.ReLU(),
            nn.Dropout(dropout),
        )
        self.gate = nn.Linear(width, width)
        # As in the paper: a layer begins by passing on most of x, which lets gradients through many of them.
        nn.init.constant_(self.gate.bias, -1.0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Blend x with a change of it, by the gate."""
        changed = self.change(x)
        gate = torch.sigmoid(self.gate(x))
        return torch.lerp(x, changed, gate)


def mlp_layers(width: int, depth: int, dropout: float) -> list[nn.Module]:
    """Return plain layers: (n, width) -> (n, width)."""
    layers: list[nn.Module] = []
    for _ in range(depth):
        layers += [nn.Dropout(dropout), nn.Linear(width, width), nn.ReLU()]
    return layers


def residual_blocks(width: int, depth: int, dropout: float) -> list[nn.Module]:
    """Return residual blocks: (n, width) -> (n, width)."""
    return [nn.Dropout(dropout), *(Residual(width, dropout) for _ in range(depth))]


def highway_layers(width: int, depth: int, dropout: float) -> list[nn.Module]:
    """Return highway layers: (n, width) -> (n, width)."""
    return [nn.Dropout(dropout), *(Highway(width, dropout) for _ in range(depth))]


ENCODERS: dict[str, Callable[[int, int, float], list[nn.Module]]] = {
    "residual": residual_blocks,
    "highway": highway_layers,
    "mlp": mlp_layers,
}


class ModalityEncoder(nn.Module):
    """The encoder of one modality: zeros for the rows that lack it.

    Parameters
    ----------
    encoder : {"mlp", "residual", "highway"}, Module or callable
        A module is copied; a callable is called without arguments and builds one. Its weights become floats of torch's
        default dtype, and a linear layer brings its output (n, D) to `width` where D is another. A module that holds
        an ``nn.Embedding`` and refuses floats gets its rows as int64, any other as floats.
    shape : tuple of int
        Shape of a row.
    width, depth, dropout : int, int, float
        Width of the output; blocks after the first layer, possibly none, and the probability of dropping a unit of an
        encoder given by name. With this probability, units of the output are dropped for all encoders.

    Examples
    --------
    >>> import torch
    >>> from alkit.nets.multimodal.encoders import ModalityEncoder
    >>> encoder = ModalityEncoder("mlp", (3,), width=8, depth=1, dropout=0.5)
    >>> encoding, present = encoder(torch.tensor([[1.0, 2.0, torch.nan]]))
    >>> encoding.sum().item(), present
    (0.0, tensor([False]))
    """

    def __init__(self, encoder: Any, shape: Shape, width: int, depth: int, dropout: float):
        super().__init__()
        self.encoder = _build(encoder, shape, width, depth, dropout).to(torch.get_default_dtype())
        self.takes_ids = False
        output = self._output_shape(shape)
        if len(output) != 1:
            raise ValueError(f"it returns {output} for a row of shape {shape}, but must return a vector")
        self.resize = nn.Identity() if output == (width,) else nn.Linear(output[0], width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return encodings (n, width), zeros where the modality is missing, and where it is present (n,)."""
        present_B = present_rows(values)
        missing_B_1 = ~present_B.view(-1, *[1] * (values.ndim - 1))
        # Zeros go in, so that no NaN reaches weights or gradients, and come out, whatever the encoder makes of them.
        encoding_B_H = self.resize(self.encoder(self._cast(values.masked_fill(missing_B_1, 0))))
        encoding_B_H = encoding_B_H.masked_fill(~present_B[:, None], 0)
        return self.dropout(encoding_B_H), present_B

    def _cast(self, values: torch.Tensor) -> torch.Tensor:
        """Cast rows to what the encoder takes."""
        if self.takes_ids:
            return values.long()
        float_dtypes = (p.dtype for p in self.encoder.parameters() if p.is_floating_point())
        return values.to(next(float_dtypes, torch.get_default_dtype()))

    @torch.no_grad()
    def _output_shape(self, shape: Shape) -> Shape:
        """Run two rows of zeros, as floats or, if an encoder with an embedding refuses these, as token ids."""
        a_weight = next(self.encoder.parameters(), torch.empty(0))
        rows = torch.zeros(2, *shape, device=a_weight.device)
        self.encoder.eval()
        try:
            encoded = self.encoder(self._cast(rows))
        except RuntimeError:
            # An embedding alone is no sign of token ids: one of positions goes with floats.
            embeddings = (nn.Embedding, nn.EmbeddingBag)
            self.takes_ids = any(isinstance(layer, embeddings) for layer in self.encoder.modules())
            if not self.takes_ids:
                raise
            encoded = self.encoder(self._cast(rows))
        self.encoder.train()
        if not isinstance(encoded, torch.Tensor):
            raise TypeError(f"it returns a {type(encoded).__name__}, but must return a tensor (n, D)")
        return tuple(encoded.shape[1:])


def _build(encoder: Any, shape: Shape, width: int, depth: int, dropout: float) -> nn.Module:
    """Build an encoder by its name, copy a module, or call a callable that builds one."""
    if isinstance(encoder, nn.Module):
        return copy.deepcopy(encoder)
    if callable(encoder):
        return encoder()
    if encoder not in ENCODERS:
        raise ValueError(f"encoder={encoder!r} is unknown; choose {', '.join(map(repr, ENCODERS))}, or give a module")
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(math.prod(shape), width),
        nn.ReLU(),
        *ENCODERS[encoder](width, depth, dropout),
    )
