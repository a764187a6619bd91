"""A comparison while it runs: callbacks, bars, and what a store has so far."""

import os

import numpy as np
import pytest
from sklearn.naive_bayes import GaussianNB

from alkit import ActiveLearner
from alkit._progress import inside
from alkit.experiment import Round, score_gain_correlation
from alkit.experiment.runs import Run, leaders
from alkit.strategies import pool
from tests.experiment.helpers import DATA, X, compare, names, small_net, y


class Journal:
    """Writes what it is told to a file, from whichever process."""

    def __init__(self, path):
        self.path = path

    def __call__(self, told):
        with self.path.open("a") as file:
            file.write(
                f"{told.strategy},{told.seed},{told.round},{told.n_labels},{told.scores['score']},{os.getpid()}\n"
            )


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_callbacks_are_called_once_per_round(tmp_path, n_jobs):
    journal = Journal(tmp_path / "journal.csv")
    comparison = compare(callbacks=[journal], n_jobs=n_jobs, n_seeds=2)
    lines = [line.split(",") for line in journal.path.read_text().splitlines()]
    told = {(name, int(seed), int(number)): (int(n), float(score)) for name, seed, number, n, score, _ in lines}
    assert len(lines) == len(told) == 2 * 2 * 5
    for run in comparison.runs:
        for number, score in enumerate(run.score):
            assert told[run.strategy, run.seed, number] == (run.n_labels[number], score)


def test_rounds_have_the_model_and_errors_of_callbacks_name_the_run():
    rounds = []
    compare(callbacks=[lambda told: rounds.append((told, told.model.predict(DATA["X_test"])))], n_seeds=1)
    told, predicted = rounds[-1]
    assert isinstance(told, Round)
    assert told.scores == {"score": np.mean(predicted == DATA["y_test"])}
    with pytest.raises(ZeroDivisionError) as caught:
        compare(callbacks=[lambda told: 1 / 0], n_seeds=1)
    assert "GaussianNB, random, 0" in caught.value.__notes__[0]


def test_seeds_are_played_one_after_another():
    order = []
    compare(strategies=["margin", "entropy"], callbacks=[lambda told: order.append((told.seed, told.strategy))])
    assert list(dict.fromkeys(order)) == [(s, name) for s in range(3) for name in ("random", "margin", "entropy")]


def test_a_store_shows_what_it_has(tmp_path):
    stop_at = {"seed": 2, "strategy": "margin"}

    def interrupt(told):
        if (told.seed, told.strategy) == (stop_at["seed"], stop_at["strategy"]):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compare(n_seeds=5, store=tmp_path, callbacks=[interrupt])
    fits = []
    so_far = compare(n_seeds=5, store=tmp_path, only_stored=True, callbacks=[fits.append])
    assert not fits
    assert {run.seed for run in so_far.runs} == {0, 1}
    whole = compare(n_seeds=2)
    assert [run.score.tolist() for run in so_far.runs] == [run.score.tolist() for run in whole.runs]
    assert so_far.summary().index.tolist() == ["random", "margin"]
    with pytest.raises(ValueError, match="of no seed are all runs in the store"):
        compare(strategies=["entropy"], store=tmp_path, only_stored=True)
    with pytest.raises(ValueError, match="only_stored=True needs a store"):
        compare(only_stored=True)


def test_a_bar_says_which_strategies_lead(capsys):
    compare(n_seeds=2)
    shown = capsys.readouterr().err
    assert "runs: 100%" in shown
    assert "(over 2 of the seeds)" in shown.split("\r")[-1]
    compare(n_seeds=2, progress=False)
    kinds = {"n_train": 30, "n_pool": 30, "n_groups": 3, "n_seeds": 1, "progress": False}
    score_gain_correlation(small_net(), X, y, ["margin"], **kinds)
    assert capsys.readouterr().err == ""


def test_leaders_are_compared_over_the_seeds_that_all_have():
    def run(strategy, seed, level):
        score = np.full(3, level)
        return Run("m", strategy, seed, np.array([1, 2, 3]), score, score, score, np.arange(3))

    runs = [run("random", 0, 0.5), run("margin", 0, 0.7), run("random", 1, 0.9)]
    by_label = {one[:3]: one for one in runs}
    assert leaders(by_label) == "margin 0.700; random 0.500 (over 1 of the seeds)"
    del by_label["m", "margin", 0]
    assert leaders(by_label) == ""


def test_bars_inside_stay_quiet(monkeypatch, capsys):
    shown = pool.tqdm
    # without the delay that spares short queries
    monkeypatch.setattr(pool, "tqdm", lambda **kwargs: shown(**kwargs | {"delay": 0, "leave": True}))
    compare(n_seeds=1, progress=False)
    assert capsys.readouterr().err == ""
    learner = ActiveLearner(GaussianNB(), "margin", X[::10], names[::10])
    with inside():
        learner.query(X)
    assert capsys.readouterr().err == ""
    learner.query(X)
    assert "margin: 100%" in capsys.readouterr().err
