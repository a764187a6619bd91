"""Make the notebooks anew from the scripts: ``python examples/make_notebooks.py`` (needs jupytext)."""

from pathlib import Path

import jupytext

HERE = Path(__file__).parent


def notebook_of(script):
    """The notebook a script is."""
    notebook = jupytext.read(script)
    notebook.metadata = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number}"  # the same each time
    return notebook


def scripts():
    """The scripts that are notebooks too: those in cells."""
    return sorted(script for script in HERE.glob("*.py") if script.read_text().startswith("# %%"))


if __name__ == "__main__":
    for script in scripts():
        jupytext.write(notebook_of(script), script.with_suffix(".ipynb"), fmt="ipynb")
