"""Files that are replaced as a whole or not at all."""

import errno
import os
import stat

import pytest

from alkit.annotate import files
from alkit.annotate.files import make_private, replacing, write_private


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_an_error_leaves_what_was_there_and_nothing_beside(tmp_path):
    path = tmp_path / "labels.jsonl"
    path.write_text("old")

    def break_off():
        with replacing(path) as file:
            file.write(b"new")
            assert path.read_text() == "old"
            raise KeyError

    with pytest.raises(KeyError):
        break_off()
    assert path.read_text() == "old"
    with replacing(path) as file:
        file.write(b"new")
    assert path.read_text() == "new"
    assert os.listdir(tmp_path) == ["labels.jsonl"]


def test_permissions_are_kept(tmp_path):
    old, new = tmp_path / "old", tmp_path / "new"
    old.touch(0o640)
    for path in (old, new):
        with replacing(path):
            pass
    usual = tmp_path / "usual"
    usual.touch()
    assert (mode(old), mode(new)) == (0o640, mode(usual))


@pytest.mark.parametrize("exists", [True, False])
def test_links_are_followed(tmp_path, exists):
    (tmp_path / "folder").mkdir()
    target = tmp_path / "folder" / "labels.jsonl"
    if exists:
        target.write_text("old")
    link = tmp_path / "link"
    link.symlink_to(target)
    with replacing(link) as file:
        file.write(b"new")
    assert link.is_symlink()
    assert target.read_text() == "new"


def test_a_name_as_long_as_names_may_be(tmp_path):
    path = tmp_path / ("x" * 255)
    with replacing(path) as file:
        file.write(b"new")
    assert path.read_text() == "new"


def test_what_is_no_regular_file_is_written_to(tmp_path):
    reading, writing = os.pipe()
    with replacing(f"/dev/fd/{writing}") as file:
        file.write(b"new")
    assert os.read(reading, 10) == b"new"
    os.close(reading)
    os.close(writing)


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("", IsADirectoryError, "pass the name of a file in it"),
        ("nowhere/labels.jsonl", FileNotFoundError, "make its folder first"),
        ("file/labels.jsonl", NotADirectoryError, "make its folder first"),
        ("x" * 256, OSError, "cannot be written"),
    ],
)
def test_what_cannot_be_written(tmp_path, name, kind, message):
    (tmp_path / "file").write_text("old")
    with pytest.raises(kind, match=message) as caught, replacing(tmp_path / name):
        pass
    assert str(tmp_path / name) in str(caught.value)
    assert os.listdir(tmp_path) == ["file"]


def test_a_write_protected_file_is_not_replaced(tmp_path, monkeypatch):
    path = tmp_path / "labels.jsonl"
    path.write_text("old")
    monkeypatch.setattr(files.os, "access", lambda path, what: False)  # those who run tests as root may write all
    with pytest.raises(PermissionError, match="write-protected"), replacing(path):
        pass
    assert path.read_text() == "old"


def test_a_full_disk(tmp_path):
    path = tmp_path / "labels.jsonl"
    path.write_text("old")
    message = "free space on its disk; what was there before is unchanged"
    with pytest.raises(OSError, match=message) as caught, replacing(path):
        raise OSError(errno.ENOSPC, "no space left")
    assert caught.value.errno == errno.ENOSPC
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["labels.jsonl"]


def test_errors_of_what_is_read_meanwhile_stay_what_they_are(tmp_path):
    with pytest.raises(FileNotFoundError) as caught, replacing(tmp_path / "labels.jsonl"):
        (tmp_path / "nowhere").read_bytes()
    assert caught.value.filename == str(tmp_path / "nowhere")


def test_private_files_do_not_follow_links(tmp_path):
    other, model = tmp_path / "other", tmp_path / "labels.db.model"
    other.write_text("other")
    model.symlink_to(other)
    write_private(model, b"model")
    assert not model.is_symlink()
    assert (model.read_bytes(), mode(model), other.read_text()) == (b"model", 0o600, "other")
    (tmp_path / "lock").symlink_to(other)
    with pytest.raises(OSError, match="symbolic link"):
        make_private(tmp_path / "lock")


def test_private_from_the_first_moment_on(tmp_path):
    make_private(tmp_path / "new")
    (tmp_path / "old").touch(0o644)
    make_private(tmp_path / "old")
    assert mode(tmp_path / "new") == mode(tmp_path / "old") == 0o600
