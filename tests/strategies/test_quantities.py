"""What a model is asked, of whichever kind it is, and which of its answers are refused."""

import numpy as np
import pandas as pd
import pytest
from modAL.models import ActiveLearner as ModalLearner
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV

from alkit.strategies import class_balanced, get_strategy
from tests.fakes import LinearPosterior

X = np.random.default_rng(0).normal(size=(60, 3))


def test_numbers_and_bools_side_by_side_are_features():
    frame = pd.DataFrame({"a": X[:, 0], "b": X[:, 1] > 0, "c": pd.array(np.arange(60), "Int64")})
    plain = frame.to_numpy(dtype=float)
    typiclust = get_strategy("typiclust")
    picks = [typiclust.select(None, rows, 5, random_state=0).indices.tolist() for rows in (frame, plain)]
    assert picks[0] == picks[1]


@pytest.mark.parametrize("strategy", ["coreset", "badge", "kmeans"])
def test_embeddings_that_are_infinite(strategy):
    class Overflowing(LinearPosterior):
        def embed(self, X):
            return np.where(np.arange(len(X))[:, None] == 3, np.inf, super().embed(X))

    with pytest.raises(ValueError, match="embed is infinite for 1 of 60 rows, the first is row 3"):
        get_strategy(strategy).select(Overflowing().fit(X), X, 5)


def test_a_label_the_model_has_not_met_is_the_largest_loss():
    y = np.array(["ham", "spam", "eggs"])[np.arange(60) % 3]
    model = LogisticRegression().fit(X[:20][y[:20] != "eggs"], y[:20][y[:20] != "eggs"])
    picks = get_strategy("ideal_loss").select(model, X, 60, y_pool=y)
    assert (y[picks.indices[:20]] == "eggs").all()
    seen = picks.indices[20:]
    proba = model.predict_proba(X[seen])[np.arange(40), (y[seen] == "spam").astype(int)]
    np.testing.assert_allclose(picks.scores[20:], -np.log(proba))
    with pytest.raises(ValueError, match="y holds labels such as 0, but the labels taught are such as 'ham'"):
        get_strategy("ideal_loss").select(model, X, 5, y_pool=np.arange(60))


def test_it_sees_through_searches_and_modal_learners():
    y = np.arange(60) % 3
    search = GridSearchCV(LinearPosterior(), {"n_classes": [3]}, cv=2).fit(X, y)
    assert get_strategy("bald").select(search, X, 5).indices.shape == (5,)
    modal = ModalLearner(LogisticRegression(), get_strategy("entropy"), X, y)
    assert get_strategy("entropy")(modal, X, n_instances=4).shape == (4,)


@pytest.mark.parametrize(
    ("strategy", "answer", "message"),
    [
        ("margin", np.ones(60), r"got an answer of shape \(60,\) from predict_proba for 60 rows; 2 dimensions"),
        ("margin", np.full((59, 4), 0.25), r"shape \(59, 4\) from predict_proba for 60 rows"),
        ("margin", np.full((60, 4), -2.0), "predict_proba of Answering returned values from -2 to -2.*softmax"),
        ("bald", np.full((60, 4), 0.25), r"shape \(60, 4\) from sample_proba for 60 rows; 3 dimensions"),
        ("bald", np.full((60, 5, 4), 3.0), "sample_proba of Answering returned values from 3 to 3"),
        ("kmeans", np.ones((60, 2, 2)), r"shape \(60, 2, 2\) from embed"),
        ("learning_loss", np.ones((60, 1)), r"shape \(60, 1\) from predict_loss for 60 rows; 1 dimensions"),
    ],
)
def test_answers_of_another_shape_or_range(strategy, answer, message):
    class Answering:
        def predict_proba(self, X):
            return answer

        def sample_proba(self, X, n_samples=20, random_state=None):
            return answer

        embed = predict_loss = predict_proba

    with pytest.raises(ValueError, match=message):
        get_strategy(strategy).select(Answering(), X, 5)


@pytest.mark.parametrize("dtype", [np.float16, np.int64, bool])
def test_answers_of_any_number_type(dtype):
    class Certain:
        def predict_proba(self, X):
            return np.eye(4)[np.arange(len(X)) % 4].astype(dtype)

    assert get_strategy("margin").select(Certain(), X, 60).scores.tolist() == [0] * 60


def test_features_that_are_no_numbers():
    with pytest.raises(TypeError, match="typiclust measures distances between rows, but X holds <U1; pass embed="):
        get_strategy("typiclust").select(None, np.array(["a", "b", "c"]), 2)


def test_labels_the_model_does_not_know():
    model = LinearPosterior().fit(X)
    model.X_training, model.y_training = X[:1], np.array([7])
    with pytest.raises(ValueError, match=r"met label 7, but the model knows \[0, 1, 2, 3\]; declare every label"):
        class_balanced("margin").select(model, X, 5)


def test_probabilities_of_several_labels_are_refused():
    """Unless the model, or the labels taught, say that they are several: see test_answers."""

    class Answering:
        def predict_proba(self, X):
            return np.full((len(X), 3), 0.9)

    with pytest.raises(ValueError, match="Answering returned rows that sum to .*multi-label.* multilabel_ = True"):
        get_strategy("entropy").select(Answering(), X, 2)
