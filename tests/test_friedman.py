"""Friedman's test and Nemenyi's difference: against published tables, SciPy, and their promise."""

import itertools

import numpy as np
import pytest
from scipy import stats

from bench_ovp.friedman import compare_ranks, critical_difference, group_ranks, rank_blocks

# Demšar (2006), Table 5(a): critical values q of the two-tailed Nemenyi test.
TABLE = {
    0.05: (1.960, 2.343, 2.569, 2.728, 2.850, 2.949, 3.031, 3.102, 3.164),
    0.10: (1.645, 2.052, 2.291, 2.459, 2.589, 2.693, 2.780, 2.855, 2.920),
}


@pytest.mark.parametrize("level", TABLE)
def test_critical_values_are_those_of_the_table(level):
    for methods, q in enumerate(TABLE[level], start=2):
        problems = 6 * methods * (methods + 1)
        found = critical_difference(methods, problems, level) * np.sqrt(6 * problems / (methods * (methods + 1)))
        assert found == pytest.approx(q, abs=1.1e-3)  # the table is printed to three digits, not always rounded


def test_the_example_of_demsar():
    """Four methods on 14 data sets: CD = 2.569 √(4·5/(6·14)) = 1.25."""
    assert critical_difference(4, 14) == pytest.approx(1.25, abs=0.005)
    assert critical_difference(4, 14, 0.10) == pytest.approx(1.12, abs=0.005)


def test_the_statistic_is_that_of_scipy():
    chance = np.random.default_rng(3)
    for problems, methods in ((5, 3), (14, 4), (40, 7)):
        scores = np.round(chance.normal(size=(problems, methods)) + 0.2 * np.arange(methods), 1)  # with ties
        chi2 = stats.friedmanchisquare(*scores.T).statistic
        f = (problems - 1) * chi2 / (problems * (methods - 1) - chi2)
        p = stats.f.sf(f, methods - 1, (methods - 1) * (problems - 1))
        assert compare_ranks(rank_blocks(scores)) == pytest.approx(p, rel=1e-10)


def test_extremes():
    assert compare_ranks(np.full((6, 4), 2.5)) == 1.0
    assert compare_ranks([[1, 2, 3]]) == 1.0
    assert compare_ranks([[1, 2, 3]] * 5) == 0.0


def test_ranks_of_ties_share_their_mean():
    assert rank_blocks([[1, 2, 2, 4], [3, 3, 3, 3]]).tolist() == [[1, 2.5, 2.5, 4], [2.5, 2.5, 2.5, 2.5]]


def test_errors_are_as_rare_as_promised():
    """Methods that do not differ, 12 problems: any pair beyond CD in at most 5 % of suites, and not in none."""
    chance = np.random.default_rng(5)
    methods, problems, count = 5, 12, 2000
    ranks = chance.random((count, problems, methods)).argsort(axis=2).argsort(axis=2) + 1.0
    means = ranks.mean(axis=1)
    wrong = np.mean(np.ptp(means, axis=1) > critical_difference(methods, problems))
    assert 0.02 < wrong < 0.05 + 3 * np.sqrt(0.05 * 0.95 / count)
    rejected = np.mean([compare_ranks(suite) <= 0.05 for suite in ranks[:500]])
    assert 0.02 < rejected < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 500)


@pytest.mark.parametrize("seed", range(20))
def test_groups_are_all_the_largest_ones(seed):
    means = np.sort(np.random.default_rng(seed).uniform(1, 8, 8))
    difference = 1.7
    close = [set(range(a, b + 1)) for a, b in itertools.combinations(range(8), 2) if means[b] - means[a] <= difference]
    largest = [group for group in close if not any(group < other for other in close)]
    found = [set(range(a, b + 1)) for a, b in group_ranks(means, difference)]
    assert sorted(map(sorted, found)) == sorted(map(sorted, largest))
