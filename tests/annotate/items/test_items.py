"""Items: what they are made of, and every refusal with its reason."""

import json
from pathlib import Path

import pandas as pd
import pytest

from alkit.annotate.items import Items, difference, picture_type, read_items

PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)


def written(path, content):
    path.write_text(content, encoding="utf-8")
    return path


def test_a_csv_is_read_as_it_is_written(tmp_path):
    path = written(tmp_path / "a.csv", '\ufeffid,body,n\n007,"NA",1\n008,"zwei\nZeilen, שלום",2\n')
    items = read_items(path, text="body", id="id")
    assert items.ids == ["007", "008"]
    assert items.features() == ["NA", "zwei\nZeilen, שלום"]
    table = read_items(path)
    assert list(table.features().columns) == ["id", "body", "n"]
    both = read_items(path, text="body", columns=["n"])
    assert both.features().to_dict("list") == {"text": items.text, "n": [1, 2]}
    assert [json.loads(content)["row"] for content in both.contents()] == [{"n": "1"}, {"n": "2"}]


def test_json_lines(tmp_path):
    path = written(tmp_path / "a.jsonl", '{"t": "a\u2028b", "k": 5}\n\n{"t": "c", "k": null, "m": 1}\n')
    items = read_items(path, text="t")
    assert items.text == ["a\u2028b", "c"]
    assert read_items(path, columns=["k", "m"]).rows["k"].tolist()[0] == 5
    assert [json.loads(content)["row"] for content in read_items(path, columns=["k", "m"]).contents()] == [
        {"k": 5, "m": None},
        {"k": None, "m": 1},
    ]


@pytest.mark.parametrize(
    ("name", "content", "columns", "message"),
    [
        ("a.csv", "body,n\nx,1\n", {"text": "text"}, r"no column 'text'; it has body, n"),
        ("a.csv", "body,n\nx,1\n", {"columns": ["m"]}, r"no column 'm'"),
        (
            "a.csv",
            "id,body\n1,x\n2,y\n1,z\n",
            {"text": "body", "id": "id"},
            r"3 items have only 2 different ids; '1' occurs 2",
        ),
        ("a.csv", "body\n", {"text": "body"}, "0 items"),
        ("a.csv", "", {"text": "body"}, "cannot be read"),
        ("a.csv", "body\na,b\n", {"text": "body"}, "more or fewer cells than the header"),
        ("a.csv", "body,n\na,b\na,b,c\n", {"text": "body"}, "row 3: 3 cells, but the header has 2"),
        ("a.jsonl", '{"t": "a"}\n[1]\n', {"text": "t"}, "line 2 holds '.1.', not an object"),
        (
            "a.jsonl",
            '{"t": "a"}\n{"t": 3}\n',
            {"text": "t"},
            "1 of 2 rows of .*a.jsonl have no text in column 't'; the first is line 2, where it holds 3",
        ),
        ("a.jsonl", "{", {"text": "t"}, "cannot be read"),
        ("a.xls", "", {}, "must end in .csv"),
    ],
)
def test_bad_files_are_refused(tmp_path, name, content, columns, message):
    with pytest.raises(ValueError, match=message):
        read_items(written(tmp_path / name, content), **columns)


def test_a_file_that_is_not_utf_8_or_not_there(tmp_path):
    (tmp_path / "a.csv").write_bytes("body\nПривет\n".encode("cp1251"))
    for name in ("a.csv", "none.csv", "none.jsonl"):
        with pytest.raises(ValueError, match="cannot be read"):
            read_items(tmp_path / name, text="body")


def test_pictures_are_looked_at(tmp_path):
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "a.png").write_bytes(PNG)
    (tmp_path / "b.jpg").write_text("<script>alert(1)</script>")
    fine = written(tmp_path / "fine.csv", "file,body\npictures/a.png,x\n")
    assert read_items(fine, image="file").features() == [str(tmp_path / "pictures" / "a.png")]
    assert list(read_items(fine, image="file", text="body").features().columns) == ["text", "image"]
    bad = written(tmp_path / "bad.csv", "file\npictures/a.png\nb.jpg\nnone.png\n")
    with pytest.raises(ValueError, match=r"2 of 3 pictures .* item '1', .*b.jpg: is no PNG"):
        read_items(bad, image="file")


def test_a_folder_of_pictures(tmp_path):
    for name in ("b.png", "below/a.PNG", ".hidden/c.png", "._b.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(PNG)
    (tmp_path / "notes.txt").write_text("none")
    items = read_items(tmp_path)
    assert items.ids == ["b.png", "below/a.PNG"]
    assert items.image == [tmp_path / name for name in items.ids]
    (tmp_path / "broken.jpg").write_text("none")
    with pytest.raises(ValueError, match=r"item 'broken.jpg', .*is no PNG"):
        read_items(tmp_path)


def test_signatures():
    heads = {b"RIFF\x00\x00\x00\x00WEBPVP8 ": "image/webp", b"\xff\xd8\xff\xe0": "image/jpeg", PNG: "image/png"}
    assert {head: picture_type(head) for head in heads} == heads
    for head in (b"", b"<svg xmlns=", b"%PDF-1.7", b"GIF88a"):
        assert picture_type(head) is None


def test_items_of_other_things():
    assert Items.of(pd.DataFrame({"a": [1]}, index=[7])).features().index.tolist() == [0]
    with pytest.raises(TypeError, match="items hold 3"):
        Items.of(["a", 3])
    with pytest.raises(ValueError, match="0 items"):
        Items.of([])


@pytest.mark.parametrize(
    ("new", "message"),
    [
        ([("a", '{"text": "x"}')], "made for 2 items and there are now 1: 1 items are gone, the first is 'b'"),
        ([("a", '{"text": "x"}'), ("c", '{"text": "y"}')], "1 items are gone, .*'b' and 1 items are new, .*'c'"),
        ([("b", '{"text": "y"}'), ("a", '{"text": "x"}')], "the order changed: item 0 was 'a' and is now 'b'"),
        ([("a", '{"text": "x"}'), ("b", '{"text": "z"}')], "text of item 'b' was 'y' and is now 'z'"),
    ],
)
def test_differences_are_named(new, message):
    old = [("a", '{"text": "x"}'), ("b", '{"text": "y"}')]
    assert difference(old, old) is None
    with pytest.raises(AssertionError, match=message):
        raise AssertionError(difference(old, new))


def test_a_picture_that_changed_is_a_difference(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(PNG)
    old = list(Items(["0"], image=[path]).contents())
    path.write_bytes(PNG + b"more")
    new = list(Items(["0"], image=[Path(path)]).contents())
    assert difference([("0", old[0])], [("0", new[0])]) == "bytes of item '0' was 28 and is now 32"


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({}, "neither text, image nor rows"),
        ({"text": ["a"]}, "text has 1 rows, but there are 2 ids"),
        ({"rows": pd.DataFrame({"a": [1]})}, "rows has 1 rows, but there are 2 ids"),
        ({"rows": pd.DataFrame([[1, 2]] * 2, columns=["a", "a"])}, "'a' names 2 columns"),
        ({"text": ["a", "b"], "rows": pd.DataFrame({"text": [1, 2]})}, "'text' names 2 columns, .*: rename"),
    ],
)
def test_parts_fit_together(parts, message):
    with pytest.raises(ValueError, match=message):
        Items(["0", "1"], **parts)


def test_rows_go_by_place_not_by_index():
    items = Items(["0", "1"], text=["a", "b"], rows=pd.DataFrame({"size": [1, 2]}, index=[7, 5]))
    assert items.features().to_dict("list") == {"text": ["a", "b"], "size": [1, 2]}
