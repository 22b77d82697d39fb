"""From the rates of runs to a standing, and from standings to ranks."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench_ovp.problems import Theory
from bench_ovp.ranking import TARGETS, Fitted, Standing, evaluations_to, pooled_interval, rank, summarise, write_places
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


def test_seeds_are_counted_by_law_whatever_became_of_them():
    runs = fitted(power(3.0), power(3.0), power(3.1), Rate("undecided"), Rate("exponential", 1.0, 0.9, 1.1))
    runs += fitted(Rate("undecided"), status="failed") + fitted(power(3.0), status="degenerate")
    found = summarise(runs)
    assert found.law == "undecided"  # 3 of 7
    assert found.laws == "power 3, undecided 1, exponential 1, failed 1, degenerate 1"
    assert summarise(runs[:4]).laws == "power 3, undecided 1"


def test_seeds_that_disagree_beyond_their_intervals_are_heterogeneous():
    alike = summarise(fitted(*(power(value) for value in (2.96, 3.0, 3.04))))
    assert alike.heterogeneity == 0.0
    apart = summarise(fitted(*(power(value) for value in (2.5, 3.0, 3.5))))
    q = 2 * (0.5 / (0.1 / 1.96)) ** 2
    assert apart.heterogeneity == pytest.approx((q - 2) / q)
    assert math.isnan(summarise(fitted(power(3.0))).heterogeneity)
    assert math.isnan(summarise(fitted(Rate("stalled"), Rate("stalled"))).heterogeneity)


# --- ranks ---


def test_ranks_count_who_is_ahead():
    names = ["a", "b", "c", "d"]
    assert rank(names, []) == dict.fromkeys(names, 1)
    assert rank(names, [("a", "b"), ("a", "c"), ("a", "d"), ("b", "d"), ("c", "d")]) == {"a": 1, "b": 2, "c": 2, "d": 4}


def test_a_better_one_has_the_smaller_rank_whoever_else_ties():
    # b beats c; x and y beat b and tie with c: counting direct separations alone would put c first.
    assert rank(["b", "c", "x", "y"], [("b", "c"), ("x", "b"), ("y", "b")]) == {"x": 1, "y": 1, "b": 3, "c": 4}


def test_in_a_circle_the_last_separation_is_left_out():
    assert rank(["a", "b", "c"], [("a", "b"), ("b", "c"), ("c", "a")]) == {"a": 1, "b": 2, "c": 3}
    assert rank(["a", "b", "c"], [("c", "a"), ("b", "c"), ("a", "b")]) == {"b": 1, "c": 2, "a": 3}


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from("abcdef")), max_size=15))
def test_ranks_respect_every_separation_outside_circles(drawn):
    forward = [tuple(sorted(pair)) for pair in drawn if pair[0] != pair[1]]  # no circle among sorted pairs
    ranks = rank("abcdef", forward)
    assert all(ranks[better] < ranks[worse] for better, worse in forward)
    assert rank("fedcba", forward[::-1]) == ranks
    assert all(1 <= place <= 6 for place in ranks.values())


def test_ties_are_written():
    assert write_places([1, 2, 2, 4]) == ["1", "2=", "2=", "4"]
    assert write_places([1.0, math.nan]) == ["1", "–"]


def test_evaluations_to_targets():
    loss, charged = [1.0, 1e-4, 1e-6, 1e-9], [1, 2, 4, 8]
    assert evaluations_to(loss, charged).tolist() == [2.0, 8.0, math.inf]
    assert evaluations_to([loss, [1.0, math.nan, 1e-13, 0.0]], charged)[1].tolist() == [4.0] * 3
    assert evaluations_to([], []).tolist() == [math.inf] * 3
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
