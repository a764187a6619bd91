"""Examples run from top to bottom, as notebooks and as scripts, on small sizes."""

import runpy
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

EXAMPLES = Path(__file__).parents[1] / "examples"
MAKE = runpy.run_path(str(EXAMPLES / "make_notebooks.py"))
SCRIPTS = [script.stem for script in MAKE["scripts"]()]
SMALL = {
    "compare_strategies": 'DATA, STRATEGIES = "digits", ["random", "margin"]\n'
    "N_SEEDS, N_INITIAL, N_INSTANCES, N_QUERIES, MAX_EPOCHS = 2, 50, 20, 2, 2",
    "grid_search_strategies": "N_ROWS, N_QUERIES, MAX_EPOCHS = 300, 1, 2",
    "does_the_score_predict_the_gain": 'DATA, GLOSSES = "digits", "nowhere"\nSCORES = ["margin", "learning_loss"]\n'
    'SIZES = {"n_train": 100, "n_pool": 200, "n_groups": 10, "n_seeds": 2}\nMAX_EPOCHS = 2',
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_notebooks_are_their_scripts(name):
    notebook = nbformat.read(EXAMPLES / f"{name}.ipynb", as_version=4)
    made = MAKE["notebook_of"](EXAMPLES / f"{name}.py")
    sources, expected = ([(cell.cell_type, cell.source) for cell in book.cells] for book in (notebook, made))
    assert sources == expected, "run python examples/make_notebooks.py"


@pytest.mark.parametrize("name", SCRIPTS)
def test_notebooks_run_on_small_sizes(name, tmp_path):
    notebook = nbformat.read(EXAMPLES / f"{name}.ipynb", as_version=4)
    (parameters,) = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", ())]
    parameters.source += "\n" + SMALL[name]
    path = [str(EXAMPLES), str(EXAMPLES.parent)]
    notebook.cells.insert(0, nbformat.v4.new_code_cell(f"import sys\nsys.path[:0] = {path}"))
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    shown = [output for output in outputs if "image/png" in output.get("data", ())]
    assert len(shown) == (name != "grid_search_strategies")
