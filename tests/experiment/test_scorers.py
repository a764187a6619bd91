"""Several scorers of one run, labels that are text, and what the store keeps of them."""

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import average_precision_score, f1_score, make_scorer
from sklearn.naive_bayes import GaussianNB

from alkit import ActiveLearningClassifier, compare_strategies
from alkit.experiment import LearningCurveDisplay
from alkit.experiment.scorers import Scorers, named_scorers
from tests.experiment.helpers import compare, contents, synthetic

X, CODES = load_breast_cancer(return_X_y=True)
WORDS = np.array(["ham", "spam"])[CODES]
SMALL = {"n_initial": 10, "n_instances": 5, "n_queries": 2}
NAMES = ["accuracy", "f1", "average_precision"]


def played(y=WORDS, scoring=NAMES, **kwargs):
    test = {"X_test": X[1::2], "y_test": y[1::2]}
    return compare_strategies(
        GaussianNB(), X[::2], y[::2], ["margin"], **test, **SMALL, n_seeds=2, scoring=scoring, progress=False, **kwargs
    )


def test_several_scorers_are_those_of_scikit_learn():
    comparison = played()
    run = comparison.runs[-1]
    loop = ActiveLearningClassifier(GaussianNB(), "margin", 10, 5, 2, random_state=comparison.seeds[1])
    loop.fit(X[::2], WORDS[::2])
    positive = WORDS[1::2] == "spam"
    proba = loop.predict_proba(X[1::2])[:, 1]
    assert run.scores["accuracy"][-1] == np.mean(loop.predict(X[1::2]) == WORDS[1::2])
    assert run.scores["f1"][-1] == f1_score(positive, loop.predict(X[1::2]) == "spam")
    assert run.scores["average_precision"][-1] == average_precision_score(positive, proba)
    by_f1 = comparison.scored_by("f1")
    assert by_f1.runs[-1].score.tolist() == run.scores["f1"].tolist()
    assert by_f1.summary()["area"].tolist() != comparison.summary()["area"].tolist()
    frame = by_f1.to_frame()
    assert frame.columns.tolist()[-3:] == NAMES
    assert (frame["score"] == frame["f1"]).all()
    with pytest.raises(ValueError, match=r"not scored by 'recall', but by \['accuracy', 'f1', 'average_precision'\]"):
        comparison.scored_by("recall")


def test_text_scores_as_numbers_do():
    of_words, of_codes = played(), played(CODES)
    for words, codes in zip(of_words.runs, of_codes.runs, strict=True):
        assert {name: words.scores[name].tolist() for name in NAMES} == {
            name: codes.scores[name].tolist() for name in NAMES
        }


def test_own_scorers_see_the_labels_as_they_are():
    scoring = {
        "accuracy": "accuracy",
        "f1 of ham": make_scorer(f1_score, pos_label="ham"),
        "labels": lambda m, X, y: len(set(y) & {"ham"}),
    }
    comparison = played(scoring=scoring)
    assert list(comparison.runs[0].scores) == list(scoring)
    assert comparison.runs[0].scores["labels"].tolist() == [1, 1, 1]
    assert comparison.scored_by("f1 of ham").score_name == "f1 of ham"


def test_another_question_replays_nothing(tmp_path):
    fits = []
    first = played(store=tmp_path, callbacks=[fits.append])
    assert len(fits) == 2 * 2 * 3
    before = contents(tmp_path)
    for scoring in ("f1", ["average_precision", "accuracy"], NAMES):
        again = played(store=tmp_path, scoring=scoring, callbacks=[fits.append])
        name = scoring if isinstance(scoring, str) else scoring[0]
        assert [run.score.tolist() for run in again.runs] == [run.scores[name].tolist() for run in first.runs]
    assert len(fits) == 2 * 2 * 3
    assert contents(tmp_path) == before
    played(store=tmp_path, scoring="recall", callbacks=[fits.append])
    assert len(fits) == 2 * 2 * 2 * 3


def test_two_lambdas_are_two_scorers(tmp_path):
    scoring = {"one": lambda model, X, y: 1.0, "two": lambda model, X, y: 2.0}
    for _ in range(2):
        run = compare(n_seeds=1, scoring=scoring, store=tmp_path).runs[0]
        assert (run.scores["one"][0], run.scores["two"][0]) == (1, 2)


def test_axes_have_the_name_of_the_scorer_shown():
    mpl = pytest.importorskip("matplotlib")
    mpl.use("Agg")
    display = LearningCurveDisplay.from_comparison(played().scored_by("average_precision"))
    assert display.ax_.get_ylabel() == "average precision"
    mpl.pyplot.close("all")


@pytest.mark.parametrize(
    ("scoring", "message"),
    [([], "names no scorer"), (["f1", "f1"], "have the same name"), (["accuracy", "acuracy"], "acuracy")],
)
def test_bad_scorers_are_refused_before_any_fit(scoring, message):
    fits = []
    with pytest.raises(ValueError, match=message):
        played(scoring=scoring, callbacks=[fits.append])
    assert not fits


def test_a_loop_without_probabilities_has_none_in_codes():
    loop = ActiveLearningClassifier(GaussianNB(), n_queries=0, random_state=0).fit(X, WORDS)
    found = Scorers(loop, named_scorers({"mine": None, "f1": "f1"}))(loop, X, WORDS)
    assert found["mine"] == loop.score(X, WORDS)
    assert list(found) == ["mine", "f1"]


def test_comparisons_of_given_curves_have_one_scorer():
    assert synthetic({"random": [[0.1, 0.2, 0.3, 0.4]]}, scoring="accuracy").score_name == "accuracy"
