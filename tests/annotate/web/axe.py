"""axe-core, which finds what keeps people from using a page. Nothing is installed: it is taken from where it is.

ALKIT_AXE names the folder of the npm package axe-core, or a folder above it; else it is looked for where node finds it.
"""

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

# colours of what fades in are not those that people read; what pulses for ever is left out
FADED = "() => document.getAnimations().every((one) => one.effect.getComputedTiming().endTime === Infinity)"
WINDOWS = [(390, 844), (740, 360), (1000, 640)]  # a phone upright and on its side, and a desk


@cache
def source():
    """Return what axe.min.js holds, None where there is none."""
    named = os.environ.get("ALKIT_AXE")
    places = [Path(named) / part for part in ("", "axe-core", "package", "node_modules/axe-core")] if named else []
    node = shutil.which("node")
    if node and not named:
        asked = [node, "-p", "require.resolve('axe-core')"]
        found = subprocess.run(asked, capture_output=True, text=True)
        places += [Path(found.stdout.strip()).parent] if found.returncode == 0 else []
    for place in places:
        if (place / "axe.min.js").is_file():
            return (place / "axe.min.js").read_text()
    return None


def needs_axe():
    """Skip a test where there is no axe-core."""
    if source() is None:
        pytest.skip("no axe-core; unpack what 'npm pack axe-core' fetches, and name its folder by ALKIT_AXE")


def findings(page):
    """Return what axe-core finds that is serious or critical, in every window, light and dark: the rule, and where."""
    # the page's own rules forbid scripts of elsewhere; what playwright evaluates is not bound by them
    page.evaluate(source())
    found = []
    for width, height in WINDOWS:
        page.set_viewport_size({"width": width, "height": height})
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            page.wait_for_timeout(300)
            page.wait_for_function(FADED)
            told = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
            grave = [one for one in told["violations"] if one["impact"] in ("serious", "critical")]
            found += [(width, scheme, one["id"], [node["html"][:120] for node in one["nodes"]]) for one in grave]
    return found
