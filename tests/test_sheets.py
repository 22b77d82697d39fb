"""Tables as their rows come: whole, typed, and nothing where they could not be written."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

import bench_ovp as ovp
from bench_ovp import sheets
from bench_ovp.rows import FIRST_COLUMNS
from bench_ovp.trace import Run, Trace

PARAMETERS = {"problem.d": {int}, "problem.note": {str, type(None)}, "optimizer.fast": {bool}, "optimizer.lr": {float}}
MEASURED = (*FIRST_COLUMNS, "how", "extra")


def make_trace(lr, seeds):
    problem, optimizer = ovp.problem("toy-case-1"), ovp.optimizer("gradient-descent", lr=lr)
    return Trace(problem, optimizer, tuple(make_run(seed, lr) for seed in seeds), "compiled")


def make_run(seed, lr):
    count = 3 + seed
    steps = np.arange(count, dtype=float)
    rows = dict.fromkeys(FIRST_COLUMNS, steps) | {"loss": lr * np.exp(-steps), "how": steps % 2}
    if seed % 2:
        rows["extra"] = np.where(steps == 1, np.nan, steps)
    return Run(seed, "ok", "", rows, count, count, 0.0)


@pytest.fixture
def named(monkeypatch):
    """Parameters of every kind."""

    def list_parameters(problem, optimizer):
        lr = optimizer.parameters["lr"]
        return {
            "problem.d": 7,
            "problem.note": None if lr > 0.1 else "è",
            "optimizer.fast": lr > 0.1,
            "optimizer.lr": lr,
        }

    monkeypatch.setattr(sheets, "list_parameters", list_parameters)


def write(path, traces):
    with sheets.open_traces(path, MEASURED, PARAMETERS) as sheet:
        for trace in traces:
            sheet.add(trace)


@pytest.mark.parametrize("group", [1, 10, 100_000])
def test_traces_are_read_back_as_they_were(named, tmp_path, monkeypatch, group):
    monkeypatch.setattr(sheets, "GROUP", group)
    traces = [make_trace(0.05, range(4)), make_trace(0.2, range(2))]
    write(tmp_path / "traces.parquet", traces)
    frame = pd.read_parquet(tmp_path / "traces.parquet")
    runs = [(trace, run) for trace in traces for run in trace.runs]
    for (trace, run), (_, own) in zip(runs, frame.groupby(["optimizer", "seed"], sort=False), strict=True):
        assert set(own["optimizer"]) == {trace.optimizer.label}
        assert own["loss"].tolist() == run.rows["loss"].tolist()
        assert own["iteration"].tolist() == list(range(3 + run.seed))
        assert own["how"].tolist() == [("stepped", "carried")[int(code)] for code in run.rows["how"]]
        extra = run.rows.get("extra", np.full(3 + run.seed, np.nan))
        assert np.array_equal(own["extra"].to_numpy(float), extra, equal_nan=True)
        assert set(own["optimizer.fast"]) == {trace.optimizer.parameters["lr"] > 0.1}
        assert own["problem.note"].isna().all() == (trace.optimizer.parameters["lr"] > 0.1)
    assert frame["problem.note"].dropna().unique().tolist() == ["è"]
    schema = pq.read_schema(tmp_path / "traces.parquet")
    kinds = {name: str(schema.field(name).type) for name in schema.names}
    assert {kinds[name] for name in ("problem", "optimizer", "how", "problem.note")} == {"string"}
    assert {kinds[name] for name in ("seed", "iteration", "problem.d")} == {"int64"}
    assert {kinds[name] for name in ("loss", "extra", "optimizer.lr")} == {"double"}
    assert kinds["optimizer.fast"] == "bool"


def test_a_full_disk_is_told_and_leaves_the_old_table(named, tmp_path, monkeypatch):
    path = tmp_path / "traces.parquet"
    write(path, [make_trace(0.05, range(2))])
    before = path.read_bytes()

    def full(writer, table):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pq.ParquetWriter, "write_table", full)
    monkeypatch.setattr(sheets, "GROUP", 1)
    with pytest.raises(OSError, match="No space left"):
        write(path, [make_trace(0.05, range(4)), make_trace(0.2, range(4))])
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_table_of_no_runs_has_its_columns(named, tmp_path):
    trace = make_trace(0.05, range(1))
    write(tmp_path / "traces.parquet", [replace(trace, runs=(replace(trace.runs[0], rows={}),))])
    frame = pd.read_parquet(tmp_path / "traces.parquet")
    assert frame.empty
    assert list(frame.columns) == ["problem", "optimizer", "seed", *MEASURED, *PARAMETERS]
