"""The model behind several labels per item: when it starts, what it says of each label, and which candidate it is."""

import threading

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neighbors import KNeighborsClassifier

from alkit import Committee, DropoutMLPClassifier
from alkit.annotate import Items, LabelingSession
from alkit.annotate.database.classes import add_class
from alkit.annotate.training import candidates
from alkit.annotate.training.candidates import chosen_model
from alkit.annotate.training.choosing import BestCandidate
from alkit.annotate.training.default_models import default_model
from alkit.annotate.training.job import Job, checked_job
from alkit.annotate.training.several_labels import SeveralLabelsTraining

CLASSES = ["sport", "rain", "money", "never"]
WORDS = {"sport": "match goal", "rain": "storm cloud", "money": "shares bank"}
RNG = np.random.default_rng(0)
TRUE = [[name for name in WORDS if RNG.random() < 0.5] for _ in range(60)]
TEXTS = [f"{' '.join(WORDS[name] for name in labels)} number {k}" for k, labels in enumerate(TRUE)]
FEW = {"max_epochs": 20, "random_state": 0}


@pytest.fixture
def session(tmp_path):
    options = {"multi": True, "random_state": 0, "random_share": 0.0}
    with LabelingSession(TEXTS, CLASSES, tmp_path / "labels.db", **options) as session:
        yield session


def training_of(session, learner, strategy="margin", embed=None):
    embed = CountVectorizer() if embed is None else embed
    job = Job(TEXTS, learner, strategy, session.classes, embed, multi=True)
    return SeveralLabelsTraining(session.store, checked_job(job, session.items))


def work(training):
    once = threading.Event()
    once.set()
    return training.run(once)


def label(session, keys):
    for key in keys:
        session.label(str(key), TRUE[key], "ann")


def one_vs_rest():
    return OneVsRestClassifier(LogisticRegression())


LEARNERS = {
    "linear": one_vs_rest,
    "forest": lambda: RandomForestClassifier(50, random_state=0),
    "network": lambda: DropoutMLPClassifier(**FEW, warm_start="shrink_perturb", class_weight="balanced"),
    "committee": lambda: Committee([one_vs_rest(), KNeighborsClassifier(3)], "consensus_entropy"),
    "neighbours": lambda: KNeighborsClassifier(3),
}


@pytest.mark.parametrize("name", LEARNERS)
def test_what_is_said_of_each_label(session, name):
    label(session, range(40))
    strategy = None if name == "committee" else "margin"
    assert work(training_of(session, LEARNERS[name](), strategy)), session.progress()["model"]["error"]
    given, right = session.next("ann"), []
    while given is not None and len(right) < 20:
        suggestion = given["suggestion"]
        assert suggestion["proba"].keys() == set(CLASSES[:3])  # nobody has said what is never said
        shares = np.array(list(suggestion["proba"].values()))
        assert suggestion["value"] == sorted(name for name, share in suggestion["proba"].items() if share > 0.5)
        assert suggestion["confidence"] == pytest.approx(np.maximum(shares, 1 - shares).min(), abs=1e-4)
        right.append(suggestion["value"] == sorted(TRUE[int(given["item"])]))
        session.skip(given["item"], "ann")
        given = session.next("ann")
    assert len(right) == 20
    assert np.mean(right) > (0.5 if name != "neighbours" else 0.2)


def test_a_learner_without_probabilities(session):
    label(session, range(40))
    assert work(training_of(session, RidgeClassifier()))
    suggestion = session.next("ann")["suggestion"]
    assert suggestion["confidence"] is None
    assert set(suggestion["proba"].values()) <= {0.0, 1.0}


def test_what_the_model_waits_for(session):
    training = training_of(session, one_vs_rest())
    session.store.put_meta(trainer={"doing": None})

    def waiting():
        return session.progress()["model"]["waiting"]

    assert waiting() == "the model starts when some items have a label that others lack: so far there is no such label"
    session.label("0", ["sport"], "ann")
    session.label("1", ["sport"], "ann")
    assert "no such label" in waiting()
    assert work(training)
    assert session.progress()["model"]["version"] is None
    session.label("2", [], "ann")
    assert waiting() is None
    assert work(training)
    assert session.next("ann")["suggestion"]["proba"].keys() == {"sport"}


def test_a_class_that_is_added(session):
    label(session, range(20))
    training = training_of(session, LEARNERS["network"]())
    assert work(training)
    add_class(session.store, "new")
    session.label("20", ["new"], "ann")
    assert work(training)
    assert "new" in session.next("ann")["suggestion"]["proba"]
    assert session.fitted_model().predict_proba(TEXTS[:2]).shape == (2, 5)


@pytest.mark.parametrize("strategy", ["cvirs", "min_confidence", "entropy", "badge"])
def test_strategies(session, strategy):
    label(session, range(10))
    assert work(training_of(session, LEARNERS["network"](), strategy))
    assert session.store.count("SELECT COUNT(*) FROM ranking WHERE position IS NOT NULL") == 50


@pytest.mark.parametrize(("multi", "strategy"), [(True, "falcun"), (False, "cvirs")])
def test_strategies_for_the_other_kind_of_labels(tmp_path, multi, strategy):
    with pytest.raises(ValueError, match=f"strategy '{strategy}' is for .* per item"):
        LabelingSession(TEXTS, CLASSES, tmp_path / "a.db", learner=one_vs_rest(), strategy=strategy, multi=multi)


# ---- the choice among candidates


def test_the_best_candidate_is_chosen():
    X = RNG.normal(size=(120, 4))
    Y = (X[:, :3] + RNG.normal(scale=0.3, size=(120, 3)) > [0, 0.5, 9.0]).astype(int)  # the last label is on nowhere
    candidates = [("constant", OneVsRestClassifier(DummyClassifier())), ("linear", one_vs_rest())]
    candidates.append(("forest", RandomForestClassifier(20, random_state=0)))
    model = BestCandidate(candidates, random_state=0).fit(X, Y)
    assert model.chosen_ in ("linear", "forest")
    assert model.scores_["constant"] < 0.7 < model.scores_[model.chosen_]
    assert model.predict(X).shape == Y.shape


@pytest.mark.parametrize("on", [0, 2])
def test_labels_that_allow_no_comparison_take_the_first(on):
    Y = np.zeros((40, 2), dtype=int)
    Y[:on] = 1
    model = BestCandidate([("linear", one_vs_rest()), ("nearest", KNeighborsClassifier())], random_state=0)
    assert model.fit(RNG.normal(size=(40, 2)), Y).chosen_ == "linear"


@pytest.mark.parametrize("kind", ["linear", "forest", "network"])
def test_each_candidate_takes_several_labels(session, kind, monkeypatch):
    monkeypatch.setattr(candidates, "has_encoder", lambda kind: False)
    label(session, range(30))
    embed, learner = chosen_model(Items.of(TEXTS), model=kind, multi=True)
    quick = {"network": {"model__max_epochs": 2}, "forest": {"model__n_estimators": 10}}
    for _, candidate in learner.candidates:
        candidate.set_params(**quick.get(kind, {}))
    assert work(training_of(session, learner, embed=embed)), session.progress()["model"]["error"]
    chosen = session.progress()["model"]["chosen"]
    assert chosen["name"].startswith(kind)
    assert chosen["n_labels"] == 30
    assert session.next("ann")["suggestion"] is not None


def test_the_default_model(session):
    label(session, range(30))
    model = default_model(session.items, multi=True)
    assert work(training_of(session, model.learner, embed=model.embed))
    assert session.next("ann")["suggestion"]["value"] is not None
