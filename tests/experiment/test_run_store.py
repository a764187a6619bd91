"""The store of runs: only complete runs are read, refused files stay as they are, and kill -9 loses no finished run."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from alkit.experiment.run_store import RunStore
from tests.experiment.helpers import contents
from tests.experiment.resumable import N_ROUNDS, N_RUNS

KEY, RUN = {"seed": 1, "sizes": [1, 2]}, {"score": [0.1 + 0.2, float("nan")], "warnings": []}


def runs(folder):
    return {path.name: path.stat().st_mtime_ns for path in folder.glob("*.json") if path.name != "manifest.json"}


def test_runs_are_kept_exactly(tmp_path):
    RunStore.open(tmp_path / "a" / "runs").put(KEY, RUN)
    store = RunStore.open(tmp_path / "a" / "runs")
    found = store.get(KEY)
    assert found["score"][0] == 0.1 + 0.2
    assert np.isnan(found["score"][1])
    assert store.get(KEY | {"seed": 2}) is None


def test_an_unfinished_file_is_ignored(tmp_path):
    RunStore.open(tmp_path).put(KEY, RUN)
    before = RunStore.open(tmp_path).get(KEY)
    (tmp_path / ".0123.json.77.tmp").write_text('{"key": {"se')
    assert RunStore.open(tmp_path).get(KEY)["score"][0] == before["score"][0]
    only_temporary = tmp_path / "new"
    only_temporary.mkdir()
    (only_temporary / ".manifest.json.77.tmp").write_text("")
    RunStore.open(only_temporary).put(KEY, RUN)


@pytest.mark.parametrize(
    "harm",
    [
        lambda content: content[: len(content) // 2],
        lambda content: "",
        lambda content: content.replace("0.3", "0.4"),
        lambda content: content.replace('"seed": 1', '"seed": 2'),
        lambda content: "[]",
        lambda content: "{}",
        lambda content: "\x00" * 50,
        lambda content: "[" * 100_000,
    ],
)
def test_a_corrupt_run_is_refused_and_left(tmp_path, harm):
    store = RunStore.open(tmp_path)
    store.put(KEY, RUN)
    (name,) = runs(tmp_path)
    (tmp_path / name).write_text(harm((tmp_path / name).read_text()))
    before = contents(tmp_path)
    for attempt in (lambda: store.get(KEY), lambda: RunStore.open(tmp_path)):
        with pytest.raises(ValueError, match=f"{name} is not a complete run"):
            attempt()
    assert contents(tmp_path) == before


def test_a_run_under_another_name_is_refused(tmp_path):
    RunStore.open(tmp_path).put(KEY, RUN)
    (name,) = runs(tmp_path)
    (tmp_path / name).rename(tmp_path / f"{'0' * 32}.json")
    with pytest.raises(ValueError, match="not a complete run"):
        RunStore.open(tmp_path)


@pytest.mark.parametrize("manifest", [None, "", "{}", "null", '{"format": "alkit runs", "version": 2}'])
def test_a_foreign_folder_is_refused_and_left(tmp_path, manifest):
    (tmp_path / "thesis.tex").write_text("precious")
    if manifest is not None:
        (tmp_path / "manifest.json").write_text(manifest)
    before = contents(tmp_path)
    with pytest.raises(ValueError, match=r"no manifest.json|is not the manifest"):
        RunStore.open(tmp_path)
    assert contents(tmp_path) == before


def test_a_file_is_refused(tmp_path):
    (tmp_path / "runs").write_text("precious")
    with pytest.raises(ValueError, match="is a file, not a folder"):
        RunStore.open(tmp_path / "runs")
    assert (tmp_path / "runs").read_text() == "precious"


def test_a_foreign_file_among_runs_is_refused(tmp_path):
    RunStore.open(tmp_path).put(KEY, RUN)
    (tmp_path / "notes.txt").write_text("precious")
    with pytest.raises(ValueError, match=r"notes.txt is not a complete run"):
        RunStore.open(tmp_path)


def test_writing_is_atomic(tmp_path, monkeypatch):
    store = RunStore.open(tmp_path)
    store.put(KEY, RUN)
    before = runs(tmp_path)
    monkeypatch.setattr(json, "dump", lambda content, file: file.write("{") and (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(OSError, match="full"):
        store.put(KEY | {"seed": 2}, RUN)
    assert runs(tmp_path) == before
    RunStore.open(tmp_path)


def count_lines(log):
    return len(log.read_text().splitlines()) if log.exists() else 0


def start(folder, name, n_jobs):
    """Start the comparison in a process group of its own, and wait until it is about to play."""
    arguments = [folder / f"{name}.runs", folder / f"{name}.log", folder / f"{name}.csv", n_jobs]
    command = [sys.executable, "-m", "tests.experiment.resumable", *map(str, arguments)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True
    )
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.slow
@pytest.mark.parametrize(("n_jobs", "kills"), [(1, 20), (2, 6)])
def test_kill_storm(tmp_path, n_jobs, kills):
    start(tmp_path, "calm", n_jobs).communicate()
    folder, log = tmp_path / "storm.runs", tmp_path / "storm.log"
    rng = np.random.default_rng(0)
    stored, n_lines, cut_short = {}, 0, 0
    for _ in range(kills):
        process = start(tmp_path, "storm", n_jobs)
        while n_jobs > 1 and process.poll() is None and n_lines == count_lines(log):
            time.sleep(0.01)  # workers take seconds to start
        time.sleep(rng.uniform(0, 0.25))
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        now, lines = runs(folder), count_lines(log)
        assert stored.items() <= now.items()  # none lost, none written again
        finished, scored = len(now) - len(stored), lines - n_lines
        assert finished * N_ROUNDS <= scored <= (finished + n_jobs) * N_ROUNDS  # none played but the new, and those cut
        cut_short += scored > finished * N_ROUNDS
        stored, n_lines = now, lines
    assert cut_short >= 3
    start(tmp_path, "storm", n_jobs).communicate()
    assert count_lines(log) - n_lines == (N_RUNS - len(stored)) * N_ROUNDS
    assert len(runs(folder)) == N_RUNS
    assert (tmp_path / "storm.csv").read_bytes() == (tmp_path / "calm.csv").read_bytes()
