"""Items: what people are shown, and what a model is given of it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import InitVar, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from alkit.annotate.items._cells import MAX_ID, flaw, is_empty
from alkit.annotate.items._pictures import listed, look_at, printable


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
    written : list of dict, optional
        `rows` as their file has them, which people are shown instead: there, "01067" and "1.50" are no numbers.
    notes : tuple of str
        What people should know of how they were read, one sentence each.
    source : Path, optional
        The file or folder they were read from, which exports do not replace.
    looked_at : bool, default=False
        Whether the pictures are known to be such, and need not be looked at again.

    Raises
    ------
    ValueError
        If an id or text is empty or an id occurs twice, parts do not fit together, or a picture cannot be shown.

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
    written: list[dict[str, Any]] | None = None
    notes: tuple[str, ...] = ()
    source: Path | None = None
    looked_at: InitVar[bool] = False

    def __post_init__(self, looked_at: bool) -> None:
        if not self.ids:
            raise ValueError("there are 0 items; there is nothing to label")
        counts = Counter(self.ids)
        ((most_frequent, n_times),) = counts.most_common(1)
        if n_times > 1:
            raise ValueError(
                f"{len(self.ids)} items have only {len(counts)} different ids; {most_frequent!r} occurs "
                f"{n_times} times: drop the copies, or take the ids from another column"
            )
        self._check_parts()
        self._check_texts()
        if self.image is not None and not looked_at:
            _check_pictures(self.ids, self.image)

    def _check_parts(self) -> None:
        """Refuse parts that do not fit together."""
        parts: dict[str, Any] = {"text": self.text, "image": self.image, "rows": self.rows, "written": self.written}
        given = {name: part for name, part in parts.items() if part is not None}
        if not given:
            raise ValueError(f"{len(self.ids)} items have neither text, image nor rows; there is nothing to show")
        for name, part in given.items():
            if len(part) != len(self.ids):
                raise ValueError(f"{name} has {len(part)} rows, but there are {len(self.ids)} ids; pass one for each")
        names = [name for name in given if name in ("text", "image")]
        if self.rows is not None:
            names += list(self.rows.columns)
        repeated = [name for name in names if names.count(name) > 1]
        if repeated:
            raise ValueError(
                f"{repeated[0]!r} names {names.count(repeated[0])} columns, text and image included; a model could not "
                "tell them apart: rename those of the rows"
            )

    def _check_texts(self) -> None:
        """Refuse ids and texts that nobody could see, or the database could not keep."""
        parts = {"id": self.ids, "text": self.text or []}
        for name, texts in parts.items():
            needed = name == "id" or self.image is None  # a picture can be labelled without a text
            for number, text in enumerate(texts):
                wrong = "is empty" if needed and is_empty(text) else flaw(text)
                if name == "id" and len(text) > MAX_ID:
                    wrong = f"has {len(text)} characters, more than {MAX_ID}"
                if wrong:
                    key = f"of item {self.ids[number]!r}" if name == "text" else f"{number} (from 0)"
                    raise ValueError(f"{name} {key} {wrong}; mend it, or leave the item out")

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
        rows = self.written
        if rows is None and self.rows is not None:
            rows = json.loads(self.rows.to_json(orient="records", date_format="iso", double_precision=15))
        for i in range(len(self)):
            content: dict[str, Any] = {
                "text": None if self.text is None else self.text[i],
                "row": None if rows is None else rows[i],
            }
            if self.image is not None:
                content |= {"image": printable(self.image[i].name), "bytes": self.image[i].stat().st_size}
            yield json.dumps(content, ensure_ascii=False)


def _check_pictures(ids: list[str], paths: list[Path]) -> None:
    """Refuse files that are missing or are no pictures."""
    wrong = look_at(paths).unreadable
    if wrong:
        problems = [f"item {ids[i]!r}, {printable(str(paths[i]))}: {problem}" for i, problem in wrong.items()]
        raise ValueError(
            f"{len(wrong)} of {len(paths)} pictures cannot be shown: {listed(problems)}\nRepair them, or leave their "
            "items out"
        )
