"""The lower bound: Theorem 14, Lemmas 30, 31, 33, and (67), (68)."""

from __future__ import annotations

import numpy as np

from .course import FLOW, Array, Course, generic, in_range, small_start
from .diagrams import PACE, POTENTIAL, SEPARATION
from .kinds import Part, claim_bound, claim_constant

LOWER = (small_start, generic, in_range)


def find_pace(course: Course, sharp: bool) -> tuple[Array, Array]:
    """d(L^(−1/3))/dt between records from T₃ on, times κ²_max(0)‖v‖^(2/3)/n^(17/3); the twin's t^(0.8) for t.

    γ takes up all that is earlier.
    """
    time = course.time
    late = time >= course.turn
    if late.sum() < 2:
        return np.empty(0), np.empty(0)
    time, height = time[late], course.column("loss")[late] ** (-1 / 3)
    clock = time**0.8 if sharp else time
    scale = course.kappa**2 * course.teacher ** (2 / 3) / course.n ** (17 / 3)
    return time[1:], np.diff(height) / np.diff(clock) * scale


def list_separation(course: Course, sharp: bool) -> list[Part]:
    """κ_max(0)/3 over κ_max; the twin has 3/2 κ_max(0)."""
    apart = course.column("kappa_max")
    return [Part("κ_max", course.time, (1.5 if sharp else 1 / 3) * course.kappa / apart)]


def find_spread(course: Course, sharp: bool) -> tuple[Array, Array]:
    """Z/(κ_max(0) max‖zᵢ‖); the twin has the power 0.8 of max‖zᵢ‖."""
    late = course.since(course.second)
    largest = course.students("z").max(axis=1)[late]
    return course.time[late], course.column("Z")[late] / (course.kappa * largest ** (0.8 if sharp else 1.0))


def find_slowness(course: Course, sharp: bool) -> tuple[Array, Array]:
    """−ΔZ/(n²‖v‖∫θ²_max dt) between records from T₂ on; the twin has the power 2.5 of θ_max."""
    late = course.since(course.second)
    time, Z, theta = course.time[late], course.column("Z")[late], course.column("theta_max")[late]
    if len(time) < 2:
        return np.empty(0), np.empty(0)
    height = theta ** (2.5 if sharp else 2.0)
    area = 0.5 * np.diff(np.log(time)) * ((height * time)[1:] + (height * time)[:-1])
    return time[1:], -np.diff(Z) / (course.n**2 * course.teacher * area)


def find_potential(course: Course, sharp: bool) -> tuple[Array, Array]:
    """(1/Z − 1/Z(T₂))/(t − T₂) times κ²_max(0)‖v‖/n⁴; the twin has the power 0.8 of t − T₂."""
    if course.second is None:
        return np.empty(0), np.empty(0)
    late = course.since(course.second + 1)
    since, Z = course.time[late] - course.time[course.second], course.column("Z")
    rise = (1 / Z[late] - 1 / Z[course.second]) / since ** (0.8 if sharp else 1.0)
    return course.time[late], rise * course.kappa**2 * course.teacher / course.n**4


def find_height(course: Course, sharp: bool) -> tuple[Array, Array]:
    """L n⁵‖v‖/Z³; the twin has Z^2.7."""
    late = course.since(course.second)
    power = 2.7 if sharp else 3.0
    return course.time[late], course.column("loss")[late] * course.n**5 * course.teacher / course.column("Z")[
        late
    ] ** power


CLAIMS = [
    claim_constant(
        "theorem-14",
        "Xu & Du (2023), Theorem 14",
        "L^(−1/3) ≤ C n^(17/3)/(κ²_max(0)‖v‖^(2/3)) (t − T₂) + γ",
        find_pace,
        "L^(−1/3) ≤ C n^(17/3)/(κ²_max(0)‖v‖^(2/3)) t^0.8 + γ",
        LOWER,
        1,
        families=FLOW,
        diagram=PACE,
    ),
    claim_bound(
        "lemma-30",
        "Xu & Du (2023), Lemma 30",
        "κ_max(t) ≥ κ_max(0)/3",
        list_separation,
        "κ_max(t) ≥ 3/2 κ_max(0)",
        (small_start, generic),
        families=FLOW,
        diagram=SEPARATION,
    ),
    claim_constant(
        "lemma-31",
        "Xu & Du (2023), Lemma 31",
        "Z ≥ c κ_max(0) max‖zᵢ‖",
        find_spread,
        "Z ≥ c κ_max(0) max‖zᵢ‖^0.8",
        LOWER,
        -1,
        families=FLOW,
    ),
    claim_constant(
        "lemma-33",
        "Xu & Du (2023), Lemma 33",
        "dZ/dt ≥ −C n²‖v‖θ²_max from T₂ on",
        find_slowness,
        "dZ/dt ≥ −C n²‖v‖θ_max^2.5",
        LOWER,
        1,
        families=FLOW,
    ),
    claim_constant(
        "equation-67",
        "Xu & Du (2023), (67)",
        "1/Z ≤ C n⁴/(κ²_max(0)‖v‖) (t − T₂) + 1/Z(T₂): Z falls no faster than 1/t",
        find_potential,
        "the same with (t − T₂)^0.8",
        LOWER,
        1,
        families=FLOW,
        diagram=POTENTIAL,
    ),
    claim_constant(
        "equation-68",
        "Xu & Du (2023), (68)",
        "L ≥ c Z³/(n⁵‖v‖) from T₂ on",
        find_height,
        "L ≥ c Z^2.7/(n⁵‖v‖)",
        LOWER,
        -1,
        families=FLOW,
    ),
]
