"""Claims about single states, whatever led there: Lemmas 17, 20 and 23 and Remark 26, at states made for them.

They depend on n and ‖v‖ alone, cost some milliseconds, and are drawn from a fixed seed.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench_ovp.claims import HOLDS, Case, Claim, Finding, compare

from .course import scale_plainly
from .formulas import grad, hessian, loss

Array = NDArray[np.float64]
STATES, BENT = 64, 16  # for Lemma 17, and for Lemma 23, whose matrices cost more
ROOM = 5  # dimensions: enough for any angles between the students of a pair and the others
EXACT = 1e-13  # relative error of a formula in double precision
LARGEST = 2.86  # radians: up to here 2θ − sin 2θ ≥ (2θ)³/30, which the proof of Lemma 20 needs


def find_students(case: Case, least: int = 2) -> tuple[int, float] | None:
    """n and ‖v‖ of a problem with at least so many students; None where the claims are not about it."""
    if case.problem.name not in ("teacher-neuron", "exact-neuron"):
        return None
    instance: Any = case.problem.instance
    n = 1 if case.problem.name == "exact-neuron" else instance.n
    return (n, instance.teacher_norm) if n >= least else None


def gather_cones(n: int, teacher: float) -> Array:
    """States (STATES, n, ROOM) whose zᵢ lie in a cone, so that κ_max < π/2.

    In every second one all students but two are nearly on the teacher and between those two: there Lemma 17 is sharp.
    """
    rng = np.random.default_rng(17)
    axis = np.zeros(ROOM - 1)
    axis[0] = 1.0
    z = axis + rng.uniform(0.05, 0.3, (STATES, 1, 1)) * rng.uniform(-1, 1, (STATES, n, ROOM - 1))
    z *= rng.uniform(0.5, 2.0, (STATES, n, 1))
    z[::2] /= np.linalg.norm(z[::2], axis=2, keepdims=True)
    share = rng.uniform(0.1, 0.9, (STATES // 2, n, 1))[:, 2:]
    z[::2, 2:] = 1e-9 * (share * z[::2, :1] + (1 - share) * z[::2, 1:2])
    h = rng.uniform(-1, 1, (STATES, n, 1))
    return np.asarray(teacher / n * np.concatenate([h, z], axis=2))


def check_separation(case: Case, factor: float) -> Finding | None:
    """(π − θᵢⱼ)/π (1 − cos²κᵢⱼ) over −d cos κᵢⱼ/dt for the widest pair, under the flow."""
    found = find_students(case)
    return None if found is None else compare_turns(*found, factor)


@cache
def compare_turns(n: int, teacher: float, factor: float) -> Finding:
    """What `check_separation` finds for n students and this ‖v‖."""
    w = gather_cones(n, teacher)
    z, speed = w[:, :, 1:], -grad(w, teacher)[:, :, 1:]
    lengths = np.linalg.norm(z, axis=2, keepdims=True)
    unit = z / lengths
    turn = (speed - (speed * unit).sum(axis=2, keepdims=True) * unit) / lengths
    cosines = unit @ unit.transpose(0, 2, 1)
    rates = turn @ unit.transpose(0, 2, 1)
    rates = rates + rates.transpose(0, 2, 1)
    # The smallest cosine belongs to the widest pair; a tie of a pair with itself is none, since its cosine is 1.
    widest = cosines.reshape(STATES, -1).argmin(axis=1)
    i, j = widest // n, widest % n
    runs = np.arange(STATES)
    units = w / np.linalg.norm(w, axis=2, keepdims=True)
    chords = units[runs, i] - units[runs, j], units[runs, i] + units[runs, j]
    theta = 2 * np.arctan2(*(np.linalg.norm(chord, axis=1) for chord in chords))
    cosine = cosines[runs, i, j]
    assert cosine.min() > 0, "the states are in a cone"
    ratio = (math.pi - theta) / math.pi * (1 - cosine**2) / -rates[runs, i, j]
    told = f"{STATES} states with κ_max {np.arccos(cosine.max()):.2f} to {np.arccos(cosine.min()):.2f}"
    return compare(float(factor * np.where(ratio > 0, ratio, np.inf).max()), 1.0 + 1e-9, STATES, told)


def gather_ranged(n: int, teacher: float) -> Array:
    """States (BENT, n, ROOM) with lengths in [‖v‖/4n, 4‖v‖/n], in all directions; the first is a minimum."""
    rng = np.random.default_rng(23)
    w = rng.standard_normal((BENT, n, ROOM))
    w *= np.exp(rng.uniform(-math.log(4), math.log(4), (BENT, n, 1))) / np.linalg.norm(w, axis=2, keepdims=True)
    w[0] = np.eye(1, ROOM)
    w[1::4, :, 0] = np.abs(w[1::4, :, 0])
    return np.asarray(w * teacher / n)


@cache  # of n and ‖v‖ alone: asked for by a claim and its twin, on every problem with them
def find_bend(n: int, teacher: float) -> tuple[float, ...]:
    """‖∇²L‖₂ at those states."""
    matrices = hessian(gather_ranged(n, teacher), teacher)
    return tuple(float(each) for each in np.abs(np.linalg.eigvalsh(matrices)).max(axis=1))


def check_smoothness(case: Case) -> Finding | None:
    """The largest ‖∇²L‖₂/n²."""
    found = find_students(case)
    if found is None or case.problem.parameters.get("w0") is not None:
        return None
    largest, n = max(find_bend(*found)), found[0]
    constant, told = largest / n**2, f"‖∇²L‖ up to {largest:.3g} at {BENT} states"
    return Finding(HOLDS, constant, runs=BENT, evidence=told, constants=(constant,), scales=scale_plainly(*found))


def check_flatness(case: Case) -> Finding | None:
    """Whether ‖∇²L‖₂ ≤ n/4; at every minimum it is n/2."""
    found = find_students(case)
    return None if found is None else compare(max(find_bend(*found)), found[0] / 4, BENT)


def check_angle(case: Case, widest: float, factor: float = 1.0) -> Finding | None:
    """`factor`·‖w‖²θ³ over 30πL for one student at angles up to `widest` and lengths ⅛ to 8 of the teacher's."""
    found = find_students(case, least=1)
    return None if found is None or found[0] != 1 else compare_angles(found[1], widest, factor)


@cache  # a suite may have thousands of problems with one student
def compare_angles(teacher: float, widest: float, factor: float) -> Finding:
    """What `check_angle` finds for this ‖v‖."""
    theta = np.linspace(0.0, widest, 201)[1:]
    lengths = np.exp2(np.linspace(-3, 3, 61))
    directions = np.stack([np.cos(theta), np.sin(theta)], axis=1)
    if widest == math.pi:
        directions[-1] = (-1.0, 0.0)
    w = teacher * (lengths[:, None, None] * directions).reshape(-1, 1, 2)
    ratio = factor * (teacher * lengths[:, None]) ** 2 * theta**3 / (30 * math.pi * loss(w, teacher).reshape(61, 200))
    length, angle = np.unravel_index(ratio.argmax(), ratio.shape)
    told = f"at θ = {theta[angle]:.3f}, ‖w‖ = {lengths[length]:.3g}‖v‖"
    return compare(float(ratio.max()), 1.0, ratio.size, told)


def check_opposite(case: Case, printed: bool, factor: float = 1.0) -> Finding | None:
    """The relative error of the gradient at wᵢ = −cv: −(nc/2)v, or −((1 + nc)/2)v as printed."""
    found = find_students(case)
    if found is None:
        return None
    n, teacher = found
    worst = 0.0
    for c in (0.25, 1.0, 3.0):
        w = np.zeros((1, n, 2))
        w[..., 0] = -c * teacher
        wanted = np.zeros_like(w)
        wanted[..., 0] = -factor * (1 + n * c if printed else n * c) / 2 * teacher
        worst = max(worst, float(np.abs(grad(w, teacher) - wanted).max() / np.abs(wanted).max()))
    return compare(worst, EXACT, 3, "c = ¼, 1 and 3")


CLAIMS = [
    Claim(
        "lemma-17",
        "Xu & Du (2023), Lemma 17",
        "d cos κᵢⱼ/dt ≤ −(π − θᵢⱼ)/π (1 − cos²κᵢⱼ) for the widest pair, where κ_max < π/2",
        lambda case: check_separation(case, 1.0),
        lambda case: check_separation(case, 1.01),
        "1.01 times that",
        about="problem",
    ),
    Claim(
        "lemma-20-printed",
        "Xu & Du (2023), Lemma 20, which has no assumption",
        "n = 1: ‖w‖²θ³ ≤ 30πL at every w",
        lambda case: check_angle(case, math.pi),
        lambda case: check_angle(case, math.pi, factor=2.0),
        "‖w‖²θ³ ≤ 15πL",
        about="problem",
    ),
    Claim(
        "lemma-20-mended",
        f"Xu & Du (2023), Lemma 20, for θ ≤ {LARGEST}",
        f"n = 1: ‖w‖²θ³ ≤ 30πL where θ ≤ {LARGEST}",
        lambda case: check_angle(case, LARGEST),
        lambda case: check_angle(case, math.pi),
        "the same for all θ",
        about="problem",
    ),
    Claim(
        "lemma-23",
        "Xu & Du (2023), Lemma 23",
        "‖∇²L‖ ≤ C n² while lengths are in [‖v‖/4n, 4‖v‖/n]",
        check_smoothness,
        check_flatness,
        "‖∇²L‖ ≤ n/4",
        about="problem",
        sense=1,
    ),
    Claim(
        "remark-26-printed",
        "Xu & Du (2023), Remark 26",
        "at wᵢ = −cv the gradient is −((1 + nc)/2)v",
        lambda case: check_opposite(case, printed=True),
        lambda case: check_opposite(case, printed=True, factor=2.0),
        "twice that",
        about="problem",
    ),
    Claim(
        "remark-26-mended",
        "Xu & Du (2023), Remark 26, derived anew",
        "at wᵢ = −cv the gradient is −(nc/2)v, so that one step with η = 2/n ends at zero",
        lambda case: check_opposite(case, printed=False),
        lambda case: check_opposite(case, printed=True),
        "−((1 + nc)/2)v, as printed",
        about="problem",
    ),
]
