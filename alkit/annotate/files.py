"""Files that are replaced as a whole or not at all, and files that only their owner can read."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

PRIVATE = 0o600  # the mode of files that only their owner can read and write


@contextmanager
def replacing(path: str | Path) -> Iterator[BinaryIO]:
    """Write a file beside another, and rename it once it is complete and on disk.

    Whoever reads `path` finds the old file or the new one, never a part; after an error the old one is unchanged.
    Symbolic links are followed, so that the file they lead to is replaced. What is no regular file, such as
    ``/dev/stdout``, is written to directly.

    Parameters
    ----------
    path : str or Path
        The new file has the permissions of the old one.

    Yields
    ------
    BinaryIO

    Raises
    ------
    OSError
        If it cannot be written; names the file.

    Examples
    --------
    >>> from tempfile import mkdtemp
    >>> from alkit.annotate.files import replacing
    >>> path = Path(mkdtemp()) / "labels.jsonl"
    >>> with replacing(path) as file:
    ...     written = file.write(b"{}")
    >>> path.read_text()
    '{}'
    """
    target = Path(os.path.realpath(path))
    try:
        kept = _checked_mode(Path(path))
        if kept is None or stat.S_ISREG(kept):
            with _beside(target, None if kept is None else stat.S_IMODE(kept)) as file:
                yield file
        else:
            with open(path, "wb") as file:
                yield file
    except OSError as error:
        if error.errno is None or error.filename not in (None, str(path), str(target)):
            raise  # of something else, which the caller read meanwhile
        failure = type(error)(f"{path} cannot be written ({error.strerror}): {_remedy(error)}")
        failure.errno = error.errno
        raise failure from error


def _remedy(error: OSError) -> str:
    """Return what to do about a file that cannot be written."""
    match error.errno:
        case errno.EISDIR:
            return "pass the name of a file in it"
        case errno.ENOENT | errno.ENOTDIR:
            return "make its folder first, or pass another"
        case errno.ENOSPC | errno.EDQUOT | errno.EFBIG:
            return "free space on its disk; what was there before is unchanged"
        case _:
            return "pass a file that you may write, in a folder that you may write"


def _checked_mode(path: Path) -> int | None:
    """Return the type and permissions of a file, None if there is none; refuse one that may not be written."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(mode):
        raise OSError(errno.EISDIR, "it is a folder", str(path))
    if not os.access(path, os.W_OK):  # a rename would replace it all the same
        raise OSError(errno.EACCES, "it is write-protected", str(path))
    return mode


@contextmanager
def _beside(target: Path, mode: int | None) -> Iterator[BinaryIO]:
    """Write a new file in the folder of the target, and give it the target's name once it is on disk."""
    part = target.with_name(f".{secrets.token_hex(8)}.part")  # a long name of the target leaves no room for more
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(part, flags, 0o666 if mode is None else PRIVATE)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(target)) from error
    try:
        with open(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(descriptor)
        if mode is not None:
            part.chmod(mode)
        part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    sync_folder(target.parent)


def is_same_file(first: Path, second: Path) -> bool:
    """Return whether two paths lead to one file, through links of any kind; also where there is none yet.

    Parameters
    ----------
    first, second : Path

    Returns
    -------
    bool
    """
    if os.path.realpath(first) == os.path.realpath(second):
        return True
    return first.exists() and second.exists() and first.samefile(second)


def check_regular(path: Path) -> None:
    """Refuse what would be waited for without end if it were read: a pipe, a device, a socket.

    Parameters
    ----------
    path : Path

    Raises
    ------
    OSError
        If it is one of these, or is not there.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(errno.EINVAL, "it is no regular file", str(path))


def sync_folder(folder: Path) -> None:
    """Have the disk keep a rename; systems that cannot open a folder keep it without.

    Parameters
    ----------
    folder : Path
    """
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner can read, as `replacing` does, but in place of a symbolic link, not through it.

    Parameters
    ----------
    path : Path
    content : bytes
    """
    with _beside(path, PRIVATE) as file:
        file.write(content)


def make_private(path: Path) -> None:
    """Make a file that only its owner can read and write, or take an existing one from all others.

    Parameters
    ----------
    path : Path

    Raises
    ------
    OSError
        If it cannot be made, or the path is a symbolic link.
    """
    if path.is_symlink():
        raise OSError(errno.ELOOP, "is a symbolic link, which is not followed here; remove it", str(path))
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, PRIVATE))
    except FileExistsError:
        # Not opened: closing it would drop the locks that SQLite holds on it for this process.
        with suppress(PermissionError):  # of another owner, who decides
            path.chmod(PRIVATE)
