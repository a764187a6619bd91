"""Guidelines: what Markdown says is kept, what it must not do is text, and files that are none are refused."""

import json

import pytest

from alkit.annotate import LabelingSession
from alkit.annotate.database.classes import rename_class
from alkit.annotate.guidelines import as_nodes, put_guidelines, read_guidelines
from tests.annotate.sessions import CLASSES, TEXTS

GUIDE = """# What is spam?

Read the *whole* post. See [the rules](https://example.org/rules).

## spam

What **nobody** asked for, e.g. `WIN!!!`:

- a prize
- a loan

## ham

Anything else.

| post | class |
|---|---|
| lunch? | ham |
"""


def tags(nodes):
    return [node["tag"] for node in nodes]


def flat(nodes):
    for node in nodes:
        yield node
        if isinstance(node, dict):
            yield from flat(node["children"])


def test_what_markdown_says():
    nodes = as_nodes(GUIDE)
    assert tags(nodes) == ["h1", "p", "h2", "p", "ul", "h2", "p", "table"]
    link = nodes[1]["children"][3]
    assert link == {"tag": "a", "href": "https://example.org/rules", "children": ["the rules"]}
    assert nodes[4]["children"][0]["tag"] == "li"
    assert json.loads(json.dumps(nodes)) == nodes


@pytest.mark.parametrize(
    "hostile",
    [
        "<script>alert(1)</script>",
        '<img src=x onerror="alert(1)">',
        "[x](javascript:alert(1))",
        "[x](JaVaScRiPt:alert(1))",
        "[x](data:text/html;base64,AAAA)",
        "[x](//evil.example)",
        "[x](/api/export)",
        "![x](https://evil.example/pixel.png)",
        "<https://example.org>\n\n<javascript:alert(1)>",
        "<details open ontoggle=alert(1)>",
        "[a]: javascript:alert(1)\n\n[x][a]",
        "&lt;script&gt;",
        "```html\n<script>alert(1)</script>\n```",
    ],
)
def test_what_it_must_not_do(hostile):
    for node in flat(as_nodes(hostile)):
        if isinstance(node, dict):
            assert node.keys() <= {"tag", "children", "href"}
            assert node["tag"] in ("p", "a", "pre", "code")
            assert node.get("href", "https://").startswith("https://")


def test_a_file_that_nests_without_end():
    deep = as_nodes("> " * 5000 + "x\n\n" + "*" * 5000 + "\n\n" + "[" * 5000)
    assert json.dumps(deep).count("blockquote") < 200


def test_what_it_says_of_classes(tmp_path):
    with LabelingSession(TEXTS, CLASSES, tmp_path / "labels.db", guidelines=GUIDE) as session:
        told = session.guidelines()
        assert told["classes"] == {"spam": "What nobody asked for, e.g. WIN!!!:", "ham": "Anything else."}
        assert session.progress("ann")["guidelines"] == told["version"]
        rename_class(session.store, "spam", "junk")
        assert set(session.guidelines()["classes"]) == {"junk", "ham"}
    with LabelingSession(TEXTS, CLASSES, tmp_path / "labels.db") as session:
        assert session.guidelines()["nodes"] == told["nodes"]  # kept
    with LabelingSession(TEXTS, CLASSES, tmp_path / "labels.db", guidelines="") as session:
        assert session.guidelines() == {"version": None, "nodes": [], "classes": {}}
        assert session.progress("ann")["guidelines"] is None


def test_a_list_or_table_below_a_class_is_no_description(tmp_path):
    guide = "# spam\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\nLater.\n\n# ham\n\nNews."
    with LabelingSession(TEXTS, CLASSES, tmp_path / "labels.db", guidelines=guide) as session:
        assert session.guidelines()["classes"] == {"ham": "News."}
        with pytest.raises(ValueError, match="the guidelines hold half of a surrogate pair"):
            put_guidelines(session.store, "\ud800")
        with pytest.raises(ValueError, match="the guidelines have 300,000 bytes; at most 200,000"):
            put_guidelines(session.store, "x" * 300_000)
        assert session.guidelines()["classes"] == {"ham": "News."}


def test_what_is_no_file_of_guidelines(tmp_path):
    path = tmp_path / "guide.md"
    with pytest.raises(ValueError, match=r"guide\.md cannot be read: No such file"):
        read_guidelines(path)
    with pytest.raises(ValueError, match="cannot be read: it is no regular file"):
        read_guidelines(tmp_path)
    path.write_bytes(b"# caf\xc3\xa9\n\ncaf\xe9")
    with pytest.raises(ValueError, match="are no UTF-8 in line 3"):
        read_guidelines(path)
    path.write_bytes(b"x" * 300_000)
    with pytest.raises(ValueError, match="have 300,000 bytes; at most 200,000 are shown"):
        read_guidelines(path)
    path.write_bytes(b"\xef\xbb\xbf# spam")
    assert read_guidelines(path) == "# spam"
