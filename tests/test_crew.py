"""Workers stay from one batch of tasks to the next, are replaced after a crash, and explain what they have run."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from functools import partial

import pytest

import bench_ovp as ovp
from bench_ovp import crew
from bench_ovp.crew import Crew
from bench_ovp.errors import InputError
from bench_ovp.report.artists import sketch
from bench_ovp.report.why import write_reasons


def find_process(workers: Crew) -> int:
    pool, _ = workers.come(1)
    found: int = pool.submit(os.getpid).result()
    return found


def test_workers_stay_while_their_number_is_right():
    with Crew(jobs=2) as workers:
        assert workers.count(1) == 1
        assert workers.count(9) == 2
        first = find_process(workers)
        folder = workers.come(1)[1]
        assert folder.is_dir()
        assert find_process(workers) == first
        _, other = workers.come(2)  # each may hold half as much
        assert other != folder
        assert not folder.exists()
        assert find_process(workers) != first
    assert not other.exists()


def test_who_has_left_comes_back_as_another():
    with Crew() as workers:
        first = find_process(workers)
        workers.leave()
        assert find_process(workers) != first


def test_a_question_goes_to_a_worker_if_one_is_there():
    with Crew() as workers:
        assert workers.ask(os.getpid)() == os.getpid()
        there = find_process(workers)
        assert workers.ask(os.getpid)() == there
        asked = workers.ask(partial(divmod, 7, 2))
        workers.leave()  # when what was asked is answered
        assert asked() == (3, 1)
        find_process(workers)
        asked = workers.ask(partial(divmod, 1, 0))
        with pytest.raises(ZeroDivisionError):
            asked()


def test_a_question_is_answered_here_where_others_work_for_us():
    with Crew("serial") as workers:
        workers.come(1)
        assert workers.ask(os.getpid)() == os.getpid()


def die_there(home: int) -> str:
    """What kills a worker, and nobody else."""
    if os.getpid() != home:
        os.kill(os.getpid(), signal.SIGKILL)
    return "here"


@pytest.mark.skipif(os.name != "posix", reason="Windows has no SIGKILL")
def test_a_question_is_answered_here_where_the_worker_died():
    with Crew() as workers:
        find_process(workers)
        assert workers.ask(partial(die_there, os.getpid()))() == "here"
        assert workers.ask(os.getpid)() == os.getpid()  # the pool is broken


def test_an_unknown_executor_is_refused_at_once():
    with pytest.raises(InputError, match="nonsense: unknown; known: process, serial"):
        Crew("nonsense")


@pytest.fixture
def opened(monkeypatch) -> list[int]:
    """The numbers of workers of each pool that is opened."""
    counts: list[int] = []
    open_pool = crew.open_pool

    def count(name, jobs, folder):
        counts.append(jobs)
        return open_pool(name, jobs, folder)

    monkeypatch.setattr(crew, "open_pool", count)
    return counts


TUNED = """name: tuned
problems: [{exact-neuron: {d: 3}}]
optimizers: [{gradient-descent: {tune: {lr: [0.02, 0.1]}}}]
tuning: {seeds: [100, 101]}
seeds: 2
horizon: {iterations: 300}
"""


def test_those_who_tune_run_the_suite(tmp_path, opened):
    suite = tmp_path / "suite.yaml"
    suite.write_text(TUNED)
    folder = ovp.run_suite(suite, tmp_path / "results", jobs=1, report=False)
    assert (folder / "tuning.csv").exists()
    assert opened == [1]
    ovp.run_suite(suite, tmp_path / "results", jobs=1, report=False)
    assert opened == [1]  # nothing was left to do


def explain(tmp_path, monkeypatch, **options) -> list[tuple[list[tuple[str, str]], bytes]]:
    """Sentences and figures of a suite, as its report is handed them."""
    handed: list[object] = []

    def draw_report(folder, **given):
        handed.extend(given["reasons"])
        return folder

    monkeypatch.setattr("bench_ovp.report.draw_report", draw_report)
    suite = tmp_path / "suite.yaml"
    suite.write_text("name: s\nproblems: [toy-case-1]\noptimizers: [gradient-descent, heavy-ball]\nseeds: 2\n"
                     "horizon: {iterations: 3000}\n")  # fmt: skip
    ovp.run_suite(suite, tmp_path / str(len(options)), **options)
    return [(write_reasons(reasons), sketch(reasons)) for reasons in handed]


def test_workers_explain_as_this_process_does(tmp_path, monkeypatch):
    asked: list[bool] = []
    ask = Crew.ask

    def listen(self: Crew, call: Callable[[], object]) -> Callable[[], object]:
        fetch = ask(self, call)
        asked.append(fetch is not call)
        return fetch

    monkeypatch.setattr(Crew, "ask", listen)
    there = explain(tmp_path, monkeypatch)
    assert asked == [True, True]
    assert explain(tmp_path, monkeypatch, executor="serial") == there
    assert asked == [True, True, False, False]
