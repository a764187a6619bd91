"""Every view of the page by axe-core: nothing serious, in light and dark, on a desk and on a phone held either way."""

import pandas as pd
import pytest

from alkit.annotate import Items
from tests.annotate.pictures import hills
from tests.annotate.sessions import rank
from tests.annotate.test_guidelines import GUIDE
from tests.annotate.web.axe import findings, needs_axe
from tests.annotate.web.browser import CLASSES, NEEDS_CHROMIUM, TEXTS, all_saved, playwright, served, shown

pytestmark = NEEDS_CHROMIUM

MANY = [f"class {number}" for number in range(14)]


@pytest.fixture(autouse=True)
def axe():
    needs_axe()


def test_labelling_and_looking_back(tmp_path, open_page):
    with served(TEXTS[:3], tmp_path, guidelines=GUIDE) as (session, address):
        rank(session, ["0", "1", "2"], prediction="ham")
        page = open_page(address)
        found = {}
        first = shown(page)
        found["item"] = findings(page)
        page.keyboard.press("?")
        playwright.expect(page.get_by_role("dialog")).to_be_visible()
        found["help"] = findings(page)
        page.keyboard.press("?")
        playwright.expect(page.get_by_role("dialog")).to_be_hidden()
        page.keyboard.press("1")
        shown(page, after=first)
        all_saved(page)
        page.keyboard.press("b")
        playwright.expect(page.locator(".alkit-line-past")).to_have_count(1)
        found["look back"] = findings(page)
        page.keyboard.press("Escape")
        shown(page)
        page.context.set_offline(True)
        page.keyboard.press("x")
        playwright.expect(page.get_by_role("alert")).to_contain_text("Not saved yet")
        found["not saved"] = findings(page)
        page.context.set_offline(False)
        all_saved(page)
        assert found == {name: [] for name in found}


def test_pictures_tables_and_many_classes(tmp_path, open_page):
    (tmp_path / "hill.png").write_bytes(hills(0))
    items = Items(
        ["a", "b"], text=["one", "two"], image=[tmp_path / "hill.png"] * 2, rows=pd.DataFrame({"year": [1999] * 2})
    )
    with served(items, tmp_path, classes=MANY) as (_, address):
        page = open_page(address)
        first = shown(page)
        found = {"picture": findings(page)}
        page.keyboard.press("z")
        found["zoom"] = findings(page)
        page.keyboard.press("/")
        page.keyboard.type("3")
        found["search"] = findings(page)
        page.keyboard.press("Enter")
        page.keyboard.press("1")
        shown(page, after=first)
        page.keyboard.press("1")
        playwright.expect(page.get_by_role("heading", name="All done")).to_be_visible()
        found["done"] = findings(page)
        assert found == {name: [] for name in found}


def test_the_owner_s_page(tmp_path, open_page):
    with served(TEXTS, tmp_path, overlap=2, guidelines=GUIDE, gold={"0": "spam"}) as (session, address):
        for name in ("ann", "bob"):
            for item in range(10):
                session.label(str(item), CLASSES[item % 2 if name == "ann" else 0], name)
        session.flag("11", "ann", note="what is it?")
        owner = address.partition("?")[0] + f"review?token={session.new_token(None)}"
        page = open_page(owner)
        playwright.expect(page.locator(".alkit-line-past")).to_have_count(6)
        found = {"review": findings(page)}
        page.keyboard.press("1")
        playwright.expect(page.locator(".is-decided")).to_have_count(1)
        found["decided"] = findings(page)
        page.keyboard.press("p")
        playwright.expect(page.get_by_role("table").first).to_be_visible()
        found["people"] = findings(page)
        page.keyboard.press("p")
        page.keyboard.press("?")
        found["help"] = findings(page)
        all_saved(page)
        assert found == {name: [] for name in found}


def test_a_link_that_does_not_open(tmp_path, open_page):
    with served(TEXTS, tmp_path) as (_, address):
        page = open_page(address + "x")
        playwright.expect(page.get_by_role("heading", name="This link does not open")).to_be_visible()
        assert findings(page) == []
