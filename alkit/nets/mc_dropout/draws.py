"""Random numbers drawn for one row and shared by every row of a batch.

What is drawn depends on (seed, number of the sample, number of the draw within the pass) and on nothing else: not on
the batch, its size or its order. So a pool that is scored in chunks meets the same K networks in every chunk.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from hashlib import blake2b
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch._ops import OpOverload

aten = torch.ops.aten

_FILLS = {"bernoulli_", "cauchy_", "exponential_", "geometric_", "log_normal_", "normal_", "random_", "uniform_"}
_LIKES = {"bernoulli", "rand_like", "randn_like", "randint_like"}
_SWITCHES = {"dropout_p", "dropout", "training", "train"}
_CACHE_BYTES = 2**26


class NoRowAxisError(RuntimeError):
    """A drawn tensor has no known axis along which the rows of the batch lie."""


class Layout(NamedTuple):
    """How the rows of a batch lie in a drawn tensor.

    ``axis`` has n * one_row[axis] entries: heads or steps may be merged with the rows, inside them (rows_first) or
    around them. ``axis`` is None for what does not grow with the batch.
    """

    one_row: tuple[int, ...]
    axis: int | None
    rows_first: bool = True

    @property
    def merged(self) -> bool:
        """Whether the row axis holds something besides the rows."""
        return self.axis is not None and self.one_row[self.axis] != 1

    def shape(self, n: int) -> tuple[int, ...]:
        """Shape of the draw for a batch of n rows."""
        if self.axis is None:
            return self.one_row
        return (*self.one_row[: self.axis], n * self.one_row[self.axis], *self.one_row[self.axis + 1 :])

    def split(self, drawn: Tensor, n: int) -> Tensor:
        """View of a draw for n rows in which the rows have an axis of their own."""
        assert self.axis is not None
        repeats = self.one_row[self.axis]
        return drawn.unflatten(self.axis, (n, repeats) if self.rows_first else (repeats, n))

    def broadcastable(self, values: Tensor) -> Tensor:
        """View of one row's values that broadcasts against `split`."""
        assert self.axis is not None
        return values.unsqueeze(self.axis if self.rows_first else self.axis + 1)

    def spread(self, values: Tensor, n: int) -> Tensor:
        """One row's values for n rows."""
        assert self.axis is not None
        rows = self.axis if self.rows_first else self.axis + 1
        sizes = [-1] * (values.ndim + 1)
        sizes[rows] = n
        return self.broadcastable(values).expand(sizes).flatten(self.axis, self.axis + 1)


@dataclass
class Layouts:
    """Layout of each draw of a pass."""

    known: list[Layout]

    def find(self, number: int, shape: tuple[int, ...], n: int) -> Layout:
        """Layout of a draw; control flow may have moved it from the place it had in the probe."""
        if number < len(self.known) and self.known[number].shape(n) == shape:
            return self.known[number]
        fitting = {layout for layout in self.known if layout.shape(n) == shape}
        if len(fitting) != 1:
            raise NoRowAxisError(f"a random draw has shape {shape} for {n} rows, and which of it are rows is not known")
        return fitting.pop()


class LeadingRows(Layouts):
    """Layouts of draws for (n, H) inputs, if the rows come first."""

    def find(self, number: int, shape: tuple[int, ...], n: int) -> Layout:
        """Layout of a draw, if it can be such a one."""
        if len(shape) != 2 or shape[0] != n:
            raise NoRowAxisError(f"a random draw has shape {shape} for {n} rows")
        self.known.append(Layout((1, shape[1]), 0))
        return self.known[-1]


@dataclass
class LearntLayouts(Layouts):
    """Layouts found on the way, by comparing the draws of a pass to the ``shapes`` they have for m rows."""

    shapes: Sequence[tuple[int, ...]]
    m: int

    def find(self, number: int, shape: tuple[int, ...], n: int) -> Layout:
        """Layout of a draw whose shape grows by whole rows along one axis at most."""
        if number < len(self.known):
            return super().find(number, shape, n)
        if number >= len(self.shapes):
            raise NoRowAxisError(f"{n} rows make more random draws than {self.m} rows do")
        other = self.shapes[number]
        grows = [i for i, (a, b) in enumerate(zip(shape, other, strict=False)) if a != b]
        whole = all(shape[i] * self.m == other[i] * n and shape[i] % n == 0 for i in grows)
        if len(shape) != len(other) or len(grows) > 1 or not whole:
            raise NoRowAxisError(f"a random draw of shape {shape} for {n} rows has shape {other} for {self.m} rows")
        axis = grows[0] if grows else None
        layout = Layout(tuple(size // n if i == axis else size for i, size in enumerate(shape)), axis)
        self.known.append(layout)
        return layout


@dataclass(frozen=True)
class SharedMask:
    """What an uninitialised tensor stands for: one row's values, broadcast without ever being spread out."""

    layout: Layout
    n: int
    values: Tensor
    redraw: Callable[[int], Tensor]
    updates: tuple[tuple[OpOverload, tuple], ...] = ()

    def updated(self, func: OpOverload, rest: tuple) -> "SharedMask":
        """Apply an in-place op whose other operands are numbers."""
        values = func(self.values.clone(), *rest)
        return SharedMask(self.layout, self.n, values, self.redraw, (*self.updates, (func, rest)))

    def of_samples(self, n_samples: int) -> Tensor:
        """One row's values in each of the samples 0 to K - 1, stacked along the first axis."""
        values = torch.cat([self.redraw(k) for k in range(n_samples)])
        for func, rest in self.updates:
            func(values, *rest)
        return values

    def times(self, func: OpOverload, x: Tensor) -> Tensor:
        """Multiply x by the mask; func is aten.mul or aten.mul_."""
        if not self.layout.merged:
            return func(x, self.values)
        assert self.layout.axis is not None
        product = func(self.layout.split(x, self.n), self.layout.broadcastable(self.values))
        return x if func is aten.mul_.Tensor else product.flatten(self.layout.axis, self.layout.axis + 1)

    def write(self, tensor: Tensor) -> None:
        """Spread the values out in the tensor that stood for them."""
        tensor.copy_(self.layout.spread(self.values, self.n))
        del tensor._alkit_mask  # type: ignore[attr-defined]


def shared_mask(tensor: Any) -> SharedMask | None:
    """Return the mask that an uninitialised tensor stands for, if any."""
    return getattr(tensor, "_alkit_mask", None)


def run_on_masks(func: OpOverload, args: tuple, kwargs: dict, inputs: list[Tensor]) -> Any:
    """Run an op some inputs of which stand for shared masks."""
    mask = shared_mask(args[0])
    if mask is not None and len(inputs) == 1 and not kwargs and _is_update(func):
        args[0]._alkit_mask = mask.updated(func, args[1:])
        return args[0]
    if func in (aten.mul.Tensor, aten.mul_.Tensor) and mask is None and args[0].shape == args[1].shape:
        return args[1]._alkit_mask.times(func, args[0])
    for tensor in inputs:
        mask = shared_mask(tensor)
        if mask is not None:
            mask.write(tensor)
    return func(*args, **kwargs)


@cache
def _is_update(func: OpOverload) -> bool:
    return {torch.Tag.inplace, torch.Tag.pointwise} <= set(func.tags)


@cache
def _off_switches(func: OpOverload) -> list[tuple[int, str, Any]] | None:
    """Arguments that turn a drawing op into a deterministic one; None for an op that never draws."""
    if torch.Tag.nondeterministic_seeded not in func.tags or func is aten._fused_sdp_choice.default:
        return None
    arguments = enumerate(func._schema.arguments)
    return [(i, a.name, a.default_value) for i, a in arguments if a.name in _SWITCHES]


def is_draw(func: OpOverload, args: tuple, kwargs: dict) -> bool:
    """Whether a call reads the random number generator."""
    switches = _off_switches(func)
    if not switches:
        return switches is not None
    return any(args[i] if i < len(args) else kwargs.get(name, default) for i, name, default in switches)


class Draws:
    """The random numbers of a pass, shared by the rows as `layouts` say, or each row's own if they are None."""

    def __init__(self, seed: int, seed_generators: Callable[[int], Any] = torch.default_generator.manual_seed):
        self.seed, self._seed_generators = seed, seed_generators
        self._cache: dict[tuple, Tensor] = {}
        self._cached_bytes = 0

    def begin(self, k: int, n: int, layouts: Layouts | None) -> None:
        """Start pass k over a batch of n rows."""
        self.k, self.n, self.layouts = k, n, layouts
        self.shapes: list[tuple[int, ...]] = []
        self.reseed(k)

    def reseed(self, *numbers: int) -> None:
        """Seed the generators by the sampler's seed and the numbers."""
        digest = blake2b(repr((self.seed, *numbers)).encode(), digest_size=7).digest()
        self._seed_generators(int.from_bytes(digest))

    def draw(self, func: OpOverload, args: tuple, kwargs: dict, blank: bool = False) -> Any:
        """Run an op that draws; a `blank` operand holds no values yet and may stand for its mask."""
        kwargs = {name: value for name, value in kwargs.items() if name != "generator"}
        if "generator" in func._overloadname:
            kwargs["generator"] = None
        number = len(self.shapes)
        shape = _drawn_shape(func, args)
        if self.layouts is None or shape is None:
            self.reseed(self.k, number)
            drawn = func(*args, **kwargs)
            first = drawn[0] if isinstance(drawn, tuple) else drawn
            self.shapes.append(tuple(first.shape))
            if self.layouts is not None and self.layouts.find(number, self.shapes[-1], self.n).axis is not None:
                raise NoRowAxisError(f"{func._schema.name} cannot be drawn for one row and shared by all")
            return drawn
        self.shapes.append(shape)
        layout = self.layouts.find(number, shape, self.n)
        if layout.axis is None:
            self.reseed(self.k, number)
            return func(*args, **kwargs)
        return self._draw_shared(func, args, kwargs, number, layout, blank)

    def _draw_shared(
        self, func: OpOverload, args: tuple, kwargs: dict, number: int, layout: Layout, blank: bool
    ) -> Any:
        """Draw for one row and broadcast."""
        if func in _TRANSFORMS:
            noise, transform = _TRANSFORMS[func]
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
            values = func(*args[:size], list(layout.one_row), *args[size + 1 :], **kwargs)
        else:
            values = func(args[0].new_empty(layout.one_row), *args[1:], **kwargs)
        return layout.spread(values, self.n).clone(memory_format=torch.contiguous_format)

    def _one_row(self, recipe: tuple, k: int) -> Tensor:
        """Fill one row's values in sample k, or find them again."""
        values = self._cache.get((k, recipe))
        if values is None:
            number, fill, rest, shape, dtype, device = recipe
            self.reseed(k, number)
            values = fill(torch.empty(shape, dtype=dtype, device=device), *rest)
            if self._cached_bytes + values.nbytes <= _CACHE_BYTES:
                self._cache[k, recipe] = values
                self._cached_bytes += values.nbytes
        return values


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


def _native_dropout(uniform: Tensor, x: Tensor, p: float, train: bool | None) -> tuple[Tensor, Tensor]:
    keep = uniform >= p
    return x * keep.to(x.dtype) * (0.0 if p == 1 else 1 / (1 - p)), keep


# Draws that depend on the values of a tensor: their noise is shared, the values stay each row's own.
_TRANSFORMS: dict[OpOverload, tuple[OpOverload, Callable[..., Any]]] = {
    aten.bernoulli.default: (aten.uniform_.default, lambda u, p: (u < p).to(p.dtype)),
    aten.bernoulli.Tensor: (aten.uniform_.default, lambda u, x, p: (u < p).to(x.dtype)),
    aten.bernoulli_.Tensor: (aten.uniform_.default, lambda u, x, p: x.copy_(u < p)),
    aten.native_dropout.default: (aten.uniform_.default, _native_dropout),
    aten.normal.Tensor_float: (aten.normal_.default, lambda z, mean, std=1.0: (mean + std * z).to(mean.dtype)),
    aten.normal.float_Tensor: (aten.normal_.default, lambda z, mean, std: (mean + std * z).to(std.dtype)),
    aten.normal.Tensor_Tensor: (aten.normal_.default, lambda z, mean, std: (mean + std * z).to(mean.dtype)),
}
