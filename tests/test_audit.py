"""Runs done again, results joined, and why a cell would run."""

from __future__ import annotations

import shutil

import numpy as np
import pandas as pd
import pytest
from conftest import TINY, drop_runs
from test_cli import frame, refused

from bench_ovp.journal import Journal, write_journal
from bench_ovp.store import FILE, PREFIX, RUN, Store, _read_facts

LABEL = "teacher-neuron[n=2,d=5] x heavy-ball"


@pytest.fixture
def home(tiny, tiny_results):
    """The folder of finished results beside the tiny suite."""
    folder = tiny.parent / "results" / "tiny"
    shutil.copytree(tiny_results, folder)
    return folder


def falsify(folder, drops) -> None:
    """Change the last recorded loss of some runs by an ulp, with a right digest."""
    journal = Journal(folder / FILE)
    contents = []
    for place in journal.scan().places:
        content = journal.read(place)
        if content[:1] == RUN and drops(facts := _read_facts(content)):
            start = PREFIX.size + PREFIX.unpack(content[: PREFIX.size])[2]
            numbers = np.frombuffer(content, "<f8", offset=start).copy()
            last = (facts["names"].index("loss") + 1) * facts["points"] - 1
            numbers[last] = np.nextafter(numbers[last], 1.0)
            content = content[:start] + numbers.tobytes()
        contents.append(content)
    journal.close()
    write_journal(folder / FILE, contents)


def test_verify_gives_the_same_bits(invoke, home):
    before = (home / FILE).read_bytes()
    told = invoke("suite", "suite.yaml", "--verify", "-j", "1")
    assert told.exit_code == 0, told.output
    assert told.stdout.endswith("8 runs were computed again and gave the same bits; 0 did not\n")
    assert (home / FILE).read_bytes() == before


def test_verify_finds_a_number_that_is_an_ulp_off(invoke, home):
    falsify(home, lambda facts: facts["label"] == LABEL and facts["seed"] == 1)
    told = invoke("suite", "suite.yaml", "--verify", "--executor", "serial")
    assert told.exit_code == 1
    assert f"other numbers: {LABEL}, seed 1: loss was " in told.stdout
    assert "7 runs were computed again and gave the same bits; 1 did not" in told.stdout


def test_results_of_two_machines_are_joined(invoke, home, tiny_results):
    other = home.parent / "other"
    shutil.copytree(home, other)
    drop_runs(home, lambda facts: facts["seed"] == 1)
    drop_runs(other, lambda facts: facts["seed"] == 0 and "heavy" in facts["label"])
    told = invoke("merge", "results/tiny", "results/other", "--no-report")
    assert told.exit_code == 0, told.output
    assert "4 runs added, 2 there already with the same numbers" in told.stdout
    pd.testing.assert_frame_equal(frame(home), frame(tiny_results), check_exact=True)
    assert invoke("merge", "results/new", "results/other", "--no-report").exit_code == 0
    assert len(frame(home.parent / "new")["seed"].unique()) == 2


def test_a_conflict_is_named_and_nothing_is_overwritten(invoke, home):
    other = home.parent / "other"
    shutil.copytree(home, other)
    falsify(other, lambda facts: facts["label"] == LABEL)
    before = frame(home)
    told = invoke("merge", "results/tiny", "results/other", "--no-report")
    assert told.exit_code == 1
    assert f"conflict: {LABEL}, seed 0: results/other has other numbers" in told.stderr
    pd.testing.assert_frame_equal(frame(home), before, check_exact=True)


def test_runs_of_other_parameters_are_joined_and_kept_apart_from_the_tables(invoke, home):
    other = home.parent / "other"
    shutil.copytree(home, other)
    for folder in (home, other):
        (folder / "suite.yaml").write_text(TINY.replace("lr: 0.1", "lr: 0.01").replace("- heavy-ball", "- nesterov"))
    drop_runs(home, lambda facts: facts["seed"] == 1)
    before = frame(home)
    told = invoke("merge", "results/tiny", "results/other")
    refused(told, "4 runs added, 4 there already, 0 with other numbers; but the runs in results/tiny are of other code")
    pd.testing.assert_frame_equal(frame(home), before, check_exact=True)
    with Store(home, writable=False) as store:
        assert len(list(store.list_runs())) == 8


def test_what_cannot_be_joined_is_refused(invoke, home):
    refused(invoke("merge", "results/tiny", "nowhere"), "nowhere holds no results of a suite")
    other = home.parent / "other"
    shutil.copytree(home, other)
    (other / "suite.yaml").write_text(TINY + "# a word\n")
    refused(invoke("merge", "results/tiny", "results/other", "--no-report"), "another suite file than results/tiny")


def test_why_a_cell_would_run(invoke, home, monkeypatch):
    told = invoke("explain-cache", "results/tiny", LABEL)
    assert told.stdout == f"{LABEL}: all 2 runs are stored; nothing would run\n"

    def ask(suite: str) -> str:
        (home / "suite.yaml").write_text(suite)
        return invoke("explain-cache", "results/tiny", "*n=2*heavy*").stdout

    assert "seeds 2, 3 have not been run" in ask(TINY.replace("seeds: 2", "seeds: 4"))
    assert "runs are gone on from where they reach" in ask(TINY.replace("1e3", "1e4"))
    assert "no run of a cell of that name is stored" in ask(TINY.replace("heavy-ball", "heavy-ball: {beta: 0.5}"))
    assert "checkpoints per decade: 20 → 10" in ask(TINY + "checkpoints: {per_decade: 10}\n")
    monkeypatch.setattr("bench_ovp.keys.library_version", lambda library: "0.0")
    monkeypatch.setattr("bench_ovp.keys._digest_host", lambda: "other")
    assert "numpy==0.0 is new" in ask(TINY)
    refused(invoke("explain-cache", "results/tiny", "nobody"), "no cell is called 'nobody'", "teacher-neuron[n=1,d=5]")


def test_a_full_disk_is_told_and_nothing_is_lost(invoke, tiny, tiny_results, monkeypatch):
    from bench_ovp import journal

    write, room = journal.os.write, [30_000]

    def narrow(handle, data):
        room[0] -= len(data)
        if room[0] < 0:
            raise OSError(28, "No space left on device", "results")
        return write(handle, data)

    with monkeypatch.context() as patch:
        patch.setattr("bench_ovp.journal.os.write", narrow)
        told = invoke("suite", "suite.yaml", "--no-report", "--executor", "serial")
    assert told.exit_code == 1
    assert "No space left on device; finished runs are kept: make room, and the same command goes on" in told.stderr
    assert "Traceback" not in told.stderr
    told = invoke("suite", "suite.yaml", "--no-report")
    assert told.exit_code == 0
    pd.testing.assert_frame_equal(frame(tiny.parent / "results/tiny"), frame(tiny_results), check_exact=True)
