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
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .exits import exit_slope, search
from .problems import EPSILON

if TYPE_CHECKING:
    from .problems import Array, Neuron

NEAR = 1e-5  # ‖v‖: a student is looked at below it
IMPULSE = 1e-12  # ‖v‖²: of ρ²/φ, which is what others miss of a student that arrives early
ARRIVED = 1e-9  # ‖v‖: it has arrived, whatever φ is
LEAVING = 1e-8  # ‖v‖: the length with which a student leaves
ROUNDED = 16.0 * EPSILON  # ‖∇L‖: what rounding in a flow may do to φ, which falls like t⁻³ while ‖∇L‖ falls like t⁻²


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
        """The least φ, and what rounding may have taken from it: positive while the students are held; x (m, d)."""
        return find_exit(self._rest, x)[0] + ROUNDED * float(np.linalg.norm(self._rest.grad(x[None])))

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


def find_exit(rest: Neuron, x: Array, ways: Array | None = None) -> tuple[float, Array]:
    """What `search` finds where `rest` is the problem of the students that are not zero, and x (m, d) its state."""
    w, r = rest.students(x[None])[0], rest.residual(x[None])[0]
    least, way = search(rest.teacher_norm, w, r, np.empty((0, len(r))) if ways is None else ways)
    return float(least), way
