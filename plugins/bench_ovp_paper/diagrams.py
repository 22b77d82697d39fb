"""The figures beside the claims: phases, balance, gradient bound, Z·t, L^(−1/3) against t, separation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from bench_ovp.claims import Case, Diagram, Line

from .course import DESCENT, EPSILON_1, EPSILON_2, FLOW, Array, Course, read_courses

Values = Callable[[Course], Array]


def draw_lines(panels: Mapping[str, Values], families: Sequence[str]) -> Callable[[Case], list[Line]]:
    """Lines of every run for each of `panels`, functions of a course."""

    def lines(case: Case) -> list[Line]:
        return [
            Line(name, course.run.seed, course.time, values(course))
            for course in read_courses(case, families)
            for name, values in panels.items()
        ]

    return lines


def mark_phases(case: Case) -> dict[str, float]:
    """The median T₁ and T₂ over the runs that reach them."""
    courses = read_courses(case, DESCENT)
    found = {}
    for name, places in (("T₁", [c.first for c in courses]), ("T₂", [c.second for c in courses])):
        times = [float(c.time[place]) for c, place in zip(courses, places, strict=True) if place is not None]
        if times:
            found[name] = float(np.median(times))
    return found


PHASES = Diagram(
    "claims-phases",
    "Three phases",
    f"The largest angle θ_max, and H/‖v‖, what is missing of the teacher; medians over the seeds. Short ticks below "
    f"are T₁, where all θᵢ ≤ 4ε₁ = {4 * EPSILON_1:g}, long ones T₂, where H ≤ 18ε₂‖v‖ = {18 * EPSILON_2:g}‖v‖. Phase 1 "
    "turns the students to the teacher while they are short, phase 2 lets them grow, phase 3 is the crawl. A start "
    "that is too large has T₂ before T₁: the theorems then do not apply.",
    {"angle": "θ_max", "missing": "H/‖v‖"},
    draw_lines(
        {"angle": lambda c: c.column("theta_max"), "missing": lambda c: c.column("H") / c.teacher},
        DESCENT,
    ),
    mark_phases,
)

BALANCE = Diagram(
    "claims-balance",
    "Do the students stay balanced?",
    "The ratio max hᵢ/hⱼ of the students' projections on the teacher, and the shortest student in units of ‖v‖/n; "
    "medians over the seeds. Theorem 5 says that the first stays at most 2 from T₁ to T₂ (short and long tick), "
    "Theorem 6 that the second stays above ¼ from T₂ on.",
    {"balance": "max hᵢ/hⱼ", "shortest": "n·min‖wᵢ‖/‖v‖"},
    draw_lines(
        {
            "balance": lambda c: c.column("balance"),
            "shortest": lambda c: c.n * c.column("norm_min") / c.teacher,
        },
        DESCENT,
    ),
    mark_phases,
)

GRADIENT = Diagram(
    "claims-gradient",
    "How small may the gradient be?",
    "‖∇L‖ over L^(2/3)/(n^(2/3)‖v‖^(1/3)), the bound of Theorem 7 without its constant; medians over the seeds. A "
    "level line means that the gradient falls like the power 2/3 of the loss, and no line may go on falling. The "
    "lowest point of all lines is the constant c.",
    {"gradient": "‖∇L‖ / bound"},
    draw_lines(
        {
            "gradient": lambda c: (
                c.column("grad_norm") * c.n ** (2 / 3) * c.teacher ** (1 / 3) / c.column("loss") ** (2 / 3)
            )
        },
        DESCENT,
    ),
    mark_phases,
)

POTENTIAL = Diagram(
    "claims-potential",
    "Does Z fall like 1/t?",
    "Z·t under the flow, where Z = Σ‖zᵢ − zⱼ‖ sums the distances of the students across the teacher; medians over the "
    "seeds. It rises while Z is at rest, and is level where Z follows the law 1/t of (67).",
    {"potential": "Z·t"},
    draw_lines({"potential": lambda c: c.column("Z") * c.time}, FLOW),
)

PACE = Diagram(
    "claims-pace",
    "Does L^(−1/3) grow in proportion to t?",
    "L^(−1/3) under the flow, divided by t; medians over the seeds. Theorem 14 bounds it by a line in t: what is drawn "
    "may fall or be level at last, and must not rise for ever.",
    {"pace": "L^(−1/3) / t"},
    draw_lines({"pace": lambda c: c.column("loss") ** (-1 / 3) / c.time}, FLOW),
)

SEPARATION = Diagram(
    "claims-separation",
    "Do the students separate?",
    "κ_max, the largest angle between two students seen across the teacher, under the flow, over a third of its value "
    "at the start; medians over the seeds. Lemma 30 says that no line goes below 1.",
    {"separation": "3κ_max / κ_max(0)"},
    draw_lines({"separation": lambda c: 3 * c.column("kappa_max") / c.kappa}, FLOW),
)
