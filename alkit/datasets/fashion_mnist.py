"""Grey pictures of clothing."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
from sklearn.datasets import fetch_openml

_DEBIANS_FASHION = Path("/usr/share/datasets/fashion-mnist")


def load_fashion_mnist(path: str | Path | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Load Fashion-MNIST: grey pictures of ten kinds of clothing.

    Parameters
    ----------
    path : str or Path, optional
        A folder with the four IDX files, compressed by gzip. By default the one where Debian's package
        ``dataset-fashion-mnist`` installs them; without that package, scikit-learn downloads the pictures from OpenML
        and keeps them.

    Returns
    -------
    X_train, y_train : arrays (60000, 28, 28) and (60000,) of uint8
    X_test, y_test : arrays (10000, 28, 28) and (10000,) of uint8

    Raises
    ------
    OSError
        If a file is missing, or the download fails.

    Examples
    --------
    >>> from alkit.datasets import load_fashion_mnist
    >>> load_fashion_mnist("nowhere")
    Traceback (most recent call last):
    ...
    FileNotFoundError: nowhere holds no train-images-idx3-ubyte.gz; pass the folder with the IDX files of Fashion-MNIST
    """
    if path is None and not _DEBIANS_FASHION.is_dir():
        X, y = fetch_openml("Fashion-MNIST", return_X_y=True, as_frame=False)
        X = X.reshape(-1, 28, 28).astype(np.uint8)
        y = y.astype(np.uint8)
        return X[:60_000], y[:60_000], X[60_000:], y[60_000:]
    folder = _DEBIANS_FASHION if path is None else Path(path)
    X_train, y_train, X_test, y_test = (
        _read_idx(folder / f"{part}-{kind}-ubyte.gz")
        for part in ("train", "t10k")
        for kind in ("images-idx3", "labels-idx1")
    )
    return X_train, y_train, X_test, y_test


def _read_idx(path: Path) -> np.ndarray:
    """Read an IDX file of bytes: two zeros, a type, the number of axes, their lengths, the values."""
    if not path.is_file():
        raise FileNotFoundError(
            f"{path.parent} holds no {path.name}; pass the folder with the IDX files of Fashion-MNIST"
        )
    content = gzip.decompress(path.read_bytes())
    n_axes = content[3]
    # lengths are big-endian
    shape = np.frombuffer(content, dtype=">u4", count=n_axes, offset=4).astype(int)
    return np.frombuffer(content, dtype=np.uint8, offset=4 + 4 * n_axes).reshape(shape)
