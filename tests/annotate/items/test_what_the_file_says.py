"""What is shown is what the file says; what cannot be told from it is refused by row."""

import json

import pytest

from alkit.annotate.items import Items, read_items


def written(path, content, encoding="utf-8"):
    path.write_bytes(content.encode(encoding))
    return path


def shown(items):
    return [json.loads(content) for content in items.contents()]


def test_cells_stay_as_they_are(tmp_path):
    rows = [
        ("01067", "NA", "1.50", " padded ", "TRUE"),
        ("00210", "null", "-0", "nan", "1e5"),
        ("", "None", "12345678901234567890", "+1", "#N/A"),
    ]
    path = written(tmp_path / "a.csv", "a,b,c,d,e\n" + "".join(",".join(row) + "\n" for row in rows))
    items = read_items(path)
    assert [tuple(item["row"].values()) for item in shown(items)] == rows
    assert items.features()["c"].tolist() == [1.5, 0, 12345678901234567890.0]
    assert items.features()["a"].tolist() == ["01067", "00210", ""]


def test_a_model_gets_numbers_where_all_cells_are_some(tmp_path):
    path = written(tmp_path / "a.csv", "n,gap,huge,code,empty\n1,2.5,1e999,07,\n-3,,2,8,\n.5,1E2,3,9,\n")
    features = read_items(path).features()
    assert features.select_dtypes(float).columns.tolist() == ["n", "gap"]
    assert features.loc[0, ["huge", "code", "empty"]].tolist() == ["1e999", "07", ""]
    assert features["gap"].isna().tolist() == [False, True, False]


def test_json_stays_as_it_is(tmp_path):
    rows = [
        {"n": 12345678901234567890, "code": "01067", "nested": [1, {"a": None}], "flag": True, "x": 0.1},
        {"n": 1, "code": "NA", "flag": False, "x": 0.30000000000000004},
    ]
    path = written(tmp_path / "a.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    assert [item["row"] for item in shown(read_items(path))] == [rows[0], rows[1] | {"nested": None}]


def test_ids_of_json_are_texts_or_whole_numbers(tmp_path):
    path = written(tmp_path / "a.jsonl", '{"id": 7, "t": "a"}\n{"id": "07", "t": "b"}\n')
    assert read_items(path, id="id", text="t").ids == ["7", "07"]
    for wrong in ("1.5", "true", "null", "[1]", '" "'):
        path = written(tmp_path / "a.jsonl", f'{{"id": 7, "t": "a"}}\n\n{{"id": {wrong}, "t": "b"}}\n')
        with pytest.raises(
            ValueError, match=r"1 of 2 rows of .*a.jsonl have no id in column 'id'; the first is line 3"
        ):
            read_items(path, id="id", text="t")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_what_excel_writes_is_guessed(tmp_path, encoding, separator, end):
    rows = [("id", "größe"), ("1", "Grüße – „naïve“ Cafés"), ("2", f'a{separator} "b"')]
    lines = [separator.join((number, '"' + cell.replace('"', '""') + '"')) for number, cell in rows]
    path = written(tmp_path / "a.CSV", end.join([*lines, ""]), encoding)
    items = read_items(path, text="größe", id="id")
    assert items.text == [cell for _, cell in rows[1:]]
    (note,) = items.notes
    called = {",": "commas", ";": "semicolons", "\t": "tabs"}[separator]
    assert note.startswith("a.CSV: 2 rows, ")
    assert note.endswith(f"separated by {called}")
    assert encoding[:5].lower() in note.lower()


def test_json_lines_in_other_encodings(tmp_path):
    for encoding in ("utf-8-sig", "utf-16", "cp1252"):
        path = written(tmp_path / "a.JSONL", '{"t": "Grüße"}\r\n', encoding)
        assert read_items(path, text="t").text == ["Grüße"]


@pytest.mark.parametrize(
    ("text", "encoding"),
    [("Привет, мир", "cp1251"), ("καλημέρα κόσμε", "cp1253"), ("東京は晴れです", "shift-jis"), ("東京", "euc-jp")],
)
def test_other_encodings_are_asked_for_not_guessed(tmp_path, text, encoding):
    path = written(tmp_path / "a.tsv", f"body\nfirst\n{text}\n", encoding)
    with pytest.raises(ValueError, match=r"line 3 holds the byte 0x\w\w, which is not UTF-8 there: .*--encoding"):
        read_items(path, text="body")
    assert read_items(path, text="body", encoding=encoding).text == ["first", text]


def test_damaged_utf_8_is_not_taken_for_cp1252(tmp_path):
    raw = "body\nGrüße\nCafés, naïve\n".encode().replace("é".encode(), b"\xc3")
    (tmp_path / "a.tsv").write_bytes(raw)
    with pytest.raises(ValueError, match="line 3 holds the byte 0xc3"):
        read_items(tmp_path / "a.tsv", text="body")


def test_encoding_and_separator_may_be_named(tmp_path):
    path = written(tmp_path / "a.csv", "id|body\n1|Grüße, „Ada“\n", "mac-roman")
    assert read_items(path, id="id", text="body", encoding="mac-roman", separator="|").text == ["Grüße, „Ada“"]
    for wrong in ("klingon", "base64", "idna", "a\0b"):
        with pytest.raises(ValueError, match="is no encoding|holds the byte"):
            read_items(path, encoding=wrong)
    for wrong in ("", "||", '"', "\n"):
        if wrong:
            with pytest.raises(ValueError, match="must be one character"):
                read_items(path, separator=wrong)


def test_a_line_for_excel_names_the_separator(tmp_path):
    path = written(tmp_path / "a.csv", "sep=;\r\nid;a,b\r\n1;x,y\r\n2\r\n")
    with pytest.raises(ValueError, match=r"the first is row 4: 1 cells, but the header has 2"):
        read_items(path)
    assert list(shown(read_items(written(path, "sep=|\nid|a,b\n1|x,y\n")))[0]["row"]) == ["id", "a,b"]


def test_the_separator_that_fits_all_rows_is_taken(tmp_path):
    path = written(tmp_path / "a.csv", "name; title,body\nAda; Countess,x\nBob,y\n")
    assert list(shown(read_items(path))[0]["row"]) == ["name; title", "body"]


def test_long_cells_and_blank_lines(tmp_path):
    import csv

    limit = csv.field_size_limit()
    path = written(tmp_path / "a.csv", "\n\nbody\n\n" + "x" * 200_000 + "\n\n\n")
    assert read_items(path, text="body").text == ["x" * 200_000]
    assert csv.field_size_limit() == limit


EMPTY = "have no text in column 'body'; the first is row 3, where it is empty"


@pytest.mark.parametrize(
    ("content", "columns", "message"),
    [
        ("id,body\n1,a\n2,\n", {"text": "body"}, EMPTY),
        ('id,body\n1,a\n2,""\n', {"text": "body"}, EMPTY),
        ('body\na\n""\n', {"text": "body"}, EMPTY),
        ("id,body\n1,a\n2,   \n", {"text": "body"}, EMPTY),
        ("id,body\n1,a\n2,\u200b\u00a0\n", {"text": "body"}, EMPTY),
        ("id,body\n1,a\n2,\u3164\u2800\ufe0f\n", {"text": "body"}, EMPTY),
        ("id,body\n1.0,a\n,b\n3,c\n", {"id": "id"}, "have no id in column 'id'; the first is row 3, where it is empty"),
        (f"id,body\n1,a\n{'2' * 1001},b\n", {"id": "id"}, "row 3: the id in column 'id' has 1001 characters"),
        ("id,body\n1,a\n\n\n1,b\n", {"id": "id"}, "'1' occurs 2 times in column 'id', first in row 2 and row 5"),
        ("a,b\n1,2\n,\n", {}, r"1 of 2 rows of .* are empty in all columns shown \(a, b\); the first is row 3"),
        ("a,b\n1,hello,x\n", {}, "1 of 1 rows have more or fewer cells than the header; the first is row 2: 3 cells"),
        ("a,b\n1,2\n3\n", {}, "the first is row 3: 1 cells, but the header has 2"),
        ('a,b\n1,"2\n\n"\n3\n', {}, r"the first is row 3 \(line 5\): 1 cells"),
        ('a,b\n1,"2\n3,4\n', {}, "quotes do not match after row 1"),
        ('a,b\n1,"2"2\n3,4\n', {}, "quotes do not match after row 1"),
        ('"a,b\n1,2\n', {}, "quotes do not match in the header"),
        ("a,b,a\n1,2,3\n", {}, "columns 1 and 3 are both named 'a'"),
        ("a,,\n1,2,3\n", {}, "columns 2 and 3 have no name"),
        ("a,b\n1,x\0y\n", {}, "line 2 holds a NUL character"),
        ("", {}, "cannot be read: it is empty"),
        ("\ufeff\n \n", {}, "no rows below its header"),
        ("a,b\n", {}, "no rows below its header, so there are 0 items"),
    ],
)
def test_csv_is_refused_by_row(tmp_path, content, columns, message):
    path = written(tmp_path / "a.csv", content)
    with pytest.raises(ValueError, match=message) as caught:
        read_items(path, **columns)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (r'{"t": "\ud83d"}', r"line 2 holds half of a character \(U\+D83D"),
        (r'{"t": "a", "\udc4b": [1]}', "line 2 holds half of a character"),
        (r'{"t": "a", "x": [{"y": "\u0000"}]}', "line 2 holds a NUL character"),
        ('{"t": "a", "t": "b"}', "line 2 holds the key 't' 2 times"),
        ('{"t": "a", "x": {"y": 1, "y": 2}}', "line 2 holds the key 'y' 2 times"),
        ('{"t": "a", "x": NaN}', "line 2 holds NaN"),
        ('{"t": "a", "x": -Infinity}', "line 2 holds -Infinity"),
        ('{"t": "a", "x": 1e999}', "line 2 holds 1e999, which is too large"),
        ('{"t": "a", "x": ' + "9" * 5000 + "}", "line 2 holds a number of 5000 digits"),
        ('{"t": ' + "[" * 100_000, "line 2 has brackets within brackets"),
        ('{"t": "a"', "line 2 is not JSON from character 10 on"),
        ('{"t": "a"} {"t": "b"}', "line 2 is not JSON from character 12 on"),
        ("null", "line 2 holds 'null', not an object"),
        ('{"t": null}', "line 2, where it is empty"),
        ('{"u": "a"}', "line 2, where it is empty"),
        ('{"t": ["a"]}', r"line 2, where it holds \['a'\]"),
    ],
)
def test_json_is_refused_by_line(tmp_path, line, message):
    path = written(tmp_path / "a.jsonl", '{"t": "first"}\n' + line + "\n")
    with pytest.raises(ValueError, match=message) as caught:
        read_items(path, text="t")
    assert str(path) in str(caught.value)


def test_escapes_that_only_look_like_nul_are_fine(tmp_path):
    path = written(tmp_path / "a.jsonl", r'{"t": "\\u0000 \ud83d\udc4b"}' + "\n")
    assert read_items(path, text="t").text == [r"\u0000 👋"]


@pytest.mark.parametrize("name", ["a.xls", "a.txt", "a.json", "a.csv.gz", "a"])
def test_other_files_are_refused(tmp_path, name):
    with pytest.raises(ValueError, match="its name must end in .csv, .tsv, .xlsx, .jsonl"):
        read_items(written(tmp_path / name, "a,b\n1,2\n"))


def test_options_that_do_not_fit_are_refused(tmp_path):
    path = written(tmp_path / "a.jsonl", '{"t": "a"}\n')
    with pytest.raises(ValueError, match="separator=';' is for .csv and .tsv files"):
        read_items(path, separator=";")
    with pytest.raises(ValueError, match="is a folder; encoding and separator are for a file"):
        read_items(tmp_path, encoding="utf-8")


@pytest.mark.parametrize(
    ("ids", "text", "message"),
    [
        (["a", ""], ["x", "y"], r"id 1 \(from 0\) is empty"),
        (["a", "b" * 1001], ["x", "y"], r"id 1 \(from 0\) has 1001 characters, more than 1000"),
        (["a", "b"], ["x", " \n"], "text of item 'b' is empty"),
        (["a", "b\ud83d"], ["x", "y"], r"id 1 \(from 0\) holds half of a character"),
        (["a", "b"], ["x", "y\0"], "text of item 'b' holds a NUL"),
    ],
)
def test_items_of_a_notebook_are_checked_too(ids, text, message):
    with pytest.raises(ValueError, match=message):
        Items(ids, text)
