"""Candidates of the trainer: each kind of items is learnt, by what is installed."""

import pickle

import numpy as np
import pandas as pd
import pytest

from alkit import ActiveLearner
from alkit.annotate import Items
from alkit.annotate.training import candidates, encoders
from alkit.annotate.training.candidates import chosen_model, first_items
from alkit.annotate.training.encoders import PictureEncoder, TextEncoder, told_of_reading
from alkit.annotate.training.pictures import UnreadableRows
from alkit.rows import take
from tests.annotate.pictures import hills

N = 60
SPAM = np.arange(N) % 3 == 0
TEXTS = [f"{'free prize click' if spam else 'lunch meeting report'} number {k}" for k, spam in enumerate(SPAM)]
ROWS = pd.DataFrame({"size": np.where(SPAM, 9.0, 1.0), "from": np.where(SPAM, "shop", None)})
Y = np.where(SPAM, "spam", "ham")


@pytest.fixture
def encoded(monkeypatch):
    """Stand-ins for pretrained networks; counts the calls."""
    calls = []

    def embed_texts(texts, cache=None):
        calls.append(len(texts))
        return np.array([[len(text), "prize" in text, 1.0] for text in texts], np.float32)

    monkeypatch.setattr(encoders, "embed_texts", embed_texts)
    monkeypatch.setattr(encoders, "embed_images", lambda pixels: pixels.mean((1, 2)).astype(np.float32))
    monkeypatch.setattr(candidates, "has_encoder", lambda kind: True)
    return calls


def names(model):
    return [name for name, _ in model.learner.candidates]


@pytest.mark.parametrize("strategy", ["margin", "bald"])
@pytest.mark.parametrize("kind", ["text", "rows", "text rows"])
@pytest.mark.parametrize("with_encoders", [False, True])
def test_each_kind_of_items_is_learnt(kind, strategy, with_encoders, monkeypatch, encoded):
    monkeypatch.setattr(candidates, "has_encoder", lambda kind: with_encoders)
    parts = {"text": TEXTS, "rows": ROWS}
    items = Items([str(k) for k in range(N)], **{name: parts[name] for name in kind.split()})
    model = chosen_model(items, strategy, "network" if strategy == "bald" else "auto")
    embed, learner = pickle.loads(pickle.dumps(model))
    learner.set_params(random_state=0, candidates=learner.candidates[:2])
    X = embed.fit_transform(items.features())
    labelled = np.arange(30)
    learner = ActiveLearner(learner, strategy, take(X, labelled), Y[labelled], random_state=0)
    indices, _ = learner.query(X, n_instances=5, candidates=np.arange(30, N))
    assert len(set(indices)) == 5
    assert np.mean(learner.predict(take(X, np.arange(30, N))) == Y[30:]) > 0.9
    assert (names(model)[0] == ("network" if strategy == "bald" else "linear") + " on encodings") is (
        with_encoders and "text" in kind
    )


def test_kinds_of_models(monkeypatch):
    monkeypatch.setattr(candidates, "has_encoder", lambda kind: False)
    items = Items.of(TEXTS)
    assert names(chosen_model(items)) == ["linear", "forest", "network"]
    assert names(chosen_model(items, "bald")) == ["network"]
    assert names(chosen_model(items, model="forest")) == ["forest"]
    with pytest.raises(ValueError, match="strategy bald needs a network, and model='forest' is none"):
        chosen_model(items, "bald", "forest")
    with pytest.raises(ValueError, match="'svm' is unknown; choose one of 'auto', 'linear'"):
        chosen_model(items, model="svm")


@pytest.mark.parametrize("with_encoders", [False, True])
def test_the_first_items_are_typical_ones(with_encoders, monkeypatch, encoded):
    monkeypatch.setattr(candidates, "has_encoder", lambda kind: with_encoders)
    items = Items.of(TEXTS)
    embed, learner = chosen_model(items)
    X = embed.fit_transform(items.features())
    first = first_items(embed, 500, n_classes=3).select(ActiveLearner(learner), X, 10, random_state=0).indices
    assert len(set(first)) == 10
    assert set(Y[first]) == set(Y)
    # not without a model that reads vectors, nor where clusters would be a few items each, nor of two classes
    assert (first_items(chosen_model(items, model="linear").embed, 500, 3) == "random") is not with_encoders
    assert first_items(embed, 199, 3) == "random"
    assert first_items(embed, 500, 2) == "random"


def test_texts_are_encoded_part_by_part(encoded, monkeypatch):
    monkeypatch.setattr(encoders, "_PART", 25)
    told = []
    with told_of_reading(lambda n, of: told.append((n, of))):
        embedding = TextEncoder().fit_transform(pd.Series(TEXTS))
    assert encoded == [25, 25, 10]
    assert told == [(25, 60), (50, 60), (60, 60)]
    np.testing.assert_allclose(np.linalg.norm(embedding, axis=1), 1, rtol=1e-6)


def test_pictures_that_cannot_be_read_are_all_named(encoded, tmp_path):
    paths = [tmp_path / f"{k}.png" for k in range(4)]
    for path in paths[::2]:
        path.write_bytes(hills(0))
    for path in paths[1::2]:
        path.write_bytes(b"no picture")
    with pytest.raises(UnreadableRows) as caught:
        PictureEncoder().fit_transform(paths)
    assert list(caught.value.reasons) == [1, 3]
    assert PictureEncoder().fit_transform(paths[::2]).shape == (2, 3)
