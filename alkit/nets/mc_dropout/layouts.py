"""Layouts: where the rows of a batch lie in each tensor of random numbers that a pass draws.

To share one mask between all rows, one must know which axis of a drawn tensor the rows are. Nothing in torch says so.
It is found out by shapes: a tensor drawn of shape (3, 8) for three rows and (5, 8) for five has its rows on axis 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor


class NoRowAxisError(RuntimeError):
    """A drawn tensor has no known axis along which the rows of the batch lie."""


class Layout(NamedTuple):
    """How the rows of a batch lie in a drawn tensor.

    ``one_row`` is the shape of the draw for a batch of one row. ``axis`` is where the rows are; it has
    n * one_row[axis] entries for n rows. Where one_row[axis] is not 1, the rows are merged with something else, such as
    attention heads or time steps: ``rows_first`` tells whether the rows are the outer of the two (row 0 with all its
    heads, then row 1) or the inner one. ``axis`` is None for a draw that does not grow with the batch.
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
        sizes = (n, repeats) if self.rows_first else (repeats, n)
        return drawn.unflatten(self.axis, sizes)

    def broadcastable(self, values: Tensor) -> Tensor:
        """View of one row's values that broadcasts against `split`."""
        return values.unsqueeze(self._rows_axis_of_split())

    def spread(self, values: Tensor, n: int) -> Tensor:
        """One row's values for n rows."""
        assert self.axis is not None
        sizes = [-1] * (values.ndim + 1)  # -1: as it is
        sizes[self._rows_axis_of_split()] = n
        return self.broadcastable(values).expand(sizes).flatten(self.axis, self.axis + 1)

    def _rows_axis_of_split(self) -> int:
        assert self.axis is not None
        return self.axis if self.rows_first else self.axis + 1


@dataclass
class Layouts:
    """Layout of each draw of a pass, in the order of drawing."""

    known: list[Layout]

    def find(self, number: int, shape: tuple[int, ...], n: int) -> Layout:
        """Layout of draw `number`, which has this shape for n rows.

        Raises
        ------
        NoRowAxisError
            If no known layout has this shape, or several have: a guess could take heads for rows without anybody
            noticing.
        """
        if number < len(self.known) and self.known[number].shape(n) == shape:
            return self.known[number]
        # A pass that takes another path through the network may skip draws, so that later ones come earlier.
        fitting = {layout for layout in self.known if layout.shape(n) == shape}
        if len(fitting) != 1:
            raise NoRowAxisError(f"a random draw has shape {shape} for {n} rows, and which of it are rows is not known")
        return fitting.pop()


class LeadingRows(Layouts):
    """Layouts of draws of shape (n, H), taken to have the rows first.

    This is a guess, made before anything is known. Only a network that is proven to end in dropout and a linear layer
    may rely on it: there the rows of the mask are the rows of the output.
    """

    def find(self, number: int, shape: tuple[int, ...], n: int) -> Layout:
        """Layout of a draw, if it can be one with the rows first."""
        if len(shape) != 2 or shape[0] != n:
            raise NoRowAxisError(f"a random draw has shape {shape} for {n} rows")
        self.known.append(Layout((1, shape[1]), 0))
        return self.known[-1]


@dataclass
class LearntLayouts(Layouts):
    """Layouts found during a pass, by comparing its draws to the ``shapes`` that they have for m rows."""

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
        # n * n entries (attention between rows) or n + 1 (a token of no row) are not n times the entries of one row.
        whole = all(shape[i] * self.m == other[i] * n and shape[i] % n == 0 for i in grows)
        if len(shape) != len(other) or len(grows) > 1 or not whole:
            raise NoRowAxisError(f"a random draw of shape {shape} for {n} rows has shape {other} for {self.m} rows")
        axis = grows[0] if grows else None
        layout = Layout(tuple(size // n if i == axis else size for i, size in enumerate(shape)), axis)
        self.known.append(layout)
        return layout
