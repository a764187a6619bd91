"""A browser, and pages opened in it; what their consoles say of errors fails the test."""

import pytest


@pytest.fixture(scope="module")
def chromium():
    from tests.annotate.web.browser import CHROMIUM, FLAGS, playwright

    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium):
    """Open an address in a browser of its own; what its console says of errors fails the test."""
    contexts, errors = [], []

    def open_page(address, **options):
        context = chromium.new_context(**{"viewport": {"width": 1000, "height": 640}} | options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda line: errors.append(line.text) if line.type == "error" else None)
        page.goto(address)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert [error for error in errors if "Failed to load resource" not in error] == []
