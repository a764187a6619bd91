"""What would stop a loop later, found before the first fit."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np
from sklearn.exceptions import NotFittedError

from alkit.strategies import Strategy
from alkit.strategies.answers import several_labels_in
from alkit.strategies.pool import asked_of_model
from alkit.strategies.quantities import Quantities


def check_needs(strategy: Any, model: Any, y: np.ndarray) -> None:
    """Refuse a strategy that asks for what a model lacks, before the model is fitted.

    What only a fit tells, such as whether a search has probabilities, is not refused here; nor is what a callable of
    modAL's asks for.

    Parameters
    ----------
    strategy : Strategy or callable
    model : estimator
    y : array (n,), (n, L) or ``(n, *S)``
        The labels that it is going to learn.

    Raises
    ------
    TypeError
        If the model lacks a method, or the strategy is for other labels.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from alkit import get_strategy
    >>> from alkit.experiment.checks import check_needs
    >>> check_needs(get_strategy("bald"), GaussianNB(), np.array([0, 1]))
    Traceback (most recent call last):
    ...
    TypeError: strategy bald needs sample_proba, which GaussianNB does not have; ...
    """
    if not isinstance(strategy, Strategy):
        return
    quantities = Quantities(
        model, asked_by=repr(strategy), one_answer=strategy.one_answer, several_labels=several_labels_in(y)
    )
    with suppress(NotFittedError):
        quantities.check(asked_of_model((*strategy.needs, *strategy.pick_needs)))


def is_start(strategy: Strategy) -> bool:
    """Tell whether a strategy picks rows before there is a model."""
    return set(asked_of_model((*strategy.needs, *strategy.pick_needs))) <= {"features"}
