"""CSV: every table survives writing and reading; what is malformed is refused by line."""

import csv
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alkit.annotate.formats import read_csv, write_csv
from tests.annotate.formats.records import TEXT, round_trip


@st.composite
def tables(draw):
    header = draw(st.lists(TEXT, min_size=1, max_size=4, unique=True))
    return draw(st.lists(st.fixed_dictionaries(dict.fromkeys(header, TEXT)), min_size=1, max_size=4))


@given(rows=tables())
def test_csv(tmp_path_factory, rows):
    assert round_trip(rows, write_csv, read_csv, tmp_path_factory.getbasetemp()) == rows


def test_csv_of_other_systems(tmp_path):
    path = tmp_path / "items.csv"
    path.write_bytes('\ufeffid,text\r\n1,"two\r\nlines, and a ""quote"""\r\n\r\n2,\r\n'.encode())
    assert read_csv(path) == [{"id": "1", "text": 'two\r\nlines, and a "quote"'}, {"id": "2", "text": ""}]
    path.write_text("")
    assert read_csv(path) == []


def test_csv_long_cells_leave_the_limit_alone(tmp_path):
    limit = csv.field_size_limit()
    rows = [{"text": "long " * 100_000}]
    assert round_trip(rows, write_csv, read_csv, tmp_path) == rows
    assert csv.field_size_limit() == limit


def test_csv_of_other_types(tmp_path):
    records = [{"a": None, "b": 0.5}, {"c": {"x": [1, "é"]}, "a": True}]
    written = round_trip(records, write_csv, read_csv, tmp_path)
    assert written == [{"a": "", "b": "0.5", "c": ""}, {"a": "true", "b": "", "c": '{"x": [1, "é"]}'}]
    assert json.loads(written[1]["c"]) == records[1]["c"]


@pytest.mark.parametrize(
    ("content", "message"),
    [("a,b\n1,2\n1,2,3\n", "line 3: 3 cells, but the header has 2"), ("a,b,a\n", "several columns named 'a'")],
)
def test_csv_refused(tmp_path, content, message):
    path = tmp_path / "items.csv"
    path.write_text(content)
    with pytest.raises(ValueError, match=message):
        read_csv(path)
