"""Excel workbooks: cells as Excel shows them, of the first sheet."""

import io
import json
import sys
import zipfile
from datetime import date, datetime, time

import pytest
from openpyxl import Workbook

from alkit.annotate.items import _excel, read_items


def saved(path, rows, formats=()):
    book = Workbook()
    for row in rows:
        book.active.append(row)
    for place, number_format in formats:
        book.active[place].number_format = number_format
    book.create_sheet("notes").append(["not read"])
    book.save(path)
    return path


def test_cells_are_read_as_they_are_shown(tmp_path):
    rows = [
        ("id", "value", "zip"),
        (1, 0.1 + 0.2, 1067),
        (2, 1e21, "00210"),
        (3, True, None),
        ("NA", datetime(2024, 5, 1), 10115),
        (5, datetime(2024, 5, 1, 12, 30), "x"),
        (6, time(12, 30), "#N/A"),
        (7, date(1999, 12, 31), " "),
    ]
    path = saved(tmp_path / "a.XLSX", rows, [("C2", "00000")])
    items = read_items(path, id="id")
    assert items.ids == ["1", "2", "3", "NA", "5", "6", "7"]
    assert [tuple(json.loads(content)["row"].values()) for content in items.contents()] == [
        ("0.3", "01067"), ("1e+21", "00210"), ("TRUE", ""), ("2024-05-01", "10115"), ("2024-05-01 12:30:00", "x"),
        ("12:30:00", "#N/A"), ("1999-12-31", " "),
    ]  # fmt: skip
    assert items.notes == ("a.XLSX: 7 rows, sheet 'Sheet', the first of 2",)


def test_rows_without_cells_are_left_out_and_counted(tmp_path):
    path = saved(tmp_path / "a.xlsx", [(), ("id", "body"), (1, "a"), (None, ""), (), (2, None)])
    with pytest.raises(ValueError, match="no text in column 'body'; the first is row 6, where it is empty"):
        read_items(path, text="body", id="id")
    assert read_items(path).ids == ["0", "1"]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "its first sheet, 'Sheet', is empty"),
        ([("a", "b")], "no rows below its header"),
        ([("a", "a"), (1, 2)], "columns 1 and 2 are both named 'a'"),
        ([("a", None, None, "b"), (1, 2, 3, 4)], "columns 2 and 3 have no name"),
        ([("a",), (1, 2)], "row 2 has 2 cells, but the header names 1 columns"),
        ([("a", "b"), (1, "=A2+1")], "row 2, column 2 holds the formula '=A2.1' without a value"),
        ([("=B1", "b"), (1, "x")], "row 1, column 1 holds the formula"),
    ],
)
def test_workbooks_are_refused_by_cell(tmp_path, rows, message):
    path = saved(tmp_path / "a.xlsx", rows)
    with pytest.raises(ValueError, match=message) as caught:
        read_items(path)
    assert str(path) in str(caught.value)


def test_what_is_no_workbook(tmp_path):
    (tmp_path / "a.xlsx").write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match="it is no Excel workbook, or a damaged one"):
        read_items(tmp_path / "a.xlsx")
    with zipfile.ZipFile(tmp_path / "a.xlsx", "w") as archive:
        archive.writestr("a.txt", "none")
    with pytest.raises(ValueError, match="it is a damaged Excel workbook"):
        read_items(tmp_path / "a.xlsx")
    (tmp_path / "a.xlsx").rename(tmp_path / "a.csv")
    with pytest.raises(ValueError, match="it is a ZIP archive or an Excel workbook"):
        read_items(tmp_path / "a.csv")


def test_a_workbook_that_unpacks_to_too_much_is_not_unpacked(tmp_path, monkeypatch):
    path = saved(tmp_path / "a.xlsx", [("a",), (1,)])
    monkeypatch.setattr(_excel, "_MAX_BYTES", 1000)
    with pytest.raises(ValueError, match=r"it unpacks to [0-9,]+ bytes, more than 1,000"):
        read_items(path)


def test_a_missing_package_is_named(tmp_path, monkeypatch):
    path = saved(tmp_path / "a.xlsx", [("a",), (1,)])
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'alkit\[excel\]', or save the sheet as CSV"):
        read_items(path)


def test_options_of_text_files_are_refused(tmp_path):
    path = saved(tmp_path / "a.xlsx", [("a",), (1,)])
    with pytest.raises(ValueError, match="encoding='utf-8' is for text files"):
        read_items(path, encoding="utf-8")


def test_a_size_that_is_not_so_cuts_no_rows(tmp_path):
    path = saved(tmp_path / "a.xlsx", [("a",), *((number,) for number in range(50))])
    changed = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(changed, "w") as new:
        for member in old.namelist():
            content = old.read(member)
            if member == "xl/worksheets/sheet1.xml":
                assert b'ref="A1:A51"' in content
                content = content.replace(b'ref="A1:A51"', b'ref="A1:A2"')
            new.writestr(member, content)
    path.write_bytes(changed.getvalue())
    assert len(read_items(path)) == 50
