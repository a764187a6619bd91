"""What every strategy keeps to where rows have several answers: labels of 0/1 matrices, and positions.

Each strategy runs with each model that has what it reads, and is refused with the documented `TypeError` by all others.
"""

import numpy as np
import pytest
import torch
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch import NeuralNet
from torch import nn

from alkit import (
    ActiveLearner,
    Committee,
    DropoutMLPClassifier,
    EnsembleClassifier,
    LaplaceClassifier,
    NetClassifier,
    get_strategy,
)
from alkit.strategies.picks.single import top_k
from alkit.strategies.table import TABLE
from tests.nets.networks import MLP
from tests.several import CLASSES_AT, PICTURES, PixelNet, ToldYesNo, X, Y

BRIEF = {"max_epochs": 2, "random_state": 0}
ONE_VS_REST = OneVsRestClassifier(LogisticRegression())


def plain_net():
    torch.manual_seed(0)
    loss = nn.CrossEntropyLoss
    return NeuralNet(PixelNet, criterion=loss, train_split=None, max_epochs=1, verbose=0).fit(PICTURES, CLASSES_AT)


LABELS = {
    "NetClassifier": lambda: NetClassifier(MLP, **BRIEF).fit(X, Y),
    "EnsembleClassifier": lambda: EnsembleClassifier(NetClassifier(MLP, **BRIEF), 2).fit(X, Y),
    "LaplaceClassifier": lambda: LaplaceClassifier(NetClassifier(MLP, **BRIEF)).fit(X, Y),
    "Pipeline": lambda: make_pipeline(StandardScaler(), DropoutMLPClassifier(**BRIEF)).fit(X, Y),
    "ActiveLearner": lambda: ActiveLearner(DropoutMLPClassifier(**BRIEF), X_training=X, y_training=Y),
    "RandomForestClassifier": lambda: RandomForestClassifier(5, random_state=0).fit(X, Y),
    "OneVsRestClassifier": lambda: ONE_VS_REST.fit(X, Y),
    "Committee": lambda: Committee([ActiveLearner(ONE_VS_REST, X_training=X[:60], y_training=Y[:60])]),
}
POSITIONS = {
    "NetClassifier": lambda: NetClassifier(PixelNet, task="positions", embedding_layer="body", **BRIEF).fit(
        PICTURES, CLASSES_AT
    ),
    "NeuralNet": plain_net,
}
EVERY = {"proba", "class_scores", "true_loss", "features", "train_features", "train_proba", "y_train"}
VOTING = EVERY | {"samples", "votes", "target_samples"}
DEEP = VOTING | {"embedding", "train_embedding"}
HAS = {"RandomForestClassifier": VOTING, "OneVsRestClassifier": EVERY, "Committee": VOTING}
OF_NUMBERS = {"prediction", "std", "values", "last_layer"}
every_strategy = pytest.mark.parametrize("strategy", TABLE, ids=str)


@pytest.fixture(scope="module")
def labels():
    return {name: make() for name, make in LABELS.items()}


@pytest.fixture(scope="module")
def positions():
    return {name: make() for name, make in POSITIONS.items()}


def needs(strategy):
    return {*strategy.needs, *strategy.pick_needs}


def select(strategy, model, rows, k, y_pool, **kwargs):
    simulated = {"y_pool": y_pool} if "true_loss" in needs(strategy) else {}
    return strategy.select(model, rows, k, random_state=0, **simulated, **kwargs)


def check_serves_or_refuses(strategy, model, has, rows, y_pool):
    if needs(strategy) <= has and not strategy.one_answer:
        picks = select(strategy, model, rows, 5, y_pool)
        assert len(np.unique(picks.indices)) == 5
        assert np.isfinite(picks.scores[1:]).all()
        assert picks.indices.tolist() == select(strategy, model, rows, 5, y_pool).indices.tolist()
    else:
        with pytest.raises(TypeError, match=rf"strategy {strategy.name} needs .+, which \w+ does not have; use alkit"):
            select(strategy, model, rows, 5, y_pool)


@every_strategy
@pytest.mark.parametrize("name", LABELS)
def test_every_model_of_several_labels_serves_it_or_says_what_it_lacks(strategy, name, labels):
    check_serves_or_refuses(strategy, labels[name], HAS.get(name, DEEP) | {"label_proba"}, X, Y)


@every_strategy
@pytest.mark.parametrize("name", POSITIONS)
def test_every_network_of_positions_serves_it_or_says_what_it_lacks(strategy, name, positions):
    if name == "NeuralNet" and "embedding" in needs(strategy):
        pytest.skip("a plain network without a linear layer has no embedding, which is an error of its own")
    check_serves_or_refuses(strategy, positions[name], DEEP, PICTURES, CLASSES_AT)


@pytest.mark.parametrize("strategy", [s for s in TABLE if "label_proba" in needs(s)], ids=str)
def test_strategies_of_several_labels_refuse_models_of_one(strategy):
    model = LogisticRegression().fit(X, Y[:, 0])
    with pytest.raises(TypeError, match=f"strategy {strategy.name} needs several_labels, which LogisticRegression"):
        strategy.select(model, X, 3)
    learner = ActiveLearner(LogisticRegression(), strategy, X, Y[:, 0])
    with pytest.raises(TypeError, match=f"strategy {strategy.name} needs several_labels, which LogisticRegression"):
        learner.query(X)


@pytest.mark.parametrize(
    "strategy",
    [
        s
        for s in TABLE
        if s.score and s.pick is top_k and needs(s).isdisjoint(OF_NUMBERS | {"loss"}) and not s.one_answer
    ],
    ids=str,
)
def test_chunks_precision_and_order_do_not_matter(strategy):
    pool = X[:20]

    def scores(rows, y, **kwargs):
        picks = select(strategy, ToldYesNo(), rows, 20, y, **kwargs)
        return picks.scores[np.argsort(picks.indices)]

    whole = scores(pool, Y[:20])
    np.testing.assert_allclose(scores(pool, Y[:20], chunk_bytes=1), whole, atol=1e-6)
    order = np.random.default_rng(1).permutation(20)
    targets = {"X_target": pool} if "target_samples" in strategy.needs else {}
    np.testing.assert_allclose(
        scores(pool[order], Y[order], **targets), scores(pool, Y[:20], **targets)[order], atol=1e-6
    )


@every_strategy
def test_a_query_of_several_labels_changes_nothing(strategy, labels):
    net = labels["NetClassifier"]
    if needs(strategy) <= DEEP | {"label_proba"} and not strategy.one_answer:
        before = [parameter.tolist() for parameter in net.module_.parameters()], torch.get_rng_state().tolist()
        select(strategy, net, X, 3, Y)
        assert ([p.tolist() for p in net.module_.parameters()], torch.get_rng_state().tolist()) == before


def test_duplicates_and_single_rows():
    for strategy in TABLE:
        if needs(strategy).isdisjoint(OF_NUMBERS | {"loss"}) and not strategy.one_answer:
            same = np.repeat(X[:1], 9, axis=0)
            assert sorted(select(strategy, ToldYesNo(), same, 9, Y[:9]).indices) == list(range(9))
            assert select(strategy, ToldYesNo(), X[:1], 1, Y[:1]).indices.tolist() == [0]


def test_answers_that_are_not_finite():
    class Broken(ToldYesNo):
        def predict_proba(self, X):
            return np.where(np.arange(len(X))[:, None] == 7, np.nan, super().predict_proba(X))

    for name in ("margin", "max_loss", "cvirs"):
        with pytest.raises(ValueError, match="predict_proba is NaN for 1 of 90 rows, the first is row 7"):
            get_strategy(name).select(Broken(), X, 3)
