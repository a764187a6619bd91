"""The job of a trainer: what it works on, sent to its process once."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from pathlib import Path
from typing import Any, NamedTuple

from sklearn.utils import check_scalar

from alkit.annotate.items import Items
from alkit.rows import Rows, n_rows
from alkit.strategies import Strategy, as_strategy


class Job(NamedTuple):
    """What a trainer works on."""

    X: Rows
    """One row per item, in the order of the data."""
    learner: Any
    """Estimator, ActiveLearner or Committee."""
    strategy: Any
    """Query strategy, or None for the learner's own."""
    classes: list[str]
    """The labels to choose from."""
    embed: Any = None
    """Transformer fitted once, on all of X; the learner is given its output."""
    cold_start: Any = "random"
    """Query strategy until there is a model, and until `n_cold` items have labels."""
    n_cold: int = 0
    """How many items have labels before the model ranks; none are held back from it where `cold_start` is random."""
    n_ranked: int = 2000
    """Number of items in a ranking."""
    seed: int = 0
    """Seeds ties and posterior samples."""
    assign: str = "anyone"
    """"expertise" to choose whom to ask about which item."""
    overlap: tuple[int, int] = (1, 1)
    """Labels that each item gets, and those that an item gets at most whose label is not sure."""
    pictures: Sequence[Path] | None = None
    """The picture files that X names, one per row; None where X names none."""
    multi: bool = False
    """Whether items may have several labels."""


def checked_job(job: Job, items: Items) -> Job:
    """Return a job with what it works on, or refuse one that the trainer could not do.

    Parameters
    ----------
    job : Job
        Where its X is None, it gets `Items.features`.
    items : Items

    Returns
    -------
    Job

    Raises
    ------
    ValueError
        If X has more or fewer rows than there are items, `n_cold` is negative, or the strategy is for the other kind of
        labels.
    TypeError
        If the learner cannot learn, or a strategy is none.
    """
    if job.X is None:
        job = job._replace(X=items.features(), pictures=items.image)
    if n_rows(job.X) != len(items):
        raise ValueError(f"X has {n_rows(job.X)} rows, but there are {len(items)} items")
    if not (hasattr(job.learner, "fit") and hasattr(job.learner, "predict")):
        raise TypeError(f"learner is {job.learner!r}; pass an estimator with fit and predict, a learner or a Committee")
    if job.strategy is not None:
        _check_strategy(as_strategy(job.strategy), multi=job.multi)
    if not isinstance(as_strategy(job.cold_start), Strategy):
        raise TypeError(f"cold_start is {job.cold_start!r}; pass a name or a Strategy, such as 'random'")
    check_scalar(job.n_cold, "n_cold", Integral, min_val=0)
    return job


def _check_strategy(strategy: Any, *, multi: bool) -> None:
    """Refuse a strategy that takes the other kind of labels alone."""
    if not isinstance(strategy, Strategy):
        return
    if multi and strategy.one_answer:
        raise ValueError(
            f"strategy {strategy.name!r} is for one class per item, but items may have several labels; take another, "
            "such as 'margin' or 'cvirs'"
        )
    if not multi and "label_proba" in {*strategy.needs, *strategy.pick_needs}:
        raise ValueError(
            f"strategy {strategy.name!r} is for several labels per item; make the database with --multi (multi=True), "
            "or take another, such as 'margin'"
        )
