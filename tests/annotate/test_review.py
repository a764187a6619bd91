"""The owner's review: what people disagree on is found, decided, and used by training, exports and the report."""

import numpy as np
import pytest

from alkit.annotate import LabelingSession
from alkit.annotate.database import review
from alkit.annotate.database.classes import rename_class
from alkit.annotate.database.ranking import read_labels
from alkit.annotate.formats import read_jsonl
from alkit.annotate.formats.export import export
from alkit.annotate.quality.report import aggregate, report
from tests.annotate.sessions import CLASSES, TEXTS, rank


@pytest.fixture
def team(tmp_path):
    """Give a session in which ann and bob differ about items 2 and 5, and cat put item 7 aside."""
    with LabelingSession(
        TEXTS, CLASSES, tmp_path / "labels.db", overlap=2, random_state=0, random_share=0.0
    ) as session:
        rank(session, ["7", "2"], prediction="ham")
        assert {session.next("cat")["item"] for _ in range(2)} == {"7", "2"}
        for item in "0123456":
            session.label(item, "spam", "ann", seconds=2.0)
            session.label(item, "ham" if item in "25" else "spam", "bob")
        session.flag("7", "cat", note="what is it?")
        yield session


def found(session, **wanted):
    return [answer["item"] for answer in session.review(**wanted)["answers"]]


def test_what_is_to_be_decided_comes_side_by_side(team):
    assert found(team) == ["7", "5", "2"]
    team.note("2", "a newsletter", "bob")
    flagged, _, disputed = team.review()["answers"]
    (vote,) = flagged["votes"]
    assert (vote["annotator"], vote["kind"], vote["value"], vote["note"]) == ("cat", "flag", None, "what is it?")
    assert flagged["expected"] == {"value": "ham", "confidence": 0.9}
    votes = [(vote["annotator"], vote["value"], vote["note"], vote["late"]) for vote in disputed["votes"]]
    assert votes == [("ann", "spam", None, True), ("bob", "ham", "a newsletter", True)]
    assert disputed["decision"] is disputed["seen"] is disputed["gold"] is None
    assert (disputed["disputed"], disputed["flagged"], disputed["since"]) == (True, False, False)


def test_filters_and_searches(team):
    team.note("0", "Straße", "bob")
    team.adjudicate("5", "ham", note="sure?")
    expected = {"open": "72", "disputed": "52", "flag": "7", "decided": "5", "since": "", "gold": "", "all": "76543210"}
    for only, items in expected.items():
        assert found(team, only=only) == list(items), only
    assert found(team, only="all", value="ham") == ["5", "2"]
    for sought, items in (("strasse", ["0"]), ("SURE", ["5"]), ("cat", ["7"]), ("text 3", ["3"]), ("%", [])):
        assert found(team, only="all", search=sought) == items, sought
    first = team.review(only="all", limit=3)
    assert [answer["item"] for answer in first["answers"]] == ["7", "6", "5"]
    assert found(team, only="all", limit=3, before=first["before"]) == ["4", "3", "2"]
    for wrong in ({"only": "x"}, {"limit": 0}, {"limit": 101}):
        with pytest.raises(ValueError, match="it must be"):
            team.review(**wrong)


def test_pages_find_what_a_brute_force_finds(tmp_path, monkeypatch):
    monkeypatch.setattr(review, "_WINDOW", 7)
    monkeypatch.setattr(review, "_LOOKED_AT", 21)
    rng = np.random.default_rng(0)
    with LabelingSession(TEXTS, CLASSES, tmp_path / "labels.db", random_state=0) as session:
        given = {}
        for number in range(60):
            item, name = str(rng.integers(20)), rng.choice(["ann", "bob", "cat"])
            value = rng.choice(CLASSES)
            session.label(item, value, name)
            given[item, name] = number, value
        items = {item for item, _ in given}
        last = {item: max(n for (one, _), (n, _) in given.items() if one == item) for item in items}
        differ = [item for item in items if len({v for (one, _), (_, v) in given.items() if one == item}) > 1]
        whole, before = [], None
        while True:
            page = session.review(before=before, limit=2)
            whole += [answer["item"] for answer in page["answers"]]
            before = page["before"]
            if before is None:
                break
        assert whole == sorted(differ, key=last.get, reverse=True)


def test_decisions_are_the_labels_of_training_exports_and_report(team, tmp_path):
    team.adjudicate("2", "ham")
    team.adjudicate("5", "spam")
    team.adjudicate("5", "ham")  # changed
    team.exclude("0")
    team.adjudicate("7", "spam")  # which nobody labelled
    ids = {row["key"]: row["id"] for row in team.store.query("SELECT key, id FROM item")}
    keys = {number: key for key, number in ids.items()}
    labels = read_labels(team.store)
    trained = {keys[item]: value for item, value in zip(labels.items, labels.values, strict=True)}
    decided = {"2": "ham", "5": "ham", "7": "spam"}
    expected = dict.fromkeys("1346", "spam") | decided
    assert trained == expected
    assert labels.decided == {ids[item]: value for item, value in decided.items()}
    assert ids["0"] not in {item for item, _, _ in labels.answers}
    for method in ("majority", "dawid-skene"):
        table = aggregate(team.store, method).set_index("item")
        assert table["label"].to_dict() == expected
        assert table["n_labels"].to_dict() == dict.fromkeys("123456", 2) | {"7": 0}
    every = [(answer["item"], answer["annotator"], answer["decision"]) for answer in team.export()]
    assert {("2", "ann", "ham"), ("0", "ann", None), ("7", "cat", "spam")} <= set(every)
    assert {answer["decision"] for answer in team.export("ann")} == {None}  # what was decided is the owner's to tell
    told = report(team.store)
    assert "3 items have the label that the owner decided, 1 items are left out" in told
    assert "as of 12 labels" in told  # of those of item 0, which is left out, nothing is learnt
    assert export(team.store.path, tmp_path / "out.jsonl", method="majority", all_items=True) == 7 + 12
    assert {row["item"] for row in read_jsonl(tmp_path / "out.jsonl")} == {str(k) for k in range(1, 20)}
    progress = team.progress("ann")
    assert (progress["n_done"], progress["n_flagged"]) == (8, 0)


def test_decisions_keep_their_class_when_it_is_renamed(team):
    team.adjudicate("2", "ham")
    rename_class(team.store, "ham", "egg")
    assert team.review(only="decided")["answers"][0]["decision"]["value"] == "egg"
    last = team.adjudicate("2", "ham")  # a page may show the earlier name for some seconds yet
    assert team.review(only="decided")["answers"][0]["decision"]["value"] == "egg"
    rename_class(team.store, "egg", "mail")
    team.decide({"uuid": "u", "item": "2", "kind": "undo", "value": last["uuid"]})

    assert team.review(only="decided")["answers"][0]["decision"]["value"] == "mail"


def test_who_answers_afterwards_changes_no_decision(team):
    team.adjudicate("2", "ham")
    team.label("2", "ham", "ann")
    assert found(team, only="since") == ["2"]
    assert team.review(only="since")["answers"][0]["since"] is True
    assert "2" not in found(team)
    assert team.team()["review"]["since"] == 1
    team.adjudicate("2", "ham")  # seen, and confirmed
    assert found(team, only="since") == []


def test_an_item_asked_again_is_open_once_there_is_an_answer(team):
    team.reopen("7", note="a photograph of a receipt")
    assert found(team) == ["5", "2"]
    assert team.progress("ann")["n_flagged"] == 0
    team.label("7", "spam", "ann")
    assert found(team) == ["7", "5", "2"]  # cat's flag and ann's label are both there to see
    assert team.team()["review"] == {
        "open": 3, "disputed": 2, "flag": 1, "decided": 0, "excluded": 0, "since": 0, "gold": 0
    }  # fmt: skip


def test_a_decision_about_an_earlier_text_is_marked(tmp_path):
    path = tmp_path / "labels.db"
    with LabelingSession(TEXTS, CLASSES, path, random_state=0) as session:
        session.label("3", "spam", "ann")
        session.adjudicate("3", "ham")
    with LabelingSession([*TEXTS[:3], "mended", *TEXTS[4:]], CLASSES, path, accept_changes=True) as session:
        (item,) = session.review(only="decided")["answers"]
        assert (item["text"], item["decision"]["earlier"], item["votes"][0]["earlier"]) == ("mended", True, True)


def test_several_labels_per_item(tmp_path):
    known = {"3": ["a", "b"]}
    with LabelingSession(TEXTS, ["a", "b", "c"], tmp_path / "labels.db", multi=True, gold=known) as session:
        session.label("0", ["a", "b"], "ann")
        session.label("0", ["b"], "bob")
        session.label("3", [], "ann")
        session.label("3", ["b", "a"], "bob")
        (gold, item) = session.review()["answers"]
        assert [vote["value"] for vote in item["votes"]] == [["a", "b"], ["b"]]
        assert gold["gold"] == ["a", "b"]
        assert found(session, only="all", value="a") == ["3", "0"]
        session.adjudicate("0", ["c", "b"])
        rename_class(session.store, "c", "d")
        (decided,) = session.review(only="decided")["answers"]
        assert decided["decision"]["value"] == ["b", "d"]
        assert {answer["decision"] and tuple(answer["decision"]) for answer in session.export()} == {("b", "d"), None}
        assert aggregate(session.store).set_index("item")["label"].to_dict() == {"0": ["b", "d"], "3": ["a", "b"]}
        labels = read_labels(session.store)
        assert sorted(labels.values) == ['["a", "b"]', '["b", "d"]']
        people = {person["annotator"]: person["gold"]["same"] for person in session.team()["people"]}
        assert people == {"ann": 0, "bob": 1}
        assert "1 items have the label that the owner decided" in report(session.store)
        for wrong in ("b", ["b", "b"], ["eggs"]):
            with pytest.raises(ValueError, match=r"list of them|names 'b' 2 times|not among the classes"):
                session.adjudicate("0", wrong)
    with pytest.raises(ValueError, match="gold names 1 classes"):
        LabelingSession(TEXTS, ["a", "b"], tmp_path / "new.db", multi=True, gold={"3": ["eggs"]})
