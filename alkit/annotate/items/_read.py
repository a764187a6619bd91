"""Reading items from a file or a folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from alkit.annotate.items._cells import MAX_ID, is_empty
from alkit.annotate.items._collection import Items
from alkit.annotate.items._delimited import read_delimited
from alkit.annotate.items._excel import read_excel
from alkit.annotate.items._folder import list_pictures
from alkit.annotate.items._json_lines import read_json_lines
from alkit.annotate.items._pictures import NO_HEADER, Looks, listed, look_at, printable
from alkit.annotate.items._table import Table

_USUAL_SEPARATOR = {".csv": ",", ".tsv": "\t"}
_JSON_LINES = (".jsonl", ".ndjson")
_EXCEL = (".xlsx", ".xlsm")


def read_items(
    path: str | Path,
    *,
    text: str | None = None,
    image: str | None = None,
    id: str | None = None,
    columns: Sequence[str] | None = None,
    encoding: str | None = None,
    separator: str | None = None,
    skip_unreadable: bool = False,
    allow_outside: bool = False,
) -> Items:
    r"""Read items from a table in a CSV, TSV, Excel or JSON Lines file, or the pictures of a folder.

    What people are shown, and what is exported, is what the file says: cells of CSV, TSV and Excel files stay texts.
    A model is given columns as numbers where all their cells are written as numbers.

    Parameters
    ----------
    path : str or Path
        A file that ends in ``.csv``, ``.tsv``, ``.xlsx``, ``.jsonl`` or ``.ndjson``. Of a folder, all pictures in it
        and its subfolders are read; their ids are their paths in it.
    text, image : str, optional
        Columns of texts, and of picture files, relative to the folder of the file.
    id : str, optional
        Column of ids; by default rows are numbered from 0.
    columns : sequence of str, optional
        Columns shown beside text and picture; without `text` and `image`, all of them.
    encoding, separator : str, optional
        Of a CSV or TSV file (the encoding also of JSON Lines); by default guessed, and said in `Items.notes`.
    skip_unreadable : bool, default=False
        Leave out pictures that cannot be shown, and name them in `Items.notes`, instead of refusing all.
    allow_outside : bool, default=False
        Let paths and links lead to pictures outside of the folder.

    Returns
    -------
    Items

    Raises
    ------
    ValueError
        If the file cannot be read, lacks a column, or holds an id twice, a row with nothing to label, or a file that is
        no picture; names file, row and column.
    ModuleNotFoundError
        If a package that reads Excel files is missing.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import mkdtemp
    >>> from alkit.annotate import read_items
    >>> path = Path(mkdtemp(), "posts.csv")
    >>> _ = path.write_text("id;body\n007;Win a prize!!!\n")
    >>> items = read_items(path, id="id", text="body")
    >>> items.ids, items.text
    (['007'], ['Win a prize!!!'])
    """
    path = Path(path)
    named = [name for name in (text, image, id, *(columns or ())) if name]
    if path.is_dir():
        if named:
            raise ValueError(
                f"{path} is a folder, which has no column {named[0]!r}; pass a file with it, or no columns"
            )
        if encoding or separator:
            raise ValueError(f"{path} is a folder; encoding and separator are for a file: leave them out")
        return _read_folder(path, skip_unreadable=skip_unreadable, allow_outside=allow_outside)
    table = read_table(path, encoding, separator)
    _check_columns(table, named, path)
    ids = _ids(table, id, path)
    texts = _texts(table, text, path, needed=image is None) if text else None
    shown = _shown(table, text, image, id, columns)
    if not (text or image):
        _refuse_blank_rows(table, shown, path)
    kept: Sequence[int] = range(len(ids))
    notes = [f"{printable(path.name)}: {len(table.rows)} rows, {table.how}"]
    pictures = _paths(table, image, path) if image else None
    if image and pictures:
        looks = look_at(pictures, None if allow_outside else path.parent)
        looks.unreadable.update((i, "the cell is empty") for i in kept if is_empty(table.rows[i].get(image)))
        names = [f"{table.places[i]}, column {image!r}, {printable(str(pictures[i]))}" for i in kept]
        kept, more = _sort_out(looks, ids, names, path, skip_unreadable)
        notes += more
    table = table.take(kept)
    return Items(
        ids=[ids[i] for i in kept],
        text=[texts[i] for i in kept] if texts else None,
        image=[pictures[i] for i in kept] if pictures else None,
        rows=table.frame(shown) if shown else None,
        written=[{name: row.get(name) for name in shown} for row in table.rows] if shown else None,
        notes=tuple(notes),
        source=path,
        looked_at=True,
    )


def _read_folder(folder: Path, *, skip_unreadable: bool, allow_outside: bool) -> Items:
    found = list_pictures(folder)
    ids = [printable(path.as_posix()) for path in found.pictures]
    pictures = [folder / path for path in found.pictures]
    looks = look_at(pictures, None if allow_outside else folder)
    kept, notes = _sort_out(looks, ids, [printable(str(path)) for path in pictures], folder, skip_unreadable)
    return Items(
        [ids[i] for i in kept],
        image=[pictures[i] for i in kept],
        notes=(f"{printable(folder.name)}: {len(pictures)} pictures", *found.notes, *notes),
        source=folder,
        looked_at=True,
    )


def read_table(path: Path, encoding: str | None, separator: str | None) -> Table:
    """Read a table, or refuse it by name.

    Parameters
    ----------
    path : Path
        Ends in ``.csv``, ``.tsv``, ``.xlsx``, ``.jsonl`` or ``.ndjson``.
    encoding, separator : str or None
        As for `read_items`.

    Returns
    -------
    Table

    Raises
    ------
    ValueError
        If it cannot be read, or has no rows.
    """
    try:
        reader = _reader(path.suffix.lower(), encoding, separator)
        if path.exists() and not path.is_file():
            raise ValueError("it is no regular file")
        raw = path.read_bytes()
        if raw[:2] == b"PK" and path.suffix.lower() not in _EXCEL:
            raise ValueError("it is a ZIP archive or an Excel workbook; unpack it, or name it .xlsx")
        table = reader(raw)
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if not table.rows:
        raise ValueError(f"{path} has no rows below its header, so there are 0 items; add some, or pass another file")
    return table


def _reader(suffix: str, encoding: str | None, separator: str | None) -> Callable[[bytes], Table]:
    """Return what reads files that end like this."""
    if separator and suffix not in _USUAL_SEPARATOR:
        raise ValueError(f"separator={separator!r} is for .csv and .tsv files; leave it out")
    if suffix in _USUAL_SEPARATOR:
        usual = _USUAL_SEPARATOR[suffix]
        return lambda raw: read_delimited(raw, usual=usual, encoding=encoding, separator=separator)
    if suffix in _JSON_LINES:
        return lambda raw: read_json_lines(raw, encoding=encoding)
    if suffix not in _EXCEL:
        raise ValueError("its name must end in .csv, .tsv, .xlsx, .jsonl or .ndjson; save it as one of them")
    if encoding:
        raise ValueError(f"encoding={encoding!r} is for text files; leave it out")
    return read_excel


def _check_columns(table: Table, named: Sequence[str], path: Path) -> None:
    missing = [name for name in named if name not in table.names]
    if missing:
        found = ", ".join(table.names)[:200]
        raise ValueError(
            f"{path} has no column {missing[0]!r}; it has {found}: name one of these, or pass the encoding or "
            f"separator of the file if it was misread ({table.how})"
        )


def _shown(
    table: Table, text: str | None, image: str | None, id: str | None, columns: Sequence[str] | None
) -> list[str]:
    """Return the names of the columns shown beside text and picture."""
    if columns:
        return list(columns)
    if text or image:
        return []
    return [name for name in table.names if name != id]


def _ids(table: Table, name: str | None, path: Path) -> list[str]:
    """Return a column as ids, or refuse empty ones and those that occur twice."""
    if name is None:
        return [str(number) for number in range(len(table.rows))]
    cells = table.column(name)
    wrong = [i for i, cell in enumerate(cells) if is_empty(cell) or type(cell) not in (str, int)]
    _refuse(wrong, "id", name, table, path)
    ids = [str(cell) for cell in cells]
    n, longest = max((len(key), i) for i, key in enumerate(ids))
    if n > MAX_ID:
        raise ValueError(
            f"{path}, {table.places[longest]}: the id in column {name!r} has {n} characters, more than {MAX_ID}; take "
            "the ids from another column"
        )
    counts = Counter(ids)
    key, count = counts.most_common(1)[0]
    if count > 1:
        places = [table.places[i] for i, other in enumerate(ids) if other == key]
        raise ValueError(
            f"{path}: {len(ids)} items have only {len(counts)} different ids; {key!r} occurs {count} times in "
            f"column {name!r}, first in {places[0]} and {places[1]}: drop the copies, or take the ids from "
            "another column"
        )
    return ids


def _texts(table: Table, name: str, path: Path, *, needed: bool) -> list[str]:
    """Return a column as texts, or refuse it if a row has none; beside a picture, a text may be empty."""
    cells = table.column(name)
    wrong = [i for i, cell in enumerate(cells) if not isinstance(cell, str) or (needed and is_empty(cell))]
    _refuse(wrong, "text", name, table, path)
    return cells


def _paths(table: Table, name: str, path: Path) -> list[Path]:
    """Return a column as paths of pictures; an empty cell leads to the folder, which is no picture."""
    cells = table.column(name)
    wrong = [i for i, cell in enumerate(cells) if not (isinstance(cell, str) or is_empty(cell))]
    _refuse(wrong, "picture", name, table, path)
    return [path.parent / (cell or "") for cell in cells]


def _refuse(wrong: Sequence[int], what: str, name: str, table: Table, path: Path) -> None:
    """Refuse a column of which some cells are not what they should be."""
    if wrong:
        cell = table.rows[wrong[0]].get(name)
        said = "is empty" if is_empty(cell) else f"holds {_short(cell)}"
        raise ValueError(
            f"{len(wrong)} of {len(table.rows)} rows of {path} have no {what} in column {name!r}; the first is "
            f"{table.places[wrong[0]]}, where it {said}: fill them in, or leave the rows out"
        )


def _refuse_blank_rows(table: Table, shown: Sequence[str], path: Path) -> None:
    """Refuse rows of which nothing would be shown."""
    blank = [i for i, row in enumerate(table.rows) if all(is_empty(row.get(name)) for name in shown)]
    if blank:
        raise ValueError(
            f"{len(blank)} of {len(table.rows)} rows of {path} are empty in all columns shown ({', '.join(shown)}); "
            f"the first is {table.places[blank[0]]}: leave them out, or show other columns"
        )


def _sort_out(
    looks: Looks, ids: Sequence[str], names: Sequence[str], path: Path, skip: bool
) -> tuple[list[int], list[str]]:
    """Return which pictures are kept, and what is to be said of the others; refuse them unless they may be skipped.

    Damaged pictures do not keep anybody from starting: a browser may show a part of them, and the model does without.
    """
    bad, damaged = dict(looks.unreadable), dict(looks.damaged)
    if skip:
        bad |= {i: problem for i, problem in damaged.items() if problem == NO_HEADER}
    if bad and (not skip or len(bad) == len(ids)):
        raise ValueError(
            f"{len(bad)} of {len(ids)} pictures of {path} cannot be shown: {_listed(bad, ids, names)}\nRepair them, or "
            "leave them out with --skip-unreadable (skip_unreadable=True)"
        )
    notes = []
    if bad:
        notes.append(f"{len(bad)} of {len(ids)} pictures are left out: {_listed(bad, ids, names)}")
    kept_damaged = {i: problem for i, problem in damaged.items() if i not in bad}
    if kept_damaged:
        notes.append(
            f"{len(kept_damaged)} of {len(ids)} pictures may be shown in part or not at all: "
            f"{_listed(kept_damaged, ids, names)}"
        )
    return [i for i in range(len(ids)) if i not in bad], notes


def _listed(problems: Mapping[int, str], ids: Sequence[str], names: Sequence[str]) -> str:
    return listed([f"item {ids[i]!r}, {names[i]}: {problem}" for i, problem in problems.items()])


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
