"""The command ``alkit``: label, export, report."""

from __future__ import annotations

import argparse
import importlib
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from alkit.annotate.database.answers import read_answers
from alkit.annotate.database.store import LabelStore
from alkit.annotate.database.tokens import remove_tokens
from alkit.annotate.items import read_items
from alkit.annotate.session import LabelingSession

_EXAMPLES = """examples:
  alkit label posts.csv --text body --classes spam,ham
  alkit label photos --classes cat,dog
  alkit label photos.csv --image file --classes cat,dog --annotators ann,bob --overlap 2
  alkit label posts.jsonl --text body --classes spam,ham --estimator mymodels:classifier --strategy bald
  alkit export --db labels.db --format prodigy --output labels.jsonl
  alkit report --db labels.db --cost-per-hour 30
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command.

    Parameters
    ----------
    arguments : sequence of str, optional
        By default those the process was started with.
    """
    chosen = _parser().parse_args(arguments)
    try:
        chosen.run(chosen)
    except (ValueError, TypeError, OSError, ImportError) as error:
        raise SystemExit(f"alkit: {error}") from error


def _parser() -> argparse.ArgumentParser:
    style: dict[str, Any] = {"formatter_class": argparse.RawDescriptionHelpFormatter, "epilog": _EXAMPLES}
    parser = argparse.ArgumentParser("alkit", description="Active learning: label what teaches a model most.", **style)
    commands = parser.add_subparsers(required=True, metavar="{label,export,report}")

    label = commands.add_parser("label", help="label items in the browser, while a model learns", **style)
    label.add_argument("data", type=Path, help="a .csv, .tsv or .jsonl file, or a folder of pictures")
    label.add_argument("--text", metavar="COL", help="the column of texts")
    label.add_argument("--image", metavar="COL", help="the column of picture files, relative to the data's folder")
    label.add_argument("--columns", type=_names, metavar="COL,COL", help="columns shown beside (default without --text "
                       "and --image: all)")  # fmt: skip
    label.add_argument("--id", metavar="COL", help="the column of ids (default: rows are numbered)")
    label.add_argument("--classes", type=_names, required=True, metavar="A,B", help="the labels there are")
    label.add_argument("--strategy", default="margin", help="what to ask next, see alkit.get_strategy_names()")
    label.add_argument(
        "--estimator", metavar="MODULE:OBJECT", help="a model of your own: an estimator, or what makes one"
    )
    label.add_argument("--overlap", type=int, default=1, help="annotators an item (default: 1)")
    label.add_argument("--random-share", type=float, default=0.1, help="share of items drawn at random, from which the "
                       "learning curve is drawn (default: 0.1)")  # fmt: skip
    label.add_argument("--annotators", type=_names, default=["me"], metavar="ANN,BOB", help="who labels (default: me)")
    label.add_argument("--revoke", action="store_true", help="addresses given out earlier stop working")
    label.add_argument("--host", default="127.0.0.1", help="the address to listen on (default: this machine only)")
    label.add_argument("--port", type=int, default=0, help="the port (default: any that is free)")
    label.add_argument("--allow-host", action="append", default=[], metavar="NAME", help="another name of this server")
    _add_database(label)
    label.set_defaults(run=_label)

    export = commands.add_parser("export", help="write the labels to a file", **style)
    export.add_argument("--format", choices=("jsonl", "csv", "prodigy"), default="jsonl")
    export.add_argument(
        "--aggregate", choices=("majority", "dawid-skene"), help="one label an item, of all annotators'"
    )
    export.add_argument("--output", type=Path, required=True, metavar="FILE")
    _add_database(export)
    export.set_defaults(run=_export)

    report = commands.add_parser("report", help="how much, how long, how much agreement", **style)
    report.add_argument("--cost-per-hour", type=float, metavar="N", help="what an annotator's hour costs")
    _add_database(report)
    report.set_defaults(run=_report)
    return parser


def _add_database(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--db", type=Path, default=Path("labels.db"), help="the database, on a local disk "
                        "(default: labels.db)")  # fmt: skip


def _names(given: str) -> list[str]:
    names = [name.strip() for name in given.split(",") if name.strip()]
    if not names or len(set(names)) < len(names):
        raise argparse.ArgumentTypeError(f"{given!r} is no list of different names; separate them by commas")
    return names


def _label(chosen: argparse.Namespace) -> None:
    from alkit.annotate.default_models import default_model
    from alkit.annotate.web.server import serve

    items = read_items(chosen.data, text=chosen.text, image=chosen.image, id=chosen.id, columns=chosen.columns)
    embed, learner = (
        default_model(items, chosen.strategy) if chosen.estimator is None else (None, _load(chosen.estimator))
    )
    session = LabelingSession(
        items, chosen.classes, chosen.db, learner=learner, embed=embed, strategy=chosen.strategy,
        overlap=chosen.overlap, random_share=chosen.random_share, title=chosen.data.resolve().name,
    )  # fmt: skip
    try:
        if chosen.revoke:
            remove_tokens(session.store)
        tokens = {name: session.new_token(name) for name in chosen.annotators}
        owner = session.new_token(None)

        def ready(url: str) -> None:
            for name, token in tokens.items():
                print(f"{name}: {url}/?token={token}")
            print(f"all labels: {url}/api/export?token={owner}")
            print("Ctrl-C ends it; labels are safe at any time", flush=True)

        signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as Ctrl-C does, the model with the last labels
        serve(session, host=chosen.host, port=chosen.port, hosts=chosen.allow_host, ready=ready)
    except KeyboardInterrupt:
        pass
    finally:
        print("fitting the model on the last labels; Ctrl-C leaves that out", file=sys.stderr)
        complete = False
        with suppress(KeyboardInterrupt):
            complete = session.close()
        if not complete:
            print("the model does not have the last labels; they are safe", file=sys.stderr)


def _load(name: str) -> Any:
    """Return the estimator that MODULE:OBJECT names, looked for in the current folder, too."""
    module, _, path = name.partition(":")
    if not path:
        raise ValueError(f"--estimator {name} names no object; write MODULE:OBJECT, e.g. mymodels:classifier")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    found: Any = importlib.import_module(module)
    for part in path.split("."):
        if not hasattr(found, part):
            raise ValueError(f"--estimator {name}: {found.__name__} has no {part!r}")
        found = getattr(found, part)
    if hasattr(found, "predict") and not isinstance(found, type):
        return found
    try:
        return found()
    except TypeError as error:
        raise ValueError(f"--estimator {name} is no estimator, nor makes one without arguments: {error}") from error


def _export(chosen: argparse.Namespace) -> None:
    from alkit.annotate.formats.bridges import write_csv, write_jsonl, write_prodigy
    from alkit.annotate.quality.report import aggregate

    store = LabelStore(chosen.db, read_only=True)
    try:
        found: Any = read_answers(store)
        if chosen.aggregate is not None:
            found = aggregate(store, chosen.aggregate).to_dict("records")
        records = list(found)
        if chosen.format == "prodigy":
            write_prodigy([_for_prodigy(record) for record in records], chosen.output, store.meta("classes"))
        else:
            (write_csv if chosen.format == "csv" else write_jsonl)(records, chosen.output)
    finally:
        store.close()
    print(f"{len(records)} records in {chosen.output}")


def _for_prodigy(record: dict[Any, Any]) -> dict[str, Any]:
    """Return an answer as Prodigy knows it: what is absent left out, a flag as a skip with a flag on it."""
    said = {key: value for key, value in record.items() if value is not None}
    if "label" in said:  # of all annotators together
        said |= {"kind": "label", "value": said.pop("label")}
    if said.get("kind") in ("skip", "flag"):
        said |= {"note": said.pop("value", ""), "flagged": said["kind"] == "flag", "kind": "skip"}
    return said


def _report(chosen: argparse.Namespace) -> None:
    from alkit.annotate.quality.report import report

    store = LabelStore(chosen.db, read_only=True)
    try:
        print(report(store, chosen.cost_per_hour))
    finally:
        store.close()
