"""Folders: the pictures in them, by their names."""

from __future__ import annotations

import os
from mimetypes import guess_type
from pathlib import Path
from typing import NamedTuple

from alkit.annotate.items._pictures import printable

# those that browsers show, whatever the system's own list of file types lacks
_SHOWN = {".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".gif", ".webp", ".avif", ".bmp"}


class Folder(NamedTuple):
    """What was found in a folder."""

    pictures: list[Path]
    """Relative to it, sorted."""
    notes: list[str]
    """What was left out, and why."""


def list_pictures(folder: Path) -> Folder:
    """Find the files of a folder that end as pictures do; hidden ones are left out, and linked folders not entered.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    Folder

    Raises
    ------
    ValueError
        If there are none, or a folder within cannot be read.
    """
    files: list[str] = []
    linked: list[str] = []
    for place, folders, names in os.walk(folder, onerror=_refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        inside = os.path.relpath(place, folder)
        linked += [os.path.join(inside, name) for name in folders if os.path.islink(os.path.join(place, name))]
        files += [os.path.join(inside, name) for name in names if not name.startswith(".")]
    pictures = sorted((Path(name) for name in files if _is_named_like_one(name)), key=lambda path: path.parts)
    if not pictures:
        raise ValueError(f"{folder} is a folder of {len(files)} files, none of them a picture; pass another, or a file")
    notes = []
    if linked:
        first = printable(os.path.normpath(min(linked)))
        notes.append(f"{len(linked)} linked folders are not entered, the first is {first}")
    return Folder(pictures, notes)


def _is_named_like_one(name: str) -> bool:
    suffix = os.path.splitext(name)[1].lower()
    return suffix in _SHOWN or (guess_type(f"picture{suffix}")[0] or "").startswith("image/")


def _refuse(error: OSError) -> None:
    raise ValueError(f"the folder {error.filename} cannot be read: {error.strerror}; mend that, or move it away")
