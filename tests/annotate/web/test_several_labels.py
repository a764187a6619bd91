"""Several labels per item in a real browser, by keyboard: toggled, suggested, saved together, and changed."""

import csv
import json
import random
import subprocess
import sys
import time
import urllib.request
import uuid

import pytest

from alkit.annotate.database.label_kinds import write_proba
from alkit.annotate.database.ranking import Ranked, put_ranking
from tests.annotate.web.browser import (
    NEEDS_CHROMIUM,
    TEXTS,
    all_saved,
    command,
    labels_of,
    playwright,
    save_view,
    served,
    shown,
)

pytestmark = NEEDS_CHROMIUM
WORDS = {
    "sport": "match goal", "politics": "vote minister", "weather": "storm cloud", "economy": "shares bank",
    "science": "laser theory", "health": "doctor fever", "culture": "opera novel", "travel": "train harbour",
    "technology": "phone battery", "food": "recipe oven", "local news": "mayor street", "opinion": "column letter",
}  # fmt: skip
CLASSES = list(WORDS)
KEYS = "1234567890ac"
PHONE = {"width": 390, "height": 844}
QUICK = """
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline


def model():
    return make_pipeline(TfidfVectorizer(), OneVsRestClassifier(LogisticRegression(C=10.0, class_weight="balanced")))
"""


def keys_of(labels):
    return [KEYS[CLASSES.index(name)] for name in labels]


def on(page):
    boxes = page.locator(".alkit-work [role=checkbox][aria-checked=true]")
    return sorted(boxes.evaluate_all("boxes => boxes.map((box) => box.dataset.class)"))


# ---- fifty items, with the command and its model


def write_items(folder):
    """Write 50 items; return the labels of each by its id."""
    draw = random.Random(0)
    truth = {f"n{number}": [name for name in CLASSES if draw.random() < 0.2] for number in range(50)}
    with (folder / "items.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "body"])
        for key, labels in truth.items():
            writer.writerow([key, f"Reported today: {', '.join(WORDS[name] for name in labels) or 'nothing at all'}."])
    return truth


def ask(address, path, event=None):
    """Send a request as somebody without a browser does; None where nothing is left."""
    url, _, token = address.partition("/?token=")
    body = None if event is None else json.dumps(event).encode()
    request = urllib.request.Request(f"{url}/{path}", body, {"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request) as response:
        text = response.read()
    return json.loads(text) if text else None


def label_as_bob(address, truth):
    """Label all items as one who takes every travel for culture."""
    while (item := ask(address, "api/next")) is not None:
        labels = {"culture" if name == "travel" else name for name in truth[item["item"]]}
        event = {"uuid": str(uuid.uuid4()), "item": item["item"], "kind": "label", "value": sorted(labels)}
        ask(address, "api/events", event)


def label_by_keyboard(page, address, truth):
    """Label fifty items; return how often the suggestion was taken as a whole."""
    item, accepted = None, 0
    for number in range(50):
        item = shown(page, after=item)
        labels = truth[item]
        boxes = page.locator(".alkit-class.is-suggested")
        suggested = boxes.evaluate_all("boxes => boxes.map((box) => box.dataset.class)")
        if suggested and set(suggested) <= set(labels):
            page.keyboard.press("Space")
            accepted += set(suggested) == set(labels)
            labels = [name for name in labels if name not in suggested]
        for sign in keys_of(labels):
            page.keyboard.press(sign)
        assert on(page) == sorted(truth[item])
        page.keyboard.press("Enter")
        if number % 10 == 9:
            wait_for_model(address, number + 1)
    return accepted


def wait_for_model(address, n_labels):
    """Wait until the model has learnt from so many answers, however busy the machine is."""
    until = time.monotonic() + 300
    while (ask(address, "api/progress")["model"]["n_labels"] or 0) < n_labels:
        assert time.monotonic() < until, ask(address, "api/progress")["model"]
        time.sleep(0.5)


def test_fifty_items_with_twelve_labels_by_keyboard(tmp_path, open_page):
    truth = write_items(tmp_path)
    arguments = ["items.csv", "--id", "id", "--text", "body", "--classes", ",".join(CLASSES), "--multi"]
    (tmp_path / "quick.py").write_text(QUICK)  # the usual ones may take minutes to load on a busy machine
    arguments += ["--annotators", "ann,bob", "--overlap", "2", "--random-share", "0.2", "--estimator", "quick:model"]
    with command(*arguments, cwd=tmp_path) as addresses:
        page = open_page(addresses["ann"])
        accepted = label_by_keyboard(page, addresses["ann"], truth)
        playwright.expect(page.get_by_role("heading", name="Nothing for you right now")).to_be_visible()
        all_saved(page)
        label_as_bob(addresses["bob"], truth)
        progress = ask(addresses["ann"], "api/progress")
        with urllib.request.urlopen(addresses["all labels"]) as response:
            answers = [json.loads(line) for line in response]
        text = subprocess.run(
            [sys.executable, "-m", "alkit", "report", "--db", "labels.db"], cwd=tmp_path, capture_output=True,
            check=True, text=True,
        ).stdout  # fmt: skip
    given = {answer["item"]: answer["value"] for answer in answers if answer["annotator"] == "ann"}
    assert given == {key: sorted(labels) for key, labels in truth.items()}
    assert (len(answers), progress["n_done"], progress["n_labels"]) == (100, 50, 100)
    assert accepted > 3
    assert progress["curve"][-1]["score"] > 0.3
    rows = [line.split() for line in text.partition("agreement per label")[2].splitlines() if line]
    table = {row[0]: row[-3:] for row in rows}
    assert table["sport"] == ["1", "1", "1"]
    n_travels = sum("travel" in labels for labels in truth.values())
    assert float(table["travel"][0]) == pytest.approx(1 - n_travels / 50, abs=0.01)
    assert float(table["culture"][1]) < 1


# ---- keys, and what is seen of suggestions


def rank(session, proba):
    items = [row["id"] for row in session.store.query("SELECT id FROM item ORDER BY position")]
    put_ranking(session.store, [Ranked(item, k, 1.0, write_proba(proba), 0.6) for k, item in enumerate(items)], 4, 0.0)


PROBA = dict(zip(CLASSES, [0.97, 0.4, 0.9, 0.02, 0.05, 0.6, 0.1, 0.3, 0.01, 0.02, 0.8, 0.12], strict=True))


def test_suggestions_are_marked_and_taken_as_a_start(tmp_path, open_page):
    with served(TEXTS, tmp_path, classes=CLASSES, multi=True, random_share=0.0) as (session, address):
        rank(session, PROBA)
        page = open_page(address)
        first = shown(page)
        box = page.get_by_role("checkbox", name="sport 97 %")
        playwright.expect(box).to_have_attribute("aria-checked", "false")
        unsure = page.get_by_role("checkbox", name="the model is unsure")
        assert unsure.evaluate_all("boxes => boxes.map((box) => box.dataset.class)") == ["politics", "health", "travel"]
        page.keyboard.press("7")
        page.keyboard.press("Space")
        page.keyboard.press("3")
        assert on(page) == ["culture", "health", "local news", "sport"]
        playwright.expect(page.locator(".alkit-save")).to_contain_text("Save 4 labels")
        save_view(page, "several-labels")
        page.emulate_media(color_scheme="dark")
        save_view(page, "several-labels-dark")
        page.keyboard.press("b")  # what was toggled stays meanwhile
        page.keyboard.press("b")
        shown(page)
        assert on(page) == ["culture", "health", "local news", "sport"]
        page.keyboard.press("Enter")
        second = shown(page, after=first)
        assert on(page) == []
        page.keyboard.press("Enter")  # none of them
        third = shown(page, after=second)
        page.keyboard.press("x")
        shown(page, after=third)
        page.keyboard.press("Backspace")
        page.keyboard.press("Backspace")
        page.keyboard.press("Backspace")
        shown(page, after=second)
        assert shown(page) == first
        assert on(page) == ["culture", "health", "local news", "sport"]
        page.keyboard.press("0")
        page.keyboard.press("Enter")
        shown(page, after=first)
        all_saved(page)
        assert labels_of(session) == {first: ["culture", "food", "health", "local news", "sport"]}


def test_by_mouse_and_by_tab(tmp_path, open_page):
    with served(TEXTS, tmp_path, classes=CLASSES, multi=True) as (session, address):
        page = open_page(address)
        first = shown(page)
        page.locator(".alkit-class").nth(1).click()
        page.keyboard.press("Tab")
        page.keyboard.press("Space")
        assert on(page) == ["politics", "weather"]
        page.keyboard.press("Enter")  # saves, although a checkbox has the focus
        second = shown(page, after=first)
        page.locator(".alkit-class").nth(0).click()
        page.locator(".alkit-save").click()
        shown(page, after=second)
        all_saved(page)
        assert labels_of(session) == {first: ["politics", "weather"], second: ["sport"]}


def test_more_classes_than_keys(tmp_path, open_page):
    classes = [f"class {n}" for n in range(40)] + ["needle"]
    with served(TEXTS, tmp_path, classes=classes, multi=True) as (session, address):
        page = open_page(address)
        first = shown(page)
        page.keyboard.press("y")  # the last letter: of the digits and letters that do nothing else, the 31st
        page.keyboard.press("/")
        page.keyboard.type("needle")
        page.keyboard.press("Enter")
        page.keyboard.type("class 39")
        page.keyboard.press("Enter")
        page.keyboard.press("Escape")
        save_view(page, "several-labels-many")
        playwright.expect(page.locator(".alkit-save")).to_contain_text("Save: class 30, class 39, needle")
        page.keyboard.press("1")
        assert on(page) == ["class 0", "class 30", "class 39", "needle"]
        page.keyboard.press("Enter")
        shown(page, after=first)
        all_saved(page)
        assert labels_of(session) == {first: ["class 0", "class 30", "class 39", "needle"]}


@pytest.mark.parametrize("viewport", [{"width": 1000, "height": 640}, PHONE], ids=["desk", "phone"])
def test_look_back_and_change(tmp_path, open_page, viewport):
    with served(TEXTS, tmp_path, classes=CLASSES, multi=True, random_share=0.0) as (session, address):
        rank(session, PROBA)
        for item, labels in (("0", ["sport"]), ("1", []), ("2", ["food", "sport"])):
            session.label(item, labels, "ann")
        page = open_page(address, viewport=viewport)
        following = shown(page)
        if viewport == PHONE:
            save_view(page, "several-labels-phone")
        page.keyboard.press("b")
        lines = page.locator(".alkit-line-past")
        playwright.expect(lines).to_have_count(3)
        page.get_by_label("Which answers").select_option(label="Without a label")
        playwright.expect(lines).to_have_count(1)
        page.keyboard.press("2")
        page.keyboard.press("a")
        playwright.expect(lines.locator("b")).to_have_text("politics, local news")
        save_view(page, "several-labels-past" + ("-phone" if viewport == PHONE else ""))
        page.keyboard.press("2")
        page.keyboard.press("b")
        assert shown(page) == following
        all_saved(page)
        assert labels_of(session) == {"0": ["sport"], "1": ["local news"], "2": ["food", "sport"]}
        page.keyboard.press("Backspace")
        page.keyboard.press("Backspace")
        page.keyboard.press("Backspace")
        all_saved(page)
        assert labels_of(session)["1"] == []
