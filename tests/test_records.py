"""Rows of runs side by side: what was added comes back, run by run, however many there are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench_ovp.records import Records


@given(st.lists(st.sets(st.integers(0, 3), min_size=1), max_size=150))
def test_each_run_gets_back_its_own_rows(visits):
    rows, expected = Records(4), {run: [] for run in range(4)}
    for number, visit in enumerate(visits):
        runs = sorted(visit, reverse=number % 2 == 1)
        rows.add(runs, {"position": np.full(len(runs), float(number)), "run": np.array(runs, dtype=float)})
        for run in runs:
            expected[run].append(float(number))
    for run, positions in expected.items():
        found = rows.of(run)
        assert found.get("position", np.empty(0)).tolist() == positions
        assert set(found.get("run", ())) <= {float(run)}


def test_a_run_goes_on_from_the_rows_that_it_is_given():
    rows = Records(2)
    rows.set(1, {"x": np.arange(100.0)})
    rows.add([0, 1], {"x": np.array([7.0, 8.0])})
    assert rows.of(0)["x"].tolist() == [7.0]
    assert rows.of(1)["x"].tolist() == [*range(100), 8.0]


def test_columns_that_change_are_refused():
    rows = Records(1)
    rows.add([0], {"loss": np.ones(1)})
    with pytest.raises(ValueError, match="the columns recorded are loss, more, and were loss before"):
        rows.add([0], {"loss": np.ones(1), "more": np.ones(1)})
