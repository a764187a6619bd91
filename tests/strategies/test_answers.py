"""Several answers per row: each is scored as a row is, and the scores are reduced to one per row."""

from functools import partial

import numpy as np
import pytest
import torch
from scipy.special import expit
from scipy.stats import entropy as shannon
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier, StackingClassifier
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from skorch import NeuralNet, NeuralNetClassifier
from torch import nn

from alkit import ActiveLearner, Committee, NetClassifier, get_strategy
from alkit.strategies import class_balanced, scores, skorch_networks
from alkit.strategies.answers import has_several_labels, positions_of_labels
from tests.several import CLASSES_AT, PICTURES, PixelNet, ToldYesNo, X, Y, YesNo, scores_in_order

REDUCED = {"mean": np.mean, "max": np.max, "sum": np.sum}
MODELS = [
    OneVsRestClassifier(LogisticRegression()),
    MultiOutputClassifier(LogisticRegression()),
    ClassifierChain(LogisticRegression()),
    RandomForestClassifier(10, max_depth=3, random_state=0),
    ExtraTreesClassifier(10, max_depth=3, random_state=0),
    KNeighborsClassifier(7),
    MLPClassifier((5,), solver="lbfgs", max_iter=10_000, alpha=1.0, random_state=0),
    make_pipeline(StandardScaler(), OneVsRestClassifier(LogisticRegression())),
    GridSearchCV(KNeighborsClassifier(), {"n_neighbors": [5]}, cv=2),
]


def on(model, rows):
    """Probability that each label is on, as scikit-learn gives it."""
    proba = model.predict_proba(rows)
    return np.stack([p[:, 1] for p in proba], axis=1) if isinstance(proba, list) else proba


@pytest.mark.parametrize("reduce", REDUCED)
@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
def test_scikit_learns_models_rank_rows_by_how_unsure_their_labels_are(model, reduce):
    p = on(model.fit(X, Y), X)
    expected = {
        "margin": 1 - np.abs(2 * p - 1),
        "entropy": shannon([p, 1 - p]),
        "least_confident": np.minimum(p, 1 - p),
    }
    for name, of_labels in expected.items():
        found = scores_in_order(get_strategy(name, reduce=reduce), model, X)
        np.testing.assert_allclose(found, REDUCED[reduce](of_labels, axis=1), atol=1e-5)


@pytest.mark.parametrize("model", [RidgeClassifier(), OneVsRestClassifier(LinearSVC()), ClassifierChain(LinearSVC())])
def test_decision_values_of_several_labels(model):
    g = np.abs(model.fit(X, Y).decision_function(X))
    np.testing.assert_allclose(scores_in_order(get_strategy("margin"), model, X), (1 / (1 + g)).mean(1), atol=1e-6)


@pytest.mark.parametrize("wrapped", ["alone", "in a Pipeline", "in a Committee"])
def test_stacked_classifiers_say_how_probable_labels_are_to_be_off(wrapped):
    """So does scikit-learn's predict_proba, whose column is that of the first of two classes."""
    forest = RandomForestClassifier(10, max_depth=3, random_state=0)
    model = StackingClassifier([("forest", forest)], KNeighborsClassifier(7), cv=3).fit(X, Y)
    of_on = np.stack([p[:, 1] for p in model.final_estimator_.predict_proba(model.transform(X))], axis=1)
    asked = model
    if wrapped == "in a Pipeline":
        asked = make_pipeline(StandardScaler(with_mean=False, with_std=False), model).fit(X, Y)
    if wrapped == "in a Committee":
        asked = Committee([ActiveLearner(model, X_training=X, y_training=Y)])
    found = scores_in_order(get_strategy("max_score"), asked, X)
    np.testing.assert_allclose(found, of_on.max(1), atol=1e-6)


def test_outputs_of_several_classes_each_and_constant_ones():
    """An output of three classes, one of two, and one that has met a single class."""
    several = np.c_[np.arange(90) % 3, Y[:, 0], np.ones(90, int)]
    model = KNeighborsClassifier(5).fit(X, several)
    of_outputs = [shannon(proba.T) for proba in model.predict_proba(X)]
    found = scores_in_order(get_strategy("entropy", reduce="sum"), model, X)
    np.testing.assert_allclose(found, np.sum(of_outputs, axis=0), atol=1e-5)
    with pytest.raises(TypeError, match="strategy cvirs needs several_labels, which KNeighborsClassifier"):
        get_strategy("cvirs").select(model, X, 3)


def test_a_label_that_is_always_on_or_never():
    constant = np.c_[np.zeros(90, int), np.ones(90, int), Y[:, 0]]
    model = RandomForestClassifier(5, random_state=0).fit(X, constant)
    p = model.predict_proba(X)[2][:, 1]
    np.testing.assert_allclose(scores_in_order(get_strategy("avg_score"), model, X), (1 + p) / 3, atol=1e-6)
    np.testing.assert_allclose(scores_in_order(get_strategy("margin"), model, X), (1 - abs(2 * p - 1)) / 3, atol=1e-6)


def test_what_tells_that_labels_are_several():
    with pytest.raises(ValueError, match="YesNo returned rows that sum to"):
        get_strategy("margin").select(YesNo(), X, 3)
    told = scores_in_order(get_strategy("margin"), ToldYesNo(), X)
    np.testing.assert_allclose(told, (1 - np.abs(2 * YesNo().predict_proba(X) - 1)).mean(1), atol=1e-6)
    taught = YesNo()
    taught.X_training, taught.y_training = X, Y
    assert scores_in_order(get_strategy("margin"), taught, X).tolist() == told.tolist()
    several = OneVsRestClassifier(LogisticRegression())
    assert [has_several_labels(several.fit(X, y)) for y in (Y, Y[:, 0])] == [True, False]
    perceptron = MLPClassifier((2,), solver="lbfgs", max_iter=5000, alpha=1.0, random_state=0)
    assert [has_several_labels(perceptron.fit(X, y)) for y in (Y, Y[:, :2].sum(1))] == [True, False]
    assert has_several_labels(LogisticRegression().fit(X, Y[:, 0])) is None
    assert has_several_labels(NetClassifier(nn.Linear(2, 1))) is None


def test_posterior_samples_of_labels():
    model = ToldYesNo()
    p = model.sample_proba(X)
    mean = p.mean(1)
    bald = shannon([mean, 1 - mean]) - shannon([p, 1 - p]).mean(1)
    votes = (p > 0.5).mean(1)
    expected = {
        "bald": bald,
        "mc_entropy": shannon([mean, 1 - mean]),
        "variation_ratio": np.minimum(votes, 1 - votes),
        "mean_std": p.std(1),
    }
    for name, of_labels in expected.items():
        for reduce, reduced in REDUCED.items():
            found = scores_in_order(get_strategy(name, reduce=reduce), model, X)
            np.testing.assert_allclose(found, reduced(of_labels, axis=1), atol=1e-5)


def test_epig_takes_each_answer_of_a_target():
    model = ToldYesNo()
    yes_no = torch.from_numpy(model.sample_proba(X)).transpose(1, 2)
    yes_no = torch.stack([1 - yes_no, yes_no], -1).flatten(0, 1)
    of_answers = scores.epig(yes_no, yes_no[: 5 * 4]).reshape(90, 4).mean(1)
    found = scores_in_order(get_strategy("epig"), model, X, X_target=X[:5])
    np.testing.assert_allclose(found, of_answers, atol=1e-6)


def test_forests_and_committees_are_posteriors_of_labels():
    forest = RandomForestClassifier(6, max_depth=3, random_state=0).fit(X, Y)
    p = np.stack([on(tree, X) for tree in forest.estimators_], axis=1)
    mean = p.mean(1)
    expected = (shannon([mean, 1 - mean]) - shannon([p, 1 - p]).mean(1)).mean(1)
    np.testing.assert_allclose(scores_in_order(get_strategy("bald"), forest, X), expected, atol=1e-5)
    for make in (lambda k: KNeighborsClassifier(k), lambda k: OneVsRestClassifier(LogisticRegression(C=k))):
        committee = Committee([make(k) for k in (3, 9)], "bald", random_state=0)
        committee.teach(X, Y)
        p = np.stack([on(learner.estimator, X) for learner in committee.learner_list], axis=1)
        np.testing.assert_allclose(committee.vote_proba(X), p)
        assert committee.predict(X).tolist() == (p.mean(1) > 0.5).astype(int).tolist()
        assert committee.vote(X).shape == (90, 2, 4)
        assert len(committee.query(X, n_instances=3)[0]) == 3


def test_members_that_only_predict_vote_on_each_label():
    committee = Committee([OneVsRestClassifier(LinearSVC(C=c)) for c in (0.001, 10)], "variation_ratio")
    committee.teach(X, Y)
    share = committee.vote(X).mean(1)
    found = scores_in_order(get_strategy("variation_ratio"), committee, X)
    np.testing.assert_allclose(found, np.minimum(share, 1 - share).mean(1), atol=1e-6)


def test_hidden_labels_of_each_answer():
    model = OneVsRestClassifier(LogisticRegression()).fit(X, Y)
    p = on(model, X)
    loss = -np.log(np.where(Y == 1, p, 1 - p))
    np.testing.assert_allclose(scores_in_order(get_strategy("ideal_loss"), model, X, y_pool=Y), loss.mean(1), atol=1e-5)
    # a class that an output has not met is the largest loss, and a masked position none
    assert positions_of_labels([[5, 0]], [np.array([4, 5]), np.array([1])]).tolist() == [[1, 1]]
    assert positions_of_labels([[[0, -100], [255, 2]]], None, 3).tolist() == [[0, -1, -1, 2]]


def test_class_balance_by_label():
    """Label 0 is hardly ever on: a row that is likely to have it comes first, whichever the score."""

    class Sure(ToldYesNo):
        def predict_proba(self, X):
            return np.asarray(X)

    model = Sure()
    model.X_training, model.y_training = np.zeros((20, 2)), np.c_[np.zeros(20, int), np.arange(20) % 2]
    pool = np.array([[0.4, 0.5], [0.6, 0.5], [0.1, 0.9]])
    assert class_balanced("margin").select(model, pool, 1).indices.tolist() == [1]


def test_reductions_are_checked():
    with pytest.raises(ValueError, match="reduce='median'; choose 'mean', 'max', 'sum'"):
        get_strategy("margin", reduce="median").select(ToldYesNo(), X, 3)
    with pytest.raises(TypeError, match="badge has no parameter 'reduce'"):
        get_strategy("badge", reduce="max")


def test_picks_among_several_labels_are_scored_by_chunk_alike():
    for name in ("margin", "bald", "cvirs", "badge", "batch_bald"):
        picks = [
            get_strategy(name).select(ToldYesNo(), X, 9, random_state=0, chunk_bytes=size).indices.tolist()
            for size in (2**26, 1)
        ]
        assert picks[0] == picks[1]


# positions


@pytest.fixture(scope="module", params=[NeuralNet, partial(NeuralNetClassifier, train_split=None)], ids=["net", "clf"])
def plain_net(request):
    torch.manual_seed(0)
    net = request.param(PixelNet, criterion=nn.CrossEntropyLoss, max_epochs=3, lr=0.1, verbose=0)
    return net.set_params(train_split=None).fit(PICTURES, CLASSES_AT)


def at_positions(net):
    with torch.no_grad():
        return torch.softmax(net.module_.eval()(torch.from_numpy(PICTURES)), 1).numpy()


@pytest.mark.parametrize("reduce", REDUCED)
def test_a_plain_network_is_asked_for_the_classes_of_each_position(plain_net, reduce):
    p = at_positions(plain_net)
    best = np.sort(p, axis=1)
    expected = {"entropy": shannon(p, axis=1), "margin": 1 - (best[:, -1] - best[:, -2])}
    for name, of_positions in expected.items():
        found = scores_in_order(get_strategy(name, reduce=reduce), plain_net, PICTURES)
        np.testing.assert_allclose(found, REDUCED[reduce](of_positions.reshape(24, -1), axis=1), rtol=1e-4)


def test_dropout_samples_of_positions(plain_net):
    bald = scores_in_order(get_strategy("bald"), plain_net, PICTURES)
    assert (bald > 0).all()
    assert (bald < scores_in_order(get_strategy("mc_entropy"), plain_net, PICTURES)).all()
    masked = np.where(CLASSES_AT == 0, -100, CLASSES_AT)
    p = at_positions(plain_net)
    right = np.take_along_axis(p, CLASSES_AT[:, None], 1)[:, 0]
    loss = np.where(masked < 0, 0, -np.log(right)).reshape(24, -1).mean(1)
    found = scores_in_order(get_strategy("ideal_loss"), plain_net, PICTURES, y_pool=masked)
    np.testing.assert_allclose(found, loss, rtol=1e-4)


def test_memory_is_that_of_a_chunk(plain_net, monkeypatch):
    """Samples of 30 positions, 3 classes and 20 draws take 14 kB per picture, of which two fit into the chunk."""
    sizes = []
    sample = skorch_networks.sample_proba

    def counted(net, X, *args, **kwargs):
        sizes.append(len(X))
        return sample(net, X, *args, **kwargs)

    monkeypatch.setattr(skorch_networks, "sample_proba", counted)
    get_strategy("bald").select(plain_net, PICTURES[:8], 3, random_state=0, chunk_bytes=30_000)
    assert sizes == [2] * 4


def test_several_labels_of_a_plain_network():
    torch.manual_seed(0)
    net = NeuralNet(nn.Linear(6, 4), criterion=nn.BCEWithLogitsLoss, max_epochs=2, verbose=0, train_split=None)
    net.fit(X, Y.astype(np.float32))
    with torch.no_grad():
        p = expit(net.module_(torch.from_numpy(X)).numpy())
    found = scores_in_order(get_strategy("margin"), net, X)
    np.testing.assert_allclose(found, (1 - np.abs(2 * p - 1)).mean(1), atol=1e-5)
    np.testing.assert_allclose(scores_in_order(get_strategy("max_score"), net, X), p.max(1), atol=1e-5)


def test_a_softmax_over_another_axis_is_refused():
    class Wrong:
        def predict_proba(self, X):
            return np.full((len(X), 3, 5), 1 / 5)

    with pytest.raises(ValueError, match=r"of positions, \(n, C, ...\), they must sum to 1 over axis 1"):
        get_strategy("margin").select(Wrong(), X, 2)


def test_learners_teach_rows_of_several_labels():
    learner = ActiveLearner(OneVsRestClassifier(LogisticRegression()), "margin", X[:40], Y[:40])
    indices, rows = learner.query(X, n_instances=5, candidates=np.arange(40, 90))
    learner.teach(rows, Y[indices])
    assert learner.y_training.shape == (45, 4)
    for wrong, message in (
        (Y[indices][:, :3], "y has shape .5, 3., but the labels taught have shape .45, 4."),
        ([{"a"}, {"b", "c"}, set(), {"a"}, {"a"}], "MultiLabelBinarizer"),
        ([["a"], ["b", "c"], [], ["a"], ["a"]], "as a list, such as .'a'.; make a 0/1 matrix"),
    ):
        with pytest.raises(ValueError, match=message):
            learner.teach(rows, wrong)
        assert len(learner.y_training) == 45
