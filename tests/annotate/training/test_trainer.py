"""The trainer: its ranking, its failures, and how it ends; most of it in this process, the rest in its own."""

import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import psutil
import pytest
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from alkit import ActiveLearner, Committee, get_strategy
from alkit.annotate import LabelingSession
from alkit.annotate.database import model_state
from alkit.annotate.training import trainer
from alkit.annotate.training.job import Job
from alkit.annotate.training.rounds import Training
from tests.annotate.models import Keyword, Moody, Stuck
from tests.annotate.sessions import CALM

TEXTS = [f"offer {k}" + "!" * (k % 10) for k in range(40)]
CLASSES = ["ham", "spam"]


def true_label(text):
    return "spam" if text.count("!") > 4 else "ham"


@pytest.fixture
def session(tmp_path):
    with LabelingSession(TEXTS, CLASSES, tmp_path / "labels.db", random_state=0) as session:
        yield session


def label(session, n, annotator="ann"):
    for _ in range(n):
        item = session.next(annotator)
        session.label(item["item"], true_label(item["text"]), annotator)


def trained(session, learner, strategy="margin", **settings):
    """Let a trainer work until it has seen all labels."""
    training = Training(session.store, Job(session.items.features(), learner, strategy, CLASSES, **settings))
    work(training)
    return training


def work(training):
    stopping = threading.Event()
    stopping.set()
    training.run(stopping)


def ranking(session):
    return session.store.query(
        "SELECT r.*, i.key FROM ranking r JOIN item i ON i.id = r.item ORDER BY r.position IS NULL, r.position, r.item"
    )


def test_the_ranking_is_the_strategy_s(session):
    label(session, 12)
    training = trained(session, Keyword())
    rows = ranking(session)
    labelled = {answer["item"] for answer in session.export()}
    assert {row["key"] for row in rows} == set(session.items.ids) - labelled
    share = np.array([min(0.9, 0.1 + 0.1 * TEXTS[int(row["key"])].count("!")) for row in rows])
    margins = -np.abs(2 * share - 1)
    np.testing.assert_allclose(margins, np.sort(margins)[::-1], atol=1e-6)
    np.testing.assert_allclose([row["confidence"] for row in rows], np.maximum(share, 1 - share), atol=1e-6)
    assert all((row["prediction"] == "spam") == (p > 0.5) for row, p in zip(rows, share, strict=True) if p != 0.5)
    assert training.learner.estimator.n_fitted_ == 12
    assert session.fitted_model().n_fitted_ == 12
    assert session.progress()["model"] == CALM | {"version": 1, "n_labels": 12}


def test_the_next_random_items_are_predicted_as_well(session):
    label(session, 12)
    trained(session, Keyword(), n_ranked=3)
    rows = ranking(session)
    assert [row["position"] for row in rows] == [0, 1, 2, *[None] * 25]
    assert all(row["prediction"] for row in rows)


def test_nothing_is_fitted_until_two_classes_have_labels(session):
    trained(session, Keyword())
    item = session.next("ann")["item"]
    session.label(item, "ham", "ann")
    trained(session, Keyword())
    assert session.progress()["model"]["version"] is None


def test_a_cold_start(session):
    cold = get_strategy("typiclust", embed=TfidfVectorizer(analyzer="char"))
    training = trained(session, Keyword(), cold_start=cold)
    assert len(ranking(session)) == 40
    item = session.next("ann")
    assert item["model_version"] == 1
    assert item["suggestion"] is None
    session.label(item["item"], "ham", "ann")
    work(training)
    assert session.progress()["model"]["version"] == 1


@pytest.mark.parametrize("mood", ["raise", "nan", "memory"])
def test_failures_leave_the_last_ranking_and_are_told(session, tmp_path, mood):
    (tmp_path / "mood").write_text("good")
    label(session, 12)
    training = trained(session, Moody(str(tmp_path / "mood")))
    before = [tuple(row) for row in ranking(session)]
    (tmp_path / "mood").write_text(mood)
    label(session, 1)
    work(training)
    assert [tuple(row) for row in ranking(session)] == before
    state = session.progress()["model"]
    assert (state["version"], state["n_labels"]) == (1, 12)
    message = {
        "raise": "RuntimeError: the optimiser diverged",
        "nan": "NaN",
        "memory": "MemoryError: cannot allocate",
    }
    assert message[mood] in state["error"]
    assert session.next("bob")["suggestion"] is not None
    (tmp_path / "mood").write_text("good")
    label(session, 1)
    work(training)
    assert session.progress()["model"] == CALM | {"version": 2, "n_labels": 14}


def test_warm_start_goes_on_but_not_after_a_failure(session):
    label(session, 12)
    training = trained(session, Keyword())
    learner = training.learner
    label(session, 1)
    work(training)
    assert training.learner is learner
    learner.estimator.fit = None
    label(session, 1)
    work(training)
    assert training.learner is not learner


def test_an_embedding_is_fitted_once_on_all_items(session):
    label(session, 12)
    embed = CountVectorizer(analyzer="char")
    trained(session, LogisticRegression(), embed=embed)
    model = session.fitted_model()
    assert set(model[0].vocabulary_) == set("".join(TEXTS))
    assert model.predict(["offer 1"]) == ["ham"]


def test_learners_and_committees_keep_their_strategy(session):
    label(session, 12)
    committee = Committee([ActiveLearner(Keyword(), random_state=0) for _ in range(2)], random_state=0)
    trained(session, committee, strategy=None)
    assert len(ranking(session)) == 28
    trained(session, ActiveLearner(Keyword(), "entropy"), strategy=None)
    assert ranking(session)[0]["utility"] == pytest.approx(np.log(2), rel=1e-4)


def test_a_strategy_that_fits_no_model_is_told(session):
    label(session, 12)
    trained(session, Keyword(), strategy="bald")
    assert "sample_proba" in session.progress()["model"]["error"]
    assert session.next("ann") is not None


def test_what_no_trainer_could_use_is_refused(tmp_path):
    for wrong in ({"learner": "model"}, {"learner": Keyword(), "cold_start": len}):
        with pytest.raises(TypeError, match="pass"):
            LabelingSession(TEXTS, CLASSES, tmp_path / "labels.db", **wrong)
    assert not list(tmp_path.iterdir())


def test_a_pool_labelled_to_the_end(session):
    label(session, 40)
    trained(session, Keyword())
    assert session.progress()["model"]["n_labels"] == 40
    assert session.next("ann") is None


# in a process of its own


def wait_for(condition, seconds=60):
    until = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.05)
    return found


@pytest.mark.slow
def test_the_last_label_is_in_the_final_model(tmp_path):
    for n in (12, 13):  # the second time, from the database that is there
        with LabelingSession(TEXTS, CLASSES, tmp_path / "labels.db", learner=Keyword(), random_state=0) as session:
            label(session, n if n == 12 else 1)
        session = LabelingSession(TEXTS, CLASSES, tmp_path / "labels.db")
        assert session.fitted_model().n_fitted_ == n
        session.close()


@pytest.mark.slow
def test_why_a_trainer_could_not_start_is_told(tmp_path):
    embed = CountVectorizer(vocabulary=["a", "a"])
    with LabelingSession(TEXTS, CLASSES, tmp_path / "labels.db", learner=LogisticRegression(), embed=embed) as session:
        wait_for(lambda: session.trainer.error())
        error = session.progress()["model"]["error"]
        assert "Duplicate term in vocabulary" in error
        assert "stopped with exit code 1" in error


@pytest.mark.slow
def test_an_estimator_that_only_main_knows(tmp_path):
    code = f"""
from sklearn.dummy import DummyClassifier
from alkit.annotate import LabelingSession
class Own(DummyClassifier):
    pass
session = LabelingSession(["a", "b", "c"], ["x", "y"], {str(tmp_path / "labels.db")!r}, learner=Own(strategy="uniform"))
session.label("0", "x", "ann"), session.label("1", "y", "ann")
assert session.close()
session = LabelingSession(["a", "b", "c"], ["x", "y"], {str(tmp_path / "labels.db")!r})
assert session.progress()["model"]["n_labels"] == 2
assert isinstance(session.fitted_model(), Own)
session.close()
"""
    subprocess.run([sys.executable, "-"], input=code, text=True, check=True)


@pytest.mark.slow
@pytest.mark.parametrize(("mood", "message"), [("kill", "killed by SIGKILL"), ("exit", "stopped with exit code 3")])
def test_a_trainer_that_dies_is_told_and_started_again(tmp_path, monkeypatch, mood, message):
    monkeypatch.setattr(trainer, "_RESTART_SECONDS", 0.0)
    (tmp_path / "mood").write_text("good")
    learner = Moody(str(tmp_path / "mood"))
    with LabelingSession(TEXTS, CLASSES, tmp_path / "labels.db", learner=learner, random_state=0) as session:
        label(session, 12)
        wait_for(lambda: session.progress()["model"]["n_labels"] == 12)
        (tmp_path / "mood").write_text(mood)
        label(session, 1)
        error = wait_for(lambda: session.progress()["model"]["error"])
        assert message in error
        assert session.next("ann")["suggestion"] is not None
        (tmp_path / "mood").write_text("good")
        label(session, 1)
        wait_for(lambda: session.progress()["model"]["n_labels"] == 14)
        assert session.progress()["model"]["error"] is None


@pytest.mark.slow
@pytest.mark.parametrize(("mood", "complete"), [("good", True), ("raise", False), ("exit", False)])
def test_a_session_tells_whether_the_last_fit_went_well(tmp_path, mood, complete):
    (tmp_path / "mood").write_text(mood)
    learner = Moody(str(tmp_path / "mood"))
    session = LabelingSession(TEXTS, CLASSES, tmp_path / "labels.db", learner=learner, random_state=0)
    label(session, 12)
    if mood == "exit":
        wait_for(lambda: session.progress()["model"]["error"])
    assert session.close() is complete


@pytest.mark.slow
def test_a_trainer_that_does_not_end_is_killed(tmp_path):
    (tmp_path / "mood").write_text("sleep")
    session = LabelingSession(
        TEXTS, CLASSES, tmp_path / "labels.db", learner=Moody(str(tmp_path / "mood")), random_state=0
    )
    label(session, 12)
    wait_for(lambda: session.progress()["model"]["training"])
    pid = session.trainer._process.pid
    assert session.close(timeout=0.5) is False
    assert not psutil.pid_exists(pid)


@pytest.mark.slow
def test_a_fit_that_hangs_is_told_and_keeps_nobody_waiting(tmp_path, monkeypatch):
    monkeypatch.setattr(model_state, "_SLOW_SECONDS", 0.2)
    monkeypatch.setattr(model_state, "_LEAST_PATIENCE", 0.2)
    note = tmp_path / "child"
    session = LabelingSession(TEXTS, CLASSES, tmp_path / "labels.db", learner=Stuck(str(note)), random_state=0)
    label(session, 12)
    wait_for(lambda: (session.progress()["model"]["slow"] or "").startswith("the model has been fitting for"))
    label(session, 1)
    assert session.next("ann") is not None
    child = int(wait_for(note.read_text))
    pid = session.trainer._process.pid
    started = time.monotonic()
    assert session.close() is False
    assert time.monotonic() - started < 60  # of 1000
    assert not psutil.pid_exists(pid)
    wait_for(lambda: not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE)
    with LabelingSession(TEXTS, CLASSES, tmp_path / "labels.db") as session:
        assert session.progress()["n_labels"] == 13


@pytest.mark.slow
def test_an_interrupted_end_closes_the_database(tmp_path, monkeypatch):
    (tmp_path / "mood").write_text("good")
    learner = Moody(str(tmp_path / "mood"))
    session = LabelingSession(TEXTS, CLASSES, tmp_path / "labels.db", learner=learner, random_state=0)

    def interrupted(timeout):
        raise KeyboardInterrupt

    trainer = session.trainer
    monkeypatch.setattr(trainer, "stop", interrupted)
    with pytest.raises(KeyboardInterrupt):
        session.close()
    LabelingSession(TEXTS, CLASSES, tmp_path / "labels.db").close()  # nobody holds its lock
    trainer._kill()


@pytest.mark.slow
@pytest.mark.parametrize("mood", ["good", "sleep"])
def test_the_trainer_dies_with_its_parent(tmp_path, mood):
    (tmp_path / "mood").write_text(mood)
    code = f"""
from tests.annotate.training.test_trainer import *
session = LabelingSession(TEXTS, CLASSES, {str(tmp_path / "labels.db")!r}, learner=Moody({str(tmp_path / "mood")!r}))
label(session, 20)
wait_for(lambda: session.progress()["model"]["version" if {mood!r} == "good" else "training"])
print(session.trainer._process.pid, flush=True)
time.sleep(100)
"""
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    pid = int(parent.stdout.readline())
    assert psutil.pid_exists(pid)
    os.kill(parent.pid, signal.SIGKILL)
    parent.communicate()
    wait_for(lambda: not psutil.pid_exists(pid), seconds=10)
