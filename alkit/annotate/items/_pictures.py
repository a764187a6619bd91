"""Pictures: which of them can be shown, told from their first bytes, without decoding any."""

from __future__ import annotations

import os
import stat
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

# where the first bytes of a picture's file start, what they are, and its media type
_SIGNATURES = (
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (8, b"WEBP", "image/webp"),
    (4, b"ftypavif", "image/avif"),
    (0, b"BM", "image/bmp"),
)
_ENDS = {"image/png": b"IEND", "image/jpeg": b"\xff\xd9"}  # what the last bytes of a whole file hold
_TAIL = 4096
NO_HEADER = "is damaged: its header cannot be read"
_LISTED = 20  # pictures named in one message


class Looks(NamedTuple):
    """What was seen of pictures."""

    unreadable: dict[int, str]
    """By number: why a file is no picture that can be shown."""
    damaged: dict[int, str]
    """By number: why a picture is likely to be shown in part, or not at all."""


def picture_type(head: bytes) -> str | None:
    """Return the media type of a picture by its first bytes, None if it is not one that a browser shows safely.

    Parameters
    ----------
    head : bytes
        The first 12 bytes, or more.

    Returns
    -------
    str or None

    Examples
    --------
    >>> from alkit.annotate.items import picture_type
    >>> picture_type(b"GIF89a...")
    'image/gif'
    """
    for start, signature, media_type in _SIGNATURES:
        if head[start : start + len(signature)] == signature:
            return media_type
    return None


def printable(name: str) -> str:
    r"""Return a file name as text that any file or page can hold: bytes that are not UTF-8 are written as "\xe9".

    Parameters
    ----------
    name : str

    Returns
    -------
    str

    Examples
    --------
    >>> from alkit.annotate.items import printable
    >>> printable("caf\udce9.jpg")
    'caf\\xe9.jpg'
    """
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def look_at(paths: Sequence[Path], inside: Path | None = None) -> Looks:
    """Look at the beginnings and ends of pictures.

    Parameters
    ----------
    paths : sequence of Path
    inside : Path, optional
        A folder that no picture may lie outside of, links followed.

    Returns
    -------
    Looks
    """
    seen = Looks({}, {})
    fence = None if inside is None else _Fence(inside)
    for number, path in enumerate(map(os.fspath, paths)):  # on 100,000 pictures, Path objects would take seconds
        try:
            if fence is not None:
                fence.check(path)
            damage = _look_into(path)
        except OSError as error:
            seen.unreadable[number] = error.strerror or str(error)
        except ValueError as error:
            seen.unreadable[number] = str(error)
        else:
            if damage is not None:
                seen.damaged[number] = damage
    return seen


def listed(problems: Sequence[str]) -> str:
    """Return problems one per line, the first ones if there are many.

    Parameters
    ----------
    problems : sequence of str

    Returns
    -------
    str
    """
    lines = list(problems[:_LISTED])
    if len(problems) > _LISTED:
        lines.append(f"and {len(problems) - _LISTED} more")
    return "\n  ".join(lines)


class _Fence:
    """A folder whose files are inside it whatever links lead to."""

    def __init__(self, folder: Path):
        self.folder = os.path.realpath(folder)
        self._folders: dict[str, str] = {}  # links followed once per folder: it takes longer than to look at a picture

    def check(self, path: str) -> None:
        """Refuse a path that leads outside."""
        if os.path.islink(path):
            real = os.path.realpath(path)
        else:
            parent, name = os.path.split(path)
            if parent not in self._folders:
                self._folders[parent] = os.path.realpath(parent)
            real = os.path.join(self._folders[parent], name)
        if real != self.folder and not real.startswith(os.path.join(self.folder, "")):
            raise ValueError(f"lies outside of {self.folder}, which needs --allow-outside (allow_outside=True)")


def _look_into(path: str) -> str | None:
    """Return what is damaged of a picture, if anything; refuse a file that is none."""
    status = os.stat(path)
    if not stat.S_ISREG(status.st_mode):  # a pipe, for one, would be waited for without end
        raise ValueError("is a folder" if stat.S_ISDIR(status.st_mode) else "is no regular file")
    with open(path, "rb") as file:
        kind = picture_type(file.read(12))
        if kind is None:
            raise ValueError("is no PNG, JPEG, GIF, WebP, AVIF or BMP picture" if status.st_size else "is empty")
        return _damage_in_header(file, kind) or _damage_at_end(file, kind)


def _damage_in_header(file: BinaryIO, kind: str) -> str | None:
    """Return what is wrong with a header; refuse one that promises more pixels than can be decoded."""
    image = _pillow()
    if image is None or (kind == "image/avif" and not _reads_avif()):
        return None
    file.seek(0)
    try:
        with warnings.catch_warnings():  # of sizes that Pillow finds large but still opens
            warnings.simplefilter("ignore")
            image.open(file)
    except image.DecompressionBombError as error:
        raise ValueError(f"has over {2 * image.MAX_IMAGE_PIXELS:,} pixels, too many to be decoded") from error
    except Exception:  # a damaged header raises whatever its bytes lead to
        return NO_HEADER
    return None


def _damage_at_end(file: BinaryIO, kind: str) -> str | None:
    """Return what is wrong with the last bytes: whether they lack the mark of the end."""
    end = _ENDS.get(kind)
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _TAIL))
    if end is None or end in file.read():
        return None
    return "lacks the mark of its end, as if cut off"


def _pillow() -> Any:
    """Return Pillow's module of images, an optional package, or None."""
    try:
        from PIL import Image
    except ModuleNotFoundError:
        return None
    return Image


def _reads_avif() -> bool:
    from PIL import features

    return bool(features.check("avif"))
