"""A suite that is up to date costs nothing; whatever the results depend on makes them anew."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time

import numpy as np
import pytest

from bench_ovp import freshness, suite_run

HEAVY = {"numpy", "pandas", "pyarrow", "scipy", "numba", "matplotlib", "seaborn", "yaml", "pydantic"}
LOADED = """\
import sys
from bench_ovp.cli import main
try:
    main(sys.argv[1:])
finally:
    print(*{name.partition(".")[0] for name in sys.modules}, file=sys.stderr)
"""

PLUGIN = """\
from bench_ovp import StepMethod, hookimpl


def shrink(oracle, w, state, k, lr: float = 0.1):
    "A step."
    return w - lr * oracle.grad(w), state


@hookimpl
def bench_ovp_optimizers():
    return [StepMethod("shrink", shrink, compile=False)]
"""
SUITE = """\
name: small
plugins: [mine.py]
problems:
  - teacher-neuron: {w0: w.npy, d: 5}
optimizers: [shrink, heavy-ball]
seeds: 1
horizon: {iterations: 20}
"""
WORDS = ("suite", "suite.yaml", "--no-report")


@pytest.fixture
def small(invoke, tmp_path, monkeypatch):
    """A function that runs the small suite: whether it was made anew, and what was told. It has run once."""
    np.save(tmp_path / "w.npy", np.eye(2, 5))
    (tmp_path / "mine.py").write_text(PLUGIN)
    (tmp_path / "suite.yaml").write_text(SUITE)
    made = []
    real = suite_run.run_suite
    monkeypatch.setattr(suite_run, "run_suite", lambda *a, **k: made.append(True) or real(*a, **k))

    def run(*words):
        made.clear()
        told = invoke(*WORDS[:2], *(words or WORDS[2:]))
        assert told.exit_code == 0, told.output
        return bool(made), told

    assert run()[0]
    return run


def test_tables_need_no_pandas_and_what_is_up_to_date_needs_hardly_anything(tiny, tiny_results):
    home = tiny.parent / "results" / "tiny"
    shutil.copytree(tiny_results, home)
    told, files = [], []
    for _ in range(2):
        line = [sys.executable, "-c", LOADED, *WORDS]
        told.append(subprocess.run(line, cwd=tiny.parent, capture_output=True, text=True, timeout=60, check=True))
        files.append({path.name: path.read_bytes() for path in home.iterdir()})
    first, again = ([*run.stderr.splitlines()[:-1], run.stdout] for run in told)
    assert first == again
    assert files[0] == files[1]
    tabled, loaded = (set(run.stderr.splitlines()[-1].split()) for run in told)
    assert "pyarrow" in tabled
    assert not {"pandas", "numba", "matplotlib", "seaborn"} & tabled
    assert "click" in loaded
    assert not HEAVY & loaded


def test_nothing_changed_and_nothing_is_made(small):
    again, told = small()
    assert not again
    assert "2 of 2 cells are stored already" in told.stderr
    assert told.stdout.endswith("tables: results/small\n")


def edit(path):
    """Change a byte and restore the date, as a careless tool may."""
    before, content = path.stat(), bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


CHANGES = {
    "a table is deleted": lambda home: (home / "results/small/ranking.csv").unlink(),
    "a table is edited": lambda home: edit(home / "results/small/traces.parquet"),
    "the store is gone": lambda home: (home / "results/small/runs.journal").unlink(),
    "the provenance is edited": lambda home: edit(home / "results/small/provenance.json"),
    "a matrix is edited": lambda home: np.save(home / "w.npy", 2 * np.eye(2, 5)),
    "a plug-in is edited": lambda home: (home / "mine.py").write_text(PLUGIN.replace("0.1", "0.2")),
    "the suite is edited": lambda home: (home / "suite.yaml").write_text(SUITE + "# a word\n"),
    "the suite is another": lambda home: (home / "suite.yaml").write_text(SUITE.replace("20}", "30}")),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_has_changed_is_made_anew_and_then_kept(small, tmp_path, change):
    CHANGES[change](tmp_path)
    assert small()[0]
    assert not small()[0]


@pytest.mark.parametrize("words", [("--no-report", "--seeds", "2"), ("--no-report", "--only", "*heavy-ball")])
def test_another_selection_is_made_anew(small, words):
    again, told = small(*words)
    assert again
    repeated, same = small(*words)
    assert not repeated
    assert same.stdout == told.stdout
    assert small()[0]


def test_a_report_that_was_left_out_is_made_and_a_lost_figure_too(small, tmp_path):
    assert small("--executor", "serial")[0]
    assert not small("--executor", "serial")[0]
    figure = next((tmp_path / "results/small/figures").glob("*.svg"))
    figure.unlink()
    assert small("--executor", "serial")[0]
    assert figure.exists()


def test_another_installation_makes_anew(small, tmp_path, monkeypatch):
    site = tmp_path / "site"
    (site / "numpy-9.9.dist-info").mkdir(parents=True)
    monkeypatch.syspath_prepend(site)
    assert small()[0]
    assert not small()[0]
    (site / "numpy-9.9.dist-info").rename(site / "numpy-9.10.dist-info")
    assert small()[0]


def test_another_source_of_the_host_makes_anew(small, tmp_path, monkeypatch):
    (tmp_path / "host").mkdir()
    template = tmp_path / "host" / "report.html.j2"
    template.write_text("one")
    monkeypatch.setattr(freshness, "__file__", str(tmp_path / "host" / "freshness.py"))
    assert small()[0]
    assert not small()[0]
    template.write_text("two")
    assert small()[0]


def test_a_source_that_changes_while_results_are_made_leaves_no_stamp(small, tmp_path, monkeypatch):
    real = suite_run.write_results

    def meddle(*rest):
        time.sleep(0.02)  # clocks of files are coarse
        (tmp_path / "mine.py").write_text(PLUGIN + "# a word\n")
        return real(*rest)

    monkeypatch.setattr(suite_run, "write_results", meddle)
    (tmp_path / "results/small/ranking.csv").unlink()
    assert small()[0]
    assert small()[0]


def test_failed_runs_are_tried_again(invoke, tmp_path):
    (tmp_path / "mine.py").write_text(PLUGIN.replace('"A step."', "raise ArithmeticError"))
    (tmp_path / "suite.yaml").write_text(SUITE.replace("w0: w.npy, ", ""))
    for _ in range(2):
        told = invoke(*WORDS)
        assert told.exit_code == 1
        assert "ArithmeticError" in told.stderr
