"""The exports of the command line: the labels of a database in a file of another format."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from alkit.annotate.database.answers import read_answers
from alkit.annotate.database.complete import reading
from alkit.annotate.database.connect import belongs_to
from alkit.annotate.database.pictures import read_pictures
from alkit.annotate.database.places import Place
from alkit.annotate.database.predictions import read_unlabelled
from alkit.annotate.database.store import LabelStore
from alkit.annotate.files import is_same_file
from alkit.annotate.formats import FORMATS, write_csv
from alkit.annotate.formats.table import as_table
from alkit.annotate.items import picture_type
from alkit.annotate.quality.report import aggregate

_DATABASE_SIGNATURE = b"SQLite format 3\0"


def export(
    database: Place,
    output: Path,
    *,
    format: str = "jsonl",
    method: str | None = None,
    excel_safe: bool = False,
    all_items: bool = False,
) -> int:
    """Write the labels of a database to a file, which is replaced once all is written.

    Parameters
    ----------
    database : Path or PostgresUrl
    output : Path
    format : str, default="jsonl"
        One of `FORMATS`.
    method : {"majority", "dawid-skene"}, optional
        Write one label per item, see `aggregate`.
    excel_safe : bool, default=False
        See `write_csv`.
    all_items : bool, default=False
        Write the items that nobody labelled, too, with what the model predicts; see `read_unlabelled`.

    Returns
    -------
    int
        The number of records.

    Raises
    ------
    ValueError
        If the file holds a database, a picture or the data; or if there are no labels, and the file holds something.
    OSError
        If the database is damaged, or the file cannot be written.
    """
    if excel_safe and format != "csv":
        raise ValueError(f"excel_safe is for the format csv, not {format}; leave it out, or pass csv")
    check_output(database, output)
    with reading(database) as store:
        check_not_data(store, output)
        records: Any = read_answers(store)
        if method is not None:
            records = aggregate(store, method).to_dict("records")
        records = list(records)
        if all_items:
            records += read_unlabelled(store)
        paths = read_pictures(store)
        classes = store.meta("classes", [])
    if not records and output.is_file() and output.stat().st_size:
        raise ValueError(f"{database} holds no labels yet, so {output} is left as it is; remove it, or label something")
    for record in records:
        record["image"] = paths.get(record["item"], record["image"])
    if excel_safe:
        write_csv(as_table(records), output, excel_safe=True)
    else:
        FORMATS[format].export(records, output, classes)
    return len(records)


def check_output(database: Place, output: Path) -> None:
    """Refuse to replace a database, a file that belongs to it, or a picture.

    Parameters
    ----------
    database : Path or PostgresUrl
    output : Path
    """
    if isinstance(database, Path) and belongs_to(output, database):
        raise ValueError(f"{output} is the database, or belongs to it; pass another name")
    if not output.is_file():
        return
    with output.open("rb") as file:
        head = file.read(16)
    if head == _DATABASE_SIGNATURE or picture_type(head) is not None:
        kind = "database" if head == _DATABASE_SIGNATURE else "picture"
        raise ValueError(f"{output} is a {kind}, which an export does not replace; pass another name")


def check_not_data(store: LabelStore, output: Path) -> None:
    """Refuse to replace the file that the items were read from.

    Parameters
    ----------
    store : LabelStore
    output : Path
    """
    data = store.meta("data")  # where a session's items were read, if they were
    if data is not None and is_same_file(output, Path(data)):
        raise ValueError(f"{output} is the data that is labelled; pass another name")
