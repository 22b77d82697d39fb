"""Tests over seeds against scipy and by hand; their correction; heterogeneity."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bench_ovp.significance import (
    adjust,
    compare_counts,
    compare_lives,
    compare_means,
    compare_samples,
    compare_signs,
    measure_heterogeneity,
)

NAN = math.nan
samples = st.lists(st.floats(-5, 5), min_size=2, max_size=12).filter(lambda x: np.ptp(x) > 1e-3)


@given(samples)
def test_paired_differences_are_students(drawn):
    told, expected = compare_means(drawn), stats.ttest_1samp(drawn, 0.0)
    assert float(told.p) == pytest.approx(expected.pvalue, rel=1e-3, abs=1e-12)
    interval = expected.confidence_interval(0.95)
    assert (float(told.low), float(told.high)) == pytest.approx((interval.low, interval.high), abs=1e-4)


@given(samples, samples)
def test_independent_samples_are_welchs(one, other):
    expected = stats.ttest_ind(one, other, equal_var=False).pvalue
    assert float(compare_samples(one, other).p) == pytest.approx(expected, rel=1e-3, abs=1e-12)


def test_rows_are_tested_at_once_and_gaps_are_left_out():
    told = compare_means([[1.0, 2.0, 4.0], [1.0, NAN, 2.0], [NAN, 3.0, NAN], [NAN, NAN, NAN]])
    assert told.p[0] == pytest.approx(stats.ttest_1samp([1, 2, 4], 0).pvalue, rel=1e-6)
    assert told.p[1] == pytest.approx(stats.ttest_1samp([1, 2], 0).pvalue, rel=1e-6)
    assert np.isnan(told.p[2:]).all()
    assert told.pick(0).mean == pytest.approx(7 / 3)


def test_without_scatter_only_the_resolution_is_left():
    assert float(compare_means([0.0] * 5).p) == 1.0
    assert float(compare_means([1e-8] * 5).p) > 0.9
    assert float(compare_means([1e-2] * 5).p) < 1e-9
    assert float(compare_samples([1.0] * 5, [1.0] * 5).p) == 1.0
    assert float(compare_samples([1.0] * 5, [1.1] * 5).p) < 1e-9


def test_an_error_that_seeds_share_does_not_shrink():
    d = np.full(1000, 0.1) + 1e-3 * np.resize([1.0, -1.0], 1000)
    assert float(compare_means(d).p) < 1e-100
    assert float(compare_means(d, shared=0.1).p) == pytest.approx(0.32, abs=0.01)
    assert float(compare_samples(d, np.zeros(1000), shared=0.1).p) == pytest.approx(0.32, abs=0.01)


@pytest.mark.parametrize(("plus", "minus"), [(0, 0), (1, 0), (6, 0), (9, 3), (3, 9), (8, 8)])
def test_signs_are_the_binomial_test(plus, minus):
    expected = stats.binomtest(plus, plus + minus).pvalue if plus + minus else 1.0
    assert float(compare_signs(plus, minus)) == pytest.approx(expected)


def test_counts_are_fishers():
    assert compare_counts((8, 2), (1, 5)) == pytest.approx(0.03497, abs=1e-5)  # the table in scipy's manual
    assert compare_counts((8, 2), (8, 2)) == 1.0


# Remission in weeks under 6-MP and under placebo: the data of Gehan (1965) from Freireich et al. (1963).
DRUG = [6, 6, 6, 7, 10, 13, 16, 22, 23, 6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35]
DRUG_ENDED = [True] * 9 + [False] * 12
PLACEBO = [1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23]


def test_lives_are_gehans():
    p = compare_lives(DRUG, DRUG_ENDED, PLACEBO, [True] * 21)
    assert p == pytest.approx(2 * stats.norm.sf(3.6), rel=0.1)  # W = 271, Z about 3.6
    assert compare_lives(PLACEBO, [True] * 21, DRUG, DRUG_ENDED) == pytest.approx(p)


def test_lives_without_censoring_are_mann_whitneys():
    one, other = [1.0, 2.0, 3.5, 7.0], [2.5, 4.0, 5.0, 6.0, 8.0]
    expected = stats.mannwhitneyu(one, other, method="exact").pvalue
    assert compare_lives(one, [True] * 4, other, [True] * 5) == pytest.approx(expected)


def test_few_lives_are_counted_out():
    assert compare_lives([1.0, 2.0], [True, True], [3.0, 3.0], [False, False]) == pytest.approx(1 / 3)
    assert compare_lives([1.0], [False], [3.0], [True]) == 1.0  # watched for less: not known who was longer
    assert compare_lives([], [], [3.0], [True]) == 1.0
    assert compare_lives([2.0] * 20, [False] * 20, [2.0] * 20, [False] * 20) == 1.0


def test_holm_by_hand():
    adjusted, factors = adjust([0.01, 0.04, NAN, 0.03, 0.005])
    assert adjusted == pytest.approx([0.03, 0.06, NAN, 0.06, 0.02], nan_ok=True)
    assert factors == pytest.approx([3, 1, NAN, 2, 4], nan_ok=True)
    assert np.isnan(adjust([NAN])[0]).all()
    assert len(adjust([])[0]) == 0


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8), st.floats(0, 1))
def test_a_further_test_never_helps_the_others(p, further):
    before, after = adjust(p)[0], adjust([*p, further])[0][:-1]
    assert np.all(after >= before - 1e-12)
    assert np.all(before >= p)
    for i, j in combinations(range(len(p)), 2):
        assert (p[i] <= p[j]) == (before[i] <= before[j]) or before[i] == before[j]


def test_heterogeneity():
    assert math.isnan(measure_heterogeneity([3.0], [0.1]))
    assert math.isnan(measure_heterogeneity([3.0, NAN], [0.1, 0.1]))
    assert measure_heterogeneity([3.0, 3.0, 3.0], [0.1] * 3) == 0.0
    assert measure_heterogeneity([3.0, 3.0], [0.0, 0.0]) == 0.0
    # Q = Σ(v − v̄)²/s² = 2/0.01 with two degrees of freedom.
    assert measure_heterogeneity([2.0, 3.0, 4.0], [0.1] * 3) == pytest.approx((200 - 2) / 200)
    rng = np.random.default_rng(0)
    own = [measure_heterogeneity(3 + 0.1 * rng.standard_normal(16), [0.1] * 16) for _ in range(200)]
    assert np.median(own) < 0.1
    seeds = [measure_heterogeneity(3 + 0.2 * rng.standard_normal(16), [0.1] * 16) for _ in range(200)]
    assert np.median(seeds) == pytest.approx(0.75, abs=0.07)  # of a variance of 0.04 0.01 is explained


@given(st.lists(st.tuples(st.floats(0.1, 10), st.floats(0.001, 2)), min_size=2, max_size=20), st.floats(0.01, 100))
def test_heterogeneity_is_a_share_without_unit(drawn, scale):
    values, errors = np.array(drawn).T
    found = measure_heterogeneity(values, errors)
    assert 0 <= found <= 1
    assert measure_heterogeneity(values * scale, errors * scale) == pytest.approx(found, abs=1e-6)
