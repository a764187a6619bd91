"""What every strategy of the table keeps to, whatever it computes. A new line in the table is tested here."""

import inspect
import pickle
import random

import numpy as np
import pytest
import torch
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.datasets import make_blobs
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF
from sklearn.linear_model import BayesianRidge, LinearRegression, LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch import NeuralNetClassifier, NeuralNetRegressor

from alkit import (
    ActiveLearner,
    Committee,
    CommitteeRegressor,
    DropoutMLPClassifier,
    DropoutMLPRegressor,
    EnsembleClassifier,
    EnsembleRegressor,
    LaplaceClassifier,
    LaplaceRegressor,
    LearningLossClassifier,
    MultimodalClassifier,
    MultimodalLearningLossClassifier,
    NetClassifier,
    NetRegressor,
    get_strategy,
)
from alkit.strategies.picks.single import top_k
from alkit.strategies.table import TABLE as EVERY_STRATEGY
from tests.fakes import LinearPosterior, LinearRegressors

# those for several labels per row are tested in test_contract_several_answers
TABLE = [s for s in EVERY_STRATEGY if "label_proba" not in (*s.needs, *s.pick_needs)]
X, y = make_blobs(120, centers=4, n_features=5, cluster_std=3.0, random_state=0)
X = X.astype(np.float32)
numbers = (X[:, 0] - X[:, 1] ** 2) / 50

every_strategy = pytest.mark.parametrize("strategy", TABLE, ids=str)
on_the_set = pytest.mark.parametrize("strategy", [s for s in TABLE if s.pick is not top_k], ids=str)
deterministic = pytest.mark.parametrize("strategy", [s for s in TABLE if s.score and s.pick is top_k], ids=str)


class Net(torch.nn.Module):
    def __init__(self, n_features, n_outputs):
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(n_features, 16),
            torch.nn.BatchNorm1d(16),
            torch.nn.ReLU(),
            torch.nn.Dropout(0.5),
            torch.nn.Linear(16, n_outputs),
        )

    def forward(self, X):
        return self.layers(X)


def fitted_net():
    return NetClassifier(Net, max_epochs=2, random_state=0).fit(X, y)


def fitted_net_for_numbers():
    return NetRegressor(Net, max_epochs=2, random_state=0).fit(X, numbers)


def fitted_plain_net():
    """A network of skorch with none of alkit's methods."""
    torch.manual_seed(0)
    loss = torch.nn.CrossEntropyLoss
    return NeuralNetClassifier(Net(5, 4), criterion=loss, train_split=None, max_epochs=2, verbose=0).fit(X, y)


class Doubled(TransformerMixin, BaseEstimator):
    """Has nothing to fit, as encoders of texts."""

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return 2 * X


TWO = {"modalities": {"left": slice(0, 2), "right": slice(2, 5)}, "width": 8, "max_epochs": 2, "random_state": 0}

MODELS = {
    "NetClassifier": fitted_net,
    "DropoutMLPClassifier": lambda: DropoutMLPClassifier(max_epochs=2, random_state=0).fit(X, y),
    "EnsembleClassifier": lambda: EnsembleClassifier(NetClassifier(Net, max_epochs=2), 3, random_state=0).fit(X, y),
    "LaplaceClassifier": lambda: LaplaceClassifier(NetClassifier(Net, max_epochs=2), random_state=0).fit(X, y),
    "LearningLossClassifier": lambda: LearningLossClassifier(Net, ["layers.2"], max_epochs=2, random_state=0).fit(X, y),
    "MultimodalClassifier": lambda: MultimodalClassifier(**TWO).fit(X, y),
    "MultimodalLearningLossClassifier": lambda: MultimodalLearningLossClassifier(**TWO).fit(X, y),
    "Pipeline": lambda: make_pipeline(StandardScaler(), Doubled(), fitted_net()).fit(X, y),
    "NeuralNetClassifier": lambda: fitted_plain_net(),
    "RandomForestClassifier": lambda: RandomForestClassifier(5, random_state=0).fit(X, y),
    "LogisticRegression": lambda: LogisticRegression(max_iter=1000).fit(X, y),
    "ActiveLearner": lambda: ActiveLearner(fitted_net(), X_training=X, y_training=y),
    "Committee": lambda: Committee(
        [
            ActiveLearner(LogisticRegression(C=c, max_iter=1000), X_training=X[:60], y_training=y[:60])
            for c in (0.01, 1, 100)
        ]
    ),
}
MODELS_OF_NUMBERS = {
    "NetRegressor": fitted_net_for_numbers,
    "DropoutMLPRegressor": lambda: DropoutMLPRegressor(max_epochs=2, random_state=0).fit(X, numbers),
    "EnsembleRegressor": lambda: EnsembleRegressor(NetRegressor(Net, max_epochs=2), 3, random_state=0).fit(X, numbers),
    "LaplaceRegressor": lambda: LaplaceRegressor(NetRegressor(Net, max_epochs=2), random_state=0).fit(X, numbers),
    "Pipeline of numbers": lambda: make_pipeline(StandardScaler(), Doubled(), fitted_net_for_numbers()).fit(X, numbers),
    "NeuralNetRegressor": lambda: NeuralNetRegressor(
        torch.nn.Linear(5, 1), train_split=None, max_epochs=1, verbose=0
    ).fit(X, numbers[:, None]),
    "RandomForestRegressor": lambda: RandomForestRegressor(5, random_state=0).fit(X, numbers),
    "GaussianProcessRegressor": lambda: GaussianProcessRegressor(RBF(2.0, "fixed"), alpha=0.1).fit(X, numbers),
    "BayesianRidge": lambda: BayesianRidge().fit(X, numbers),
    "LinearRegression": lambda: LinearRegression().fit(X, numbers),
    "ActiveLearner of numbers": lambda: ActiveLearner(BayesianRidge(), X_training=X, y_training=numbers),
    "CommitteeRegressor": lambda: CommitteeRegressor(
        [ActiveLearner(Ridge(alpha), X_training=X[:60], y_training=numbers[:60]) for alpha in (0.1, 100)]
    ),
}
EVERY = {"proba", "class_scores", "true_loss", "features", "train_features", "train_proba", "y_train", "last_layer"}
DEEP = EVERY | {"samples", "votes", "target_samples", "embedding", "train_embedding"}
HAS = {
    "NetClassifier": DEEP,
    "DropoutMLPClassifier": DEEP,
    "EnsembleClassifier": DEEP,
    "LaplaceClassifier": DEEP,
    "LearningLossClassifier": DEEP | {"loss"},
    "MultimodalClassifier": DEEP,
    "MultimodalLearningLossClassifier": DEEP | {"loss"},
    "Pipeline": DEEP,
    "NeuralNetClassifier": DEEP,
    "RandomForestClassifier": EVERY | {"samples", "votes", "target_samples"},
    "LogisticRegression": EVERY,
    "ActiveLearner": DEEP,
    "Committee": EVERY | {"samples", "votes", "target_samples"},
}
EVERY_NUMBER = {"prediction", "true_loss", "features", "train_features", "y_train", "last_layer"}
UNSURE = EVERY_NUMBER | {"std", "values"}
HAS |= {
    "NetRegressor": UNSURE | {"embedding", "train_embedding"},
    "DropoutMLPRegressor": UNSURE | {"embedding", "train_embedding"},
    "EnsembleRegressor": UNSURE | {"embedding", "train_embedding"},
    "LaplaceRegressor": UNSURE | {"embedding", "train_embedding"},
    "Pipeline of numbers": UNSURE | {"embedding", "train_embedding"},
    "NeuralNetRegressor": EVERY_NUMBER,
    "RandomForestRegressor": UNSURE,
    "GaussianProcessRegressor": UNSURE,
    "BayesianRidge": UNSURE,
    "LinearRegression": EVERY_NUMBER,
    "ActiveLearner of numbers": UNSURE,
    "CommitteeRegressor": UNSURE,
}


@pytest.fixture(scope="module")
def models():
    return {name: make() for name, make in (MODELS | MODELS_OF_NUMBERS).items()}


def posterior(strategy, n_classes=4, **params):
    """Return a fake that answers whatever a strategy asks."""
    if of_numbers(strategy):
        return LinearRegressors(**params).fit(X)
    return LinearPosterior(n_classes, **params).fit(X)


def of_numbers(strategy):
    return not needs(strategy).isdisjoint({"prediction", "std", "values"})


def trained(strategy, models):
    """Return a network of alkit that has what a strategy asks."""
    return models["NetRegressor" if of_numbers(strategy) else "LearningLossClassifier"]


def needs(strategy):
    return {*strategy.needs, *strategy.pick_needs}


def select(strategy, model, X, k, **kwargs):
    """Ask a strategy, and tell it the hidden labels where it is one for simulations."""
    simulated = {"y_pool": (X[:, 0] > 0).astype(int)} if "true_loss" in needs(strategy) else {}
    return strategy.select(model, X, k, **simulated, **kwargs)


@every_strategy
@pytest.mark.parametrize("k", [1, 7, len(X)])
def test_picks_are_distinct_and_in_range(strategy, k):
    picks = select(strategy, posterior(strategy), X, k, random_state=0)
    assert picks.indices.shape == picks.scores.shape == (k,)
    assert len(np.unique(picks.indices)) == k
    assert 0 <= picks.indices.min() <= picks.indices.max() < len(X)


def test_another_seed_gives_other_random_picks():
    random_picks = get_strategy("random")
    firsts = {
        int(random_picks.select(posterior(random_picks), X, 1, random_state=seed).indices[0]) for seed in range(40)
    }
    # 40 draws from 120 rows meet about 34 of them
    assert len(firsts) > 20


@every_strategy
@pytest.mark.parametrize(("k", "error"), [(0, ValueError), (-1, ValueError), (121, ValueError), (2.0, TypeError)])
def test_impossible_counts(strategy, k, error):
    with pytest.raises(error, match="n_instances"):
        select(strategy, posterior(strategy), X, k)


@every_strategy
def test_an_empty_pool(strategy):
    with pytest.raises(ValueError, match="pool is empty"):
        select(strategy, posterior(strategy), X[:0], 1)
    with pytest.raises(ValueError, match="pool is empty"):
        select(strategy, posterior(strategy), X, 1, candidates=np.zeros(len(X), bool))


@every_strategy
@pytest.mark.parametrize("n_classes", [2, 1000])
def test_duplicates_one_row_few_and_many_classes(strategy, n_classes):
    same = np.repeat(X[:1], 30, axis=0)
    assert sorted(select(strategy, posterior(strategy, n_classes), same, 30, random_state=0).indices) == list(range(30))
    assert select(strategy, posterior(strategy, n_classes), X[:1], 1).indices.tolist() == [0]


@every_strategy
def test_answers_that_are_NaN(strategy):
    if needs(strategy) - {"features", "train_features"}:
        # what breaks is the last row asked for; targets are asked for first, in random order
        row, n_rows = r"\d+" if "target_samples" in needs(strategy) else "119", 120
        if {"train_proba", "train_embedding"} & set(strategy.needs):
            # a score that reads labelled rows has asked for one row before, which tells how wide they are
            row, n_rows = 0, 1
        named = rf"is NaN for 1 of {n_rows} rows, the first is row {row} of those asked for"
        with pytest.raises(ValueError, match=named):
            select(strategy, posterior(strategy, broken=True), X, 3)


@every_strategy
def test_pools_that_are_not_finite(strategy):
    if needs(strategy):
        bad = X.copy()
        bad[5, 2] = np.nan
        named = r"1 of 120 rows(, the| of the pool hold NaN or infinity, the) first is row 5\b"
        with pytest.raises(ValueError, match=named):
            select(strategy, posterior(strategy), bad, 3)
        fine = np.arange(120) != 5
        assert 5 not in select(strategy, posterior(strategy), bad, 100, candidates=fine).indices


@every_strategy
def test_same_seed_same_picks(strategy, models):
    first, second = (select(strategy, trained(strategy, models), X, 9, random_state=3) for _ in range(2))
    assert first.indices.tolist() == second.indices.tolist()


@every_strategy
def test_candidates_are_picked_from_as_a_pool_of_their_own(strategy):
    candidates = np.random.default_rng(0).permutation(120)[:50]
    among = select(strategy, posterior(strategy), X, 9, candidates=candidates, random_state=0)
    alone = select(strategy, posterior(strategy), X[candidates], 9, random_state=0)
    assert among.indices.tolist() == candidates[alone.indices].tolist()
    mask = np.isin(np.arange(120), candidates)
    assert set(select(strategy, posterior(strategy), X, 50, candidates=mask).indices) == set(candidates)


@deterministic
def test_chunks_do_not_matter(strategy, models):
    whole, rowwise = (
        select(strategy, trained(strategy, models), X[:40], 40, random_state=0, chunk_bytes=size) for size in (2**26, 1)
    )
    order = np.argsort(whole.indices), np.argsort(rowwise.indices)
    np.testing.assert_allclose(whole.scores[order[0]], rowwise.scores[order[1]], atol=1e-6)


@on_the_set
def test_chunks_do_not_matter_to_picks_on_the_set(strategy):
    whole, rowwise = (
        select(strategy, posterior(strategy), X, 9, random_state=0, chunk_bytes=size) for size in (2**26, 1)
    )
    assert whole.indices.tolist() == rowwise.indices.tolist()


@on_the_set
def test_picks_on_a_set_larger_than_memory_are_made_from_a_part_of_it(strategy):
    if set(strategy.pick_needs) - {"y_train"}:
        with pytest.warns(UserWarning, match=f"strategy {strategy.name} picks on the whole set.* more than max_bytes"):
            picks = select(strategy, posterior(strategy), X, 9, random_state=0, max_bytes=400)
        assert len(np.unique(picks.indices)) == 9


@deterministic
def test_float32_and_float64_agree(strategy):
    picks = [
        select(strategy, posterior(strategy, dtype=dtype), X, 120, random_state=0) for dtype in (np.float32, np.float64)
    ]
    scores = [p.scores[np.argsort(p.indices)] for p in picks]
    np.testing.assert_allclose(*scores, atol=1e-5)


@deterministic
def test_permuting_the_pool_permutes_the_picks(strategy, models):
    order = np.random.default_rng(1).permutation(len(X))
    scores = select(strategy, trained(strategy, models), X, len(X), random_state=0)
    permuted = select(strategy, trained(strategy, models), X[order], len(X), random_state=0)
    np.testing.assert_allclose(
        scores.scores[np.argsort(scores.indices)][order], permuted.scores[np.argsort(permuted.indices)], atol=1e-6
    )


@every_strategy
def test_a_query_changes_nothing(strategy, models):
    net = trained(strategy, models)
    net.module_.train()
    net.module_.layers[1].eval()
    before = everything(net.module_)
    select(strategy, net, X, 5, random_state=0)
    assert everything(net.module_) == before


def everything(module):
    """Weights, buffers, gradients, modes and global random states."""
    tensors = [*module.state_dict().values(), *(p.grad for p in module.parameters() if p.grad is not None)]
    return (
        [tensor.tolist() for tensor in tensors],
        [part.training for part in module.modules()],
        torch.get_rng_state().tolist(),
        np.random.get_state()[1].tolist(),
        random.getstate(),
    )


@every_strategy
@pytest.mark.parametrize("name", HAS)
def test_every_model_serves_it_or_says_what_it_lacks(strategy, name, models):
    if needs(strategy) <= HAS[name]:
        again = pickle.loads(pickle.dumps((strategy, models[name])))
        picks = [select(s, model, X, 5, random_state=0) for s, model in ((strategy, models[name]), again)]
        assert picks[0].indices.tolist() == picks[1].indices.tolist()
    else:
        with pytest.raises(
            TypeError, match=rf"strategy {strategy.name} needs [^,]+, which \w+ does not have; use alkit"
        ):
            select(strategy, models[name], X, 5)


@every_strategy
def test_it_is_a_value(strategy):
    again = get_strategy(strategy.name)
    assert again == strategy
    assert hash(again) == hash(pickle.loads(pickle.dumps(strategy)))
    assert repr(strategy) == strategy.name
    assert strategy != "margin"
    with pytest.raises(TypeError, match=f"strategy {strategy.name} has no parameter 'lr'"):
        get_strategy(strategy.name, lr=1)


@every_strategy
def test_its_docstring_has_shapes_a_reference_and_an_example(strategy):
    doc = inspect.getdoc(strategy.score if strategy.pick is top_k else strategy.pick)
    assert "(n," in doc.lower()
    assert "References\n----------" in doc
    assert ">>> " in doc
