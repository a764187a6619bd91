"""How items differ from those a database was made for."""

from __future__ import annotations

import json
from typing import Any


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
