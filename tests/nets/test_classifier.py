"""NetClassifier: fitting, scoring and scikit-learn's habits."""

import pickle

import joblib
import numpy as np
import pytest
import skorch
import torch
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError
from sklearn.metrics import f1_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Checkpoint, EarlyStopping, EpochScoring, LRScheduler, ProgressBar
from skorch.dataset import Dataset, ValidSplit
from skorch.helper import predefined_split
from torch import nn

from alkit.nets import NetClassifier
from tests.nets.networks import MLP, blobs, net, rng_states

X, Y = blobs()
WORDS = np.array(["ham", "eggs", "spam"])


@pytest.fixture(scope="module")
def fitted():
    return net().fit(X, Y)


def state(model):
    """Weights, buffers, gradients and modes."""
    module = model.module_
    grads = [None if p.grad is None else p.grad.clone() for p in module.parameters()]
    return (
        {name: value.clone() for name, value in module.state_dict().items()},
        grads,
        [m.training for m in module.modules()],
    )


def same(a, b):
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return all(same(a[key], b[key]) for key in a)
    return all(map(same, a, b)) if isinstance(a, (list, tuple)) else a == b


class TestLearning:
    def test_it_learns(self, fitted):
        assert fitted.score(X, Y) > 0.95
        proba = fitted.predict_proba(X)
        assert proba.dtype == np.float32
        assert proba.shape == (90, 3)
        np.testing.assert_allclose(proba.sum(1), 1, rtol=1e-5)

    def test_it_is_the_hand_written_loop(self):
        """The same weights, to the bit, as torch by hand from the same seed."""
        start = MLP(4, 3)
        model = net(start, max_epochs=3, batch_size=16, random_state=None, optimizer__fused=False)
        torch.manual_seed(0)
        model.fit(X, Y)

        by_hand, targets = MLP(4, 3), torch.from_numpy(Y)
        by_hand.load_state_dict(start.state_dict())
        optimizer = torch.optim.Adam(by_hand.parameters(), lr=0.02)
        torch.manual_seed(0)
        for _ in range(3):
            for rows in torch.randperm(90).split([18] * 5):
                optimizer.zero_grad()
                nn.functional.cross_entropy(by_hand(torch.from_numpy(X)[rows]), targets[rows]).backward()
                optimizer.step()
        assert same(model.module_.state_dict(), by_hand.state_dict())
        expected = torch.softmax(by_hand.eval()(torch.from_numpy(X)), 1).detach().numpy()
        np.testing.assert_array_equal(model.predict_proba(X), expected)

    @pytest.mark.parametrize("batching", ["flexible", "upsample", "fixed"])
    def test_batch_norm_survives_every_batching(self, batching):
        model = net(batching=batching, module__batch_norm=True).fit(X[:65], Y[:65])
        assert model.score(X, Y) > 0.9

    def test_one_row_and_batch_norm_is_explained(self):
        with pytest.raises(ValueError, match="BatchNorm needs batches of two rows"):
            net(module__batch_norm=True, classes=[0, 1, 2]).fit(X[:1], Y[:1])
        net(module__batch_norm=True, classes=[0, 1, 2], batching="upsample").fit(X[:1], Y[:1])

    def test_history_is_as_in_skorch(self):
        fast, slow = net(), net(callbacks=[("listens", Listens())])
        fast.fit(X, Y)
        slow.fit(X, Y)
        assert fast.history[:, "train_loss"] == slow.history[:, "train_loss"]
        assert fast.history[:, "train_batch_count"] == slow.history[:, "train_batch_count"]
        assert fast.history[-1, "batches"] == slow.history[-1, "batches"]

    def test_tuple_outputs_and_lazy_layers(self):
        class Tuple(MLP):
            def forward(self, x):
                return super().forward(x), x

        assert net(Tuple).fit(X, Y).score(X, Y) > 0.9
        assert net(nn.Sequential(nn.LazyLinear(16), nn.ReLU(), nn.LazyLinear(3))).fit(X, Y).score(X, Y) > 0.9

    def test_float64_networks_stay_float64(self):
        model = net(MLP(4, 3).double()).fit(X, Y)
        assert model.module_.head.weight.dtype == torch.float64
        assert model.score(X.astype(np.float64), Y) > 0.95

    def test_probabilities_and_nll_loss_as_in_skorch(self):
        module = nn.Sequential(nn.Linear(4, 3), nn.Softmax(dim=1))
        model = net(module, criterion=nn.NLLLoss).fit(X, Y)
        assert model.score(X, Y) > 0.9
        np.testing.assert_allclose(model.predict_proba(X).sum(1), 1, rtol=1e-5)

    @pytest.mark.parametrize("module", [nn.Softmax(dim=1), nn.LogSoftmax(dim=1)])
    def test_warns_about_probabilities_only(self, module):
        model = net(nn.Sequential(nn.Linear(4, 3), module), max_epochs=1)
        if isinstance(module, nn.Softmax):
            with pytest.warns(UserWarning, match="returns probabilities, but CrossEntropyLoss takes logits"):
                model.fit(X, Y)
        else:
            model.fit(X, Y)


class Listens(skorch.callbacks.Callback):
    def on_batch_end(self, net, **kwargs):
        pass


class TestLabels:
    @pytest.mark.parametrize(
        "y", [WORDS[Y], WORDS[Y].astype(object), Y.astype(np.int32), Y * 10 - 5, Y.astype(np.uint8), Y == 1, Y * 1.0]
    )
    def test_any_kind_comes_back_as_it_was(self, y):
        model = net().fit(X, y)
        np.testing.assert_array_equal(model.classes_, np.unique(y))
        predicted = model.predict(X)
        assert predicted.dtype == y.dtype
        assert (predicted == y).mean() > 0.95

    def test_pandas_lists_and_tensors(self):
        import pandas as pd

        for y in (pd.Series(WORDS[Y], index=range(5, 95)), WORDS[Y].tolist(), torch.from_numpy(Y)):
            assert net(max_epochs=1).fit(X, y).predict(X).shape == (90,)

    def test_declared_classes_are_sorted_and_have_columns(self):
        model = net(classes=["spam", "eggs", "ham", "bread"]).fit(X, WORDS[Y])
        assert model.classes_.tolist() == ["bread", "eggs", "ham", "spam"]
        assert model.predict_proba(X).shape == (90, 4)
        assert model.score(X, WORDS[Y]) > 0.95

    def test_one_class_will_do_if_others_are_declared(self):
        assert net(classes=[0, 1, 2]).fit(X[::3], Y[::3]).predict(X[:2]).tolist() == [0, 0]

    @pytest.mark.parametrize(
        ("y", "params", "message"),
        [
            (np.zeros(90, int), {}, "holds one class"),
            (
                WORDS[Y],
                {"classes": ["ham", "eggs"]},
                r"\['spam'\] outside the known classes \['eggs', 'ham'\].*classes=",
            ),
            (np.where(Y == 0, np.nan, Y), {}, "Input y contains NaN"),
            ([None, "a", "b"] * 30, {}, "Input y contains NaN or None in 30 of 90 rows .first: row 0"),
            (Y[:80], {}, "X has 90 rows, but y has 80 labels"),
            (X[:, 0], {}, "Unknown label type: continuous"),
            (None, {}, "requires y to be passed"),
            (Y, {"class_weight": {7: 2.0}}, r"\[7\] outside the known classes"),
            (Y, {"class_weight": "fair"}, "balanced"),
        ],
    )
    def test_bad_labels_are_explained(self, y, params, message):
        with pytest.raises(ValueError, match=message):
            net(**params).fit(X, y)

    def test_outputs_must_match_classes(self):
        with pytest.raises(ValueError, match=r"outputs of shape \(8, 10\).*there are 3 classes"):
            net(nn.Linear(4, 10)).fit(X, Y)
        assert net(nn.Linear(4, 10), classes=range(10)).fit(X, Y).predict_proba(X).shape == (90, 10)


class TestClassWeight:
    def test_weights_reach_the_loss(self):
        model = net(class_weight={"ham": 3.0}).fit(X, WORDS[Y])
        assert model.criterion_.weight.tolist() == [1, 3, 1]

    def test_balanced_follows_the_labels_and_leaves_unseen_classes_alone(self):
        y = np.array(["a"] * 60 + ["b"] * 30)
        model = net(class_weight="balanced", classes=["a", "b", "c"], warm_start=True).fit(X, y)
        assert model.criterion_.weight.tolist() == [0.75, 1.5, 1]
        model.fit(X[:60], np.array(["a", "b"] * 30))
        assert model.criterion_.weight.tolist() == [1, 1, 1]

    def test_they_change_predictions(self):
        noise = np.random.default_rng(0).normal(size=(200, 4)).astype(np.float32)
        y = np.arange(200) % 2
        assert (net(class_weight={0: 100.0}).fit(noise, y).predict(noise) == 0).mean() > 0.9

    def test_criterion_without_weights_is_refused(self):
        with pytest.raises(TypeError, match="class_weight needs a criterion with class weights"):
            net(criterion=nn.MSELoss, class_weight="balanced").fit(X, Y)


class TestRandomness:
    def test_same_seed_same_weights_whatever_the_global_state(self):
        models = []
        for seed in (1, 2):
            torch.manual_seed(seed)
            models.append(net(train_split=ValidSplit(0.2), module__batch_norm=True).fit(X, Y))
        assert same(models[0].module_.state_dict(), models[1].module_.state_dict())
        other = net(random_state=1, module__batch_norm=True).fit(X, Y)
        assert not same(models[0].module_.state_dict(), other.module_.state_dict())

    def test_a_seeded_fit_changes_no_global_state(self):
        before = rng_states()
        net(train_split=ValidSplit(0.2)).fit(X, Y)
        assert rng_states() == before

    def test_none_follows_torchs_global_state(self):
        weights = []
        for seed in (0, 0, 1):
            torch.manual_seed(seed)
            weights.append(net(random_state=None, max_epochs=1).fit(X, Y).module_.head.weight)
        assert torch.equal(weights[0], weights[1])
        assert not torch.equal(weights[0], weights[2])

    def test_random_state_objects_advance(self):
        shared = np.random.RandomState(0)
        a, b = (net(random_state=shared, max_epochs=1).fit(X, Y).module_.head.weight for _ in range(2))
        assert not torch.equal(a, b)

    @pytest.mark.parametrize("method", ["predict", "predict_proba", "sample_proba", "embed"])
    def test_scoring_changes_nothing(self, method):
        model = net(module__batch_norm=True).fit(X, Y)
        model.module_.dropout.train()
        model.infer(X[:4]).sum().backward()
        before, rngs = state(model), rng_states()
        getattr(model, method)(X)
        assert same(state(model), before)
        assert rng_states() == rngs

    def test_scoring_changes_nothing_when_it_fails(self, fitted):
        before, rngs = state(fitted), rng_states()
        with pytest.raises(ValueError, match="NaN"):
            fitted.predict(np.full_like(X, np.nan))
        assert same(state(fitted), before)
        assert rng_states() == rngs

    def test_random_datasets_leave_global_states_alone(self):
        class Augmented(torch.utils.data.Dataset):
            def __len__(self):
                return len(X)

            def __getitem__(self, i):
                return X[i] + np.float32(np.random.rand()), Y[i]

        model = net(max_epochs=2)
        before = rng_states()
        model.fit(Augmented()).predict(Augmented())
        assert rng_states() == before

    def test_the_module_is_in_eval_mode_after_fit(self, fitted):
        assert not any(m.training for m in fitted.module_.modules())


class TestSkorchAndScikitLearn:
    def test_clone_params_and_repr(self):
        model = net(module__hidden=8, optimizer__weight_decay=0.1, class_weight="balanced", batching="upsample")
        copy = clone(model)
        for name, value in model.get_params(deep=False).items():
            assert copy.get_params(deep=False)[name] is value or copy.get_params(deep=False)[name] == value
        copy.fit(X, Y)
        assert clone(copy).get_params(deep=False).keys() == model.get_params(deep=False).keys()
        assert "NetClassifier" in repr(copy)
        assert copy.set_params(lr=0.5, module__hidden=3, batch_size=7).fit(X, Y).module_.hidden.out_features == 3

    def test_grid_search_in_a_pipeline(self):
        search = GridSearchCV(
            make_pipeline(StandardScaler(), net(max_epochs=3)),
            {"netclassifier__module__hidden": [1, 16], "netclassifier__optimizer__weight_decay": [0, 0.1]},
            cv=2,
        ).fit(X, WORDS[Y])
        assert search.best_params_["netclassifier__module__hidden"] == 16
        assert search.score(X, WORDS[Y]) > 0.8

    @pytest.mark.parametrize("library", [pickle, joblib])
    def test_pickle(self, fitted, library, tmp_path):
        with open(tmp_path / "net", "wb") as file:
            library.dump(fitted, file)
        with open(tmp_path / "net", "rb") as file:
            again = library.load(file)
        np.testing.assert_array_equal(again.predict_proba(X), fitted.predict_proba(X))
        again.fit(X, Y)

    def test_unknown_parameters_are_refused(self):
        with pytest.raises(ValueError, match="unexpected argument"):
            net(learning_rate=1).fit(X, Y)

    def test_early_stopping_on_a_predefined_split_of_strings(self):
        valid = predefined_split(Dataset(X[60:].astype(np.float64), WORDS[Y[60:]]))
        model = net(
            max_epochs=200, train_split=valid, callbacks=[EarlyStopping(monitor="valid_acc", lower_is_better=False)]
        )
        model.fit(X[:60], WORDS[Y[:60]])
        assert len(model.history) < 200
        assert max(model.history[:, "valid_acc"]) > 0.95
        assert not model.module_.training

    def test_validation_labels_outside_the_classes_are_refused(self):
        valid = predefined_split(Dataset(X[:2], np.array(["toast", "ham"])))
        with pytest.raises(ValueError, match="toast"):
            net(train_split=valid).fit(X, WORDS[Y])

    @pytest.mark.parametrize("y", [Y, WORDS[Y]])
    @pytest.mark.parametrize("cached", [True, False])
    def test_callbacks(self, y, cached, tmp_path, capsys):
        callbacks = [
            ("train_acc", EpochScoring("accuracy", on_train=True, name="train_acc", use_caching=cached)),
            ("f1", EpochScoring("f1_macro", lower_is_better=False, use_caching=cached)),
            LRScheduler(torch.optim.lr_scheduler.StepLR, step_size=5),
            Checkpoint(dirname=tmp_path, monitor="f1_macro_best"),
            ProgressBar(),
        ]
        model = net(train_split=ValidSplit(5, stratified=True), callbacks=callbacks, batching="upsample", verbose=1)
        model.fit(X, y)
        assert model.history[-1, "train_acc"] > 0.8
        _, valid = model.get_split_datasets(X, y)
        labels, predicted = y[valid.indices], model.predict(X[valid.indices])
        assert model.history[-1, "f1_macro"] == pytest.approx(f1_score(labels, predicted, average="macro"))
        assert model.optimizer_.param_groups[0]["lr"] < 0.02
        assert (tmp_path / "params.pt").exists()
        assert "train_loss" in capsys.readouterr().out
        pickle.loads(pickle.dumps(model))

    def test_data_loader_options_and_training_without_shuffling(self):
        model = net(iterator_train__num_workers=1, iterator_valid__num_workers=1, max_epochs=2).fit(X, WORDS[Y])
        assert model.predict(X).shape == (90,)
        seen = Listens2()
        net(iterator_train__shuffle=False, callbacks=[seen], max_epochs=1).fit(X, Y)
        np.testing.assert_array_equal(torch.cat(seen.batches), X)

    def test_scoring_batches(self, fitted):
        sizes = []
        hook = fitted.module_.register_forward_hook(lambda module, args, out: sizes.append(len(out)))
        many = np.tile(X, (100, 1))
        fitted.predict(many)
        hook.remove()
        assert sizes == [4096, 4096, 808]
        by_ten = clone(fitted).set_params(iterator_valid__batch_size=10).fit(X, Y)
        by_ten.module_.load_state_dict(fitted.module_.state_dict())
        np.testing.assert_allclose(by_ten.predict_proba(many), fitted.predict_proba(many), atol=1e-6)

    def test_fit_params_reach_forward_and_forward_works(self):
        class Scaled(MLP):
            def forward(self, x, scale=1.0):
                return super().forward(x * scale)

        model = net(Scaled, max_epochs=1).fit(X, Y, scale=2.0)
        np.testing.assert_allclose(torch.softmax(model.forward(X), 1).numpy(), model.predict_proba(X), rtol=1e-5)

    def test_unfitted(self):
        for method in ("predict", "predict_proba", "sample_proba", "embed"):
            with pytest.raises(NotFittedError):
                getattr(net(), method)(X)
        assert not hasattr(net(), "classes_")
        assert net(classes=["b", "a"]).classes_.tolist() == ["a", "b"]

    def test_partial_fit_goes_on(self):
        model = net(max_epochs=1).partial_fit(X, WORDS[Y], classes=[*WORDS, "bread"])
        first = model.module_
        for _ in range(14):
            model.partial_fit(X, WORDS[Y])
        assert model.module_ is first
        assert len(model.history) == 15
        assert model.score(X, WORDS[Y]) > 0.95
        with pytest.raises(ValueError, match="toast"):
            model.partial_fit(X[:2], ["toast", "ham"])


class Listens2(Listens):
    def __init__(self):
        self.batches = []

    def on_batch_end(self, net, batch, **kwargs):
        self.batches.append(batch[0])


class TestInterruption:
    def test_ctrl_c_is_not_swallowed(self):
        class Interrupted(MLP):
            def forward(self, x):
                if self.training:
                    raise KeyboardInterrupt
                return super().forward(x)

        with pytest.raises(KeyboardInterrupt):
            net(Interrupted).fit(X, Y)
        with pytest.raises(KeyboardInterrupt):
            net(Interrupted).partial_fit(X, Y)

    def test_divergence_is_an_error(self):
        with pytest.raises(
            ValueError, match=r"training diverged: the loss is (nan|inf) at epoch \d+; lower lr \(now 1e"
        ):
            net(lr=1e30, optimizer=torch.optim.SGD).fit(X, Y)

    def test_nan_outputs_are_an_error(self):
        model = net(max_epochs=1).fit(X, Y)
        with torch.no_grad():
            model.module_.head.weight.fill_(torch.nan)
        for method in ("predict", "predict_proba", "sample_proba"):
            with pytest.raises(ValueError, match="MLP returns NaN among rows 0 to 89"):
                getattr(model, method)(X)


class TestSamples:
    def test_samples_are_a_posterior(self, fitted):
        samples = fitted.sample_proba(X, n_samples=30, random_state=0)
        assert samples.shape == (90, 30, 3)
        assert samples.dtype == np.float32
        np.testing.assert_allclose(samples.sum(-1), 1, rtol=1e-5)
        assert samples.std(1).max() > 0.01

    def test_a_seed_fixes_the_masks_whatever_the_rows(self, fitted):
        whole = fitted.sample_proba(X, n_samples=5, random_state=3)
        np.testing.assert_allclose(fitted.sample_proba(X[40:50], 5, random_state=3), whole[40:50], atol=1e-6)
        assert not np.allclose(whole, fitted.sample_proba(X, n_samples=5, random_state=4))
        assert not np.allclose(fitted.sample_proba(X, 5), fitted.sample_proba(X, 5))

    def test_a_network_without_dropout_is_an_error(self):
        with pytest.raises(ValueError, match="no active dropout"):
            net(nn.Linear(4, 3), max_epochs=1).fit(X, Y).sample_proba(X)


def test_fused_adam_by_default_and_on_request():
    assert net(max_epochs=1).fit(X, Y).optimizer_.param_groups[0]["fused"]
    assert not net(max_epochs=1, optimizer__foreach=True).fit(X, Y).optimizer_.param_groups[0]["fused"]
    net(max_epochs=1, optimizer=torch.optim.SGD).fit(X, Y)
    assert isinstance(NetClassifier(MLP).fit(X, Y).optimizer_, torch.optim.Adam)


class TestCriteria:
    """Losses other than the default."""

    def test_probabilities_come_from_logits_whatever_the_loss(self):
        net = NetClassifier(torch.nn.Linear(4, 3), criterion=torch.nn.MultiMarginLoss, max_epochs=2, random_state=0)
        proba = net.fit(*load_iris(return_X_y=True)).predict_proba(load_iris().data)
        np.testing.assert_allclose(proba.sum(1), 1, rtol=1e-5)
        assert proba.min() >= 0

    def test_class_weights_leave_the_users_loss_alone_and_go_when_they_are_taken_away(self):
        loss = torch.nn.CrossEntropyLoss(weight=torch.tensor([1.0, 2.0, 3.0]))
        net = NetClassifier(
            torch.nn.Linear(4, 3), criterion=loss, class_weight="balanced", warm_start=True, max_epochs=1
        )
        net.fit(*load_iris(return_X_y=True))
        assert net.criterion_.weight.tolist() == [1, 1, 1]
        net.set_params(class_weight=None).fit(*load_iris(return_X_y=True))
        assert net.criterion_.weight.tolist() == loss.weight.tolist() == [1, 2, 3]

    def test_gradients_of_the_users_tensors_are_not_written(self):
        X = torch.tensor(load_iris().data, requires_grad=True)
        NetClassifier(torch.nn.Linear(4, 3), max_epochs=1).fit(X, load_iris().target)
        assert X.grad is None
