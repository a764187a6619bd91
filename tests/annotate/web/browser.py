"""What tests of the page share: a served session, the command, and what is seen of the page in a real browser.

Set ALKIT_SAVE_VIEWS to a folder to have pictures of the views written there, as in examples/annotate.
"""

import io
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import pytest
from PIL import Image

from alkit.annotate import LabelingSession

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")
playwright = pytest.importorskip("playwright.sync_api")
playwright.expect.set_options(timeout=20_000)  # as much as pages are given for anything else
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

NEEDS_CHROMIUM = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium; Debian's package of this name will do"),
]

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
VIEWS = os.environ.get("ALKIT_SAVE_VIEWS")
CLASSES = ["spam", "ham"]
TEXTS = [f"Parcel {n} is waiting for you at the desk." for n in range(12)]


@contextmanager
def served(items, tmp_path, classes=CLASSES, **options):
    """Serve a session without a model from this process; gives the session and an address for the annotator ann."""
    import uvicorn

    from alkit.annotate.database.tokens import new_token
    from alkit.annotate.web.server import make_app

    session = LabelingSession(items, classes, tmp_path / "labels.db", random_state=0, **options)
    server = uvicorn.Server(uvicorn.Config(make_app(session), port=0, log_level="warning", ws="none", lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield session, f"http://127.0.0.1:{port}/?token={new_token(session.store, 'ann')}"
    finally:
        server.should_exit = True
        thread.join()
        session.close()


@contextmanager
def command(*arguments, cwd):
    """Run ``alkit label`` as a process; gives what it prints of addresses, by name."""
    with subprocess.Popen(
        [sys.executable, "-m", "alkit", "label", *arguments],
        cwd=cwd,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    ) as process:
        try:
            addresses = {}
            for line in process.stdout:
                if " http" not in line:
                    break
                name, _, address = line.strip().partition(": ")
                addresses[name] = address
            yield addresses
        finally:
            process.send_signal(signal.SIGINT)


def shown(page, *, after=None):
    """Wait until another item can be labelled; return its id."""
    handle = page.wait_for_function(
        "after => { const { item } = document.querySelector('main').dataset; return item && item !== after && item }",
        arg=after,
    )
    page.wait_for_timeout(270)  # what is pressed before a person can have seen anything does not count
    return handle.json_value()


def heading(page):
    return page.locator(".alkit-item h2").inner_text()


def all_saved(page):
    playwright.expect(page.locator(".alkit-saving")).to_have_text("All saved")


def labels_of(session):
    return {answer["item"]: answer["value"] for answer in session.export() if answer["kind"] == "label"}


def save_view(page, name):
    if VIEWS:
        page.wait_for_timeout(300)
        picture = Image.open(io.BytesIO(page.screenshot()))
        picture.quantize(256, dither=Image.Dither.NONE).save(f"{VIEWS}/{name}.png", optimize=True)
