"""Finding a class by its name, in a real browser: keys edit what is looked for, and Enter takes what is marked."""

import pytest

from tests.annotate.web.browser import NEEDS_CHROMIUM, all_saved, labels_of, save_view, served, shown

pytestmark = NEEDS_CHROMIUM

CLASSES = [
    "phone case", "smartphone", "Phone", "telephone box", "phones", "CASE", "case 2", "2", "2 cases",
    "Zürich", "x", "f", "top 10",
]  # fmt: skip
TEXTS = [f"Parcel {n} is waiting for you at the desk." for n in range(12)]


def typed(page, *keys):
    page.keyboard.press("/")
    for key in keys:
        if len(key) > 1 and key[0].isupper():
            page.keyboard.press(key)
        else:
            page.keyboard.type(key)


@pytest.mark.parametrize(
    ("keys", "label"),
    [
        (["phone"], "Phone"),
        (["phone "], "Phone"),
        (["phones"], "phones"),
        (["phone c"], "phone case"),
        (["tele"], "telephone box"),
        (["artp"], "smartphone"),
        (["case"], "CASE"),
        (["2"], "2"),
        (["10"], "top 10"),
        (["x"], "x"),
        (["f"], "f"),
        (["zür"], "Zürich"),
        (["zu\u0308rich"], "Zürich"),  # typed as a letter and a mark
        (["phone", "ArrowDown"], "phone case"),
        (["phone", "ArrowDown", "ArrowDown", "ArrowUp"], "phone case"),
        (["phone", "ArrowUp"], "Phone"),
        (["phone", *["ArrowDown"] * 30], "telephone box"),
        (["phons", "Backspace", "e"], "Phone"),
        (["hone", "Home", "p"], "Phone"),
        (["phne", "ArrowLeft", "ArrowLeft", "o"], "Phone"),
        (["ArrowDown"], "phone case"),
        (["ArrowDown", "ArrowDown"], "smartphone"),
    ],
)
def test_enter_takes_what_is_marked(keys, label, tmp_path, open_page):
    with served(TEXTS, tmp_path, CLASSES, title="goods.csv") as (session, address):
        page = open_page(address)
        first = shown(page)
        typed(page, *keys)
        assert page.locator(".alkit-class.is-highlighted").get_attribute("data-class") == label
        marked = page.locator(".alkit-filter").get_attribute("aria-activedescendant")
        assert page.locator(f"[id='{marked}']").get_attribute("data-class") == label
        if keys == ["phone"]:
            save_view(page, "search")
        page.keyboard.press("Enter")
        shown(page, after=first)
        all_saved(page)
        assert labels_of(session) == {first: label}
        assert page.locator(".alkit-filter").input_value() == ""
        assert page.locator(".alkit-class").count() == len(CLASSES)


@pytest.mark.parametrize("keys", [[], ["  "], ["no such class"], ["2", "Backspace"], ["ArrowDown", "Escape", "/"]])
def test_where_nothing_is_marked_enter_takes_nothing(keys, tmp_path, open_page):
    with served(TEXTS, tmp_path, CLASSES) as (session, address):
        page = open_page(address)
        first = shown(page)
        typed(page, *keys)
        page.keyboard.press("Enter")
        page.wait_for_timeout(300)
        assert page.locator("main").get_attribute("data-item") == first
        assert list(session.export()) == []


def test_keys_label_again_once_the_search_is_left(tmp_path, open_page):
    with served(TEXTS, tmp_path, CLASSES) as (session, address):
        page = open_page(address)
        first = shown(page)
        typed(page, "phone")
        hidden = "key => getComputedStyle(key).visibility"
        digit = page.locator(".alkit-class kbd").first
        assert digit.evaluate(hidden) == "hidden"  # digits are typed
        page.locator(".alkit-item").click()
        assert digit.evaluate(hidden) == "visible"
        page.keyboard.press("2")  # of those found
        second = shown(page, after=first)
        page.keyboard.press("2")  # of all
        third = shown(page, after=second)
        typed(page, "phone")
        page.locator(".alkit-class", has_text="telephone box").click()
        shown(page, after=third)
        all_saved(page)
        assert labels_of(session) == {first: "phone case", second: "smartphone", third: "telephone box"}
