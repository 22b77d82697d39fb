"""Phases 1 to 3: Theorems 4, 5 and 6, and where T₁ and T₂ come to lie."""

from __future__ import annotations

import math

import numpy as np

from bench_ovp.claims import HOLDS, Case, Claim, Finding

from .course import (
    DESCENT,
    EPSILON_1,
    EPSILON_2,
    Array,
    Course,
    aligned,
    in_range,
    leave_out,
    list_scales,
    read_courses,
    small_start,
    sort_courses,
    still_small,
)
from .diagrams import BALANCE, PHASES
from .kinds import Part, claim_bound, claim_constant, describe_assumptions

TIMELY = (small_start, aligned)


def list_first(course: Course, sharp: bool) -> list[Part]:
    """(6), (7) up to T₁, and (9) at T₁; the twin's (7) falls like the third power and not the 24th root."""
    until = slice(0, course.first + 1 if course.first is not None else 0)
    time, v = course.time[until], course.teacher
    longest = course.column("norm_max")[until] / (course.s2 + 2 * v * time)
    shortest = course.s1 / course.column("norm_min")[until]
    fall = (1 + time * v / course.s2) ** (-3.0 if sharp else -1.0 / 24.0)
    chi, start = np.sin(course.students("theta")[until] / 2) ** 2, np.sin(course.theta / 2) ** 2
    angles = ((chi - EPSILON_1**2) / (fall[:, None] * (start - EPSILON_1**2))).max(axis=1)
    balance = course.column("balance")[until][-1:] / 2
    return [
        Part("(6), the upper bound,", time, longest),
        Part("(6), the lower bound,", time, shortest),
        Part("(7)", time, angles),
        Part("(9)", time[-1:], balance),
    ]


def shrink(course: Course, times: Array, rate: float) -> Array:
    """(1 − rate·η)^((t − T₁)/η), or e^(−rate·(t − T₁)) for a flow."""
    since = times - course.time[course.first]
    if course.lr == 0.0:
        return np.asarray(np.exp(-rate * since))
    return np.asarray(np.exp(since / course.lr * math.log1p(-rate * course.lr)))


def list_second(course: Course, sharp: bool) -> list[Part]:
    """(12) to (15) from T₁ to T₂; the twin's H falls at twice the rate."""
    if course.first is None or course.second is None:
        return []
    both = slice(course.first, course.second + 1)
    time, v, n = course.time[both], course.teacher, course.n
    H, h = course.column("H")[both], course.students("h")[both]
    fall = shrink(course, time, n * (1.0 if sharp else 0.5)) * v
    early = time - time[0] <= max(0.0, math.log(1 / (36 * EPSILON_2)) / n)  # until the T₂ of Theorem 5
    return [
        Part("(12)", time, course.column("balance")[both] / 2),
        Part("(13), the upper bound,", time, H / (fall + 6 * EPSILON_2 * v)),
        Part("(13), the lower bound,", time, (2 / 3 * fall - 6 * EPSILON_2 * v) / H),
        Part("(13), H ≥ 18ε₂‖v‖,", time[early], 18 * EPSILON_2 * v / H[early]),
        Part("(14), the upper bound,", time, h.max(axis=1) * n / (2 * v)),
        Part("(14), the lower bound,", time, course.s1 / 2 / h.min(axis=1)),
        Part("(15)", time, course.column("theta_max")[both] / EPSILON_2),
    ]


def list_third(course: Course, sharp: bool) -> list[Part]:
    """Lengths within [‖v‖/4n, 4‖v‖/n] from T₂ on; the twin says so of the whole run."""
    late = course.since(0 if sharp else course.second)
    time, each = course.time[late], course.teacher / course.n
    return [
        Part("the upper bound", time, course.column("norm_max")[late] / (4 * each)),
        Part("the lower bound", time, each / 4 / course.column("norm_min")[late]),
    ]


def find_third(course: Course, sharp: bool) -> tuple[Array, Array]:
    """L(T₂ + T)·T³/(n⁴‖v‖²); the twin's exponent is 3.5."""
    if course.second is None:
        return np.empty(0), np.empty(0)
    late = course.since(course.second + 1)
    since = course.time[late] - course.time[course.second]
    power = 3.5 if sharp else 3.0
    return course.time[late], course.column("loss")[late] * since**power / (course.n**4 * course.teacher**2)


def find_crossing(course: Course) -> float:
    """The time at which H falls to 18ε₂‖v‖, between two records by log H, which is straight there."""
    at, level = course.second, math.log(18 * EPSILON_2 * course.teacher)
    assert at is not None
    heights = course.column("H")[max(0, at - 1) : at + 1]
    if len(heights) < 2 or heights[-1] <= 0:
        return float(course.time[at])
    before, after = np.log(heights)
    return float(course.time[at - 1] + (before - level) / (before - after) * (course.time[at] - course.time[at - 1]))


def check_second_time(case: Case, power: float) -> Finding | None:
    """T₂ n^power/ln n, a constant without a time."""
    courses = read_courses(case, DESCENT)
    if not courses:
        return None
    met, words = sort_courses(courses, (*TIMELY, in_range))
    if not met:
        return leave_out(words, len(courses))
    n = met[0].n
    times = [find_crossing(course) for course in met]
    values = tuple(time * n**power / math.log(n) for time in times)
    told = f"{words}T₂ = {min(times):.3g} to {max(times):.3g} over {len(times)} runs"
    return Finding(HOLDS, max(values), math.nan, len(values), told, values, list_scales(case, met[0]))


def _claim_third(name: str, source: str, families: tuple[str, ...]) -> Claim:
    statement = "L(T₂ + T) ≤ C n⁴‖v‖²/T³ in nominal time"
    return claim_constant(
        name, source, statement, find_third, "L(T₂ + T) ≤ C n⁴‖v‖²/T^3.5", TIMELY, 1, families=families
    )


CLAIMS = [
    claim_bound(
        "theorem-4",
        "Xu & Du (2023), Theorem 4",
        "phase 1, up to T₁: s₁ ≤ ‖wᵢ‖ ≤ s₂ + 2‖v‖t (6); sin²(θᵢ/2) − ε₁² falls like (1 + t‖v‖/s₂)^(−1/24) (7); "
        "hᵢ ≤ 2hⱼ at T₁ (9)",
        list_first,
        "(7) with the exponent −3",
        (small_start, aligned, still_small),
        diagram=PHASES,
    ),
    claim_bound(
        "theorem-5",
        "Xu & Du (2023), Theorem 5",
        "phase 2, T₁ to T₂: hᵢ ≤ 2hⱼ (12); ⅔q‖v‖ − 6ε₂‖v‖ ≤ H ≤ q‖v‖ + 6ε₂‖v‖ with q = (1 − nη/2)^((t−T₁)/η) (13); "
        "s₁/2 ≤ hᵢ ≤ 2‖v‖/n (14); θᵢ ≤ ε₂ (15)",
        list_second,
        "(13) with nη in place of nη/2",
        (small_start, aligned, still_small),
        diagram=BALANCE,
    ),
    claim_bound(
        "theorem-6-norms",
        "Xu & Du (2023), Theorems 6 and 27",
        "phase 3, from T₂ on: ‖v‖/4n ≤ ‖wᵢ‖ ≤ 4‖v‖/n",
        list_third,
        "the same from t = 0 on",
        TIMELY,
    ),
    _claim_third("theorem-6", "Xu & Du (2023), Theorem 6", DESCENT),
    _claim_third("theorem-9", "Xu & Du (2023), Theorem 9", ("gradient-descent",)),
    _claim_third("corollary-12", "Xu & Du (2023), Corollary 12", ("gradient-flow",)),
    Claim(
        "theorem-9-time",
        "Xu & Du (2023), Theorem 9 and Corollary 12",
        "T₂ ≤ C ln n/n in nominal time",
        lambda case: check_second_time(case, 1.0),
        lambda case: check_second_time(case, 3.0),
        "T₂ ≤ C ln n/n³",
        describe_assumptions((*TIMELY, in_range)),
        sense=1,
    ),
]
