"""Claims: the machinery on curves made for it, a stranger's claim, and what must fail."""

from __future__ import annotations

import dataclasses
from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest

import bench_ovp as ovp
from bench_ovp import claims
from bench_ovp.claims import (
    FAILS,
    HOLDS,
    OUTSIDE,
    UNDECIDED,
    Case,
    Claim,
    Finding,
    Scale,
    find_constant,
    judge_constants,
    judge_law,
)
from bench_ovp.claims.verdicts import COLUMNS, Hearing, Offered
from bench_ovp.rates import Rate
from bench_ovp.registry import installed
from bench_ovp.results import open_hearing, take_case
from bench_ovp.work import fit_run

TIME = np.logspace(0, 6, 121)


@cache
def case(problem: str, optimizer: str, horizon: float, seeds: int = 2, **parameters) -> Case:
    """A pair that has run, with its laws; made once."""
    subject = ovp.problem(problem, **parameters)
    flow = optimizer == "gradient-flow"
    method = ovp.optimizer(optimizer) if flow else ovp.optimizer(optimizer, lr=0.05)
    reach = {"time": horizon} if flow else {"iterations": horizon}
    trace = ovp.run(subject, method, seeds=seeds, **reach)
    return take_case(trace, [fit_run(run, method) for run in trace.runs])


def verdict(name: str, found: Case) -> str:
    """Of one of the paper's claims."""
    finding = installed().claims[name].check(found)
    assert finding is not None
    return finding.verdict


# The constant of an O(·).


def test_a_settled_constant_has_no_trend():
    found = find_constant(TIME, 2.0 - 1.0 / TIME, sense=1)
    assert found.value == pytest.approx(2.0, abs=1e-5)
    assert found.trend < 1e-3
    assert found.decades == pytest.approx(6.0)


@pytest.mark.parametrize("power", [0.06, 0.5, 2.0])
@pytest.mark.parametrize("sense", [1, -1])
def test_a_constant_that_gets_worse_fails(power, sense):
    """The slope of a power is found exactly, whichever way is worse."""
    found = find_constant(TIME, TIME ** (sense * power), sense)
    assert found.trend == pytest.approx(power, rel=1e-9)
    assert judge_constants([(TIME, TIME ** (sense * power), 0.0)], sense).verdict == FAILS


@pytest.mark.parametrize("sense", [1, -1])
def test_a_constant_that_gets_better_holds(sense):
    """The bound stays true where the ratio moves away from it; and a rise from below what was needed is none."""
    ratio = TIME ** (-0.5 * sense)
    assert judge_constants([(TIME, ratio, 0.0)], sense).verdict == HOLDS
    dip = np.where(TIME < 10, 1.0, 1e-3 * (TIME / 10) ** 0.3) ** sense
    assert judge_constants([(TIME, dip, 0.0)], sense).verdict == HOLDS


def test_less_than_three_decades_decide_nothing():
    short = TIME[TIME < 900]
    assert judge_constants([(short, np.ones_like(short), 0.0)], 1).verdict == UNDECIDED
    # 3.1 decades would do, but only 2.9 of them are behind the time since when a trend would be one.
    assert judge_constants([(TIME, np.ones_like(TIME), 1.2e3)], 1).verdict == UNDECIDED
    assert judge_constants([(TIME, np.ones_like(TIME), 9e2)], 1).verdict == HOLDS
    assert judge_constants([(TIME[:0], TIME[:0], 0.0)], 1).verdict == UNDECIDED


def test_one_run_with_a_trend_is_enough():
    curves = [(TIME, np.ones_like(TIME), 0.0), (TIME, TIME**0.1, 0.0)]
    found = judge_constants(curves, 1)
    assert found.verdict == FAILS
    assert found.value == pytest.approx(10**0.6)
    assert "t^0.100" in found.evidence


# Laws.


def laws(*rates: Rate) -> Case:
    held = case("toy-case-2", "gradient-descent", 100)
    return held._replace(rates=rates)


def test_laws_are_held_against_intervals():
    three = Rate("power", 2.99, 2.97, 3.01)
    assert judge_law(laws(three, three), "power", 3.0).verdict == HOLDS
    assert judge_law(laws(three, three), "power", 2.9).verdict == FAILS
    assert judge_law(laws(three, three), "exponential", float("nan")).verdict == FAILS
    assert judge_law(laws(three, Rate("exponential", 1.0, 0.9, 1.1)), "power", 3.0).verdict == FAILS
    assert judge_law(laws(Rate("undecided")), "power", 3.0).verdict == UNDECIDED


# Sweeps and twins.


def hear(*heard: Claim, cases) -> list[dict]:
    """The rows of claims on cases."""
    hearing = Hearing({claim.name: Offered(claim, "mine") for claim in heard}, lambda error, _: repr(error))
    for each in cases:
        hearing.hear(each)
    return list(hearing.list_rows())


def swept(power: float, sense: int = 1) -> Claim:
    """A claim whose constant goes like n^power."""

    def check(found: Case) -> Finding:
        n = found.problem.parameters["n"]
        return Finding(HOLDS, n**power, runs=1, constants=(n**power,), scales=(Scale("n", "n", n),))

    return Claim("swept", "nobody", "nothing", check, check, "nothing", sense=sense)


def toys(*students: int) -> list[Case]:
    return [case("toy-case-2", "gradient-descent", 100, n=n) for n in students]


@pytest.mark.parametrize(
    ("power", "sense", "told"),
    [(0.0, 1, HOLDS), (0.05, 1, HOLDS), (0.2, 1, FAILS), (-0.2, 1, HOLDS), (-0.2, -1, FAILS), (0.2, -1, HOLDS)],
)
def test_a_constant_with_a_trend_over_a_sweep_fails(power, sense, told):
    rows = hear(swept(power, sense), cases=toys(2, 4, 8))
    assert [row["verdict"] for row in rows] == [told] * 3
    assert f"n^{power:.2f}" in rows[0]["evidence"]


def test_a_constant_without_a_sweep_is_undecided():
    assert [row["verdict"] for row in hear(swept(0.0), cases=toys(2, 4))] == [UNDECIDED] * 2


def plain(name: str, holds: str, twin: str, **options) -> Claim:
    return Claim(name, "nobody", "nothing", lambda _: Finding(holds), lambda _: Finding(twin), "more", **options)


def test_a_twin_that_holds_says_that_the_claim_says_nothing():
    rows = hear(
        plain("good", HOLDS, FAILS), plain("empty", HOLDS, HOLDS), plain("off", OUTSIDE, OUTSIDE), cases=toys(2)
    )
    assert [row["informative"] for row in rows] == [True, False, None]
    assert list(rows[0]) == list(COLUMNS)


def test_a_claim_about_a_problem_is_heard_once_for_it():
    pairs = [case("toy-case-2", method, 100, n=2) for method in ("gradient-descent", "heavy-ball")]
    rows = hear(plain("once", HOLDS, FAILS, about="problem"), plain("each", HOLDS, FAILS), cases=pairs)
    assert [(row["claim"], row["optimizer"]) for row in rows] == [
        ("once", None),
        ("each", "gradient-descent[lr=0.05]"),
        ("each", "heavy-ball[lr=0.05]"),
    ]


def test_a_broken_claim_is_named_and_hurts_nobody():
    def broken(_: Case) -> Finding:
        raise ZeroDivisionError("by nothing")

    bad = dataclasses.replace(plain("bad", HOLDS, FAILS), check=broken)
    odd = dataclasses.replace(plain("odd", HOLDS, FAILS), check=lambda _: "yes")
    rows = hear(bad, odd, plain("good", HOLDS, FAILS), cases=toys(2))
    assert [row["verdict"] for row in rows] == [UNDECIDED, UNDECIDED, HOLDS]
    assert "ZeroDivisionError" in rows[0]["evidence"]
    assert "must return a Finding or None" in rows[1]["evidence"]
    with pytest.raises(ValueError, match="'maybe' is no verdict"):
        Finding("maybe")


# Negative controls: what is false of the runs must fail.


def test_an_exponent_of_two_fails_for_descent_with_three_students():
    found = case("teacher-neuron", "gradient-descent", 1e5, n=3, d=20)
    assert judge_law(found, "power", 2.0).verdict == FAILS
    assert judge_law(found, "power", 3.0).verdict == HOLDS
    loss = [(run.rows["time"], run.rows["loss"] * run.rows["time"] ** 2, 1.0) for run in found.runs]
    assert judge_constants(loss, -1).verdict == FAILS  # L ≥ c t⁻², the half of Θ(t⁻²) that is false


def test_an_exponential_fails_for_toy_case_1():
    found = case("toy-case-1", "gradient-descent", 1e5)
    assert judge_law(found, "exponential", float("nan")).verdict == FAILS
    assert verdict("toy-case-1-law", found) == HOLDS


def test_a_cubic_law_fails_for_one_student():
    found = case("exact-neuron", "gradient-descent", 1e3)
    assert judge_law(found, "power", 3.0).verdict == FAILS
    assert verdict("single-student", found) == HOLDS


def test_students_that_do_not_separate_fail_lemma_30():
    """κ_max of the traces quartered, from a start with κ_max(0) = 0.4 and from random ones."""
    lean = [[0.0001, 0.001, 0.0], [-0.0001, 0.001 * np.cos(0.4), 0.001 * np.sin(0.4)]]
    explicit = ovp.run(ovp.problem("teacher-neuron", w0=lean), ovp.optimizer("gradient-flow"), time=1e3)
    random = case("teacher-neuron", "gradient-flow", 1e3, n=3, d=400, sigma=6e-5)
    for found in (take_case(explicit, [Rate("undecided")]), random):
        assert verdict("lemma-30", found) == HOLDS
        runs = tuple(replace(run, rows={**run.rows, "kappa_max": run.rows["kappa_max"] / 4}) for run in found.runs)
        assert verdict("lemma-30", found._replace(runs=runs)) == FAILS


# A stranger's claim.

STRANGER = """
import bench_ovp
from bench_ovp.claims import Claim, compare


def check(case, most):
    if case.problem.name != "toy-case-2":
        return None
    last = max(float(run.rows["loss"][-1]) for run in case.runs)
    return compare(last, most, len(case.runs))


@bench_ovp.hookimpl
def bench_ovp_claims():
    claim = "parallel students learn to 1e-6"
    return [Claim("stranger-1", "me", claim, lambda c: check(c, 1e-6), lambda c: check(c, 1e-300), "to 1e-300")]
"""


def test_a_stranger_claims_in_twenty_lines(install, invoke, tmp_path):
    assert len(STRANGER.strip().splitlines()) <= 20
    install("stranger_claims", STRANGER)
    (tmp_path / "suite.yaml").write_text(
        "name: theirs\nproblems: [toy-case-2, toy-case-3]\noptimizers: [gradient-descent]\n"
        "seeds: 2\nhorizon: {iterations: 2e3}\n"
    )
    assert invoke("suite", "suite.yaml").exit_code == 0
    rows = pd.read_csv(tmp_path / "results" / "theirs" / "claims.csv").set_index("claim")
    assert list(rows.columns) == [name for name in COLUMNS if name != "claim"]
    own = rows.loc["stranger-1"]
    assert (own.verdict, own.informative, own.twin_verdict) == (HOLDS, True, FAILS)
    assert (own.problem, own.optimizer, own.runs, own.plugin) == (
        "toy-case-2",
        "gradient-descent",
        2,
        "stranger_claims",
    )
    page = (tmp_path / "results" / "theirs" / "report.html").read_text()
    assert "parallel students learn to 1e-6" in page
    assert 'id="claims"' in page


def test_plugins_list_and_name_claims(install):
    install("stranger_claims", STRANGER)
    registry = installed()
    assert registry.plugin_of("claim", "stranger-1").name == "stranger_claims"
    assert registry.plugin_of("claim", "theorem-6").claims[0] == "lemma-3"
    hearing = open_hearing(registry, draw=False)
    hearing.hear(case("toy-case-2", "gradient-descent", 100, n=2))
    assert {row["claim"] for row in hearing.list_rows()} >= {"stranger-1", "toy-case-2"}


def test_what_is_no_claim_is_refused(install):
    install("stranger_claims", STRANGER.partition("    claim =")[0] + "    return ['L falls']\n")
    [plugin] = installed().failed
    assert "bench_ovp_claims must return Claims, not 'L falls'" in plugin.error
    assert plugin.claims == ()


def test_every_verdict_is_exported():
    assert (HOLDS, FAILS, OUTSIDE, UNDECIDED) == claims.VERDICTS
