"""Students at zero: when a gradient flow holds them there, and in which direction they would leave.

Let a student be ρu with a unit vector u, and R the residual of all others. The loss is L(0) + ρφ(u) + ρ²/4 with

    φ(u) = E[R(x) [u·x]₊] = ½ u·r + (1/2π) [Σⱼ ‖wⱼ‖ q(θ(u, wⱼ)) − ‖v‖ q(θ(u, v))],    q(θ) = sin θ − θ cos θ,

where r = Σⱼwⱼ − v is without the student. Where φ > 0 in all directions, its velocity −φ − ρ/2 points inward
everywhere: it arrives at zero in finite time, and stays. This is the solution in the sense of Filippov. What is
left is the same problem with fewer students. It ends when φ is no longer positive in some direction.

Source: docs/mathematics.md, "Students near zero"; Filippov (1988), §4.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from operator import itemgetter
from typing import TYPE_CHECKING

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .curvature import add_bend, directions, spread
from .vectors import COMPILED

if TYPE_CHECKING:
    from .problems import Array, Neuron

NEAR = 1e-5  # ‖v‖: a student is looked at below it
IMPULSE = 1e-12  # ‖v‖²: of ρ²/φ, which is what others miss of a student that arrives early
ARRIVED = 1e-9  # ‖v‖: it has arrived, whatever φ is
LEAVING = 1e-8  # ‖v‖: the length with which a student leaves
SERIES = 0.5  # rad, below which q is summed
MOST_STEPS = 60
ENOUGH = 1e-6  # of φ: it is found when no step would lower it by more
FLAT = 1e-3  # of the largest curvature of φ: a direction with less is taken to have this much
HALF_OVER_PI = 0.5 / np.pi


class Held:
    """What is left of a neuron problem while some students are zero.

    Args:
        whole: the problem of all students, in the coordinates of the run.
        rest: the problem of those that are left, in coordinates of the same kind.
        absent: which of all students are zero, shape (n,) of bool.
    """

    partial = ("balance",)

    def __init__(self, whole: Neuron, rest: Neuron, absent: NDArray[np.bool_]) -> None:
        self._whole, self._rest, self._absent = whole, rest, absent
        self.resolution = rest.resolution
        self.loss, self.grad, self.degenerate = rest.loss, rest.grad, rest.degenerate
        self.hessian, self.gauss_newton = rest.hessian, rest.gauss_newton

    @property
    def memory(self) -> Array:
        """1 for each student that is zero and 0 for the others, shape (n,)."""
        return self._absent.astype(np.float64)

    def observe(self, x: Array) -> dict[str, Array]:
        """As of all students; θᵢ of one that is zero is NaN."""
        from .observables import EACH, MOST, WHOLE

        seen = self._rest.observe(x)
        n, places = len(self._absent), np.flatnonzero(~self._absent)
        found = {name: seen[name] for name in WHOLE} | {"norm_min": np.zeros(len(x))}
        found["balance"] = np.full(len(x), np.nan)
        found["Z"] = found["Z"] + self._absent.sum() * np.linalg.norm(self._rest.students(x)[:, :, 1:], axis=2).sum(1)
        if n <= MOST:
            for name in EACH:
                for i in range(n):
                    found[f"{name}_{i + 1}"] = np.full(len(x), np.nan if name == "theta" else 0.0)
                for i, place in enumerate(places):
                    found[f"{name}_{place + 1}"] = seen[f"{name}_{i + 1}"]
        return found

    def hold(self, x: Array, memory: Array | None = None) -> tuple[Held, Array] | None:
        """As `Neuron.hold`, where further students vanish."""
        if memory is not None:
            return recall(self._whole, x, memory)
        found = hold(self._rest, x)
        if found is None:
            return None
        further, y = found
        absent = self._absent.copy()
        absent[~self._absent] = further._absent
        return Held(self._whole, further._rest, absent), y

    def margin(self, x: Array) -> float:
        """The least φ, positive as long as the students are held; x (m, d)."""
        return find_exit(self._rest, x)[0]

    def release(self, x: Array) -> tuple[Neuron, Array]:
        """The problem of all students, and its state with those that were zero on their way out; x (m, d)."""
        w = np.empty((len(self._absent), x.shape[1]))
        w[~self._absent] = self._rest.students(x[None])[0]
        w[self._absent] = LEAVING * self._whole.teacher_norm * find_exit(self._rest, x)[1]
        whole, found = self._whole.settle(w[None])
        return whole, found[0]


def hold(problem: Neuron, x: Array) -> tuple[Held, Array] | None:
    """What is left of a problem at x (n, d), and x there, if students have come to zero and are held; else None."""
    w, teacher = problem.students(x[None])[0], problem.teacher_norm
    norms = np.linalg.norm(w, axis=1)
    absent = norms < NEAR * teacher
    if not absent.any() or absent.all():
        return None
    rest, y = problem.settle(w[None, ~absent])
    left, r = rest.students(y)[0], rest.residual(y)[0]
    ways = np.concatenate([w[absent & (norms > 0.0)], [-r]])
    ways /= np.linalg.norm(ways, axis=1, keepdims=True)
    longest = float(norms[absent].max())

    def holds(margin: float) -> bool:
        return margin > 0.0 and longest <= max(ARRIVED * teacher, math.sqrt(IMPULSE * teacher * margin))

    most = min(exit_slope(teacher, left, r, way)[0] for way in ways)  # the least φ is no larger
    if not holds(most) or not holds(search(teacher, left, r, ways)[0]):
        return None
    return Held(problem, rest, absent), y[0]


def recall(whole: Neuron, x: Array, memory: Array) -> tuple[Held, Array]:
    """The problem that had this memory; x (m, d) is in its coordinates."""
    rest, _ = whole.settle(np.zeros((1, *x.shape)))
    return Held(whole, rest, memory > 0.0), x


def find_exit(rest: Neuron, x: Array, ways: Iterable[Array] = ()) -> tuple[float, Array]:
    """What `search` finds where `rest` is the problem of the students that are not zero, and x (m, d) its state."""
    return search(rest.teacher_norm, rest.students(x[None])[0], rest.residual(x[None])[0], ways)


def search(teacher: float, w: Array, r: Array, ways: Iterable[Array] = ()) -> tuple[float, Array]:
    """The least φ, and the unit vector (d,) where it is.

    It is looked for from the teacher's direction. There it is when students are close to the teacher: Kw(u) = 2π
    E[[w·x]₊[u·x]₊] is convex in w, so that 2πφ(u) ≥ K(v + r) − K(v) = O(‖r‖), and exceeds it by the second order of
    the angles wherever u is at a larger angle than they are.

    Args:
        teacher, w, r: as in `exit_slope`.
        ways: unit vectors from which it is looked for as well.
    """
    begins = np.eye(1, len(r))[0], *ways
    return min((descend(teacher, w, r, way) for way in begins), key=itemgetter(0))


def descend(teacher: float, w: Array, r: Array, u: Array) -> tuple[float, Array]:
    """A minimum of φ on the sphere, from u (d,), by Newton's method where φ is convex; φ and its place."""
    value, slope, bend = exit_slope(teacher, w, r, u)
    for _ in range(MOST_STEPS):
        curves, axes = np.linalg.eigh(bend)
        curves = np.maximum(np.abs(curves), FLAT * np.abs(curves).max())
        along = axes.T @ slope
        step, gain = -axes @ (along / curves), float(along @ (along / curves))
        if not gain > ENOUGH * abs(value):
            break
        for _ in range(MOST_STEPS):
            moved = u + step
            moved /= np.linalg.norm(moved)
            found = exit_slope(teacher, w, r, moved)
            if found[0] < value:
                break
            step *= 0.5
        else:
            break
        u, (value, slope, bend) = moved, found
    return value, u


@njit(**COMPILED)
def arc_moment(theta):
    """q(θ) = sin θ − θ cos θ, to relative precision."""
    if theta > SERIES:
        return math.sin(theta) - theta * math.cos(theta)
    x = theta * theta
    return theta * x * (1 / 3 - x * (1 / 30 - x * (1 / 840 - x * (1 / 45360 - x / 3991680))))


@njit(**COMPILED)
def exit_slope(teacher, w, r, u):
    """φ at u, and its gradient (d,) and Hessian (d, d) along the sphere; they hold small angles precisely.

    Args:
        w: the students that are not zero, (m, d).
        r: their sum less v, (d,).
        u: a unit vector, (d,).
    """
    m, d = w.shape
    unit, norm, verse = directions(w)
    zz = 0.0
    for k in range(1, d):
        zz += u[k] * u[k]
    own = zz / (1.0 + u[0]) if u[0] > 0.0 else 1.0 - u[0]
    delta, sigma, v = np.empty(d), np.empty(d), np.zeros(d)
    v[0] = 1.0
    value, slope, bend = 0.0, np.empty(d), np.zeros((d, d))
    for k in range(d):
        value += 0.5 * u[k] * r[k]
        slope[k] = 0.5 * r[k]
    for j in range(m + 1):
        if j < m:
            weight = HALF_OVER_PI * norm[j]
            chord, across, theta = spread(u, unit[j], own, verse[j], delta, sigma)
        else:
            weight = -HALF_OVER_PI * teacher
            chord, across, theta = spread(u, v, own, 0.0, delta, sigma)
        value += weight * arc_moment(theta)
        for k in range(d):
            slope[k] += weight * theta * delta[k]
        add_bend(bend, 0, u, chord, across, delta, sigma, weight)
    along = 0.0
    for k in range(d):
        along += slope[k] * u[k]
    for k in range(d):
        slope[k] -= along * u[k]
        for q in range(d):
            bend[k, q] -= value * ((1.0 if k == q else 0.0) - u[k] * u[q])
    return value, slope, bend
