"""What ``alkit[annotate]`` installs over the core: packages and megabytes, at most 10 of each.

The extra's requirements are installed into an empty folder; what the core requires as well, by the metadata of the
packages installed here, does not count.
Run: ``python tests/benchmarks/footprint.py``, with a package index in reach.
"""

import json
import subprocess
import sys
import tempfile
import tomllib
from importlib.metadata import distribution
from pathlib import Path

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]


def installed_for(requirements, folder):
    """Install requirements into a folder; return the packages with their sizes in bytes."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "--quiet", "--no-compile", "--target", folder, *requirements], check=True)
    listed = subprocess.run([*pip, "list", "--format", "json", "--path", folder], check=True, capture_output=True)
    sizes = {}
    for package in json.loads(listed.stdout):
        found = next(Path(folder).glob(f"{package['name'].replace('-', '_')}-*.dist-info"))
        lines = (found / "RECORD").read_text().splitlines()
        files = [Path(folder) / line.rsplit(",", 2)[0] for line in lines]
        sizes[package["name"]] = sum(file.stat().st_size for file in files if file.is_file())
    return sizes


def of_the_core(name, seen):
    """Collect the names of all packages a package requires, as installed here."""
    from packaging.requirements import Requirement

    if name in seen:
        return
    seen.add(name)
    for line in distribution(name).requires or ():
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            of_the_core(requirement.name.lower().replace("_", "-"), seen)


def main():
    core: set[str] = set()
    for line in PROJECT["dependencies"]:
        of_the_core(line.split(">")[0].lower(), core)
    with tempfile.TemporaryDirectory() as folder:
        sizes = installed_for(PROJECT["optional-dependencies"]["annotate"], folder)
    added = {name: size for name, size in sizes.items() if name.lower().replace("_", "-") not in core}
    for name, size in sorted(added.items()):
        print(f"{name:20}{size / 1e6:8.2f} MB")
    print(f"{len(added)} packages, {sum(added.values()) / 1e6:.2f} MB (bars: 10 packages, 10 MB)")


if __name__ == "__main__":
    main()
