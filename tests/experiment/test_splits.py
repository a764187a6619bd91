"""Splits into pool and test set: groups stay together, seeds take turns, and nothing of a test set is acquired."""

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge
from sklearn.model_selection import GroupShuffleSplit
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier

from alkit import compare_strategies
from alkit.experiment import evaluate_transfer
from tests.experiment.helpers import X, names, table

SMALL = {"n_initial": 6, "n_instances": 3, "n_queries": 2, "progress": False}
GROUPS = np.arange(150) // 3


def split(cv=3, n_seeds=6, strategies=("margin",), estimator=None, **kwargs):
    return compare_strategies(
        estimator or GaussianNB(), X, names, strategies, cv=cv, n_seeds=n_seeds, **SMALL, **kwargs
    )


def test_no_row_of_a_test_set_is_acquired():
    rounds = []
    comparison = split(strategies=["margin", "typiclust"], callbacks=[rounds.append])
    assert len(comparison.splits) == 3
    assert sorted(np.concatenate([test for _, test in comparison.splits])) == list(range(150))
    for run in comparison.runs:
        pool, _ = comparison.splits[run.seed % 3]
        assert np.isin(run.labeled_indices, pool).all()
    # seeds of the same fold begin with other rows
    first, fourth = (
        run.labeled_indices[:6] for run in comparison.runs if run.seed in (0, 3) and run.strategy == "random"
    )
    assert set(first) != set(fourth)
    stratified = [np.unique(names[test], return_counts=True)[1].tolist() for _, test in comparison.splits]
    assert all(max(counts) - min(counts) <= 1 for counts in stratified)


@pytest.mark.parametrize("cv", [3, GroupShuffleSplit(3, test_size=0.3, random_state=0)])
def test_groups_stay_together(cv):
    comparison = split(cv, n_seeds=3, groups=GROUPS)
    for pool, test in comparison.splits:
        assert not set(GROUPS[pool]) & set(GROUPS[test])


def test_splits_of_rows_of_any_kind_and_any_labels():
    rows = {"a": X, "b": [f"row {i}" for i in range(150)]}
    given = [(np.arange(0, 150, 2), np.arange(1, 150, 2))]
    scores = [
        compare_strategies(
            GaussianNB(), pd.DataFrame(X), names, [], cv=given, scoring=lambda m, X, y: len(X), n_seeds=1, **SMALL
        ).runs[0].score[0]
    ]  # fmt: skip
    assert scores == [75]
    with pytest.raises(ValueError, match="X has 150 rows, but y has 149"):
        compare_strategies(GaussianNB(), rows, names[1:], [], cv=3, **SMALL)
    numbers, y = load_diabetes(return_X_y=True)
    comparison = compare_strategies(Ridge(0.1), numbers, y, ["gsx"], cv=3, n_seeds=3, groups=y // 50, **SMALL)
    assert comparison.strategies == ["random", "gsx"]


def test_the_same_in_parallel_and_from_the_store(tmp_path):
    alone = split(n_seeds=2, strategies=[], store=tmp_path)
    for again in (split(n_seeds=2, strategies=[], n_jobs=2), split(n_seeds=2, strategies=[], store=tmp_path)):
        pd.testing.assert_frame_equal(table(alone), table(again), check_exact=True)
    one = table(split(n_seeds=1, strategies=[]))
    pd.testing.assert_frame_equal(one, table(alone)[table(alone).seed == 0], check_exact=True)


def test_transfer_goes_on_with_the_splits():
    comparison = split(estimator={"bayes": GaussianNB(), "tree": DecisionTreeClassifier()}, n_seeds=2)
    frame = evaluate_transfer(comparison, "bayes", X, names, progress=False)
    assert len(frame) == 2 * 2 * 2 * 3
    # random picks do not depend on the model, so the other model's labels are the same
    scores = frame[frame["strategy"] == "random"].pivot(index=["seed", "round"], columns="bought_by", values="score")
    assert (scores["bayes"] == scores["tree"]).all()


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"cv": None}, "of X_test, y_test and cv, none given"),
        ({"X_test": X, "y_test": names}, r"\['X_test', 'y_test', 'cv'\] given"),
        ({"cv": None, "X_test": X}, r"\['X_test'\] given"),
        ({"cv": None, "X_test": X, "y_test": names, "groups": GROUPS}, "pass cv in its place"),
        ({"groups": GROUPS[1:]}, "groups has 149 values, but X has 150 rows"),
        ({"cv": 1}, "n_splits=1"),
    ],
)
def test_what_leaves_the_test_set_open_is_refused(kwargs, message):
    with pytest.raises(ValueError, match=message):
        split(**kwargs)
