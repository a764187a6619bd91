"""Several labels per item, from the first answer to the report: none is an answer, and nothing given is lost."""

import json
import uuid

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score, f1_score

from alkit.annotate import LabelingSession, cli
from alkit.annotate.database.classes import add_class, merge_classes, rename_class
from alkit.annotate.database.events import Conflict
from alkit.annotate.database.label_kinds import write_proba
from alkit.annotate.database.ranking import Ranked, put_ranking, read_labels
from alkit.annotate.quality.agreement import krippendorff_alpha
from alkit.annotate.quality.curve import live_curve
from alkit.annotate.quality.report import aggregate, report
from tests.annotate.sessions import TEXTS

CLASSES = ["sport", "politics", "weather", "ärger, \"laut\""]  # fmt: skip


@pytest.fixture
def session(tmp_path):
    with opened(tmp_path) as session:
        yield session


def opened(folder, **options):
    options = {"random_state": 0, "random_share": 0.0, "multi": True} | options
    return LabelingSession(TEXTS, CLASSES, folder / "labels.db", **options)


def values(session):
    return {answer["item"]: answer["value"] for answer in session.export()}


def rank(session, proba):
    """Put items in order, with the same probabilities of labels for each."""
    ids = {row["key"]: row["id"] for row in session.store.query("SELECT key, id FROM item")}
    rows = [Ranked(ids[str(place)], place, 1.0, write_proba(proba), 0.6) for place in range(20)]
    return put_ranking(session.store, rows, 4, 0.0)


# ---- answers


def test_any_set_of_classes_is_an_answer(session):
    session.label("0", ["weather", "sport"], "ann")
    session.label("1", [], "ann")
    session.skip("2", "ann")
    session.label("3", CLASSES, "ann")
    assert values(session) == {"0": ["sport", "weather"], "1": [], "2": None, "3": sorted(CLASSES)}
    progress = session.progress("ann")
    assert (progress["multi"], progress["n_labels"], progress["mine"], progress["n_done"]) == (True, 3, 3, 3)
    assert progress["counts"] == {"sport": 2, "politics": 1, "weather": 2, CLASSES[3]: 1}
    assert progress["unlabelled"] == []


def test_undo_and_changes(session):
    first = session.label("0", ["sport"], "ann")
    session.label("1", ["sport", "politics"], "ann")
    change = session.label("0", [], "ann")
    assert values(session) == {"0": [], "1": ["politics", "sport"]}
    session.undo(change["uuid"], "ann")
    assert values(session)["0"] == ["sport"]
    session.undo(first["uuid"], "ann")
    assert values(session) == {"1": ["politics", "sport"]}
    kept = [row["value"] for row in session.store.query("SELECT value FROM event WHERE kind = 'label' ORDER BY seq")]
    assert kept == ['["sport"]', '["politics", "sport"]', "[]"]


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        ("sport", ValueError, "any number of classes per item, so it must be a list of them, \\[\\] for none"),
        (None, ValueError, "must be a list"),
        ([1], ValueError, "must be a list"),
        ([["sport"]], ValueError, "must be a list"),
        (["sport", "tennis"], Conflict, "\\['tennis'\\] are not among the classes"),
        (["sport", "sport"], ValueError, "names 'sport' 2 times; name it once"),
    ],
)
def test_answers_that_are_refused(session, value, error, message):
    session.label("0", ["sport"], "ann")
    with pytest.raises(error, match=message):
        session.label("0", value, "ann")
    assert values(session) == {"0": ["sport"]}


def test_a_list_where_items_have_one_class(tmp_path):
    with opened(tmp_path, multi=False) as session, pytest.raises(ValueError, match="it must be a text"):
        session.label("0", ["sport"], "ann")


@pytest.mark.parametrize("multi", [False, True])
def test_a_database_is_of_one_kind(tmp_path, multi):
    with opened(tmp_path, multi=multi) as session:
        session.label("0", ["sport"] if multi else "sport", "ann")
    remedy = "add --multi" if multi else "leave --multi out"
    with pytest.raises(ValueError, match=f"was made for .*cannot change.*{remedy}"):
        opened(tmp_path, multi=not multi)
    with opened(tmp_path, multi=multi) as session:
        assert values(session) == {"0": ["sport"] if multi else "sport"}


def test_the_command_refuses_the_other_kind(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    opened(tmp_path).close()
    (tmp_path / "texts.csv").write_text("text\n" + "\n".join(TEXTS))
    arguments = ["label", "texts.csv", "--text", "text", "--classes", ",".join(CLASSES[:3]), "--model", "linear"]
    with pytest.raises(SystemExit, match="was made for several labels per item"):
        cli.main(arguments)


@pytest.mark.parametrize("options", [{"assign": "expertise"}, {"overlap": (1, 3)}])
def test_people_are_not_chosen_by_expertise(tmp_path, options):
    with pytest.raises(ValueError, match="not estimated of several labels"):
        opened(tmp_path, learner=object(), **options)


# ---- looking back


def test_looking_back(session):
    rank(session, {"sport": 0.9, "politics": 0.2})
    for _ in range(3):
        session.next("ann")
    session.label("0", ["sport"], "ann")
    session.label("1", ["politics", "sport"], "ann")
    session.label("2", [], "ann")

    def found(**wanted):
        return [answer["item"] for answer in session.answers("ann", **wanted)["answers"]]

    assert found() == ["2", "1", "0"]
    assert found(value="sport") == ["1", "0"]
    assert found(value="politics") == ["1"]
    assert found(only="none") == ["2"]
    assert found(only="disagrees") == ["2", "1"]
    last = session.answers("ann")["answers"][-1]
    assert last["expected"] == {"value": ["sport"], "confidence": 0.6, "proba": {"sport": 0.9, "politics": 0.2}}
    assert (last["value"], last["disagrees"]) == (["sport"], False)


# ---- classes that change


def test_classes_that_are_renamed_merged_and_added(session):
    rank(session, {"sport": 0.9, "politics": 0.3, "weather": 0.6})
    first = session.label("0", ["sport", "weather"], "ann")
    session.label("1", ["politics"], "ann")
    rename_class(session.store, "sport", "games")
    assert values(session) == {"0": ["games", "weather"], "1": ["politics"]}
    session.label("2", ["sport"], "bob")  # by a page that has not heard of it
    merge_classes(session.store, ["games", "weather"], "outdoors")
    assert values(session) == {"0": ["outdoors"], "1": ["politics"], "2": ["outdoors"]}
    add_class(session.store, "economy")
    assert session.progress()["counts"] == {"outdoors": 2, "politics": 1, CLASSES[3]: 0, "economy": 0}
    assert session.next("cat")["suggestion"]["proba"] == {"outdoors": 0.9, "politics": 0.3}
    clicked = {answer["item"]: answer["clicked"] for answer in session.export()}
    assert clicked == {"0": ["sport", "weather"], "1": None, "2": ["games"]}
    session.label("0", [], "ann")
    session.undo(next(answer["uuid"] for answer in session.export() if answer["item"] == "0"), "ann")
    assert values(session)["0"] == ["outdoors"]
    session.undo(first["uuid"], "ann")
    assert set(values(session)) == {"1", "2"}


# ---- what the model is told, and tells


def test_suggestions_per_label(session):
    rank(session, {"sport": 0.91, "politics": 0.5, "weather": 0.51})
    expected = {"value": ["sport", "weather"], "confidence": 0.6}
    expected["proba"] = {"sport": 0.91, "politics": 0.5, "weather": 0.51}
    assert session.next("ann")["suggestion"] == expected


def test_each_label_by_majority(session):
    for annotator, labels in {"ann": ["sport", "weather"], "bob": ["sport", "politics"], "cat": []}.items():
        session.label("0", labels, annotator)
    session.label("1", ["weather"], "ann")
    session.label("1", [], "bob")  # as many have it as lack it: the first
    labels = read_labels(session.store)
    assert sorted(labels.values) == ['["sport"]', '["weather"]']
    assert (labels.n_labels, labels.answers) == (5, [])


def test_the_curve_is_the_f1_of_labels(tmp_path):
    rng = np.random.default_rng(0)
    with opened(tmp_path, random_share=1.0) as session:
        version = rank(session, {"sport": 0.9, "politics": 0.6, "weather": 0.1})
        given = []
        for _ in range(12):
            given.append([name for name in CLASSES if rng.random() < 0.4])
            session.label(session.next("ann")["item"], given[-1], "ann")
        truth = np.array([[name in labels for name in CLASSES] for labels in given], dtype=int)
        predicted = np.tile([1, 1, 0, 0], (12, 1))
        (point,) = live_curve(session.store)
    assert (point["model_version"], point["n_scored"]) == (version, 12)
    assert point["score"] == pytest.approx(f1_score(truth, predicted, average="micro"))


# ---- quality


@pytest.fixture
def crowd(tmp_path):
    """A session that three people have answered, and their answers as a 0/1 array of items, people and labels."""
    rng = np.random.default_rng(1)
    truth = rng.random((20, 4)) < [0.5, 0.3, 0.4, 0.0]
    given = truth[:, None] ^ ((rng.random((20, 3, 4)) < 0.15) & [True, True, True, False])
    with opened(tmp_path, overlap=3) as session:
        for item in range(20):
            for person, name in enumerate(("ann", "bob", "cat")):
                if (item + person) % 4:  # not everybody answers everything
                    labels = [CLASSES[column] for column in np.flatnonzero(given[item, person])]
                    session.label(str(item), labels, name, seconds=1.0)
        yield session, given


def rows_of(text, title):
    """Return the table below a line as a dict of rows."""
    lines = text.partition(title)[2].splitlines()
    start = next(place for place, line in enumerate(lines) if "class" in line) + 1
    return {line.split()[0]: line.split()[1:] for line in lines[start : start + 4]}


def test_agreement_per_label(crowd):
    session, given = crowd
    text = report(session.store)
    table = rows_of(text, "agreement per label")
    was_given = (np.arange(20)[:, None] + np.arange(3)) % 4 > 0
    for column, name in enumerate(CLASSES[:3]):
        labels = np.where(was_given, given[:, :, column].astype(int), None).astype(object)
        kappas, sizes, same = [], [], []
        for one, other in ((0, 1), (0, 2), (1, 2)):
            both = was_given[:, one] & was_given[:, other]
            first, second = given[both, one, column], given[both, other, column]
            kappas.append(cohen_kappa_score(first, second))
            sizes.append(both.sum())
            same += (first == second).tolist()
        expected = [
            given[:, :, column][was_given].sum(),
            np.mean(same),
            np.average(kappas, weights=sizes),
            krippendorff_alpha(labels),
        ]
        assert [float(cell) for cell in table[name]] == pytest.approx(expected, rel=0.01)
    assert table["ärger,"][-4:] == ["0", "1", "-", "-"]  # nobody gave it, so it was no question
    assert "ann, bob" in text
    assert "Cohen's kappa" in text


def test_counts_per_label(session):
    session.label("0", ["sport", "weather"], "ann", seconds=2.0)
    session.label("1", ["sport"], "ann", seconds=2.0)
    session.label("2", [], "bob", seconds=2.0)
    text = report(session.store)
    assert "20 items, 3 labelled; 3 answers, " in text
    counts = {line.rpartition(" ")[0].strip(): line.split()[-1] for line in text.splitlines() if line}
    assert (counts["sport"], counts["weather"], counts["(none of them)"]) == ("2", "1", "1")
    assert text.endswith("no item has two labels yet, so agreement is not known")


@pytest.mark.parametrize("method", ["majority", "dawid-skene"])
def test_one_set_of_labels_per_item(crowd, method):
    session, given = crowd
    found = aggregate(session.store, method).set_index("item")
    assert set(found["n_labels"]) == {2, 3}
    for item in range(20):
        answers = given[item][(item + np.arange(3)) % 4 > 0]
        if (answers == answers[0]).all():
            assert found["label"][str(item)] == sorted(CLASSES[column] for column in np.flatnonzero(answers[0]))


# ---- HTTP, and a widget


def test_over_http(session):
    testclient = pytest.importorskip("starlette.testclient")
    from alkit.annotate.web.server import make_app

    headers = {"Authorization": f"Bearer {session.new_token('ann')}"}
    client = testclient.TestClient(make_app(session), "http://127.0.0.1/", headers=headers)

    def send(value):
        event = {"uuid": str(uuid.uuid4()), "item": "0", "kind": "label", "value": value}
        return client.post("api/events", content=json.dumps(event))

    assert [send(value).status_code for value in ("sport", ["tennis"], ["sport", "sport"])] == [400, 409, 400]
    assert send(["weather", "sport"]).status_code == 200
    assert client.get("api/answers", params={"value": "sport"}).json()["answers"][0]["value"] == ["sport", "weather"]
    assert client.get("api/progress").json()["multi"] is True


def test_behind_label_studio(session):
    testclient = pytest.importorskip("starlette.testclient")
    from alkit.annotate.web.backend import HOLDER, make_backend

    rank(session, {"sport": 0.9, "weather": 0.7, "politics": 0.1})
    client = testclient.TestClient(make_backend(session), f"http://127.0.0.1/{session.new_token(HOLDER)}/")
    task = {"id": 1, "data": {"text": TEXTS[0]}}
    (result,) = client.post("predict", json={"tasks": [task]}).json()["results"]
    assert result["result"][0]["value"] == {"choices": ["sport", "weather"]}
    chosen = {"from_name": "label", "to_name": "text", "type": "choices", "value": {"choices": ["weather", "politics"]}}
    for number, given in enumerate(([chosen], [])):
        annotation = {"id": number, "completed_by": number, "result": given, "was_cancelled": False}
        body = {"action": "ANNOTATION_CREATED", "annotation": annotation, "task": task}
        assert client.post("webhook", json=body).status_code == 201
    given = {answer["annotator"]: answer["value"] for answer in session.export()}
    assert given == {"0": ["politics", "weather"], "1": []}


def test_in_a_notebook(session, monkeypatch):
    pytest.importorskip("anywidget")
    from alkit.annotate import LabelingWidget

    widget, sent = LabelingWidget(session, annotator="ann"), []
    monkeypatch.setattr(widget, "send", lambda content, buffers=None: sent.append(content))
    event = {"uuid": "u", "item": "0", "kind": "label", "value": []}
    widget._handle_custom_msg({"id": "1", "method": "send", "args": [event]}, [])
    assert sent[0]["result"]["kind"] == "label"
    assert values(session) == {"0": []}
