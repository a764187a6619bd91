"""Names of classes, which may change: which name a label has now that was given under another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class ClassChange(NamedTuple):
    """A change of the classes."""

    kind: str
    """"add", "rename" or "merge"."""
    name: str
    present: str
    """The name from then on; of a class that was added, the same."""
    last_event: int
    """Number of the last event before the change; events up to this one have the earlier name."""
    recorded: float
    """Unix time, in seconds."""


def present_name(changes: Sequence[ClassChange], name: str, event: int) -> str:
    """Return the name that the class of an event has now.

    Parameters
    ----------
    changes : sequence of ClassChange
        All of them, in order.
    name : str
        As the event has it.
    event : int
        Its number.

    Returns
    -------
    str

    Examples
    --------
    >>> from alkit.annotate.database.class_names import ClassChange, present_name
    >>> changes = [ClassChange("rename", "spam", "junk", 7, 0.0), ClassChange("add", "spam", "spam", 7, 0.0)]
    >>> present_name(changes, "spam", 7), present_name(changes, "spam", 8)
    ('junk', 'spam')
    """
    return followed([change for change in changes if change.last_event >= event], name)


def present_name_of_old(changes: Sequence[ClassChange], name: str) -> str:
    """Return what became of a name that no class has any more: a page may show it for some seconds yet.

    Parameters
    ----------
    changes : sequence of ClassChange
        All of them, in order.
    name : str

    Returns
    -------
    str
        The same, where no class ever had it.
    """
    places = [place for place, change in enumerate(changes) if change.name == name]
    return followed(changes[places[-1] :], name) if places else name


def followed(changes: Sequence[ClassChange], name: str) -> str:
    """Return what became of a name by changes that came after it was given.

    Parameters
    ----------
    changes : sequence of ClassChange
    name : str

    Returns
    -------
    str
    """
    for change in changes:
        if change.name == name:
            name = change.present
    return name
