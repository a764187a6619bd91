"""Quality of given labels: by hand, on labels that were flipped, of several people, and what is refused."""

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.model_selection import cross_val_predict

from alkit.crowd import label_quality

PROBA = np.array([[0.7, 0.2, 0.1], [0.5, 0.3, 0.2], [0.3, 0.3, 0.4]])


def test_by_hand():
    # two labels "a", one "c", none "b"
    root = np.sqrt([2, 1, 1])
    expected = []
    for row, code in zip(PROBA / root, [0, 2, 0], strict=True):
        others = np.delete(row, code)
        expected.append(row[code] / (row[code] + np.sqrt(np.square(others).sum())))
    np.testing.assert_allclose(label_quality(PROBA, ["a", "c", "a"], classes=["a", "b", "c"]), expected)


def test_flipped_labels_come_first():
    X, y = load_digits(return_X_y=True)
    X, y = X[:600] / 16, y[:600]
    rng = np.random.default_rng(0)
    flipped = rng.random(600) < 0.1
    labels = np.where(flipped, (y + rng.integers(1, 10, 600)) % 10, y)
    proba = cross_val_predict(LogisticRegression(), X, labels, method="predict_proba")
    found = average_precision_score(flipped, -label_quality(proba, labels))
    plain = average_precision_score(flipped, -proba[np.arange(600), labels])
    assert found > max(plain, 0.85)


def test_several_people_come_close_to_who_knows_how_good_they_are():
    rng = np.random.default_rng(0)
    truth, accuracy = rng.integers(2, size=300), np.array([0.95, 0.9, 0.8, 0.5])
    labels = np.where(rng.random((300, 4)) < accuracy, truth[:, None], 1 - truth[:, None]).astype(float)
    labels[rng.random((300, 4)) < 0.2] = np.nan
    quality = label_quality(np.full((300, 2), 0.5), labels)
    asked = ~np.isnan(labels)
    np.testing.assert_array_equal(np.isnan(quality), ~asked)
    log_odds = np.nansum((2 * labels - 1) * np.log(accuracy / (1 - accuracy)), axis=1, keepdims=True)
    best = 1 / (1 + np.exp(-(2 * labels - 1) * log_odds))
    wrong = (labels != truth[:, None])[asked]
    found = average_precision_score(wrong, -quality[asked])
    assert found > average_precision_score(wrong, -best[asked]) - 0.03


def test_declared_classes():
    assert label_quality(PROBA, ["a", "b", "a"], classes=["a", "b", "c"]).shape == (3,)
    with pytest.raises(ValueError, match="proba has 3 columns, but labels are of 2 classes"):
        label_quality(PROBA, ["a", "b", "a"])
    with pytest.raises(ValueError, match="none of the 3 classes, the first is 'd'"):
        label_quality(PROBA, ["a", "b", "d"], classes=["a", "b", "c"])


@pytest.mark.parametrize(
    ("proba", "message"),
    [
        (PROBA[0], r"proba has shape \(3,\)"),
        (PROBA[:2], "X has 2 rows, but y has 3 labels"),
        (PROBA * 2, "3 of 3 rows of proba are no probabilities"),
        (np.where(PROBA == 0.7, np.nan, PROBA), "1 of 3 rows of proba are no probabilities"),
    ],
)
def test_what_is_refused(proba, message):
    with pytest.raises(ValueError, match=message):
        label_quality(proba, ["a", "b", "c"])
