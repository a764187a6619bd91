"""Times as files have them: Unix seconds, or ISO 8601."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any


def to_iso(seconds: float) -> str:
    """Return a Unix time as ISO 8601 in UTC, to the microsecond.

    Parameters
    ----------
    seconds : float

    Returns
    -------
    str

    Examples
    --------
    >>> from alkit.annotate.formats.times import to_iso
    >>> to_iso(1714557600.25)
    '2024-05-01T10:00:00.250000+00:00'
    """
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds")


def to_seconds(written: Any) -> float | None:
    """Return a time of a file as Unix seconds; one without a time zone is taken for UTC.

    Parameters
    ----------
    written : str, float, datetime or None
        ISO 8601, or Unix seconds.

    Returns
    -------
    float or None
        None where nothing is written.

    Raises
    ------
    ValueError
        If it is neither.

    Examples
    --------
    >>> from alkit.annotate.formats.times import to_seconds
    >>> to_seconds("2024-05-01T12:00:00.25+02:00"), to_seconds("1714557600.25"), to_seconds("")
    (1714557600.25, 1714557600.25, None)
    """
    if written is None or written == "":
        return None
    try:
        seconds = _seconds(written)
    except (ValueError, TypeError, OverflowError) as error:
        raise ValueError(f"time is {written!r}; it must be ISO 8601, or seconds since 1970") from error
    return seconds


def _seconds(written: Any) -> float:
    moment = written
    if isinstance(written, str):
        try:
            moment = float(written)
        except ValueError:
            moment = datetime.fromisoformat(written)
    if isinstance(moment, datetime):
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    if isinstance(moment, bool) or not math.isfinite(moment):
        raise ValueError
    to_iso(moment)  # refuses years that no calendar has
    return float(moment)
