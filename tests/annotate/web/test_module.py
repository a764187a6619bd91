"""Parts of the page's module by themselves: the outbox, undo, looking back, the owner's review."""

import os
import shutil
import subprocess
from importlib import resources
from pathlib import Path

import pytest

NODE = shutil.which("node")


@pytest.mark.skipif(NODE is None, reason="no node; Debian's package nodejs will do")
@pytest.mark.parametrize("part", ["outbox", "look_back", "review"])
def test_module(tmp_path, part):
    module = tmp_path / "label.mjs"  # node takes a lone .js for CommonJS
    module.write_bytes((resources.files("alkit.annotate.web") / "static" / "label.js").read_bytes())
    tests = Path(__file__).with_name(f"{part}.test.mjs")
    environment = os.environ | {"LABEL_JS": str(module)}
    run = subprocess.run([NODE, "--test", tests], env=environment, capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stdout + run.stderr
