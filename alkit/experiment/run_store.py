"""Finished runs on disk, one file per run, so that a comparison that was killed continues where it stopped."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_MANIFEST = "manifest.json"
_FORMAT = {"format": "alkit runs", "version": 1}


@dataclass(frozen=True)
class RunStore:
    """A folder of finished runs, each in a JSON file named by a hash of what determines the run.

    A file is complete as soon as it has its name. A killed process may leave hidden temporary files; they are not read.

    Parameters
    ----------
    folder : Path
        A folder that `RunStore.open` has checked.
    """

    folder: Path

    @classmethod
    def open(cls, folder: str | Path) -> RunStore:
        """Open a store, or make one in a new or empty folder.

        Parameters
        ----------
        folder : str or Path

        Returns
        -------
        RunStore

        Raises
        ------
        ValueError
            If it is no folder, or holds anything but complete runs; nothing is changed then.
        """
        store = cls(Path(folder))
        if store.folder.exists() and not store.folder.is_dir():
            raise ValueError(f"store {store.folder} is a file, not a folder; pass a folder, new or made by alkit")
        store.folder.mkdir(parents=True, exist_ok=True)
        files = sorted(path for path in store.folder.iterdir() if not path.name.startswith("."))
        if not files:
            store._write(_MANIFEST, _FORMAT)
        elif store.folder / _MANIFEST not in files:
            raise ValueError(
                f"store {store.folder} holds {files[0].name!r} but no {_MANIFEST}: it is not a store of alkit, and was "
                "left as it is; pass another folder"
            )
        elif _parsed(store.folder / _MANIFEST) != _FORMAT:
            raise ValueError(
                f"{store.folder / _MANIFEST} is not the manifest of a store this alkit can read ({_FORMAT}); the "
                "folder was left as it is; pass another"
            )
        for path in files:
            if path.name != _MANIFEST:
                _read_run(path)  # raises if the file is not a complete run
        return store

    def get(self, key: dict[str, Any]) -> dict[str, Any] | None:
        """Return the results of a run, None if they are not in the store.

        Parameters
        ----------
        key : dict
            What determines the run, of plain JSON types.

        Returns
        -------
        dict or None
        """
        path = self.folder / _file_name(key)
        return _read_run(path) if path.exists() else None

    def put(self, key: dict[str, Any], run: dict[str, Any]) -> None:
        """Store the results of a run.

        Parameters
        ----------
        key : dict
            What determines the run.
        run : dict
            Its results, of plain JSON types.
        """
        # the digest tells later whether the file was cut short or changed
        content = {"key": key, "run": run, "digest": _digest([key, run])}
        self._write(_file_name(key), content)

    def _write(self, name: str, content: dict[str, Any]) -> None:
        """Write a file under another name, then rename it, so that it is never there in part."""
        temporary = self.folder / f".{name}.{os.getpid()}.tmp"
        with temporary.open("w", encoding="utf-8") as file:
            json.dump(content, file)
            file.flush()
            # on the disk before it is renamed, or a crash could leave the name without the content
            os.fsync(file.fileno())
        temporary.replace(self.folder / name)


def _read_run(path: Path) -> dict[str, Any]:
    """Return the run in a file, or refuse the file."""
    content = _parsed(path)
    if not _is_complete(content, path):
        raise ValueError(
            f"{path} is not a complete run of alkit, and was left as it is; move it away (if it was a run, it is then "
            "played again)"
        )
    return content["run"]


def _is_complete(content: Any, path: Path) -> bool:
    """Return whether the content of a file is a run that was neither cut short, changed nor renamed."""
    try:
        unchanged = content["digest"] == _digest([content["key"], content["run"]])
        return unchanged and _file_name(content["key"]) == path.name
    except (KeyError, TypeError):
        return False


def _parsed(path: Path) -> Any:
    """Return the JSON in a file, None if it holds none."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None


def _file_name(key: dict[str, Any]) -> str:
    """Return the name of the file of a run."""
    return f"{_digest(key)[:32]}.json"


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
