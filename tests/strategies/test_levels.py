"""Models asked as they are given: Pipelines in Pipelines, searches, frozen estimators, and steps of every kind."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import Pipeline, make_pipeline, make_union
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.svm import LinearSVC

from alkit import ActiveLearner, ActiveLearningClassifier, Committee, NetClassifier, compare_strategies, get_strategy
from alkit.strategies.levels import has_steps, levels, transformed
from tests.fakes import LinearPosterior

X = np.random.default_rng(0).normal(size=(90, 4)).astype(np.float32)
Y = np.array(["ant", "bee", "cat"])[np.digitize(X[:, 0], [-0.5, 0.5])]
FRAME = pd.DataFrame(X, columns=list("abcd"))


class Encoder(TransformerMixin, BaseEstimator):
    """Learns nothing, as an encoder of texts, and says how often it ran."""

    rows_seen = 0

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        type(self).rows_seen += len(X)
        return np.asarray(X, dtype=np.float32)


class AtFitOnly(BaseEstimator):
    """Drops rows when it is fitted, and offers nothing afterwards, as a sampler does."""

    def fit_resample(self, X, y):
        return X[::2], y[::2]


class ResamplingPipeline(Pipeline):
    """A Pipeline of its own kind, as that of imbalanced-learn: its samplers act in `fit` alone."""

    def fit(self, X, y=None, **params):
        for _, step in self.steps[:-1]:
            if hasattr(step, "fit_resample"):
                X, y = step.fit_resample(X, y)
            else:
                X = step.fit(X, y).transform(X)
        self.steps[-1][1].fit(X, y)
        return self

    def predict_proba(self, X):
        return self.steps[-1][1].predict_proba(transformed(tuple(step for _, step in self.steps[:-1]), X))


def net():
    layers = torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Dropout(), torch.nn.Linear(8, 3)
    return NetClassifier(torch.nn.Sequential(*layers), max_epochs=1, random_state=0)


def picked(model, strategy, rows=X, **kwargs):
    learner = ActiveLearner(model, strategy, rows[:40], Y[:40], random_state=0, **kwargs)
    return learner.query(rows, n_instances=4)[0].tolist()


@pytest.mark.parametrize("strategy", ["margin", "entropy", "bald", "badge", "coreset", "batch_bald"])
@pytest.mark.parametrize(
    "around",
    [
        lambda model: make_pipeline(Encoder(), model),
        lambda model: make_pipeline(make_pipeline(Encoder(), StandardScaler()), make_pipeline("passthrough", model)),
        lambda model: GridSearchCV(make_pipeline(Encoder(), model), {"netclassifier__lr": [0.001]}, cv=2),
        lambda model: ResamplingPipeline([("half", AtFitOnly()), ("encoder", Encoder()), ("net", model)]),
    ],
    ids=["encoder", "nested", "search", "sampler"],
)
def test_steps_of_every_kind(around, strategy):
    assert len(set(picked(around(net()), strategy))) == 4


@pytest.mark.parametrize("strategy", ["margin", "bald", "badge"])
def test_frozen_models_predict_as_those_inside(strategy):
    fitted = make_pipeline(StandardScaler(), net()).fit(X, Y)
    expected = get_strategy(strategy).select(fitted, X, 5, random_state=0).indices.tolist()
    for frozen in (FrozenEstimator(fitted), make_pipeline(fitted[0], FrozenEstimator(fitted[1]))):
        assert get_strategy(strategy).select(frozen, X, 5, random_state=0).indices.tolist() == expected


@pytest.mark.parametrize(
    "model",
    [
        make_pipeline(make_column_transformer((StandardScaler(), ["a", "b"]), ("passthrough", ["d"])), GaussianNB()),
        make_pipeline(make_union(StandardScaler(), MinMaxScaler()), GaussianNB()),
        make_pipeline(StandardScaler(), CalibratedClassifierCV(LinearSVC(), cv=2)),
        CalibratedClassifierCV(make_pipeline(StandardScaler(), GaussianNB()), cv=2),
    ],
)
def test_predictions_are_those_of_the_whole_model(model):
    fitted = model.fit(FRAME[:40], Y[:40])
    picks = get_strategy("least_confident").select(fitted, FRAME, len(X))
    scores = picks.scores[np.argsort(picks.indices)]
    np.testing.assert_allclose(scores, 1 - fitted.predict_proba(FRAME).max(1), atol=1e-6)


def test_a_pipeline_that_predicts_in_its_own_way_is_asked_itself():
    class Sharpened(Pipeline):
        def predict_proba(self, X):
            return np.eye(3)[super().predict_proba(X).argmax(1)]

    model = Sharpened([("scale", StandardScaler()), ("net", net())]).fit(X, Y)
    assert get_strategy("entropy").select(model, X, 3).scores.tolist() == [0, 0, 0]
    # an embedding is not its own, but of its last step; the probabilities beside it still are its own
    assert len(get_strategy("badge").select(model, X, 3, random_state=0).indices) == 3


@pytest.mark.parametrize("strategy", ["badge", "bald", "entropy"])
def test_an_encoder_runs_once_per_row(strategy):
    learner = ActiveLearner(make_pipeline(Encoder(), net()), strategy, X[:40], Y[:40], random_state=0)
    Encoder.rows_seen = 0
    learner.query(X, n_instances=3)
    assert Encoder.rows_seen == len(X)


def test_methods_of_an_outer_level_come_first():
    class Embedding(Pipeline):
        def embed(self, X):
            return X[:, :1]

    model = Embedding([("scale", StandardScaler()), ("net", net())]).fit(X, Y)
    picks = get_strategy("kmeans").select(model, X, 3, random_state=0).indices
    assert np.ptp(X[picks, 0]) > 1
    assert [len(level.steps) for level in levels(model)] == [0, 1]


def test_searches_without_a_model():
    search = GridSearchCV(LogisticRegression(), {"C": [1.0]}, cv=2, refit=False)
    for strategy in ("margin", "bald"):
        learner = ActiveLearner(search, strategy, X[:40], Y[:40])
        with pytest.raises(TypeError, match=r"GridSearchCV does not have \(.* set refit=True\)"):
            learner.query(X)
    with pytest.raises(NotFittedError):
        ActiveLearner(GridSearchCV(net(), {"lr": [0.1]}), "bald").query(X)


def test_steps_are_found_wherever_they_are():
    pipeline = make_pipeline(StandardScaler(), GaussianNB())
    for model in (pipeline, FrozenEstimator(pipeline), CalibratedClassifierCV(pipeline), ActiveLearner(pipeline)):
        assert has_steps(model)
    assert has_steps(Committee([GaussianNB(), pipeline]))
    assert not has_steps(Committee([GaussianNB(), GridSearchCV(GaussianNB(), {})]))


@pytest.mark.parametrize("on_transformed", [False, True])
@pytest.mark.parametrize("strategy", ["ranked_batch", "typiclust", "information_density"])
def test_distances_are_measured_on_X_or_on_what_steps_make_of_it(strategy, on_transformed):
    wide = X * np.float32([1000, 1, 1, 1])
    model = make_pipeline(StandardScaler(), GaussianNB())
    scaled = StandardScaler().fit(wide[:40]).transform(wide)
    picks = picked(model, strategy, wide, on_transformed=on_transformed)
    assert picks == picked(model, strategy, scaled if on_transformed else wide, on_transformed=False)


def test_members_of_a_committee_have_steps_of_their_own():
    models = make_pipeline(StandardScaler(), GaussianNB()), make_pipeline(MinMaxScaler(), GaussianNB())
    committee = Committee(list(models), "typiclust", on_transformed=True, random_state=0)
    committee.teach(X[:40], Y[:40])
    both = np.hstack([model[0].transform(X) for model in models])
    learner = ActiveLearner(GaussianNB(), "typiclust", both[:40], Y[:40], random_state=0)
    assert committee.query(X, n_instances=5)[0].tolist() == learner.query(both, n_instances=5)[0].tolist()


def test_gaps_are_filled_by_the_pipeline():
    holes = X.copy()
    holes[::5, 1] = np.nan
    pipeline = make_pipeline(SimpleImputer(), StandardScaler(), net())
    for strategy in ("margin", "bald", "badge"):
        learner = ActiveLearner(pipeline, strategy, holes[:40], Y[:40], random_state=0)
        indices, rows = learner.query(holes, n_instances=3)
        learner.teach(rows, Y[indices])
    committee = Committee([make_pipeline(SimpleImputer(), GaussianNB()) for _ in range(2)])
    committee.teach(holes[:40], Y[:40])
    assert len(committee.query(holes, n_instances=3)[0]) == 3
    model = make_pipeline(SimpleImputer(), GaussianNB())
    assert ActiveLearningClassifier(model, n_queries=1, random_state=0).fit(holes, Y).predict(holes).shape == (90,)
    runs = compare_strategies(
        model, holes[:60], Y[:60], ["margin"], X_test=holes[60:], y_test=Y[60:], n_seeds=2, n_queries=1
    )
    assert runs is not None


def test_distances_between_rows_with_gaps_are_refused_with_the_remedy():
    holes = X.copy()
    holes[7, 1] = np.nan
    model = make_pipeline(SimpleImputer(), GaussianNB())
    for strategy in ("information_density", "typiclust", "ranked_batch"):
        learner = ActiveLearner(model, strategy, X[:40], Y[:40], random_state=0)
        with pytest.raises(
            ValueError, match="1 of 90 rows of the pool .* the first is row 7, .* give the strategy embed="
        ):
            learner.query(holes)
        for filled in (get_strategy(strategy, embed=SimpleImputer()), strategy):
            learner.query_strategy, learner.on_transformed = filled, filled is strategy
            assert len(learner.query(holes, n_instances=3)[0]) == 3


def test_imbalanced_learn():
    pipeline = pytest.importorskip("imblearn.pipeline")
    over, under = pytest.importorskip("imblearn.over_sampling"), pytest.importorskip("imblearn.under_sampling")
    ensemble = pytest.importorskip("imblearn.ensemble")
    for sampler in (over.RandomOverSampler(random_state=0), under.RandomUnderSampler(random_state=0)):
        model = pipeline.make_pipeline(Encoder(), sampler, net())
        for strategy in ("margin", "bald", "badge"):
            assert len(set(picked(model, strategy))) == 4
    for forest in (ensemble.BalancedRandomForestClassifier(4), ensemble.BalancedBaggingClassifier(n_estimators=3)):
        assert len(set(picked(forest, "bald"))) == 4


def test_a_pipeline_without_a_predictor():
    model = Pipeline([("scale", StandardScaler()), ("nothing", "passthrough")]).fit(X)
    with pytest.raises(TypeError, match="needs predict_proba, which Pipeline does not have"):
        get_strategy("entropy").select(model, X, 3)


def test_what_only_the_last_step_has_is_asked_of_transformed_rows():
    model = make_pipeline(StandardScaler(), LinearPosterior(3)).fit(X, Y)
    inside = model[-1].sample_proba(model[0].transform(X))
    picks = get_strategy("mean_std").select(model, X, len(X))
    np.testing.assert_allclose(picks.scores[np.argsort(picks.indices)], inside.std(1).mean(-1), atol=1e-6)
