"""The command: what it prints, what it refuses, and the files it writes."""

import json
import os
import re
import signal
import subprocess
import sys
from contextlib import closing

import pytest

from alkit import __version__
from alkit.annotate import LabelingSession, cli
from alkit.annotate.database.store import LabelStore
from alkit.annotate.formats import read_csv, read_jsonl, read_prodigy
from alkit.annotate.quality.report import report
from tests.annotate.clients import Server
from tests.annotate.pictures import hills

ROOT = os.getcwd()
TEXTS = ['first, "quoted"\n', "zweite שלום", "third", "fourth"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with LabelingSession(TEXTS, ["spam", "ham"], "labels.db", overlap=2, random_state=0) as session:
        for name, value in (("ann", "spam"), ("bob", "ham")):
            for _ in range(2):
                session.label(session.next(name)["item"], value, name, seconds=2.0)
        session.label(session.next("ann")["item"], "ham", "ann", seconds=4.0)
        session.flag(session.next("ann")["item"], "ann", note="torn")
    return tmp_path


def test_help_has_examples(capsys):
    for arguments in (["--help"], ["label", "--help"], ["export", "--help"], ["report", "--help"]):
        with pytest.raises(SystemExit) as caught:
            cli.main(arguments)
        assert caught.value.code == 0
        assert "alkit label posts.csv --text body --classes spam,ham" in capsys.readouterr().out


def test_version(capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"alkit {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("none.csv --text t --classes a,b", "none.csv cannot be read"),
        ("posts.csv --text t --classes a,b", "no column 't'; it has body"),
        ("posts.csv --text body --classes a", "two or more different names"),
        ("posts.csv --text body --classes a,b --strategy margn", "did you mean 'margin'"),
        ("posts.csv --text body --classes a,b --overlap 0", "overlap=0"),
        ("posts.csv --text body --classes a,b --overlap 3-1", r"overlap=\(3, 1\); it must be .* a range such as"),
        ("posts.csv --text body --classes a,b --estimator nosuchmodule:x", "No module named 'nosuchmodule'"),
        ("posts.csv --text body --classes a,b --estimator json", "names no object"),
        ("posts.csv --text body --classes a,b --estimator json:nosuch", "json has no 'nosuch'"),
        ("posts.csv --text body --classes a,b --estimator json:dumps", "--estimator json:dumps"),
        ("posts.csv --text body --classes a,b --db nowhere/labels.db", "cannot be used"),
        ("posts.csv --text body --classes a,b --db folder", "folder cannot be opened: .*; pass the path of a file"),
        (
            "posts.csv --text body --classes a,b --port 70000",
            "cannot listen on 127.0.0.1, port 70000: .*free port or 0",
        ),
        ("posts.csv --text body --classes a,b --host 192.0.2.1", "cannot listen on 192.0.2.1, port 0: "),
        ("excel.csv --classes a,b --separator comma", "excel.csv cannot be read: .* row 2: 3 cells"),
        ("excel.csv --classes a,b --encoding ascii", "excel.csv cannot be read: line 2 .* 0xfc, .* not ASCII"),
        ("excel.csv --classes a,b --encoding klingon", "'klingon' is no encoding"),
        ("pictures.csv --image file --classes a,b", "item '0', row 2, .*outside.png: lies outside .*--allow-outside"),
        ("pictures.csv --image file --classes a,b --skip-unreadable", "1 of 1 pictures .* cannot be shown"),
        ("folder --classes a,b", "folder of 0 files, none of them a picture"),
        ("folder --text body --classes a,b", "is a folder, which has no column 'body'"),
    ],
)
def test_mistakes_are_named(tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "posts.csv").write_text("body\none\ntwo\n")
    (tmp_path / "excel.csv").write_bytes("size;body\n1,5;Grüße, Ada\n".encode("cp1252"))
    (tmp_path / "pictures.csv").write_text("file\n../outside.png\n")
    (tmp_path / "folder").mkdir()
    with pytest.raises(SystemExit, match=message) as caught:
        cli.main(["label", *arguments.split()])
    assert str(caught.value).startswith("alkit: ")


@pytest.fixture
def session_of(monkeypatch):
    """The arguments of the session that the command opens, in place of a session."""
    opened = []

    def refuse(items, *arguments, **options):
        opened.append((items, options))
        raise ValueError("stop here")

    monkeypatch.setattr(cli, "LabelingSession", refuse)

    def run(*arguments):
        with pytest.raises(SystemExit, match="stop here"):
            cli.main(["label", *map(str, arguments), "--classes", "a,b"])
        return opened.pop()

    return run


@pytest.mark.parametrize("separator", ["semicolon", ";", None])
def test_how_a_file_is_read_is_said(tmp_path, session_of, capsys, separator):
    (tmp_path / "posts.CSV").write_bytes("zip;body\n01067;Grüße\n".encode("cp1252"))
    named = ["--separator", separator] if separator else []
    items, _ = session_of(tmp_path / "posts.CSV", "--text", "body", *named)
    assert items.text == ["Grüße"]
    assert "posts.CSV: 1 rows, cp1252, separated by semicolons" in capsys.readouterr().err


@pytest.mark.parametrize("separator", ["tab", r"\t", "\t"])
def test_a_tab_can_be_named_in_a_shell(tmp_path, session_of, separator):
    (tmp_path / "posts.csv").write_text("a,b\tc,d\n1\t2\n")
    items, _ = session_of(tmp_path / "posts.csv", "--separator", separator)
    assert list(items.rows) == ["a,b", "c,d"]


def test_pictures_that_cannot_be_shown_are_skipped_and_named(tmp_path, session_of, capsys):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.png").write_bytes(hills(0))
    (tmp_path / "photos" / "b.png").write_text("none")
    items, _ = session_of(tmp_path / "photos", "--skip-unreadable")
    assert items.ids == ["a.png"]
    assert "1 of 2 pictures are left out: item 'b.png', " in capsys.readouterr().err


def test_a_title_that_is_not_utf_8(tmp_path, session_of):
    path = tmp_path / os.fsdecode(b"caf\xe9.csv")
    try:
        path.write_text("body\none\n")
    except OSError:
        pytest.skip("this file system takes no such name")
    _, options = session_of(path, "--text", "body")
    assert options["title"] == r"caf\xe9.csv"


@pytest.mark.parametrize("names", ["ann,ann", ","])
def test_names_are_different(names, capsys):
    with pytest.raises(SystemExit):
        cli.main(["label", "posts.csv", "--classes", "a,b", "--annotators", names])
    assert "is no list of different names" in capsys.readouterr().err


def test_exports(folder, capsys):
    cli.main(["export", "--output", "a.jsonl"])
    answers = read_jsonl("a.jsonl")
    assert len(answers) == 6
    assert {answer["text"] for answer in answers} <= set(TEXTS)
    cli.main(["export", "--output", "a.csv", "--format", "csv"])
    assert [row["value"] for row in read_csv("a.csv")] == [answer["value"] for answer in answers]
    cli.main(["export", "--output", "a.prodigy", "--format", "prodigy"])
    for answer, again in zip(answers, read_prodigy("a.prodigy"), strict=True):
        assert again["text"] == answer["text"]
        if answer["kind"] == "label":
            assert (again["kind"], again["value"]) == ("label", answer["value"])
        else:
            assert (again["kind"], again["flagged"], again["note"]) == ("skip", True, "torn")
    assert "6 records in a.prodigy" in capsys.readouterr().out


def test_imports(folder, capsys):
    (folder / "earlier.csv").write_text("body;class\nthird;spam\nfourth;eggs\n")
    arguments = ["import", "earlier.csv", "--text", "body", "--label", "class", "--as", "cat"]
    cli.main(arguments)
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "2 records: 1 labels, 0 skips and 0 flags of 1 people, 0 predictions; 1 answers are new"
    assert "1 are of 1 classes that the project lacks" in said[1]
    cli.main(arguments)
    assert "0 answers are new\n1 are in the database already" in capsys.readouterr().out
    cli.main(["export", "--output", "a.json", "--format", "label-studio", "--all"])
    assert sum(len(task["annotations"]) for task in json.loads((folder / "a.json").read_text())) == 7
    for wrong, message in [
        (["earlier.csv", "--text", "nosuch"], "has no column 'nosuch'; it has body, class"),
        (["earlier.csv", "--question", "q"], "read as csv, which has no question to name; leave --question out"),
        (["a.json", "--separator", "tab"], "read as label-studio, which has no separator to name"),
        (["earlier.csv", "--label", "class", "--encoding", "klingon"], "'klingon' is no encoding"),
    ]:
        with pytest.raises(SystemExit, match=message):
            cli.main(["import", *wrong])


def test_a_backend_for_label_studio(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "posts.csv").write_text("body\none\ntwo\n")
    printed = []

    def interrupted(session, *, ready, **options):
        ready("http://here/token")
        printed.append((session.store.count("SELECT COUNT(*) FROM item"), options))
        raise KeyboardInterrupt

    monkeypatch.setattr("alkit.annotate.web.backend.serve_backend", interrupted)
    monkeypatch.setattr(cli, "_close", lambda session: session.close(timeout=0))
    earlier = signal.getsignal(signal.SIGTERM)
    cli.main(["serve-backend", "posts.csv", "--text", "body", "--classes", "a,b", "--port", "9090"])
    assert signal.getsignal(signal.SIGTERM) is earlier
    assert printed == [(2, {"host": "127.0.0.1", "port": 9090, "hosts": []})]
    assert "backend URL for Label Studio (Settings, Model): http://here/token" in capsys.readouterr().out


@pytest.mark.parametrize("method", ["majority", "dawid-skene"])
def test_aggregated_export(folder, method):
    cli.main(["export", "--output", "a.jsonl", "--aggregate", method])
    records = read_jsonl("a.jsonl")
    assert len(records) == 3
    assert all(record["label"] in ("spam", "ham") and 0.5 <= record["confidence"] <= 1 for record in records)
    assert sum(record["n_labels"] for record in records) == 5
    assert {record["text"] for record in records} < set(TEXTS)
    cli.main(["export", "--output", "a.prodigy", "--format", "prodigy", "--aggregate", method])
    again = read_prodigy("a.prodigy")
    assert [(task["text"], task["value"]) for task in again] == [
        (record["text"], record["label"]) for record in records
    ]


def test_report(folder, capsys):
    cli.main(["report", "--cost-per-hour", "36"])
    with closing(LabelStore(folder / "labels.db", read_only=True)) as store:
        assert capsys.readouterr().out == report(store, 36) + "\n"


def test_a_backup(folder, capsys):
    cli.main(["backup", "--output", "copy.db"])
    assert "6 events in copy.db" in capsys.readouterr().out
    cli.main(["export", "--db", "copy.db", "--output", "a.jsonl"])
    assert len(read_jsonl("a.jsonl")) == 6


def test_formulas_of_spreadsheets(folder):
    cli.main(["export", "--output", "a.csv", "--format", "csv", "--excel-safe"])
    with pytest.raises(SystemExit, match="--excel-safe is for --format csv, not jsonl"):
        cli.main(["export", "--output", "a.jsonl", "--excel-safe"])


def test_an_export_to_the_terminal_is_nothing_else(folder):
    command = [sys.executable, "-m", "alkit", "export", "--output", "/dev/stdout"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ | {"PYTHONPATH": ROOT})
    assert len([json.loads(line) for line in done.stdout.splitlines()]) == 6
    assert "6 records in /dev/stdout" in done.stderr


def test_names_that_are_no_utf_8(folder, capsys):
    name = os.fsdecode(b"caf\xe9.jsonl")
    cli.main(["export", "--output", name])
    assert len(read_jsonl(name)) == 6
    assert "6 records in caf\\udce9.jsonl" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        cli.main(["label", "posts.csv", "--classes", os.fsdecode(b"a,b\xe9")])
    assert "is not written in the encoding of this terminal" in capsys.readouterr().err


def test_there_is_nothing_to_export(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for arguments in (["export", "--output", "a.csv"], ["report"]):
        with pytest.raises(SystemExit, match=r"there is no database labels.db"):
            cli.main(arguments)
    assert not (tmp_path / "labels.db").exists()
    (tmp_path / "labels.db").touch()
    with pytest.raises(SystemExit, match=r"there is no database labels.db"):
        cli.main(["report"])
    assert not (tmp_path / "labels.db").stat().st_size


@pytest.mark.slow
def test_label_from_the_command_line(tmp_path):
    (tmp_path / "posts.csv").write_text("body\n" + "".join(f"offer {k}{'!' * (k % 5)}\n" for k in range(40)))
    arguments = ["posts.csv", "--text", "body", "--classes", "spam,ham"]
    server = Server(tmp_path, ["ann", "bob"], *arguments)
    assert set(server.addresses) == {"ann", "bob"}
    url, token = server.addresses["ann"]
    assert url.startswith("http://127.0.0.1:")
    ann = server.person("ann")
    for k in range(30):
        item = ann.get("/api/next").json()
        sent = {"uuid": str(k), "item": item["item"], "kind": "label", "value": ("ham", "spam")["!!" in item["text"]]}
        assert ann.post("/api/events", json=sent).status_code == 200
    owner = re.search(r"all labels: (\S+)", server.log.read_text()).group(1)
    lines = ann.get(owner, headers={"Authorization": ""}).text.splitlines()
    assert [json.loads(line)["annotator"] for line in lines] == ["ann"] * 30
    assert server.stop() == 0
    assert "Traceback" not in server.log.read_text()
    with LabelingSession(read_texts(tmp_path), ["spam", "ham"], tmp_path / "labels.db") as session:
        assert session.progress()["model"]["n_labels"] == 30
        assert set(session.fitted_model().predict(["offer!!!!", "offer"])) <= {"spam", "ham"}
    restarted = Server(tmp_path, ["ann"], *arguments, "--revoke", port=url.rsplit(":", 1)[1])
    assert restarted.addresses["ann"][0] == url
    assert restarted.person("ann").get("/api/progress").json()["mine"] == 30
    assert restarted.person("ann").get("/api/next", headers={"Authorization": f"Bearer {token}"}).status_code == 401
    restarted.kill()


def read_texts(folder):
    from alkit.annotate import read_items

    return read_items(folder / "posts.csv", text="body")


@pytest.mark.slow
def test_the_core_imports_without_the_extras():
    code = (
        "import sys\n"
        "for name in ('starlette', 'uvicorn', 'anywidget'): sys.modules[name] = None\n"
        "import alkit, alkit.annotate, alkit.annotate.cli\n"
        "alkit.annotate.LabelingSession\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# ---- teams


@pytest.fixture
def serve_team(folder, monkeypatch, capsys):
    """Serve the database of the folder with further arguments, for no time; return what is printed."""
    monkeypatch.setattr("alkit.annotate.web.server.serve", lambda session, *, ready, **_: ready("http://here"))

    def serve_team(*arguments):
        chosen = cli._parser().parse_args(["label", "data.csv", "--text", "body", *arguments])
        with LabelingSession(TEXTS, ["spam", "ham"], "labels.db") as session:
            if chosen.gold is not None:
                cli._take_gold(session, chosen)
            cli._serve(session, chosen)
        return capsys.readouterr()

    return serve_team


def test_the_owner_is_given_an_address(serve_team):
    printed = serve_team("--annotators", "ann,bob").out.splitlines()
    assert [line.partition(": ")[0] for line in printed[:4]] == ["ann", "bob", "owner's review", "all labels"]
    assert re.match(r"owner's review: http://here/review\?token=\S{40,}$", printed[2])
    assert printed[2].partition("token=")[2] == printed[3].partition("token=")[2]


def test_known_answers_are_taken_and_the_others_told(serve_team, folder):
    (folder / "known.csv").write_text("body,label\nthird,spam\nfourth,eggs\nfifth,ham\n", encoding="utf-8")
    told = serve_team("--gold", "known.csv").err.splitlines()
    assert told[0] == "known.csv: the answer to 1 items is known, of 3 records"
    assert "1 are of 1 classes that the project lacks, and are left out: 'eggs' (1)" in told[1]
    assert "1 are of items that the project does not have" in told[2]
    with closing(LabelStore("labels.db", read_only=True)) as store:
        assert [tuple(row) for row in store.query("SELECT * FROM gold")] == [("2", "spam")]
    (folder / "known.csv").write_text("body,label\nfifth,ham\n")
    with pytest.raises(ValueError, match=r"known\.csv holds no known answer for this project"):
        serve_team("--gold", "known.csv")
    with pytest.raises(ValueError, match=r"none\.csv"):
        serve_team("--gold", "none.csv")


def test_known_answers_that_cannot_be_read_start_nothing(folder):
    with pytest.raises(SystemExit, match=r"missing\.csv"):
        cli.main(["label", "data.csv", "--classes", "a,b", "--db", "new.db", "--gold", "missing.csv"])
    assert not (folder / "new.db").exists()


def test_guidelines_that_cannot_be_shown_start_nothing(folder):
    (folder / "guide.md").write_bytes(b"\xff\xfe")
    for name, message in (("guide.md", "are no UTF-8 in line 1"), ("none.md", "cannot be read: No such file")):
        with pytest.raises(SystemExit, match=message):
            cli.main(["label", "data.csv", "--classes", "a,b", "--db", "new.db", "--guidelines", name])
    assert not (folder / "new.db").exists()
