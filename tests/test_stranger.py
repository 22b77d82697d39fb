"""A third party's optimizer: fifteen lines and one line of pyproject, and it is ranked like our own."""

from __future__ import annotations

import subprocess
import sys
import zipfile

import pandas as pd
import pytest

PLUGIN = '''\
"""A heavy ball of somebody else's."""

from bench_ovp import StepMethod, hookimpl


def push(oracle, w, state, k, lr: float = 0.05, beta: float = 0.9):
    """w ← w − lr ∇L(w) + β(w − w₋)."""
    return w - lr * oracle.grad(w) + beta * (w - state[0]), (w,)


@hookimpl
def bench_ovp_optimizers():
    """One method."""
    return [StepMethod("strange-ball", push, init=lambda w: (w,))]
'''

PYPROJECT = """\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "strange-optimizers"
version = "2.7.1"
dependencies = ["bench-ovp"]

[project.entry-points.bench_ovp]
strange = "strange_optimizers"
"""

SUITE = """\
name: strange
problems:
  - exact-neuron: {d: 5}
optimizers:
  - strange-ball
  - heavy-ball
  - gradient-descent
seeds: 2
horizon: {iterations: 1e3}
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The stranger's wheel, built from its project and unpacked as an installer does."""
    pytest.importorskip("hatchling")
    home = tmp_path_factory.mktemp("stranger")
    (home / "strange_optimizers.py").write_text(PLUGIN)
    (home / "pyproject.toml").write_text(PYPROJECT)
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel"]
    built = subprocess.run(build, cwd=home, capture_output=True, text=True, timeout=120)
    assert built.returncode == 0, built.stderr
    (wheel,) = (home / "dist").glob("strange_optimizers-2.7.1-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(home / "site")
    return home / "site"


def test_fifteen_lines_do():
    assert len(PLUGIN.splitlines()) <= 15


def test_the_stranger_is_listed_with_distribution_and_version(site, command, tmp_path):
    told = command("list", "plugins", cwd=tmp_path, PYTHONPATH=site)
    assert told.returncode == 0, told.stderr
    (line,) = [line for line in told.stdout.splitlines() if line.startswith("strange")]
    assert line.split(maxsplit=1) == ["strange", "strange-optimizers 2.7.1: strange-ball"]
    shown = command("show", "strange-ball", cwd=tmp_path, PYTHONPATH=site)
    assert "plug-in: strange, of strange-optimizers 2.7.1" in shown.stdout


def test_the_stranger_is_ranked_in_worker_processes(site, command, tmp_path):
    (tmp_path / "suite.yaml").write_text(SUITE)
    told = command("suite", "suite.yaml", "-j", 2, "--no-report", cwd=tmp_path, PYTHONPATH=site)
    assert told.returncode == 0, told.stderr
    ranking = pd.read_csv(tmp_path / "results/strange/ranking.csv").set_index("optimizer")
    assert sorted(ranking["rank"]) == [1, 1, 3]  # the same method under two names is a tie
    assert "1=" in told.stdout
    assert ranking.loc["gradient-descent", "rank"] == 3
    ours, theirs = ranking.loc["heavy-ball"], ranking.loc["strange-ball"]
    assert theirs["law"] == ours["law"] == "exponential"
    assert theirs["low"] <= ours["value"] <= theirs["high"]
    assert pd.isna(theirs["theory_law"])  # nobody proved anything about a method without a family
    runs = pd.read_csv(tmp_path / "results/strange/runs.csv")
    assert set(runs["engine"]) == {"compiled"}
    assert "optimizer.beta" in runs
