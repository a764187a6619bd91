"""Comparisons: paired, reproducible, resumable, and honest about what they found."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier
from skorch import NeuralNetClassifier

from alkit import ActiveLearningClassifier, NetClassifier, get_strategy
from alkit.experiment import Comparison, area_under_learning_curve, compare_strategies, evaluate_transfer
from alkit.experiment.curves import area_under_curve
from alkit.experiment.runs import Run
from tests.experiment.test_run_store import contents

X, y = load_iris(return_X_y=True)
X, names = X.astype(np.float32), np.array(["setosa", "versicolor", "virginica"])[y]
DATA = {"X": X[::2], "y": names[::2], "X_test": X[1::2], "y_test": names[1::2]}
TIMES = ["query_seconds", "fit_seconds"]


def compare(estimator=None, strategies=("margin",), **kwargs):
    settings = {"n_seeds": 3, "n_initial": 6, "n_instances": 3, "n_queries": 4} | DATA | kwargs
    return compare_strategies(GaussianNB() if estimator is None else estimator, strategies=strategies, **settings)


def table(comparison):
    return comparison.to_frame().drop(columns=TIMES)


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


def synthetic(curves, n_labels=(10, 20, 30, 40), **kwargs):
    """A comparison of given curves, dict of strategy to (seeds, rounds)."""
    n_labels = np.array(n_labels)
    runs = [
        Run("model", name, seed, n_labels, np.array(score), np.zeros(4), np.ones(4), np.arange(40))
        for name, scores in curves.items()
        for seed, score in enumerate(scores)
    ]
    return Comparison(runs, **kwargs)


def test_summary():
    rng = np.random.default_rng(0)
    base = np.array([0.4, 0.6, 0.7, 0.8])
    curves = {
        "random": base + rng.normal(0, 0.01, (5, 4)),
        "good": base + np.array([0, 0.1, 0.1, 0.1]) + rng.normal(0, 0.01, (5, 4)),
        "poor": base - 0.1 + rng.normal(0, 0.01, (5, 4)),
    }
    comparison = synthetic(curves)
    summary = comparison.summary()
    area = {
        name: np.array([area_under_curve([10, 20, 30, 40], score) for score in scores])
        for name, scores in curves.items()
    }
    assert summary.loc["good", "area"] == pytest.approx(area["good"].mean())
    assert summary.loc["good", "area_std"] == pytest.approx(area["good"].std(ddof=1))
    tests = [stats.ttest_rel(area[name], area["random"]) for name in ("good", "poor")]
    smaller, larger = sorted(test.pvalue for test in tests)
    assert sorted(summary["p_value"].dropna()) == pytest.approx([2 * smaller, max(2 * smaller, larger)])
    low, high = tests[0].confidence_interval()
    assert summary.loc["good", ["gain_low", "gain_high"]].tolist() == pytest.approx([low, high])
    assert summary.loc["random", ["gain", "p_value"]].isna().all()
    assert summary.loc["random", "saved"] == 0
    mean = curves["good"].mean(0)
    goal = curves["random"].mean(0)[-1]
    needed = np.interp(goal, mean, [10, 20, 30, 40])
    assert summary.loc["good", "labels_to_target"] == pytest.approx(needed)
    assert summary.loc["good", "saved"] == pytest.approx(1 - needed / 40)
    assert summary.loc["good", "saved_low"] < 1 - needed / 40 < summary.loc["good", "saved_high"]
    assert summary.loc["good", "fit_seconds"] == 4


def test_a_target_never_reached_is_not_a_number():
    comparison = synthetic({"random": [[0.1, 0.2, 0.3, 0.4]] * 3, "poor": [[0.1, 0.1, 0.2, 0.3]] * 3})
    poor = comparison.summary().loc["poor"]
    assert poor[["labels_to_target", "saved", "saved_low", "saved_high"]].isna().all()
    assert poor["reached"] == 0
    assert comparison.summary(target=0.9)["labels_to_target"].isna().all()
    assert comparison.labels_to_reach([0.2, 0.9]).loc[("model", "poor")].tolist()[0] == pytest.approx(30)
    assert comparison.labels_to_reach([0.2, 0.9])[0.9].isna().all()


def test_one_seed_has_no_statistics():
    summary = synthetic({"random": [[0.1, 0.2, 0.3, 0.4]], "good": [[0.1, 0.4, 0.5, 0.6]]}).summary()
    assert summary.loc["good", "gain"] == pytest.approx(np.mean([0.1, 0.2, 0.2]))
    assert summary[["area_low", "area_std", "p_value", "final_std"]].isna().all(axis=None)


def test_penalties_do_not_count_the_common_start():
    noise = np.random.default_rng(0).normal(0, 0.001, (2, 5, 4))
    comparison = synthetic({"random": noise[0] + 0.5, "good": noise[1] + [0.5, 0.9, 0.9, 0.9]})
    assert comparison.penalty_matrix().loc["good", "random"] == 1
    assert comparison.penalty_matrix().loc["random", "good"] == 0
    with pytest.raises(ValueError, match="values has 0 rounds .* raise n_queries"):
        compare(n_queries=0).penalty_matrix()


def test_comparisons_are_compared_by_identity():
    comparison = synthetic({"random": [[0.1, 0.2, 0.3, 0.4]] * 2})
    assert comparison in {comparison}
    assert comparison != synthetic({"random": [[0.1, 0.2, 0.3, 0.4]] * 2})


def test_a_strategy_against_itself_is_rejected_as_often_as_the_level_says():
    rng = np.random.default_rng(0)

    def share_rejected(better):
        """Share of 200 trials in which random-walk curves of seeds of their own are told apart."""
        found = 0
        for _ in range(200):
            curves = {name: 0.5 + rng.normal(0, 0.02, (5, 4)).cumsum(1) for name in ("random", "other")}
            curves["other"] += better
            found += synthetic(curves).summary().loc["other", "p_value"] < 0.05
        return found / 200

    assert 0.02 <= share_rejected(0) <= 0.08
    assert share_rejected(0.1) >= 0.8


def test_transfer():
    models = {"bayes": GaussianNB(), "tree": DecisionTreeClassifier()}
    comparison = compare(models, n_seeds=2)
    learned = evaluate_transfer(comparison, "tree", **DATA)
    assert learned.columns.tolist() == ["bought_by", "strategy", "seed", "round", "n_labels", "score"]
    frame = comparison.to_frame()
    own = learned[learned.bought_by == "tree"].score.tolist()
    assert own == frame[frame.estimator == "tree"].score.tolist()
    # random picks are the same whoever buys, so that learning from another's is learning from one's own
    random = learned[learned.strategy == "random"].groupby("bought_by").score.apply(list)
    assert random["bayes"] == random["tree"]
    run = next(run for run in comparison.runs if run[:3] == ("tree", "margin", 1))
    bought = next(run for run in comparison.runs if run[:3] == ("bayes", "margin", 1)).labeled_indices
    assert bought.tolist() != run.labeled_indices.tolist()
    another = evaluate_transfer(comparison, GaussianNB(), **DATA)
    mine = another[(another.bought_by == "tree") & (another.strategy == "margin") & (another.seed == 1)]
    expected = []
    for n in run.n_labels:
        rows = run.labeled_indices[:n]
        expected.append(GaussianNB().fit(DATA["X"][rows], DATA["y"][rows]).score(DATA["X_test"], DATA["y_test"]))
    assert mine.score.tolist() == expected
    with pytest.raises(ValueError, match="has no estimator 'forest'"):
        evaluate_transfer(comparison, "forest", **DATA)


def test_transfer_scores_as_the_comparison_did():
    models = {"bayes": GaussianNB(), "tree": DecisionTreeClassifier()}
    comparison = compare(models, n_seeds=1, scoring="neg_log_loss")
    learned = evaluate_transfer(comparison, "tree", **DATA)
    random = learned[learned.strategy == "random"].groupby("bought_by").score.apply(list)
    assert random["bayes"] == random["tree"]


def test_rounds_one_at_a_time():
    loop = ActiveLearningClassifier(GaussianNB(), "margin", 6, 3, 4, random_state=0)
    scores = [model.score(X, names) for model in loop.iter_fit(X, names)]
    fitted = ActiveLearningClassifier(GaussianNB(), "margin", 6, 3, 4, random_state=0).fit(X, names)
    assert scores == [np.mean(stage == names) for stage in fitted.staged_predict(X)]
    assert len(fitted.fit_seconds_) == len(fitted.query_seconds_) == 5
