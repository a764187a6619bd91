"""How items differ from those a database was made for."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Sequence
from typing import Any, NamedTuple

_NAMED = 3  # items of each kind of change that are named; the others are counted


class Changes(NamedTuple):
    """The ids of items that differ from those a database was made for."""

    new: list[str]
    changed: list[str]
    """With another text, row or picture."""
    gone: list[str]
    moved: list[str]
    """The fewest that have to be moved to make the one order the other."""

    def __str__(self) -> str:
        """Return how many items changed in each way, and the first of them."""
        kinds = zip(("new", "changed", "gone", "moved"), self, strict=True)
        parts = [f"{len(keys)} {kind} ({_first(keys)})" for kind, keys in kinds if keys]
        return ", ".join(parts) or "nothing"


def _first(keys: Sequence[str]) -> str:
    named = ", ".join(_short(key) for key in keys[:_NAMED])
    return f"{named}, ..." if len(keys) > _NAMED else named


def compare(old: Sequence[tuple[str, str]], new: Sequence[tuple[str, str]]) -> Changes:
    """Return what differs between items, matched by their ids.

    Parameters
    ----------
    old, new : sequence of (id, content)

    Returns
    -------
    Changes

    Examples
    --------
    >>> from alkit.annotate.items import compare
    >>> print(compare([("a", "1"), ("b", "2"), ("c", "3")], [("c", "3"), ("a", "1"), ("b", "0"), ("d", "4")]))
    1 new ('d'), 1 changed ('b'), 1 moved ('c')
    """
    was, now = dict(old), dict(new)
    return Changes(
        new=[key for key in now if key not in was],
        changed=[key for key in now if key in was and was[key] != now[key]],
        gone=[key for key in was if key not in now],
        moved=_moved([key for key in was if key in now], [key for key in now if key in was]),
    )


def _moved(old: Sequence[str], new: Sequence[str]) -> list[str]:
    """Return what is not part of the longest run of ids that both orders have in common."""
    place = {key: number for number, key in enumerate(old)}
    smallest: list[int] = []  # the smallest place at which a common run of each length ends, so far
    length_of: dict[str, int] = {}
    for key in new:
        length = bisect_left(smallest, place[key])
        smallest[length : length + 1] = [place[key]]
        length_of[key] = length
    stayed, wanted = set(), len(smallest) - 1
    for key in reversed(new):
        if length_of[key] == wanted:
            stayed.add(key)
            wanted -= 1
    return [key for key in new if key not in stayed]


def difference(old: list[tuple[str, str]], new: list[tuple[str, str]]) -> str | None:
    """Describe how items differ from those a database was made for.

    Parameters
    ----------
    old, new : list of (id, content)

    Returns
    -------
    str or None
        None if they are the same.

    Examples
    --------
    >>> from alkit.annotate.items import difference
    >>> difference([("0", '{"text": "a"}')], [("0", '{"text": "b"}')])
    "text of item '0' was 'a' and is now 'b'"
    """
    if old == new:
        return None
    was, now = dict(old), dict(new)
    gone = [key for key in was if key not in now]
    added = [key for key in now if key not in was]
    parts = []
    if gone:
        parts.append(f"{len(gone)} items are gone, the first is {gone[0]!r}")
    if added:
        parts.append(f"{len(added)} items are new, the first is {added[0]!r}")
    if parts:
        return f"it was made for {len(was)} items and there are now {len(now)}: {' and '.join(parts)}"
    for key in was:
        if was[key] != now[key]:
            before, after = json.loads(was[key]), json.loads(now[key])
            field = next(name for name in {**before, **after} if before.get(name) != after.get(name))
            return f"{field} of item {key!r} was {_short(before.get(field))} and is now {_short(after.get(field))}"
    moved = next(i for i, (a, b) in enumerate(zip(old, new, strict=True)) if a != b)
    return f"the order changed: item {moved} was {old[moved][0]!r} and is now {new[moved][0]!r}"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
