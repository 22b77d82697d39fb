"""What the report keeps of many runs: bands of all seeds, traces of some."""

from __future__ import annotations

import dataclasses
import gc

import numpy as np
import pandas as pd
import pytest

import bench_ovp as ovp
from bench_ovp import excerpt
from bench_ovp.contest import hold_contests
from bench_ovp.grids import list_grids
from bench_ovp.report import bands
from bench_ovp.report.figures.profiles import list_tasks
from bench_ovp.report.tables import complete, gather, summarize
from bench_ovp.results import keeping_all
from bench_ovp.rows import list_ranks
from bench_ovp.tables import frame_ranking, ranking_frame, runs_frame, trace_frame
from bench_ovp.trace import Trace
from bench_ovp.work import fit_run

SEEDS = 9
FRAMES = ("traces", "runs", "ranking", "comparisons", "bands", "seeds")


@pytest.fixture(scope="module")
def entries() -> list[excerpt.Entry]:
    """Three pairs; one ends at a target, at another time for each seed, one diverges, one is a flow."""
    problem = ovp.problem("exact-neuron", d=4, sigma=0.3)
    traces = [
        ovp.run(problem, ovp.optimizer("gradient-descent", lr=0.1), seeds=SEEDS, iterations=300, stop_loss=1e-9),
        ovp.run(problem, ovp.optimizer("gradient-descent", lr=9.0), seeds=SEEDS, iterations=300),
        ovp.run(problem, ovp.optimizer("gradient-flow"), seeds=SEEDS, time=20, stop_loss=1e-7),
    ]
    return [(trace, [fit_run(run, trace.optimizer) for run in trace.runs]) for trace in traces]


def fill(entries: list[excerpt.Entry]) -> excerpt.Excerpt:
    kept = excerpt.Excerpt()
    pairs = [(trace.problem, trace.optimizer) for trace, _ in entries]
    contests = hold_contests(entries)
    kept.add(entries, contests, list(list_ranks(pairs, contests)), {f"{a.label} x {b.label}": SEEDS for a, b in pairs})
    return kept


def draw(kept: excerpt.Excerpt, entries, monkeypatch, tmp_path) -> dict[str, object]:
    """What the report is handed."""
    handed = {}

    def draw_report(folder, **given):
        handed.update(given)
        return folder

    monkeypatch.setattr("bench_ovp.report.draw_report", draw_report)
    pairs = [(trace.problem, trace.optimizer) for trace, _ in entries]
    kept.draw(tmp_path, list(list_ranks(pairs, hold_contests(entries))), {}, (), kept.explain())
    return handed


def test_a_small_suite_is_handed_over_whole(entries, monkeypatch, tmp_path):
    handed = draw(fill(entries), entries, monkeypatch, tmp_path)
    pd.testing.assert_frame_equal(handed["traces"], trace_frame([trace for trace, _ in entries]))
    pd.testing.assert_frame_equal(handed["runs"], runs_frame(entries))
    pd.testing.assert_frame_equal(handed["ranking"], ranking_frame(entries))
    assert handed["seeds"] is None
    assert [reasons.optimizer for reasons in handed["reasons"]] == [trace.optimizer.label for trace, _ in entries]


def test_bands_from_runs_are_those_from_tables(entries, monkeypatch, tmp_path):
    handed = draw(fill(entries), entries, monkeypatch, tmp_path)
    traces = complete(trace_frame([trace for trace, _ in entries]), {"iteration": float, "evaluations": float})
    pd.testing.assert_frame_equal(handed["bands"], summarize(traces, runs_frame(entries)), check_dtype=False)
    assert len(handed["bands"]["optimizer"].unique()) == 3


def test_of_many_runs_the_first_seeds_keep_their_traces(entries, monkeypatch, tmp_path):
    whole = draw(fill(entries), entries, monkeypatch, tmp_path)
    most = len(whole["traces"]) // 3
    monkeypatch.setattr(excerpt, "MOST_RECORDS", most)
    part = draw(fill(entries), entries, monkeypatch, tmp_path)
    assert len(part["traces"]) <= most
    assert part["seeds"] == 3  # 9, 5, 3
    assert sorted(part["traces"]["seed"].unique()) == [0, 1, 2]
    pd.testing.assert_frame_equal(part["bands"], whole["bands"])  # of all seeds
    pd.testing.assert_frame_equal(part["runs"], whole["runs"])
    tables = gather(**{name: part[name] for name in FRAMES}, provenance={})
    assert len(tables.traced) == 9
    assert set(tables.traced["seed"]) == {0, 1, 2}
    tasks = list_tasks(tables)
    assert len(tasks) == 9 * len(tables.targets)  # a run whose trace is left out is not one that failed its tasks
    assert len(gather(**{name: whole[name] for name in FRAMES}, provenance={}).traced) == 27


def test_one_seed_of_each_pair_is_always_there(entries, monkeypatch, tmp_path):
    monkeypatch.setattr(excerpt, "MOST_RECORDS", 1)
    part = draw(fill(entries), entries, monkeypatch, tmp_path)
    assert part["seeds"] == 1
    assert part["traces"].groupby("optimizer")["seed"].nunique().tolist() == [1, 1, 1]


def test_of_many_pairs_the_first_are_explained(entries, monkeypatch):
    monkeypatch.setattr(excerpt, "MOST_REASONS", 2)
    kept = fill(entries)
    explained = kept.explain()
    assert [reasons.optimizer for reasons in explained] == [trace.optimizer.label for trace, _ in entries[:2]]
    for reasons, (_, rates) in zip(explained, entries, strict=False):
        assert list(reasons.rates) == list(range(SEEDS))
        assert reasons.rate == rates[reasons.seed]  # with its evidence
        assert all(dataclasses.replace(rates[seed], evidence=()) == dataclasses.replace(law, evidence=())
                   for seed, law in reasons.rates.items())  # fmt: skip


def test_runs_that_left_no_trace_are_rows(entries):
    trace, rates = entries[0]
    empty = Trace(trace.problem, trace.optimizer, tuple(dataclasses.replace(run, rows={}) for run in trace.runs))
    assert bands.average_trace(empty).empty
    assert len(runs_frame([(empty, rates)])) == SEEDS
    assert frame_ranking([]).empty


def test_garbage_is_looked_for_again_afterwards():
    assert gc.isenabled()
    with keeping_all():
        assert not gc.isenabled()
    assert gc.isenabled()
    with pytest.raises(ZeroDivisionError), keeping_all():
        _ = 1 / 0
    assert gc.isenabled()


# Bands.


def record(time, loss, evaluations):
    return {"time": time, "iteration": time, "evaluations": evaluations, "loss": loss}


@pytest.mark.parametrize("seed", range(5))
def test_quantiles_are_those_of_numpy(seed):
    rng = np.random.default_rng(seed)
    values = rng.standard_normal((rng.integers(1, 12), 40))
    values[rng.random(values.shape) < 0.3] = np.nan
    values[0] = 1.0  # a column is never without a value
    found = bands._interpolate_ranks(values, 0.1, 0.5, 0.9)
    assert np.array(found[:3]) == pytest.approx(np.nanquantile(values, (0.1, 0.5, 0.9), axis=0), rel=1e-15)
    assert found[3].tolist() == np.nanquantile(values, 0.5, axis=0, method="higher").tolist()


def test_a_run_that_came_to_its_end_keeps_its_rank():
    """Of three runs e⁻ᵗ, 2e⁻ᵗ, 3e⁻ᵗ the first reaches its target at t = 10: the median is then the lower of the two."""
    t = np.arange(1.0, 21.0)
    rows = [
        record(t[:10], np.exp(-t[:10]), t[:10]),
        *(record(t, scale * np.exp(-t), 2 * t) for scale in (2.0, 3.0)),
    ]
    band = bands.average(rows, [-np.inf, np.nan, np.nan])
    assert band["time"].tolist() == t.tolist()
    assert band["loss"].to_numpy() == pytest.approx(2 * np.exp(-t), rel=1e-12)
    assert band["seeds"].tolist() == [3] * 10 + [2] * 10
    late = bands.average(rows, [np.inf] * 3).query("time > 10")
    assert late["loss"].to_numpy() == pytest.approx(3 * np.exp(-late["time"].to_numpy()), rel=1e-12)


def test_records_without_a_logarithm_and_of_one_time_are_left_out():
    t = np.array([0.0, 1.0, 2.0, 2.0, 3.0, 4.0])
    loss = np.array([1.0, 0.5, 0.25, 0.2, 0.0, np.inf])
    longer = np.where(t == 3.0, 0.1, loss)
    short, long = bands.clean(list_grids([record(t, loss, t), record(t, longer, t)])[0])
    assert (short.places, short.clocks["time"].tolist(), short.loss.tolist()) == ([0], [1.0, 2.0], [[0.5, 0.2]])
    assert (long.places, long.clocks["time"].tolist()) == ([1], [1.0, 2.0, 3.0])
    assert long.loss.tolist() == [[0.5, 0.2, 0.1]]
    assert bands.average([record(t[:1], loss[:1], t[:1])], [np.nan]).empty
