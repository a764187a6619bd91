"""Finished runs on disk, one file each, so that a comparison that was killed goes on where it was."""

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

    Files appear whole or not at all. What a killed process leaves are hidden temporary files, which nobody reads.

    Parameters
    ----------
    folder : Path
        As `RunStore.open` found it fit.
    """

    folder: Path

    @classmethod
    def open(cls, folder: str | Path) -> RunStore:
        """Open a store, or make one where there is nothing yet.

        Parameters
        ----------
        folder : str or Path

        Returns
        -------
        RunStore

        Raises
        ------
        ValueError
            If it is no folder, or holds anything but whole runs; nothing is changed then.
        """
        store = cls(Path(folder))
        if store.folder.exists() and not store.folder.is_dir():
            raise ValueError(f"store {store.folder} is a file, not a folder; pass a folder, new or made by alkit")
        store.folder.mkdir(parents=True, exist_ok=True)
        found = sorted(path for path in store.folder.iterdir() if not path.name.startswith("."))
        if not found:
            store._write(_MANIFEST, _FORMAT)
        elif store.folder / _MANIFEST not in found:
            raise ValueError(
                f"store {store.folder} holds {found[0].name!r} but no {_MANIFEST}: it is no store of alkit's, and was "
                "left as it is; pass another folder"
            )
        elif _parsed(store.folder / _MANIFEST) != _FORMAT:
            raise ValueError(
                f"{store.folder / _MANIFEST} is not the manifest of a store this alkit can read ({_FORMAT}); the "
                "folder was left as it is; pass another"
            )
        for path in found:
            if path.name != _MANIFEST:
                _read(path)
        return store

    def get(self, key: dict[str, Any]) -> dict[str, Any] | None:
        """Return what a run found, or None if it is not there.

        Parameters
        ----------
        key : dict
            What determines the run, of plain JSON types.

        Returns
        -------
        dict or None
        """
        path = self.folder / _name(key)
        return _read(path) if path.exists() else None

    def put(self, key: dict[str, Any], run: dict[str, Any]) -> None:
        """Keep what a run found.

        Parameters
        ----------
        key : dict
            What determines the run.
        run : dict
            What it found, of plain JSON types.
        """
        self._write(_name(key), {"key": key, "run": run, "digest": _digest([key, run])})

    def _write(self, name: str, content: dict[str, Any]) -> None:
        """Write a file that is there whole or not at all."""
        temporary = self.folder / f".{name}.{os.getpid()}.tmp"
        with temporary.open("w", encoding="utf-8") as file:
            json.dump(content, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self.folder / name)


def _read(path: Path) -> dict[str, Any]:
    """Return the run in a file, or refuse the file."""
    content = _parsed(path)
    try:
        whole = content["digest"] == _digest([content["key"], content["run"]]) and _name(content["key"]) == path.name
    except (KeyError, TypeError):
        whole = False
    if not whole:
        raise ValueError(
            f"{path} is not a whole run of alkit's, and was left as it is; move it away (if it was a run, it is then "
            "played again)"
        )
    return content["run"]


def _parsed(path: Path) -> Any:
    """Return the JSON in a file, None if it holds none."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None


def _name(key: dict[str, Any]) -> str:
    return f"{_digest(key)[:32]}.json"


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
