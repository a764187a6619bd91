"""skorch's own networks: dropout samples and embeddings, whatever they return, and nothing of theirs changed."""

import numpy as np
import pytest
import skorch
import torch
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.exceptions import NotInitializedError
from torch import nn

from alkit import ActiveLearner, Committee, NetClassifier, get_strategy
from alkit.nets.mc_dropout.sampler import DropoutSampler
from alkit.strategies.skorch_networks import embed, sample_proba

X = np.random.default_rng(0).normal(size=(150, 4)).astype(np.float32)
Y = np.digitize(X[:, 0], [-0.5, 0.5]).astype(np.int64)


class Net(nn.Module):
    """Returns logits, alone, in a tuple, or as probabilities."""

    def __init__(self, n_outputs=3, output="logits"):
        super().__init__()
        self.output = output
        self.body = nn.Sequential(
            nn.Linear(4, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(), nn.Linear(16, n_outputs)
        )

    def forward(self, X):
        logits = self.body(X)
        return {"logits": logits, "tuple": (logits, X), "probabilities": logits.softmax(-1)}[self.output]


class FirstOfTuple(nn.CrossEntropyLoss):
    def forward(self, output, target):
        return super().forward(output[0], target)


def plain(output="logits", kind=skorch.NeuralNetClassifier, criterion=nn.CrossEntropyLoss, **kwargs):
    torch.manual_seed(0)
    settings = {"train_split": None, "verbose": 0, "max_epochs": 2, "module__output": output, "criterion": criterion}
    return kind(Net, **(settings | kwargs))


NETWORKS = {
    "logits": (lambda: plain(), Y),
    "a tuple": (lambda: plain("tuple", criterion=FirstOfTuple), Y),
    "probabilities": (lambda: plain("probabilities", criterion=nn.NLLLoss), Y),
    "NeuralNet": (lambda: plain(kind=skorch.NeuralNet), Y),
    "validation": (lambda: plain(train_split=skorch.dataset.ValidSplit(3), iterator_valid__batch_size=7), Y),
    "one logit": (
        lambda: plain(kind=skorch.NeuralNetBinaryClassifier, criterion=nn.BCEWithLogitsLoss, module__n_outputs=1),
        (Y > 0).astype(np.float32),
    ),
}


@pytest.fixture(params=NETWORKS)
def fitted(request):
    make, y = NETWORKS[request.param]
    return make().fit(X, y)


def test_samples_are_distributions_about_the_prediction(fitted):
    samples = sample_proba(fitted, X, n_samples=400, seed=0, consistent=True).numpy()
    assert samples.shape == (150, 400, fitted.predict_proba(X).shape[1])
    np.testing.assert_allclose(samples.sum(-1), 1, atol=1e-5)
    assert samples.std(1).max() > 0.01
    # the mean over masks is near the plain pass, which scales in their place
    assert np.abs(samples.mean(1) - fitted.predict_proba(X)).mean() < 0.05


def test_samples_are_those_of_alkits_network_of_the_same_weights():
    net = plain().fit(X, Y)
    ours = NetClassifier(Net, max_epochs=1).fit(X, Y)
    ours.module_.load_state_dict(net.module_.state_dict())
    with DropoutSampler(ours.network, n_samples=7, seed=3) as sampler:
        expected = sampler(torch.from_numpy(X)).softmax(-1)
    np.testing.assert_allclose(sample_proba(net, X, n_samples=7, seed=3, consistent=True), expected, atol=1e-6)
    np.testing.assert_allclose(embed(net, X), ours.embed(X), atol=1e-6)


def test_masks_are_shared_by_all_rows_and_batches(fitted):
    whole = sample_proba(fitted, X, n_samples=5, seed=1, consistent=True)
    part = sample_proba(fitted, X[20:50], n_samples=5, seed=1, consistent=True)
    np.testing.assert_allclose(whole[20:50], part, atol=1e-5)


@pytest.mark.parametrize("strategy", ["margin", "entropy", "bald", "batch_bald", "badge", "coreset"])
def test_a_query_changes_nothing(strategy, fitted):
    fitted.module_.train()
    fitted.module_.body[1].eval()
    before = everything(fitted)
    picks = [get_strategy(strategy).select(fitted, X, 4, random_state=0).indices.tolist() for _ in range(2)]
    assert picks[0] == picks[1]
    assert everything(fitted) == before


def everything(net):
    weights = [values.tolist() for values in net.module_.state_dict().values()]
    return weights, [part.training for part in net.module_.modules()], torch.get_rng_state().tolist()


@pytest.mark.parametrize("strategy", ["margin", "bald", "badge"])
def test_behind_a_pipeline_and_in_a_committee(strategy):
    pipeline = make_pipeline(StandardScaler(), plain())
    learner = ActiveLearner(pipeline, strategy, X[:40], Y[:40], random_state=0)
    indices, rows = learner.query(X, n_instances=4)
    learner.teach(rows, Y[indices])
    pipeline[-1].module_.train()
    learner.query(X)
    assert all(part.training for part in pipeline[-1].module_.modules())
    if strategy == "bald":
        committee = Committee([plain(), plain(max_epochs=1)], strategy, random_state=0)
        committee.teach(X[:40], Y[:40])
        committee.learner_list[0].estimator.module_.train()
        committee.query(X)
        assert all(part.training for part in committee.learner_list[0].estimator.module_.modules())


def test_what_is_missing_is_said():
    with pytest.raises(NotInitializedError):
        ActiveLearner(plain(), "bald").query(X)
    no_dropout = plain()
    no_dropout.set_params(module=lambda output: nn.Linear(4, 3)).fit(X, Y)
    with pytest.raises(ValueError, match="no active dropout"):
        get_strategy("bald").select(no_dropout, X, 3)
    no_linear = plain()
    no_linear.set_params(module=lambda output: nn.Sequential(nn.Unflatten(1, (1, 4)), nn.Conv1d(1, 3, 4), nn.Flatten()))
    with pytest.raises(ValueError, match="Sequential runs no linear layer .* use alkit.NetClassifier"):
        get_strategy("badge").select(no_linear.fit(X, Y), X, 3)


def test_a_network_that_would_become_NaN_is_taught_none():
    holes = X.copy()
    holes[45, 1] = np.nan
    learner = ActiveLearner(plain(), "entropy", X[:40], Y[:40], random_state=0)
    before = learner.predict_proba(X)
    with pytest.raises(
        ValueError, match="1 of 20 rows of X hold NaN or infinity, the first is row 5, which would make"
    ):
        learner.teach(holes[40:60], Y[40:60])
    with pytest.raises(ValueError, match="predict_proba is NaN for 1 of 110 rows, the first is row 45"):
        learner.query(holes, candidates=np.arange(40, 150))
    assert len(learner.y_training) == 40
    np.testing.assert_array_equal(learner.predict_proba(X), before)
