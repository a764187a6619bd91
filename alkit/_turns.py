"""Turns: what threads of one process may not do to one object at the same time, and what an interrupt leaves behind.

Locks lie beside the objects, not on them, as those are pickled, copied and put back attribute by attribute. A thread
that holds a learner's lock may wait for an estimator's, never the other way round, so that none waits for ever. They
are two locks where a `Committee` is both: one of its queries holds the first while threads of joblib take the second.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from threading import RLock
from typing import Any, TypeVar, cast
from weakref import WeakKeyDictionary

import torch
from torch.utils._python_dispatch import _len_torch_dispatch_stack, _pop_mode

Method = TypeVar("Method", bound=Callable[..., Any])
_functorch = torch._C._functorch


class Locks:
    """One lock per object; a thread that holds it may take it again.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from alkit._turns import Locks
    >>> locks, model = Locks(), LogisticRegression()
    >>> locks.of(model) is locks.of(model)
    True
    """

    def __init__(self) -> None:
        self._locks: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()
        self._of_others = RLock()

    def of(self, thing: Any) -> Any:
        """Return an object's lock; all that cannot be told apart by a weak key share one."""
        try:
            return self._locks.setdefault(thing, RLock())
        except TypeError:
            return self._of_others


estimator_lock = Locks().of
"""Held while an estimator is fitted, and while it answers: both set modes of its network."""
_learner_lock = Locks().of


def takes_turns(method: Method) -> Method:
    """Let threads run a method of a learner, and others so marked, one after another."""

    @wraps(method)
    def run(self: Any, *args: Any, **kwargs: Any) -> Any:
        # of a committee the members, too, which may be taught by themselves; in one order for all threads
        members = getattr(self, "learner_list", ())
        with ExitStack() as locks, torch_modes_kept():
            for learner in sorted([self, *members], key=id):
                locks.enter_context(_learner_lock(learner))
            return method(self, *args, **kwargs)

    return cast(Method, run)


def fits_alone(method: Method) -> Method:
    """Let one thread run a method that fits an estimator, while those that ask it wait."""

    @wraps(method)
    def run(self: Any, *args: Any, **kwargs: Any) -> Any:
        with estimator_lock(self), torch_modes_kept():
            return method(self, *args, **kwargs)

    return cast(Method, run)


@contextmanager
def torch_modes_kept() -> Iterator[None]:
    """Put back, if the body fails, what torch's own ``with`` blocks leave behind when Ctrl-C falls into their exit.

    These are the thread's grad mode, levels of functorch (``vmap``) and dispatch modes, and the default dtype.

    Examples
    --------
    >>> import torch
    >>> from alkit._turns import torch_modes_kept
    >>> try:
    ...     with torch_modes_kept():
    ...         _ = torch.set_grad_enabled(False)
    ...         raise KeyboardInterrupt
    ... except KeyboardInterrupt:
    ...     torch.is_grad_enabled()
    True
    """
    grad, dtype = torch.is_grad_enabled(), torch.get_default_dtype()
    n_levels, n_modes = _functorch.get_dynamic_layer_stack_depth(), _len_torch_dispatch_stack()
    n_functions = torch._C._len_torch_function_stack()
    try:
        yield
    except BaseException:
        # one by one: torch 2.6 pops one level too many where it is told a depth
        while _functorch.get_dynamic_layer_stack_depth() > n_levels:
            _functorch.pop_dynamic_layer_stack()
        while _len_torch_dispatch_stack() > n_modes:
            _pop_mode()
        while torch._C._len_torch_function_stack() > n_functions:
            torch._C._pop_torch_function_stack()
        torch.set_default_dtype(dtype)
        torch.set_grad_enabled(grad)
        raise
