"""The import of the command line: labels and predictions of a file into a database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from alkit.annotate.database.class_names import ClassChange, present_name_of_old
from alkit.annotate.database.events import check_name, checked_event
from alkit.annotate.database.imported import Added, Answer, Prediction, add_imported, identity
from alkit.annotate.database.label_kinds import write_proba
from alkit.annotate.database.opening import open_to_import
from alkit.annotate.database.places import Place
from alkit.annotate.database.store import LabelStore
from alkit.annotate.formats.foreign import Asked, read_foreign
from alkit.annotate.formats.label_sets import as_one_label, as_several_labels, proba_of
from alkit.annotate.formats.matching import Matcher

Record = Mapping[str, Any]

IMPORTER = "imported"
"""Who is said to have given answers of which the file names nobody."""

_N_NAMED = 3  # records that are named where some could not be taken; the others are counted


@dataclass
class Imported:
    """What became of the records of a file."""

    n_records: int = 0
    answers: dict[tuple[int, str], Answer] = field(default_factory=dict)
    predictions: dict[int, Prediction] = field(default_factory=dict)
    added: Added = field(default_factory=lambda: Added(0, 0, []))
    n_empty: int = 0
    """Records without an answer."""
    n_earlier: int = 0
    """Answers that the same person gave again, later in the same file."""
    n_single: int = 0
    """Answers of one class that is no list, in a project of several labels per item."""
    n_repeated: int = 0
    """Answers that name a class several times."""
    n_unknown: int = 0
    """Records that name a class which the project lacks."""
    unknown_classes: Counter[str] = field(default_factory=Counter)
    left_out: dict[str, list[str]] = field(default_factory=dict)
    """Other records that were not taken, by the reason: where they are."""

    def leave_out(self, reason: str, record: Record) -> None:
        """Note a record that is not taken.

        Parameters
        ----------
        reason : str
        record : dict
        """
        shown = record.get("item") or record.get("text") or record.get("image")
        self.left_out.setdefault(reason, []).append(f"{str(shown)[:40]!r} ({record['place']})")

    def has_all(self, names: Sequence[str], classes: Sequence[str]) -> bool:
        """Return whether the project has the classes of a record; what it lacks is counted.

        Parameters
        ----------
        names, classes : sequence of str

        Returns
        -------
        bool
        """
        unknown = set(names) - set(classes)
        self.n_unknown += bool(unknown)
        self.unknown_classes.update(unknown)
        return not unknown

    def n_left_out(self) -> int:
        """Return how many records were not taken.

        Returns
        -------
        int
        """
        return self.n_unknown + sum(map(len, self.left_out.values()))

    def lines(self) -> list[str]:
        """Return what is to be said of it, the sum first.

        Returns
        -------
        list of str
        """
        kinds = Counter(one.kind for one in self.answers.values())
        people = len({one.annotator for one in self.answers.values()})
        lines = [
            f"{self.n_records} records: {kinds['label']} labels, {kinds['skip']} skips and {kinds['flag']} flags of "
            f"{people} people, {len(self.predictions)} predictions; {self.added.n_added} answers are new"
        ]
        return lines + self.lines_of_left_out("import the file again")

    def lines_of_left_out(self, again: str) -> list[str]:
        """Return what is to be said of what was not taken.

        Parameters
        ----------
        again : str
            What to do once the project has what it lacks.

        Returns
        -------
        list of str
        """
        lines = []
        counted = {
            "are in the database already, or were once": self.added.n_known,
            "were given again by the same person, later in the file": self.n_earlier,
            "have no answer": self.n_empty,
            "name one class, and say by that that the item has no other": self.n_single,
            "name a class several times, which counts once": self.n_repeated,
        }
        lines += [f"{n} {what}" for what, n in counted.items() if n]
        if self.added.differing:
            lines.append(
                f"{len(self.added.differing)} differ from what the same people answered in the database, which stays; "
                "--replace takes the file's"
            )
        if self.unknown_classes:
            named = ", ".join(f"{name!r} ({n})" for name, n in self.unknown_classes.most_common(10))
            lines.append(
                f"{self.n_unknown} are of {len(self.unknown_classes)} classes that the project lacks, "
                f"and are left out: {named}; add these to --classes of 'alkit label', and {again}"
            )
        for reason, places in self.left_out.items():
            lines.append(f"{len(places)} {reason.format(again=again)}: {_listed(places)}")
        return lines


_REASONS = {
    "unknown": "are of items that the project does not have; add these to its data, and {again}",
    "ambiguous": "have a text or picture that several items have; name the column of ids (--id)",
    "other text": "name an item that has another text in the project, as if rows had been numbered anew; drop the ids "
    "from the file, so that the texts tell the items",
}


def _listed(places: Sequence[str]) -> str:
    more = f" and {len(places) - _N_NAMED} more" if len(places) > _N_NAMED else ""
    return ", ".join(places[:_N_NAMED]) + more


def import_labels(
    database: Place, path: Path, asked: Asked | None = None, *, annotator: str = IMPORTER, replace: bool = False
) -> Imported:
    """Add the labels and predictions of a file to a database; all that can be taken, or nothing after an error.

    Importing a file again adds nothing, nor does importing a part of it.

    Parameters
    ----------
    database : Path or PostgresUrl
        Has items; nobody may be labelling into it.
    path : Path
    asked : Asked, optional
        How the file is to be read.
    annotator : str, default="imported"
        Who gave answers of which the file names nobody.
    replace : bool, default=False
        Whether an answer of the file takes the place of another one that the same person gave in the database.

    Returns
    -------
    Imported

    Raises
    ------
    ValueError
        If the file cannot be read, or none of its records can be taken.
    OSError
        If the database is in use, damaged, or cannot be written.
    """
    with open_to_import(database) as store:
        classes = store.meta("classes", [])
        records = read_foreign(path, asked or Asked(), classes)
        taken = sort_records(store, Matcher(store), records, classes, annotator)
        if taken.n_left_out() and not (taken.answers or taken.predictions):
            raise ValueError(f"{path} holds nothing for {database}. " + ". ".join(taken.lines()))
        answers = list(taken.answers.values())
        taken.added = add_imported(store, answers, list(taken.predictions.values()), replace=replace)
    return taken


def sort_records(
    store: LabelStore, matcher: Matcher, records: Sequence[Record], classes: Sequence[str], annotator: str = IMPORTER
) -> Imported:
    """Tell which records can be taken, and why others cannot; nothing is written.

    Parameters
    ----------
    store : LabelStore
    matcher : Matcher
        Of the items of the store.
    records : sequence of dict
        See `read_foreign`.
    classes : sequence of str
    annotator : str
        Who gave answers of which the records name nobody.

    Returns
    -------
    Imported

    Raises
    ------
    ValueError
        If an answer is malformed; names its place.
    """
    taken, people, changes = Imported(n_records=len(records)), set[str](), store.class_changes()
    several = store.kind.several
    for record in records:
        read = as_several_labels(record) if several else as_one_label(record, classes)
        kind, value = read.kind, read.value
        if kind is None:
            taken.n_empty += 1
            continue
        if read.why_not:
            taken.leave_out(read.why_not, record)
            continue
        if kind in ("label", "prediction"):
            names = [_present(name, classes, changes) for name in (value if several else [value])]
            if not taken.has_all(names, classes):
                continue
            taken.n_single += read.is_single
            taken.n_repeated += several and len(set(value)) < len(value)
            value = sorted(set(names)) if several else names[0]
        match = matcher.find(record)
        if match.item is None or match.key is None:
            taken.leave_out(_REASONS[match.why], record)
            continue
        try:
            if kind == "prediction":
                taken.predictions[match.item] = _as_prediction(record, match.item, value, classes)
            else:
                person = _person_of(store, record) or annotator
                person = str(person) if isinstance(person, int) else person  # other tools number people
                if person not in people:
                    check_name(person)
                    people.add(person)
                told = {**record, "kind": kind, "value": value}
                _keep_last(taken, _as_answer(told, match.item, match.key, person, classes, several=several))
        except ValueError as error:
            raise ValueError(f"{record['place']}: {error}; nothing was imported") from error
    return taken


def _present(name: Any, classes: Sequence[str], changes: Sequence[ClassChange]) -> str:
    """Return what a class of a file is called now: the file may be older than its name."""
    return name if name in classes else present_name_of_old(changes, str(name))


def _as_prediction(record: Record, item: int, value: Any, classes: Sequence[str]) -> Prediction:
    """Return a prediction as it is kept; of several labels, one is as probable as the file says, else on or off."""
    if isinstance(value, list):
        proba = {name: float(name in value) for name in classes}
        told = {name: _confidence(share) for name, share in proba_of(record).items() if name in proba}
        value = write_proba(proba | {name: share for name, share in told.items() if share is not None})
    return Prediction(item, value, _confidence(record.get("confidence")))


def _person_of(store: LabelStore, record: Record) -> Any:
    """Return who gave an answer, None where nothing tells.

    What was exported from here may have lost the name, and Label Studio names a person now by a number, now by an
    address; a second import must not take them for two.
    """
    if "origin" in record:
        start = f"{record['origin']}-"
        find = "SELECT annotator FROM event WHERE uuid >= ? AND uuid < ? LIMIT 1"
        found = store.query(find, start, f"{start}~")  # what follows are digits, letters from a to f, and hyphens
    elif isinstance(record.get("uuid"), str) and not record.get("annotator"):
        found = store.query("SELECT annotator FROM event WHERE uuid = ?", record["uuid"])
    else:
        found = []
    return found[0]["annotator"] if found else record.get("annotator")


def _as_answer(record: Record, item: int, key: str, annotator: str, classes: Sequence[str], *, several: bool) -> Answer:
    """Return an answer as it is kept, or refuse a malformed one."""
    kind, value, time = record["kind"], record["value"], record.get("time")
    uuid = record.get("uuid")
    if uuid is None:
        uuid = identity(key, annotator, kind, value, time)
        uuid = f"{record['origin']}-{uuid}" if "origin" in record else uuid
    event = {"uuid": uuid, "item": key, "kind": kind, "value": value, "seconds": record.get("seconds")}
    checked = checked_event(event, classes, several=several)
    return Answer(uuid, item, annotator, kind, checked["value"], checked["seconds"], time)


def _confidence(given: Any) -> float | None:
    """Return a confidence, None where it is no probability: other tools have scores of any scale."""
    is_number = isinstance(given, int | float) and not isinstance(given, bool)
    return float(given) if is_number and 0 <= given <= 1 else None


def _keep_last(taken: Imported, answer: Answer) -> None:
    """Keep a person's last answer to an item, by its time, else by its place in the file."""
    place = answer.item, answer.annotator
    earlier = taken.answers.get(place)
    if earlier is None:
        taken.answers[place] = answer
        return
    taken.n_earlier += 1
    if (answer.time or 0.0) >= (earlier.time or 0.0):
        taken.answers[place] = answer
