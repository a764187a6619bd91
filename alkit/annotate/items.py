"""Items to be labelled: read from a file or a folder, and checked before they are shown."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from mimetypes import guess_type
from pathlib import Path
from typing import Any

import pandas as pd

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


@dataclass(frozen=True)
class Items:
    """Items to be labelled: texts, pictures, rows of a table, or several of these.

    Parameters
    ----------
    ids : list of str
        One per item, all different; labels are stored under them.
    text : list of str, optional
    image : list of Path, optional
        Picture files.
    rows : DataFrame, optional
        Columns shown beside text and picture.

    Examples
    --------
    >>> from alkit.annotate.items import Items
    >>> items = Items.of(["Win a prize!!!", "See you at noon"])
    >>> items.ids, items.features()
    (['0', '1'], ['Win a prize!!!', 'See you at noon'])
    """

    ids: list[str]
    text: list[str] | None = None
    image: list[Path] | None = None
    rows: pd.DataFrame | None = None

    def __post_init__(self) -> None:
        if not self.ids:
            raise ValueError("there are 0 items; there is nothing to label")
        counts = pd.Series(self.ids).value_counts()
        if counts.iloc[0] > 1:
            raise ValueError(
                f"{len(self.ids)} items have only {len(counts)} different ids; {counts.index[0]!r} occurs "
                f"{counts.iloc[0]} times: drop the copies, or take the ids from another column"
            )
        self._check_parts()
        if self.image is not None:
            _check_pictures(self.ids, self.image)

    def _check_parts(self) -> None:
        """Refuse parts that do not fit together."""
        parts = {"text": self.text, "image": self.image, "rows": self.rows}
        given = {name: part for name, part in parts.items() if part is not None}
        if not given:
            raise ValueError(f"{len(self.ids)} items have neither text, image nor rows; there is nothing to show")
        for name, part in given.items():
            if len(part) != len(self.ids):
                raise ValueError(f"{name} has {len(part)} rows, but there are {len(self.ids)} ids; pass one for each")
        names = [name for name in given if name != "rows"]
        if self.rows is not None:
            names += list(self.rows.columns)
        repeated = [name for name in names if names.count(name) > 1]
        if repeated:
            raise ValueError(
                f"{repeated[0]!r} names {names.count(repeated[0])} columns, text and image included; a model could not "
                "tell them apart: rename those of the rows"
            )

    def __len__(self) -> int:
        return len(self.ids)

    @classmethod
    def of(cls, items: Items | pd.DataFrame | Sequence[str]) -> Items:
        """Return texts, or rows of a table, as items numbered from 0.

        Parameters
        ----------
        items : Items, DataFrame or sequence of str

        Returns
        -------
        Items
        """
        if isinstance(items, Items):
            return items
        ids = [str(number) for number in range(len(items))]
        if isinstance(items, pd.DataFrame):
            return cls(ids, rows=items.reset_index(drop=True))
        wrong = next((item for item in items if not isinstance(item, str)), None)
        if wrong is not None:
            raise TypeError(f"items hold {wrong!r}; pass texts, a DataFrame, or Items(ids, text=, image=, rows=)")
        return cls(ids, text=list(items))

    def features(self) -> Any:
        """Return the rows that a model is given: a list of texts, a list of paths, or a DataFrame if there is more.

        Returns
        -------
        rows (N,)
            The columns of a DataFrame are ``text``, ``image`` and those of `rows`.
        """
        columns: dict[str, list[str]] = {}
        if self.text is not None:
            columns["text"] = self.text
        if self.image is not None:
            columns["image"] = [str(path) for path in self.image]
        if self.rows is None and len(columns) == 1:
            return next(iter(columns.values()))
        frames = [pd.DataFrame(columns)]
        if self.rows is not None:
            frames.append(self.rows.reset_index(drop=True))
        return pd.concat(frames, axis=1)

    def contents(self) -> Iterator[str]:
        """Yield what is shown of each item, as JSON: of a picture, its file name and size.

        Yields
        ------
        str
        """
        rows = None
        if self.rows is not None:
            rows = json.loads(self.rows.to_json(orient="records", date_format="iso", double_precision=15))
        for i in range(len(self)):
            content: dict[str, Any] = {
                "text": None if self.text is None else self.text[i],
                "row": None if rows is None else rows[i],
            }
            if self.image is not None:
                content |= {"image": self.image[i].name, "bytes": self.image[i].stat().st_size}
            yield json.dumps(content, ensure_ascii=False)


def read_items(
    path: str | Path,
    *,
    text: str | None = None,
    image: str | None = None,
    id: str | None = None,
    columns: Sequence[str] | None = None,
) -> Items:
    """Read items from a CSV, TSV or JSON Lines file, or the pictures of a folder.

    Parameters
    ----------
    path : str or Path
        A file that ends in ``.csv``, ``.tsv``, ``.jsonl`` or ``.ndjson``, in UTF-8. Of a folder, all pictures in it and
        its subfolders are read; their ids are their paths in it.
    text, image : str, optional
        Columns of texts, and of picture files, relative to the folder of the file.
    id : str, optional
        Column of ids; by default rows are numbered from 0.
    columns : sequence of str, optional
        Columns shown beside text and picture; without `text` and `image`, all of them.

    Returns
    -------
    Items

    Raises
    ------
    ValueError
        If the file cannot be read, lacks a column, or holds an id twice, a row without text, or a file that is no
        picture.
    """
    path = Path(path)
    named = [name for name in (text, image, id, *(columns or ())) if name]
    if path.is_dir():
        if named:
            raise ValueError(
                f"{path} is a folder, which has no column {named[0]!r}; pass a file with it, or no columns"
            )
        return _read_folder(path)
    table = _read_table(path, [name for name in (text, image, id) if name])
    missing = [name for name in named if name not in table]
    if missing:
        raise ValueError(f"{path} has no column {missing[0]!r}; it has {', '.join(map(str, table.columns))}")
    if columns:
        shown = list(columns)
    elif text or image:
        shown = []
    else:
        shown = [str(name) for name in table if name != id]
    return Items(
        ids=table[id].astype(str).tolist() if id else [str(number) for number in range(len(table))],
        text=_texts(table[text], path) if text else None,
        image=[path.parent / name for name in table[image].astype(str)] if image else None,
        rows=table[shown] if shown else None,
    )


def _read_folder(folder: Path) -> Items:
    """Read the files of a folder that end as pictures do; hidden files and folders are left out."""
    inside = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    shown = [path for path in inside if not any(part.startswith(".") for part in path.parts)]
    pictures = [path for path in shown if (guess_type(path.name)[0] or "").startswith("image/")]
    if not pictures:
        raise ValueError(f"{folder} is a folder of {len(shown)} files, none of them a picture; pass another, or a file")
    return Items([path.as_posix() for path in pictures], image=[folder / path for path in pictures])


def _read_table(path: Path, as_text: list[str]) -> pd.DataFrame:
    """Read a file; columns in `as_text` are read as they are written, so that "NA" and "007" stay texts."""
    try:
        if path.suffix in (".jsonl", ".ndjson"):
            return pd.DataFrame(_json_lines(path))
        if path.suffix not in (".csv", ".tsv"):
            raise ValueError("its name must end in .csv, .tsv, .jsonl or .ndjson")
        sep = "\t" if path.suffix == ".tsv" else ","
        table = pd.read_csv(path, sep=sep, encoding="utf-8-sig")
        if not isinstance(table.index, pd.RangeIndex):
            raise ValueError(f"rows have more cells than the header, which has {table.shape[1]}")
        written = pd.read_csv(path, sep=sep, encoding="utf-8-sig", dtype=str, keep_default_na=False)
        return table.assign(**{name: written[name] for name in as_text if name in written})
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from error


def _json_lines(path: Path) -> list[dict[str, Any]]:
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8-sig").split("\n"), 1):
        if line.strip():
            row = json.loads(line)
            if not isinstance(row, dict):
                raise ValueError(f"line {number} holds {line[:40]!r}, not an object")
            rows.append(row)
    return rows


def _texts(column: pd.Series, path: Path) -> list[str]:
    """Return a column as texts, or refuse it if a row has none."""
    wrong = [number for number, value in enumerate(column) if not isinstance(value, str)]
    if wrong:
        raise ValueError(
            f"{len(wrong)} of {len(column)} rows of {path} have no text in column {column.name!r}, the first is row "
            f"{wrong[0]}: {column.iloc[wrong[0]]!r}; fill them in or leave them out"
        )
    return column.tolist()


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


def _check_pictures(ids: list[str], paths: list[Path]) -> None:
    """Refuse files that are missing or are no pictures."""
    wrong: list[tuple[str, Path, str | None]] = []
    for key, path in zip(ids, paths, strict=True):
        try:
            with path.open("rb") as file:
                if picture_type(file.read(12)) is None:
                    wrong.append((key, path, "is no PNG, JPEG, GIF, WebP, AVIF or BMP picture"))
        except OSError as error:
            wrong.append((key, path, error.strerror))
    if wrong:
        key, path, why = wrong[0]
        raise ValueError(
            f"{len(wrong)} of {len(paths)} pictures cannot be shown, the first is that of item {key!r}, {path}: {why}; "
            "repair them, or leave their rows out"
        )


def difference(old: list[tuple[str, str]], new: list[tuple[str, str]]) -> str | None:
    """Describe how items differ from those a database was made for.

    Parameters
    ----------
    old, new : list of (id, content)

    Returns
    -------
    str or None
        None if they are the same.

    Examples
    --------
    >>> from alkit.annotate.items import difference
    >>> difference([("0", '{"text": "a"}')], [("0", '{"text": "b"}')])
    "text of item '0' was 'a' and is now 'b'"
    """
    if old == new:
        return None
    was, now = dict(old), dict(new)
    gone = [key for key in was if key not in now]
    added = [key for key in now if key not in was]
    parts = []
    if gone:
        parts.append(f"{len(gone)} items are gone, the first is {gone[0]!r}")
    if added:
        parts.append(f"{len(added)} items are new, the first is {added[0]!r}")
    if parts:
        return f"it was made for {len(was)} items and there are now {len(now)}: {' and '.join(parts)}"
    for key in was:
        if was[key] != now[key]:
            before, after = json.loads(was[key]), json.loads(now[key])
            field = next(name for name in {**before, **after} if before.get(name) != after.get(name))
            return f"{field} of item {key!r} was {_short(before.get(field))} and is now {_short(after.get(field))}"
    moved = next(i for i, (a, b) in enumerate(zip(old, new, strict=True)) if a != b)
    return f"the order changed: item {moved} was {old[moved][0]!r} and is now {new[moved][0]!r}"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
