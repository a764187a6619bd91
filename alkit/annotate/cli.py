"""The command ``alkit``: label, classes, import, export, report, serve-backend, backup."""

from __future__ import annotations

import argparse
import importlib
import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from alkit._version import __version__
from alkit.annotate.cli_classes import add_classes_command, place
from alkit.annotate.database.backup import backup
from alkit.annotate.database.complete import reading
from alkit.annotate.database.places import Place, cache_of
from alkit.annotate.database.setup import ASSIGN
from alkit.annotate.database.tokens import remove_tokens
from alkit.annotate.formats import FORMATS
from alkit.annotate.formats.columns import column_names
from alkit.annotate.formats.export import export
from alkit.annotate.formats.foreign import IMPORTED, Asked
from alkit.annotate.formats.gold import take_gold
from alkit.annotate.formats.importing import IMPORTER, import_labels
from alkit.annotate.guidelines import read_guidelines
from alkit.annotate.items import Items, printable, read_items
from alkit.annotate.quality.report import report
from alkit.annotate.session import LabelingSession
from alkit.annotate.training.candidates import MODELS, N_FIRST_ITEMS, chosen_model, first_items

_EXAMPLES = """examples:
  alkit label posts.csv --text body --classes spam,ham
  alkit label photos --classes cat,dog
  alkit label photos.csv --image file --classes cat,dog --annotators ann,bob --overlap 2
  alkit label posts.csv --text body --classes spam,ham --annotators ann,bob,cat --assign expertise --overlap 1-3
  alkit label posts.csv --text body --classes spam,ham --annotators ann,bob --guidelines guide.md --gold known.csv
  alkit label excel.csv --text body --classes spam,ham --encoding cp1252 --separator semicolon
  alkit label posts.jsonl --text body --classes spam,ham --estimator mymodels:classifier --strategy bald
  alkit label posts.csv --text body --classes sport,politics,weather --multi
  alkit import earlier.csv --db labels.db --text body --label class --as ann
  alkit import project-7.json --db labels.db --format label-studio
  alkit export --db labels.db --format prodigy --output labels.jsonl
  alkit export --db labels.db --format parquet --all --output everything.parquet
  alkit report --db labels.db --cost-per-hour 30
  alkit serve-backend posts.csv --text body --classes spam,ham --strategy bald --port 9090
  alkit backup --db labels.db --output copy.db
  alkit label posts.csv --text body --classes spam,ham --db postgresql://ann@db.example.org/labels?schema=posts
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command.

    Parameters
    ----------
    arguments : sequence of str, optional
        Words of the command line; by default those the process was started with.
    """
    chosen = _parser().parse_args(arguments)
    try:
        chosen.run(chosen)
    except (ValueError, TypeError, OSError, ImportError) as error:
        raise SystemExit(f"alkit: {error}") from error


def _parser() -> argparse.ArgumentParser:
    style: dict[str, Any] = {"formatter_class": argparse.RawDescriptionHelpFormatter, "epilog": _EXAMPLES}
    parser = argparse.ArgumentParser("alkit", description="Active learning: label what teaches a model most.", **style)
    parser.add_argument("--version", action="version", version=f"alkit {__version__}")
    commands = parser.add_subparsers(required=True, metavar="{label,classes,import,export,report,serve-backend,backup}")
    label = commands.add_parser("label", help="label items in the browser, while a model learns", **style)
    import_ = commands.add_parser("import", help="add labels and predictions that were given elsewhere", **style)
    add_classes_command(commands)
    export = commands.add_parser("export", help="write the labels to a file", **style)
    report = commands.add_parser("report", help="how much, how long, how much agreement", **style)
    backend = commands.add_parser("serve-backend", help="rank the tasks of a Label Studio project", **style)
    backup = commands.add_parser("backup", help="copy the database, also while a server labels into it", **style)
    for command in (label, backend):
        _add_items_arguments(command)
    _add_label_arguments(label)
    _add_team_arguments(label)
    for command in (label, backend):
        _add_server_arguments(command)
    _add_import_arguments(import_)
    _add_export_arguments(export)
    report.add_argument("--cost-per-hour", type=float, metavar="N", help="what an annotator's hour costs")
    backup.add_argument("--output", type=Path, required=True, metavar="FILE", help="a new file, or an earlier copy")
    backup.add_argument("--incomplete", action="store_true", help="copy a database although it lacks labels, because "
                        "the original is lost")  # fmt: skip
    runs = {
        label: _label, import_: _import, export: _export, report: _report, backend: _serve_backend, backup: _backup,
    }  # fmt: skip
    for command, run in runs.items():
        _add_database(command)
        command.set_defaults(run=run)
    return parser


def _add_items_arguments(label: argparse.ArgumentParser) -> None:
    """Add what tells the items, the classes and the model."""
    label.add_argument("data", type=Path, help="a .csv, .tsv, .xlsx or .jsonl file, or a folder of pictures")
    label.add_argument("--text", metavar="COL", help="the column of texts")
    label.add_argument("--image", metavar="COL", help="the column of picture files, relative to the data's folder")
    label.add_argument("--columns", type=_names, metavar="COL,COL", help="columns shown beside (default without --text "
                       "and --image: all)")  # fmt: skip
    label.add_argument("--id", metavar="COL", help="the column of ids (default: rows are numbered)")
    label.add_argument("--encoding", metavar="NAME", help="of the file, e.g. cp1252 (default: guessed, and said)")
    label.add_argument("--separator", type=_separator, metavar="CHAR", help="between the cells of the file, or its "
                       "name: comma, semicolon, tab (default: guessed, and said)")  # fmt: skip
    label.add_argument("--skip-unreadable", action="store_true", help="leave out pictures that cannot be shown")
    label.add_argument("--allow-outside", action="store_true", help="show pictures that lie outside of the data's "
                       "folder, too")  # fmt: skip
    label.add_argument("--classes", type=_names, metavar="A,B", help="the labels to choose from (default: those of the "
                       "database)")  # fmt: skip
    label.add_argument("--multi", action="store_true", help="items may have several of the classes, or none; a "
                       "database is of one kind from its beginning")  # fmt: skip
    label.add_argument("--accept-changes", action="store_true", help="items of the database may have changed in the "
                       "data, or be gone; their labels stay, and are marked")  # fmt: skip
    label.add_argument("--strategy", default="margin", help="how items are queried, see alkit.get_strategy_names()")
    label.add_argument("--model", choices=MODELS, default="auto", help="the kind of model; auto: whichever does best "
                       "on the labels so far (default: auto)")  # fmt: skip
    label.add_argument("--estimator", metavar="MODULE:OBJECT", help="your own model: an estimator, or a function that "
                       "returns one")  # fmt: skip


def _add_label_arguments(label: argparse.ArgumentParser) -> None:
    label.add_argument("--overlap", type=_overlap, default=1, metavar="N", help="annotators per item (default: 1); "
                       "1-3: one, and up to three where the label is not sure")  # fmt: skip
    label.add_argument("--assign", choices=ASSIGN, default="anyone", help="who is given an item: anyone, or who is "
                       "expected to tell most about it (default: anyone)")  # fmt: skip
    label.add_argument("--random-share", type=float, default=0.1, help="share of items drawn at random, from which the "
                       "learning curve is drawn (default: 0.1)")  # fmt: skip
    label.add_argument("--lease", type=float, default=300, metavar="SECONDS", help="how long an item is held for an "
                       "annotator who no longer looks at it (default: 300)")  # fmt: skip
    label.add_argument("--idle-after", type=float, default=60, metavar="SECONDS", help="an annotator is away after "
                       "this time without a key or a movement, and time away does not count (default: 60)")  # fmt: skip
    label.add_argument("--annotators", type=_names, default=["me"], metavar="ANN,BOB", help="who labels (default: me); "
                       "addresses of others stop working, their labels stay")  # fmt: skip


def _add_team_arguments(label: argparse.ArgumentParser) -> None:
    label.add_argument("--guidelines", type=Path, metavar="FILE.md", help="what the classes mean: shown beside the "
                       "item; kept until another file is given")  # fmt: skip
    label.add_argument("--gold", type=Path, metavar="FILE", help="items whose answer is known (id, text or picture; "
                       "label), by which people are tested; kept until another file is given")  # fmt: skip
    label.add_argument("--gold-share", type=float, default=0.1, help="share of everybody's items that test them "
                       "(default: 0.1)")  # fmt: skip


def _add_server_arguments(label: argparse.ArgumentParser) -> None:
    label.add_argument("--revoke", action="store_true", help="addresses given out earlier stop working")
    label.add_argument("--host", default="127.0.0.1", help="the address to listen on (default: this machine only)")
    label.add_argument("--port", type=int, default=0, help="the port (default: any that is free)")
    label.add_argument("--allow-host", action="append", default=[], metavar="NAME", help="another name of this server")


def _add_import_arguments(import_: argparse.ArgumentParser) -> None:
    import_.add_argument("file", type=Path, help="a file of labels or predictions")
    import_.add_argument("--format", choices=IMPORTED, help="what wrote it (default: told by its name)")
    import_.add_argument("--as", dest="annotator", default=IMPORTER, metavar="NAME", help="who gave the labels of "
                         f"which the file names nobody (default: {IMPORTER})")  # fmt: skip
    for name, what in (("id", "ids"), ("text", "texts"), ("image", "picture files"), ("label", "labels"),
                       ("annotator", "people's names")):  # fmt: skip
        import_.add_argument(f"--{name}", dest=f"column_{name}", metavar="COL", help=f"the column of {what}, if it is "
                             "not called as in alkit's exports")  # fmt: skip
    import_.add_argument("--question", metavar="NAME", help="of Label Studio and Labelbox: which question the labels "
                         "answer, if there are several")  # fmt: skip
    import_.add_argument("--encoding", metavar="NAME", help="of the file, e.g. cp1252 (default: guessed)")
    import_.add_argument("--separator", type=_separator, metavar="CHAR", help="between cells (default: guessed)")
    import_.add_argument("--replace", action="store_true", help="take the file's answer where the same person gave "
                         "another one in the database")  # fmt: skip


def _add_export_arguments(export: argparse.ArgumentParser) -> None:
    formats = ", ".join(f"{name} ({known.suffix})" for name, known in FORMATS.items())
    export.add_argument("--format", choices=tuple(FORMATS), default="jsonl", help=f"{formats} (default: jsonl)")
    export.add_argument("--aggregate", choices=("majority", "dawid-skene"), help="one label per item, made of all "
                        "annotators'")  # fmt: skip
    export.add_argument("--all", action="store_true", help="also the items that nobody labelled, with what the model "
                        "predicts of them")  # fmt: skip
    export.add_argument("--excel-safe", action="store_true", help="of csv: write an apostrophe before texts that a "
                        "spreadsheet would run as a formula: those that begin with = + - @, tab or a line "
                        "break")  # fmt: skip
    export.add_argument("--output", type=Path, required=True, metavar="FILE", help="replaced once all is written; must "
                        "not be a database or the data")  # fmt: skip


def _add_database(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--db", type=place, default=Path("labels.db"), help="the database: a file on a local disk, or "
                        "postgresql://user@host/database?schema=project (default: labels.db)")  # fmt: skip


def _names(given: str) -> list[str]:
    names = [name.strip() for name in given.split(",") if name.strip()]
    if not given.isprintable() and any("\ud800" <= letter <= "\udfff" for letter in given):
        raise argparse.ArgumentTypeError(f"{given!r} is not written in the encoding of this terminal")
    if not names or len(set(names)) < len(names):
        raise argparse.ArgumentTypeError(f"{given!r} is no list of different names; separate them by commas")
    return names


def _separator(given: str) -> str:
    """Return the character that a shell's user may name by a word."""
    return {"comma": ",", "semicolon": ";", "tab": "\t", r"\t": "\t"}.get(given, given)


def _overlap(given: str) -> int | tuple[int, int]:
    """Return a number, or the ends of a range such as 1-3."""
    least, dash, most = given.partition("-")
    try:
        return (int(least), int(most)) if dash else int(least)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{given!r} is no number of annotators; write 2, or 1-3") from error


def _read(chosen: argparse.Namespace) -> tuple[Items, Any, Any]:
    """Return the items, what embeds them (or None), and the learner."""
    items = read_items(
        chosen.data, text=chosen.text, image=chosen.image, id=chosen.id, columns=chosen.columns,
        encoding=chosen.encoding, separator=chosen.separator, skip_unreadable=chosen.skip_unreadable,
        allow_outside=chosen.allow_outside,
    )  # fmt: skip
    for note in items.notes:
        print(note, file=sys.stderr)
    if chosen.estimator is None:
        return items, *chosen_model(items, chosen.strategy, chosen.model, cache_of(chosen.db), multi=chosen.multi)
    if chosen.model != "auto":
        raise ValueError(f"--model {chosen.model} and --estimator {chosen.estimator}: give one of them")
    return items, None, _load_estimator(chosen.estimator)


def _label(chosen: argparse.Namespace) -> None:
    guidelines = None if chosen.guidelines is None else read_guidelines(chosen.guidelines)
    if chosen.gold is not None:
        column_names(chosen.gold)  # a file that cannot be read is refused before there is a database
    items, embed, learner = _read(chosen)
    classes = chosen.classes or _known_classes(chosen.db)
    session = LabelingSession(
        items, classes, chosen.db, learner=learner, embed=embed, strategy=chosen.strategy,
        cold_start="random" if embed is None else first_items(embed, len(items), len(classes)), n_cold=N_FIRST_ITEMS,
        overlap=chosen.overlap, assign=chosen.assign, random_share=chosen.random_share,
        lease_seconds=chosen.lease, idle_after=chosen.idle_after, title=printable(chosen.data.resolve().name),
        gold_share=chosen.gold_share, guidelines=guidelines, accept_changes=chosen.accept_changes,
        multi=chosen.multi,
    )  # fmt: skip
    if session.changes is not None:
        print(f"{printable(chosen.data.name)}, since the last time: {session.changes}", file=sys.stderr)
    if chosen.gold is not None:
        _take_gold(session, chosen)
    _until_interrupted(session, lambda: _serve(session, chosen))


def _take_gold(session: LabelingSession, chosen: argparse.Namespace) -> None:
    """Make items gold whose answer is known; a session whose file is refused has nothing to wait for."""
    columns = {"item": chosen.id, "text": chosen.text, "image": chosen.image}
    try:
        lines = take_gold(session.store, chosen.gold, columns)
    except BaseException:
        session.close(timeout=0)
        raise
    for line in lines:
        print(_shown(line), file=sys.stderr)


def _until_interrupted(session: LabelingSession, serve: Callable[[], None]) -> None:
    """Serve a session, and close it in the end."""
    # SIGTERM then ends as Ctrl-C does: with a model that was fitted on the last labels.
    earlier = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        serve()
    except KeyboardInterrupt:
        pass
    finally:
        _close(session)
        signal.signal(signal.SIGTERM, earlier)


def _serve_backend(chosen: argparse.Namespace) -> None:
    from alkit.annotate.web.backend import serve_backend  # needs the extra "annotate"

    items, embed, learner = _read(chosen)
    session = LabelingSession(
        items, chosen.classes or _known_classes(chosen.db), chosen.db, learner=learner, embed=embed,
        strategy=chosen.strategy, n_ranked=len(items), title=printable(chosen.data.resolve().name),
        accept_changes=chosen.accept_changes, multi=chosen.multi,
    )  # fmt: skip
    if chosen.revoke:
        remove_tokens(session.store)

    def ready(url: str) -> None:
        print(f"backend URL for Label Studio (Settings, Model): {url}")
        print("Ctrl-C ends it; labels are safe at any time", flush=True)

    options = {"host": chosen.host, "port": chosen.port, "hosts": chosen.allow_host}
    _until_interrupted(session, lambda: serve_backend(session, ready=ready, **options))


def _known_classes(database: Place) -> list[str]:
    """Return the classes of a database that exists."""
    try:
        with reading(database) as store:
            return list(store.meta("classes", []))
    except ValueError as error:
        raise ValueError(f"{error}; name the classes of a new database by --classes") from error


def _serve(session: LabelingSession, chosen: argparse.Namespace) -> None:
    """Print everybody's address and answer requests until interrupted."""
    from alkit.annotate.web.server import serve  # needs the extra "annotate", which export and report do without

    if chosen.revoke or session.store.engine.is_first:  # else other servers may know further people
        remove_tokens(session.store, keep=() if chosen.revoke else chosen.annotators)
    tokens = {name: session.new_token(name) for name in chosen.annotators}
    owner = session.new_token(None)

    def ready(url: str) -> None:
        for name, token in tokens.items():
            print(f"{name}: {url}/?token={token}")
        print(f"owner's review: {url}/review?token={owner}")
        print(f"all labels: {url}/api/export?token={owner}")
        print("Ctrl-C ends it; labels are safe at any time", flush=True)

    serve(session, host=chosen.host, port=chosen.port, hosts=chosen.allow_host, ready=ready)


def _close(session: LabelingSession) -> None:
    """Close a session, unless the last fit is interrupted, too."""
    print("fitting the model on the last labels; Ctrl-C leaves that out", file=sys.stderr)
    complete = False
    with suppress(KeyboardInterrupt):
        complete = session.close()
    if not complete:
        print(
            "the model does not have the last labels, which are safe: its fit failed, or takes longer than is waited "
            "for; it learns them at the next start",
            file=sys.stderr,
        )


def _load_estimator(name: str) -> Any:
    """Return the estimator that MODULE:OBJECT names; modules of the current folder are found, too."""
    module, _, path = name.partition(":")
    if not path:
        raise ValueError(f"--estimator {name} names no object; write MODULE:OBJECT, e.g. mymodels:classifier")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    named: Any = importlib.import_module(module)
    for part in path.split("."):
        if not hasattr(named, part):
            raise ValueError(f"--estimator {name}: {named.__name__} has no {part!r}")
        named = getattr(named, part)
    if hasattr(named, "predict") and not isinstance(named, type):
        return named
    try:
        return named()
    except TypeError as error:
        raise ValueError(
            f"--estimator {name} is neither an estimator nor callable without arguments: {error}"
        ) from error


def _import(chosen: argparse.Namespace) -> None:
    names = {"item": "id", "text": "text", "image": "image", "label": "label", "annotator": "annotator"}
    columns = {name: getattr(chosen, f"column_{option}") for name, option in names.items()}
    asked = Asked(chosen.format, columns, chosen.question, chosen.encoding, chosen.separator)
    done = import_labels(chosen.db, chosen.file, asked, annotator=chosen.annotator, replace=chosen.replace)
    print(_shown("\n".join(done.lines())))


def _export(chosen: argparse.Namespace) -> None:
    if chosen.excel_safe and chosen.format != "csv":
        raise ValueError(f"--excel-safe is for --format csv, not {chosen.format}")
    output = chosen.output
    n_records = export(
        chosen.db, output, format=chosen.format, method=chosen.aggregate, excel_safe=chosen.excel_safe,
        all_items=chosen.all,
    )  # fmt: skip
    to_a_file = output.is_file()  # else it may be the standard output, which holds the records
    print(f"{n_records} records in {_shown(output)}", file=sys.stdout if to_a_file else sys.stderr)


def _report(chosen: argparse.Namespace) -> None:
    with reading(chosen.db) as store:
        print(_shown(report(store, chosen.cost_per_hour)))


def _backup(chosen: argparse.Namespace) -> None:
    n_events = backup(chosen.db, chosen.output, incomplete=chosen.incomplete)
    print(f"{n_events} events in {_shown(chosen.output)}")


def _shown(text: object) -> str:
    """Return a text as the terminal can print it: names of files and labels may hold what its encoding does not."""
    encoding = sys.stdout.encoding or "utf-8"
    return str(text).encode(encoding, "backslashreplace").decode(encoding)
