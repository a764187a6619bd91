"""Preparing a database: a session continues on its own items and classes, and on no others."""

import sqlite3
from contextlib import closing

import pandas as pd
import pytest

from alkit.annotate import Items, LabelingSession
from alkit.annotate.items import read_items
from tests.annotate.databases import only_sqlite
from tests.annotate.sessions import CLASSES, TEXTS


def test_a_session_goes_on_where_it_ended(database):
    path = database
    with LabelingSession(TEXTS, CLASSES, path, random_state=0) as session:
        held = session.next("ann")
        session.label(held["item"], "ham", "ann")
        held = session.next("ann")
    with LabelingSession(TEXTS, [*CLASSES, "eggs"], path, overlap=2) as session:
        assert session.next("ann", resume=True)["item"] == held["item"]
        assert session.progress("ann")["mine"] == 1
        session.label(held["item"], "eggs", "ann")
    with pytest.raises(ValueError, match=r"holds labels \['eggs'\], which are not among the classes"):
        LabelingSession(TEXTS, CLASSES, path)


@only_sqlite
def test_other_items_are_refused_and_the_difference_named(database):
    path = database
    LabelingSession(TEXTS, CLASSES, path).close()
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r"made for other items: text of item '4' was 'text 4' and is now 'changed'"):
        LabelingSession([*TEXTS[:4], "changed", *TEXTS[5:]], CLASSES, path)
    with pytest.raises(ValueError, match=r"made for other items: text of item '4' was 'text 4' and is now 'changed'"):
        LabelingSession([*TEXTS[:4], "changed", *TEXTS[5:], "more"], CLASSES, path)
    with pytest.raises(
        ValueError, match=r"made for 20 items and there are now 19: 1 items are gone, the first is '19'"
    ):
        LabelingSession(TEXTS[:19], CLASSES, path)
    assert path.read_bytes() == before
    LabelingSession(TEXTS, CLASSES, path).close()


@pytest.mark.parametrize("kind", ["text", "database"])
def test_a_file_of_something_else_is_left_as_it_is(tmp_path, kind):
    path = tmp_path / "mine"
    path.write_text("body\nhello\n")
    if kind == "database":
        path.unlink()
        with closing(sqlite3.connect(path)) as db:
            db.execute("CREATE TABLE recipe (name)")
    path.chmod(0o644)
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r"not a database|not one of alkit's"):
        LabelingSession(TEXTS, CLASSES, path)
    assert path.read_bytes() == before
    assert path.stat().st_mode & 0o777 == 0o644
    assert list(tmp_path.iterdir()) == [path]


def items_of(folder, text):
    path = folder / "rows.csv"
    path.write_text(text)
    return read_items(path, id="id")


def test_a_database_that_holds_cells_as_numbers_goes_on(tmp_path, database):
    items = items_of(tmp_path, "id,code,size,sold,note\n1,01,1.50,True,\n2,7,3,False,x\n")
    as_parsed = pd.DataFrame({"code": [1, 7], "size": [1.5, 3.0], "sold": [True, False], "note": [None, "x"]})
    path = database
    with LabelingSession(Items(["1", "2"], rows=as_parsed), CLASSES, path, random_state=0) as session:
        session.label("1", CLASSES[0], "ann")
    with LabelingSession(items, CLASSES, path, random_state=0) as session:
        (label,) = session.export()
    assert label["value"] == CLASSES[0]
    assert label["row"] == {"code": "01", "size": "1.50", "sold": "True", "note": ""}


@pytest.mark.parametrize("row", ["1,02,x", "1,one,x", "1,1,", "1,1,y"])
def test_other_numbers_are_other_items(tmp_path, database, row):
    path = database
    items = Items(["1"], rows=pd.DataFrame({"code": [1], "note": ["x"]}))
    LabelingSession(items, CLASSES, path).close()
    with pytest.raises(ValueError, match="made for other items"):
        LabelingSession(items_of(tmp_path, f"id,code,note\n{row}\n"), CLASSES, path)
