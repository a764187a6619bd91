"""The README says what the code is. ``python -m tests.test_readme`` writes its table of strategies anew."""

import inspect
import re
from pathlib import Path

import alkit
from alkit.strategies.picks.single import top_k
from alkit.strategies.table import TABLE

README = Path(__file__).parents[1] / "README.md"
MARKED = re.compile(r"(?<=<!-- strategies -->\n).*(?=<!-- /strategies -->)", re.DOTALL)


def strategy_table():
    lines = ["| name | what it is | reads | paper |", "|---|---|---|---|"]
    for strategy in TABLE:
        doc = inspect.getdoc(strategy.score if strategy.pick is top_k else strategy.pick)
        summary = doc.splitlines()[0].rstrip(".").replace("|", r"\|")
        paper = re.search(r"References\n-+\n(.*?)(\n\n|$)", doc, re.DOTALL)
        assert paper, f"strategy {strategy.name}: the docstring of its score or pick has no References section"
        reads = ", ".join(f"`{need}`" for need in dict.fromkeys((*strategy.needs, *strategy.pick_needs)))
        lines.append(f"| `{strategy.name}` | {summary} | {reads} | {' '.join(paper[1].split())} |")
    return "\n".join(lines) + "\n"


def test_the_table_of_strategies_is_the_table():
    assert MARKED.search(README.read_text())[0] == strategy_table(), "run python -m tests.test_readme"


def test_the_pictures_are_there():
    for picture in re.findall(r"!\[.*?\]\((.*?)\)", README.read_text()):
        assert (README.parent / picture).is_file()


def test_the_reference_lists_what_alkit_exports():
    page = (README.parent / "docs" / "api" / "index.md").read_text()
    listed = re.findall(r"~alkit\.[\w.]*?(\w+)\n", page.split("## By package")[0])
    assert sorted([*listed, "__version__"]) == sorted(alkit.__all__), "docs/api/index.md, From `alkit`"


if __name__ == "__main__":
    README.write_text(MARKED.sub(lambda _: strategy_table(), README.read_text()))
