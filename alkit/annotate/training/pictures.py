"""Pictures as a model sees them: what people see of them, too. Those that cannot be read are named, one by one."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin

from alkit.annotate.files import check_regular

_SIDE = 32  # pixels
_MILLION = 1_000_000
_UNUSED_BY_BROWSERS = ("xmp", "XML:com.adobe.xmp", "Raw profile type exif")  # Pillow turns pictures by these


class UnreadableRows(ValueError):  # noqa: N818
    """Rows that a transformer cannot read.

    An ``embed`` of your own may raise it, too: the labelling session then learns without these rows, and names them.

    Parameters
    ----------
    reasons : mapping of int to str
        Why, by the position of the row in X.

    Examples
    --------
    >>> from alkit.annotate import UnreadableRows
    >>> UnreadableRows({7: "image file is truncated"})
    UnreadableRows('1 row cannot be read, the first is row 7: image file is truncated; leave it out, or repair it')
    """

    def __init__(self, reasons: Mapping[int, str]):
        super().__init__(reasons)
        self.reasons = dict(reasons)

    def __str__(self) -> str:
        n, first = len(self.reasons), min(self.reasons)
        what, them = ("row", "it") if n == 1 else ("rows", "them")
        return (
            f"{n} {what} cannot be read, the first is row {first}: {self.reasons[first]}; leave {them} out, or "
            f"repair {them}"
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"


class UnreadablePicture(ValueError):  # noqa: N818
    """A picture that Pillow cannot read, or that is too large to be read safely."""


def read_picture(path: str | Path, side: int | None = None) -> Any:
    """Read a picture as people see it: turned as its EXIF says, 8 bits per channel, on a white page.

    Parameters
    ----------
    path : str or Path
    side : int, optional
        Width and height that the picture will be resized to, in pixels. A JPEG file is then decoded at a fraction of
        its size, but not below four times this one.

    Returns
    -------
    PIL.Image.Image
        In mode "RGB".

    Raises
    ------
    UnreadablePicture
        If it cannot be decoded, or has more pixels than Pillow takes to be safe (``PIL.Image.MAX_IMAGE_PIXELS``).
        Whatever the decoder raised, the message says why without the folder of the file.
    ModuleNotFoundError
        If there is no Pillow.

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> from alkit.annotate.training.pictures import read_picture
    >>> with tempfile.NamedTemporaryFile(suffix=".png") as file:
    ...     Image.new("RGBA", (40, 30)).save(file.name)  # fully transparent
    ...     read_picture(file.name).getpixel((0, 0))
    (255, 255, 255)
    """
    pillow()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd metadata and of size, which is checked here
            return _decoded(Path(path), side)
    except Exception as error:  # decoders raise anything on damaged files, from SyntaxError to IndexError
        raise UnreadablePicture(_reason(error, Path(path))) from error


def _decoded(path: Path, side: int | None) -> Any:
    """Return a picture in mode "RGB"; raise whatever the decoder raises."""
    image = pillow()
    check_regular(path)
    with image.open(path) as picture:
        if side is not None:
            picture.draft(None, (4 * side, 4 * side))
        width, height = picture.size
        if image.MAX_IMAGE_PIXELS is not None and width * height > image.MAX_IMAGE_PIXELS:
            raise image.DecompressionBombError(
                f"it would have {width * height / _MILLION:,.0f} million pixels, more than Pillow's limit of "
                f"{image.MAX_IMAGE_PIXELS / _MILLION:,.0f}"
            )
        picture.load()
        _turn_upright(picture)
        return _on_white(_eight_bits(picture))


def _eight_bits(picture: Any) -> Any:
    """Return a picture of 16 bits per pixel in 8; Pillow's own conversion would make all above 255 white."""
    if not picture.mode.startswith("I"):
        return picture
    levels = np.asarray(picture).astype(np.int64) // 257  # 65535 becomes 255
    return pillow().fromarray(levels.clip(0, 255).astype(np.uint8))


def _turn_upright(picture: Any) -> None:
    """Turn a loaded picture as browsers do; EXIF that is damaged is passed over, as they do."""
    from PIL import ImageOps

    if picture.format == "WEBP":
        return
    for name in _UNUSED_BY_BROWSERS:
        picture.info.pop(name, None)
    with suppress(Exception):  # a picture turned in place stays so if its EXIF cannot be written anew
        ImageOps.exif_transpose(picture, in_place=True)


def _on_white(picture: Any) -> Any:
    """Return a picture in mode "RGB", transparent parts white: below them, files hold any colour."""
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    page = pillow().new("RGBA", picture.size, "white")
    return pillow().alpha_composite(page, picture.convert("RGBA")).convert("RGB")


def _reason(error: Exception, path: Path) -> str:
    """Return why a picture cannot be read; the page shows it, so that it must not tell where files are."""
    from PIL import UnidentifiedImageError

    if isinstance(error, UnidentifiedImageError):
        return "it is no picture that Pillow can read"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return " ".join(str(error).replace(str(path), path.name).split()) or type(error).__name__


def unreadable_pictures(paths: Iterable[str | Path]) -> dict[int, str]:
    """Return which pictures cannot be read, and why.

    Parameters
    ----------
    paths : iterable of str or Path

    Returns
    -------
    dict of int to str
        Reasons by position; empty if all can be read.
    """
    reasons = {}
    for row, path in enumerate(paths):
        try:
            read_picture(path, _SIDE)
        except UnreadablePicture as error:
            reasons[row] = str(error)
    return reasons


class Thumbnails(TransformerMixin, BaseEstimator):
    """Picture files as 32 x 32 pixels of three colours: (n, 3072) from 0 to 1.

    Examples
    --------
    >>> from alkit.annotate.training.pictures import Thumbnails
    >>> Thumbnails().fit_transform([]).shape
    (0, 3072)
    """

    def __init__(self) -> None:
        pillow()

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def fit(self, X: Any, y: Any = None) -> Thumbnails:
        """Do nothing.

        Parameters
        ----------
        X : sequence of str or Path, (n,)
        y : ignored

        Returns
        -------
        self
        """
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Read pictures.

        Parameters
        ----------
        X : sequence of str or Path, (n,)

        Returns
        -------
        array (n, 3072)

        Raises
        ------
        UnreadableRows
            If some cannot be read. All are tried first, so that it names each of them.
        """
        pixels = np.empty((len(X), _SIDE * _SIDE * 3), dtype=np.float32)
        reasons = {}
        for row, path in enumerate(X.to_numpy() if isinstance(X, pd.Series) else X):
            try:
                picture = read_picture(path, _SIDE)
            except UnreadablePicture as error:
                reasons[row] = str(error)
                continue
            pixels[row] = np.asarray(picture.resize((_SIDE, _SIDE)), dtype=np.float32).ravel()
        if reasons:
            raise UnreadableRows(reasons)
        return pixels / 255


def pillow() -> Any:
    """Return Pillow's module of images, an optional package.

    Returns
    -------
    module

    Raises
    ------
    ModuleNotFoundError
        If it is not installed.
    """
    try:
        from PIL import Image
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "the default model for pictures needs Pillow: pip install pillow, or bring a model of your own with "
            "--estimator module:object"
        ) from error
    return Image
