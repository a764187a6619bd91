"""The registry: what each format exports, it reads again."""

import pytest

from alkit.annotate.formats import FORMATS

# Labelbox refuses what it does not know, and knows neither texts nor people where it imports labels
NO_PLACE = {"labelbox": {"text", "annotator"}}
ANSWER = {"item": "7", "text": "Hi", "annotator": "ann", "kind": "label", "value": "ham", "late": False}


@pytest.mark.parametrize("name", FORMATS)
def test_what_is_exported_is_read_again(tmp_path, name):
    path = tmp_path / f"labels{FORMATS[name].suffix}"
    FORMATS[name].export([ANSWER], path, ["spam", "ham"])
    (record,) = FORMATS[name].read(path)
    kept = {"item", "text", "annotator", "kind", "value"} - NO_PLACE.get(name, set())
    assert {key: record[key] for key in kept} == {key: ANSWER[key] for key in kept}
