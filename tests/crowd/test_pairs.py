"""Pairs of an item and a person: information by its definition, and what limits the choice."""

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import make_blobs
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression

from alkit.crowd import CrowdClassifier, query_pairs
from alkit.crowd.activelab import activelab_scores
from alkit.crowd.answers import read_answers
from alkit.crowd.pairs import expected_information
from alkit.datasets import ask_crowd

X, Y = make_blobs(60, centers=2, random_state=0)
# 0 knows, 1 errs now and then, 2 guesses
CONFUSION = np.array([[[0.95, 0.05], [0.05, 0.95]], [[0.75, 0.25], [0.25, 0.75]], [[0.5, 0.5], [0.5, 0.5]]])
ITEM, PERSON = np.divmod(np.random.default_rng(0).permutation(180)[:120], 3)
ANSWERS = ask_crowd(CONFUSION, Y, ITEM, PERSON, 0)
ASKED = set(zip(ITEM.tolist(), PERSON.tolist(), strict=True))


@pytest.fixture(scope="module")
def model():
    return CrowdClassifier(LogisticRegression(), random_state=0).fit(X, ANSWERS)


def test_information_is_that_of_the_joint_distribution():
    rng = np.random.default_rng(0)
    proba, confusion = rng.dirichlet(np.ones(3), size=4), rng.dirichlet(np.ones(3), size=(2, 3))
    expected = np.zeros((4, 2))
    for i, p in enumerate(proba):
        for a, matrix in enumerate(confusion):
            joint = p[:, None] * matrix
            independent = np.outer(joint.sum(1), joint.sum(0))
            expected[i, a] = (joint * np.log(joint / independent)).sum()
    np.testing.assert_allclose(expected_information(proba, confusion), expected, atol=1e-12)


def test_who_knows_is_asked_before_who_guesses(model):
    pairs = query_pairs(model, X, ANSWERS, 10, "margin", random_state=0)
    people = [person for _, person in pairs]
    assert people.count(0) > 5
    assert 2 not in people
    assert len({item for item, _ in pairs}) == 10
    assert not ASKED & set(pairs)
    assert pairs == query_pairs(model, X, ANSWERS, 10, "margin", random_state=0)


def test_the_first_pair_is_the_most_informative(model):
    value = expected_information(model.true_proba_, model.confusion_)
    value[ITEM, PERSON] = 0
    best = np.unravel_index(value.argmax(), value.shape)
    assert query_pairs(model, X, ANSWERS, 1, None) == [tuple(int(i) for i in best)]


def test_costs_people_and_limits(model):
    dear = query_pairs(model, X, ANSWERS, 8, "margin", costs={0: 1000.0}, random_state=0)
    assert 0 not in {person for _, person in dear}
    only = query_pairs(model, X, ANSWERS, 4, "margin", available=[2], random_state=0)
    assert {person for _, person in only} == {2}
    few = query_pairs(model, X, ANSWERS, 9, "margin", max_per_annotator=3, random_state=0)
    assert np.bincount([person for _, person in few]).tolist() == [3, 3, 3]
    new = query_pairs(model, X, ANSWERS, 4, "margin", available=["somebody new"], random_state=0)
    assert {person for _, person in new} == {"somebody new"}


def test_items_of_a_frame_go_by_their_names():
    names = np.array([f"row {i}" for i in range(60)])
    frame = pd.DataFrame(X, index=names, columns=["a", "b"])
    answers = ANSWERS.assign(item=names[ITEM], annotator=np.array(["ann", "bob", "cat"])[PERSON])
    model = CrowdClassifier(LogisticRegression(), random_state=0).fit(frame, answers)
    (item, person), *_ = query_pairs(model, frame, answers, 1, "entropy")
    assert item in names
    assert person in {"ann", "bob"}


def test_activelab_takes_the_least_sure_items_and_who_can_tell_most(model):
    pairs = query_pairs(model, X, ANSWERS, 10, "activelab", random_state=0)
    labels = ANSWERS.pivot(index="item", columns="annotator", values="label").reindex(range(60))
    unsure = 1 - activelab_scores(model.predicted_proba_, read_answers(labels, model.classes_))
    open_to = [[person for person in range(3) if (item, person) not in ASKED] for item in range(60)]
    open_items = [item for item in range(60) if open_to[item]]
    expected = sorted(open_items, key=lambda item: -unsure[item])[:10]
    assert [item for item, _ in pairs] == expected
    value = expected_information(model.true_proba_, model.confusion_)
    for item, person in pairs:
        assert value[item, person] == max(value[item, other] for other in open_to[item])
    few = query_pairs(model, X, ANSWERS, 9, "activelab", max_per_annotator=3, random_state=0)
    assert np.bincount([person for _, person in few]).tolist() == [3, 3, 3]


def test_what_cannot_be_asked(model):
    with pytest.raises(ValueError, match="only 6 pairs are left"):
        query_pairs(model, X, ANSWERS, 8, "margin", max_per_annotator=2)
    with pytest.raises(ValueError, match="n_instances=61"):
        query_pairs(model, X, ANSWERS, 61, "margin")
    with pytest.raises(ValueError, match="1 of 3 costs are not positive, the first is 0.0 for 1"):
        query_pairs(model, X, ANSWERS, 1, "margin", costs={1: 0.0})
    with pytest.raises(ValueError, match="X has 50 rows, but the model was fitted on 60"):
        query_pairs(model, X[:50], ANSWERS, 1, "margin")
    with pytest.raises(TypeError, match="bald needs sample_proba"):
        query_pairs(model, X, ANSWERS, 1)
    with pytest.raises(NotFittedError):
        query_pairs(CrowdClassifier(LogisticRegression()), X, ANSWERS)
