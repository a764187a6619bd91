"""Pages: pictures are there and described, links lead somewhere, scripts that are named exist."""

import re
import runpy
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[1]
FOUND = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")]
PAGES = [path for path in sorted(FOUND) if not {"_build", "generated"} & set(path.parts)]
PICTURE = re.compile(r"!\[(.*?)\]\((\S+?)\)", re.DOTALL)
LINK = re.compile(r"(?<!!)\[[^\]\[]*\]\(([^)\s]+)\)")
NAMED = re.compile(r"`[^`]*?\b((?:examples|tests)/[\w/]+\.(?:py|ipynb|png))")


def without_code(page):
    return re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


def headings(page):
    """Return the anchors of a page's headings, as GitHub and MyST name them."""
    titles = re.findall(r"^#+ (.+)$", without_code(page), re.MULTILINE)
    plain = [re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title).lower().replace(" ", "-") for title in titles]
    return {re.sub(r"[^\w-]", "", title) for title in plain}


def name_of(page):
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_pictures_are_there_and_say_in_words_what_they_show(page):
    for words, path in PICTURE.findall(without_code(page)):
        assert len(words.split()) >= 3, f"{path}: {words!r} does not say what the picture shows"
        assert (page.parent / path).is_file(), path


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_inside_lead_somewhere(page):
    for link in LINK.findall(without_code(page)):
        if link.startswith(("http", "mailto:")):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        if anchor:
            assert anchor in headings(target), f"{link}: there is {sorted(headings(target))}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_scripts_that_are_named_are_there(page):
    for path in NAMED.findall(without_code(page)):
        assert (ROOT / path).is_file(), path


def test_helpers_that_contributing_names_are_there():
    sources = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "alkit").rglob("*.py"))
    for name in re.findall(r"`(?:\w+\.)*(_[a-z]\w+)`", without_code(ROOT / "docs" / "contributing.md")):
        assert f"def {name}" in sources, name


def test_the_picture_of_masks_shows_what_its_caption_says(tmp_path, monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "agg")
    script = runpy.run_path(str(ROOT / "docs" / "pictures" / "mc_dropout.py"))
    net, rows = torch.nn.Sequential(torch.nn.Dropout(0.5)), torch.ones(6, 10)
    by_torch, by_alkit = script["masks_by_torch"](net, rows), script["masks_by_alkit"](net, rows)
    assert (by_alkit == by_alkit[:1]).all()
    assert not (by_torch == by_torch[:1]).all()
    script["main"](tmp_path / "masks.svg")
    assert "sample k is one network" in (tmp_path / "masks.svg").read_text()
