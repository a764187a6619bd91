"""Which item of a database a record of a file is about: by its id, else by its text or picture."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from alkit.annotate.database.pictures import read_pictures
from alkit.annotate.database.store import LabelStore

_SEVERAL = -1  # in place of an item where several have one text, or one name of a picture
_PREFIX = 9  # characters of "0a1b2c3d-", which Label Studio writes before the name of a file that was uploaded


class Match(NamedTuple):
    """The item that a record is about."""

    item: int | None
    """Its number; None where there is none."""
    key: str | None
    why: str
    """Why there is none: "unknown", "ambiguous", or "other text", where the item of this id has another text."""


class Matcher:
    """Finds items of a database.

    Parameters
    ----------
    store : LabelStore
    """

    def __init__(self, store: LabelStore):
        self._keys: dict[int, str] = {}
        self._ids: dict[str, int] = {}
        self._texts: dict[int, str] = {}
        self._by_text: dict[str, int] = {}
        self._by_picture: dict[str, int] = {}
        paths = read_pictures(store)
        for number, key, content in store.query("SELECT id, key, content FROM item"):
            shown = json.loads(content)
            self._keys[number], self._ids[key] = key, number
            if shown["text"] is not None:
                self._texts[number] = _normal(shown["text"])
                _note(self._by_text, self._texts[number], number)
            for name in {shown.get("image"), paths.get(key)} - {None}:
                _note(self._by_picture, name, number)

    def find(self, record: Mapping[str, Any]) -> Match:
        """Return the item of a record.

        Parameters
        ----------
        record : dict
            ``item`` (an id), ``text``, ``image``; each may be missing.

        Returns
        -------
        Match
        """
        text = record.get("text")
        text = _normal(text) if isinstance(text, str) and text.strip() else None
        number = self._ids.get(str(record["item"])) if record.get("item") not in (None, "") else None
        if number is not None:
            if text is not None and self._texts.get(number, text) != text:
                return Match(None, None, "other text")  # rows were numbered anew: a label must not go to another's
            return Match(number, self._keys[number], "")
        if text is not None:
            number = self._by_text.get(text)
        if number is None:
            number = self._find_picture(record.get("image"))
        if number is None:
            return Match(None, None, "unknown")
        if number == _SEVERAL:
            return Match(None, None, "ambiguous")
        return Match(number, self._keys[number], "")

    def _find_picture(self, image: Any) -> int | None:
        """Return the item of a picture by its path, or by the name of its file."""
        if not isinstance(image, str) or not image:
            return None
        if image in self._by_picture:
            return self._by_picture[image]
        name = _file_name(image)
        if name not in self._by_picture and name[_PREFIX - 1 : _PREFIX] == "-":
            name = name[_PREFIX:]
        return self._by_picture.get(name)


def _normal(text: str) -> str:
    """Return a text as it is compared: tools change line breaks, and spaces at the ends."""
    return text.replace("\r\n", "\n").strip()


def _note(places: dict[str, int], name: str, number: int) -> None:
    places[name] = _SEVERAL if name in places else number


def _file_name(address: str) -> str:
    """Return the name of the file that a path or an address leads to, of Label Studio's local files, too."""
    address = address.replace("\\", "/")
    if "://" in address or address.startswith("/data/"):
        parts = urlsplit(address)
        (address,) = parse_qs(parts.query).get("d", [unquote(parts.path)])[:1]
    return PurePosixPath(address).name
