"""The benchmark of strategies: its tables on given curves, what competes, and, slow, its quick form by one command."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from alkit.experiment import Comparison
from alkit.experiment.runs import Run

BENCHMARK = Path(__file__).parents[1] / "examples" / "benchmark"


@pytest.fixture
def scripts(monkeypatch):
    """The files of the benchmark, which are scripts beside each other."""
    monkeypatch.syspath_prepend(str(BENCHMARK))
    yield
    for name in ("asked", "pictures", "report", "run", "sets", "strategies"):
        sys.modules.pop(name, None)


def comparison(levels, n_seeds=6):
    """Curves that rise to 1 at given rates, with noise of their own per seed."""
    rng = np.random.default_rng(0)
    labels = np.arange(10, 60, 10)
    runs = []
    for name, level in levels.items():
        for seed in range(n_seeds):
            score = 1 - np.exp(-level * labels / 20) + rng.normal(0, 0.002, 5)
            seconds = np.full(5, 0.5)
            runs.append(Run("net", name, seed, labels, score, seconds, seconds, np.arange(50), {"accuracy": score}))
    return Comparison(runs, scoring="accuracy", scorers={"accuracy": "accuracy"})


def test_tables(scripts):
    import report

    levels = {"random": 1.0, "margin": 1.5, "bald": 0.8, report.RANDOM_AGAIN: 1.0}
    comparisons = {("one", "low"): comparison(levels), ("two", "low"): comparison(levels | {"bald": 1.4})}
    kinds = {"one": "classes", "two": "classes"}
    table = report.of_sets(comparisons, kinds)
    assert len(table) == 2 * 4
    on_one = table[table["set"] == "one"].set_index("strategy")
    assert on_one.loc["margin", "rank"] == 1
    assert on_one["verdict"].to_dict() == {
        "random": "unclear", "margin": "better", "bald": "worse", report.RANDOM_AGAIN: "unclear"
    }  # fmt: skip
    assert on_one.loc["margin", "seconds_per_query"] == pytest.approx(5 * 0.5 / 4)

    strategies = report.of_strategies(table).set_index("strategy")
    assert strategies.index[0] == "margin"
    assert strategies.loc["margin", ["mean_rank", "rank_low", "rank_high", "better"]].tolist() == [1, 1, 1, 2]
    assert strategies.loc["bald", "worse_on"] == "one"
    bald = table.loc[table["strategy"] == "bald", "rank"]
    assert strategies.loc["bald", "mean_rank"] == bald.mean()

    matrix = report.who_beats_whom(comparisons, kinds)["classes"]
    assert matrix.loc["margin", "random"] == 1
    assert matrix.loc["random", "margin"] == 0


def test_random_against_random(scripts):
    import report

    levels = {"random": 1.0, report.RANDOM_AGAIN: 1.0}
    comparisons = {("one", "low"): comparison(levels, 10), ("two", "low"): comparison(levels, 20)}
    found = report.null_check(comparisons, report.of_sets(comparisons, {"one": "classes", "two": "classes"}))
    assert found["comparisons"] == 2
    assert abs(found["saved"]) < 0.03
    # better is one of two sides
    assert 0 <= found["best of 5 passes as better"] < 0.05
    assert 0.01 < found["intervals without 0"] < 0.1

    # where the second is truly better, only exchanging them makes them alike
    comparisons = {("one", "low"): comparison(levels | {report.RANDOM_AGAIN: 3.0}, 20)}
    found = report.null_check(comparisons, report.of_sets(comparisons, {"one": "classes"}))
    assert found["saved"] > 0.2
    assert found["better"] == 1
    assert found["best of 5 passes as better"] < 0.05


def test_what_was_asked_for(scripts):
    from asked import asked_for, of_sets
    from sets import Rows

    # four classes on four axes, of 40, 30, 20 and 10 rows
    y = np.repeat([0, 1, 2, 3], [40, 30, 20, 10])
    X = np.eye(4, dtype=np.float32)[y]
    rows = Rows(X, y, np.arange(100), ["accuracy"], "classes")
    nothing = np.zeros(3)
    n_labels = np.array([2, 4, 6])
    indices = np.array([0, 1, 2, 40, 41, 99])  # classes 0 0 | 0 1 | 1 3
    run = Run("net", "margin", 0, n_labels, nothing, nothing, nothing, indices)
    found = asked_for([run], rows).loc[("net", "margin")]
    assert found["classes in the end"] == 3
    assert found["share of its class"] == pytest.approx(((0.4 + 0.3) / 2 + (0.3 + 0.1) / 2) / 2)
    assert found["of a new class"] == (0.5 + 0.5) / 2
    assert found["like one labelled"] == (0.5 + 0.5) / 2
    assert found["like another"] == 0
    one_by_one = run._replace(n_labels=np.array([2, 3, 4]), labeled_indices=indices[:4])
    assert np.isnan(asked_for([one_by_one], rows).loc[("net", "margin"), "like another"])

    comparisons = {("one", "low"): Comparison([run], scoring="accuracy", scorers={"accuracy": "accuracy"})}
    table = of_sets(comparisons, {"one": rows._replace(kind="numbers")})
    assert table.columns.tolist() == ["set", "budget", "strategy", "like one labelled", "like another", "typical"]


def test_strategies_that_do_not_meet_on_a_set_are_left_out_there(scripts):
    import report

    comparisons = {
        ("one", "low"): comparison({"random": 1.0, "eer": 2.0}),
        ("two", "low"): comparison({"random": 1.0, "margin": 1.5}),
    }
    matrix = report.who_beats_whom(comparisons, {"one": "classes", "two": "classes"})["classes"]
    assert matrix.loc["eer", "random"] == 1
    assert np.isnan(matrix.loc["eer", "margin"])


def test_every_strategy_competes_or_says_why_not(scripts):
    from strategies import LEFT_OUT, RANDOM_AGAIN, contestants

    from alkit import get_strategy_names

    by_kind = {
        "classes": np.arange(90) % 3,
        "numbers": np.linspace(0, 1, 90),
        "labels": np.stack([np.arange(90) % 2, np.arange(90) % 3 > 0], axis=1),
    }
    names = {kind: set(contestants(kind, y)) for kind, y in by_kind.items()}
    assert set(get_strategy_names()) - set.union(*names.values()) == set(LEFT_OUT)
    assert all({"random", RANDOM_AGAIN} <= of_kind for of_kind in names.values())
    assert {"bald", "badge", "typiclust, then margin"} <= names["classes"]
    assert {"igs", "lcmd", "typiclust, then igs"} <= names["numbers"]
    assert "eer" not in contestants("classes", np.arange(90) % 30)


def test_sets_of_scikit_learn(scripts):
    from run import sizes
    from sets import ALWAYS_THERE, SETS, Folders

    for name in ALWAYS_THERE:
        rows = SETS[name](Folders(Path("nowhere"), Path("nowhere")))
        assert len(rows.X) == len(rows.y) == len(rows.groups)
        assert rows.X.dtype == np.float32
        n_pool = int(0.6 * len(rows.y))
        for budget in ("low", "high"):
            size = sizes(budget, n_pool, quick=False)
            assert size["n_initial"] + size["n_queries"] * size["n_instances"] <= 0.51 * n_pool


@pytest.mark.slow
def test_quick(tmp_path):
    command = [sys.executable, str(BENCHMARK / "run.py"), "--quick", "--store", str(tmp_path), "--data", "nowhere"]
    path = os.pathsep.join([str(BENCHMARK.parents[1]), os.environ.get("PYTHONPATH", "")])
    environment = os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    for _ in range(2):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=1200, check=False)
        assert done.returncode == 0, done.stderr
    # the second time, all runs are in the store
    assert "the rest takes about 0.00 hours" in done.stdout
    assert "100%" in done.stderr
    table = pd.read_csv(tmp_path / "results" / "sets.csv")
    assert set(table["set"]) == {"digits", "diabetes"}
    assert {"classes", "numbers"} == set(pd.read_csv(tmp_path / "results" / "strategies.csv")["kind"])
    assert "random against random" in done.stdout
    assert {"ranks_classes.png", "wins_numbers.png"} <= {path.name for path in (tmp_path / "results").iterdir()}
