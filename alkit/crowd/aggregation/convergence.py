"""What is checked of, and said about, expectation maximisation."""

from __future__ import annotations

import warnings

from sklearn.exceptions import ConvergenceWarning


def check_max_iter(max_iter: int) -> None:
    """Refuse to iterate not at all."""
    if max_iter < 1:
        raise ValueError(f"max_iter={max_iter}, but EM needs at least 1 iteration")


def warn_not_converged(name: str, max_iter: int) -> None:
    """Warn that there were too few iterations; points to who called the caller."""
    message = f"{name} did not converge in max_iter={max_iter} iterations; raise max_iter or tol"
    warnings.warn(message, ConvergenceWarning, stacklevel=3)
