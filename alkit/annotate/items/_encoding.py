"""Encodings: the bytes of a file as text, never with a character that was not in it."""

from __future__ import annotations

import codecs
import re

_MARKS = (  # UTF-32 first: its mark begins as that of UTF-16 does
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SAMPLE = 4096  # bytes in which UTF-16 without a mark is looked for


def decode(raw: bytes, encoding: str | None = None) -> tuple[str, str]:
    """Return the text of a file, and the name of the encoding it was read in.

    Parameters
    ----------
    raw : bytes
    encoding : str, optional
        By default, what the file's byte order mark says; else UTF-8; else, where that fails and the words look Western
        European, cp1252, in which Excel for Windows writes CSV.

    Returns
    -------
    text, encoding : str

    Raises
    ------
    ValueError
        If there is no such encoding, or the bytes are not in it, or hold NUL characters; names the line.

    Examples
    --------
    >>> from alkit.annotate.items._encoding import decode
    >>> decode("Grüße".encode("cp1252"))
    ('Grüße', 'cp1252')
    """
    name = encoding or _guess(raw)
    try:
        text = raw.decode(name).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        wide = name.lower().startswith("utf")  # elsewhere, a line break is one byte
        line = raw[: error.start].decode(name if wide else "latin-1", "replace").count("\n") + 1
        raise ValueError(
            f"line {line} holds the byte 0x{raw[error.start]:02x}, which is not {said(name)} there: the file is "
            "damaged, or in another encoding; name that (--encoding cp1252, for one), or save the file as UTF-8"
        ) from error
    except (LookupError, ValueError) as error:
        raise ValueError(f"{name!r} is no encoding; utf-8, utf-16 and cp1252 are the usual ones") from error
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise ValueError(
            f"line {line} holds a NUL character: the file is damaged, or no text, or in another encoding than "
            f"{said(name)}; name that (--encoding utf-16, for one)"
        )
    return text, name


def said(encoding: str) -> str:
    """Return the name of an encoding as people write it.

    Parameters
    ----------
    encoding : str

    Returns
    -------
    str

    Examples
    --------
    >>> from alkit.annotate.items._encoding import said
    >>> said("utf-8-sig")
    'UTF-8'
    """
    return encoding.removesuffix("-sig").upper().replace("CP", "cp")


def _guess(raw: bytes) -> str:
    """Return an encoding; UTF-8 where none can be told, so that decoding names the first byte that is wrong."""
    for mark, name in _MARKS:
        if raw.startswith(mark):
            return name
    if b"\0" in raw[:_SAMPLE]:
        return _guess_by_zeros(raw[:_SAMPLE])
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return "cp1252" if _looks_western(raw) else "utf-8"
    return "utf-8"


def _guess_by_zeros(sample: bytes) -> str:
    """Return which half of each UTF-16 unit is zero in most letters, if one is."""
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    if odd > len(sample) / 4 > 4 * even:
        return "utf-16-le"
    if even > len(sample) / 4 > 4 * odd:
        return "utf-16-be"
    return "utf-8"


def _looks_western(raw: bytes) -> bool:
    """Return whether bytes that are not UTF-8 may be taken for cp1252.

    They may not if most characters beyond ASCII are good UTF-8 (a damaged file would turn into garbage), nor if words
    consist mostly of such characters, as Cyrillic, Greek or Japanese ones do when they are read as cp1252.
    """
    good = len(re.findall(r"[^\x00-\x7f]", raw.decode("utf-8", "ignore")))
    bad = raw.decode("utf-8", "replace").count("\ufffd")
    if good >= bad:
        return False
    try:
        text = raw.decode("cp1252")
    except UnicodeDecodeError:
        return False
    accented = "".join(word for word in re.findall(r"[^\W\d_]{3,}", text) if not word.isascii())
    return len(re.findall(r"[^\x00-\x7f]", accented)) <= len(accented) / 2
