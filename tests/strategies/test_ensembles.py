"""Ensembles as posterior samples: forests, bagging, voting, boosting, and what is none."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    IsolationForest,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import ClassifierChain
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from alkit import ActiveLearner, ActiveLearningClassifier, Committee, get_strategy
from alkit.strategies.ensembles import member_proba, member_votes, members_of

RNG = np.random.default_rng(0)
X = RNG.normal(size=(90, 4))
POSITIONS = np.digitize(X[:, 0], [-0.5, 0.5])
# labels that are no positions, and labels that look like positions of others
LABELS = {"text": np.array(["ant", "bee", "cat"])[POSITIONS], "shifted": POSITIONS + 1, "digits": POSITIONS.astype(str)}
NB = ("nb", GaussianNB())

AVERAGING = {
    "forest": RandomForestClassifier(7, random_state=0),
    "extra trees": ExtraTreesClassifier(7, random_state=0),
    "bagging": BaggingClassifier(GaussianNB(), 5, random_state=0),
    "of features": BaggingClassifier(GaussianNB(), 5, max_features=2, random_state=0),
    "of few rows": BaggingClassifier(DecisionTreeClassifier(), 6, max_samples=3, random_state=0),
    "voting": VotingClassifier([NB, ("gone", "drop"), ("lr", LogisticRegression())], voting="soft"),
    "voting of pipelines": VotingClassifier([NB, ("lr", make_pipeline(StandardScaler(), GaussianNB()))], voting="soft"),
}


@pytest.mark.parametrize("kind", LABELS)
@pytest.mark.parametrize("name", AVERAGING)
@pytest.mark.parametrize("rows", [X, pd.DataFrame(X, columns=list("abcd"))], ids=["array", "frame"])
def test_the_mean_of_the_members_is_what_the_ensemble_predicts(name, kind, rows):
    model = clone(AVERAGING[name]).fit(rows[:60], LABELS[kind][:60])
    samples = member_proba(model, rows)
    assert samples.shape == (90, len(members_of(model)), 3)
    np.testing.assert_allclose(samples.mean(1), model.predict_proba(rows), atol=1e-6)
    np.testing.assert_allclose(samples.sum(-1), 1, atol=1e-6)


def test_a_class_that_all_bootstrap_samples_miss():
    y = np.r_[[1], np.arange(29) % 2 + 2]  # positions 1 and 2 of the classes [1, 2, 3] look like labels
    for seed in range(20):
        model = BaggingClassifier(KNeighborsClassifier(1), 2, max_samples=6, random_state=seed).fit(X[:30], y)
        if all(member.classes_.tolist() == [1, 2] for member in model.estimators_):
            break
    samples = member_proba(model, X)
    assert not samples[:, :, 0].any()
    np.testing.assert_allclose(samples.mean(1), model.predict_proba(X), atol=1e-6)


def test_forests_of_several_outputs_have_an_array_for_each():
    several = np.c_[POSITIONS, POSITIONS > 1].astype(int)
    model = RandomForestClassifier(5, random_state=0).fit(X, several)
    for samples, mean in zip(member_proba(model, X), model.predict_proba(X), strict=True):
        np.testing.assert_allclose(samples.mean(1), mean, atol=1e-6)


@pytest.mark.parametrize("kind", LABELS)
def test_boosted_classifiers_and_stacked_ones(kind):
    y = LABELS[kind]
    stack = StackingClassifier([NB, ("lr", LogisticRegression())], cv=2).fit(X, y)
    np.testing.assert_allclose(member_proba(stack, X)[:, 0], GaussianNB().fit(X, y).predict_proba(X), atol=1e-6)
    boosted = AdaBoostClassifier(n_estimators=3).fit(X, y)
    first = boosted.estimators_[0]
    np.testing.assert_allclose(member_proba(boosted, X)[:, 0], first.predict_proba(X), atol=1e-6)


@pytest.mark.parametrize("kind", LABELS)
def test_ensembles_of_ones_own(kind):
    class Halves(ClassifierMixin, BaseEstimator):
        """Offers no more than its members and its classes."""

        def fit(self, X, y):
            self.classes_ = np.unique(y)
            self.estimators_ = [GaussianNB().fit(X[half::2], y[half::2]) for half in (0, 1)]
            return self

    model = Halves().fit(X, LABELS[kind])
    expected = np.stack([member.predict_proba(X) for member in model.estimators_], 1)
    np.testing.assert_allclose(member_proba(model, X), expected, atol=1e-6)


@pytest.mark.parametrize(
    "model",
    [
        GradientBoostingClassifier(n_estimators=2),
        OneVsRestClassifier(GaussianNB()),
        ActiveLearningClassifier(GaussianNB(), n_initial=20, n_queries=1, random_state=0),
        LogisticRegression(),
    ],
)
def test_what_has_no_members_that_answer_the_same_question(model):
    assert members_of(model.fit(X, POSITIONS)) == []
    with pytest.raises(TypeError, match="strategy bald needs sample_proba, which .* a forest, a bagging"):
        get_strategy("bald").select(model, X, 3)


def test_what_predicts_no_classes_or_answers_one_label_of_several():
    several = np.c_[POSITIONS > 0, POSITIONS > 1].astype(int)
    assert members_of(IsolationForest(n_estimators=2).fit(X)) == []
    assert members_of(ClassifierChain(GaussianNB()).fit(X, several)) == []


def test_members_that_only_predict_serve_votes():
    y = LABELS["text"]
    voting = VotingClassifier([("a", LinearSVC(C=0.001)), ("b", RidgeClassifier()), NB]).fit(X, y)
    votes = member_votes(voting, X)
    expected = np.stack([voting.classes_[member.predict(X)] for member in voting.estimators_], 1)
    assert (voting.classes_[votes.argmax(-1)] == expected).all()
    assert (votes.sum(-1) == 1).all()
    for strategy in ("vote_entropy", "variation_ratio"):
        picks = get_strategy(strategy).select(voting, X, 90)
        disagree = np.array([len(set(row)) > 1 for row in expected])
        assert (picks.scores[np.argsort(picks.indices)] > 1e-6).tolist() == disagree.tolist()
    with pytest.raises(TypeError, match="strategy bald needs sample_proba, which VotingClassifier does not have"):
        get_strategy("bald").select(voting, X, 3)


def test_hard_votes_of_a_committee():
    y = LABELS["text"]
    committee = Committee([LinearSVC(C=c).fit(X, y) for c in (0.0001, 1.0)], "vote_entropy", random_state=0)
    order, _, scores = committee.query(X, n_instances=90, return_metrics=True)
    votes = committee.vote(X)
    assert (scores > 1e-6).tolist() == (votes[order, 0] != votes[order, 1]).tolist()
    assert 0 < (scores > 1e-6).sum() < 90
    # one that knows how sure it is does not make the others so
    mixed = Committee([LinearSVC().fit(X, y), GaussianNB().fit(X, y)], "vote_entropy")
    assert len(mixed.query(X, n_instances=3)[0]) == 3


def test_votes_of_members_with_probabilities_are_for_their_most_probable_class():
    forest = RandomForestClassifier(9, max_depth=2, random_state=0).fit(X, POSITIONS)
    shares = np.eye(3)[member_proba(forest, X).argmax(-1)].mean(1)
    picks = get_strategy("variation_ratio").select(forest, X, 90)
    np.testing.assert_allclose(picks.scores[np.argsort(picks.indices)], 1 - shares.max(1), atol=1e-6)


@pytest.mark.parametrize("strategy", ["bald", "epig", "batch_bald", "max_disagreement"])
def test_an_ensemble_round_the_loop(strategy):
    model = make_pipeline(StandardScaler(), RandomForestClassifier(6, random_state=0))
    learner = ActiveLearner(model, strategy, X[:40], POSITIONS[:40], random_state=0)
    first = learner.query(X, n_instances=5, chunk_bytes=2000)
    again = ActiveLearner(model, strategy, X[:40], POSITIONS[:40], random_state=0).query(X, n_instances=5)
    assert first[0].tolist() == again[0].tolist()
    learner.teach(first[1], POSITIONS[first[0]])


def test_n_samples_is_what_is_drawn_and_members_are_all_asked():
    forest = RandomForestClassifier(30, random_state=0).fit(X, POSITIONS)
    few, many = (get_strategy("bald", n_samples=k).select(forest, X, 90).scores for k in (2, 50))
    np.testing.assert_array_equal(few, many)


def test_reordered_or_missing_features_are_refused():
    frame = pd.DataFrame(X, columns=list("abcd"))
    forest = RandomForestClassifier(3).fit(frame, POSITIONS)
    with pytest.raises(ValueError, match="feature names"):
        get_strategy("bald").select(forest, frame[list("dcba")], 3)
    with pytest.raises(ValueError, match="3 features"):
        get_strategy("bald").select(RandomForestClassifier(3).fit(X, POSITIONS), X[:, :3], 3)


@pytest.mark.parametrize("model", [RandomForestClassifier(3), VotingClassifier([NB]), BaggingClassifier()])
def test_an_ensemble_that_is_not_fitted(model):
    with pytest.raises(NotFittedError):
        ActiveLearner(model, "bald").query(X)
