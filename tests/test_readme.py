"""The README, and the page of all strategies, say what the code is.

``python -m tests.test_readme`` writes the table of strategies anew.
"""

import re
from pathlib import Path

import alkit
from alkit.strategies.table import TABLE

ROOT = Path(__file__).parents[1]
README, STRATEGIES = ROOT / "README.md", ROOT / "docs" / "guide" / "strategies.md"
MARKED = re.compile(r"(?<=<!-- strategies -->\n).*(?=<!-- /strategies -->)", re.DOTALL)


def strategy_table():
    lines = ["| name | what it is | reads | paper |", "|---|---|---|---|"]
    for strategy in TABLE:
        summary = strategy.__doc__.splitlines()[0].rstrip(".").replace("|", r"\|")
        paper = re.search(r"References\n-+\n(.*?)(\n\n|$)", strategy.__doc__, re.DOTALL)
        assert paper, f"strategy {strategy.name}: the docstring of its score or pick has no References section"
        reads = ", ".join(f"`{need}`" for need in dict.fromkeys((*strategy.needs, *strategy.pick_needs)))
        lines.append(f"| `{strategy.name}` | {summary} | {reads} | {' '.join(paper[1].split())} |")
    return "\n".join(lines) + "\n"


def test_the_table_of_strategies_is_the_table():
    assert MARKED.search(STRATEGIES.read_text())[0] == strategy_table(), "run python -m tests.test_readme"


def test_the_readme_is_short():
    assert len(README.read_text().splitlines()) <= 130


def test_the_readme_has_the_commands_that_ci_runs():
    ci = (ROOT / ".ci" / "run").read_text()
    assert 'pip install -e ".[test]" && pytest -n logical' in README.read_text()
    assert 'pip install -e ".[test]" && pytest -n logical' in ci


def test_the_reference_lists_what_alkit_exports():
    page = (ROOT / "docs" / "api" / "index.md").read_text()
    listed = re.findall(r"~alkit\.[\w.]*?(\w+)\n", page.split("## By package")[0])
    assert sorted([*listed, "__version__"]) == sorted(alkit.__all__), "docs/api/index.md, From `alkit`"


if __name__ == "__main__":
    STRATEGIES.write_text(MARKED.sub(lambda _: strategy_table(), STRATEGIES.read_text()))
