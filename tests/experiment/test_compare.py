"""Comparisons: paired, reproducible and resumable."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.ensemble import RandomForestClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier
from skorch import NeuralNetClassifier

from alkit import ActiveLearningClassifier, NetClassifier, get_strategy
from alkit.experiment import area_under_learning_curve
from tests.experiment.helpers import DATA, TIMES, X, compare, contents, names, table, y


def small_net():
    layers = torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Dropout(0.2), torch.nn.Linear(8, 3)
    return NetClassifier(torch.nn.Sequential(*layers), max_epochs=3)


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


def test_results_do_not_depend_on_n_jobs():
    torch_threads = torch.get_num_threads()
    net = small_net()
    alone, together = (compare(net, ["margin", "bald", "badge"], n_jobs=n, n_seeds=2) for n in (1, 2))
    pd.testing.assert_frame_equal(table(alone), table(together), check_exact=True)
    for a, b in zip(alone.runs, together.runs, strict=True):
        np.testing.assert_array_equal(a.labeled_indices, b.labeled_indices)
    assert torch.get_num_threads() == torch_threads


def draws_from_numpy(learner, X_pool, n_instances=1):
    return np.random.choice(len(X_pool), n_instances, replace=False)


def test_what_draws_from_global_generators_is_seeded_too():
    net = NeuralNetClassifier(
        torch.nn.Linear, module__in_features=4, module__out_features=3, criterion=torch.nn.CrossEntropyLoss,
        train_split=None, max_epochs=2, verbose=0, classes=[0, 1, 2],
    )  # fmt: skip
    data = {"y": y[::2], "y_test": y[1::2]}
    first, again = (compare(net, [draws_from_numpy], n_seeds=2, n_jobs=n, **data) for n in (1, 2))
    pd.testing.assert_frame_equal(table(first), table(again), check_exact=True)
    assert first.strategies == ["random", "draws_from_numpy"]
    first_round, second_round = np.split(first.runs[2].labeled_indices[6:12], 2)
    assert set(first_round) != set(second_round)


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


def test_an_error_says_whose_it_is():
    with pytest.raises(TypeError) as caught:
        compare(strategies=["bald"], n_jobs=2)
    assert "GaussianNB, bald, " in caught.value.__notes__[0]


def test_warnings_of_all_runs_are_told_once():
    with pytest.warns(UserWarning, match=r"the pool ran out: 75 labels .* \(6 of 6 runs\)") as caught:
        comparison = compare(n_instances=30, n_jobs=2)
    assert len(caught) == 1
    assert comparison.runs[0].n_labels.tolist() == [6, 36, 66, 75]
    with pytest.warns(UserWarning, match="n_initial=99, but only 75 rows"):
        assert len(compare(n_initial=99, n_queries=0).to_frame()) == 6


def test_classes_missing_from_the_initial_labels():
    comparison = compare(n_initial=2, scoring="neg_log_loss")
    start = next(run for run in comparison.runs if len(set(DATA["y"][run.labeled_indices[:2]])) == 2)
    assert np.isfinite(start.score).all()


def test_the_store_resumes(tmp_path):
    calm = table(compare())
    compare(n_seeds=2, store=tmp_path)
    before = contents(tmp_path)
    resumed = compare(store=tmp_path, n_jobs=2)
    pd.testing.assert_frame_equal(table(resumed), calm, check_exact=True)
    assert set(before) <= set(contents(tmp_path))
    assert len(contents(tmp_path)) == len(before) + 2
    done = contents(tmp_path)
    pd.testing.assert_frame_equal(compare(store=tmp_path).to_frame(), resumed.to_frame(), check_exact=True)
    assert contents(tmp_path) == done


@pytest.mark.parametrize(
    "change",
    [
        {"estimator": GaussianNB(var_smoothing=1e-3)},
        {"estimator": DecisionTreeClassifier()},
        {"n_queries": 3},
        {"scoring": "f1_macro"},
        {"random_state": 1},
        {"X": X[::2] + 1},
        {"y": names[::2][::-1]},
        {"initial": "stratified"},
    ],
)
def test_what_determines_a_run_names_it(tmp_path, change):
    compare(n_seeds=1, store=tmp_path)
    compare(**{"n_seeds": 1, "store": tmp_path} | change)
    assert len(contents(tmp_path)) == 1 + 2 * 2


def test_two_lambdas_are_two_strategies(tmp_path):
    both = {"first": lambda learner, X, n_instances=1: range(n_instances)}
    both["last"] = lambda learner, X, n_instances=1: np.arange(len(X) - n_instances, len(X))
    kept = compare(strategies=both, n_seeds=1, store=tmp_path)
    assert kept.runs[1].labeled_indices.tolist() != kept.runs[2].labeled_indices.tolist()
