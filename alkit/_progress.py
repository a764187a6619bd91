"""Bars of progress: the outermost is shown, and those of the work inside it are not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import parent_process

_inside = 0


def is_inside() -> bool:
    """Tell whether this is work of something that has a bar of its own, in this process or its parent."""
    return bool(_inside) or parent_process() is not None


@contextmanager
def inside() -> Iterator[None]:
    """Hide the bars of what is done within."""
    # of the process, not of the thread: the threads that joblib scores chunks in are inside, too
    global _inside
    _inside += 1
    try:
        yield
    finally:
        _inside -= 1
