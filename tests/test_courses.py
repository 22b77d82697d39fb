"""Runs of a pair, read side by side: as each would be read alone, and as arithmetic by hand has it."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench_ovp.courses import Reader
from bench_ovp.grids import CLOCKS, list_grids
from bench_ovp.ranking import TARGETS
from bench_ovp.rates import Rate
from bench_ovp.trace import Run

STEPS = np.array([0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0])
POWER = Rate("power", 3.0, 2.9, 3.1, 1.0, 0.5, 2.0, start=0.1, end=1.6)


def make_run(seed, loss, per_step=2.0, status="ok"):
    steps = STEPS[: len(loss)]
    rows = {"iteration": steps, "time": 0.1 * steps, "evaluations": 1 + per_step * steps, "loss": np.array(loss)}
    return Run(seed, status, "", rows, 32, 65, 0.0, resolution=1e-30)


losses = st.lists(st.sampled_from([1.0, 1e-3, 1e-5, 1e-9, 1e-13, 0.0, math.nan, math.inf]), min_size=1, max_size=7)
runs = st.builds(make_run, st.just(0), losses, st.sampled_from([1.0, 2.0]))
laws = st.sampled_from([POWER, replace(POWER, start=math.nan, end=0.8), Rate("undecided"), Rate("diverged")])


@settings(derandomize=True, deadline=None, max_examples=100)
@given(st.lists(st.tuples(runs, laws), min_size=1, max_size=6), st.sampled_from(CLOCKS))
def test_a_run_is_read_the_same_in_any_company(pairs, clock):
    together = Reader([run for run, _ in pairs], [rate for _, rate in pairs])
    found = together.read_courses(together.read_laws(clock), clock)
    for place, (run, rate) in enumerate(pairs):
        alone = Reader([run], [rate])
        [course] = alone.read_courses(alone.read_laws(clock), clock)
        assert repr(course) == repr(found[place])  # NaN and all
        assert alone.evaluations == [together.evaluations[place]]


def test_a_course_by_hand():
    run = make_run(7, [1.0, 1e-3, 1e-5, 1e-5, 0.0, 1e-9, math.nan])
    reader = Reader([run], [replace(POWER, end=0.4)])
    [course] = reader.read_courses(reader.read_laws("iteration"), "iteration")
    assert course.place == pytest.approx(np.log([1, 2, 4]))  # the law could read up to t = 0.4
    assert course.height == pytest.approx(np.log([1e-3, 1e-5, 1e-5]))
    # From 1e-3 at 1 to 1e-5 at 2, half of that way in both logs; and from 1e-5 at 4 to a zero at 8.
    assert course.reached[0] == pytest.approx(math.log(2) / 2)
    assert course.reached[1] == pytest.approx(math.log(4) + math.log(2) * math.log(1e3) / math.log(1e295))
    assert course.spacing == pytest.approx([math.log(2)] * 3)
    assert course.watched == pytest.approx(math.log(32))
    assert Reader([run], [POWER]).evaluations == [(5.0, 17.0, 17.0)]


def test_a_run_without_records_says_nothing():
    there, lost = make_run(0, [1.0, 1e-5]), Run(1, "failed", "it broke", {}, None, 0, 0.0)
    reader = Reader([lost, there], [Rate("undecided"), POWER])
    assert reader.evaluations == [(math.inf,) * len(TARGETS), (3.0, math.inf, math.inf)]
    nothing, _ = reader.read_courses(reader.read_laws("evaluations"), "evaluations")
    assert (len(nothing.place), len(nothing.height), nothing.watched) == (0, 0, -math.inf)
    assert np.isnan([*nothing.reached, *nothing.spacing]).all()


def test_runs_are_together_where_all_clocks_agree():
    one, two, other = make_run(0, [1.0, 0.5]), make_run(1, [1.0, 0.4]), make_run(2, [1.0, 0.3], per_step=1.0)
    first, second = list_grids([one.rows, other.rows, {}, two.rows])
    assert (first.places, second.places) == ([0, 3], [1])
    assert first.loss.tolist() == [[1.0, 0.5], [1.0, 0.4]]
    assert first.clocks["evaluations"].tolist() == [1.0, 3.0]
