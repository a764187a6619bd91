"""Score and gain: the experiment by hand, every kind of score, and what it refuses."""

import copy
import warnings

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB, MultinomialNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from alkit import LearningLossClassifier, NetClassifier, get_strategy
from alkit._random import draw_seed, generator
from alkit.experiment import ScoreGainCorrelation, score_gain_correlation

mpl.use("Agg")

X, y = load_digits(return_X_y=True)
X, names = (X / 16).astype(np.float32), np.array([f"digit {label}" for label in y])
SIZES = {"n_train": 100, "n_pool": 203, "n_groups": 10, "n_seeds": 2}


class Net(torch.nn.Sequential):
    def __init__(self, n_features=64, n_classes=10):
        super().__init__(
            torch.nn.Linear(n_features, 32), torch.nn.ReLU(), torch.nn.Dropout(0.2), torch.nn.Linear(32, n_classes)
        )


def by_hand(model, positions, n_train, n_pool, n_groups):
    """The experiment on given positions, for margin, as one would write it down."""
    train, pool, test = np.split(positions, [n_train, n_train + n_pool])
    model.fit(X[train], y[train])
    ordered = np.sort(model.predict_proba(X[pool]), axis=1)
    score = 1 - (ordered[:, -1] - ordered[:, -2])
    groups = np.array_split(np.argsort(score), n_groups)
    gains = []
    for group in groups:
        taught = copy.deepcopy(model).partial_fit(X[pool[group]], y[pool[group]])
        gains.append(taught.score(X[test], y[test]) - model.score(X[test], y[test]))
    return [score[group].mean() for group in groups], gains


def test_it_is_the_experiment_of_the_study():
    model = MLPClassifier((16,), batch_size=20, max_iter=30, random_state=3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        found = score_gain_correlation(model, X, y, ["margin"], random_state=7, **SIZES)
        rng = generator(7)
        for seed in range(2):
            positions = np.random.default_rng(draw_seed(rng)).permutation(len(X))
            mean_score, gain = by_hand(model, positions, 100, 203, 10)
            mine = found.to_frame().query("seed == @seed")
            np.testing.assert_allclose(mine["mean_score"], mean_score, atol=1e-6)
            np.testing.assert_allclose(mine["gain"], gain, atol=1e-12)
            expected = stats.pearsonr(mean_score, gain)
            row = found.summary().loc[("margin", seed)]
            assert row["r"] == pytest.approx(expected.statistic, abs=1e-6)
            assert row["p_value"] == pytest.approx(expected.pvalue, rel=1e-4)
            assert row["low"] < row["r"] < row["high"]
            assert row["n"] == 10


def test_true_and_predicted_loss_and_posteriors_on_string_labels():
    net = LearningLossClassifier(Net, loss_layers=["0", "2"], max_epochs=5, lr=0.01)
    scores = ["ideal_loss", "learning_loss", "margin", get_strategy("bald", n_samples=5)]
    found = score_gain_correlation(net, X, names, scores, **SIZES)
    assert found.summary().index.get_level_values("score").unique().tolist() == [*map(str, scores)]
    frame = found.to_frame()
    assert len(frame) == 4 * 2 * 10
    ordered = frame.groupby(["score", "seed"])["mean_score"].apply(lambda values: values.is_monotonic_increasing)
    assert ordered.all()
    assert frame["gain"].between(-1, 1).all()


def test_results_depend_on_random_state_alone():
    net = NetClassifier(Net, max_epochs=3)
    alone, parallel, other = (
        score_gain_correlation(net, X, y, ["margin"], n_jobs=n, random_state=seed, **SIZES).to_frame()
        for n, seed in ((1, 0), (2, 0), (1, 1))
    )
    pd.testing.assert_frame_equal(alone, parallel, check_exact=True)
    assert not alone.equals(other)
    more = score_gain_correlation(net, X, y, ["margin"], **SIZES | {"n_seeds": 3}).to_frame()
    pd.testing.assert_frame_equal(alone, more[more["seed"] < 2])


def test_pipelines_and_texts():
    texts = [" ".join(f"w{place}" for place in np.flatnonzero(row > 0.5)) for row in X]
    model = make_pipeline(CountVectorizer(), MultinomialNB())
    found = score_gain_correlation(model, texts, names, {"ours": "entropy"}, **SIZES)
    assert found.summary()["r"].notna().all()
    scaled = make_pipeline(MinMaxScaler(), NetClassifier(Net, max_epochs=2))
    assert len(score_gain_correlation(scaled, X, y, ["bald"], **SIZES).to_frame()) == 20


def test_a_test_set_and_a_metric_of_ones_own():
    test = {"X_test": X[1000:], "y_test": y[1000:]}
    found = score_gain_correlation(
        MultinomialNB(), X[:303], y[:303], ["margin"], scoring="neg_log_loss", **test, **SIZES
    )
    assert found.to_frame()["gain"].notna().all()


def test_classes_the_first_rows_lack():
    rare = np.where(np.arange(len(y)) % 400 == 0, 99, y)
    found = score_gain_correlation(NetClassifier(Net, max_epochs=2), X, rare, ["ideal_loss"], **SIZES)
    assert found.to_frame()["gain"].notna().all()


@pytest.mark.parametrize(
    ("kwargs", "error", "message"),
    [
        ({"estimator": LogisticRegression()}, TypeError, "LogisticRegression has no partial_fit"),
        ({"estimator": make_pipeline(MinMaxScaler(), LogisticRegression())}, TypeError, "has no partial_fit"),
        ({"scores": ["badge"]}, TypeError, "badge does not score row by row"),
        ({"scores": {"mine": lambda learner, X: [0]}}, TypeError, "mine does not score row by row"),
        ({"scores": "margin"}, TypeError, "pass a list"),
        ({"scores": ["margn"]}, ValueError, "did you mean 'margin'"),
        ({"n_train": 1700}, ValueError, "X has 1797 rows, but n_train=1700 and n_pool=203 take 1903"),
        ({"n_train": 1594}, ValueError, "what is left is to test on"),
        ({"n_groups": 204}, ValueError, "n_groups == 204, must be <= 203"),
        ({"n_groups": 2}, ValueError, "n_groups == 2, must be >= 3"),
        ({"n_seeds": 0}, ValueError, "n_seeds == 0"),
        ({"y": y[:5]}, ValueError, "X has 1797 rows, but y has 5 labels"),
        ({"X_test": X[:5]}, ValueError, "X_test has 5 rows, but y_test has 0 labels"),
        ({"y_test": y[:5]}, ValueError, "X_test has 0 rows, but y_test has 5 labels"),
    ],
)
def test_bad_input(kwargs, error, message):
    arguments = {"estimator": GaussianNB(), "X": X, "y": y, "scores": ["margin"]} | SIZES | kwargs
    with pytest.raises(error, match=message):
        score_gain_correlation(**arguments)


def test_constant_scores_have_no_correlation():
    groups = pd.DataFrame(
        {"score": "flat", "seed": 0, "group": range(4), "mean_score": 1.0, "gain": [0.1, 0.2, 0.3, 0.4]}
    )
    row = ScoreGainCorrelation(groups).summary().iloc[0]
    assert row[["r", "low", "high", "p_value"]].isna().all()
    assert row["n"] == 4


def test_the_picture_has_every_group():
    rng = np.random.default_rng(0)
    rows = [(name, seed, i, i / 10, rng.normal()) for name in ("a", "b") for seed in range(3) for i in range(5)]
    correlation = ScoreGainCorrelation(pd.DataFrame(rows, columns=["score", "seed", "group", "mean_score", "gain"]))
    display = correlation.plot()
    assert len(display.axes_) == 2
    drawn = np.concatenate([line.get_ydata() for line in display.axes_[1].lines if line.get_marker() == "."])
    assert drawn.tolist() == correlation.to_frame().query("score == 'b'")["gain"].tolist()
    r = correlation.summary().loc["b", "r"].mean()
    assert display.axes_[1].get_title().startswith(f"b\nr = {r:+.2f} (sd ")
    with pytest.raises(ValueError, match="ax holds 1 Axes, but there are 2 scores"):
        correlation.plot(ax=display.axes_[0])
