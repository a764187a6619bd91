"""Looking back in a real browser, by keyboard alone: found, changed, noted, taken back after a reload; never markup."""

import pytest

from alkit.annotate import Items
from alkit.annotate.database.classes import rename_class
from tests.annotate.pictures import hills
from tests.annotate.sessions import rank
from tests.annotate.web.browser import (
    CLASSES,
    NEEDS_CHROMIUM,
    TEXTS,
    all_saved,
    labels_of,
    playwright,
    save_view,
    served,
    shown,
)

pytestmark = NEEDS_CHROMIUM
PHONE = {"width": 390, "height": 844}


def label_ten(page):
    """Label ten items as spam by keyboard; return their ids, the first first, and the id of the next."""
    item, labelled = None, []
    for _ in range(10):
        item = shown(page, after=item)
        labelled.append(item)
        page.keyboard.press("1")
    return labelled, shown(page, after=item)


def selected(page):
    return page.locator(".alkit-line-past[aria-selected=true]")


def look_back(page, n):
    page.keyboard.press("b")
    playwright.expect(page.locator(".alkit-foot [role=status]")).to_have_text(f"{n} answers")
    page.wait_for_timeout(100)


@pytest.mark.parametrize("viewport", [{"width": 1000, "height": 640}, PHONE], ids=["desk", "phone"])
def test_label_ten_change_three_note_reload_undo(tmp_path, open_page, viewport):
    with served(TEXTS, tmp_path) as (session, address):
        rank(session, [str(n) for n in range(12)], prediction="ham")
        page = open_page(address, viewport=viewport)
        labelled, following = label_ten(page)
        look_back(page, 10)
        for _ in range(3):
            page.keyboard.press("ArrowDown")
            page.keyboard.press("ArrowDown")
            page.keyboard.press("2")
            playwright.expect(selected(page).locator("b")).to_have_text("ham")
        page.keyboard.press("n")
        page.keyboard.type("1 of 2: not sure <b>at all</b>")
        page.keyboard.press("Escape")
        playwright.expect(selected(page).locator(".alkit-mark")).to_have_text(["note"])
        assert page.locator(".alkit b", has_text="at all").count() == 0
        name = "look-back" if viewport != PHONE else "look-back-phone"
        save_view(page, name)
        page.emulate_media(color_scheme="dark")
        save_view(page, f"{name}-dark")
        all_saved(page)
        latest_first = labelled[::-1]
        changed = [latest_first[place] for place in (2, 4, 6)]
        expected = dict.fromkeys(labelled, "spam") | dict.fromkeys(changed, "ham")
        assert labels_of(session) == expected
        page.keyboard.press("Escape")
        assert shown(page) == following
        page.reload()
        assert shown(page) == following
        page.wait_for_timeout(500)
        page.keyboard.press("Backspace")  # the last change, which is seen among the others
        playwright.expect(page.locator(".alkit-past")).to_be_visible()
        all_saved(page)
        assert labels_of(session) == expected | {changed[2]: "spam"}
        page.keyboard.press("Backspace")
        page.keyboard.press("Backspace")
        all_saved(page)
        assert labels_of(session) == dict.fromkeys(labelled, "spam")
        page.keyboard.press("Backspace")  # now the last label, whose item is to be labelled again
        assert shown(page, after=following) == labelled[-1]
        playwright.expect(page.locator(".alkit-past")).to_have_count(0)
        page.keyboard.press("2")
        assert shown(page, after=labelled[-1]) == following
        all_saved(page)
        assert labels_of(session) == dict.fromkeys(labelled, "spam") | {labelled[-1]: "ham"}
        notes = {answer["item"]: answer["note"] for answer in session.export() if answer["note"]}
        assert notes == {changed[2]: "1 of 2: not sure <b>at all</b>"}


def test_search_and_filters(tmp_path, open_page):
    hostile = "<img src=x onerror=document.title='x'> needle"
    with served([hostile, *TEXTS[:6]], tmp_path, classes=["<i>spam</i>", "ham"]) as (session, address):
        rank(session, [str(n) for n in range(7)], prediction="ham")
        session.label("0", "<i>spam</i>", "ann")
        session.skip("1", "ann")
        session.flag("2", "ann")
        page = open_page(address)
        shown(page)
        look_back(page, 3)
        lines = page.locator(".alkit-line-past")
        page.keyboard.press("/")
        page.keyboard.type("needle")
        playwright.expect(lines).to_have_count(1)
        playwright.expect(lines.locator("b")).to_have_text("<i>spam</i>")
        page.keyboard.press("Control+a")
        page.keyboard.press("Delete")
        playwright.expect(lines).to_have_count(3)
        choice = page.get_by_label("Which answers")
        for name, item in (("Skipped", "1"), ("Flagged", "2"), ("<i>spam</i>", "0")):
            choice.select_option(label=name)
            playwright.expect(lines).to_have_count(1)
            playwright.expect(page.locator(".alkit-past .alkit-item")).to_contain_text(
                hostile if item == "0" else TEXTS[int(item) - 1]
            )
        assert page.locator(".alkit img").count() == 0
        rename_class(session.store, "ham", "egg")
        playwright.expect(page.locator(".alkit-past .alkit-class", has_text="egg")).to_be_visible()
        page.keyboard.press("Escape")
        page.keyboard.press("Enter")
        playwright.expect(page.locator(".alkit-past .alkit-item")).to_be_focused()
        page.keyboard.press("Escape")
        playwright.expect(page.locator(".alkit-list")).to_be_focused()
        page.keyboard.press("Escape")
        shown(page)
        all_saved(page)
        assert len(list(session.export())) == 3


def test_pictures_are_seen_again(tmp_path, open_page):

    (tmp_path / "hill.png").write_bytes(hills(0))
    items = Items(["a", "b", "c"], text=["one", "two", "three"], image=[tmp_path / "hill.png"] * 3)
    with served(items, tmp_path, classes=CLASSES) as (session, address):
        page = open_page(address)
        first = shown(page)
        page.keyboard.press("1")
        shown(page, after=first)
        page.reload()
        second = shown(page)
        page.keyboard.press("b")
        page.wait_for_selector(f'.alkit-past img[alt="Picture of item {first}"]')
        save_view(page, "look-back-picture")
        page.keyboard.press("z")
        playwright.expect(page.locator(".alkit-past .is-zoomed")).to_have_count(1)
        page.keyboard.press("Escape")
        page.keyboard.press("b")
        assert shown(page) == second
        page.keyboard.press("Backspace")
        assert shown(page, after=second) == first
        page.wait_for_selector(f'.alkit-work img[alt="Picture of item {first}"]')
        all_saved(page)
        assert labels_of(session) == {}
