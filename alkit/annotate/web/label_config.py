"""The labelling configuration of a Label Studio project: what its question and its columns are called."""

from __future__ import annotations

from typing import NamedTuple
from xml.etree import ElementTree


class LabelConfig(NamedTuple):
    """What answers to Label Studio have to name."""

    from_name: str
    """The choices."""
    to_name: str
    """What the choices are about."""
    columns: dict[str, str]
    """Which keys of a task's data hold its ``text`` and ``image``, as far as it has them."""
    choices: list[str]


def read_label_config(xml: str) -> LabelConfig:
    """Read a labelling configuration.

    Parameters
    ----------
    xml : str

    Returns
    -------
    LabelConfig

    Raises
    ------
    ValueError
        If it is no XML, or has no choices, or several groups of them.

    Examples
    --------
    >>> from alkit.annotate.web.label_config import read_label_config
    >>> shown = '<Text name="t" value="$body"/>'
    >>> asked = '<Choices name="y" toName="t"><Choice value="spam"/><Choice value="ham"/></Choices>'
    >>> read_label_config(f"<View>{shown}{asked}</View>")
    LabelConfig(from_name='y', to_name='t', columns={'text': 'body'}, choices=['spam', 'ham'])
    """
    if "<!" in xml.replace("<!--", ""):  # entities within entities could fill the memory
        raise ValueError("the labelling configuration declares a document type or entities; leave these out")
    try:
        root = ElementTree.fromstring(xml)
    except ElementTree.ParseError as error:
        raise ValueError(f"the labelling configuration is no XML: {error}") from error
    groups = list(root.iter("Choices"))
    if len(groups) != 1:
        named = ", ".join(str(group.get("name")) for group in groups)
        raise ValueError(
            f"the labelling configuration has {len(groups)} groups of choices ({named}), but alkit learns one; write "
            "one <Choices> with the project's classes"
        )
    (group,) = groups
    columns = {
        part: (element.get("value") or "").removeprefix("$")
        for part, tag in (("text", "Text"), ("image", "Image"))
        for element in root.iter(tag)
    }
    return LabelConfig(
        from_name=group.get("name") or "",
        to_name=group.get("toName") or "",
        columns=columns,
        choices=[choice.get("value") or "" for choice in group.iter("Choice")],
    )
