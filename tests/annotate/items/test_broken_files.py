"""Files broken at random: each is opened as it is, or refused by name, with a place and a remedy."""

import io
import json
import os
import re
import subprocess
import sys
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl import Workbook
from PIL import Image

from alkit.annotate.items import read_items

TEXT = (
    'id;body;zip\r\n007;"Grüße, ""Ada""\r\nund naïve Cafés";01067\r\nk2;NA;00210\r\nk3;東京 שלום 👋;\r\n'
    "k4;a rather long text, with commas and more;1e5\r\n"
)
LINES = (
    '{"id": 7, "body": "Grüße", "zip": "01067"}\n{"id": "k2", "body": "NA", "zip": null}\n'
    '{"id": "k3", "body": "\\ud83d\\udc4b", "zip": [1, {"a": 1.5}]}\n'
)
REMEDY = re.compile(
    "pass|save|rename|repair|mend|put a cell|write one|fill|leave|drop|doubled|name that|must name|add some|unpack"
)
PLACE = re.compile(r"row \d+|line \d+|column|header|empty|rows|workbook|ZIP|item '")


def workbook():
    book, file = Workbook(), io.BytesIO()
    for row in (["id", "body", "zip"], ["007", "Grüße", 1067], ["k2", "NA", 2.5], ["k3", "東京", None]):
        book.active.append(row)
    book.save(file)
    return file.getvalue()


def picture(kind):
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (24, 32, 3), dtype=np.uint8)).save(file, kind)
    return file.getvalue()


TABLES = {
    "a.csv": [TEXT.encode(), TEXT.encode("utf-16"), TEXT[:100].replace("東", "").encode("cp1252", "ignore")],
    "a.tsv": [TEXT.replace(";", "\t").encode("utf-8-sig")],
    "a.jsonl": [LINES.encode()],
    "a.xlsx": [workbook()],
}
INSERTED = [b"\0", b'"', b",", b";", b"\n", b"\r", b"\xff", b"\xef\xbb\xbf", b"{", b"}"]
PICTURES = [picture(kind) for kind in ("PNG", "JPEG", "GIF", "WEBP", "BMP")]


@st.composite
def broken(draw, whole):
    """Bytes with up to four changes: a flip, a cut, an insertion, a piece taken out, or another encoding within."""
    raw = bytearray(whole)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(raw)))
        change = draw(st.sampled_from(["flip", "flip", "cut", "insert", "take", "mix"]))
        if change == "flip" and at < len(raw):
            raw[at] ^= 1 << draw(st.integers(0, 7))
        elif change == "cut":
            del raw[at:]
        elif change == "insert":
            raw[at:at] = draw(st.sampled_from(INSERTED))
        elif change == "take":
            del raw[at : at + draw(st.integers(1, 9))]
        else:
            raw[at:at] = "ä€ß".encode(draw(st.sampled_from(["utf-16-le", "cp1252", "utf-8", "shift-jis"])), "ignore")
    return bytes(raw)


@st.composite
def broken_tables(draw):
    name = draw(st.sampled_from(sorted(TABLES)))
    return name, draw(broken(draw(st.sampled_from(TABLES[name]))))


broken_folders = st.lists(st.sampled_from(PICTURES).flatmap(broken), min_size=1, max_size=3)


def check_refusal(message, name):
    """A refusal names the file, a place in it, and a remedy."""
    assert name in message, message
    assert PLACE.search(message), message
    assert REMEDY.search(message), message
    assert "Traceback" not in message


def open_or_refuse(path, **columns):
    try:
        items = read_items(path, **columns)
    except ValueError as error:
        check_refusal(str(error), path.name)
        return None
    contents = list(items.contents())
    assert len(contents) == len(items) == len(set(items.ids))
    "\n".join(contents + items.ids).encode()
    return items


# Fifty examples of each kind run by default, hundreds in the slow tests.
FEW = settings(max_examples=50, derandomize=True, suppress_health_check=list(HealthCheck))
MANY = settings(FEW, max_examples=1000, derandomize=False)


def check_table(folder, broken_table):
    name, raw = broken_table
    path = folder / name
    path.write_bytes(raw)
    open_or_refuse(path)
    items = open_or_refuse(path, id="id", text="body", columns=["zip"])
    if items is not None:
        assert all(text.strip() for text in items.text)
        items.features()


def check_pictures(folder, contents):
    for old in folder.iterdir():
        old.unlink()
    for number, raw in enumerate(contents):
        (folder / f"{number}.png").write_bytes(raw)
    open_or_refuse(folder)
    kept = None
    with suppress(ValueError):
        kept = len(read_items(folder, skip_unreadable=True))
    assert kept is None or 0 < kept <= len(contents)


@FEW
@given(broken_table=broken_tables())
def test_broken_tables(tmp_path_factory, broken_table):
    check_table(tmp_path_factory.getbasetemp(), broken_table)


@FEW
@given(contents=broken_folders)
def test_broken_pictures(tmp_path_factory, contents):
    folder = tmp_path_factory.getbasetemp() / "broken pictures"
    folder.mkdir(exist_ok=True)
    check_pictures(folder, contents)


@pytest.mark.slow
@MANY
@given(broken_table=broken_tables())
def test_many_broken_tables(tmp_path_factory, broken_table):
    check_table(tmp_path_factory.getbasetemp(), broken_table)


@pytest.mark.slow
@MANY
@given(contents=broken_folders)
def test_many_broken_pictures(tmp_path_factory, contents):
    folder = tmp_path_factory.getbasetemp() / "many broken pictures"
    folder.mkdir(exist_ok=True)
    check_pictures(folder, contents)


# Runs the command for each folder it is given; a process of its own each, forked so that torch is imported once.
EACH_IN_A_PROCESS = """
import json, os, signal, sys, time, traceback
from pathlib import Path
from alkit.annotate import cli

def run(folder, arguments):
    os.chdir(folder)
    os.setsid()
    log = os.open("log", os.O_CREAT | os.O_WRONLY)
    os.dup2(log, 1), os.dup2(log, 2)
    try:
        cli.main(["label", *arguments, "--classes", "a,b"])
        status = 0
    except SystemExit as error:
        print(error.code, file=sys.stderr)
        status = 1
    except BaseException:
        traceback.print_exc()
        status = 70
    sys.stdout.flush()
    os._exit(status)

for folder, arguments in json.loads(sys.stdin.read()):
    pid = os.fork() or run(folder, arguments)
    log = Path(folder, "log")
    for _ in range(3000):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended or (log.exists() and "Ctrl-C ends it" in log.read_text()):
            break
        time.sleep(0.02)
    else:
        raise SystemExit(f"{folder} neither starts nor ends")
    if not ended:
        os.killpg(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    print(json.dumps(os.waitstatus_to_exitcode(status) if ended else "labelling"), flush=True)
"""


@pytest.mark.slow
def test_two_hundred_through_the_command(tmp_path):
    runs = []

    @settings(FEW, max_examples=200)
    @given(broken_table=broken_tables(), contents=broken_folders, n=st.integers(0, 2))
    def write_down(broken_table, contents, n):
        folder = tmp_path / str(len(runs))
        name, raw = broken_table
        if n == 2:
            name = "pictures"
            (folder / name).mkdir(parents=True)
            for number, content in enumerate(contents):
                (folder / name / f"{number}.png").write_bytes(content)
            runs.append((str(folder), [name]))
        else:
            folder.mkdir()
            (folder / name).write_bytes(raw)
            runs.append((str(folder), [name, "--text", "body"] if n else [name]))

    write_down()
    runs = runs[:200]
    done = subprocess.run(
        [sys.executable, "-c", EACH_IN_A_PROCESS], input=json.dumps(runs), capture_output=True, text=True, check=False,
        env=os.environ | {"PYTHONPATH": os.getcwd(), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    outcomes = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(outcomes) == len(runs) == 200
    for (folder, (name, *_)), outcome in zip(runs, outcomes, strict=True):
        said = (tmp_path / folder / "log").read_text()
        assert outcome in ("labelling", 1), said
        assert "Traceback" not in said
        if outcome == 1:
            check_refusal(said, name)
    assert outcomes.count("labelling") >= 20
    assert outcomes.count(1) >= 50
