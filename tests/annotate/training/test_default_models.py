"""Default models: each kind of items is learnt from a few labels, by strategies of each kind."""

import sys

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.base import clone

from alkit import ActiveLearner
from alkit.annotate import Items
from alkit.annotate.training.default_models import default_model
from tests.annotate.pictures import hills

N = 60
SPAM = np.arange(N) % 3 == 0
TEXTS = [f"{'free prize click' if spam else 'lunch meeting report'} number {k}" for k, spam in enumerate(SPAM)]
ROWS = pd.DataFrame(
    {
        "size": np.where(SPAM, 9.0, 1.0),
        "missing": np.where(np.arange(N) % 2 == 0, np.nan, 1.0),
        "from": np.where(SPAM, "shop", None),
        "always": np.nan,
    }
)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    for k, spam in enumerate(SPAM):
        pixels = rng.integers(0, 100, size=(20, 30, 3)) + 100 * np.array([spam, 0, not spam])
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{k}.png")
    Image.open(folder / "0.png").convert("P").save(folder / "0.png")
    Image.open(folder / "1.png").convert("RGBA").save(folder / "1.png")
    return [folder / f"{k}.png" for k in range(N)]


@pytest.mark.parametrize("strategy", ["margin", "bald", "badge", "class_balanced"])
@pytest.mark.parametrize("kind", ["text", "image", "rows", "text image", "text rows", "text image rows"])
def test_each_kind_of_items_is_learnt(pictures, kind, strategy):
    from alkit.strategies import as_strategy, class_balanced

    strategy = class_balanced("margin") if strategy == "class_balanced" else as_strategy(strategy)
    parts = {"text": TEXTS, "image": pictures, "rows": ROWS}
    items = Items([str(k) for k in range(N)], **{name: parts[name] for name in kind.split()})
    embed, learner = default_model(items, strategy)
    if "random_state" in learner.get_params():
        learner.set_params(random_state=0)
    X = embed.fit_transform(items.features())
    labelled = np.arange(20)
    y = np.where(SPAM, "spam", "ham")
    learner = ActiveLearner(learner, strategy, X[labelled], y[labelled], random_state=0)
    indices, _ = learner.query(X, n_instances=5, candidates=np.arange(20, N))
    assert len(set(indices)) == 5
    assert np.mean(learner.predict(X[20:]) == y[20:]) > 0.9
    assert embed.transform(items.features()).shape == X.shape


def test_warm_start_takes_more_labels():
    embed, learner = default_model(Items.of(TEXTS))
    X, y = embed.fit_transform(TEXTS), np.where(SPAM, "spam", "ham")
    for n in (4, 10, 30):
        assert learner.fit(X[:n], y[:n]).score(X, y) > 0.9


def test_without_pillow_the_remedy_is_named(pictures, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ModuleNotFoundError, match="pip install pillow, or bring a model of your own"):
        default_model(Items([str(k) for k in range(N)], image=pictures))


def error_of(items, y, n_labels, strategy="margin"):
    """Share wrong of what is not labelled, over five draws of the labels."""
    embed, learner = default_model(items, strategy)
    X = embed.fit_transform(items.features())
    errors = []
    for seed in range(5):
        order = np.random.default_rng(seed).permutation(len(y))
        labelled, rest = order[:n_labels], order[n_labels:]
        if "random_state" in learner.get_params():
            learner.set_params(random_state=seed)
        errors.append(1 - clone(learner).fit(X[labelled], y[labelled]).score(X[rest], y[rest]))
    return np.mean(errors)


@pytest.mark.parametrize("strategy", ["margin", "bald"])
def test_pictures_of_a_small_pool_are_learnt_from_twenty_labels(tmp_path, strategy):
    """Components scaled each on its own would be noise, mostly: 50 to 70 % right of these pools."""
    for k in range(40):
        (tmp_path / f"{k}.png").write_bytes(hills(k, night=k % 2 == 0, size=(90, 60)))
    items = Items([str(k) for k in range(40)], image=[tmp_path / f"{k}.png" for k in range(40)])
    assert error_of(items, np.arange(40) % 2, 20, strategy) < 0.05


def test_what_says_nothing_does_not_drown_the_text(tmp_path):
    rng = np.random.default_rng(0)
    y = np.arange(120) % 2
    words = [" ".join(rng.choice([f"word{k}" for k in range(300)], 8)) for _ in y]
    texts = [f"{some} {'free prize' if spam else 'lunch meeting'}" for some, spam in zip(words, y, strict=True)]
    for k in range(len(y)):
        (tmp_path / f"{k}.png").write_bytes(hills(k, night=rng.random() < 0.5, size=(90, 60)))
    ids, pictures = [str(k) for k in range(len(y))], [tmp_path / f"{k}.png" for k in range(len(y))]
    assert error_of(Items(ids, text=texts), y, 30) < 0.1
    assert error_of(Items(ids, text=texts, image=pictures), y, 30) < 0.2


@pytest.mark.parametrize("cell", [np.inf, -np.inf, 1e308, -1e200, np.nan])
def test_a_number_beyond_all_bounds_stops_nothing(cell):
    frame = pd.DataFrame({"size": np.where(np.arange(60) % 2, 9.0, 1.0), "odd": np.arange(60) % 3})
    frame["odd"] = frame["odd"].astype(float)
    frame.loc[3, "odd"] = cell
    assert error_of(Items.of(frame), np.arange(60) % 2, 30) == 0
    whole = frame.assign(odd=pd.array([None, *range(59)], dtype="Int64"))
    assert error_of(Items.of(whole), np.arange(60) % 2, 30) == 0


def test_cells_that_are_lists_or_of_several_kinds():
    frame = pd.DataFrame({"tags": [["a"], ["b"], None] * 10, "mixed": [1, "x", True] * 10, "yes": [True, False] * 15})
    for strategy in ("margin", "bald"):
        embed, _ = default_model(Items.of(frame), strategy)
        assert embed.fit_transform(frame).shape == (30, 8)


def test_scripts_without_spaces_and_texts_without_words():
    rng = np.random.default_rng(0)
    y = np.arange(60) % 2
    for marks in (("免费奖品", "午餐会议"), ("รางวัลฟรี", "ประชุมเที่ยง"), ("🙂!", "🙁?")):
        around = ["".join(rng.choice(list("天地玄黄宇宙洪荒日月盈昃"), 6)) for _ in y]
        texts = [some[:3] + marks[spam] + some[3:] for some, spam in zip(around, y, strict=True)]
        assert error_of(Items.of(texts), y, 20) < 0.1
    assert default_model(Items.of(["a", "1", "?"])).embed.fit_transform(["a", "1", "?"]).shape[0] == 3
