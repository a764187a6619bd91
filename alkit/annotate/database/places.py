"""Where a database is: the path of a file, or the address of a PostgreSQL server."""

from __future__ import annotations

import os
import re
from pathlib import Path

from alkit.annotate.database.connect import beside
from alkit.annotate.database.postgres.url import HOW, PostgresUrl, is_url

Place = Path | PostgresUrl

_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+://|postgres(ql)?:", re.IGNORECASE)  # one letter is a drive


def as_place(given: str | Path | PostgresUrl) -> Place:
    """Return where a database is.

    Parameters
    ----------
    given : str, Path or PostgresUrl
        A path, or ``postgresql://...``.

    Returns
    -------
    Path or PostgresUrl

    Raises
    ------
    ValueError
        If it is an address that cannot be read.

    Examples
    --------
    >>> from alkit.annotate.database.places import as_place
    >>> str(as_place("postgresql://ann:secret@db.example.org/labels?schema=posts"))
    'postgresql://ann@db.example.org/labels?schema=posts'
    """
    if isinstance(given, PostgresUrl):
        return given
    if isinstance(given, Path):
        return given
    if is_url(given):
        return PostgresUrl.parse(given)
    if _ADDRESS.match(given):
        raise ValueError(f"--db is the address of another kind of database; {HOW}, or the path of a file")
    return Path(given)


def resolved(place: Place) -> Place:
    """Return a place that is the same for all links that lead to one file.

    Parameters
    ----------
    place : Path or PostgresUrl

    Returns
    -------
    Path or PostgresUrl
    """
    return place.resolve() if isinstance(place, Path) else place


def cache_of(place: Place) -> Path:
    """Return the folder for what is computed once from the items of a database.

    Parameters
    ----------
    place : Path or PostgresUrl

    Returns
    -------
    Path
        Beside a file; of PostgreSQL in the present folder.
    """
    if isinstance(place, Path):
        return beside(place, ".encoded")
    return Path(os.path.abspath(f"{place.schema}.encoded"))
