"""From the rates of runs to a standing, and from standings to ranks."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench_ovp.problems import Theory
from bench_ovp.ranking import ORDER, TARGETS, Fitted, Standing, evaluations_to, pooled_interval, rank, summarise
from bench_ovp.rates import Rate

NEVER = (math.inf,) * len(TARGETS)


def power(value: float, width: float = 0.1, constant: float = 1.0) -> Rate:
    return Rate("power", value, value - width, value + width, constant)


def fitted(*rates: Rate, status: str = "ok") -> list[Fitted]:
    return [Fitted(status, rate, NEVER) for rate in rates]


def standing(law: str, value=math.nan, width=0.0, constant=math.nan, reached=NEVER) -> Standing:
    return Standing(law, value, value - width, value + width, constant, 1.0, 16, reached)


def test_the_median_over_the_seeds_of_the_law():
    runs = fitted(power(2.9, constant=5.0), power(3.0, constant=9.0), power(3.2, constant=7.0), Rate("undecided"))
    found = summarise(runs)
    assert (found.law, found.value, found.constant) == ("power", 3.0, 7.0)
    assert (found.share, found.seeds) == (0.75, 4)


@pytest.mark.parametrize("status", ["failed", "degenerate"])
def test_runs_that_failed_count_in_the_share(status):
    lost = fitted(Rate("undecided"), Rate("power", 3.0, 2.9, 3.1), status=status)
    found = summarise(fitted(power(3.0), power(3.0)) + lost)
    assert (found.law, found.share, found.seeds) == ("power", 0.5, 4)
    less = summarise(fitted(power(3.0)) + lost)
    assert less.law == "undecided"
    assert less.share == pytest.approx(1 / 3)
    assert math.isnan(less.value)


def test_below_a_half_nothing_is_decided():
    split = fitted(power(3.0), power(3.0), Rate("exponential", 1.0, 0.9, 1.1), Rate("stalled"), Rate("diverged"))
    found = summarise(split)
    assert (found.law, found.share) == ("undecided", 0.4)
    assert math.isnan(found.low)


def test_nothing_usable_is_undecided():
    found = summarise(fitted(Rate("undecided"), Rate("undecided"), status="failed"))
    assert (found.law, found.share, found.seeds) == ("undecided", 0.0, 2)


def test_laws_without_a_value_have_none():
    found = summarise(fitted(Rate("diverged"), Rate("diverged"), power(3.0)))
    assert found.law == "diverged"
    assert math.isnan(found.value)
    assert math.isnan(found.high)


values = st.lists(st.tuples(st.floats(0.1, 10), st.floats(0, 2), st.floats(0, 2)), min_size=1, max_size=40)


@given(values)
def test_the_pooled_interval_is_never_narrower_than_the_median_run(drawn):
    rates = [Rate("power", value, value - below, value + above) for value, below, above in drawn]
    low, high = pooled_interval(rates)
    assert low <= np.median([rate.low for rate in rates])
    assert high >= np.median([rate.high for rate in rates])
    assert low <= np.median([rate.value for rate in rates]) <= high


def test_seeds_that_scatter_widen_the_interval_and_many_do_not_shrink_it():
    scattered = [power(value, width=0.01) for value in np.linspace(2.0, 4.0, 16)]
    low, high = pooled_interval(scattered)
    assert (low, high) == (scattered[3].value, scattered[12].value)  # Conover's table for 16 at 95%
    alike = pooled_interval([power(3.0)] * 1000)
    assert alike == (2.9, 3.1)  # no 1/√seeds: seeds share their bias
    assert pooled_interval([power(2.0, 0.01), power(4.0, 0.01)]) == (2.0, 4.0)  # of two, the range


def test_the_interval_of_the_median_covers_at_least_95_percent():
    rng = np.random.default_rng(3)
    hits = 0
    for _ in range(400):
        drawn = [power(value, width=0.0) for value in rng.exponential(size=9)]
        low, high = pooled_interval(drawn)
        hits += low <= math.log(2) <= high
    assert hits >= 0.94 * 400


def test_the_order_of_laws():
    names = ["d", "s", "u", "p", "e", "x"]
    laws = ["diverged", "stalled", "undecided", "power", "exponential", "superexponential"]
    ranks = rank({name: standing(law, 1.0) for name, law in zip(names, laws, strict=True)})
    assert ranks == {"x": 1, "e": 2, "p": 3, "u": 4, "s": 5, "d": 6}
    assert set(laws) == set(ORDER)


def test_separate_intervals_rank_by_value_whatever_the_constants():
    slow = standing("power", 2.0, 0.1, constant=1e-9)
    fast = standing("power", 3.0, 0.1, constant=1e9)
    assert rank({"slow": slow, "fast": fast}) == {"fast": 1, "slow": 2}


def test_overlapping_intervals_of_powers_rank_by_the_constant():
    wide = standing("power", 3.0, 0.2, constant=8.0)
    sharp = standing("power", 2.9, 0.01, constant=2.0)
    other = standing("power", 2.95, 0.1, constant=4.0)
    assert rank({"wide": wide, "sharp": sharp, "other": other}) == {"sharp": 1, "other": 2, "wide": 3}


def test_overlapping_intervals_of_exponentials_rank_by_evaluations_to_the_hardest_target():
    late = standing("exponential", 1.0, 0.1, constant=1e-9, reached=(10.0, 90.0, math.inf))
    soon = standing("exponential", 0.95, 0.1, constant=1e9, reached=(50.0, 80.0, 200.0))
    assert rank({"late": late, "soon": soon}) == {"soon": 1, "late": 2}
    unfinished = standing("exponential", 1.02, 0.1, reached=(10.0, 70.0, math.inf))
    assert rank({"late": late, "unfinished": unfinished}) == {"unfinished": 1, "late": 2}


def test_a_chain_of_overlaps_is_one_group_and_a_gap_begins_the_next():
    chain = {
        "a": standing("power", 3.0, 0.1, constant=3.0),
        "b": standing("power", 2.85, 0.1, constant=2.0),
        "c": standing("power", 2.7, 0.1, constant=1.0),  # overlaps b, not a
        "d": standing("power", 2.4, 0.1, constant=0.1),
    }
    assert rank(chain) == {"c": 1, "b": 2, "a": 3, "d": 4}


@given(st.permutations(["a", "b", "c", "d", "e"]))
def test_ranks_do_not_depend_on_the_order_of_the_suite(names):
    table = {
        "a": standing("power", 3.0, 0.1, constant=3.0),
        "b": standing("power", 2.85, 0.1, constant=2.0),
        "c": standing("exponential", 0.1, 0.01),
        "d": standing("undecided"),
        "e": standing("power", 1.0, 0.1, constant=0.1),
    }
    assert rank({name: table[name] for name in names}) == {"c": 1, "b": 2, "a": 3, "e": 4, "d": 5}


def test_evaluations_to_targets():
    loss, charged = [1.0, 1e-4, 1e-6, 1e-9], [1, 2, 4, 8]
    assert evaluations_to(loss, charged) == (2.0, 8.0, math.inf)
    runs = [Fitted("ok", power(3.0), (n, 10.0 * n, math.inf)) for n in (1.0, 2.0, 9.0)]
    assert summarise(runs).reached == (2.0, 20.0, math.inf)
    half = [Fitted("ok", power(3.0), (1.0, 1.0, 1.0)), Fitted("ok", power(3.0), NEVER)]
    assert summarise(half).reached == NEVER


def test_agreement_asks_for_the_law_and_the_value():
    found = standing("power", 3.05, 0.1)
    assert found.agrees(Theory("power", 3.0, "")) is True
    assert found.agrees(Theory("power", 3.2, "")) is False
    assert found.agrees(Theory("exponential", 3.0, "")) is False
    assert found.agrees(Theory("power", math.nan, "")) is True
    assert found.agrees(None) is None
