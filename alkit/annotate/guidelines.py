"""Guidelines: a Markdown file that tells people what the classes mean, as a tree that a page can show.

The page makes elements of the tree and texts of its leaves, so that nothing in the file can become markup of its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from alkit._optional import needs_extra
from alkit.annotate.database.class_names import ClassChange, present_name_of_old
from alkit.annotate.database.store import LabelStore
from alkit.annotate.files import check_regular

_MOST_BYTES = 200_000
_HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
_TABLES = ("table", "thead", "tbody", "tr", "th", "td")
_TAGS = {"p", "ul", "ol", "li", "blockquote", "pre", "code", "em", "strong", "s", "hr", "br", *_HEADINGS, *_TABLES}
_LINKS = ("http://", "https://", "mailto:")

Node = dict[str, Any]
"""``tag``, ``children`` (nodes and texts), and of a link ``href``."""


def read_guidelines(path: Path) -> str:
    """Read a Markdown file.

    Parameters
    ----------
    path : Path

    Returns
    -------
    str

    Raises
    ------
    ValueError
        If it cannot be read, is no UTF-8, or is too long to be shown beside an item.
    """
    try:
        check_regular(path)
        size = path.stat().st_size
        raw = path.read_bytes() if size <= _MOST_BYTES else b""
    except OSError as error:
        raise ValueError(f"the guidelines {path} cannot be read: {error.strerror}; pass a Markdown file") from error
    _check_length(f"the guidelines {path}", size)
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise ValueError(f"the guidelines {path} are no UTF-8 in line {line} ({error.reason}); save them so") from error


def _check_length(what: str, size: int) -> None:
    if size > _MOST_BYTES:
        raise ValueError(
            f"{what} have {size:,} bytes; at most {_MOST_BYTES:,} are shown beside an item: shorten them, or link to "
            "the long version"
        )


def put_guidelines(store: LabelStore, text: str) -> None:
    """Keep guidelines with the labels; an empty text takes them away.

    Parameters
    ----------
    store : LabelStore
    text : str
        Markdown.

    Raises
    ------
    ValueError
        If it is too long to be shown beside an item, or no text that can be sent.
    """
    try:
        raw = text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"the guidelines hold half of a surrogate pair: {error}") from error
    _check_length("the guidelines", len(raw))
    version = hashlib.sha256(raw).hexdigest()[:16] if text.strip() else None
    store.put_meta(guidelines=text, guidelines_version=version)


def as_nodes(markdown: str) -> list[Node]:
    r"""Return Markdown as a tree of the elements that it stands for.

    Parameters
    ----------
    markdown : str
        CommonMark, with tables and strikethrough. HTML in it is shown as it is written, pictures as their text, and
        links lead to web and mail addresses only.

    Returns
    -------
    list of Node

    Examples
    --------
    >>> from alkit.annotate.guidelines import as_nodes
    >>> as_nodes("# spam\n*Unwanted*, <b>bold</b>")
    [{'tag': 'h1', 'children': ['spam']},
     {'tag': 'p', 'children': [{'tag': 'em', 'children': ['Unwanted']}, ', <b>bold</b>']}]
    """
    with needs_extra("annotate", "showing guidelines"):
        from markdown_it import MarkdownIt
        from markdown_it.tree import SyntaxTreeNode
    parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    return _merged(_nodes(SyntaxTreeNode(parser.parse(markdown))))


# every page that opens asks for the same text, and odd ones take seconds
@lru_cache(maxsize=1)
def _parsed(markdown: str) -> list[Node]:
    return as_nodes(markdown)


def _nodes(parent: Any) -> Iterator[Node | str]:
    """Yield the nodes of what is in an element of the parser's tree."""
    for child in parent.children:
        match child.type:
            case "text" | "code_inline" | "code_block" | "fence" | "image":
                yield from _leaf(child)
            case "softbreak":
                yield "\n"
            case "inline" | "root":
                yield from _nodes(child)
            case "link":
                yield _link(child)
            case _ if child.tag in _TAGS:
                yield {"tag": child.tag, "children": _merged(_nodes(child))}
            case _:
                yield from _nodes(child)


def _leaf(child: Any) -> Iterator[Node | str]:
    """Yield what has a text of its own."""
    match child.type:
        case "code_inline":
            yield {"tag": "code", "children": [child.content]}
        case "code_block" | "fence":
            yield {"tag": "pre", "children": [{"tag": "code", "children": [child.content]}]}
        case _:
            yield child.content


def _link(child: Any) -> Node | str:
    """Return a link, or its text where it leads elsewhere than into the web."""
    children, address = _merged(_nodes(child)), str(child.attrs.get("href", ""))
    if not address.lower().startswith(_LINKS):
        return _text({"tag": "a", "children": children})
    return {"tag": "a", "href": address, "children": children}


def _merged(nodes: Iterator[Node | str]) -> list[Any]:
    """Return nodes with texts that follow one another as one."""
    merged: list[Any] = []
    for node in nodes:
        if isinstance(node, str) and merged and isinstance(merged[-1], str):
            merged[-1] += node
        elif node != "":
            merged.append(node)
    return merged


def _text(node: Node | str) -> str:
    return node if isinstance(node, str) else "".join(map(_text, node["children"]))


def describe_classes(nodes: Sequence[Node], classes: Sequence[str], changes: Sequence[ClassChange]) -> dict[str, str]:
    """Return the paragraph below each heading that is the name of a class.

    Parameters
    ----------
    nodes : sequence of Node
    classes : sequence of str
    changes : sequence of ClassChange
        A heading may be the earlier name of a class.

    Returns
    -------
    dict of str to str
        By the class; nothing of a class without such a heading, or where something else follows it, such as a list.
    """
    found: dict[str, str] = {}
    heading = None
    for node in nodes:
        if node["tag"] in _HEADINGS:
            heading = " ".join(_text(node).split())
        elif heading is not None:
            name = heading if heading in classes else present_name_of_old(changes, heading)
            if name in classes and node["tag"] == "p":
                found.setdefault(name, " ".join(_text(node).split()))
            heading = None
    return found


def shown_guidelines(store: LabelStore) -> dict[str, Any]:
    """Return the guidelines of a project as a page shows them.

    Parameters
    ----------
    store : LabelStore

    Returns
    -------
    dict
        ``version`` (None: there are none), ``nodes``, and what they say of ``classes``.
    """
    version = store.meta("guidelines_version")
    if version is None:
        return {"version": None, "nodes": [], "classes": {}}
    nodes = _parsed(store.meta("guidelines", ""))
    described = describe_classes(nodes, store.meta("classes", []), store.class_changes())
    return {"version": version, "nodes": nodes, "classes": described}
