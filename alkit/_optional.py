"""Optional packages: what is missing names the extra that brings it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def needs_extra(extra: str, what: str) -> Iterator[None]:
    """Import optional packages in the body; where one is missing, say what needs it and how to install it.

    Parameters
    ----------
    extra : str
        The extra of alkit that brings the packages.
    what : str
        What needs them, as the message begins.

    Raises
    ------
    ImportError
        If a package is missing.

    Examples
    --------
    >>> from alkit._optional import needs_extra
    >>> with needs_extra("plot", "plotting"):
    ...     import not_installed
    Traceback (most recent call last):
    ImportError: plotting needs not_installed; install it with: pip install "alkit[plot]"
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = str(error.name).partition(".")[0]
        raise ImportError(f'{what} needs {package}; install it with: pip install "alkit[{extra}]"') from error
