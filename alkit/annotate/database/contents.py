"""The content of items as pages show it."""

from __future__ import annotations

import json
import sqlite3
from typing import Any


def item_as_shown(item: sqlite3.Row) -> dict[str, Any]:
    """Return an item as pages are given it, to label, to look back at and to review.

    Parameters
    ----------
    item : Row
        With its ``key``, ``content`` and ``version``.

    Returns
    -------
    dict
        ``item`` (its id), what it holds (``text``, ``row``), whether there is an ``image``, and ``version``.
    """
    content = as_shown(item["content"])
    return {"item": item["key"], **content, "image": "image" in content, "version": item["version"]}


def as_shown(content: str) -> dict[str, Any]:
    """Return what an item holds, numbers as text where a page would round them.

    Parameters
    ----------
    content : str
        JSON, see `Items.contents`.

    Returns
    -------
    dict
        ``text``, ``row``, and ``image`` where there is one.
    """
    read: dict[str, Any] = json.loads(content, parse_int=_exact_in_javascript)
    return read


def _exact_in_javascript(written: str) -> int | str:
    """Return a whole number, as text where the page would round it: there, they end at 2^53."""
    number = int(written)
    return number if abs(number) <= 2**53 else written
