"""Examples that are scripts run on small sizes, a copy of each, as they save pictures beside themselves."""

import runpy
import shutil
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
SIZES = {"n_seeds": 2, "n_initial": 10, "n_instances": 5, "n_queries": 2}


@pytest.fixture
def example(tmp_path, monkeypatch):
    """Return the main function of an example's copy in a folder of its own."""
    monkeypatch.setenv("MPLBACKEND", "agg")

    def load(name):
        copy = shutil.copy(EXAMPLES / f"{name}.py", tmp_path)
        return runpy.run_path(copy)["main"]

    yield load
    plt.close("all")


def pictures(folder):
    return sorted(path.name for path in folder.glob("*.png") if path.stat().st_size > 5000)


def test_regression(example, tmp_path, capsys):
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(80, 3)), columns=["cement", "water", "age"])
    noise = rng.normal(size=80)
    table["compressive_strength"] = table["cement"] - table["water"] + noise
    table.to_csv(tmp_path / "mixtures.csv", index=False)
    example("regression")(tmp_path / "mixtures.csv", strategies=("random", "gsx", "lcmd"), **SIZES | {"n_initial": 25})
    printed = capsys.readouterr().out
    assert printed.count("root mean squared error by labels acquired") == 2
    assert pictures(tmp_path) == ["regression.png", "regression_gaussian_process.png"]


def test_multi_label(example, tmp_path, capsys):
    rng = np.random.default_rng(0)
    embedded, tags = rng.normal(size=(90, 6)), rng.integers(2, size=(90, 4))
    example("multi_label")(embedded, tags, strategies=["random", "cvirs"], **SIZES)
    assert "best: cvirs, micro-F1" in capsys.readouterr().out
    assert pictures(tmp_path) == ["multi_label.png"]


def test_segmentation(example, tmp_path, capsys):
    main = example("segmentation")
    strategies = {"random": "random", "entropy, mean of pixels": "entropy"}
    main(n_pool=30, n_test=8, strategies=strategies, **SIZES)
    assert "nats of information per pixel" in capsys.readouterr().out
    assert pictures(tmp_path) == ["segmentation.png"]


def test_crowd(example, tmp_path, capsys):
    example("crowd")(rounds=2)
    printed = capsys.readouterr().out
    assert [name for name in ("mace", "CrowdClassifier", "items_only", "best_pairs") if name not in printed] == []
    assert pictures(tmp_path) == ["crowd.png"]


def test_stream(example, tmp_path, monkeypatch, capsys):
    rng = np.random.default_rng(0)
    labels = np.where(rng.random(1200) < 0.3, "spam", "ham")
    words = {"spam": "win money now", "ham": "meeting on monday"}
    mails = pd.DataFrame({"subject": "", "body": [words[label] for label in labels], "label": labels})
    mails.to_csv(tmp_path / "mails.csv", index=False)
    picture = tmp_path / "stream.png"
    arguments = ["--data", str(tmp_path / "mails.csv"), "--seeds", "2", "--out", str(picture)]
    monkeypatch.setattr(sys, "argv", ["stream.py", *arguments])
    example("stream")()
    assert "quantile" in capsys.readouterr().out
    assert pictures(tmp_path) == ["stream.png"]
