"""When the model starts, what it does with classes and items it cannot know, and that one bad row stops nothing."""

import json
import threading
import warnings

import numpy as np
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.naive_bayes import MultinomialNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC
from torch import nn

from alkit import ActiveLearner, Committee, DropoutMLPClassifier, EnsembleClassifier, NetClassifier, get_strategy
from alkit.annotate import Items, LabelingSession
from alkit.annotate.database.imported import Prediction, add_imported
from alkit.annotate.quality.agreement import cohen_kappa
from alkit.annotate.training import rounds
from alkit.annotate.training.default_models import default_model
from alkit.annotate.training.job import Job
from alkit.annotate.training.pictures import UnreadableRows
from alkit.annotate.training.rounds import Training
from alkit.strategies import class_balanced
from tests.annotate.models import Keyword
from tests.annotate.pictures import hills

CLASSES = ["ham", "spam", "rare", "just in case"]
KINDS = {"ham": "lunch meeting report", "spam": "free prize click", "rare": "court summons letter"}
TRUE = ["ham", "spam", "ham", "spam", "spam", "ham", "ham", "rare"] * 6
TEXTS = [f"{KINDS[name]} number {k}" for k, name in enumerate(TRUE)]


@pytest.fixture
def session(tmp_path):
    with LabelingSession(TEXTS, CLASSES, tmp_path / "labels.db", random_state=0, random_share=0.0) as session:
        yield session


def training_of(session, learner, strategy="margin", **settings):
    settings = {"embed": CountVectorizer()} | settings
    return Training(session.store, Job(session.items.features(), learner, strategy, session.classes, **settings))


def work(training):
    once = threading.Event()
    once.set()
    return training.run(once)


def label(session, *keys, values=TRUE):
    for key in keys:
        session.label(str(key), values[key], "ann")


def state(session):
    return session.progress()["model"]


def ranking(session):
    return session.store.query(
        "SELECT r.*, i.key FROM ranking r JOIN item i ON i.id = r.item ORDER BY r.position IS NULL, r.position, r.item"
    )


# ---- classes


def test_two_classes_of_four_are_enough(session):
    training = training_of(session, LogisticRegression())
    work(training)
    assert state(session)["waiting"] == "the model starts when two classes have labels: so far none"
    assert session.progress()["unlabelled"] == CLASSES
    label(session, 0, 2)
    work(training)
    assert state(session)["waiting"] == "the model starts when two classes have labels: so far only 'ham'"
    assert state(session)["version"] is None
    label(session, 1)
    work(training)
    assert state(session)["waiting"] is None
    assert (state(session)["version"], state(session)["n_labels"]) == (1, 3)
    assert session.progress()["unlabelled"] == ["rare", "just in case"]
    assert {row["prediction"] for row in ranking(session)} == {"ham", "spam"}
    assert len(ranking(session)) == len(TEXTS) - 3


def test_what_is_said_before_the_trainer_has_started(session):
    assert state(session)["waiting"] is None  # this session has no model
    session.store.put_meta(trainer={"doing": "starting", "since": 0.0})
    label(session, 0)
    assert "so far only 'ham'" in state(session)["waiting"]
    label(session, 1)
    assert state(session)["waiting"] == "the model starts when it has read the items"


def test_a_class_that_is_outvoted_is_none(tmp_path):
    with LabelingSession(TEXTS, CLASSES, tmp_path / "labels.db", overlap=3, random_state=0) as session:
        training = training_of(session, LogisticRegression())
        for name, value in (("ann", "ham"), ("bob", "ham"), ("cem", "spam")):
            session.label("0", value, name)
        assert state(session)["waiting"] is None  # nobody has counted votes yet
        work(training)
        assert "so far only 'ham' (labels that are outvoted" in state(session)["waiting"]
        session.label("1", "spam", "ann")
        work(training)
        assert (state(session)["version"], state(session)["waiting"]) == (1, None)


N_WORDS = len(CountVectorizer().fit(TEXTS).vocabulary_)
NET = nn.Sequential(nn.Linear(N_WORDS, 16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, len(CLASSES)))
FEW = {"max_epochs": 15, "lr": 0.02, "random_state": 0}
LEARNERS = {
    "regression": lambda: LogisticRegression(warm_start=True),
    "gradient": lambda: SGDClassifier(warm_start=True, loss="log_loss", random_state=0),
    "perceptron": lambda: MLPClassifier(warm_start=True, max_iter=3, random_state=0),
    "network as it is": lambda: NetClassifier(NET, warm_start=True, **FEW),
    "network": lambda: DropoutMLPClassifier(warm_start="shrink_perturb", class_weight="balanced", **FEW),
    "ensemble": lambda: EnsembleClassifier(DropoutMLPClassifier(**FEW), n_estimators=2, random_state=0),
    "learner": lambda: ActiveLearner(DropoutMLPClassifier(warm_start=True, **FEW), random_state=0),
    "committee": lambda: Committee([ActiveLearner(MultinomialNB()), ActiveLearner(LogisticRegression())]),
    "pipeline": lambda: make_pipeline(CountVectorizer(), LogisticRegression(warm_start=True)),
}


@pytest.mark.parametrize("name", LEARNERS)
def test_a_class_that_appears_and_one_that_goes(session, name):
    settings = {"embed": None} if name == "pipeline" else {"embed": CountVectorizer().fit(TEXTS)}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Stochastic Optimizer")
        training = training_of(session, LEARNERS[name](), None if name == "committee" else "margin", **settings)
        label(session, 0, 1, 2, 3)
        work(training)
        assert (state(session)["version"], state(session)["error"]) == (1, None)
        assert {row["prediction"] for row in ranking(session)} <= {"ham", "spam"}
        rare = session.label("7", "rare", "ann")
        label(session, 15)
        work(training)
        assert (state(session)["version"], state(session)["error"]) == (2, None)
        assert {row["prediction"] for row in ranking(session)} <= {"ham", "spam", "rare"}
        session.undo(rare["uuid"], "ann")
        session.label("15", "ham", "ann")
        work(training)
        assert (state(session)["version"], state(session)["error"]) == (3, None)
    assert {row["prediction"] for row in ranking(session)} <= {"ham", "spam"}
    assert all(0 < row["confidence"] <= 1 for row in ranking(session))


def test_the_weights_of_a_network_outlast_a_new_class(session):
    learner = NetClassifier(NET, warm_start=True, **FEW)
    training = training_of(session, learner, embed=CountVectorizer().fit(TEXTS))
    label(session, 0, 1, 2, 3)
    work(training)
    net, n_epochs = training.learner.estimator, len(training.learner.estimator.history_)
    label(session, 7)
    work(training)
    assert training.learner.estimator is net
    assert len(net.history_) == n_epochs + FEW["max_epochs"]  # it went on
    assert learner.classes is None  # the caller's own is as it was


def test_a_warm_start_goes_on_while_the_classes_stay(session):
    training = training_of(session, LogisticRegression(warm_start=True))
    label(session, 0, 1)
    work(training)
    learner = training.learner
    label(session, 2)
    work(training)
    assert training.learner is learner
    label(session, 7)
    work(training)
    assert training.learner is not learner


class KnowsAll(Keyword):
    """Is sure of a class that nobody has labelled."""

    def fit(self, X, y):
        self.n_fitted_ = len(y)
        self.classes_ = np.array(sorted(CLASSES))
        return self

    def predict_proba(self, X):
        return np.tile([0.1, 0.9, 0.0, 0.0] if self.n_fitted_ < 4 else [0.0, 1.0, 0.0, 0.0], (len(X), 1))


def test_a_class_without_labels_is_never_suggested(session):
    assert sorted(CLASSES)[:2] == ["ham", "just in case"]
    training = training_of(session, KnowsAll(), embed=None)
    label(session, 0, 1)
    work(training)
    assert {(row["prediction"], row["confidence"]) for row in ranking(session)} == {("ham", 1.0)}
    label(session, 2, 3)
    work(training)
    assert {(row["prediction"], row["confidence"]) for row in ranking(session)} == {(None, 0.0)}
    assert session.next("bob")["suggestion"] is None
    session.label("4", "just in case", "ann")
    work(training)
    assert {row["prediction"] for row in ranking(session)} == {"just in case"}


class Votes(BaseEstimator):
    """Predicts a class that nobody has labelled, and has no probabilities."""

    def fit(self, X, y):
        self.classes_ = np.array(sorted(CLASSES))
        return self

    def predict(self, X):
        return np.array(["ham" if "lunch" in text else "just in case" for text in X])


def test_the_same_of_a_model_without_probabilities(session):
    training = training_of(session, Votes(), "random", embed=None)
    label(session, 0, 1)
    work(training)
    assert state(session)["error"] is None
    assert {row["prediction"] for row in ranking(session)} == {"ham", None}


def test_a_linear_machine_without_probabilities(session):
    training = training_of(session, LinearSVC(), "random")
    label(session, 0, 1)
    work(training)
    assert state(session)["error"] is None
    assert {(row["prediction"], row["confidence"]) for row in ranking(session)} == {("ham", None), ("spam", None)}


@pytest.mark.parametrize("strategy", ["entropy", "least_confident", "bald", "badge", "batch_bald", "coreset"])
def test_strategies_run_with_the_classes_there_are(session, strategy):
    training = training_of(session, DropoutMLPClassifier(**FEW), strategy, embed=CountVectorizer().fit(TEXTS))
    label(session, 0, 1)
    work(training)
    assert state(session)["error"] is None
    assert ranking(session)[0]["position"] == 0


def test_a_balanced_strategy_as_well(session):
    for learner in (LogisticRegression(), DropoutMLPClassifier(**FEW)):
        training = training_of(session, learner, class_balanced("entropy"), embed=CountVectorizer().fit(TEXTS))
        label(session, 0, 1)
        work(training)
        assert state(session)["error"] is None


def test_the_live_curve_counts_a_class_not_known_yet_as_wrong(tmp_path):
    with LabelingSession(TEXTS, CLASSES, tmp_path / "labels.db", random_state=0, random_share=1.0) as session:
        training = training_of(session, LogisticRegression(C=100.0))
        label(session, 0, 1, 2, 3)
        work(training)
        right = []
        predicted = {row["key"]: row["prediction"] for row in ranking(session)}
        while (item := session.next("ann")) is not None and len(right) < 30:
            assert item["suggestion"] is None
            true = TRUE[int(item["item"])]
            session.label(item["item"], true, "ann")
            right.append(predicted[item["item"]] == true)
        (point,) = session.progress()["curve"]
        assert (point["score"], point["n_scored"], point["n_labels"]) == (np.mean(right), 30, 4)
        assert 0 < point["score"] < 1  # the rare ones are wrong


def test_exports_and_agreement_do_not_know_of_any_of_this(tmp_path):
    with LabelingSession(TEXTS, CLASSES, tmp_path / "labels.db", overlap=2, random_state=0) as session:
        for key in (0, 1, 7):
            session.label(str(key), TRUE[key], "ann")
            session.label(str(key), TRUE[key], "bob")
        before = list(session.export())
        work(training_of(session, LogisticRegression()))
        assert list(session.export()) == before
        mine, hers = ([a["value"] for a in session.export(name)] for name in ("ann", "bob"))
        assert cohen_kappa(mine, hers) == 1.0


def test_a_cold_start_ends_with_the_second_class(session):
    cold = get_strategy("typiclust", embed=CountVectorizer())
    learner = make_pipeline(CountVectorizer(), LogisticRegression())
    training = training_of(session, learner, embed=None, cold_start=cold)
    work(training)
    label(session, 0)
    work(training)
    assert state(session)["version"] == 1
    assert all(row["prediction"] is None for row in ranking(session))
    label(session, 1)
    work(training)
    assert state(session)["version"] == 2
    assert all(row["prediction"] for row in ranking(session))


def test_a_cold_start_chooses_the_first_items_even_when_there_is_a_model(session):
    learner = make_pipeline(CountVectorizer(), LogisticRegression())
    cold = get_strategy("typiclust", embed=CountVectorizer())
    training = training_of(session, learner, embed=None, cold_start=cold, n_cold=6)
    work(training)
    first = [row["item"] for row in ranking(session)]
    assert len(first) == 6
    keys = [training.keys[item] for item in first]
    while len({TRUE[int(key)] for key in keys[:3]}) < 2:
        keys = keys[1:] + keys[:1]
    label(session, *map(int, keys[:3]))
    work(training)
    # the other three go on first, now with predictions, and the model's own follow
    ranked = ranking(session)
    left = [item for item in first if training.keys[item] not in keys[:3]]
    assert [row["item"] for row in ranked][:3] == left
    assert all(row["prediction"] for row in ranked)
    assert len({row["item"] for row in ranked}) == len(ranked) > 3

    # another trainer, on the same labels, chooses what is missing to six
    again = training_of(session, learner, embed=None, cold_start=cold, n_cold=6)
    work(again)
    assert len(again.first) == 3

    label(session, *map(int, keys[3:]))
    work(training)
    by_model = [row["utility"] for row in ranking(session)]
    assert by_model == sorted(by_model, reverse=True)
    work(training_of(session, learner, embed=None))
    assert [row["utility"] for row in ranking(session)] == pytest.approx(by_model)


def test_first_items_are_chosen_anew_while_they_are_all_of_one_class(session):
    cold = get_strategy("typiclust", embed=CountVectorizer())
    training = training_of(session, Keyword(), embed=None, cold_start=cold, n_cold=4)
    work(training)
    keys = [int(row["key"]) for row in ranking(session)]
    assert len(keys) == 4
    label(session, *keys, values=["ham"] * len(TEXTS))
    work(training)
    ranked = [int(row["key"]) for row in ranking(session)]
    assert len(ranked) == len(TEXTS) - 4
    assert not set(ranked) & set(keys)


def test_first_items_count_items_not_answers(tmp_path):
    cold = get_strategy("typiclust", embed=CountVectorizer())
    learner = make_pipeline(CountVectorizer(), LogisticRegression())
    with LabelingSession(TEXTS, CLASSES, tmp_path / "labels.db", overlap=2, random_state=0) as session:
        training = training_of(session, learner, embed=None, cold_start=cold, n_cold=6)
        work(training)
        first = [row["item"] for row in ranking(session)]
        for key in (0, 1, 3):
            session.label(str(key), TRUE[key], "ann")
            session.label(str(key), TRUE[key], "bob")
        work(training)
        left = [item for item in first if training.keys[item] not in ("0", "1", "3")]
        assert [row["item"] for row in ranking(session)][: len(left)] == left


def test_predictions_made_elsewhere_stand_until_there_is_a_model(session):
    ids = {row["key"]: row["id"] for row in session.store.query("SELECT id, key FROM item")}
    predictions = [Prediction(ids[str(k)], value, 0.9) for k, value in enumerate(TRUE)]
    add_imported(session.store, [], predictions)
    before = [row["prediction"] for row in ranking(session)]
    assert len(before) == len(TEXTS)
    cold = get_strategy("typiclust", embed=CountVectorizer())
    work(training_of(session, Keyword(), embed=None, cold_start=cold, n_cold=6))
    assert [row["prediction"] for row in ranking(session)] == before


# ---- rows that cannot be read


def spoil(path, how):
    """Make a picture's file one of those that a model cannot read."""
    data = path.read_bytes()
    match how:
        case "truncated":
            path.write_bytes(data[: len(data) // 2])
        case "head only":
            path.write_bytes(data[:33])
        case "noise":
            path.write_bytes(data[:40] + np.random.default_rng(0).bytes(400))
        case "gone":
            path.unlink()
        case "a folder":
            path.unlink()
            path.mkdir()
        case "huge":
            path.write_bytes(data[:16] + (60_000).to_bytes(4, "big") * 2 + data[24:])  # a bomb, and a wrong checksum


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    paths = [folder / f"{k}.png" for k in range(24)]
    for k, path in enumerate(paths):
        path.write_bytes(hills(k, night=k % 2 == 0, size=(60, 40)))
    return Items([path.name for path in paths], image=paths)


NIGHT = ["night", "day"]


def learn_pictures(session, training, skip=()):
    for k in range(0, 10):
        if k not in skip:
            session.label(f"{k}.png", NIGHT[k % 2], "ann")
    return work(training)


@pytest.mark.parametrize("how", ["truncated", "head only", "noise", "gone", "a folder", "huge"])
def test_pictures_that_cannot_be_read_stop_nothing(tmp_path, photos, capfd, how):
    with LabelingSession(photos, [*NIGHT, "rare"], tmp_path / "labels.db", random_state=0) as session:
        for k in (3, 17):
            spoil(photos.image[k], how)
        embed, learner = default_model(photos)
        training = training_of(session, learner, embed=embed, pictures=photos.image)
        assert learn_pictures(session, training)
        found = state(session)
        assert (found["version"], found["error"], found["waiting"]) == (1, None, None)
        assert found["unreadable"]["n"] == 2
        assert [one["item"] for one in found["unreadable"]["items"]] == ["3.png", "17.png"]
        assert str(tmp_path) not in str(found["unreadable"])  # everybody sees the page
        rows = ranking(session)
        assert {row["key"] for row in rows} == {f"{k}.png" for k in range(10, 24)} - {"17.png"}
        right = [row["prediction"] == NIGHT[int(row["key"].split(".")[0]) % 2] for row in rows]
        assert np.mean(right) > 0.9  # no row is taken for another
        session.label("17.png", "day", "ann")
        work(training)
        assert state(session)["version"] == 2
        left = {row["key"] for row in ranking(session)}
        shown = []
        while (item := session.next("bob")) is not None:
            shown.append(item["item"])
            session.label(item["item"], "day", "bob")
        assert set(shown) == left
        assert len(list(session.export())) == 24
    told = capfd.readouterr().err
    assert told.count("learns without 2 of 24 items") == 1
    assert told.count("3.png: ") == 1


def test_an_unreadable_picture_is_shown_to_people_but_never_picked(tmp_path, photos):
    spoil(photos.image[20], "truncated")
    with LabelingSession(photos, NIGHT, tmp_path / "labels.db", random_state=0, random_share=0.0) as session:
        embed, learner = default_model(photos)
        learn_pictures(session, training_of(session, learner, embed=embed, pictures=photos.image))
        order = []
        while (item := session.next("ann")) is not None:
            order.append(item)
            session.skip(item["item"], "ann") if item["item"] == "20.png" else session.label(item["item"], "day", "ann")
        assert (order[-1]["item"], order[-1]["suggestion"]) == ("20.png", None)
        assert all(item["suggestion"] for item in order[:-1])
        assert {row["source"] for row in session.export() if row["kind"] == "skip"} == {"random"}


def test_only_labels_on_unreadable_pictures_are_no_second_class(tmp_path, photos):
    spoil(photos.image[1], "truncated")
    with LabelingSession(photos, NIGHT, tmp_path / "labels.db", random_state=0) as session:
        embed, learner = default_model(photos)
        training = training_of(session, learner, embed=embed, pictures=photos.image)
        for k in (0, 1, 2):
            session.label(f"{k}.png", NIGHT[k % 2], "ann")
        work(training)
        assert "so far only 'night' (labels that are outvoted, or of items it cannot read" in state(session)["waiting"]


def test_no_readable_picture_at_all(tmp_path, photos):
    with LabelingSession(photos, NIGHT, tmp_path / "labels.db", random_state=0) as session:
        for path in photos.image:
            spoil(path, "truncated")
        embed, learner = default_model(photos)
        with pytest.raises(ValueError, match="can read none of the 24 items; the first: .*truncated"):
            training_of(session, learner, embed=embed, pictures=photos.image)


class Opens(TransformerMixin, BaseEstimator):
    """A part of somebody's own model that opens pictures, and stops at the first that it cannot read."""

    def __sklearn_is_fitted__(self):
        return True

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        from PIL import Image

        pixels = []
        for path in X:
            with Image.open(path) as picture:
                pixels.append(np.asarray(picture.convert("L").resize((4, 4))).ravel() / 255)
        return np.array(pixels)


@pytest.mark.parametrize("part", ["embed", "learner"])
def test_models_that_open_pictures_themselves(tmp_path, photos, part):
    with LabelingSession(photos, NIGHT, tmp_path / "labels.db", random_state=0) as session:
        for k in (3, 17):
            spoil(photos.image[k], "truncated")
        if part == "embed":
            embed, learner = Opens(), LogisticRegression(C=100.0)
        else:
            embed, learner = None, make_pipeline(Opens(), LogisticRegression(C=100.0))
        training = training_of(session, learner, embed=embed, pictures=photos.image)
        assert learn_pictures(session, training)
        found = state(session)
        assert (found["version"], found["error"], found["unreadable"]["n"]) == (1, None, 2)
        rows = ranking(session)
        assert len(rows) == 13
        assert np.mean([row["prediction"] == NIGHT[int(row["key"].split(".")[0]) % 2] for row in rows]) > 0.9


def test_a_model_that_fails_for_its_own_reasons_is_not_blamed_on_pictures(tmp_path, photos, monkeypatch):
    looked = []
    monkeypatch.setattr(rounds, "unreadable_pictures", lambda paths: looked.append(paths) or {})
    with LabelingSession(photos, NIGHT, tmp_path / "labels.db", random_state=0) as session:
        training = training_of(session, make_pipeline(LogisticRegression()), embed=None, pictures=photos.image)
        for _ in range(2):
            assert not learn_pictures(session, training)
            session.label("11.png", "day", "ann")
        assert "could not convert string to float" in state(session)["error"]
        assert state(session)["unreadable"]["n"] == 0
    assert len(looked) == 1  # a look at each picture takes long


def test_file_names_that_are_not_utf8_are_told_as_well(tmp_path, photos):
    odd = photos.image[0].with_name("caf\udce9.png")
    photos.image[0].rename(odd)
    items = Items(photos.ids, image=[odd, *photos.image[1:]])
    with LabelingSession(items, NIGHT, tmp_path / "labels.db", random_state=0) as session:
        odd.write_bytes(b"\x89PNG\r\n\x1a\n no more")
        embed, learner = default_model(items)
        learn_pictures(session, training_of(session, learner, embed=embed, pictures=items.image))
        found = state(session)
        assert (found["version"], found["unreadable"]["n"]) == (1, 1)
        json.dumps(found, ensure_ascii=False).encode()  # as the server sends it

        class Refuses(LogisticRegression):
            def fit(self, X, y):
                raise ValueError(f"{odd} is refused")

        work(training_of(session, Refuses(), embed=None))
        assert "caf" in state(session)["error"]
        json.dumps(state(session), ensure_ascii=False).encode()


class Particular(CountVectorizer):
    """Cannot read some texts, and says which."""

    def fit_transform(self, X, y=None):
        reasons = {row: "it is written in verse" for row, text in enumerate(X) if "number 5" in text}
        if reasons:
            raise UnreadableRows(reasons)
        return super().fit_transform(X)


def test_an_embedding_may_name_rows_itself(session):
    training = training_of(session, LogisticRegression(), embed=Particular())
    label(session, 0, 1)
    work(training)
    assert state(session)["unreadable"] == {"n": 1, "items": [{"item": "5", "reason": "it is written in verse"}]}
    assert len(ranking(session)) == len(TEXTS) - 3


def test_of_very_many_only_the_first_are_named(session, capfd):
    class Illiterate(CountVectorizer):
        def fit_transform(self, X, y=None):
            if len(X) == len(TEXTS):
                raise UnreadableRows(dict.fromkeys(range(40), "too long"))
            return super().fit_transform(X)

    training_of(session, LogisticRegression(), embed=Illiterate())
    found = state(session)["unreadable"]
    assert (found["n"], len(found["items"])) == (40, 20)
    assert "and 20 more" in capfd.readouterr().err
