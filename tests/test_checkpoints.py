"""Where a trace is recorded and where a run ends."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench_ovp.checkpoints import (
    EARLIEST_TIME,
    Horizon,
    grid,
    iterations_to_record,
    last_iteration,
    times_to_record,
)

per_decades = st.integers(1, 100)
ends = st.integers(1, 10**7)


def test_the_grid_by_hand():
    assert grid(1, 5000) == [1, 10, 100, 1000]
    assert grid(3, 100) == [1, 2, 5, 10, 22, 46, 100]
    assert grid(20, 10) == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
    assert len(grid(20, 10**6)) == 110  # 121 powers, of which 11 round to a number that is there already


@given(per_decades, ends)
def test_the_grid_is_every_rounded_power(per_decade, end):
    powers = (round(10 ** (k / per_decade)) for k in range(8 * per_decade))
    assert grid(per_decade, end) == sorted({power for power in powers if power <= end})


@given(per_decades, ends, ends)
def test_the_grid_does_not_depend_on_the_horizon(per_decade, first, second):
    near, far = sorted((first, second))
    assert grid(per_decade, far)[: len(grid(per_decade, near))] == grid(per_decade, near)


@given(per_decades, ends)
def test_the_end_is_recorded_once(per_decade, end):
    found = iterations_to_record(per_decade, end)
    assert found == sorted(set(grid(per_decade, end)) | {end})


def test_a_flow_starts_earlier_and_ends_anywhere():
    assert times_to_record(1, 25.5) == [0.01, 0.1, 1.0, 10.0, 25.5]
    assert times_to_record(1, 10.0) == [0.01, 0.1, 1.0, 10.0]
    assert times_to_record(2, 0.05) == [0.01, pytest.approx(10**-1.5), 0.05]
    assert times_to_record(1, 0.001) == [0.001]


@given(per_decades, st.floats(1e-3, 1e5))
def test_times_of_a_flow_ascend_and_contain_the_grid(per_decade, end):
    found = times_to_record(per_decade, end)
    assert all(before < after for before, after in pairwise(found))
    assert found[-1] == end
    assert min(found) >= min(EARLIEST_TIME, end)
    assert set(grid(per_decade, end)) <= set(found)


@pytest.mark.parametrize("steps", [1, 3, 7, 33, 1000, 123457])
@pytest.mark.parametrize("lr", [0.1, 0.05, 0.3, 1.0, 7e-5])
def test_a_whole_number_of_steps_loses_none_to_rounding(lr, steps):
    assert last_iteration(Horizon(time=lr * steps), lr) == steps
    assert last_iteration(Horizon(time=lr * (steps + 0.5)), lr) == steps


@pytest.mark.parametrize(("time", "steps"), [(0.3, 3), (0.7, 7), (2.3, 23), (0.29, 2)])
def test_a_time_as_people_write_it_is_a_whole_number_of_steps(time, steps):
    assert last_iteration(Horizon(time=time), 0.1) == steps  # 0.3 / 0.1 is 2.9999999999999996


def test_the_nearest_limit_holds():
    assert last_iteration(Horizon(iterations=100, time=5.0), 0.1) == 50
    assert last_iteration(Horizon(iterations=30, time=5.0), 0.1) == 30
    assert last_iteration(Horizon(time=0.01), 0.1) == 1  # a run takes a step at least
    assert last_iteration(Horizon(evaluations=5), 0.1) is None
