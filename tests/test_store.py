"""What is kept of finished runs, bit for bit, and what is not."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from bench_ovp.checkpoints import Horizon, StopRule
from bench_ovp.errors import InputError
from bench_ovp.journal import HEAD, MARK, TITLE, Journal
from bench_ovp.plan import Cell
from bench_ovp.rates import Rate
from bench_ovp.rates.rate import Evidence
from bench_ovp.store import FILE, Outcome, Store
from bench_ovp.trace import UNFINISHED, Run, failed

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


def cut(image: bytes, rng: np.random.Generator) -> bytes:
    return image[: rng.integers(len(TITLE), len(image) - 1)]


def flip(image: bytes, rng: np.random.Generator) -> bytes:
    changed = bytearray(image)
    for place in rng.integers(0, len(image), rng.integers(1, 5)):
        changed[place] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def blank(image: bytes, rng: np.random.Generator) -> bytes:
    begin, end = sorted(rng.integers(0, len(image), 2))
    return image[:begin] + bytes(int(end - begin) + 1) + image[end + 1 :]


def exchange(image: bytes, rng: np.random.Generator) -> bytes:
    """The numbers of one record in the place of another's."""
    marks = [place for place in range(len(image)) if image.startswith(MARK, place)]
    one, other = sorted(int(place) for place in rng.choice(marks, 2, replace=False))
    size = 200
    return image[: other + 60] + image[one + 60 : one + 60 + size] + image[other + 60 + size :]


def empty(image: bytes, rng: np.random.Generator) -> bytes:
    return b""


def damage_once(folder, number: int) -> None:
    """A store of six runs, damaged: what is read back is sound, what is not is told, and can be saved again."""
    rng = np.random.default_rng(number)
    cell = CELL.with_seeds(range(6))
    with Store(folder) as store:
        store.save(cell, [outcome(seed) for seed in range(6)])
    image = (folder / FILE).read_bytes()
    change = (cut, flip, blank, exchange, empty)[number % 5]
    damaged = change(image, rng)
    if damaged == image:
        return
    (folder / FILE).write_bytes(damaged)
    with Store(folder) as store:
        finished = store.finished(cell)
        for seed, stored in store.load(cell).items():
            assert {name: c.tobytes() for name, c in stored.run.rows.items()} == {
                name: c.tobytes() for name, c in outcome(seed).run.rows.items()
            }
        assert finished == set(store.load(cell))
        whole = damaged in (b"", TITLE) or damaged == image[: Journal(folder / FILE).scan().size]
        assert store.damaged or len(finished) < 6 or whole
        if change is flip:
            assert store.damaged
            assert len(finished) >= 2  # at most four bytes were hit
        missing = sorted(set(cell.seeds) - finished)
        store.save(cell, [outcome(seed) for seed in missing])
        assert store.finished(cell) == set(cell.seeds)
    with Store(folder) as store:
        assert store.finished(cell) == set(cell.seeds)
        assert not store.damaged


@pytest.mark.parametrize("number", range(50))
def test_damage_is_found_and_the_rest_is_kept(tmp_path, number):
    damage_once(tmp_path, number)


@pytest.mark.slow
def test_damage_of_a_thousand_kinds_is_found(tmp_path):
    for number in range(1000):
        damage_once(tmp_path / str(number), number)


def test_a_damaged_file_is_set_aside(tmp_path):
    with Store(tmp_path) as store:
        store.save(CELL, [outcome(0), outcome(1), outcome(2)])
    image = bytearray((tmp_path / FILE).read_bytes())
    image[image.index(MARK, len(image) // 2) + HEAD.size + 5] ^= 1
    (tmp_path / FILE).write_bytes(image)
    with Store(tmp_path, writable=False) as store:  # who only reads changes nothing, and says so
        (told,) = store.damaged
        assert "run the suite to compute them" in told
    assert (tmp_path / FILE).read_bytes() == image
    with Store(tmp_path) as store:
        (told,) = store.damaged
        assert told.endswith("what they held is computed again, the file as it was is damaged-1.journal")
        assert len(store.finished(CELL)) == 2
    assert (tmp_path / "damaged-1.journal").read_bytes() == image


def test_an_unfinished_record_at_the_end_is_dropped(tmp_path):
    with Store(tmp_path) as store:
        store.save(CELL, [outcome(0), outcome(1)])
    with (tmp_path / FILE).open("r+b") as file:
        file.truncate(file.seek(0, os.SEEK_END) - 3)
    with Store(tmp_path) as store:
        assert store.damaged == [f"{tmp_path / FILE}: its last record is unfinished and is dropped"]
        assert store.finished(CELL) == {0}
    assert not list(tmp_path.glob("damaged*"))


def test_a_fit_of_another_detector_is_forgotten_and_the_run_kept(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("bench_ovp.store.rates_digest", lambda: "older")
        with Store(tmp_path) as store:
            store.save(CELL, [outcome(0)])
    with Store(tmp_path) as store:
        ((run, rate, _),) = store.load(CELL).values()
        assert (run.status, rate) == ("ok", None)
        store.save_fit(CELL, 0, RATE)
    with Store(tmp_path) as store:
        assert repr(store.load(CELL)[0].rate) == repr(RATE)


def test_another_version_is_refused(tmp_path):
    (tmp_path / FILE).write_bytes(b"bench-ovp journal 2\n" + bytes(100))
    with pytest.raises(InputError, match="is of another version of this program; use another --results"):
        Store(tmp_path)


def test_a_folder_has_one_writer(tmp_path):
    with Store(tmp_path):
        with pytest.raises(InputError, match=rf"is in use by process {os.getpid()} on .* since .*; wait for it, or"):
            Store(tmp_path)
        Store(tmp_path, writable=False).__exit__(None, None, None)
    Store(tmp_path).__exit__(None, None, None)


def test_a_killed_writer_leaves_no_lock(tmp_path):
    code = "import os, pathlib, sys; from bench_ovp.store import Store; Store(pathlib.Path(sys.argv[1])); os.kill(0, 9)"
    killed = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False, start_new_session=True)
    assert killed.returncode == -9
    Store(tmp_path).__exit__(None, None, None)


def test_a_full_disk_leaves_the_file_as_it_was(tmp_path, monkeypatch):
    journal = Journal(tmp_path / FILE)
    [place] = journal.append([b"one"])
    before = (tmp_path / FILE).read_bytes()
    write = os.write
    with monkeypatch.context() as patch:

        def half(handle, data):
            if len(data) < 50:
                raise OSError(28, "No space left on device")
            return write(handle, data[:40])

        patch.setattr("bench_ovp.journal.os.write", half)
        with pytest.raises(OSError, match="No space left"):
            journal.append([b"two" * 10])
    assert (tmp_path / FILE).read_bytes() == before
    [other] = journal.append([b"two"])
    assert (journal.read(place), journal.read(other)) == (b"one", b"two")
    journal.close()


def put_down(seed: int, position: float, status: str = "ok") -> Outcome:
    first = outcome(seed, status)
    state = {"position": np.float64(position), "w": np.arange(6.0).reshape(2, 3) / 7.0}
    return replace(first, run=replace(first.run, state=state))


def everywhere(position: float, evaluations: int) -> bool:
    return True


def test_the_run_that_came_farthest_is_gone_on_from(tmp_path):
    longer = replace(CELL, horizon=Horizon(iterations=1000))
    with Store(tmp_path) as store:
        store.save(CELL, [put_down(0, 100.0)])
        store.save(replace(CELL, horizon=Horizon(iterations=50)), [put_down(0, 50.0), put_down(1, 50.0)])
        store.save(longer, [put_down(2, 500.0, UNFINISHED)])
        assert store.finished(longer) == set()
        found = store.find_earlier(longer, everywhere)
        assert {seed: float(stored.run.state["position"]) for seed, stored in found.items()} == {0: 100, 1: 50, 2: 500}
        assert found[0].run.state["w"].tobytes() == (np.arange(6.0) / 7.0).tobytes()
        found = store.find_earlier(longer, lambda position, evaluations: position <= 50)
        assert set(found) == {0, 1}
        assert store.load(longer, timed_out=True) == {}  # unfinished runs are in no table


def test_a_run_below_the_target_is_not_gone_on_from(tmp_path):
    run = put_down(0, 100.0)
    low = replace(run, run=replace(run.run, rows={"iteration": np.ones(2), "loss": np.array([1.0, 1e-9])}))
    with Store(tmp_path) as store:
        store.save(CELL, [low])
        for target, there in ((1e-8, set()), (1e-10, {0}), (None, {0})):
            cell = replace(CELL, horizon=Horizon(iterations=1000), stop=StopRule(loss=target))
            assert set(store.find_earlier(cell, everywhere)) == there


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "results").write_text("a file")
    with pytest.raises(InputError, match=r"cannot write to the folder .*; use another --results"):
        Store(tmp_path / "results" / "paper")
