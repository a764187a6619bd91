"""Events: what an annotator can record, and what is refused before it reaches the database."""

from __future__ import annotations

import uuid as uuids
from collections.abc import Collection, Sequence
from typing import Any

from alkit.annotate.database.label_kinds import write_labels

KINDS = ("label", "skip", "flag", "undo", "note")
_MAX_SECONDS = 1e9  # thirty years; a bound is needed because SQLite takes no integer of more than 64 bits
_MAX_TEXT = 10_000  # characters of a note or a uuid; browsers send them, so their length is checked


class Conflict(ValueError):  # noqa: N818
    """An event contradicts what is in the database."""


class UnknownItem(LookupError):  # noqa: N818
    """No item has this id."""


def checked_event(
    event: Any, classes: Sequence[str], earlier_names: Collection[str] = (), *, several: bool = False
) -> dict[str, Any]:
    """Return an event with exactly the keys it needs, as the database keeps it, or refuse it.

    Parameters
    ----------
    event : dict
        ``uuid``, ``item``, ``kind``, ``value``, ``seconds``, ``version``; see `LabelingSession.record`.
    classes : sequence of str
    earlier_names : collection of str
        Of classes that were renamed or merged: a page may show them for some seconds yet.
    several : bool, default=False
        Whether a label is a list of classes, which may be empty.

    Returns
    -------
    dict

    Raises
    ------
    ValueError
        If the event is malformed; a `Conflict` if a label is not among the classes.

    Examples
    --------
    >>> from alkit.annotate.database.events import checked_event
    >>> checked_event({"uuid": "1f", "item": "7", "kind": "label", "value": "ham"}, ["spam", "ham"])
    {'uuid': '1f', 'item': '7', 'kind': 'label', 'value': 'ham', 'seconds': None, 'version': None}
    """
    kind = checked_kind(event, "an event", KINDS)
    needed = {"uuid"}
    if kind != "undo":
        needed.add("item")
    if kind in ("label", "undo"):
        needed.add("value")
    if kind == "label" and several:
        event = {**event, "value": checked_labels(event.get("value"), earlier_names, classes)}
    if kind == "note" and event.get("value") is None:
        raise ValueError("value of event 'note' is None; it must be a text, empty to take the note back")
    for name in ("uuid", "item", "value"):
        check_text(event.get(name), f"{name} of event {kind!r}", needed=name in needed)
    _check_seconds(event.get("seconds"))
    check_number(event.get("version"), "version", "the version of the item as it was shown")
    if kind == "label" and not several:
        check_class(event["value"], earlier_names, classes)
    return {name: event.get(name) for name in ("uuid", "item", "kind", "value", "seconds", "version")}


def checked_kind(given: Any, what: str, kinds: Sequence[str]) -> str:
    """Return the kind of what a client sent, or refuse it.

    Parameters
    ----------
    given : object
        Should be a dict.
    what : str
        What it is, as the message begins.
    kinds : sequence of str

    Returns
    -------
    str

    Raises
    ------
    ValueError
    """
    if not isinstance(given, dict):
        raise ValueError(f"{what} is an object, got {type(given).__name__}")
    kind = given.get("kind")
    if kind not in kinds:
        raise ValueError(f"kind is {kind!r}; it must be one of {', '.join(kinds)}")
    return str(kind)


def check_class(value: Any, earlier_names: Collection[str], classes: Sequence[str]) -> None:
    """Refuse a label that is no class.

    Parameters
    ----------
    value : object
    earlier_names, classes : collections of str

    Raises
    ------
    Conflict
    """
    if value not in {*classes, *earlier_names}:
        raise Conflict(f"{value!r} is not one of the classes {list(classes)}")


def checked_labels(
    value: Any, earlier_names: Collection[str], classes: Sequence[str], what: str = "event 'label'"
) -> str:
    """Return a list of classes as the database keeps it, or refuse it.

    Parameters
    ----------
    value : object
        Should be a list of names.
    earlier_names, classes : collections of str
    what : str
        What it is the value of, as messages say.

    Returns
    -------
    str

    Raises
    ------
    ValueError
        If it is no such list; a `Conflict` if one of them is no class.
    """
    if not isinstance(value, list | tuple) or not all(isinstance(name, str) for name in value):
        raise ValueError(
            f"value of {what} is {value!r}; the project takes any number of classes per item, so it must be a "
            "list of them, [] for none"
        )
    repeated = [name for name in value if value.count(name) > 1]
    if repeated:
        raise ValueError(f"value of {what} names {repeated[0]!r} {value.count(repeated[0])} times; name it once")
    unknown = [name for name in value if name not in {*classes, *earlier_names}]
    if unknown:
        raise Conflict(f"{unknown} are not among the classes {list(classes)}")
    return write_labels(value)


def check_name(annotator: Any) -> None:
    """Refuse a name that the database could not keep.

    Parameters
    ----------
    annotator : str

    Raises
    ------
    ValueError
    """
    check_text(annotator, "annotator", needed=True)


def check_text(value: Any, what: str, *, needed: bool) -> None:
    """Refuse what is no text that the database could keep.

    Parameters
    ----------
    value : object
    what : str
        What it is, as the message begins.
    needed : bool
        Whether None and an empty text are refused, too.

    Raises
    ------
    ValueError
    """
    if value is None and not needed:
        return
    if not isinstance(value, str) or (needed and not value):
        raise ValueError(f"{what} is {value!r}; it must be a text")
    if len(value) > _MAX_TEXT:
        raise ValueError(f"{what} has {len(value)} characters; at most {_MAX_TEXT} are kept")
    if "\0" in value:
        raise ValueError(f"{what} holds the character NUL (U+0000), which PostgreSQL cannot keep; leave it out")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"{what} holds half of a surrogate pair: {error}") from error


def _check_seconds(seconds: Any) -> None:
    if seconds is None:
        return
    is_number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    if not is_number or not 0 <= seconds <= _MAX_SECONDS:
        raise ValueError(f"seconds is {seconds!r}; it must be a number from 0 to {_MAX_SECONDS:.0e}, or null")


def check_number(value: Any, name: str, meaning: str) -> None:
    """Refuse what is neither None nor a whole number that the database could keep.

    Parameters
    ----------
    value : object
    name, meaning : str
        As the message has them.

    Raises
    ------
    ValueError
    """
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    if value is not None and not (is_whole and 0 <= value < 2**53):
        raise ValueError(f"{name} is {value!r}; it must be {meaning}, or null")


def new_event(
    kind: str, item: str | None, value: str | Sequence[str] | None = None, seconds: float | None = None
) -> dict[str, Any]:
    """Return an event with a uuid of its own.

    Parameters
    ----------
    kind : str
    item : str or None
    value : str, sequence of str or None
    seconds : float, optional

    Returns
    -------
    dict
    """
    return {"uuid": str(uuids.uuid4()), "item": item, "kind": kind, "value": value, "seconds": seconds}


class EventRecorder:
    """Each kind of event as a method, for a class that records events."""

    def record(self, event: dict[str, Any], annotator: str) -> dict[str, Any]:
        """Record an annotator's event; classes of this one say how.

        Parameters
        ----------
        event : dict
            As for `checked_event`.
        annotator : str

        Returns
        -------
        dict
        """
        raise NotImplementedError

    def label(
        self, item: str, value: str | Sequence[str], annotator: str, *, seconds: float | None = None
    ) -> dict[str, Any]:
        """Label an item: `record` with a uuid of its own.

        Parameters
        ----------
        item : str
        value : str or sequence of str
            A class; of several labels per item, those that it has.
        annotator : str
        seconds : float, optional

        Returns
        -------
        dict
        """
        return self.record(new_event("label", item, value, seconds), annotator)

    def skip(self, item: str, annotator: str, *, seconds: float | None = None) -> dict[str, Any]:
        """Leave an item to other annotators.

        Parameters
        ----------
        item, annotator : str
        seconds : float, optional

        Returns
        -------
        dict
        """
        return self.record(new_event("skip", item, None, seconds), annotator)

    def flag(
        self, item: str, annotator: str, *, note: str | None = None, seconds: float | None = None
    ) -> dict[str, Any]:
        """Put an item aside for review: no annotator is given it again unless the flag is undone.

        Parameters
        ----------
        item, annotator : str
        note : str, optional
        seconds : float, optional

        Returns
        -------
        dict
        """
        return self.record(new_event("flag", item, note, seconds), annotator)

    def note(self, item: str, text: str, annotator: str) -> dict[str, Any]:
        """Write a note on one's own answer; it takes the place of an earlier note, an empty one takes that back.

        Parameters
        ----------
        item, text, annotator : str

        Returns
        -------
        dict
        """
        return self.record(new_event("note", item, text), annotator)

    def undo(self, uuid: str, annotator: str) -> dict[str, Any]:
        """Undo an event, which stays in the database; the item is held for the annotator again.

        Parameters
        ----------
        uuid : str
            Of the event to undo.
        annotator : str

        Returns
        -------
        dict
        """
        return self.record(new_event("undo", None, uuid), annotator)
