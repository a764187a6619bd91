"""Transfer: a model trained on the labels that another acquired, against the same by hand."""

import pytest
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier

from alkit.experiment import evaluate_transfer
from tests.experiment.helpers import DATA, compare


def test_transfer():
    models = {"bayes": GaussianNB(), "tree": DecisionTreeClassifier()}
    comparison = compare(models, n_seeds=2)
    learned = evaluate_transfer(comparison, "tree", **DATA)
    assert learned.columns.tolist() == ["bought_by", "strategy", "seed", "round", "n_labels", "score"]
    frame = comparison.to_frame()
    own = learned[learned.bought_by == "tree"].score.tolist()
    assert own == frame[frame.estimator == "tree"].score.tolist()
    # random picks are the same for all estimators, so learning from another's labels is learning from one's own
    random = learned[learned.strategy == "random"].groupby("bought_by").score.apply(list)
    assert random["bayes"] == random["tree"]
    run = next(run for run in comparison.runs if run[:3] == ("tree", "margin", 1))
    other = next(run for run in comparison.runs if run[:3] == ("bayes", "margin", 1)).labeled_indices
    assert other.tolist() != run.labeled_indices.tolist()
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
