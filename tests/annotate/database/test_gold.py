"""Gold items: everybody is given them now and then, nothing gives them away, and bad ones are named."""

import pytest

from alkit.annotate import LabelingSession
from alkit.annotate.database.classes import rename_class
from alkit.annotate.database.decisions import read_decided
from alkit.annotate.database.gold import next_gold, put_gold, read_gold
from alkit.annotate.database.ranking import read_labels
from alkit.annotate.formats.gold import take_gold
from alkit.annotate.quality.report import aggregate
from tests.annotate.database.stores import LEASE, record
from tests.annotate.sessions import CLASSES, TEXTS, rank


@pytest.fixture
def store(filled):
    store = filled(n=6, overlap=1)
    store.put_meta(classes=CLASSES)
    put_gold(store, {"i1": "spam", "i4": "ham"})
    return store


def gold(store, annotator, now=0.0):
    lease = next_gold(store, annotator, now=now, lease_seconds=LEASE)
    return lease and (lease["item"], lease["source"], lease["prediction"])


def test_everybody_is_given_each_once(store):
    for name in ("ann", "bob", "cat"):
        assert gold(store, name) == (1, "gold", None)
        assert gold(store, name) == (4, "gold", None)
        assert gold(store, name) is None
        assert record(store, "label", "i1", "spam", name)["late"] is False
        assert gold(store, name) is None
        assert gold(store, name, now=LEASE + 1) == (4, "gold", None)  # held no longer, and not answered


def test_an_undone_answer_to_gold_is_not_late(store):
    for name in ("ann", "bob"):
        gold(store, name)
        record(store, "label", "i1", "spam", name)
    record(store, "undo", "i1", "bob-0.0-label-i1-spam", "bob", now=5.0)
    assert record(store, "label", "i1", "ham", "bob", now=6.0)["late"] is False


def test_who_flagged_or_excluded_it_ends_the_test(store):
    record(store, "flag", "i1", "unreadable", "ann")
    assert gold(store, "bob") == (4, "gold", None)


def test_a_known_answer_counts_once_somebody_has_labelled(store):
    assert read_decided(store).labels == {}
    assert read_labels(store).fresh == [0, 2, 3, 5]  # not ranked, so nothing is suggested
    record(store, "label", "i1", "ham", "ann")
    record(store, "label", "i0", "ham", "ann")
    labels = read_labels(store)
    assert dict(zip(labels.items, labels.values, strict=True)) == {0: "ham", 1: "spam"}
    rename_class(store, "spam", "junk")
    assert read_labels(store).values == ["ham", "junk"]
    assert read_gold(store) == {"i1": "junk", "i4": "ham"}


def test_what_cannot_be_gold(store):
    with pytest.raises(ValueError, match=r"gold names 1 items that the project lacks: 'i9'"):
        put_gold(store, {"i9": "spam", "i0": "ham"})
    with pytest.raises(ValueError, match=r"gold names 4 classes .*: 'a', 'b', 'c' \.\.\.; leave these out"):
        put_gold(store, dict(zip(("i0", "i1", "i2", "i3"), "abcd", strict=True)))
    assert read_gold(store) == {"i1": "spam", "i4": "ham"}


def test_gold_is_mixed_in_and_not_given_away(tmp_path):
    known = {str(k): "spam" for k in range(5)}
    options = {"random_state": 0, "random_share": 0.0, "gold_share": 0.5}
    with LabelingSession(TEXTS, CLASSES, tmp_path / "labels.db", gold=known, **options) as session:
        rank(session, [str(k) for k in range(5, 20)])
        for name in ("ann", "bob"):
            given = []
            while len(given) < 10 and (item := session.next(name)) is not None:
                given.append(item["item"])
                assert (item["suggestion"] is None) == (item["item"] in known)
                assert item.keys() == {
                    "item", "text", "image", "row", "suggestion", "model_version", "expires", "version"
                }  # fmt: skip
                session.label(item["item"], "ham" if item["item"] == "0" else "spam", name)
            assert 2 <= len(known.keys() & set(given)) < 8
        everything = list(session.export())
        assert {answer["source"] for answer in everything} == {"strategy", "gold"}
        own = list(session.export("ann"))
        assert {answer["source"] for answer in own} == {"strategy", "random"}
        assert {answer["model_version"] for answer in own} == {1}
        truth = aggregate(session.store).set_index("item")["label"]
        assert set(truth) == {"spam"}  # item 0, too, which both got wrong
    with LabelingSession(TEXTS, CLASSES, tmp_path / "labels.db") as session:
        assert read_gold(session.store) == known  # kept
    with LabelingSession(TEXTS, CLASSES, tmp_path / "labels.db", gold={}) as session:
        assert read_gold(session.store) == {}


def test_random_items_look_like_gold_to_the_annotator(tmp_path):
    options = {"random_state": 0, "random_share": 1.0, "gold_share": 0.5}
    with LabelingSession(TEXTS, CLASSES, tmp_path / "labels.db", gold={"0": "spam", "1": "ham"}, **options) as session:
        rank(session, [str(k) for k in range(2, 20)])
        given = [session.next("ann") for _ in range(5)]
        for item in given:
            session.label(item["item"], "spam", "ann")
        assert {item["item"] for item in given} & {"0", "1"}
        for told in (given, list(session.export("ann"))):
            assert len({tuple(name for name, value in one.items() if value is None) for one in told}) == 1
        sources = {answer["item"]: answer["source"] for answer in session.export()}
        assert set(sources.values()) == {"gold", "random"}


def test_of_several_labels_a_known_answer_is_a_list(tmp_path):
    options = {"multi": True, "random_state": 0}
    with LabelingSession(
        ["x", "y"], ["a", "b", "ab"], tmp_path / "labels.db", gold={"0": ["b", "a"]}, **options
    ) as one:
        assert read_gold(one.store) == {"0": '["a", "b"]'}
        with pytest.raises(ValueError, match="gold has the answer 'ab'; where items have several labels, give a list"):
            put_gold(one.store, {"0": "ab"})
        assert read_gold(one.store) == {"0": '["a", "b"]'}


def test_a_reload_gives_a_gold_item_back(tmp_path):
    options = {"gold": {"0": "spam"}, "gold_share": 1.0, "random_state": 0}
    with LabelingSession(TEXTS, CLASSES, tmp_path / "labels.db", **options) as session:
        session.label("0", "spam", "bob")
        assert session.next("ann", page="p")["item"] == "0"
        assert session.next("ann", page="p")["item"] == "0"
        assert session.renew("ann", ["0"], page="p") == ["0"]


def test_a_file_of_known_answers(session, tmp_path):
    path = tmp_path / "gold.csv"
    path.write_text(
        "body,label\ntext 3,spam\ntext 4,eggs\ntext 5,\nnowhere,ham\ntext 3,ham\ntext 6,ham\n", encoding="utf-8"
    )
    lines = take_gold(session.store, path, {"item": None, "text": "body", "image": None})
    assert read_gold(session.store) == {"3": "ham", "6": "ham"}
    assert lines[0] == f"{path}: the answer to 2 items is known, of 6 records"
    assert [line.split(":")[0] for line in lines[1:]] == [
        "1 were given again by the same person, later in the file",
        "1 have no answer",
        "1 are of 1 classes that the project lacks, and are left out",
        "1 are of items that the project does not have; add these to its data, and start again",
    ]
    path.write_text("item,label\n99,spam\n7,eggs\n")
    with pytest.raises(ValueError, match="holds no known answer for this project. 1 are of 1 classes that the pro"):
        take_gold(session.store, path, {"item": None})
    assert read_gold(session.store) == {"3": "ham", "6": "ham"}
    with pytest.raises(ValueError, match=r"nothing\.csv"):
        take_gold(session.store, tmp_path / "nothing.csv", {})
