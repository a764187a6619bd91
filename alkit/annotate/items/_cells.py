"""Cells: what none may hold, because nobody could see it or no file could keep it."""

from __future__ import annotations

import unicodedata
from typing import Any

MAX_ID = 1000  # characters; pages send several ids in an address, and servers limit its length
_INVISIBLE = {"Cc", "Cf", "Zl", "Zp", "Zs"}  # control and format characters, and spaces of all kinds
# letters and signs without a shape: fillers of Hangul, Braille's empty cell, variation selectors
_SHAPELESS = "\u115f\u1160\u3164\uffa0\u2800" + "".join(map(chr, range(0xFE00, 0xFE10)))


def is_empty(cell: Any) -> bool:
    r"""Return whether nothing of a cell can be seen: there is none, or only spaces and characters without a shape.

    Parameters
    ----------
    cell : any JSON value

    Returns
    -------
    bool

    Examples
    --------
    >>> from alkit.annotate.items._cells import is_empty
    >>> is_empty(" \u200b"), is_empty("NA")
    (True, False)
    """
    if isinstance(cell, str):
        first = cell[:1]
        if first.isalnum() and first not in _SHAPELESS:  # as most cells do, and there are millions of them
            return False
        return all(one in _SHAPELESS or unicodedata.category(one) in _INVISIBLE for one in cell)
    return cell is None


def flaw(cell: str) -> str | None:
    r"""Return what keeps a text from being stored and exported as it is, None if nothing does.

    Parameters
    ----------
    cell : str

    Returns
    -------
    str or None

    Examples
    --------
    >>> from alkit.annotate.items._cells import flaw
    >>> flaw("a\ud83d")
    'holds half of a character (U+D83D, a lone surrogate)'
    """
    if "\0" in cell:
        return "holds a NUL character"
    try:
        cell.encode()
    except UnicodeEncodeError as error:
        return f"holds half of a character (U+{ord(cell[error.start]):04X}, a lone surrogate)"
    return None
