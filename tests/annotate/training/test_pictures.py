"""Pictures as a model sees them, against pictures whose looks are known, and files that are broken in every way."""

import io
import os
import struct
import zlib

import numpy as np
import pytest

from alkit.annotate.training.pictures import (
    Thumbnails,
    UnreadablePicture,
    UnreadableRows,
    read_picture,
    unreadable_pictures,
)

Image = pytest.importorskip("PIL.Image")

CORNERS = np.array([[(255, 0, 0), (0, 255, 0)], [(0, 0, 255), (255, 255, 0)]], np.uint8)  # red green, blue yellow


def flat(*color, size=(40, 40)):
    return Image.new("RGB", size, color)


def quarters(side=64):
    """Return a picture of four quarters, each of a colour of its own."""
    return Image.fromarray(CORNERS.repeat(side, 0).repeat(side, 1))


def corners_of(picture):
    """Return the colours of the corners, from the upper left in reading order."""
    width, height = picture.size
    places = [(5, 5), (width - 6, 5), (5, height - 6), (width - 6, height - 6)]
    return [tuple(int(round(value, -2) > 100) for value in picture.getpixel(place)) for place in places]


RED, GREEN, BLUE, YELLOW = (1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0)
# what browsers show of the quarters, by the orientation in EXIF: the standard says where row 0 and column 0 belong
TURNED = {
    1: [RED, GREEN, BLUE, YELLOW],
    2: [GREEN, RED, YELLOW, BLUE],
    3: [YELLOW, BLUE, GREEN, RED],
    4: [BLUE, YELLOW, RED, GREEN],
    5: [RED, BLUE, GREEN, YELLOW],
    6: [BLUE, RED, YELLOW, GREEN],
    7: [YELLOW, GREEN, BLUE, RED],
    8: [GREEN, YELLOW, RED, BLUE],
}


@pytest.mark.parametrize("suffix", ["jpg", "png"])
@pytest.mark.parametrize("orientation", TURNED)
def test_pictures_are_turned_as_people_see_them(tmp_path, orientation, suffix):
    exif = Image.Exif()
    exif[0x0112] = orientation
    quarters().save(tmp_path / f"x.{suffix}", exif=exif)
    assert corners_of(read_picture(tmp_path / f"x.{suffix}")) == TURNED[orientation]
    assert corners_of(read_picture(tmp_path / f"x.{suffix}", 8)) == TURNED[orientation]


def test_what_browsers_do_not_turn_is_not_turned(tmp_path):
    """Chromium passes over the EXIF of WebP files, and over an orientation that only XMP has."""
    exif = Image.Exif()
    exif[0x0112] = 6
    quarters().save(tmp_path / "x.webp", exif=exif, lossless=True)
    xmp = (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        b'<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/></rdf:RDF></x:xmpmeta>'
    )
    quarters().save(tmp_path / "x.jpg", xmp=xmp)
    for name in ("x.webp", "x.jpg"):
        assert corners_of(read_picture(tmp_path / name)) == TURNED[1]


@pytest.mark.parametrize(
    "damage", [b"Exif\0\0garbage", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0MM\0*\0\0\0\x08\xff"]
)
def test_damaged_exif_is_passed_over(tmp_path, damage):
    quarters().save(tmp_path / "x.jpg", exif=damage)
    assert corners_of(read_picture(tmp_path / "x.jpg")) == TURNED[1]


@pytest.mark.parametrize("orientation", [1, 6])
def test_sixteen_bits_become_eight(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    levels = np.tile(np.linspace(0, 65535, 64).astype(np.uint16), (64, 1))
    Image.fromarray(levels).save(tmp_path / "x.png", exif=exif)
    seen = np.asarray(read_picture(tmp_path / "x.png"))
    expected = np.round(levels / 257)
    np.testing.assert_allclose(seen[..., 0], expected if orientation == 1 else expected.T, atol=1)
    assert (seen[..., 0] == seen[..., 2]).all()


def test_sixteen_bits_in_colour(tmp_path):
    rows = b"".join(b"\0" + struct.pack(">HHH", 65535, 32896, 0) * 4 for _ in range(4))

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 4, 4, 16, 2, 0, 0, 0))
    (tmp_path / "x.png").write_bytes(
        b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    )
    assert read_picture(tmp_path / "x.png").getpixel((0, 0)) == (255, 128, 0)


SAVED = {
    "bits": (lambda: flat(255, 255, 255).convert("1"), "png", (255, 255, 255)),
    "grey": (lambda: flat(100, 100, 100).convert("L"), "png", (100, 100, 100)),
    "grey with alpha": (lambda: Image.new("LA", (40, 40), (0, 0)), "png", (255, 255, 255)),
    "palette": (lambda: flat(10, 200, 30).convert("P", palette=Image.Palette.ADAPTIVE), "png", (10, 200, 30)),
    "palette in a GIF": (lambda: flat(10, 200, 30), "gif", (10, 200, 30)),
    "half transparent": (lambda: Image.new("RGBA", (40, 40), (0, 0, 0, 127)), "png", (128, 128, 128)),
    "transparent": (lambda: Image.new("RGBA", (40, 40), (255, 0, 0, 0)), "webp", (255, 255, 255)),
    "CMYK": (lambda: flat(255, 0, 0).convert("CMYK"), "jpg", (255, 0, 0)),
    "bitmap": (lambda: flat(10, 200, 30), "bmp", (10, 200, 30)),
    "one pixel": (lambda: flat(10, 200, 30, size=(1, 1)), "png", (10, 200, 30)),
    "a line": (lambda: flat(10, 200, 30, size=(3000, 1)), "jpg", (10, 200, 30)),
}


@pytest.mark.parametrize("name", SAVED)
def test_colours_are_those_that_people_see(tmp_path, name):
    make, suffix, color = SAVED[name]
    path = tmp_path / f"x.{suffix}"
    make().save(path, **({"lossless": True, "exact": True} if suffix == "webp" else {}))
    seen = read_picture(path)
    assert seen.mode == "RGB"
    np.testing.assert_allclose(seen.getpixel((0, 0)), color, atol=4)
    np.testing.assert_allclose(Thumbnails().transform([path])[0].reshape(-1, 3)[0] * 255, color, atol=4)


@pytest.mark.parametrize("index", [0, b"\x00\xff"])
def test_a_palette_with_a_transparent_colour(tmp_path, index):
    picture = Image.new("P", (40, 40), 0)
    picture.putpalette([0, 0, 0, 255, 0, 0])
    picture.paste(1, (20, 0, 40, 40))
    picture.save(tmp_path / "x.png", transparency=index)
    seen = read_picture(tmp_path / "x.png")
    assert (seen.getpixel((0, 0)), seen.getpixel((39, 0))) == ((255, 255, 255), (255, 0, 0))


def test_an_animation_is_its_first_frame(tmp_path):
    flat(255, 0, 0).save(tmp_path / "x.gif", save_all=True, append_images=[flat(0, 0, 255)])
    assert read_picture(tmp_path / "x.gif").getpixel((0, 0)) == (255, 0, 0)


def test_a_photograph_reduced_while_it_is_decoded_looks_the_same(tmp_path):
    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(0, 255, (12, 16, 3), dtype=np.uint8))
    coarse.resize((1600, 1200)).save(tmp_path / "x.jpg", quality=95)
    assert read_picture(tmp_path / "x.jpg", 32).size == (200, 150)
    whole = np.asarray(read_picture(tmp_path / "x.jpg").resize((32, 32)), float)
    reduced = np.asarray(read_picture(tmp_path / "x.jpg", 32).resize((32, 32)), float)
    assert np.abs(whole - reduced).mean() < 2


# ---- what cannot be read


def bomb(width, height):
    """Return a PNG file of a few bytes that would take gigabytes."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


@pytest.mark.parametrize("size", [(50_000, 50_000), (10_000, 12_000), (2**31 - 1, 1), (1, 2**31 - 1)])
def test_a_decompression_bomb_is_not_decoded(tmp_path, monkeypatch, size):
    from PIL import ImageFile

    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda self: pytest.fail("it is decoded"))
    (tmp_path / "x.png").write_bytes(bomb(*size))
    with pytest.raises(UnreadablePicture, match="pixels"):
        read_picture(tmp_path / "x.png", 32)


def test_the_limit_is_pillow_s(tmp_path, monkeypatch):
    flat(255, 0, 0, size=(100, 100)).save(tmp_path / "x.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 9_999)
    with pytest.raises(UnreadablePicture, match="pixels, more than Pillow's limit"):
        read_picture(tmp_path / "x.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10_000)
    assert read_picture(tmp_path / "x.png").size == (100, 100)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    assert read_picture(tmp_path / "x.png").size == (100, 100)


def test_a_large_photograph_counts_as_it_is_decoded(tmp_path, monkeypatch):
    flat(255, 0, 0, size=(800, 800)).save(tmp_path / "x.jpg")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 400_000)
    with pytest.raises(UnreadablePicture, match="pixels"):
        read_picture(tmp_path / "x.jpg")
    assert read_picture(tmp_path / "x.jpg", 16).size == (100, 100)


@pytest.mark.parametrize("suffix", ["jpg", "png", "gif", "webp", "bmp"])
def test_files_broken_at_random_are_read_or_refused_by_name(tmp_path, suffix):
    rng = np.random.default_rng(0)
    file = io.BytesIO()
    Image.fromarray(rng.integers(0, 255, (40, 40, 3), dtype=np.uint8)).save(file, {"jpg": "jpeg"}.get(suffix, suffix))
    whole = np.frombuffer(file.getvalue(), np.uint8)
    paths = []
    for k in range(40):
        broken = whole[: rng.integers(1, len(whole))].copy() if k % 2 else whole.copy()
        for place in rng.integers(0, len(broken), rng.integers(1, 6)):
            broken[place] = rng.integers(256)
        paths.append(tmp_path / f"{k}.{suffix}")
        paths[-1].write_bytes(broken.tobytes())
    reasons = unreadable_pictures(paths)
    assert reasons
    assert all(reason and str(tmp_path) not in reason for reason in reasons.values())
    readable = [path for k, path in enumerate(paths) if k not in reasons]
    assert Thumbnails().transform(readable).shape == (len(readable), 3072)
    with pytest.raises(UnreadableRows) as error:
        Thumbnails().transform(paths)
    assert error.value.reasons == reasons


@pytest.mark.parametrize(("content", "why"), [(b"", "no picture"), (b"text", "no picture"), (None, "No such file")])
def test_why_a_file_is_refused(tmp_path, content, why):
    if content is not None:
        (tmp_path / "x.png").write_bytes(content)
    with pytest.raises(UnreadablePicture, match=why):
        read_picture(tmp_path / "x.png")


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "picture.png")
    with pytest.raises(UnreadablePicture, match="it is no regular file"):
        read_picture(tmp_path / "picture.png")


def test_rows_are_named():
    assert str(UnreadableRows({3: "torn", 1: "wet"})) == (
        "2 rows cannot be read, the first is row 1: wet; leave them out, or repair them"
    )
