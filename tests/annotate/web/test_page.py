"""The page in a real browser, by keyboard alone: nothing is labelled unseen, nothing is lost, nothing is markup."""

import base64
import csv
import json
import time
import urllib.request

import numpy as np
import pandas as pd
import pytest

from alkit.annotate import Items, LabelingSession
from tests.annotate.pictures import hills
from tests.annotate.web.browser import (
    CLASSES,
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


# ---- fifty items of each kind, with the command and its default model


def write_items(kind, folder):
    """Write 50 items of a kind and return the command's arguments for them, its classes, and the truth by id."""
    rng = np.random.default_rng(0)
    openings = {
        "spam": ["Win a free weekend by the lake.", "Claim your prize today.", "Cheap watches, only this week."],
        "ham": ["Are we still on for lunch?", "I left the papers on your desk.", "The meeting moved to three."],
    }
    endings = {
        "spam": ["Reply YES now!", "Limited offer!", "Act fast!"],
        "ham": ["See you.", "Thanks.", "Best wishes."],
    }
    classes = ["night", "day"] if kind == "picture" else CLASSES
    rows, truth = [], {}
    for number in range(50):
        label = classes[rng.integers(2)]
        words = [rng.choice(part[label]) for part in (openings, endings)] if kind != "picture" else []
        row = {"id": f"n{number}", "body": " ".join(words)}
        if "picture" in kind:
            row["file"] = f"{number}.png"
            (folder / row["file"]).write_bytes(hills(number, night=label in ("night", "spam")))
        if kind == "table":
            low, high = (900, 3000) if label == "spam" else (5, 300)
            row = {"id": row["id"], "amount": int(rng.integers(low, high)), "country": rng.choice(["PT", "DE", "FI"])}
            row |= {
                "first order": label == "spam",
                "note": "Please deliver after six." if number % 2 else "Ring twice.",
            }
        rows.append(row)
        truth[row["id"]] = label
    with (folder / "items.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    columns = {"text": ["--text", "body"], "picture": ["--image", "file"], "table": []}
    columns["text and picture"] = columns["text"] + columns["picture"]
    arguments = ["items.csv", "--random-share", "0.3", "--id", "id", "--classes", ",".join(classes), *columns[kind]]
    return arguments, classes, truth


@pytest.mark.parametrize("kind", ["text", "picture", "text and picture", "table"])
def test_fifty_items_by_keyboard(kind, tmp_path, open_page):
    arguments, classes, truth = write_items(kind, tmp_path)
    with command(*arguments, cwd=tmp_path) as addresses:
        page = open_page(addresses["me"])
        item, accepted, viewed = None, 0, False
        for number in range(50):
            item = shown(page, after=item)
            suggestion = page.locator(".alkit-suggestion b")
            if number > 40 and suggestion.count() and not viewed:
                save_view(page, kind.replace(" ", "-"))
                if kind == "text":
                    page.emulate_media(color_scheme="dark")
                    save_view(page, "text-dark")
                    page.emulate_media(color_scheme="light")
                viewed = True
            if suggestion.count() and suggestion.inner_text() == truth[item]:
                accepted += 1
                page.keyboard.press("Space")
            else:
                page.keyboard.press(str(1 + classes.index(truth[item])))
            if number % 10 == 9:
                page.wait_for_timeout(3000)  # for the model to learn from what it has
        playwright.expect(page.get_by_role("heading", name="All done")).to_be_visible()
        all_saved(page)
        with urllib.request.urlopen(addresses["all labels"]) as response:
            answers = [json.loads(line) for line in response]
        if kind == "text":
            save_view(page, "done")
    assert {answer["item"]: answer["value"] for answer in answers} == truth
    assert len(answers) == 50
    assert all(0.1 < answer["seconds"] < 30 for answer in answers)
    assert accepted > 5


# ---- keys


def test_a_held_key_labels_one_item(tmp_path, open_page):
    with served(TEXTS, tmp_path) as (session, address):
        page = open_page(address)
        first = shown(page)
        for _ in range(40):
            page.keyboard.down("1")
            page.wait_for_timeout(25)
        page.keyboard.up("1")
        second = shown(page, after=first)
        for _ in range(20):  # a button held by Enter
            page.locator(".alkit-class").nth(1).focus()
            page.keyboard.down("Enter")
            page.wait_for_timeout(25)
        page.keyboard.up("Enter")
        shown(page, after=second)
        all_saved(page)
        assert labels_of(session) == {first: "spam", second: "ham"}


def test_a_double_press_labels_one_item(tmp_path, open_page):
    with served(TEXTS, tmp_path) as (session, address):
        page = open_page(address)
        expected, item = {}, None
        for _ in range(5):
            item = shown(page, after=item)
            expected[item] = "ham"
            page.keyboard.press("2")
            page.keyboard.press("2")
        shown(page, after=item)
        all_saved(page)
        assert labels_of(session) == expected


def test_keys_before_the_picture_do_nothing(tmp_path, open_page):
    (tmp_path / "hill.png").write_bytes(hills(0))
    with served(Items(["a", "b"], image=[tmp_path / "hill.png"] * 2), tmp_path) as (session, address):
        page = open_page("about:blank")
        waiting = []
        page.route("**/api/image/*", lambda route: waiting.append(route))
        page.goto(address)
        page.wait_for_selector(".alkit-picture.is-loading")
        page.wait_for_timeout(400)
        for key in ("1", "x", "f", "Space"):
            page.keyboard.press(key)
        page.wait_for_timeout(200)
        assert list(session.export()) == []
        for route in waiting:
            route.continue_()
        item = shown(page)
        page.keyboard.press("1")
        all_saved(page)
        assert labels_of(session) == {item: "spam"}


def test_a_late_picture_is_not_shown_beside_the_item_that_undo_brought_back(tmp_path, open_page):
    (tmp_path / "hill.png").write_bytes(hills(0))
    with served(Items(["a", "b"], image=[tmp_path / "hill.png"] * 2), tmp_path) as (_, address):
        page = open_page("about:blank")
        asked, held = [], []

        def serve_the_first(route):
            asked.append(route)
            route.continue_() if len(asked) == 1 else held.append(route)

        page.route("**/api/image/*", serve_the_first)
        page.goto(address)
        first = shown(page)
        page.keyboard.press("1")
        page.wait_for_selector(".alkit-picture.is-loading")
        page.keyboard.press("Backspace")
        page.wait_for_selector(f'img[alt="Picture of item {first}"]')
        for route in held:
            route.continue_()
        page.wait_for_timeout(500)
        assert shown(page) == first
        assert page.locator("img").get_attribute("alt") == f"Picture of item {first}"


def test_undo_skip_flag(tmp_path, open_page):
    with served(TEXTS, tmp_path) as (session, address):
        page = open_page(address)
        first = shown(page)
        page.keyboard.press("1")
        second = shown(page, after=first)
        page.keyboard.press("x")
        third = shown(page, after=second)
        page.keyboard.press("f")
        fourth = shown(page, after=third)
        page.keyboard.press("Backspace")
        assert shown(page, after=fourth) == third
        page.keyboard.press("Backspace")
        assert shown(page, after=third) == second
        page.keyboard.press("Backspace")
        assert shown(page, after=second) == first
        all_saved(page)
        assert list(session.export()) == []
        page.keyboard.press("2")
        assert shown(page, after=first) == second
        page.keyboard.press("x")
        assert shown(page, after=second) == third
        page.keyboard.press("f")
        assert shown(page, after=third) == fourth
        all_saved(page)
        answers = {answer["item"]: (answer["kind"], answer["value"]) for answer in session.export()}
        assert answers == {first: ("label", "ham"), second: ("skip", None), third: ("flag", None)}


def test_undo_when_all_is_done(tmp_path, open_page):
    with served(TEXTS[:2], tmp_path) as (session, address):
        page = open_page(address)
        first = shown(page)
        page.keyboard.press("1")
        second = shown(page, after=first)
        page.keyboard.press("1")
        playwright.expect(page.get_by_role("heading", name="All done")).to_be_visible()
        page.get_by_role("button", name="Undo").click()
        page.wait_for_timeout(300)
        assert shown(page) == second
        page.keyboard.press("2")
        playwright.expect(page.get_by_role("heading", name="All done")).to_be_visible()
        all_saved(page)
        assert labels_of(session) == {first: "spam", second: "ham"}


@pytest.mark.parametrize(("key", "code"), [("&", "Digit1"), ("ч", "KeyX")])
def test_other_keyboards(key, code, tmp_path, open_page):
    with served(TEXTS, tmp_path) as (session, address):
        page = open_page(address)
        first = shown(page)
        press = (
            "([key, code]) => document.body.dispatchEvent(new KeyboardEvent('keydown', { key, code, bubbles: true }))"
        )
        page.evaluate(press, [key, code])
        shown(page, after=first)
        all_saved(page)
        assert [answer["kind"] for answer in session.export()] == [{"Digit1": "label", "KeyX": "skip"}[code]]


def test_many_classes(tmp_path, open_page):
    classes = [f"{where} {what}" for where in ("world", "home", "old") for what in ("news", "sports", "music", "food")]
    with served(TEXTS, tmp_path, classes, title="posts.csv") as (session, address):
        page = open_page(address)
        first = shown(page)
        page.keyboard.press("9")
        second = shown(page, after=first)
        page.keyboard.press("/")
        page.keyboard.type("d mus")
        save_view(page, "many-classes")
        page.keyboard.press("Enter")
        third = shown(page, after=second)
        assert page.locator(".alkit-class").count() == 12
        page.keyboard.press("/")
        page.keyboard.press("Enter")  # nothing was typed: nothing is chosen
        page.keyboard.press("Escape")
        page.keyboard.press("/")
        page.keyboard.type("nothing of the kind")
        page.keyboard.press("Enter")
        page.keyboard.press("Escape")
        page.keyboard.press("1")
        shown(page, after=third)
        all_saved(page)
        assert labels_of(session) == {first: "old news", second: "world music", third: "world news"}


# ---- what is shown


def test_markup_stays_text(tmp_path, open_page):
    evil = "<script>document.title = 'gone'</script><img src=x onerror=\"document.title = 'gone'\"> <b>&amp;</b>"
    classes = ["<i>spam</i>", "<img src=x onerror=alert(1)>"]
    items = Items(["<b>id</b>"], text=[evil], rows=pd.DataFrame({"<u>column</u>": [evil]}))
    with served(items, tmp_path, classes, title=evil) as (session, address):
        page = open_page(address)
        item = shown(page)
        assert page.locator(".alkit-text").inner_text() == evil
        assert page.locator(".alkit-item .alkit-row td").inner_text() == evil
        assert page.locator(".alkit-title").inner_text() == evil
        assert page.locator("main").locator("script, img, b, i, u").count() == 0
        assert page.title() == f"0/1 · {evil}"
        page.keyboard.press("2")
        all_saved(page)
        assert labels_of(session) == {item: classes[1]}


def test_right_to_left_and_long(tmp_path, open_page):
    texts = ["وصل الطلب في الموعد، والعلبة سليمة، لكن اللون أغمق قليلا.", "Plain words. " * 2000]
    with served(texts, tmp_path, ["إيجابي", "سلبي"], title="reviews.csv") as (_, address):
        page = open_page(address)
        item = None
        for _ in texts:
            item = shown(page, after=item)
            direction = page.locator(".alkit-text").evaluate("text => getComputedStyle(text).direction")
            assert direction == ("rtl" if item == "0" else "ltr")
            if item == "0":
                save_view(page, "right-to-left")
            else:
                page.keyboard.press("PageDown")  # scrolls the text, not the page
                page.wait_for_function("() => document.querySelector('.alkit-item').scrollTop > 0")
                assert page.evaluate("scrollY") == 0
                playwright.expect(page.locator(".alkit-classes")).to_be_in_viewport(ratio=1)
            page.keyboard.press("1")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_phone(scheme, tmp_path, open_page):
    texts = ["Win a free weekend by the lake! Reply YES within ten minutes.", "word" * 200]
    with served(texts, tmp_path, title="posts.csv") as (session, address):
        phone = {
            "viewport": {"width": 360, "height": 640},
            "is_mobile": True,
            "has_touch": True,
            "color_scheme": scheme,
        }
        page = open_page(address, **phone)
        item = None
        for _ in texts:
            item = shown(page, after=item)
            assert page.evaluate("document.documentElement.scrollWidth") <= 360
            for button in page.get_by_role("button").all():
                playwright.expect(button).to_be_in_viewport(ratio=1)
            if item == "0":
                save_view(page, f"phone-{scheme}")
            page.get_by_role("button", name="ham").tap()
        all_saved(page)
        assert set(labels_of(session).values()) == {"ham"}


def test_roles_and_names(tmp_path, open_page):
    with served(TEXTS, tmp_path, title="posts.csv") as (_, address):
        page = open_page(address, color_scheme="dark")
        shown(page)
        for role, name in [
            ("main", None),
            ("article", "Item to label"),
            ("group", "Classes"),
            ("progressbar", "Items done"),
            ("complementary", "Progress"),
            ("heading", "posts.csv"),
            ("button", "spam"),
            ("button", "Undo"),
        ]:
            playwright.expect(page.get_by_role(role, name=name)).to_have_count(1)
        assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Item to label"
        page.keyboard.press("1")
        playwright.expect(page.locator("[aria-live]")).to_contain_text("spam. Parcel")
        page.keyboard.press("Tab")
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_a_picture_that_does_not_load(tmp_path, open_page):
    (tmp_path / "hill.png").write_bytes(hills(0))
    with served(Items(["a", "b"], image=[tmp_path / "hill.png"] * 2), tmp_path) as (session, address):
        (tmp_path / "hill.png").write_bytes(b"\x89PNG\r\n\x1a\n and no picture")
        page = open_page(address)
        first = shown(page)
        assert "did not load" in page.locator(".alkit-broken").inner_text()
        page.keyboard.press("1")
        page.wait_for_timeout(300)
        assert labels_of(session) == {}
        (tmp_path / "hill.png").write_bytes(hills(0))
        page.get_by_role("button", name="Try again").click()
        page.wait_for_selector(".alkit-picture img")
        assert shown(page) == first
        page.keyboard.press("1")
        all_saved(page)
        assert labels_of(session) == {first: "spam"}


def test_model_errors_are_shown(tmp_path, open_page):
    with served(TEXTS, tmp_path, title="posts.csv") as (session, address):
        model = {"version": 3, "n_labels": 40, "training": False, "error": "ValueError: Input X contains NaN."}
        curve = [{"n_labels": 10 * n, "score": 0.9 - 0.4 / n, "model_version": n, "n_scored": n} for n in range(1, 5)]
        progress = session.progress("ann") | {"model": model, "curve": curve}
        page = open_page("about:blank")
        page.route("**/api/progress", lambda route: route.fulfill(json=progress))
        page.goto(address)
        shown(page)
        assert "Input X contains NaN" in page.get_by_role("alert").inner_text()
        playwright.expect(page.get_by_role("img", name="Accuracy on random items: 80 % with 40 labels")).to_be_visible()
        save_view(page, "model-error")


def test_what_the_model_waits_for_and_lacks_is_shown(tmp_path, open_page):
    with served(TEXTS, tmp_path, classes=[*CLASSES, "<b>rare</b>"], title="posts.csv") as (session, address):
        session.store.put_meta(trainer={"doing": None})
        page = open_page(address)
        side = page.get_by_role("complementary", name="Progress")
        playwright.expect(side).to_contain_text("The model starts when two classes have labels: so far none")
        playwright.expect(side.get_by_text("no label yet")).to_have_count(3)
        shown(page)
        page.keyboard.press("1")
        playwright.expect(side).to_contain_text("so far only 'spam'")
        playwright.expect(side.get_by_text("no label yet")).to_have_count(2)
        all_saved(page)
        session.label(session.next("bob")["item"], "ham", "bob")
        unreadable = {"n": 5, "items": [{"item": f"{k}.jpg", "reason": "<i>torn</i>"} for k in range(4)]}
        session.store.put_meta(
            trainer={
                "doing": "fitting",
                "since": time.time() - 95,
                "usual_seconds": 2.0,
                "unreadable": unreadable,
            }
        )
        playwright.expect(side).to_contain_text("The model has been fitting for")
        playwright.expect(side).to_contain_text("s, usually 2 s; labelling goes on.")
        playwright.expect(side).to_contain_text(
            "The model learns without 5 items that it cannot read: 0.jpg (<i>torn</i>), 1.jpg (<i>torn</i>), "
            "2.jpg (<i>torn</i>), 2 more."
        )
        save_view(page, "model-waits")


# ---- trouble


def test_reload_resumes(tmp_path, open_page):
    with served(TEXTS, tmp_path) as (session, address):
        page = open_page(address)
        assert "token" not in page.url
        first = shown(page)
        page.keyboard.press("1")
        second = shown(page, after=first)
        all_saved(page)
        for _ in range(3):
            page.reload()
            assert shown(page) == second
        page.keyboard.press("2")
        shown(page, after=second)
        all_saved(page)
        assert labels_of(session) == {first: "spam", second: "ham"}


def test_all_items_come_after_many_reloads(tmp_path, open_page):
    with served(TEXTS[:6], tmp_path) as (session, address):
        page = open_page(address)
        shown(page)
        for _ in range(3):
            page.reload()
            shown(page)
        item = None
        for _ in range(6):
            item = shown(page, after=item)
            page.keyboard.press("1")
        all_saved(page)
        assert len(labels_of(session)) == 6


def test_offline_then_online(tmp_path, open_page):
    with served(TEXTS, tmp_path, title="posts.csv") as (session, address):
        page = open_page(address)
        first = shown(page)
        page.wait_for_load_state("networkidle")
        page.context.set_offline(True)
        page.keyboard.press("1")
        second = shown(page, after=first)  # it was fetched ahead
        page.keyboard.press("2")
        playwright.expect(page.locator(".alkit-saving")).to_have_text("Not saved yet: 2 answers")
        assert "no connection" in page.get_by_role("alert").inner_text()
        playwright.expect(page.locator(".alkit-counted")).to_contain_text("0 of 12 done")
        playwright.expect(page.locator(".alkit-item")).to_contain_text("once your answers are saved")
        save_view(page, "offline")
        assert labels_of(session) == {}
        page.context.set_offline(False)
        all_saved(page)
        shown(page, after=second)
        playwright.expect(page.locator(".alkit-notices")).to_be_empty()
        assert labels_of(session) == {first: "spam", second: "ham"}


def test_a_lost_answer_of_the_server_makes_no_second_label(tmp_path, open_page):
    with served(TEXTS, tmp_path) as (session, address):
        page = open_page(address)
        first = shown(page)
        sent = []

        def lose_the_first_two(route):
            sent.append(route.request.post_data_json["uuid"])
            if len(sent) > 2:
                return route.continue_()
            route.fetch()
            route.abort()

        page.route("**/api/events", lose_the_first_two)
        page.keyboard.press("1")
        all_saved(page)
        assert len(sent) == 3
        assert len(set(sent)) == 1
        assert session.store.query("SELECT COUNT(*) FROM event")[0][0] == 1
        assert labels_of(session) == {first: "spam"}


def test_unsaved_answers_outlive_a_reload(tmp_path, open_page):
    with served(TEXTS, tmp_path) as (session, address):
        page = open_page(address)
        first = shown(page)
        page.on("dialog", lambda dialog: dialog.accept())
        page.route("**/api/events", lambda route: route.abort())
        page.keyboard.press("1")
        playwright.expect(page.locator(".alkit-saving")).to_have_text("Not saved yet: 1 answer")
        page.unroute("**/api/events")
        page.route("**/api/events", lambda route: route.abort(), times=1)
        page.reload()
        all_saved(page)
        assert labels_of(session) == {first: "spam"}
        assert shown(page) != first


def test_a_refused_answer_comes_back(tmp_path, open_page):
    with served(TEXTS, tmp_path) as (session, address):
        page = open_page(address)
        first = shown(page)
        refusal = {"status": 409, "json": {"error": "'spam' is no class any more"}}
        page.route("**/api/events", lambda route: route.fulfill(**refusal), times=1)
        page.keyboard.press("1")
        playwright.expect(page.get_by_role("alert")).to_contain_text("Not saved: 'spam' is no class any more")
        page.wait_for_function("first => document.querySelector('main').dataset.item === first", arg=first)
        shown(page)
        page.keyboard.press("2")
        shown(page, after=first)
        all_saved(page)
        playwright.expect(page.locator(".alkit-notices")).to_be_empty()
        assert labels_of(session) == {first: "ham"}


def test_a_full_disk_is_waited_for(tmp_path, open_page):
    with served(TEXTS, tmp_path) as (session, address):
        page = open_page(address)
        first = shown(page)
        full = {"status": 507, "json": {"error": "the disk is full"}}
        page.route("**/api/events", lambda route: route.fulfill(**full), times=2)
        page.keyboard.press("1")
        playwright.expect(page.get_by_role("alert")).to_contain_text("the disk is full")
        all_saved(page)
        assert labels_of(session) == {first: "spam"}


def test_a_revoked_token_loses_no_answer(tmp_path, open_page):
    with served(TEXTS, tmp_path) as (session, address):
        page = open_page(address)
        page.on("dialog", lambda dialog: dialog.accept())
        first = shown(page)
        page.route("**/api/*", lambda route: route.fulfill(status=401, json={"error": "no valid token"}))
        page.keyboard.press("1")
        playwright.expect(page.get_by_role("alert")).to_contain_text("Not saved yet: no valid token.")
        playwright.expect(page.get_by_role("heading", name="This link does not open")).to_be_visible()
        page.unroute("**/api/*")
        page.reload()
        all_saved(page)
        assert shown(page) != first
        assert labels_of(session) == {first: "spam"}


def test_without_a_token(tmp_path, open_page):
    with served(TEXTS, tmp_path) as (_, address):
        page = open_page(address.partition("?")[0])
        playwright.expect(page.get_by_role("heading", name="This link does not open")).to_be_visible()


def test_items_with_others_come_back(tmp_path, open_page):
    with served(TEXTS[:2], tmp_path, lease_seconds=3.0) as (session, address):
        held = [session.next("bob") for _ in range(2)]
        page = open_page(address)
        playwright.expect(page.get_by_role("heading", name="Nothing for you right now")).to_be_visible()
        assert shown(page) in {item["item"] for item in held}


# ---- the same module in a notebook


HARNESS = """
import widget from "/label.js";
const listeners = [];
const bytes = (text) => new DataView(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
const model = {
  on: (event, listener) => listeners.push(listener),
  off: (event, listener) => listeners.splice(listeners.indexOf(listener), 1),
  send: async (message) => {
    const [answer, buffers] = await toKernel(message);
    for (const listener of listeners) listener(answer, buffers.map(bytes));
  },
};
window.stolen = [];
document.addEventListener("keydown", (event) => stolen.push(event.key));
window.close = widget.render({ model, el: document.querySelector("#cell") });
"""


def test_widget(tmp_path, open_page, monkeypatch):
    pytest.importorskip("anywidget")
    from alkit.annotate import LabelingWidget

    (tmp_path / "hill.png").write_bytes(hills(0))
    items = Items(["a", "b", "c"], text=["one", "two", "three"], image=[tmp_path / "hill.png"] * 3)
    with LabelingSession(items, CLASSES, tmp_path / "labels.db", random_state=0) as session:
        widget = LabelingWidget(session, annotator="ann")
        sent = []
        monkeypatch.setattr(widget, "send", lambda content, buffers=(): sent.append((content, buffers)))

        def kernel(message):
            widget._handle_custom_msg(message, [])
            content, buffers = sent.pop()
            return content, [base64.b64encode(buffer).decode() for buffer in buffers]

        page = open_page("about:blank")
        page.expose_function("toKernel", kernel)
        style = '<link rel="stylesheet" href="/label.css">'
        files = {
            "": ("text/html", f'{style}<div id="cell"></div><script type="module" src="/run.js"></script>'),
            "run.js": ("text/javascript", HARNESS),
            "label.js": ("text/javascript", str(widget._esm)),
            "label.css": ("text/css", str(widget._css)),
        }

        def serve(route):
            kind, body = files[route.request.url.rpartition("/")[2]]
            route.fulfill(content_type=kind, body=body)

        page.route("http://notebook.test/*", serve)
        page.goto("http://notebook.test/")
        cell = page.locator("#cell")

        def seen(after=""):
            page.wait_for_function(
                "after => !['', undefined, after].includes(document.querySelector('#cell').dataset.item)", arg=after
            )
            page.wait_for_timeout(270)
            return cell.get_attribute("data-item")

        first = seen()
        assert page.evaluate("document.activeElement === document.body")  # a cell does not grab the focus
        page.keyboard.press("1")
        page.wait_for_timeout(200)
        assert labels_of(session) == {}
        cell.focus()
        page.keyboard.press("1")
        second = seen(first)
        page.keyboard.press("x")
        third = seen(second)
        page.keyboard.press("2")
        playwright.expect(cell.locator(".alkit-saving")).to_have_text("All saved")
        assert page.locator("#cell[tabindex='0'][data-lm-suppress-shortcuts]").count() == 1
        assert page.evaluate("stolen") == ["1"]  # only the one pressed outside of the cell
        undo = cell.get_by_role("button", name="Undo")
        undo.click()
        seen()
        cell.get_by_role("button", name="spam").click()
        playwright.expect(cell.locator(".alkit-saving")).to_have_text("All saved")
        assert page.evaluate("document.querySelector('#cell').contains(document.activeElement)")
        page.keyboard.press("Backspace")
        assert seen() == third
        page.keyboard.press("2")
        playwright.expect(cell.locator(".alkit-saving")).to_have_text("All saved")
        assert page.evaluate("stolen") == ["1"]
        page.evaluate("close()")
        assert cell.inner_text() == ""
        assert labels_of(session) == {first: "spam", third: "ham"}
