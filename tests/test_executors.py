"""Wherever tasks run, the bits are the same; a worker that holds other sources says so."""

from __future__ import annotations

import os
import struct
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from test_cli import frame

import bench_ovp as ovp
from bench_ovp.checkpoints import Horizon
from bench_ovp.plan import list_cells
from bench_ovp.processes import WorkerPool
from bench_ovp.registry import installed
from bench_ovp.suite import Suite
from bench_ovp.work import do


def test_any_executor_gives_the_same_bits(tiny, tiny_results):
    with ThreadPoolExecutor(2) as threads:
        folder = ovp.run_suite(tiny, tiny.parent / "results", executor=threads, jobs=2, report=False)
        assert threads.submit(int, 3).result() == 3  # it stays open
    pd.testing.assert_frame_equal(frame(folder), frame(tiny_results), check_exact=True)


def test_a_subset_of_seeds_gives_the_same_bits(invoke, tiny, tiny_results):
    tiny.write_text(tiny.read_text().replace("seeds: 2", "seeds: [1]"))
    assert invoke("suite", "suite.yaml", "--no-report", "-j", "1").exit_code == 0
    alone, all_runs = frame(tiny.parent / "results/tiny"), frame(tiny_results)
    pd.testing.assert_frame_equal(alone, all_runs[all_runs.seed == 1].reset_index(drop=True), check_exact=True)


def test_a_worker_with_other_sources_refuses():
    suite = Suite("s", (ovp.problem("exact-neuron"),), (ovp.optimizer("heavy-ball"),), (0,), Horizon(iterations=5))
    [cell] = list_cells(suite, installed())
    [outcome] = do(cell)
    assert outcome.run.status == "ok"
    [outcome] = do(replace(cell, key="0" * 64))
    assert outcome.run.status == "failed"
    assert "holds other sources or versions than the suite was planned with" in outcome.run.reason


def send_half(sent: Path) -> None:
    """In a worker: announce a result of 1,000 bytes and send none of them."""
    frame = sys._getframe()
    while "result_queue" not in frame.f_locals:
        frame = frame.f_back
    os.write(frame.f_locals["result_queue"]._writer.fileno(), struct.pack("!i", 1000))
    sent.touch()
    time.sleep(60)


def test_workers_killed_in_the_midst_of_a_result_do_not_keep_us_waiting(tmp_path):
    pool = WorkerPool(1)
    result, queue = pool.submit(send_half, tmp_path / "sent"), pool._result_queue
    while not (tmp_path / "sent").exists():
        assert not result.done()
        time.sleep(0.01)
    pool.kill()
    try:
        with pytest.raises(BrokenProcessPool):
            result.result(timeout=20)
    finally:
        queue._writer.close()  # or the interpreter would wait at its exit, if this failed
        pool.shutdown()


@pytest.mark.slow
def test_dask_gives_the_same_bits(invoke, tiny, tiny_results):
    pytest.importorskip("distributed", reason="dask is not installed")
    assert invoke("suite", "suite.yaml", "--no-report", "--executor", "dask", "-j", "4").exit_code == 0
    pd.testing.assert_frame_equal(frame(tiny.parent / "results/tiny"), frame(tiny_results), check_exact=True)


def test_a_cluster_that_does_not_answer_is_told(invoke, tiny):
    pytest.importorskip("distributed", reason="dask is not installed")
    told = invoke("suite", "suite.yaml", "--no-report", "--executor", "dask://127.0.0.1:1")
    assert told.exit_code == 2
    assert "--executor dask://127.0.0.1:1: no scheduler answers there" in told.stderr
