"""MultimodalClassifier: every form of X says the same, what is missing takes no part, heads answer alone."""

import pickle
import tracemalloc

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags
from skorch.dataset import ValidSplit
from skorch.helper import SliceDict, predefined_split
from torch import nn
from torch.utils.data import Dataset

from alkit import ActiveLearner, ActiveLearningClassifier, EnsembleClassifier, MultimodalClassifier, NetClassifier
from alkit.nets import LaplaceClassifier, MultimodalLearningLossClassifier
from alkit.nets.multimodal.classifier import MultimodalNet
from alkit.nets.multimodal.encoders import ENCODERS
from alkit.nets.multimodal.fusion import FUSIONS
from alkit.strategies.table import TABLE
from tests.nets.networks import rng_states

N = 60
RNG = np.random.default_rng(0)
TEXT, IMAGE = RNG.normal(size=(N, 4)).astype(np.float32), RNG.normal(size=(N, 6)).astype(np.float32)
Y = np.where(TEXT[:, 0] + IMAGE[:, 0] > 0, "spam", "ham")
X = {"text": TEXT, "image": IMAGE}
WIDTHS = {"text": 4, "image": 6}
SLICES = {"text": slice(0, 4), "image": slice(4, 10)}
OPEN = SLICES | {"image": slice(4, None)}
MATRIX = np.hstack([TEXT, IMAGE])
HEADS = ["joint", "text", "image"]


def classifier(modalities=None, **params):
    return MultimodalClassifier(
        WIDTHS if modalities is None else modalities, **{"width": 16, "max_epochs": 4, "random_state": 0} | params
    )


def gappy(where=slice(None, None, 3), name="image"):
    missing = {key: values.copy() for key, values in X.items()}
    missing[name][where] = np.nan
    return missing


class Posts(Dataset):
    def __init__(self, X=X, y=None, as_vector=False):
        self.X, self.y, self.as_vector = X, y, as_vector

    def __len__(self):
        return len(next(iter(self.X.values())))

    def __getitem__(self, i):
        x = {key: None if np.isnan(values[i]).all() else values[i] for key, values in self.X.items()}
        x = np.concatenate([values[i] for values in self.X.values()]) if self.as_vector else x
        return x if self.y is None else (x, self.y[i])


def frame(X=X):
    cells = {key: [None if np.isnan(row).all() else row for row in values] for key, values in X.items()}
    return pd.DataFrame({key: pd.Series(column, dtype=object) for key, column in cells.items()}).set_index(
        np.arange(7, 7 + N)
    )


FORMS = {
    "dict": (WIDTHS, lambda X: X),
    "SliceDict": (WIDTHS, lambda X: SliceDict(**X)),
    "tensors": (WIDTHS, lambda X: {key: torch.from_numpy(values) for key, values in X.items()}),
    "lists of cells": (WIDTHS, lambda X: frame(X).to_dict("list")),
    "other order": (WIDTHS, lambda X: dict(reversed(X.items()))),
    "DataFrame": (WIDTHS, frame),
    "Dataset": (WIDTHS, Posts),
    "Dataset of vectors": (SLICES, lambda X: Posts(X, as_vector=True)),
    "matrix": (SLICES, lambda X: np.hstack([*X.values()])),
    "tensor": (SLICES, lambda X: torch.from_numpy(np.hstack([*X.values()]))),
    "open slice": (OPEN, lambda X: np.hstack([*X.values()])),
    "matrix DataFrame": (SLICES, lambda X: pd.DataFrame(np.hstack([*X.values()]))),
    "dict with slices": (SLICES, lambda X: X),
}


class TestForms:
    @pytest.mark.parametrize("form", FORMS)
    @pytest.mark.parametrize("rows", [X, gappy()], ids=["whole", "gappy"])
    def test_every_form_of_rows_says_the_same(self, form, rows):
        modalities, make = FORMS[form]
        expected = classifier().fit(rows, Y)
        net = classifier(modalities).fit(make(rows), Y)
        np.testing.assert_allclose(net.predict_proba(make(rows)), expected.predict_proba(rows), atol=1e-6)
        np.testing.assert_allclose(net.sample_proba(make(rows), 3, 0), expected.sample_proba(rows, 3, 0), atol=1e-6)
        np.testing.assert_allclose(net.embed(make(rows)), expected.embed(rows), atol=1e-6)

    @pytest.mark.parametrize("form", [sp.csr_matrix, sp.csc_array, sp.coo_matrix])
    def test_sparse_columns(self, form):
        net = classifier(SLICES).fit(form(MATRIX), Y)
        np.testing.assert_allclose(net.predict_proba(form(MATRIX)), classifier().fit(X, Y).predict_proba(X))

    def test_a_dataset_of_pairs_needs_no_labels_beside(self):
        net = classifier().fit(Posts(gappy(), Y))
        np.testing.assert_allclose(net.predict_proba(Posts(X, Y)), classifier().fit(gappy(), Y).predict_proba(X))

    def test_behind_a_column_transformer_in_a_grid_search(self):
        table = pd.DataFrame(MATRIX, columns=[f"c{i}" for i in range(10)])
        columns = ColumnTransformer(
            [
                ("text", StandardScaler(), ["c0", "c1", "c2", "c3"]),
                ("image", StandardScaler(), [f"c{i}" for i in range(4, 10)]),
            ]
        )
        model = make_pipeline(columns, classifier(SLICES))
        grid = {
            "multimodalclassifier__encoder": ["mlp", {"text": "highway", "image": nn.Linear(6, 3)}, nn.Identity()],
            "multimodalclassifier__fusion": ["concat", "bilinear"],
        }
        search = GridSearchCV(model, grid, cv=2).fit(table, Y)
        assert search.predict_proba(table).shape == (N, 2)

    def test_grid_search_over_a_slice_dict_and_a_frame(self):
        for rows in (SliceDict(**gappy()), frame(gappy())):
            search = GridSearchCV(classifier(), {"width": [4, 16]}, cv=2).fit(rows, Y)
            assert search.predict(rows).shape == (N,)

    def test_memory_maps_are_not_copied(self, tmp_path):
        file = np.memmap(tmp_path / "image", np.float32, "w+", shape=IMAGE.shape)
        file[:] = IMAGE
        net = classifier().fit(X, Y)
        np.testing.assert_array_equal(net.predict_proba({"text": TEXT, "image": file}), net.predict_proba(X))

    def test_sparse_rows_are_densified_a_batch_at_a_time(self):
        wide = sp.random_array((2_000, 50_000), density=1e-5, format="csr", rng=np.random.default_rng(0))
        rows, y = {"text": wide, "image": np.ones((2_000, 1), np.float32)}, np.arange(2_000) % 2
        net = classifier({"text": 50_000, "image": 1})
        tracemalloc.start()
        net._check_rows_and_labels(rows, y)
        assert tracemalloc.get_traced_memory()[1] < 2**27
        tracemalloc.stop()

    def test_nullable_numbers(self):
        age = pd.array([1, None] * (N // 2), dtype="Int64")
        plain = {"age": np.array([1.0, np.nan] * (N // 2)), "image": IMAGE}
        net = classifier({"age": 1, "image": 6}).fit(plain, Y)
        for rows in ({"age": age, "image": IMAGE}, pd.DataFrame({"age": age, "image": list(IMAGE)})):
            np.testing.assert_allclose(net.predict_proba(rows), net.predict_proba(plain), atol=1e-6)

    def test_raw_pictures_token_ids_and_a_number(self):
        class CNN(nn.Sequential):
            def __init__(self):
                super().__init__(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())

        rows = {
            "image": RNG.integers(0, 255, (N, 3, 8, 8)).astype(np.uint8),
            "tokens": RNG.integers(0, 11, (N, 5)),
            "age": RNG.normal(size=N),
        }
        encoder = {"image": CNN, "tokens": nn.Sequential(nn.Embedding(11, 4), nn.Flatten()), "age": "mlp"}
        shapes = {"image": (3, 8, 8), "tokens": 5, "age": 1}
        net = classifier(shapes, encoder=encoder).fit(rows, Y)
        assert net.predict_proba(rows).shape == (N, 2)
        assert net.sample_proba(rows, 4, 0, consistent=True).shape == (N, 4, 2)
        cells = {name: [*values] for name, values in rows.items()}
        cells["tokens"][1] = cells["image"][2] = None
        table = pd.DataFrame({name: pd.Series(values) for name, values in cells.items()})
        net = classifier(shapes, encoder=encoder).fit(table, Y)
        some = {"image": rows["image"][:1], "tokens": rows["tokens"][:1], "age": rows["age"][:1]}
        np.testing.assert_allclose(net.predict_proba(table)[:1], net.predict_proba(some), atol=1e-6)


class TestMissing:
    @pytest.mark.parametrize("fusion", FUSIONS)
    @pytest.mark.parametrize("encoder", ENCODERS)
    def test_what_is_missing_changes_neither_outputs_nor_gradients(self, fusion, encoder):
        torch.manual_seed(0)
        net = MultimodalNet(WIDTHS, 2, encoder, fusion, width=8).eval()
        nan = torch.full((5, 6), torch.nan)
        image = nan.clone()
        image[:, 1:] = torch.randn(5, 5)
        text = torch.from_numpy(TEXT[:5])
        gone, partly = net(text=text, image=nan)[0], net(text=text, image=image)[0]
        assert torch.equal(gone, partly)
        partly.sum().backward()
        assert all(p.grad is None or (p.grad == 0).all() for p in net.encoders["image"].parameters())
        assert any((p.grad != 0).any() for p in net.encoders["text"].parameters())

    def test_heads_learn_from_the_rows_they_can_read(self):
        """With fixed weights of zero but one, a head's loss is that of its rows alone."""
        rows = gappy()
        only = {"joint": 0.0, "text": 0.0, "image": 1.0}
        net = classifier(loss_weights=only, dropout=0.0, max_epochs=1, batch_size=-1, lr=0.0).fit(rows, Y)
        there = ~np.isnan(rows["image"]).any(1)
        proba = net.predict_proba({key: values[there] for key, values in rows.items()}, head="image")
        loss = -np.log(proba[np.arange(there.sum()), (Y[there] == "spam").astype(int)]).mean()
        assert net.history[-1, "train_loss"] == pytest.approx(loss, abs=1e-6)

    def test_batches_in_which_no_row_has_a_modality(self):
        net = classifier(batch_size=2).fit(gappy(slice(1, None)), Y)
        assert np.isfinite(net.predict_proba(X)).all()
        assert all(np.isfinite(weight) for weight in net.loss_weights_.values())

    @pytest.mark.parametrize("fusion", FUSIONS)
    def test_samples_share_masks_and_rows_do_not_depend_on_others(self, fusion):
        rows = gappy()
        net = classifier(fusion=fusion).fit(rows, Y)
        samples = net.sample_proba(rows, 5, random_state=3, consistent=True)
        assert samples.std(1).max() > 0.01
        for i in (0, 1, 59):
            one = {key: values[i : i + 1] for key, values in rows.items()}
            np.testing.assert_allclose(net.sample_proba(one, 5, random_state=3)[0], samples[i], atol=1e-5)

    def test_samples_are_those_of_plain_passes(self):
        """The mean over many masks, replayed, is the mean over plain passes in training mode."""
        rows = gappy()
        net = classifier(dropout=0.2).fit(rows, Y)
        mean = net.sample_proba(rows, 800, random_state=0).mean(1)
        module = net.module_.train()
        with torch.no_grad():
            batch = {key: torch.from_numpy(values) for key, values in rows.items()}
            plain = torch.stack([module(**batch)[0].softmax(1) for _ in range(800)]).mean(0)
        np.testing.assert_allclose(mean, plain.numpy(), atol=0.05)

    def test_one_modality_there_is_little_to_fuse(self):
        net = classifier({"text": 4}).fit({"text": TEXT}, Y)
        assert net.predict_proba({"text": TEXT}).shape == (N, 2)

    def test_the_only_modality_is_never_missing(self):
        assert get_tags(classifier()).input_tags.allow_nan
        net = classifier({"text": 4})
        assert not get_tags(net).input_tags.allow_nan
        gone = np.where(np.arange(N)[:, None] == 7, np.nan, TEXT)
        with pytest.raises(ValueError, match=r"NaN .* in 1 of 60 rows \(first: row 7\)"):
            net.fit({"text": gone}, Y)


class TestHeads:
    @pytest.mark.parametrize("head", HEADS)
    def test_each_answers_by_itself(self, head):
        net = classifier(max_epochs=30, lr=0.01).fit(X, Y)
        proba = net.predict_proba(X, head=head)
        np.testing.assert_allclose(proba.sum(1), 1, atol=1e-5)
        assert (net.predict(X, head=head) == net.classes_[proba.argmax(1)]).all()
        samples = net.sample_proba(X, 7, random_state=0, head=head)
        assert samples.shape == (N, 7, 2)
        embedding = net.embed(X, head=head)
        assert embedding.shape == (N, 16)
        linear = net.module_.heads[head]
        logits = embedding @ linear.weight.detach().numpy().T + linear.bias.detach().numpy()
        np.testing.assert_allclose(logits.argmax(1), proba.argmax(1))
        assert net.module_.asked == ("joint",)

    def test_a_head_reads_nothing_but_its_modality(self):
        net = classifier().fit(X, Y)
        gone = gappy(slice(None))
        np.testing.assert_array_equal(net.predict_proba(X, head="text"), net.predict_proba(gone, head="text"))
        with pytest.raises(
            ValueError, match=r"modality 'image', which head 'image' reads, is missing in 20 of 60 rows"
        ):
            net.predict_proba(gappy(), head="image")
        assert net.module_.asked == ("joint",)

    def test_a_data_loader_checks_rows_too(self):
        net = classifier(iterator_valid__drop_last=False, iterator_valid__batch_size=25).fit(gappy([27, 55]), Y)
        with pytest.raises(ValueError, match=r"head 'image' reads, is missing in 1 of 25 rows of X \(first: row 27\)"):
            net.predict_proba(gappy([27, 55]), head="image")
        with pytest.raises(ValueError, match="modality 'text' holds infinity in row 59"):
            net.predict({"text": np.where(np.arange(N)[:, None] == 59, np.inf, TEXT), "image": IMAGE})

    def test_joint_beats_both_where_both_are_needed(self):
        rng = np.random.default_rng(0)
        rows = {"text": rng.normal(size=(600, 4)), "image": rng.normal(size=(600, 6))}
        y = rows["text"][:, 0] + rows["image"][:, 0] > 0
        train, test = ({key: values[part] for key, values in rows.items()} for part in (slice(300), slice(300, None)))
        net = classifier(max_epochs=30, lr=0.01, dropout=0.2).fit(train, y[:300])
        joint, text, image = ((net.predict(test, head=head) == y[300:]).mean() for head in HEADS)
        assert joint > max(text, image) + 0.1

    def test_weights_of_losses(self):
        assert classifier(loss_weights="sum").fit(X, Y).loss_weights_ == {"joint": 1.0, "text": 1.0, "image": 1.0}
        given = {"image": 0.25, "joint": 2.0, "text": 0.5}
        assert classifier(loss_weights=given).fit(X, Y).loss_weights_ == given
        learnt = classifier(max_epochs=40, lr=0.01).fit(X, Y).loss_weights_
        assert learnt["joint"] > learnt["text"] > 0
        assert learnt["joint"] > learnt["image"] > 0

    def test_learnt_weights_order_known_noise(self):
        """The label is in one modality; the other shows it through noise, the third not at all."""
        rng = np.random.default_rng(0)
        y = rng.integers(3, size=600)
        clean = np.eye(3, dtype=np.float32)[y]
        rows = {
            "clean": clean + 0.1 * rng.normal(size=clean.shape).astype(np.float32),
            "noisy": clean + 0.8 * rng.normal(size=clean.shape).astype(np.float32),
            "noise": rng.normal(size=clean.shape).astype(np.float32),
        }
        net = classifier(dict.fromkeys(rows, 3), encoder="mlp", dropout=0.0, max_epochs=40, lr=0.01).fit(rows, y)
        weights = net.loss_weights_
        assert weights["clean"] > 3 * weights["noisy"] > 3 * weights["noise"]

    def test_training_loss_is_the_plain_sum_where_weights_are_learnt(self):
        """As long as the weights of learnt heads grow, their weighted total falls, when they learn nothing more."""
        still = {"dropout": 0.0, "max_epochs": 3, "lr": 0.0, "batch_size": -1}
        net = classifier(**still).fit(X, Y)
        proba = [net.predict_proba(X, head=head)[np.arange(N), (Y == "spam").astype(int)] for head in HEADS]
        assert net.history[-1, "train_loss"] == pytest.approx(-np.log(proba).mean(1).sum(), abs=1e-5)

        learning = classifier(dropout=0.0, max_epochs=60, lr=0.05, batch_size=-1).fit(X, Y)
        assert learning.history[-1, "train_loss"] > 0
        assert min(learning.loss_weights_.values()) > 1

    def test_a_fit_ends_when_the_heads_have_learnt(self):
        net = classifier(dict.fromkeys(WIDTHS, 3), dropout=0.0, max_epochs=None, lr=0.02)
        easy = np.eye(3, dtype=np.float32)[np.arange(30) % 3]
        net.fit(dict.fromkeys(WIDTHS, easy), np.arange(30) % 3)
        assert len(net.history) < 600

    def test_validation_loss_is_the_joint_heads(self):
        valid = {key: values[:20] for key, values in X.items()}
        net = classifier(train_split=predefined_split(Posts(valid, Y[:20])), callbacks__print_log=None).fit(X, Y)
        proba = net.predict_proba(valid)
        loss = -np.log(proba[np.arange(20), (Y[:20] == "spam").astype(int)]).mean()
        assert net.history[-1, "valid_loss"] == pytest.approx(loss, abs=1e-5)


class TestSklearn:
    def test_parameters_clones_and_pickles(self):
        net = classifier(fusion="attention", loss_weights="sum", lr=0.01)
        assert net.get_params()["fusion"] == "attention"
        assert clone(net).get_params(deep=False)["modalities"] == WIDTHS
        net.fit(gappy(), Y)
        again = pickle.loads(pickle.dumps(net))
        np.testing.assert_array_equal(again.predict_proba(X), net.predict_proba(X))
        np.testing.assert_array_equal(clone(net).fit(gappy(), Y).predict_proba(X), net.predict_proba(X))
        net.set_params(encoder=nn.Linear(4, 3), modalities={"text": 4}, width=5)
        assert net.fit({"text": TEXT}, Y).embed({"text": TEXT}).shape == (N, 5)

    @pytest.mark.parametrize("warm_start", [True, "shrink_perturb"])
    def test_warm_starts_and_partial_fit(self, warm_start):
        net = classifier(warm_start=warm_start, classes=["eggs", "ham", "spam"]).fit(X, Y).fit(gappy(), Y)
        assert net.partial_fit(X, Y).predict_proba(X).shape == (N, 3)

    @pytest.mark.parametrize("as_frame", [False, True])
    def test_the_columns_of_one_matrix_are_counted_as_scikit_learn_does(self, as_frame):
        names = list("abcdefghij")
        matrix = pd.DataFrame(MATRIX, columns=names) if as_frame else MATRIX
        net = classifier(OPEN).fit(matrix, Y)
        assert net.n_features_in_ == 10
        assert list(getattr(net, "feature_names_in_", names)) == names
        narrow = matrix[names[:7]] if as_frame else matrix[:, :7]
        with pytest.raises(ValueError, match="feature names|has 7 features, .* is expecting 10"):
            net.predict(narrow)
        assert not hasattr(net.fit(X, Y), "n_features_in_")

    def test_scoring_and_training_leave_global_random_states(self):
        net = classifier().fit(X, Y)
        before = rng_states()
        net.predict_proba(X, head="text")
        net.sample_proba(gappy(), 3)
        net.fit(X, Y)
        assert rng_states() == before

    def test_weights_are_loaded_as_in_skorch(self, tmp_path):
        net = classifier(classes=["ham", "spam"], module__n_classes=2)
        net.fit(X, Y).save_params(f_params=tmp_path / "weights.pt")
        again = clone(net).initialize()
        again.load_params(f_params=tmp_path / "weights.pt")
        np.testing.assert_array_equal(again.predict(X), net.predict(X))

    def test_a_users_module_stays_as_it_was(self):
        module = nn.Linear(4, 8)
        before = module.weight.clone()
        classifier(encoder={"text": module, "image": "mlp"}, lr=0.1).fit(X, Y)
        assert torch.equal(module.weight, before)
        assert module.training

    def test_other_estimators_take_it(self):
        ensemble = EnsembleClassifier(classifier(), 3, random_state=0).fit(gappy(), Y)
        assert ensemble.sample_proba(gappy()).shape == (N, 3, 2)
        laplace = LaplaceClassifier(classifier(), random_state=0).fit(gappy(), Y)
        assert laplace.sample_proba(gappy(), 5).shape == (N, 5, 2)
        plain = NetClassifier(MultimodalNet, module__modalities=WIDTHS, module__width=8, max_epochs=2, random_state=0)
        assert plain.fit(X, Y).sample_proba(X, 3).shape == (N, 3, 2)

    def test_class_weights_and_validation_splits(self):
        net = classifier(class_weight="balanced", train_split=ValidSplit(3)).fit(X, Y)
        assert net.predict(X).dtype == Y.dtype


class TestActiveLearning:
    @pytest.mark.parametrize("form", ["dict", "lists of cells", "DataFrame", "Dataset", "matrix"])
    @pytest.mark.parametrize("strategy", ["margin", "bald", "badge", "batch_bald"])
    def test_strategies_read_every_form_with_gaps(self, form, strategy):
        modalities, make = FORMS[form]
        net = classifier(modalities).fit(X if modalities is WIDTHS else MATRIX, Y)
        learner = ActiveLearner(net, strategy, random_state=0)
        indices, _ = learner.query(make(gappy()), n_instances=3)
        assert len(set(indices.tolist())) == 3

    @pytest.mark.parametrize("strategy", TABLE, ids=str)
    def test_every_strategy_reads_gaps_but_those_that_measure_rows_themselves(self, strategy):
        net = MultimodalLearningLossClassifier(WIDTHS, width=8, max_epochs=1, random_state=0).fit(gappy(), Y)
        needs = {*strategy.needs, *strategy.pick_needs}
        simulated = {"y_pool": Y} if "true_loss" in needs else {}
        if not needs.isdisjoint(("label_proba", "prediction", "std", "values")):
            with pytest.raises(TypeError, match=f"strategy {strategy.name} needs"):
                strategy.select(net, gappy(), 5, random_state=0)
        elif "features" in needs:
            with pytest.raises(ValueError, match="20 of 60 rows of the pool hold NaN.* measures distances"):
                strategy.select(net, gappy(), 5, random_state=0)
        else:
            assert len(set(strategy.select(net, gappy(), 5, random_state=0, **simulated).indices)) == 5

    @pytest.mark.parametrize("form", ["dict", "DataFrame", "matrix"])
    def test_teach(self, form):
        modalities, make = FORMS[form]
        rows = make(gappy())
        first = make({key: values[:20] for key, values in gappy().items()}) if form != "DataFrame" else rows[:20]
        learner = ActiveLearner(classifier(modalities), "entropy", first, Y[:20], random_state=0)
        indices, instances = learner.query(rows, n_instances=4)
        learner.teach(instances, Y[indices])
        assert len(learner.y_training) == 24

    def test_the_simulated_loop(self):
        loop = ActiveLearningClassifier(classifier(SLICES), "bald", n_queries=2, random_state=0).fit(MATRIX, Y)
        assert loop.n_labels_.tolist() == [20, 30, 40]


class TestErrors:
    @pytest.mark.parametrize(
        ("modalities", "rows", "message"),
        [
            (WIDTHS, X | {"text": TEXT[:50]}, "differ in length: {'text': 50, 'image': 60}"),
            (
                WIDTHS,
                {"text": TEXT},
                "X has 1 modalities, 'text', but 2 are declared, 'text', 'image': 'image' is not in",
            ),
            (WIDTHS, X | {"sound": TEXT}, "X has 3 modalities, .* but 2 are declared, .*: 'sound' is not declared"),
            (WIDTHS, {"text": TEXT, "img": IMAGE}, "'image' is not in X; 'img' is not declared"),
            (WIDTHS, X | {"image": IMAGE[:, :5]}, r"'image' has rows of shape \(5,\), but \(6,\) is declared"),
            (WIDTHS, X | {"image": [*IMAGE[:30], *IMAGE[30:, :5]]}, r"'image' .* of shape \(6,\) and of shape \(5,\)"),
            (WIDTHS, MATRIX, "X is one matrix of 10 columns, but .* does not say which of them are 'text'"),
            (
                WIDTHS,
                [1, 2],
                r"X is a \w+ of shape \(2,\); pass a dict of arrays, a DataFrame with the columns 'text'",
            ),
            (SLICES, MATRIX[:, :8], "modality 'image' ends with column 10, but X has 8 columns"),
            (SLICES, np.hstack([MATRIX, TEXT]), "modality 'image' ends with column 10, but X has 14 columns"),
            (WIDTHS, X | {"text": np.full((N, 4), np.inf)}, "Input X contains NaN or infinity in 60 of 60 rows"),
            (WIDTHS, {key: values[:0] for key, values in X.items()}, "0 sample"),
            (OPEN, TEXT, "modality 'image' begins with column 4, but X has 4 columns"),
            ({}, X, "modalities={}: give a dict of one or more"),
            ({"joint": 4}, X, "a modality cannot be called 'joint'"),
            ({"a.b": 4}, X, "a modality cannot be called 'a.b'"),
            ({"keys": 4}, X, "a modality cannot be called 'keys'"),
            ({"training": 4}, X, "a modality cannot be called 'training'"),
            ({"self": 4}, X, "a modality cannot be called 'self'"),
            (WIDTHS, X | {"image": None}, "modality 'image' is a NoneType; give an array, or a list of rows"),
            (
                {"text": 1, "image": 6},
                X | {"text": ["a b"] * N},
                "'text': X holds <U3 values, but a network takes real",
            ),
            ({"text": 0}, X, "modalities={'text': 0}: give a width"),
            ({"text": slice(4, 2)}, X, r"modalities={'text': slice\(4, 2, None\)}: give a width"),
        ],
    )
    def test_rows_and_modalities_that_do_not_fit(self, modalities, rows, message):
        with pytest.raises(ValueError, match=message):
            classifier(modalities).fit(rows, Y[: len(next(iter(rows.values()))) if isinstance(rows, dict) else None])

    @pytest.mark.parametrize("form", FORMS)
    def test_rows_that_hold_nothing(self, form):
        modalities, make = FORMS[form]
        rows = gappy([3, 5, 8])
        rows["text"][[5, 8, 9]] = np.nan
        whole = classifier(modalities).fit(make(X), Y)
        first = r"in (2 of 60|1 of 1) rows of X \(first: row 5\)"
        for ask in (whole.predict_proba, whole.embed, whole.sample_proba, lambda X: whole.fit(X, Y)):
            with pytest.raises(ValueError, match=f"all 2 modalities, 'text', 'image', are missing {first}"):
                ask(make(rows))

    @pytest.mark.parametrize("dtype", [float, int])
    def test_rows_to_score_of_another_width(self, dtype):
        net = classifier(OPEN).fit(MATRIX.astype(dtype), Y)
        with pytest.raises(ValueError, match="X has 11 features, but MultimodalClassifier is expecting 10"):
            net.predict(np.hstack([MATRIX, TEXT[:, :1]]).astype(dtype))
        with pytest.raises(ValueError, match="modality 'text' holds infinity in row 4"):
            net.predict(np.where(np.arange(N)[:, None] == 4, np.inf, MATRIX))

    def test_a_column_without_any_cell(self):
        table = frame(gappy(slice(None)))
        assert classifier().fit(frame(), Y).predict_proba(table).shape == (N, 2)
        with pytest.raises(
            ValueError, match="modality 'image' is missing in all 60 rows, and its width is not declared"
        ):
            classifier({"text": 4, "image": slice(4, None)}).fit(table, Y)

    def test_parameters(self):
        with pytest.raises(ValueError, match="encoder of modality 'text': encoder='cnn' is unknown"):
            classifier(encoder="cnn").fit(X, Y)
        with pytest.raises(ValueError, match=r"encoder names \['text'\], but the modalities are \['text', 'image'\]"):
            classifier(encoder={"text": "mlp"}).fit(X, Y)
        with pytest.raises(ValueError, match="encoder of modality 'image': .*shapes cannot be multiplied"):
            classifier(encoder=nn.Linear(4, 2)).fit(X, Y)
        with pytest.raises(ValueError, match="loss_weights='equal': choose 'uncertainty', 'sum', or give a weight for"):
            classifier(loss_weights="equal").fit(X, Y)
        with pytest.raises(ValueError, match="head='sound' is unknown; choose one of 'joint', 'text', 'image'"):
            classifier().fit(X, Y).predict_proba(X, head="sound")
