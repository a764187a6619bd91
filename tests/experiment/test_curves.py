"""What curves say, against scipy, closed forms and brute force."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats
from sklearn.datasets import load_iris
from sklearn.ensemble import AdaBoostClassifier
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV, cross_validate
from sklearn.naive_bayes import GaussianNB

from alkit import ActiveLearningClassifier
from alkit.experiment import area_under_learning_curve
from alkit.experiment.curves import (
    area_under_curve,
    holm,
    jackknife_interval,
    labels_saved,
    labels_to_reach,
    mean_interval,
    paired_savings,
    paired_test,
    penalty_matrix,
)

curve = st.lists(st.tuples(st.integers(1, 50), st.floats(0, 1, width=32)), min_size=2, max_size=12).map(
    lambda steps: (np.cumsum([step for step, _ in steps]), np.array([value for _, value in steps]))
)


@given(curve)
def test_area(points):
    n_labels, values = points
    expected = integrate.trapezoid(values, n_labels) / (n_labels[-1] - n_labels[0])
    area = area_under_curve(n_labels, values)
    assert area == pytest.approx(expected, abs=1e-12)
    assert values.min() - 1e-9 <= area <= values.max() + 1e-9


def test_area_of_a_single_round_is_its_value():
    assert area_under_curve([20], [0.7]) == 0.7


@given(curve, st.floats(0, 1))
def test_labels_to_reach(points, target):
    n_labels, values = points
    found = labels_to_reach(n_labels, values, target)
    if values.max() < target:
        assert np.isnan(found)
        return
    if values[0] >= target:
        assert found == n_labels[0]
        return
    assert np.interp(found, n_labels, values) == pytest.approx(target, abs=1e-6)
    before = np.linspace(n_labels[0], found, 50, endpoint=False)
    assert (np.interp(before, n_labels, values) <= target + 1e-6).all()


def test_labels_saved():
    fast, slow = ([10, 20, 30], [0.5, 0.8, 0.9]), ([10, 20, 40], [0.5, 0.6, 0.8])
    assert labels_saved(*fast, *slow, target=0.8) == 0.5
    assert labels_saved(*slow, *fast, target=0.8) == -1
    assert labels_saved(*slow, *slow, target=0.7) == 0
    assert np.isnan(labels_saved(*slow, *fast, target=0.85))
    assert np.isnan(labels_saved(*fast, *slow, target=0.85))


def test_paired_test():
    a, b = np.random.default_rng(0).normal(size=(2, 6))
    assert paired_test(a - b) == pytest.approx(stats.ttest_rel(a, b).pvalue)
    assert paired_test([0.0, 0.0]) == 1
    assert paired_test([0.1, 0.1]) == 0
    assert paired_test([0.3 - 0.2, 0.1, 0.4 - 0.3]) == 0  # equal but for rounding
    assert np.isnan(paired_test([0.1]))


@given(st.lists(st.floats(0, 1) | st.just(float("nan")), max_size=8))
def test_holm(p_values):
    found = holm(p_values)
    tested = [p for p in p_values if not np.isnan(p)]
    for p, corrected in zip(p_values, found, strict=True):
        # step-down, in words: the largest of (number of p-values not below q) * q over all q up to p
        stepped = [sum(other >= q for other in tested) * q for q in tested if q <= p]
        assert np.isnan(corrected) if np.isnan(p) else corrected == pytest.approx(min(1, max(stepped)))


def test_intervals():
    values = np.random.default_rng(0).normal(size=7)
    expected = stats.t.interval(0.9, 6, values.mean(), stats.sem(values))
    assert mean_interval(values, 0.9) == pytest.approx(expected)
    assert np.isnan(mean_interval([0.5])).all()
    # of a ratio of means, the jackknife's error is the delta method's, but for terms of higher order
    a, b = np.random.default_rng(1).normal([[1], [2]], 0.05, size=(2, 200))
    low, high = jackknife_interval(lambda seeds: a[seeds].mean() / b[seeds].mean(), 200)
    residuals = (a - a.mean() / b.mean() * b) / b.mean()
    assert (high - low) / 2 == pytest.approx(stats.t.ppf(0.975, 199) * stats.sem(residuals), rel=0.02)


def test_penalty_matrix():
    values = np.random.default_rng(0).normal(size=(3, 5, 8)) + np.array([0.0, 1.0, 2.0]).reshape(3, 1, 1)
    expected = np.zeros((3, 3))
    for i in range(3):
        for j in range(3):
            for t in range(8):
                difference = values[i, :, t] - values[j, :, t]
                if i != j and np.sqrt(5) * difference.mean() / difference.std(ddof=1) > 2.776:
                    expected[i, j] += 1 / 8
    np.testing.assert_allclose(penalty_matrix(values), expected)
    assert not penalty_matrix(np.ones((2, 5, 3))).any()
    with pytest.raises(ValueError, match="1 seed"):
        penalty_matrix(values[:, :1])


X, y = load_iris(return_X_y=True)
names = np.array(["setosa", "versicolor", "virginica"])[y]


def test_scorer():
    loop = ActiveLearningClassifier(GaussianNB(), n_initial=6, n_instances=5, n_queries=4, random_state=0)
    fitted = loop.fit(X[::2], names[::2])
    accuracy = [np.mean(stage == names[1::2]) for stage in fitted.staged_predict(X[1::2])]
    expected = integrate.trapezoid(accuracy, fitted.n_labels_) / 20
    assert area_under_learning_curve(fitted, X[1::2], names[1::2]) == pytest.approx(expected)
    for no_loop in (LogisticRegression(), AdaBoostClassifier().fit(X, y)):
        with pytest.raises(TypeError, match="has no learning curve"):
            area_under_learning_curve(no_loop, X, y)


def test_scorer_in_searches():
    loop = ActiveLearningClassifier(GaussianNB(), n_initial=6, n_instances=2, n_queries=4, random_state=0)
    grid = {"query_strategy": ["random", "margin"]}
    search = GridSearchCV(loop, grid, scoring=area_under_learning_curve, cv=3).fit(X, names)
    again = cross_validate(search.best_estimator_, X, names, scoring=area_under_learning_curve, cv=3)
    assert again["test_score"].mean() == pytest.approx(search.best_score_)
    halving = HalvingGridSearchCV(
        loop, grid, scoring=area_under_learning_curve, cv=3, resource="n_queries", min_resources=2, max_resources=6
    )
    assert halving.fit(X, names).best_params_["query_strategy"] in grid["query_strategy"]


N = 20.0 + 10 * np.arange(21)
CURVES = {
    "falling off": lambda n, rng: 0.95 - 0.8 * (n / 10) ** -0.7 + rng.normal(0, 0.02) + rng.normal(0, 0.01, len(n)),
    "plateau": lambda n, rng: 0.9 - 0.5 * np.exp(-n / 60) + rng.normal(0, 0.005) + rng.normal(0, 0.007, len(n)),
    "flat": lambda n, rng: 0.5 + rng.normal(0, 0.01, len(n)),
}


@pytest.mark.parametrize("kind", CURVES)
def test_curves_of_one_kind_save_nothing_against_each_other(kind):
    rng, make = np.random.default_rng(0), CURVES[kind]
    trials = [paired_savings(*([N] * 5, [make(N, rng) for _ in range(5)]) * 2) for _ in range(3)]
    assert all((trial == 0).all() for trial in trials)
    means, excluded = [], 0
    for _ in range(200):
        ours, theirs = ([make(N, rng) for _ in range(5)] for _ in range(2))
        saved = paired_savings([N] * 5, ours, [N] * 5, theirs)
        low, high = mean_interval(saved)
        means.append(saved.mean())
        excluded += not low <= 0 <= high
        np.testing.assert_allclose(paired_savings([N] * 5, theirs, [N] * 5, ours), -saved)
    assert abs(np.mean(means)) <= 0.03
    assert 0.02 <= excluded / 200 <= 0.08


@pytest.mark.parametrize("speed", [0.5, 2.0])
def test_what_is_saved_is_found(speed):
    def make(n):
        return 0.95 - 0.8 * (n / 10) ** -0.7

    # half of the labels saved, or wasted
    saved = paired_savings([N], [make(speed * N)], [N], [make(N)])
    assert saved == pytest.approx([0.5 if speed > 1 else -0.5], abs=0.01)


def test_a_baseline_that_never_learns_is_beaten_early():
    learns, flat = [0.5, 0.7, 0.8, 0.9], [0.5, 0.5, 0.5, 0.5]
    n = [10, 20, 30, 40]
    assert paired_savings([n], [learns], [n], [flat]) == pytest.approx([1 - 10 / 25])
    assert paired_savings([n], [flat], [n], [flat]) == [0]
    # both reach the target, at 15 and 25 labels
    assert paired_savings([n], [learns], [n], [[0.5, 0.5, 0.7, 0.9]], target=0.6) == pytest.approx([1 - 15 / 22.5])
