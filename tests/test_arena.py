"""Contests of a large suite are held by a second process, and are those that this one would hold."""

from __future__ import annotations

from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool

import pytest

from bench_ovp import arena, processes, results
from bench_ovp.suite_run import redraw, run_suite

PLUGIN = """
import bench_ovp as ovp


def fragile(oracle, w, state, k, lr: float = 0.05):
    raise ArithmeticError("not today")


@ovp.hookimpl
def bench_ovp_optimizers():
    return [ovp.StepMethod("fragile", fragile)]
"""
SUITE = """
name: contests
plugins: [fragile.py]
problems:
  - toy-case-1
  - exact-neuron: {d: 3}
optimizers:
  - gradient-descent: {lr: [0.02, 0.05]}
  - heavy-ball: {lr: 0.05}
  - fragile
seeds: 4
horizon: {iterations: 300}
"""
TABLES = ("ranking.csv", "comparisons.csv", "claims.csv")


@pytest.fixture
def suite(tmp_path, monkeypatch):
    monkeypatch.setattr(processes, "count_jobs", lambda jobs: 2)
    (tmp_path / "fragile.py").write_text(PLUGIN)
    file = tmp_path / "contests.yaml"
    file.write_text(SUITE)
    return file


def run(file, folder):
    finished = run_suite(file, folder, executor="serial", report=False)
    assert finished.unsound == 8
    return read_tables(finished.folder)


def read_tables(folder):
    return {name: (folder / name).read_text() for name in TABLES}


def test_the_other_process_finds_the_same(suite, tmp_path, monkeypatch):
    here = run(suite, tmp_path / "here")
    monkeypatch.setattr(results, "FEWEST", 1)
    monkeypatch.setattr(arena, "hold", lambda *given: pytest.fail("held here"))
    assert run(suite, tmp_path / "there") == here
    assert len(here["comparisons.csv"].splitlines()) > 10


def test_a_redrawing_holds_them_there_too(suite, tmp_path, monkeypatch):
    run(suite, tmp_path)
    folder = tmp_path / "contests"
    redraw(folder, report=False)
    here = read_tables(folder)
    monkeypatch.setattr(results, "FEWEST", 1)
    monkeypatch.setattr(arena, "hold", lambda *given: pytest.fail("held here"))
    redraw(folder, report=False)
    assert read_tables(folder) == here


def test_without_the_other_process_they_are_held_here(suite, tmp_path, monkeypatch):
    here = run(suite, tmp_path / "here")
    monkeypatch.setattr(results, "FEWEST", 1)
    monkeypatch.setattr(processes.WorkerPool, "submit", killed)
    assert run(suite, tmp_path / "there") == here


def test_an_error_of_the_other_process_is_told(suite, tmp_path, monkeypatch):
    run(suite, tmp_path)
    monkeypatch.setattr(results, "FEWEST", 1)
    monkeypatch.setattr(arena, "_hold", int)  # of a list of cells: a mistake of ours, say
    with pytest.raises(TypeError, match="int"):
        redraw(tmp_path / "contests", report=False)


def killed(pool, function, *arguments):
    gone = Future()
    gone.set_exception(BrokenProcessPool("killed"))
    return gone
