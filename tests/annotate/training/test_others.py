"""Items that a ranking leaves out: predicted while there is nothing else to do."""

import threading
import time

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression

from alkit.annotate import LabelingSession
from alkit.annotate.database.predictions import read_unlabelled
from alkit.annotate.training import others, rounds
from alkit.annotate.training.job import Job
from alkit.annotate.training.rounds import Training

TEXTS = [f"{('free prize', 'lunch meeting')[k % 2]} number {k}" for k in range(40)]


def test_all_items_are_predicted_in_the_end(database, monkeypatch):
    monkeypatch.setattr(rounds, "_N_PREDICTED", 5)
    monkeypatch.setattr(others, "_AT_ONCE", 7)
    with LabelingSession(TEXTS, ["spam", "ham"], database, random_state=0) as session:
        for k in range(4):
            session.label(str(k), ("spam", "ham")[k % 2], "ann")
        job = Job(TEXTS, LogisticRegression(), "margin", session.classes, embed=CountVectorizer(), n_ranked=3)
        training = Training(session.store, job)
        stopping = threading.Event()
        stopping.set()
        assert training.run(stopping)
        unlabelled = list(read_unlabelled(session.store))
        assert len(unlabelled) == 36
        model = training._model()
        for one in unlabelled:
            assert one["prediction"] == model.predict([one["text"]])[0]
            assert one["confidence"] == pytest.approx(model.predict_proba([one["text"]]).max())
        ranked = session.store.query("SELECT COUNT(*) AS n FROM ranking WHERE position IS NOT NULL")
        assert ranked[0]["n"] == 3


def test_a_part_is_predicted_at_once_and_new_labels_come_first(database, monkeypatch):
    monkeypatch.setattr(others, "_AT_ONCE", 7)
    with LabelingSession(TEXTS, ["spam", "ham"], database, random_state=0) as session:
        asked = []

        def predict(rows):
            asked.append(len(rows))
            return ["spam"] * len(rows), [0.5] * len(rows)

        with session.store.transaction() as db:
            db.execute("INSERT INTO model VALUES (1, 2, 0.0)")
        waiting = others.Others(session.store, predict)
        waiting.are(np.arange(10, 30), np.arange(40))
        waiting.predict_some()
        assert asked == []
        monkeypatch.setattr(others, "QUIET_SECONDS", 0.0)
        waiting.predict_some()
        assert asked == [7]
        waiting.are(np.arange(3), np.arange(40))  # of a new round: those of the last one are dropped
        waiting.predict_some()
        waiting.predict_some()
        assert asked == [7, 3]
        assert session.store.count("SELECT COUNT(*) FROM ranking") == 10


def test_a_model_that_fails_keeps_nobody_from_going_on(database, capsys):
    with LabelingSession(TEXTS, ["spam", "ham"], database, random_state=0) as session:

        def predict(rows):
            raise RuntimeError("out of memory")

        failing = others.Others(session.store, predict)
        failing.are(np.arange(10), np.arange(40))
        failing.predict_until(time.monotonic() + 10)
        assert failing.rows.size == 0
    assert "alkit: 10 items are not predicted: RuntimeError: out of memory" in capsys.readouterr().err
