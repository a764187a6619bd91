"""The owner's page in a real browser, by keyboard alone: votes side by side, decided, taken back; never markup."""

import csv
import json
import socket
import subprocess
import sys
import urllib.request
import uuid

from alkit.annotate import Items
from alkit.annotate.quality.report import aggregate
from tests.annotate.pictures import hills
from tests.annotate.sessions import rank
from tests.annotate.test_guidelines import GUIDE
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
PHONE = {"width": 390, "height": 844}


def owner_of(session, address):
    return f"{address.partition('?')[0]}review?token={session.new_token(None)}"


def labels_by_two(session, differ):
    """Have ann and bob label twelve items, about some of which they differ."""
    for item in range(12):
        session.label(str(item), "spam" if item % 2 else "ham", "ann", seconds=3.0)
        session.label(str(item), "spam" if (item % 2) != (item in differ) else "ham", "bob", seconds=5.0)


def lines(page):
    return page.locator(".alkit-line-past")


def chosen(page):
    return page.locator(".alkit-line-past[aria-selected=true]")


def decisions_of(session):
    return {item["item"]: item["decision"]["value"] for item in session.review(only="decided")["answers"]}


def test_decide_change_take_back(tmp_path, open_page):
    with served(TEXTS, tmp_path, overlap=2, gold={"4": "ham"}, guidelines=GUIDE, title="parcels") as (session, address):
        rank(session, ["2", "3"], prediction="ham")
        labels_by_two(session, differ={2, 4, 6, 8})
        session.note("8", "nobody ordered it", "bob")
        session.flag("11", "cat", note="cut off")
        page = open_page(owner_of(session, address))
        playwright.expect(lines(page)).to_have_count(5)  # the flag, then items 8, 6, 4, 2
        playwright.expect(page.locator(".alkit-vote b")).to_have_text(["spam", "spam", "Flagged"])
        page.keyboard.press("ArrowDown")
        playwright.expect(page.locator(".alkit-vote q")).to_have_text("nobody ordered it")
        save_view(page, "review")
        page.keyboard.press("1")  # item 8, and on to 6
        page.keyboard.press("n")
        page.keyboard.type("2 of 3: subscribed to")
        page.keyboard.press("Enter")
        page.keyboard.press("2")  # item 6, and on to 4
        playwright.expect(chosen(page).locator(".alkit-mark")).to_have_text(["gold"])
        page.keyboard.press("x")
        page.keyboard.press("r")  # item 2
        all_saved(page)
        assert decisions_of(session) == {"8": "spam", "6": "ham", "4": None}
        playwright.expect(page.get_by_text("2 to decide")).to_have_count(0)
        playwright.expect(page.get_by_text("1 to decide · 3 decided")).to_be_visible()
        page.keyboard.press("Backspace")  # item 2 is asked again no more
        page.keyboard.press("Backspace")
        playwright.expect(chosen(page)).to_contain_text("Parcel 4")
        page.keyboard.press("2")
        page.keyboard.press("ArrowUp")
        page.keyboard.press("ArrowUp")
        page.keyboard.press("1")  # item 6 after all
        all_saved(page)
        assert decisions_of(session) == {"8": "spam", "6": "spam", "4": "ham"}
        (noted,) = [one["decision"]["note"] for one in session.review(only="decided")["answers"] if one["item"] == "6"]
        assert noted == "2 of 3: subscribed to"
        assert aggregate(session.store, "majority").set_index("item")["label"]["6"] == "spam"
        page.reload()
        playwright.expect(lines(page)).to_have_count(2)
        page.keyboard.press("p")
        playwright.expect(page.get_by_role("cell", name="100 % of 1")).to_have_count(1)  # ann, about gold
        save_view(page, "people")
        page.emulate_media(color_scheme="dark")
        page.keyboard.press("p")
        save_view(page, "review-dark")
        page.keyboard.press("?")
        playwright.expect(page.get_by_role("dialog")).to_contain_text("What nobody asked for")
        page.keyboard.press("1")  # nothing is decided behind it
        page.keyboard.press("Escape")
        page.set_viewport_size(PHONE)
        save_view(page, "review-phone")
        all_saved(page)
        assert decisions_of(session) == {"8": "spam", "6": "spam", "4": "ham"}


def test_two_owners_and_a_label_meanwhile(tmp_path, open_page):
    with served(TEXTS, tmp_path, overlap=2) as (session, address):
        labels_by_two(session, differ={2, 5})
        first, second = (open_page(owner_of(session, address)) for _ in range(2))
        for page in (first, second):
            playwright.expect(lines(page)).to_have_count(2)
        first.keyboard.press("1")  # item 5
        all_saved(first)
        second.keyboard.press("2")
        alert = second.get_by_role("alert")
        playwright.expect(alert).to_contain_text("somebody else decided 'spam' meanwhile, about item '5'")
        playwright.expect(lines(second)).to_have_count(1)  # what is left to decide
        assert decisions_of(session) == {"5": "spam"}
        session.label("2", "ham", "bob")
        second.keyboard.press("1")
        playwright.expect(alert).to_contain_text("bob answered item 2 meanwhile. Your decision counts")
        second.get_by_label("Which items").select_option(label="Answered since")
        playwright.expect(chosen(second).locator(".alkit-mark")).to_have_text(["decided", "answered since"])
        assert decisions_of(session) == {"5": "spam", "2": "spam"}
        labels = {(one["item"], one["annotator"]): one["value"] for one in session.export()}
        assert labels["2", "bob"] == "ham"  # people's answers stay
        second.context.set_offline(True)
        second.locator(".alkit-list").focus()
        second.keyboard.press("2")
        playwright.expect(alert).to_contain_text("Not saved yet")
        second.context.set_offline(False)
        all_saved(second)
        assert decisions_of(session)["2"] == "ham"


def test_pictures_and_hostile_texts(tmp_path, open_page):
    (tmp_path / "hill.png").write_bytes(hills(0))
    hostile = "<img src=x onerror=document.title='x'>"
    items = Items(["a", "b"], text=[hostile, "two"], image=[tmp_path / "hill.png"] * 2)
    classes = ["<i>spam</i>", "ham"]
    guide = f"# <i>spam</i>\n\n{hostile} [x](javascript:alert(1))"
    with served(items, tmp_path, classes=classes, guidelines=guide) as (session, address):
        for name, value in zip(("<b>ann</b>", "bob"), classes, strict=True):
            session.label("a", value, name)
            session.note("a", hostile, name)
        page = open_page(owner_of(session, address))
        page.wait_for_selector('.alkit-review img[alt="Picture of item a"]')
        page.keyboard.press("z")
        playwright.expect(page.locator(".is-zoomed")).to_have_count(1)
        page.keyboard.press("z")
        page.locator(".alkit-list").focus()
        page.keyboard.press("1")
        for key in "p?":
            page.keyboard.press(key)
        playwright.expect(page.locator(".alkit-help")).to_contain_text(hostile)
        assert page.locator(".alkit-help a, .alkit-help img, .alkit-team th b, .alkit-team th i").count() == 0
        all_saved(page)
        assert decisions_of(session) == {"a": "<i>spam</i>"}
        assert page.title() == "Review · Labels"


def test_guidelines_are_beside_the_item(tmp_path, open_page):
    with served(TEXTS, tmp_path, guidelines=GUIDE, title="parcels") as (session, address):
        page = open_page(address)
        shown(page)
        playwright.expect(page.locator(".alkit-side .alkit-guide")).to_contain_text("What nobody asked for")
        spam = page.locator(".alkit-class", has_text="spam")
        playwright.expect(spam).to_have_attribute("aria-description", "What nobody asked for, e.g. WIN!!!:")
        save_view(page, "guidelines")
        page.keyboard.press("?")
        playwright.expect(page.get_by_role("dialog")).to_be_visible()
        save_view(page, "help")
        for key in "12xf ":
            page.keyboard.press(key)
        page.keyboard.press("?")
        playwright.expect(page.get_by_role("dialog")).to_be_hidden()
        item = shown(page)
        page.keyboard.press("1")
        shown(page, after=item)
        all_saved(page)
        assert labels_of(session) == {item: "spam"}


# ---- all of it


def write_rows(path, n):
    openings = {"spam": "Win a free weekend by the lake", "ham": "Are we still on for lunch"}
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "body"])
        for number in range(n):
            writer.writerow([f"n{number}", f"{openings[CLASSES[number % 2]]}, number {number}?"])


def label_by_keyboard(page, n, after=None):
    """Label items as they are, even numbers as the first class; return the last one."""
    item = after
    for _ in range(n):
        item = shown(page, after=item)
        page.keyboard.press("1" if int(item[1:]) % 2 == 0 else "2")
    return item


def label_by_requests(address, wrong):
    """Label all that is left as bob would, who errs about some items."""
    base, _, token = address.partition("/?token=")
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def ask(path, body=None):
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(urllib.request.Request(f"{base}/api/{path}", data, headers)) as response:
            return json.load(response) if response.status == 200 else None

    while (item := ask("next")) is not None:
        place = int(item["item"][1:]) % 2
        value = CLASSES[1 - place if item["item"] in wrong else place]
        ask("events", {"uuid": str(uuid.uuid4()), "item": item["item"], "kind": "label", "value": value})


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return str(listener.getsockname()[1])


def alkit(*arguments, cwd):
    subprocess.run([sys.executable, "-m", "alkit", *arguments], cwd=cwd, check=True, capture_output=True)


def test_a_project_from_the_first_label_to_a_larger_one(tmp_path, open_page):
    """Label 50, look back, change 3, review 5 disagreements, add 10 rows, rename a class, go on."""
    data = tmp_path / "posts.csv"
    write_rows(data, 50)
    arguments = ["posts.csv", "--text", "body", "--id", "id", "--annotators", "ann,bob", "--overlap", "2"]
    arguments += ["--model", "linear", "--port", free_port()]
    with command(*arguments, "--classes", "spam,ham", cwd=tmp_path) as addresses:
        label_by_requests(addresses["bob"], wrong={"n10", "n20"})
        page = open_page(addresses["ann"])
        last = label_by_keyboard(page, 50)
        playwright.expect(page.get_by_role("heading", name="All done")).to_be_visible()
        all_saved(page)
        page.keyboard.press("b")
        playwright.expect(lines(page)).to_have_count(50)
        changed = []
        while len(changed) < 3:
            told = chosen(page).locator(".alkit-told").inner_text()
            number = int(told.split()[-1].rstrip("?"))
            if number not in (10, 20):  # where bob errs already
                changed.append(number)
                page.keyboard.press("2" if number % 2 == 0 else "1")
                playwright.expect(chosen(page).locator("b")).to_have_text(CLASSES[1 - number % 2])
            page.keyboard.press("ArrowDown")
        page.keyboard.press("Escape")
        all_saved(page)
        owner = open_page(addresses["owner's review"])
        playwright.expect(lines(owner)).to_have_count(5)
        for _ in range(5):
            number = int(chosen(owner).locator(".alkit-told").inner_text().split()[-1].rstrip("?"))
            owner.keyboard.press("1" if number % 2 == 0 else "2")
        all_saved(owner)
        playwright.expect(owner.get_by_text("0 to decide · 5 decided")).to_be_visible()
        alkit("classes", "labels.db", "rename", "spam", "junk", cwd=tmp_path)  # while the server runs
        playwright.expect(owner.locator(".alkit-class").first).to_contain_text("junk")
    write_rows(data, 60)
    with command(*arguments, cwd=tmp_path) as addresses:
        shown(page, after=last)  # the page of before goes on by itself
        playwright.expect(page.locator(".alkit-work .alkit-class").first).to_contain_text("junk")
        label_by_keyboard(page, 10, after=last)
        playwright.expect(page.get_by_role("heading", name="Nothing for you right now")).to_be_visible()  # bob's turn
        all_saved(page)
        with urllib.request.urlopen(addresses["all labels"]) as response:
            answers = [json.loads(line) for line in response]
    names = ["junk", "ham"]
    assert len(answers) == 110
    assert sum(answer["value"] != names[int(answer["item"][1:]) % 2] for answer in answers) == 5
    alkit("export", "--aggregate", "majority", "--output", "truth.jsonl", cwd=tmp_path)
    truth = [json.loads(line) for line in (tmp_path / "truth.jsonl").read_text().splitlines()]
    assert {one["item"]: one["label"] for one in truth} == {f"n{k}": names[k % 2] for k in range(60)}
