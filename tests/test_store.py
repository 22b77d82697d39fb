"""What is kept of finished runs, bit for bit, and what is not."""

from __future__ import annotations

import sqlite3
import sys
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest

from bench_ovp.checkpoints import Horizon, StopRule
from bench_ovp.errors import InputError
from bench_ovp.plan import Cell, source_digest
from bench_ovp.rates import Rate
from bench_ovp.rates.rate import Evidence
from bench_ovp.registry import Plugin
from bench_ovp.store import FILE, SCHEMA, Outcome, Store
from bench_ovp.trace import Run, failed

CELL = Cell(
    problem=("bowl", {"n": 2}),
    optimizer=("descent", {}),
    problem_label="bowl[n=2]",
    optimizer_label="descent",
    alias=None,
    seeds=(0, 1, 2),
    horizon=Horizon(iterations=100),
    stop=StopRule(),
    per_decade=20,
    key="0" * 64,
)
RATE = Rate("power", 3.0, 2.9, 3.1, 0.1, reason="clear", points=40, evidence=(Evidence("power", 0.9, 3.0),))


def outcome(seed: int, status: str = "ok") -> Outcome:
    rng = np.random.default_rng(seed)
    loss = rng.standard_normal(7) * 10.0 ** rng.integers(-300, 300, 7)
    rows = {
        "iteration": np.arange(1.0, 8.0),
        "loss": loss,
        "odd": np.array([np.nan, np.inf, -np.inf, -0.0, 5e-324, 0.1 + 0.2, 1.0]),
    }
    return Outcome(Run(seed, status, f"reason {seed}", rows, 7, 9, 0.1 + 0.2), RATE, "compiled")


def walled(wall: float | None) -> Cell:
    return replace(CELL, stop=StopRule(wall=wall))


def edit(folder, statement: str, *values) -> None:
    with closing(sqlite3.connect(folder / FILE)) as db, db:
        db.execute(statement, values)


def test_what_is_saved_is_loaded_bit_for_bit(tmp_path):
    saved = {seed: outcome(seed) for seed in (0, 1)}
    with Store(tmp_path) as store:
        store.save(CELL, saved.values())
    with Store(tmp_path) as store:
        found = store.load(CELL)
        assert store.finished(CELL) == {0, 1}
        assert store.damaged == []
    assert set(found) == {0, 1}
    for seed, (run, rate, engine) in found.items():
        first = saved[seed].run
        assert replace(run, rows={}) == replace(first, rows={})
        assert list(run.rows) == list(first.rows)
        assert all(run.rows[name].tobytes() == column.tobytes() for name, column in first.rows.items())
        assert (rate, engine) == (RATE, "compiled") or repr(rate) == repr(RATE)
        assert rate.evidence == RATE.evidence


def test_runs_of_a_flow_and_runs_without_rows(tmp_path):
    flow = replace(outcome(0).run, iterations=None)
    bare = Run(1, "degenerate", "at once", {}, 1, 1, 0.0)
    with Store(tmp_path) as store:
        store.save(CELL, [Outcome(flow, RATE, "driver"), Outcome(bare, Rate("undecided"), "compiled")])
        found = store.load(CELL)
    assert found[0][0].iterations is None
    assert found[1][0] == bare


def test_only_the_seeds_the_key_and_the_limits_name_a_run(tmp_path):
    with Store(tmp_path) as store:
        store.save(CELL, [outcome(0)])
        assert store.finished(CELL.with_seeds([1, 2])) == set()
        assert store.finished(replace(CELL, key="1" * 64)) == set()
        assert store.finished(replace(CELL, horizon=Horizon(iterations=200))) == set()
        assert store.finished(replace(CELL, stop=StopRule(loss=1e-9))) == set()
        assert store.finished(walled(60.0)) == {0}  # a limit of time defines no number
        assert store.finished(replace(CELL, optimizer_label="mine", alias="mine")) == {0}


def test_saving_again_replaces(tmp_path):
    with Store(tmp_path) as store:
        store.save(CELL, [outcome(0)])
        store.save(CELL, [Outcome(replace(outcome(0).run, reason="anew"), RATE, "numpy")])
        ((run, _, engine),) = store.load(CELL).values()
    assert (run.reason, engine) == ("anew", "numpy")


def test_a_failed_run_is_not_kept(tmp_path):
    broken = [Outcome(run, Rate("undecided"), "") for run in failed([0, 1], "no")]
    with Store(tmp_path) as store:
        store.save(CELL, [*broken, outcome(2)])
        assert store.finished(CELL) == {2}


@pytest.mark.parametrize(("limit", "stored"), [(5.0, True), (4.0, True), (5.1, False), (None, False)], ids=str)
def test_a_timed_out_run_goes_again_only_under_a_higher_limit(tmp_path, limit, stored):
    with Store(tmp_path) as store:
        store.save(walled(5.0), [outcome(0, "timeout"), outcome(1)])
        assert store.finished(walled(limit)) == ({0, 1} if stored else {1})
        assert set(store.load(walled(limit), timed_out=True)) == {0, 1}


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE runs SET columns = CAST(substr(columns, 1, length(columns) - 1) || 'x' AS BLOB) WHERE seed = 1",
        "UPDATE runs SET columns = x'' WHERE seed = 1",
        "UPDATE runs SET facts = replace(facts, '\"ok\"', '\"floor\"') WHERE seed = 1",
        "UPDATE runs SET facts = '{' WHERE seed = 1",
        "UPDATE runs SET digest = 'x' WHERE seed = 1",
        "UPDATE runs SET seed = 2 WHERE seed = 1",
    ],
    ids=["a changed number", "no numbers", "another status", "no facts", "another digest", "another seed"],
)
def test_a_damaged_run_is_set_aside_and_named(tmp_path, damage):
    with Store(tmp_path) as store:
        store.save(CELL, [outcome(0), outcome(1)])
    edit(tmp_path, damage)
    with Store(tmp_path) as store:
        assert store.finished(CELL) == {0}
        (named,) = store.damaged
        assert named.startswith("bowl[n=2] x descent, seed ")
        store.save(CELL, [outcome(1), outcome(2)])
        assert store.finished(CELL) == {0, 1, 2}


def test_a_fit_of_another_detector_is_forgotten_and_the_run_kept(tmp_path):
    with Store(tmp_path) as store:
        store.save(CELL, [outcome(0)])
    edit(tmp_path, "UPDATE runs SET rates = 'older'")
    with Store(tmp_path) as store:
        ((run, rate, _),) = store.load(CELL).values()
    assert run.status == "ok"
    assert rate is None


def test_another_schema_is_refused(tmp_path):
    Store(tmp_path).__exit__(None, None, None)
    edit(tmp_path, f"PRAGMA user_version = {SCHEMA + 1}")
    with pytest.raises(InputError, match=f"has schema {SCHEMA + 1}, this program reads {SCHEMA}; use another"):
        Store(tmp_path)


def test_a_file_that_is_no_store_is_refused(tmp_path):
    (tmp_path / FILE).write_text("not a database, but long enough to be taken for one" * 100)
    with pytest.raises(InputError, match="file is not a database; move the file away"):
        Store(tmp_path)
    assert (tmp_path / FILE).read_text().startswith("not a database")


def test_a_store_that_is_torn_inside_is_refused(tmp_path):
    with Store(tmp_path) as store:
        store.save(CELL, [outcome(seed) for seed in range(3)])
    image = bytearray((tmp_path / FILE).read_bytes())
    image[4096:] = b"\xff" * (len(image) - 4096)
    (tmp_path / FILE).write_bytes(image)
    with pytest.raises(InputError, match="malformed; move the file away"), Store(tmp_path) as store:
        store.finished(CELL)


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "results").write_text("a file")
    with pytest.raises(InputError, match=r"cannot make the folder .*; use another --results"):
        Store(tmp_path / "results" / "paper")


def test_the_source_of_a_plugin_is_its_whole_package(tmp_path, monkeypatch):
    package = tmp_path / "store_plugin"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "hooks.py").write_text("from .steps import step\n")
    (package / "steps.py").write_text("def step(): ...\n")
    monkeypatch.syspath_prepend(tmp_path)
    digests = []
    for text in ("def step(): ...\n", "def step(): return 1\n"):
        (package / "steps.py").write_text(text)
        source_digest.cache_clear()
        modules = ("store_plugin", "store_plugin.hooks")
        digests += [source_digest(Plugin("store", "stores", "1", module)) for module in modules]
    assert "store_plugin.hooks" not in sys.modules
    assert digests[0] == digests[1] != digests[2] == digests[3]
