"""Reloads, several tabs, and people who look away, in a real browser: who holds which item, and which time counts."""

import time

import pytest

from alkit.annotate.database.leases import held_items
from tests.annotate.web.browser import (
    CLASSES,
    NEEDS_CHROMIUM,
    TEXTS,
    all_saved,
    labels_of,
    playwright,
    served,
    shown,
)

pytestmark = NEEDS_CHROMIUM

MANY = [f"Parcel {n} is waiting for you at the desk." for n in range(25)]


def held(session, annotator="ann"):
    return set(held_items(session.store, annotator, time.time()).values())


def open_tab(page, address=None):
    """Open another tab in the same browser; without an address, as "duplicate tab" does."""
    if address is None:
        with page.context.expect_page() as opened:
            page.evaluate("window.open(location.href)")  # takes the session storage along
        return opened.value
    tab = page.context.new_page()
    tab.goto(address)
    return tab


def hide(page, hidden=True):
    """Have the page believe that it is in the background."""
    page.evaluate(
        """hidden => {
            Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
            document.dispatchEvent(new Event("visibilitychange"));
        }""",
        hidden,
    )


def test_reloads_hold_no_more(tmp_path, open_page):
    with served(MANY, tmp_path) as (session, address):
        page = open_page(address)
        first = shown(page)
        page.wait_for_load_state("networkidle")
        before = held(session)
        assert len(before) == 2
        for _ in range(15):
            page.reload()
            assert shown(page) == first
        page.wait_for_load_state("networkidle")
        assert held(session) == before
        page.keyboard.press("1")
        assert {first, shown(page, after=first)} == before


def test_a_link_opened_again_in_the_same_tab_goes_on(tmp_path, open_page):
    with served(MANY, tmp_path) as (session, address):
        page = open_page(address)
        first = shown(page)
        for _ in range(3):
            page.goto("about:blank")
            page.goto(address)
            assert shown(page) == first
        page.go_back()
        page.go_forward()
        assert shown(page) == first
        assert len(held(session)) == 2


@pytest.mark.parametrize("how", ["link", "duplicate"])
def test_two_tabs_have_no_item_in_common(how, tmp_path, open_page):
    with served(MANY, tmp_path) as (session, address):
        page = open_page(address)
        tab = open_tab(page, address if how == "link" else None)
        items = [None, None]
        seen = []
        for _ in range(4):
            for k, one in enumerate((page, tab)):
                one.bring_to_front()
                items[k] = shown(one, after=items[k])
                seen.append(items[k])
                one.keyboard.press(str(k + 1))
        for one in (page, tab):
            one.bring_to_front()
            all_saved(one)
        assert len(set(seen)) == 8
        assert labels_of(session) == {item: CLASSES[k % 2] for k, item in enumerate(seen)}
        again = [shown(page, after=items[0]), shown(tab, after=items[1])]
        for one in (page, tab):
            one.reload()
        assert [shown(page), shown(tab)] == again


def test_many_tabs_leave_something_to_others(tmp_path, open_page):
    with served(MANY, tmp_path) as (session, address):
        page = open_page(address)
        shown(page)
        tabs = [open_tab(page, address) for _ in range(9)]
        tabs[-1].wait_for_load_state("networkidle")
        assert len(held(session)) <= 15
        assert session.next("bob") is not None
        heading = tabs[-1].get_by_role("heading", name="Nothing for you right now")
        playwright.expect(heading).to_be_visible()


def test_an_undone_item_stays_in_its_tab(tmp_path, open_page):
    with served(TEXTS[:3], tmp_path) as (session, address):
        page = open_page(address)
        first = shown(page)
        page.keyboard.press("1")
        second = shown(page, after=first)
        page.keyboard.press("Backspace")
        assert shown(page, after=second) == first
        all_saved(page)
        tab = open_tab(page, address)
        playwright.expect(tab.get_by_role("heading", name="Nothing for you right now")).to_be_visible()
        page.bring_to_front()
        page.keyboard.press("2")
        shown(page, after=first)
        all_saved(page)
        assert labels_of(session) == {first: "ham"}


# ---- leases


def test_an_item_that_is_looked_at_stays(tmp_path, open_page):
    with served(TEXTS[:2], tmp_path, lease_seconds=2.0) as (session, address):
        page = open_page(address)
        item = shown(page)
        for _ in range(12):
            page.wait_for_timeout(500)
            assert session.next("bob") is None
        page.keyboard.press("1")
        all_saved(page)
        assert [(answer["item"], answer["late"]) for answer in session.export()] == [(item, False)]


@pytest.mark.parametrize("away", ["idle", "hidden"])
def test_the_items_of_who_is_away_go_to_others(away, tmp_path, open_page):
    with served(TEXTS[:2], tmp_path, lease_seconds=1.5, idle_after=1.0) as (session, address):
        page = open_page(address)
        item = shown(page)
        if away == "hidden":
            hide(page)
        until = time.monotonic() + 15
        while len(held(session, "bob")) < 2 and time.monotonic() < until:
            page.wait_for_timeout(200)
            session.next("bob")
        session.label(item, "ham", "bob")
        if away == "hidden":
            hide(page, hidden=False)
        else:
            page.mouse.move(300, 300)
            page.mouse.move(310, 310)
        playwright.expect(page.get_by_role("heading", name="Nothing for you right now")).to_be_visible()
        page.keyboard.press("1")
        assert labels_of(session) == {item: "ham"}


def test_who_comes_back_in_time_goes_on_with_the_same_item(tmp_path, open_page):
    with served(TEXTS, tmp_path, lease_seconds=1.0, idle_after=0.5) as (session, address):
        page = open_page(address)
        item = shown(page)
        page.wait_for_timeout(4000)
        assert held(session) == set()
        page.mouse.move(300, 300)
        page.mouse.move(310, 310)
        page.wait_for_timeout(500)
        page.keyboard.press("1")
        shown(page, after=item)
        all_saved(page)
        assert [(answer["item"], answer["late"]) for answer in session.export()] == [(item, False)]


def test_a_heartbeat_without_a_connection_takes_nothing_away(tmp_path, open_page):
    with served(TEXTS, tmp_path, lease_seconds=1.5) as (session, address):
        page = open_page(address)
        item = shown(page)
        page.route("**/api/renew*", lambda route: route.abort())
        page.wait_for_timeout(3000)
        assert page.locator("main").get_attribute("data-item") == item
        page.keyboard.press("1")
        all_saved(page)
        assert labels_of(session) == {item: "spam"}


# ---- time


@pytest.mark.parametrize("away", ["idle", "hidden"])
def test_time_away_does_not_count(away, tmp_path, open_page):
    with served(TEXTS, tmp_path, idle_after=1.0) as (session, address):
        page = open_page(address)
        item = shown(page)
        if away == "hidden":
            hide(page)
        page.wait_for_timeout(5000)
        if away == "hidden":
            hide(page, hidden=False)
        page.wait_for_timeout(300)
        page.keyboard.press("1")
        shown(page, after=item)
        all_saved(page)
        (answer,) = session.export()
        assert 0.2 < answer["seconds"] < 2.5


def test_time_with_movements_counts(tmp_path, open_page):
    with served(TEXTS, tmp_path, idle_after=1.0) as (session, address):
        page = open_page(address)
        item = shown(page)
        started = time.monotonic()
        for step in range(10):
            page.wait_for_timeout(300)
            page.mouse.move(300 + step, 300)
        page.keyboard.press("1")
        took = time.monotonic() - started
        shown(page, after=item)
        all_saved(page)
        (answer,) = session.export()
        assert 2.5 < answer["seconds"] < took + 1
