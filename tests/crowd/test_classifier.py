"""CrowdClassifier: what it recovers, hostile annotations, and that it is an estimator like others."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import make_blobs
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.utils.estimator_checks import parametrize_with_checks

from alkit import DropoutMLPClassifier
from alkit.crowd import CrowdClassifier, majority_vote
from alkit.datasets import ask_crowd, make_crowd
from alkit.strategies import get_strategy

X, Y = make_blobs(200, centers=3, random_state=0)
CONFUSION, KINDS = make_crowd(3, 12, random_state=0)


def crowd_answers(per_item=2, seed=0):
    """Answers of people drawn at random, in long form."""
    rng = np.random.default_rng(seed)
    people = [rng.choice(12, per_item, replace=False) for _ in Y]
    return ask_crowd(CONFUSION, Y, np.repeat(np.arange(len(Y)), per_item), np.concatenate(people), rng)


def wide(answers):
    return answers.pivot(index="item", columns="annotator", values="label")


ANSWERS = crowd_answers()


def classifier(**params):
    return CrowdClassifier(LogisticRegression(), random_state=0, **params)


@pytest.fixture(scope="module")
def fitted():
    return classifier().fit(X, ANSWERS)


def test_it_infers_labels_and_who_errs(fitted):
    inferred = fitted.true_proba_.argmax(1)
    assert (inferred == Y).mean() > (majority_vote(ANSWERS, 0).labels == Y).mean() + 0.1
    assert fitted.score(X, Y) > 0.85
    true = np.diagonal(CONFUSION, axis1=1, axis2=2) @ (np.bincount(Y) / len(Y))
    assert np.abs(fitted.accuracy_ - true).mean() < 0.1
    assert set(KINDS[np.argsort(fitted.accuracy_)[:2]]) == {"guesser"}
    np.testing.assert_allclose(fitted.confusion_.sum(2), 1)
    np.testing.assert_allclose(fitted.true_proba_.sum(1), 1)


def test_a_table_and_a_long_form_are_the_same(fitted):
    again = classifier().fit(X, wide(ANSWERS))
    np.testing.assert_allclose(again.true_proba_, fitted.true_proba_)
    as_array = classifier().fit(X, wide(ANSWERS).to_numpy())
    np.testing.assert_allclose(as_array.confusion_, fitted.confusion_)
    assert as_array.classes_.tolist() == [0, 1, 2]


def test_items_of_a_frame_are_labels_of_its_index(fitted):
    names = np.array([f"row {i}" for i in range(len(X))])
    frame = pd.DataFrame(X, index=names, columns=["a", "b"])
    named = classifier().fit(frame, ANSWERS.assign(item=names[ANSWERS["item"]]))
    np.testing.assert_allclose(named.true_proba_, fitted.true_proba_)
    assert named.feature_names_in_.tolist() == ["a", "b"]


def test_rows_nobody_answered_are_predicted_and_not_used():
    some = ANSWERS[ANSWERS["item"] < 150]
    model = classifier().fit(X, some)
    np.testing.assert_allclose(model.true_proba_[150:], model.predict_proba(X[150:]))
    part = classifier().fit(X[:150], some)
    np.testing.assert_allclose(model.predict_proba(X), part.predict_proba(X))


def test_texts_as_labels_and_declared_classes():
    names = np.array(["red", "green", "blue", "none"])
    model = classifier(classes=names).fit(X, ANSWERS.assign(label=names[ANSWERS["label"]]))
    assert model.classes_.tolist() == sorted(names)
    assert model.predict_proba(X).shape == (200, 4)
    assert (model.predict(X) == names[Y]).mean() > 0.8


@pytest.mark.parametrize(
    "annotations",
    [
        np.where(np.random.default_rng(0).random(200) < 0.9, Y, (Y + 1) % 3),  # one person, as plain labels
        Y[:, None],  # one person, as a table
        np.stack([Y] * 3, axis=1),  # all agree
        np.where(np.arange(200)[:, None] % 4 == np.arange(4), Y[:, None], np.nan),  # people who never overlap
        np.column_stack([Y, np.where(np.arange(200) == 7, Y, np.nan)]),  # a person with one answer
    ],
)
def test_odd_crowds(annotations):
    model = classifier().fit(X, annotations)
    assert model.score(X, Y) > 0.85
    assert np.isfinite(model.confusion_).all()


def test_all_agree_on_one_class():
    same = np.ones((200, 2), int)
    with pytest.raises(ValueError, match=r"1 class: \[1\]; a classifier needs two: declare"):
        classifier().fit(X, same)
    assert (classifier(classes=[0, 1]).fit(X, same).predict(X) == 1).all()


@pytest.mark.parametrize(
    ("annotations", "message"),
    [
        (np.full((200, 2), np.nan), "0 answers for 200 rows"),
        (np.zeros((3, 2)), "200 rows"),
        (ANSWERS.assign(item=ANSWERS["item"] + 1), "1 of 200 items are no rows of X, the first is 200"),
        (pd.concat([ANSWERS, ANSWERS[:1]]), "labelled more than once"),
    ],
)
def test_annotations_that_do_not_fit(annotations, message):
    with pytest.raises(ValueError, match=message):
        classifier().fit(X, annotations)


def test_labels_outside_the_classes_and_estimators_that_will_not_do():
    with pytest.raises(ValueError, match="the first is 2"):
        classifier(classes=[0, 1]).fit(X, ANSWERS)
    with pytest.raises(TypeError, match="LinearSVC has no predict_proba"):
        CrowdClassifier(LinearSVC()).fit(X, ANSWERS)
    with pytest.raises(TypeError, match="KNeighborsClassifier takes none"):
        CrowdClassifier(KNeighborsClassifier()).fit(X, ANSWERS)
    with pytest.raises(ValueError, match="cv == 0, must be >= 1"):
        classifier(cv=0).fit(X, ANSWERS)


@pytest.mark.parametrize(
    ("estimator", "strategy"),
    [
        (LogisticRegression(), "margin"),
        (make_pipeline(StandardScaler(), LogisticRegression()), "entropy"),
        (RandomForestClassifier(5), "bald"),
        (DropoutMLPClassifier(max_epochs=2), "badge"),
        (DropoutMLPClassifier(max_epochs=2), "batch_bald"),
        (make_pipeline(StandardScaler(), DropoutMLPClassifier(max_epochs=2)), "coreset"),
    ],
)
def test_strategies_run_on_it(estimator, strategy):
    model = CrowdClassifier(estimator, max_iter=1, cv=2, random_state=0).fit(X, ANSWERS)
    picked = get_strategy(strategy).select(model, X, 4, random_state=0).indices
    inside = get_strategy(strategy).select(model.estimator_, X, 4, random_state=0).indices
    np.testing.assert_array_equal(picked, inside)


def test_samples_and_embeddings_are_its_estimators():
    model = CrowdClassifier(DropoutMLPClassifier(max_epochs=2), max_iter=1, cv=2, random_state=0).fit(X, ANSWERS)
    assert model.sample_proba(X, 3, random_state=0).shape == (200, 3, 3)
    np.testing.assert_array_equal(model.embed(X), model.estimator_.embed(X))
    assert not hasattr(classifier(), "embed")


def test_it_is_seeded_and_leaves_its_estimator_alone():
    estimator = RandomForestClassifier(5)
    first, second = (CrowdClassifier(estimator, cv=2, max_iter=2, random_state=1).fit(X, ANSWERS) for _ in range(2))
    np.testing.assert_array_equal(first.true_proba_, second.true_proba_)
    assert not hasattr(estimator, "classes_")
    assert estimator.random_state is None
    assert clone(first).get_params()["cv"] == 2


def test_a_search_over_its_estimator():
    table = wide(ANSWERS).to_numpy()
    search = GridSearchCV(
        classifier(cv=2, max_iter=2), {"estimator__C": [0.1, 1.0]}, scoring=right_on_truth, cv=KFold(2)
    )
    assert search.fit(X, table).best_estimator_.score(X, Y) > 0.8


def right_on_truth(model, rows, annotations):
    """Share of the answers that a model agrees with."""
    predicted = model.predict(rows)[:, None]
    given = ~np.isnan(annotations)
    return (predicted == annotations)[given].mean()


EXPECTED = {
    "check_fit_score_takes_y": "the second argument is called annotations",
    "check_complex_data": "labels that cannot be sorted are refused as such",
    "check_supervised_y_2d": "a column is one person's answers, and needs no warning",
}


@pytest.mark.slow
@parametrize_with_checks(
    [CrowdClassifier(LogisticRegression(max_iter=1000), cv=2, max_iter=2, random_state=0)],
    expected_failed_checks=lambda estimator: EXPECTED,
)
def test_scikit_learns_checks(estimator, check):
    check(estimator)
