"""The source study plays all its questions by one command, here on small made-up posts and digits."""

import os
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

STUDY = Path(__file__).parents[1] / "examples" / "source_study"
QUESTIONS = {
    "modalities_and_weights": [
        "joint",
        "text",
        "image",
        "weight of joint",
        "learnt weights above a sum",
        "best single",
    ],
    "batches": ["fixed", "upsample", "flexible", "spread of accuracy between rounds", "spread against fixed"],
    "uncertainty": ["random", "least_confident", "margin", "entropy", "mc_least_confident", "mc_entropy", "bald"],
    "batch_norm": ["BatchNorm taken out", "BatchNorm left in", "bald", "difference"],
    "learning_loss": ["random", "margin", "learning_loss", "ideal_loss", "labels saved against random"],
    "gain": ["margin", "entropy", "bald", "ideal_loss", "learning_loss", "p_value"],
    "labels_saved": ["emoji category", "emoji subgroup", "digits in six views", "saved_low", "saved_high"],
}


def write_emoji(folder, n=450):
    """Write emoji of four categories, each told by its words and the colour of its picture, by two vendors."""
    rng = np.random.default_rng(0)
    category = rng.integers(4, size=n)
    words = np.array([f"word{w}" for w in range(120)]).reshape(4, 30)
    labels = [" ".join(rng.choice(words[c], 4, replace=False)) for c in category]
    table = {"id": np.arange(n), "label": labels, "tags": [" ".join(rng.choice(words.ravel(), 3)) for _ in range(n)]}
    kinds = {
        "category": [f"kind {c}" for c in category],
        "subgroup": [f"kind {c}, {i % 3}" for i, c in enumerate(category)],
    }
    vendors = ("google", "twitter")
    pd.concat([pd.DataFrame({**table, "vendor": vendor, **kinds}) for vendor in vendors]).to_csv(folder / "rows.csv")
    for vendor in vendors:
        pictures = rng.integers(0, 100, (n, 32, 32, 3)) + 40 * category[:, None, None, None]
        np.savez(folder / f"images32_{vendor}.npz", X=pictures.astype(np.uint8))


def write_digits(folder, n=1500):
    """Write ten digits, each with its own mean in all six views."""
    rng = np.random.default_rng(0)
    y = rng.integers(10, size=n)
    widths = {"fou": 76, "fac": 216, "kar": 64, "pix": 240, "zer": 47, "mor": 6}
    views = {name: rng.normal(size=(10, d))[y] + rng.normal(size=(n, d)) for name, d in widths.items()}
    np.savez(folder / "uci_mfeat.npz", y=y, **{name: view.astype(np.float32) for name, view in views.items()})


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    for name, write in {"emoji": write_emoji, "uci_mfeat": write_digits}.items():
        (folder / name).mkdir()
        write(folder / name)
    return folder


def test_no_emoji_is_in_pool_and_test_set_both(data):
    posts = runpy.run_path(str(STUDY / "posts.py"))["emoji"](data / "emoji", quick=True)
    pool, test = ({row.round(3).tobytes() for row in rows["text"]} for rows in (posts.X, posts.X_test))
    assert not pool & test
    assert len(pool) == len(posts.y) / 2, "each text is that of two vendors' pictures"
    for values in posts.X.values():
        np.testing.assert_allclose(values.mean(0), 0, atol=1e-4)


def test_digits_are_split(data):
    posts = runpy.run_path(str(STUDY / "posts.py"))["digits"](data / "uci_mfeat")
    assert (len(posts.y), len(posts.y_test), len(posts.modalities)) == (1400, 100, 6)


def test_every_question_is_answered(data, tmp_path):
    command = [sys.executable, str(STUDY / "run.py"), "--quick", "--data", str(data), "--out", str(tmp_path)]
    path = os.pathsep.join([str(STUDY.parents[1]), os.environ.get("PYTHONPATH", "")])
    environment = os.environ | {"PYTHONPATH": path, "MPLBACKEND": "agg", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    for question, named in QUESTIONS.items():
        answer = (tmp_path / f"{question}.txt").read_text()
        assert answer.strip() in done.stdout
        assert [name for name in named if name not in answer] == []
        assert (tmp_path / f"{question}.png").stat().st_size > 5000
