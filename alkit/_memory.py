"""Memory of a device: work on rows is halved where it does not fit, and reading goes on while the device computes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import torch

T = TypeVar("T")

_END: Any = object()


class FittingParts:
    """Cuts rows into parts that fit in a device's memory, as far as it is known by now.

    Examples
    --------
    >>> import torch
    >>> from alkit._memory import FittingParts
    >>> def compute(part):
    ...     if part.stop - part.start > 3:
    ...         raise torch.OutOfMemoryError
    ...     return part.stop - part.start
    >>> parts = FittingParts()
    >>> list(parts.of(8, compute)), list(parts.of(5, compute))
    ([2, 2, 2, 2], [2, 2, 1])
    """

    def __init__(self) -> None:
        self.most_rows: int | None = None

    def of(self, n: int, compute: Callable[[slice], T]) -> Iterator[T]:
        """Yield what is computed of n rows, part by part; each part that does not fit is halved.

        Parameters
        ----------
        n : int
            Number of rows.
        compute : callable
            Called with the rows of a part, as a slice; changes nothing that it would have to find unchanged if it is
            called again.

        Yields
        ------
        result
            Of each part, in order.

        Raises
        ------
        torch.OutOfMemoryError
            If not even one row fits.
        """
        start = 0
        while start < n:
            size = n - start if self.most_rows is None else min(self.most_rows, n - start)
            try:
                result = compute(slice(start, start + size))
            except torch.OutOfMemoryError:
                if size == 1:
                    raise
                self.most_rows = size // 2
                # tried again outside: as long as the error is handled, its frames hold what did fit
                continue
            start += size
            yield result


def read_ahead(items: Iterator[T]) -> Iterator[T]:
    """Yield items, the next of which is read in a thread of its own while the caller works on the last.

    Parameters
    ----------
    items : iterator
        Reading from it is slow, and may be done in another thread.

    Yields
    ------
    item
        In order; an error in reading is raised in its place.

    Examples
    --------
    >>> from alkit._memory import read_ahead
    >>> list(read_ahead(iter("abc")))
    ['a', 'b', 'c']
    """
    with ThreadPoolExecutor(max_workers=1) as reader:
        ahead = reader.submit(next, items, _END)
        while (item := ahead.result()) is not _END:
            ahead = reader.submit(next, items, _END)
            yield item
