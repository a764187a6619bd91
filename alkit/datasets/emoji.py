"""Emoji: one text and one picture per row."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from alkit._optional import needs_extra


def load_emoji(
    path: str | Path, target: str = "category", *, flags: bool = True, tags: bool = True
) -> tuple[dict[str, Any], np.ndarray, np.ndarray]:
    r"""Load emoji: one text and one picture per row, and the kind of emoji, or its tags, as labels.

    Parameters
    ----------
    path : str or Path
        A folder that holds the npm packages ``emojibase-data`` and ``emoji-datasource-google`` or
        ``emoji-datasource-twitter``, or both of the latter (``npm install --prefix DIR emoji-datasource-google@16.0.0
        emojibase-data@17.0.0``, then ``DIR/node_modules``); or ``rows.csv`` with columns ``id``, ``vendor``, ``label``,
        ``tags``, ``category`` and ``subgroup``, and ``images32_VENDOR.npz`` with ``X``.
    target : {"category", "subgroup", "tags"}, default="category"
        9 or 98 classes; or several labels per row: tags, separated by spaces, of which
        ``CountVectorizer(binary=True, max_features=50)`` makes a 0/1 matrix of the 50 most frequent.
    flags : bool, default=True
        Whether to include flags, which are easily recognised by the text alone or the picture alone.
    tags : bool, default=True
        Whether texts are names with tags, which are more informative than names alone; of no use where tags are the
        target.

    Returns
    -------
    X : dict
        ``"text"``, a list of n str; ``"image"``, uint8 array (n, 32, 32, 3), on white.
    y : array (n,) of str
        Category, subgroup or tags.
    ids : array (n,) of str
        The code points of the emoji. Two vendors have the same text and similar pictures for it, so keep rows of the
        same id together when splitting, as :class:`sklearn.model_selection.GroupShuffleSplit` does.

    Raises
    ------
    FileNotFoundError
        If `path` holds neither.

    Examples
    --------
    >>> import numpy as np
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from alkit.datasets import load_emoji
    >>> with TemporaryDirectory() as folder:
    ...     table = "id,vendor,label,tags,category,subgroup\n1F40C,google,snail,slow,Animals,animal-bug\n"
    ...     _ = Path(folder, "rows.csv").write_text(table)
    ...     np.savez(Path(folder, "images32_google.npz"), X=np.zeros((1, 32, 32, 3), np.uint8))
    ...     X, y, ids = load_emoji(folder)
    >>> X["text"], X["image"].shape, y.tolist(), ids.tolist()
    (['snail: slow'], (1, 32, 32, 3), ['Animals'], ['1F40C'])
    """
    if target not in ("category", "subgroup", "tags"):
        raise ValueError(f"target={target!r}: choose 'category', 'subgroup' or 'tags'")
    path = Path(path)
    tables = sorted(path.glob("rows.csv*"))
    rows, pictures = _converted_emoji(tables[0]) if tables else _packaged_emoji(path)
    if not flags:
        kept = (rows["category"] != "Flags").to_numpy()
        rows, pictures = rows[kept], pictures[kept]
    texts = rows["label"]
    if tags and target != "tags":
        texts = texts + ": " + rows["tags"]
    X = {"text": texts.tolist(), "image": pictures}
    return X, rows[target].to_numpy(dtype=str), rows["id"].to_numpy(dtype=str)


def _converted_emoji(table: Path) -> tuple[pd.DataFrame, np.ndarray]:
    """Read a table of emoji, and the pictures of each vendor in its order."""
    rows = pd.read_csv(table, dtype=str, keep_default_na=False)
    pictures = np.empty((len(rows), 32, 32, 3), dtype=np.uint8)
    for vendor, of_vendor in rows.groupby("vendor"):
        with np.load(table.parent / f"images32_{vendor}.npz") as file:
            pictures[of_vendor.index] = file["X"]
    return rows, pictures


def _packaged_emoji(path: Path) -> tuple[pd.DataFrame, np.ndarray]:
    """Read emoji from npm packages."""
    texts = sorted(path.glob("**/en/data.json"))
    sheets = sorted(path.glob("**/img/*/sheets/64.png"))
    if not texts or not sheets:
        raise FileNotFoundError(
            f"no emoji in {path}: it should hold the npm packages emojibase-data and emoji-datasource-google or "
            "-twitter, or rows.csv and images32_VENDOR.npz"
        )
    named = json.loads(texts[0].read_text(encoding="utf-8"))
    words = {_code_points(text["hexcode"]): text for text in named}
    rows, pictures = [], []
    for sheet in sheets:
        # .../emoji.json and .../img/VENDOR/sheets/64.png
        vendor = sheet.parts[-3]
        emoji = json.loads((sheet.parents[3] / "emoji.json").read_text(encoding="utf-8"))
        pictured = [e for e in emoji if e["category"] != "Component" and e[f"has_img_{vendor}"]]
        known = [e for e in pictured if _code_points(e["unified"]) in words]
        rows += [_row(e, vendor, words[_code_points(e["unified"])]) for e in known]
        pictures.append(_cut_sheet(sheet, [(e["sheet_x"], e["sheet_y"]) for e in known]))
    return pd.DataFrame(rows), np.concatenate(pictures)


def _row(emoji: dict[str, Any], vendor: str, text: dict[str, Any]) -> dict[str, Any]:
    """Return the row of an emoji, with the columns of ``rows.csv``."""
    return {
        "id": emoji["unified"],
        "vendor": vendor,
        "label": text["label"],
        "tags": " ".join(text.get("tags", ())),
        "category": emoji["category"],
        "subgroup": emoji["subcategory"],
    }


def _code_points(code: str) -> str:
    """Return code points without the variation selector, which some tables of emoji leave out."""
    return "-".join(point for point in code.split("-") if point != "FE0F")


def _cut_sheet(sheet: Path, places: Sequence[tuple[int, int]], size: int = 64) -> np.ndarray:
    """Cut pictures from a sheet, on which each has a margin of one pixel; return them on white, at half their size."""
    with needs_extra("encoders", "load_emoji"):
        from PIL import Image

    with Image.open(sheet) as file:
        pixels = Image.new("RGBA", file.size, "white")
        pixels.alpha_composite(file.convert("RGBA"))
    halves = []
    for x, y in (np.array(places) * (size + 2) + 1).tolist():
        cell = pixels.crop((x, y, x + size, y + size)).convert("RGB")
        half = cell.resize((size // 2, size // 2), Image.Resampling.BOX)
        halves.append(np.asarray(half))
    return np.stack(halves)
