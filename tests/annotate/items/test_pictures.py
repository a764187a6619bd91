"""Pictures: which are shown, which are refused by name, and that none is decoded to find out."""

import os
import struct
import sys
import threading
import zlib

import numpy as np
import pytest
from PIL import Image

from alkit.annotate.items import Items, read_items
from tests.annotate.pictures import hills

SIZE = (60, 40)


def png_of(width, height):
    """The header of a picture of any size, and hardly any data."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.png").write_bytes(hills(number, size=SIZE))
    return folder


def refused(path, match, **options):
    """The message of a refusal, after which skipping keeps the other three pictures."""
    with pytest.raises(ValueError, match=match) as caught:
        read_items(path, **options)
    items = read_items(path, skip_unreadable=True, **options)
    assert len(items) == 3
    assert any("left out" in note for note in items.notes)
    return str(caught.value)


def test_all_formats_and_modes_are_read(folder):
    rng = np.random.default_rng(0)
    for mode in ("L", "P", "CMYK", "LA"):
        name = "jpg" if mode == "CMYK" else "png"
        Image.fromarray(rng.integers(0, 255, (40, 60, 3), dtype=np.uint8)).convert(mode).save(folder / f"{mode}.{name}")
    Image.fromarray(rng.integers(0, 65535, (40, 60)).astype(np.uint16)).save(folder / "16 bit.PNG")
    for name in ("a.JPG", "a.webp", "a.gif", "a.bmp"):
        Image.fromarray(rng.integers(0, 255, (40, 60, 3), dtype=np.uint8)).save(folder / name)
    items = read_items(folder)
    assert len(items) == 3 + 4 + 1 + 4
    assert items.notes == ("photos: 12 pictures",)


def test_what_is_no_picture_is_named(folder):
    (folder / "empty.png").touch()
    (folder / "text.jpg").write_text("none")
    (folder / "drawing.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    (folder / "scan.tiff").write_bytes(b"II*\0" + bytes(50))
    (folder / "gone.png").symlink_to(folder / "nowhere.png")
    (folder / "loop.png").symlink_to(folder / "loop.png")
    message = refused(folder, "6 of 9 pictures of .*photos cannot be shown")
    for name, why in [
        ("empty.png", "is empty"),
        ("text.jpg", "is no PNG, JPEG"),
        ("drawing.svg", "is no PNG"),
        ("scan.tiff", "is no PNG"),
        ("gone.png", "No such file"),
        ("loop.png", "Too many levels"),
    ]:
        (line,) = [line for line in message.splitlines() if name in line]
        assert why in line
    assert "--skip-unreadable" in message


def test_a_long_list_is_cut(folder):
    for number in range(100, 150):
        (folder / f"{number}.png").touch()
    message = refused(folder, "50 of 53 pictures")
    assert "and 30 more" in message
    assert len(message.splitlines()) == 22


def test_nothing_is_left_to_skip_to(tmp_path):
    (tmp_path / "a.png").touch()
    with pytest.raises(ValueError, match="1 of 1 pictures"):
        read_items(tmp_path, skip_unreadable=True)


@pytest.mark.parametrize("side", [20_000, 60_000])
def test_a_decompression_bomb_is_refused_and_not_decoded(folder, side, monkeypatch):
    (folder / "bomb.png").write_bytes(png_of(side, side))
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("decoded"))
    message = refused(folder, "1 of 4 pictures")
    assert "bomb.png: has over 178,956,970 pixels" in message
    with pytest.raises(ValueError, match="item 'b', .*bomb.png: has over"):
        Items(["b"], image=[folder / "bomb.png"])


def test_large_photographs_are_read_without_a_warning(folder):
    (folder / "large.png").write_bytes(png_of(12_000, 10_000))
    assert len(read_items(folder)) == 4


def test_pipes_and_folders_are_not_waited_for(folder):
    os.mkfifo(folder / "pipe.jpg")
    (folder / "folder.jpg").mkdir()
    (folder / "device.png").symlink_to("/dev/zero")
    done = []
    reading = threading.Thread(target=lambda: done.append(refused(folder, "2 of 5", allow_outside=True)), daemon=True)
    reading.start()
    reading.join(30)
    assert done
    assert "pipe.jpg: is no regular file" in done[0]
    assert "device.png: is no regular file" in done[0]


def test_a_pipe_as_data_is_refused(tmp_path):
    os.mkfifo(tmp_path / "a.csv")
    with pytest.raises(ValueError, match="cannot be read: it is no regular file"):
        read_items(tmp_path / "a.csv")


def test_damaged_pictures_are_named_and_do_not_stop_anybody(folder):
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (200, 200, 3), dtype=np.uint8)).save(folder / "cut.jpg")
    whole = (folder / "cut.jpg").read_bytes()
    (folder / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "header.png").write_bytes(hills(7)[:20])
    items = read_items(folder)
    assert len(items) == 5
    (note,) = [note for note in items.notes if "may be shown in part or not at all" in note]
    assert "cut.jpg: lacks the mark of its end" in note
    assert "header.png: is damaged: its header cannot be read" in note
    assert read_items(folder, skip_unreadable=True).ids == ["0.png", "1.png", "2.png", "cut.jpg"]


def test_without_pillow_the_first_bytes_decide(folder, monkeypatch):
    (folder / "text.jpg").write_text("none")
    monkeypatch.setitem(sys.modules, "PIL", None)
    refused(folder, "1 of 4 pictures")


@pytest.fixture
def table(folder):
    """A table beside its pictures, of which rows can be added."""
    (folder.parent / "secret.png").write_bytes(hills(9, size=SIZE))
    path = folder / "table.csv"
    path.write_text("name,file\na,0.png\nb,1.png\nc,2.png\n")

    def with_row(cell):
        path.write_text(f"name,file\na,0.png\nb,{cell}\nc,1.png\nd,2.png\n")
        return path

    return with_row


@pytest.mark.parametrize(
    "cell", ["../secret.png", "sub/../../secret.png", "{folder}/../secret.png", "link.png", "sub/secret.png"]
)
def test_paths_of_a_table_stay_in_its_folder(folder, table, cell):
    (folder / "link.png").symlink_to(folder.parent / "secret.png")
    (folder / "sub").symlink_to(folder.parent)
    path = table(cell.format(folder=folder))
    message = refused(path, "1 of 4 pictures of .*table.csv", image="file")
    assert "item '1', row 3, column 'file', " in message
    assert f"lies outside of {os.path.realpath(folder)}, which needs --allow-outside" in message
    if cell != "sub/../../secret.png":  # leads through the link, to where there is none
        assert len(read_items(path, image="file", allow_outside=True)) == 4


def test_absolute_paths_and_links_within_the_folder_are_fine(folder, table):
    (folder / "link.png").symlink_to(folder / "0.png")
    for cell in (folder / "0.png", "link.png", "./0.png", f"../{folder.name}/0.png"):
        assert len(read_items(table(cell), image="file")) == 4
    linked = folder.parent / "linked"
    linked.symlink_to(folder)
    assert len(read_items(linked / "table.csv", image="file")) == 4
    assert len(read_items(linked)) == 4


def test_links_out_of_a_folder_are_refused(folder):
    other = folder.parent / "other"
    other.mkdir()
    (other / "secret.png").write_bytes(hills(9))
    (folder / "link.png").symlink_to(other / "secret.png")
    (folder / "linked folder").symlink_to(other)
    refused(folder, "item 'link.png', .*lies outside of")
    items = read_items(folder, allow_outside=True)
    assert len(items) == 4
    assert items.notes[1] == "1 linked folders are not entered, the first is linked folder"


def test_cells_without_a_picture(folder, table):
    message = refused(table(""), "1 of 4 pictures", image="file")
    assert "row 3, column 'file', " in message
    assert "the cell is empty" in message
    assert read_items(table(""), image="file", skip_unreadable=True).ids == ["0", "2", "3"]
    refused(table("x" * 5000), "File name too long", image="file")
    lines = folder / "table.jsonl"
    lines.write_text('{"file": "0.png"}\n{"file": 7}\n')
    with pytest.raises(ValueError, match="1 of 2 rows of .* have no picture in column 'file'; the first is line 2"):
        read_items(lines, image="file")


def test_a_text_beside_a_picture_may_be_empty(table):
    path = table("0.png")
    path.write_text(path.read_text().replace("b,", ","))
    assert read_items(path, image="file", text="name").text == ["a", "", "c", "d"]


def test_names_that_are_not_utf_8_can_be_labelled(folder):
    name = os.fsdecode("café.png".encode("latin-1"))
    try:
        (folder / name).write_bytes(hills(9))
    except OSError:
        pytest.skip("this file system takes no such name")
    items = read_items(folder)
    assert items.ids[-1] == r"caf\xe9.png"
    assert '"image": "caf\\\\xe9.png"' in list(items.contents())[-1]
    assert items.image[-1].read_bytes() == hills(9)


def test_folders_that_cannot_be_read_are_named(folder, monkeypatch):
    def walk(top, onerror):
        onerror(PermissionError(13, "Permission denied", os.path.join(top, "below")))
        yield from ()

    monkeypatch.setattr(os, "walk", walk)
    with pytest.raises(ValueError, match="the folder .*below cannot be read: Permission denied"):
        read_items(folder)
