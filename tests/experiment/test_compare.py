"""Comparisons: the simulated loop for each strategy and seed, from the same initial labels."""

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.naive_bayes import GaussianNB

from alkit import ActiveLearningClassifier, get_strategy
from alkit.experiment import area_under_learning_curve
from tests.experiment.helpers import DATA, TIMES, X, compare, names, small_net, table, y


def test_it_plays_the_simulated_loop():
    comparison = compare()
    frame = comparison.to_frame()
    assert frame.columns.tolist() == ["strategy", "seed", "round", "n_labels", "score", *TIMES]
    assert len(frame) == 2 * 3 * 5
    assert (frame[TIMES] >= 0).all(axis=None)
    seed = comparison.seeds[1]
    loop = ActiveLearningClassifier(GaussianNB(), "margin", 6, 3, 4, random_state=seed).fit(X[::2], names[::2])
    mine = frame[(frame.strategy == "margin") & (frame.seed == 1)]
    assert mine.score.tolist() == [np.mean(stage == names[1::2]) for stage in loop.staged_predict(X[1::2])]
    assert mine.n_labels.tolist() == loop.n_labels_.tolist()


def test_seeds_share_initial_labels_and_random_picks_across_estimators():
    models = {"net": small_net(), "forest": RandomForestClassifier(5)}
    comparison = compare(models, ["random", "margin", "bald"][:2])
    firsts = {run.seed: run.labeled_indices[:6].tolist() for run in comparison.runs}
    assert all(run.labeled_indices[:6].tolist() == firsts[run.seed] for run in comparison.runs)
    assert len(set(map(tuple, firsts.values()))) == 3
    random = {run[:3]: run.labeled_indices.tolist() for run in comparison.runs if run.strategy == "random"}
    assert all(random["net", "random", seed] == random["forest", "random", seed] for seed in range(3))
    frame = comparison.to_frame()
    assert frame.columns[0] == "estimator"
    start = frame[frame["round"] == 0].groupby(["estimator", "seed"]).score.nunique()
    assert (start == 1).all()


def test_more_seeds_go_on_from_fewer():
    few, more = table(compare(n_seeds=2)), table(compare(n_seeds=3))
    pd.testing.assert_frame_equal(few, more[more.seed < 2].reset_index(drop=True))


def test_random_is_always_there():
    assert compare(strategies=["margin", "random"]).strategies == ["margin", "random"]
    assert compare(strategies=[]).strategies == ["random"]
    assert compare(strategies={"passive": "random", "ours": "margin"}).baseline == "passive"
    bald = get_strategy("bald", n_samples=3)
    assert compare(small_net(), [bald, "bald"], n_seeds=1).strategies == ["random", "bald(n_samples=3)", "bald"]


def first_rows(learner, X_pool, n_instances=1):
    return np.arange(n_instances)


def test_modals_callables():
    comparison = compare(strategies={"first": first_rows}, n_seeds=1)
    assert comparison.strategies == ["random", "first"]


@pytest.mark.parametrize(
    ("kwargs", "error", "message"),
    [
        ({"strategies": ["margn"]}, ValueError, "did you mean 'margin'"),
        ({"strategies": "margin"}, TypeError, "pass a list of strategies"),
        ({"strategies": ["margin", "margin"]}, ValueError, "share names"),
        ({"strategies": {"random": "margin"}}, ValueError, "'random' names another strategy"),
        ({"strategies": [3]}, TypeError, "query_strategy is 3"),
        ({"n_seeds": 0}, ValueError, "n_seeds == 0"),
        ({"n_instances": 0}, ValueError, "n_instances == 0"),
        ({"y_test": y[:3]}, ValueError, "X_test has 75 rows, but y_test has 3 labels"),
        ({"y": names[:3]}, ValueError, "X has 75 rows, but y has 3 labels"),
        ({"scoring": "acuracy"}, ValueError, "acuracy"),
        ({"estimator": {}}, ValueError, "estimator is an empty dict"),
        ({"scoring": area_under_learning_curve}, TypeError, "compare_strategies finds the area by itself"),
    ],
)
def test_bad_input(kwargs, error, message):
    with pytest.raises(error, match=message):
        compare(**kwargs)


def test_classes_missing_from_the_initial_labels():
    comparison = compare(n_initial=2, scoring="neg_log_loss")
    start = next(run for run in comparison.runs if len(set(DATA["y"][run.labeled_indices[:2]])) == 2)
    assert np.isfinite(start.score).all()
