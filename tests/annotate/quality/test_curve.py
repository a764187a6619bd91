"""The live learning curve: each model is scored on labels that it was not fitted on."""

import pytest

from alkit.annotate import LabelingSession
from tests.annotate.sessions import CLASSES, TEXTS, rank


def test_the_curve_scores_each_model_on_what_it_had_not_seen(database):
    with LabelingSession(TEXTS, CLASSES, database, random_share=1.0, random_state=0) as session:
        for right in (True, False, True):
            rank(session, [str(k) for k in range(20)], prediction="ham")
            session.label(session.next("ann")["item"], "ham" if right else "spam", "ann")
        scores = [(point["model_version"], point["score"]) for point in session.progress()["curve"]]
        assert scores == [(1, 1.0), (2, 0.5), (3, pytest.approx(2 / 3))]
