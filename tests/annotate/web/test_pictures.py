"""Pictures in a real browser: all of each is seen, in any window, and more of it when one asks for that."""

import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from alkit.annotate import Items
from tests.annotate.pictures import hills
from tests.annotate.web.browser import NEEDS_CHROMIUM, all_saved, labels_of, save_view, served, shown

pytestmark = NEEDS_CHROMIUM

SIZES = [(3024, 4032), (4032, 3024), (2500, 2500), (6000, 900), (889, 1186), (300, 4000), (28, 28), (1, 1)]
WINDOWS = [(1280, 800), (390, 844), (740, 360), (360, 640)]
EDGE = (255, 0, 0)  # of every picture, so that one can see whether all of it is there

# the rectangles of the picture, its frame and the buttons, in pixels of the window
RECTANGLES = """() => {
    const rectangle = (element) => {
        const { left, top, right, bottom } = element.getBoundingClientRect();
        return [left, top, right, bottom];
    };
    const one = (selector) => rectangle(document.querySelector(selector));
    return {
        picture: one(".alkit-picture img"),
        frame: one(".alkit-picture"),
        item: one(".alkit-item"),
        buttons: [...document.querySelectorAll("button")].filter((b) => b.offsetParent).map(rectangle),
    };
}"""


def inside(inner, outer):
    return all(inner[k] >= outer[k] - 1 for k in (0, 1)) and all(inner[k] <= outer[k] + 1 for k in (2, 3))


def photographs(folder):
    for width, height in SIZES:
        pixels = np.full((height, width, 3), 160, np.uint8)
        pixels[::2] = 90
        thick = max(1, min(width, height) // 20)
        for side in (pixels[:thick], pixels[-thick:], pixels[:, :thick], pixels[:, -thick:]):
            side[:] = EDGE
        Image.fromarray(pixels).save(folder / f"{width}x{height}.png")
    names = [f"{width}x{height}" for width, height in SIZES]
    return names, [folder / f"{name}.png" for name in names]


@pytest.mark.parametrize("beside", ["alone", "with text", "with text and table"])
@pytest.mark.parametrize("window", WINDOWS)
def test_all_of_a_picture_is_seen(window, beside, tmp_path, open_page):
    names, files = photographs(tmp_path)
    text = [f"Somebody took picture {name} and wrote this beside it." for name in names]
    rows = [{"place": "Porto", "year": 2021}] * len(names)
    items = Items(names, image=files)
    if beside != "alone":
        items = Items(names, image=files, text=text)
    if beside == "with text and table":
        items = Items(names, image=files, text=text, rows=pd.DataFrame(rows))
    with served(items, tmp_path) as (_, address):
        width, height = window
        page = open_page(address, viewport={"width": width, "height": height})
        item = None
        for _ in names:
            item = shown(page, after=item)
            seen = page.evaluate(RECTANGLES)
            assert inside(seen["picture"], seen["frame"]), item
            assert inside(seen["frame"], seen["item"]), item
            assert inside(seen["item"], [0, 0, width, height]), item
            assert all(inside(button, [0, 0, width, height]) for button in seen["buttons"])
            left, top, right, bottom = seen["picture"]
            natural = [int(side) for side in item.split("x")]
            assert (right - left) / (bottom - top) == pytest.approx(natural[0] / natural[1], rel=0.1)
            frame = seen["frame"]
            fills = [(right - left) / (frame[2] - frame[0]), (bottom - top) / (frame[3] - frame[1])]
            assert max(fills) == pytest.approx(1, abs=0.01)  # small ones are enlarged
            page.keyboard.press("x")


def test_the_edges_of_a_picture_are_on_the_screen(tmp_path, open_page):
    names, files = photographs(tmp_path)
    with served(Items(names[:1], image=files[:1]), tmp_path) as (_, address):
        page = open_page(address, viewport={"width": 740, "height": 360})
        shown(page)
        left, top, right, bottom = page.evaluate(RECTANGLES)["picture"]
        screen = np.asarray(Image.open(io.BytesIO(page.screenshot())).convert("RGB")).astype(int)
        middle_x, middle_y = int((left + right) / 2), int((top + bottom) / 2)
        for x, y in [(left + 3, middle_y), (right - 4, middle_y), (middle_x, top + 3), (middle_x, bottom - 4)]:
            assert abs(screen[int(y), int(x)] - EDGE).max() < 40


def width_of(page):
    left, _, right, _ = page.evaluate(RECTANGLES)["picture"]
    return right - left


def test_zoom_by_keyboard(tmp_path, open_page):
    names, files = photographs(tmp_path)
    with served(Items(names[:2], image=files[:2]), tmp_path) as (session, address):
        page = open_page(address)
        first = shown(page)
        whole = width_of(page)
        page.keyboard.press("z")
        assert width_of(page) > 1.9 * whole
        scrolled = "() => { const { scrollLeft, scrollTop } = document.querySelector('.alkit-picture');" \
            "return [scrollLeft, scrollTop] }"  # fmt: skip
        before = page.evaluate(scrolled)
        page.keyboard.press("ArrowDown")
        page.keyboard.press("ArrowRight")
        page.wait_for_function(f"before => {{ const [x, y] = ({scrolled})(); return x > before[0] && y > before[1] }}",
                               arg=before)  # fmt: skip
        page.keyboard.press("z")
        assert width_of(page) == whole
        widths = [whole]
        for key in "+++--":
            page.keyboard.press(key)
            widths.append(width_of(page))
        assert widths[:4] == sorted(set(widths))
        assert widths[5] == pytest.approx(widths[1])
        for _ in range(20):
            page.keyboard.press("-")
        assert width_of(page) == pytest.approx(whole)
        for _ in range(20):
            page.keyboard.press("+")
        assert width_of(page) == pytest.approx(8 * whole, rel=0.05)
        page.keyboard.press("1")  # the keys label as ever
        shown(page, after=first)
        assert width_of(page) < 500  # the next one is seen as a whole
        all_saved(page)
        assert labels_of(session) == {first: "spam"}


def test_zoom_by_click(tmp_path, open_page):
    (tmp_path / "hills.png").write_bytes(hills(1, size=(1200, 900)))
    items = Items(["photo-0017"], image=[tmp_path / "hills.png"])
    with served(items, tmp_path, title="photographs") as (session, address):
        page = open_page(address)
        item = shown(page)
        left, top, right, bottom = page.evaluate(RECTANGLES)["picture"]
        x, y = left + 0.7 * (right - left), top + 0.4 * (bottom - top)
        page.mouse.click(x, y)
        nearer = page.evaluate(RECTANGLES)["picture"]
        assert (x - nearer[0]) / (nearer[2] - nearer[0]) == pytest.approx(0.7, abs=0.02)  # it stays under the pointer
        assert (y - nearer[1]) / (nearer[3] - nearer[1]) == pytest.approx(0.4, abs=0.02)
        save_view(page, "zoom")
        page.mouse.click(x, y)
        assert page.evaluate(RECTANGLES)["picture"] == [left, top, right, bottom]
        page.get_by_role("button", name="Zoom").click()
        assert width_of(page) > 1.9 * (right - left)
        page.keyboard.press("2")
        all_saved(page)
        assert labels_of(session) == {item: "ham"}


def test_there_is_nothing_to_zoom_in_a_text(tmp_path, open_page):
    with served(["some text", "more text"], tmp_path) as (session, address):
        page = open_page(address)
        item = shown(page)
        assert page.get_by_role("button", name="Zoom").count() == 0
        for key in "z+-=":
            page.keyboard.press(key)
        page.keyboard.press("1")
        shown(page, after=item)
        all_saved(page)
        assert labels_of(session) == {item: "spam"}


def test_the_id_is_shown(tmp_path, open_page):
    names = ["photo-0017", "a" * 300]
    with served(Items(names, text=["one", "two"]), tmp_path) as (_, address):
        page = open_page(address, viewport={"width": 390, "height": 844})
        item = None
        for _ in names:
            item = shown(page, after=item)
            assert page.locator(".alkit-id").inner_text() == item
            assert page.evaluate("document.documentElement.scrollWidth") <= 390
            page.keyboard.press("1")
