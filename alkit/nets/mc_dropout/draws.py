"""Random numbers drawn for one row and shared by every row of a batch.

What is drawn depends on (seed, number of the sample, number of the draw within the pass) and on nothing else: not on
the batch, its size or its order. So a pool that is scored in chunks meets the same K networks in every chunk. What is
shared is drawn on the host, wherever the network is, so that it meets the same K networks on a GPU too.
"""

from collections.abc import Callable, Sequence
from functools import cache, partial
from hashlib import blake2b
from typing import Any

import torch
from torch import Tensor
from torch._ops import OpOverload

from alkit._random import seed_torch
from alkit.nets.mc_dropout.layouts import Layout, Layouts, NoRowAxisError
from alkit.nets.mc_dropout.masks import SharedMask

aten = torch.ops.aten

# Ops that fill their first argument with random numbers, and ops that return such a tensor of the same shape.
_FILLS = {"bernoulli_", "cauchy_", "exponential_", "geometric_", "log_normal_", "normal_", "random_", "uniform_"}
_LIKES = {"bernoulli", "rand_like", "randn_like", "randint_like"}
# Arguments that are 0 or False where an op that could draw does not.
_SWITCHES = {"dropout_p", "dropout", "training", "train"}
# Masks kept for the next batch of the pool: 64 MiB, which is 800 masks of 20,000 features. The rest is drawn anew.
_CACHE_BYTES = 2**26


@cache
def _off_switches(func: OpOverload) -> list[tuple[int, str, Any]] | None:
    """Arguments that turn a drawing op into a deterministic one; None for an op that never draws."""
    # torch tags `_fused_sdp_choice` as random, but it only names the attention kernel to take.
    if torch.Tag.nondeterministic_seeded not in func.tags or func is aten._fused_sdp_choice.default:
        return None
    arguments = enumerate(func._schema.arguments)
    return [(i, a.name, a.default_value) for i, a in arguments if a.name in _SWITCHES]


def is_draw(func: OpOverload, args: tuple, kwargs: dict) -> bool:
    """Whether a call reads the random number generator."""
    switches = _off_switches(func)
    if switches is None:
        return False
    if not switches:
        return True
    return any(args[i] if i < len(args) else kwargs.get(name, default) for i, name, default in switches)


class Draws:
    """The random numbers of a pass, shared by the rows as `layouts` say, or each row's own if they are None."""

    def __init__(self, seed: int, devices: Sequence[torch.device] = ()):
        self.seed, self._devices = seed, devices
        self._cache: dict[tuple, Tensor] = {}
        self._cached_bytes = 0

    def begin(self, k: int, n: int, layouts: Layouts | None) -> None:
        """Start pass k over a batch of n rows."""
        self.k, self.n, self.layouts = k, n, layouts
        self.shapes: list[tuple[int, ...]] = []
        # Each draw that is seen seeds the generators itself. This is for what draws without being seen.
        self.reseed(k)

    def reseed(self, *numbers: int) -> None:
        """Seed the generators by the sampler's seed and the numbers."""
        # A hash, so that (seed 0, sample 1) and (seed 1, sample 0) have nothing in common, nor have neighbouring seeds.
        # Not Python's own, which is not promised to be the same in every version. 7 bytes: torch takes 63 bits.
        digest = blake2b(repr((self.seed, *numbers)).encode(), digest_size=7).digest()
        seed_torch(int.from_bytes(digest), self._devices)

    def draw(self, func: OpOverload, args: tuple, kwargs: dict, blank: bool = False) -> Any:
        """Run an op that draws; a `blank` operand holds no values yet and may stand for its mask."""
        # A generator of the module's own would make other masks in each call, and would be moved by scoring a pool.
        kwargs = {name: value for name, value in kwargs.items() if name != "generator"}
        if "generator" in func._overloadname:
            kwargs["generator"] = None  # such an overload insists on the argument
        number = len(self.shapes)
        shape = _drawn_shape(func, args)
        if self.layouts is None or shape is None:
            return self._draw_as_called(func, args, kwargs, number)
        self.shapes.append(shape)
        layout = self.layouts.find(number, shape, self.n)
        if layout.axis is None:
            self.reseed(self.k, number)
            return _on_host(func, args, kwargs)
        return self._draw_shared(func, args, kwargs, number, layout, blank)

    def _draw_as_called(self, func: OpOverload, args: tuple, kwargs: dict, number: int) -> Any:
        """Draw for the whole batch, which is no shared draw if it grows with the rows."""
        self.reseed(self.k, number)
        drawn = func(*args, **kwargs)
        first = drawn[0] if isinstance(drawn, tuple) else drawn
        self.shapes.append(tuple(first.shape))
        if self.layouts is None:
            return drawn
        if self.layouts.find(number, self.shapes[-1], self.n).axis is not None:
            raise NoRowAxisError(f"{func._schema.name} cannot be drawn for one row and shared by all")
        return drawn

    def _draw_shared(
        self, func: OpOverload, args: tuple, kwargs: dict, number: int, layout: Layout, blank: bool
    ) -> Any:
        """Draw for one row and broadcast."""
        if func in _TRANSFORMS:
            noise, transform = _TRANSFORMS[func]
            # A uniform number in bfloat16 has 256 values or so: compared with p, that would be another p.
            wide = torch.promote_types(args[0].dtype, torch.float32)
            values = self._one_row((number, noise, (), layout.one_row, wide, args[0].device), self.k)
            return transform(layout.spread(values, self.n), *args)
        if _name(func) in _FILLS:
            recipe = (number, func, args[1:], layout.one_row, args[0].dtype, args[0].device)
            values = self._one_row(recipe, self.k)
            if not blank:
                return args[0].copy_(layout.spread(values, self.n))
            args[0]._alkit_mask = SharedMask(layout, self.n, values, partial(self._one_row, recipe))
            return args[0]
        self.reseed(self.k, number)
        size = _size_position(func)
        if size is not None:
            one_row = (*args[:size], list(layout.one_row), *args[size + 1 :])
        else:
            one_row = (args[0].new_empty(layout.one_row), *args[1:])
        values = _on_host(func, one_row, kwargs)
        # A clone: the module may write into what it has drawn, which must not write into all rows at once.
        return layout.spread(values, self.n).clone(memory_format=torch.contiguous_format)

    def _one_row(self, recipe: tuple, k: int) -> Tensor:
        """Fill one row's values in sample k, or find them again; nobody may write into them."""
        values = self._cache.get((k, recipe))
        if values is None:
            number, fill, rest, shape, dtype, device = recipe
            self.reseed(k, number)
            values = fill(torch.empty(shape, dtype=dtype), *rest).to(device)
            if self._cached_bytes + values.nbytes <= _CACHE_BYTES:
                self._cache[k, recipe] = values
                self._cached_bytes += values.nbytes
        return values


def _on_host(func: OpOverload, args: tuple, kwargs: dict) -> Any:
    """Run an op that draws with the generator of the host, and move what it has drawn."""
    devices = [value.device for value in args if isinstance(value, Tensor)]
    device = kwargs.get("device") or (devices or [torch.device("cpu")])[0]
    if torch.device(device).type == "cpu":
        return func(*args, **kwargs)
    on_host = [value.cpu() if isinstance(value, Tensor) else value for value in args]
    drawn = func(*on_host, **(kwargs | {"device": "cpu"} if "device" in kwargs else kwargs))
    return args[0].copy_(drawn) if _name(func) in _FILLS else drawn.to(device)


@cache
def _name(func: OpOverload) -> str:
    return func._schema.name.removeprefix("aten::")


@cache
def _size_position(func: OpOverload) -> int | None:
    names = [argument.name for argument in func._schema.arguments]
    return names.index("size") if "size" in names else None


def _drawn_shape(func: OpOverload, args: tuple) -> tuple[int, ...] | None:
    """Shape of what a call will draw, if what it draws for one row does not depend on the other rows."""
    if "out" in func._overloadname:
        return None
    if func in _TRANSFORMS:
        return tuple(torch.broadcast_shapes(*[arg.shape for arg in args if isinstance(arg, Tensor)]))
    if _name(func) in _FILLS | _LIKES and "Tensor" not in func._overloadname:
        return tuple(args[0].shape)
    size = _size_position(func)
    return None if size is None else tuple(args[size])


# Draws that depend on the values of a tensor: their noise is shared, the values stay each row's own.
_TRANSFORMS: dict[OpOverload, tuple[OpOverload, Callable[..., Any]]] = {
    aten.bernoulli.default: (aten.uniform_.default, lambda u, p: (u < p).to(p.dtype)),
    aten.bernoulli.Tensor: (aten.uniform_.default, lambda u, x, p: (u < p).to(x.dtype)),
    aten.bernoulli_.Tensor: (aten.uniform_.default, lambda u, x, p: x.copy_(u < p)),
    aten.normal.Tensor_float: (aten.normal_.default, lambda z, mean, std=1.0: (mean + std * z).to(mean.dtype)),
    aten.normal.float_Tensor: (aten.normal_.default, lambda z, mean, std: (mean + std * z).to(std.dtype)),
    aten.normal.Tensor_Tensor: (aten.normal_.default, lambda z, mean, std: (mean + std * z).to(mean.dtype)),
}
