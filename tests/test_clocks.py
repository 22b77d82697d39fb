"""Laws on other clocks: converted where they are proportional to time, fitted anew where they are not."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from bench_ovp import clocks
from bench_ovp.clocks import scale_rate
from bench_ovp.courses import Reader
from bench_ovp.rates import Rate, fit_rate
from bench_ovp.trace import Run

STEPS = np.unique(np.round(10 ** (np.arange(0, 101) / 20)))


def make_run(time, loss, evaluations, iteration=None, status="ok"):
    rows = {"time": time, "loss": loss, "evaluations": evaluations}
    rows["iteration"] = np.full(len(time), np.nan) if iteration is None else iteration
    return Run(0, status, "", rows, None, int(evaluations[-1]), 0.0)


def read_clock(run, rate, clock, rtol=0.0):
    [found] = Reader([run], [rate], rtol).read_laws(clock)
    return found


@pytest.mark.parametrize("law", ["power", "exponential"])
def test_a_converted_law_is_the_same_curve(law):
    lr = 0.05
    time = lr * STEPS
    loss = 3.0 * (1 + time) ** -2.5 if law == "power" else 3.0 * np.exp(-0.01 * time)
    rate = fit_rate(time, loss)
    assert rate.law == law
    run = make_run(time, loss, 4 * STEPS, STEPS)
    for clock, shown in (("iteration", STEPS), ("evaluations", 4 * STEPS)):
        there, anew = read_clock(run, rate, clock), fit_rate(shown, loss)
        for name in ("value", "low", "high", "constant", "start", "end"):
            assert getattr(there, name) == pytest.approx(getattr(anew, name), rel=2e-3), name
    assert read_clock(run, rate, "time") is rate


def test_scaling_by_hand():
    power = scale_rate(Rate("power", 3.0, 2.9, 3.1, 2.0, 1.0, 4.0, start=10.0, end=100.0), 20.0)
    assert (power.value, power.low, power.high) == (3.0, 2.9, 3.1)
    assert (power.constant, power.constant_low, power.constant_high) == (16_000, 8_000, 32_000)
    assert (power.start, power.end) == (200, 2_000)
    exponential = scale_rate(Rate("exponential", 1.0, 0.9, 1.1, 2.0), 20.0)
    assert (exponential.value, exponential.low, exponential.high) == pytest.approx((0.05, 0.045, 0.055))
    assert exponential.constant == 2.0
    assert math.isnan(scale_rate(Rate("undecided"), 20.0).value)


def test_a_clock_of_its_own_is_fitted_anew(monkeypatch):
    time = 10 ** (np.arange(0, 101) / 20)
    loss = 2.0 * time**-3.0
    run = make_run(time, loss, np.ceil(20 * time**0.5))  # as a stiff solver's steps grow
    asked = []

    def fit(shown, heights, floor, rtol):
        asked.append((floor, rtol))
        assert np.all(np.diff(shown) > 0)
        return fit_rate(shown, heights, floor=floor, rtol=rtol)

    monkeypatch.setattr(clocks, "fit_rate", fit)
    run = replace(run, resolution=1e-30)
    found = read_clock(run, fit_rate(time, loss), "evaluations", 1e-8)
    assert asked == [(1e-30, 1e-8)]
    assert found.law == "power"
    assert found.low <= 6.0 <= found.high


def test_an_offset_before_the_window_does_no_harm(monkeypatch):
    monkeypatch.setattr(clocks, "fit_rate", lambda *a, **k: pytest.fail("it was fitted"))
    shown = STEPS.copy()
    shown[STEPS < 100] += 0.5
    run = make_run(STEPS, STEPS**-3.0, shown)
    rate = Rate("power", 3.0, 2.9, 3.1, 1.0, start=100.0, end=1e5)
    assert read_clock(run, rate, "evaluations").constant == pytest.approx(1.0)


def test_what_has_no_rows_or_no_limit_stays_as_it_is():
    nothing = Run(0, "failed", "", {}, None, 0, 0.0)
    rate = Rate("undecided")
    assert read_clock(nothing, rate, "iteration") is rate
    gone = Rate("diverged")
    assert read_clock(make_run(STEPS, STEPS, STEPS**2, STEPS), gone, "evaluations") is gone
    start = make_run(np.zeros(1), np.ones(1), np.zeros(1), np.zeros(1))  # only the start was recorded
    assert read_clock(start, rate, "evaluations").law == "undecided"
