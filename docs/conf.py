"""Sphinx's settings: ``sphinx-build -W -b html docs docs/_build/html``, which needs no network."""

from __future__ import annotations

from inspect import isfunction
from typing import Any

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.ext.autosummary import autosummary_table

import alkit

project = "alkit"
author = "The alkit developers"
copyright = author
version = release = alkit.__version__

# No intersphinx: the inventories it reads are on the network, and a build must not depend on that.
# No sphinx-gallery: it runs the examples, which take minutes each; examples.md lists them with what they make.
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "numpydoc"]
exclude_patterns = ["_build"]
templates_path = ["_templates"]
default_role = "py:obj"
# a role that names what it points to must find it; single backquotes of docstrings are parameters and other words, too
nitpicky = True
nitpick_ignore_regex = [("py:obj", ".*"), ("py:.*", r"(sklearn|skorch|torch)\..*")]

html_theme = "pydata_sphinx_theme"
html_title = f"alkit {version}"
html_static_path = ["_static"]
html_css_files = ["alkit.css"]
html_theme_options = {
    "navbar_align": "left",
    "show_toc_level": 2,
    "show_prev_next": False,
    "footer_start": ["copyright"],
    "footer_end": [],
    # a page that is one wide table has the room to itself
    "secondary_sidebar_items": {"**": ["page-toc"], "guide/strategies": []},
}
html_show_sourcelink = False
_WITHOUT_SIDEBAR = "index architecture examples contributing glossary changelog citing security"
html_sidebars: dict[str, list[str]] = {page: [] for page in _WITHOUT_SIDEBAR.split()}

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3

# A module's page lists what its __all__ promises; without one, what the file itself defines.
autosummary_ignore_module_all = False
# one page per object: what two packages export has its page under the other name
autosummary_context = {"elsewhere": ["alkit.strategies.Picks"]}
autodoc_typehints = "none"
autodoc_member_order = "bysource"

# numpydoc's own lists of members know no module, and would show all that skorch's and modAL's classes have
numpydoc_show_class_members = False


def skip_foreign(app: Any, what: str, name: str, member: Any, skip: bool, options: Any) -> bool | None:
    """Leave out what a class inherits from other packages, and functions that are defaults of a dataclass's fields."""
    function = member.fget if isinstance(member, property) else member
    module = getattr(function, "__module__", None)
    foreign = module is not None and module.partition(".")[0] != "alkit"
    a_default = isfunction(member) and "." not in member.__qualname__
    return True if what == "class" and (foreign or a_default) else None


def trim_examples(app: Any, docname: str, source: list[str]) -> None:
    """Take away the blank line before a closing fence: doctest, not the reader, needs it, or it expects the fence."""
    source[0] = source[0].replace("\n\n```\n", "\n```\n")


def plain_summaries(app: Any, doctree: nodes.document) -> None:
    """Take citations out of lists of summaries, where there is nothing that they could be the number of."""
    for table in doctree.findall(autosummary_table):
        for reference in list(table.findall(pending_xref)):
            if reference.get("refdomain") == "citation":
                line, place = reference.parent, reference.parent.index(reference)
                line.remove(reference)
                line[place - 1] = nodes.Text(line[place - 1].astext().rstrip())


def by_another_name(app: Any, env: Any, node: Any, content: Any) -> Any:
    """Lead names as people import them, such as ``alkit.NetClassifier``, to the page of the object.

    Docstrings also name classes alone, and methods as ``Strategy.select``. A word in lower case is a parameter.
    """
    target = node["reftarget"]
    last = target.rpartition(".")[2]
    named = last if last[:1].isupper() else target.removeprefix("alkit.")
    if node.get("refdomain") != "py" or not ("." in target or last[:1].isupper()):
        return None
    objects = env.get_domain("py").objects
    pages = [name for name in objects if name.endswith(f".{named}") and not objects[name].aliased]
    if len(pages) != 1:
        return None
    return env.get_domain("py").resolve_xref(env, node["refdoc"], app.builder, "obj", pages[0], node, content)


def setup(app: Any) -> None:
    """Connect what Sphinx calls back."""
    app.connect("missing-reference", by_another_name)
    app.connect("autodoc-skip-member", skip_foreign)
    app.connect("source-read", trim_examples)
    app.connect("doctree-read", plain_summaries)
