"""Loaders read what users install; no data of others is in the project."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from alkit.datasets import fashion_mnist, load_fashion_mnist, load_spam, load_wordnet_glosses

SHARED = Path(__file__).parents[2] / "shared" / "data"


def idx(values):
    """Bytes as an IDX file holds them."""
    header = bytes([0, 0, 8, values.ndim]) + np.array(values.shape, dtype=">u4").tobytes()
    return gzip.compress(header + values.tobytes())


def test_fashion_mnist(tmp_path):
    rng = np.random.default_rng(0)
    parts = {
        "train-images-idx3": rng.integers(256, size=(5, 28, 28), dtype=np.uint8),
        "train-labels-idx1": np.arange(5, dtype=np.uint8),
        "t10k-images-idx3": rng.integers(256, size=(3, 28, 28), dtype=np.uint8),
        "t10k-labels-idx1": np.arange(3, dtype=np.uint8),
    }
    for name, values in parts.items():
        (tmp_path / f"{name}-ubyte.gz").write_bytes(idx(values))
    for loaded, values in zip(load_fashion_mnist(tmp_path), parts.values(), strict=True):
        np.testing.assert_array_equal(loaded, values)
    (tmp_path / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(FileNotFoundError, match="holds no t10k-labels-idx1-ubyte.gz; pass the folder"):
        load_fashion_mnist(tmp_path)


def test_fashion_mnist_comes_from_openml_where_debian_has_not_installed_it(tmp_path, monkeypatch):
    rows = np.arange(70_000)
    pictures = np.broadcast_to((rows % 256)[:, None], (70_000, 784))
    monkeypatch.setattr(fashion_mnist, "_DEBIANS_FASHION", tmp_path / "nowhere")
    monkeypatch.setattr(fashion_mnist, "fetch_openml", lambda *args, **kwargs: (pictures, (rows % 10).astype(str)))
    X_train, y_train, X_test, y_test = load_fashion_mnist()
    assert X_train.shape == (60_000, 28, 28)
    assert X_test[1, 0, 0] == 60_001 % 256
    assert y_train.tolist() == (rows[:60_000] % 10).tolist()
    assert y_test.dtype == np.uint8


def test_wordnet(tmp_path):
    licence = "  1 This software and database is provided as is\n"
    nouns = [
        '00001740 03 n 01 entity 0 001 ~ 1 n 0 | that which exists; "an example"; "another; one"  ',
        "2 20 n 02 oak 0 elm 0 000 | trees; large ones;  ",
    ]
    (tmp_path / "data.noun").write_text(licence + "\n".join(nouns) + "\n")
    with pytest.raises(FileNotFoundError, match="Debian's wordnet-base"):
        load_wordnet_glosses(tmp_path)
    (tmp_path / "data.verb").write_text(licence + "3 43 v 01 rain 0 000 01 + 02 00 | fall as water  \n")
    texts, labels = load_wordnet_glosses(tmp_path)
    assert texts == ["that which exists", "trees; large ones", "fall as water"]
    assert labels.tolist() == ["noun.Tops", "noun.plant", "verb.weather"]


def test_tables(tmp_path):
    (tmp_path / "glosses.csv").write_text("id,text,label\n1,NA,noun.food\n")
    assert load_wordnet_glosses(tmp_path)[0] == ["NA"]
    with pytest.raises(ValueError, match=r"has columns \['id', 'text', 'label'\], but 'subject' is needed"):
        load_spam(tmp_path)
    with pytest.raises(FileNotFoundError, match="no e-mails"):
        load_spam(tmp_path / "nowhere")


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs the folder shared/data beside the project")
def test_the_real_glosses():
    texts, labels = load_wordnet_glosses(SHARED / "wordnet_gloss")
    assert len(texts) == len(labels) == 95_882
    assert len(set(labels)) == 41
