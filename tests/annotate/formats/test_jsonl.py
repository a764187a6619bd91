"""JSON Lines: every object survives writing and reading; what is malformed is refused by line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alkit.annotate.formats import read_jsonl, write_jsonl
from tests.annotate.formats.records import JSON, TEXT, round_trip


@given(records=st.lists(st.dictionaries(TEXT, JSON, max_size=4), max_size=4))
def test_jsonl(tmp_path_factory, records):
    assert round_trip(records, write_jsonl, read_jsonl, tmp_path_factory.getbasetemp()) == records


def test_jsonl_of_other_systems(tmp_path):
    path = tmp_path / "items.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"a": 1}\r\n\r\n{"b": "\\ud800 \xe2\x80\xa8"}')
    records = read_jsonl(path)
    assert records == [{"a": 1}, {"b": "\ud800 \u2028"}]
    assert round_trip(records, write_jsonl, read_jsonl, tmp_path) == records


@pytest.mark.parametrize(
    ("line", "message"), [("{'a': 1}", "is not JSON"), ("[1]", "is a JSON list"), ('{"a": NaN}', "NaN is not a JSON")]
)
def test_jsonl_refused(tmp_path, line, message):
    path = tmp_path / "items.jsonl"
    path.write_text(f'{{"a": 1}}\n{line}\n')
    with pytest.raises(ValueError, match=f"line 2.*{message}"):
        read_jsonl(path)


def test_nan_is_not_written(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        write_jsonl([{"a": float("nan")}], tmp_path / "items.jsonl")
