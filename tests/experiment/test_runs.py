"""Runs: the same in parallel, kept in a store, with their errors and warnings passed on."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier
from skorch import NeuralNetClassifier

from tests.experiment.helpers import X, compare, contents, names, small_net, table, y


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


def asks_in_vain(model, X_pool, n_instances=1):
    raise TypeError("nothing to ask")


def test_an_error_names_its_run():
    with pytest.raises(TypeError, match="nothing to ask") as caught:
        compare(strategies=[asks_in_vain], n_jobs=2)
    assert "GaussianNB, asks_in_vain, " in caught.value.__notes__[0]


def test_warnings_of_all_runs_are_passed_on_once():
    with pytest.warns(UserWarning, match=r"the pool ran out: 75 labels .* \(6 of 6 runs\)") as caught:
        comparison = compare(n_instances=30, n_jobs=2)
    assert len(caught) == 1
    assert comparison.runs[0].n_labels.tolist() == [6, 36, 66, 75]
    with pytest.warns(UserWarning, match="n_initial=99, but only 75 rows"):
        assert len(compare(n_initial=99, n_queries=0).to_frame()) == 6


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
