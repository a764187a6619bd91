"""Pictures show the numbers, and matplotlib is asked for only when one is drawn."""

import subprocess
import sys

import matplotlib as mpl
import numpy as np
import pytest

mpl.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.colors import to_hex
from modAL.uncertainty import margin_sampling
from sklearn.datasets import load_iris
from sklearn.naive_bayes import GaussianNB

from alkit import ActiveLearningClassifier
from alkit.experiment import LearningCurveDisplay, PenaltyMatrixDisplay
from tests.experiment.helpers import synthetic

CURVES = {
    "random": 0.5 + np.random.default_rng(0).random((3, 4)) / 10,
    "margin": 0.6 + np.random.default_rng(1).random((3, 4)) / 10,
}


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


@pytest.mark.parametrize("band", ["interval", "std"])
def test_lines_are_means_over_seeds(band):
    display = LearningCurveDisplay.from_comparison(synthetic(CURVES), band=band)
    for line, (name, scores) in zip(display.lines_, CURVES.items(), strict=True):
        assert line.get_label() == name
        np.testing.assert_allclose(line.get_ydata(), scores.mean(0))
        assert line.get_xdata().tolist() == [10, 20, 30, 40]
    edges = display.ax_.collections[1].get_paths()[0].vertices[:, 1]
    std = CURVES["margin"].std(0, ddof=1)
    half = std if band == "std" else 4.302652729911275 * std / np.sqrt(3)  # Student's t, two degrees of freedom
    assert edges.max() == pytest.approx((CURVES["margin"].mean(0) + half).max())
    assert display.lines_[0].get_color() == "grey"


def test_axes_are_taken():
    figure, (left, right) = plt.subplots(1, 2)
    comparison = synthetic(CURVES)
    assert comparison.plot(ax=left).ax_ is left
    matrix = PenaltyMatrixDisplay.from_comparison(comparison, ax=right)
    assert matrix.figure_ is figure
    assert {text.get_text() for text in right.texts} >= {"0.00"}
    np.testing.assert_allclose(matrix.im_.get_array()[:2], comparison.penalty_matrix())
    with pytest.raises(ValueError, match="band is 'sem'"):
        LearningCurveDisplay.from_comparison(comparison, band="sem")


def test_seconds_of_training_are_drawn_below_the_curves():
    comparison = synthetic(CURVES)
    display = LearningCurveDisplay.from_comparison(comparison)
    assert display.figure_.axes == [display.ax_, display.time_ax_]
    for line, name in zip(display.time_ax_.lines, CURVES, strict=True):
        assert line.get_ydata().tolist() == [1.0] * 4  # of every run of `synthetic`
        assert line.get_xdata().tolist() == comparison.curves()["model", name][0].mean(0).tolist()
    assert display.time_ax_.get_ylabel() == "seconds\nper fit"


def test_seconds_of_training_are_drawn_where_told():
    figure, (left, right) = plt.subplots(1, 2)
    comparison = synthetic(CURVES)
    alone = LearningCurveDisplay.from_comparison(comparison, ax=left)
    assert alone.time_ax_ is None
    both = LearningCurveDisplay.from_comparison(comparison, ax=left, time_ax=right)
    assert both.time_ax_ is right
    assert len(right.lines) == 2


def test_one_fitted_loop():
    X, y = load_iris(return_X_y=True)
    loop = ActiveLearningClassifier(GaussianNB(), n_queries=3, random_state=0).fit(X, y)
    (line,) = LearningCurveDisplay.from_estimator(loop, X, y).lines_
    assert line.get_label() == "margin"
    assert line.get_ydata()[-1] == loop.score(X, y)
    loop.query_strategy = margin_sampling
    (line,) = LearningCurveDisplay.from_estimator(loop, X, y).lines_
    assert line.get_label() == "margin_sampling"


def test_without_matplotlib():
    program = (
        "import sys; sys.modules['matplotlib'] = None; sys.modules['matplotlib.pyplot'] = None;"
        "from alkit.experiment import LearningCurveDisplay;"
        "LearningCurveDisplay({('m', 's'): (None, None)}).plot()"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert 'ImportError: plotting needs matplotlib; install it with: pip install "alkit[plot]"' in result.stderr


def test_estimators_with_one_strategy_have_a_colour_each():
    curves = {(model, "random"): (np.array([[10, 20]]), np.array([[0.5, 0.6]])) for model in ("net", "forest")}
    lines = LearningCurveDisplay(curves, baseline="random").plot().lines_
    assert lines[0].get_color() != lines[1].get_color()


def test_fifteen_strategies_can_be_told_apart():
    names = ["random", *(f"strategy {i}" for i in range(15))]
    display = LearningCurveDisplay.from_comparison(
        synthetic(dict.fromkeys(names, [[0.1, 0.2, 0.3, 0.4]] * 2), scoring="balanced_accuracy")
    )
    looks = [(to_hex(line.get_color()), line.get_marker()) for line in display.lines_]
    assert len(set(looks)) == 16
    assert [name for name, (color, _) in zip(names, looks, strict=True) if color in ("#808080", "#7f7f7f")] == [
        "random"
    ]
    assert display.ax_.get_ylabel() == "balanced accuracy"
    # beside the curves, not on them
    assert display.ax_.get_legend().get_bbox_to_anchor().x0 > display.ax_.bbox.x1 - 1


def test_bands_of_shares_stay_between_none_and_all():
    display = LearningCurveDisplay.from_comparison(synthetic({"random": [[0.9, 1.0, 0.9, 1.0], [1.0, 0.7, 1.0, 0.2]]}))
    edges = display.ax_.collections[0].get_paths()[0].vertices[:, 1]
    assert edges.min() >= 0
    assert edges.max() <= 1
