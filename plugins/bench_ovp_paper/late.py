"""Phase 3, state by state: Theorem 7 and Lemmas 20, 21, 22, 24."""

from __future__ import annotations

import math

import numpy as np

from .course import Array, Course, in_range
from .diagrams import GRADIENT
from .kinds import Part, claim_bound, claim_constant


def find_gradient(course: Course, sharp: bool) -> tuple[Array, Array]:
    """‖∇L‖n^(2/3)‖v‖^(1/3)/L^(2/3); the twin's is ‖∇L‖/L^(1/2), the inequality of Polyak and Łojasiewicz."""
    late = course.since(course.second)
    loss, slope = course.column("loss")[late], course.column("grad_norm")[late]
    scale = course.n ** (2 / 3) * course.teacher ** (1 / 3)
    return course.time[late], slope / np.sqrt(loss) if sharp else slope * scale / loss ** (2 / 3)


def list_angles(course: Course, sharp: bool) -> list[Part]:
    """‖wᵢ‖²θᵢ³ over 30πL, on the whole run; the twin has θᵢ²."""
    lengths = np.hypot(course.students("h"), course.students("z"))
    power = 2.0 if sharp else 3.0
    largest = (lengths**2 * course.students("theta") ** power).max(axis=1)
    return [Part("‖wᵢ‖²θᵢ³", course.time, largest / (30 * math.pi * course.column("loss")))]


def find_residual(course: Course, sharp: bool) -> tuple[Array, Array]:
    """‖r‖/(n L^½); the twin has L."""
    late = course.since(course.second)
    power = 1.0 if sharp else 0.5
    return course.time[late], course.column("residual_norm")[late] / (course.n * course.column("loss")[late] ** power)


def find_distance(course: Course, sharp: bool) -> tuple[Array, Array]:
    """max ‖wᵢ − wᵢ*‖/(‖wᵢ‖ n^(2/3) (L/‖v‖²)^(1/3)) with wᵢ* = hᵢv/Σhⱼ; the twin has the power 0.4 of L.

    wᵢ − wᵢ* is zᵢ across the teacher, and hᵢ(1 − ‖v‖/Σhⱼ) = −hᵢH/(‖v‖ − H) along it.
    """
    late = course.since(course.second)
    h, z = course.students("h")[late], course.students("z")[late]
    H = course.column("H")[late]
    along = h * (H / (course.teacher - H))[:, None]
    relative = (np.hypot(z, along) / np.hypot(h, z)).max(axis=1)
    power = 0.4 if sharp else 1 / 3
    return course.time[late], relative / (
        course.n ** (2 / 3) * (course.column("loss")[late] / course.teacher**2) ** power
    )


def measure_path(time: Array, speed: Array) -> tuple[Array, Array]:
    """∫‖∇L‖dt from each record to the last, and its error.

    Between records the gradient is taken for a power of t, which it is where L follows its law. With s = log t and
    f = t‖∇L‖, where it is none the error of an interval is h³/12·f·(log f)″, read from second differences and doubled.

    Args:
        time, speed: of the records, (records,), at least three.
    Returns:
        The length and its error, each (records,).
    """
    width = np.diff(np.log(time))
    start, end = (speed * time)[:-1], (speed * time)[1:]
    chord = 0.5 * width * (start + end)  # ∫ f ds over s = log t, f = t‖∇L‖
    with np.errstate(all="ignore"):
        step = np.log(end / start)
        curved = np.where(np.abs(step) > 1e-6, width * (end - start) / step, chord)
        bend = np.abs(np.diff(step / width)) / (0.5 * (width[1:] + width[:-1]))
    bend = np.concatenate([bend[:1], np.maximum(bend[1:], bend[:-1]), bend[-1:]])
    error = width**3 / 6 * np.maximum(start, end) * np.nan_to_num(bend, posinf=0.0)
    left = [np.concatenate([np.cumsum(part[::-1])[::-1], [0.0]]) for part in (curved, error)]
    return left[0], left[1]


def list_path(course: Course, sharp: bool) -> list[Part]:
    """The way that is left from each record after T₂, over 8 C_s^(−½) L^(1/3); the twin has 1 for 8.

    C_s is the largest constant with ½‖∇L‖² ≥ C_s L^(4/3) from T₂ on. The lemma may start anywhere in phase 3.
    """
    late = course.since(course.second)
    time, loss, speed = course.time[late], course.column("loss")[late], course.column("grad_norm")[late]
    if len(time) < 3:
        return []
    length, error = measure_path(time, speed)
    constant = (0.5 * speed**2 / loss ** (4 / 3)).min()
    bound = (1.0 if sharp else 8.0) * constant**-0.5 * np.cbrt(loss)
    return [Part("the way that is left", time, (length + error) / bound)]


CLAIMS = [
    claim_constant(
        "theorem-7",
        "Xu & Du (2023), Theorem 7",
        "‖∇L‖ ≥ c L^(2/3)/(n^(2/3)‖v‖^(1/3)) while lengths are in [‖v‖/4n, 4‖v‖/n]",
        find_gradient,
        "‖∇L‖ ≥ c L^(1/2)",
        (in_range,),
        -1,
        diagram=GRADIENT,
    ),
    claim_bound(
        "lemma-20",
        "Xu & Du (2023), Lemma 20",
        "‖wᵢ‖²θᵢ³ ≤ 30πL for all i",
        list_angles,
        "‖wᵢ‖²θᵢ² ≤ 30πL",
        (),
    ),
    claim_constant(
        "lemma-21", "Xu & Du (2023), Lemma 21", "‖r‖ ≤ C n L^(1/2)", find_residual, "‖r‖ ≤ C n L", (in_range,), 1
    ),
    claim_constant(
        "lemma-22",
        "Xu & Du (2023), Lemma 22",
        "‖wᵢ − wᵢ*‖ ≤ C n^(2/3)(L/‖v‖²)^(1/3)‖wᵢ‖",
        find_distance,
        "the same with the power 0.4 of L/‖v‖²",
        (in_range,),
        1,
    ),
    claim_bound(
        "lemma-24",
        "Xu & Du (2023), Lemma 24",
        "the way that is left, ∫‖∇L‖dt, is at most 8 C_s^(−1/2) L^(1/3), where ½‖∇L‖² ≥ C_s L^(4/3)",
        list_path,
        "at most C_s^(−1/2) L^(1/3)",
        (in_range,),
    ),
]
