"""The widget's messages: each call of the page is answered, whatever happens."""

import builtins
import sys
import uuid

import pytest

from alkit.annotate import Items, LabelingSession
from tests.annotate.pictures import hills

pytest.importorskip("anywidget")


@pytest.fixture
def ask(tmp_path, monkeypatch):
    """Call a method of a widget as the page does; gives the answer and its buffers."""
    from alkit.annotate import LabelingWidget

    (tmp_path / "hill.png").write_bytes(hills(0))
    items = Items(["a", "b"], text=["one", "two"], image=[tmp_path / "hill.png"] * 2)
    with LabelingSession(items, ["x", "y"], tmp_path / "labels.db", random_state=0) as session:
        widget = LabelingWidget(session, annotator="ann")
        sent = []
        monkeypatch.setattr(widget, "send", lambda content, buffers=None: sent.append((content, buffers)))

        def ask(method, *args):
            name = str(uuid.uuid4())
            widget._handle_custom_msg({"id": name, "method": method, "args": list(args)}, [])
            answer, buffers = sent.pop()
            assert answer.pop("id") == name
            assert not sent
            return answer, buffers

        ask.session = session
        yield ask


def test_label(ask):
    item = ask("next", "p", [])[0]["result"]
    other = ask("next", "p", [item["item"]])[0]["result"]
    assert {item["item"], other["item"]} == {"a", "b"}
    assert ask("next", "q", []) == ({"result": None}, [])
    assert ask("next", "p", [])[0]["result"]["item"] == item["item"]
    assert set(ask("renew", "p", ["a", "b"])[0]["result"]) == {"a", "b"}
    event = {"uuid": str(uuid.uuid4()), "item": item["item"], "kind": "label", "value": "x", "seconds": 1.5}
    first = ask("send", event)[0]["result"]
    assert first == ask("send", event)[0]["result"]
    progress = ask("progress")[0]["result"]
    assert (progress["annotator"], progress["mine"], progress["counts"]) == ("ann", 1, {"x": 1, "y": 0})


def test_look_back(ask):
    for name, item in (("u1", "a"), ("u2", "b")):
        ask("send", {"uuid": name, "item": item, "kind": "label", "value": "x"})
    ask("send", {"uuid": "n", "item": "a", "kind": "note", "value": "why?"})
    page = ask("answers", {"limit": 1})[0]["result"]
    assert [answer["item"] for answer in page["answers"]] == ["b"]
    page = ask("answers", {"limit": 50, "before": page["before"], "search": "WHY"})[0]["result"]
    assert [(answer["item"], answer["image"], answer["note"]) for answer in page["answers"]] == [("a", True, "why?")]
    assert ask("answers", {"only": "nothing"})[0]["permanent"]


def test_the_cell_of_the_session_is_run_again(tmp_path):
    from alkit.annotate import LabelingWidget

    widget = LabelingWidget(LabelingSession(["one", "two"], ["x", "y"], tmp_path / "labels.db"), annotator="ann")
    event = {"uuid": "u", "item": "0", "kind": "label", "value": "x", "seconds": 1.5}
    for _ in range(2):
        again = LabelingSession(["one", "two"], ["x", "y"], tmp_path / "labels.db")
    assert widget._call("send", event)[0]["item"] == "0"
    assert widget.session is again
    assert again.progress("ann")["mine"] == 1
    again.close()


def test_picture(ask):
    answer, buffers = ask("image", "a")
    assert answer == {"result": {"type": "image/png"}}
    assert buffers == [hills(0)]


def test_wrong_calls_are_not_to_be_repeated(ask):
    event = {"uuid": str(uuid.uuid4()), "item": "a", "kind": "label", "value": "z", "seconds": None}
    for call, message in [(("send", event), "'z'"), (("image", "c"), "'c'"), (("close",), "no method 'close'")]:
        answer, _ = ask(*call)
        assert message in answer["error"]
        assert answer["permanent"]


def test_a_full_disk_is_to_be_tried_again(ask, monkeypatch):
    def full(event, annotator):
        raise OSError("no space left")

    monkeypatch.setattr(ask.session, "record", full)
    assert ask("send", {}) == ({"error": "no space left", "permanent": False}, None)


def test_without_anywidget(monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name == "anywidget":
            raise ImportError("No module named 'anywidget'")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    monkeypatch.delitem(sys.modules, "alkit.annotate.web.widget", raising=False)
    import alkit.annotate

    with pytest.raises(ImportError, match=r"pip install 'alkit\[notebook\]'"):
        alkit.annotate.LabelingWidget  # noqa: B018
