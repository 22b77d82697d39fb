"""Points where the neuron problems' formulas are hard in float64, the same ones each time.

The teacher is teacher_norm·e₁. Each recipe is a generator of (kind, students, teacher_norm).
"""

from itertools import product
from typing import NamedTuple

import numpy as np

ANGLES = [3.0, 2.0, 1.0, 0.5, 0.3, 0.29, *(10.0**-k for k in range(1, 13))]
GAPS = [10.0**-k for k in range(1, 13)]
NORMS = [1.0, 0.3, 4.0, 100.0]


class Point(NamedTuple):
    """Students w (n, d) of a problem, named by what makes them hard."""

    problem: str
    kind: str
    w: np.ndarray
    teacher_norm: float


def points(problem):
    """At least 200 points of a problem, seeded."""
    rng = np.random.default_rng(20230806)
    return [Point(problem, *recipe) for recipe in RECIPES[problem](rng)]


def _direction(rng, d):
    x = rng.standard_normal(d)
    return x / np.linalg.norm(x)


def _across(rng, along):
    """A unit vector orthogonal to the unit vector `along`, up to rounding."""
    x = rng.standard_normal(len(along))
    return (x := x - (x @ along) * along) / np.linalg.norm(x)


def _shares(rng, n):
    """Positive, with sum 1 up to rounding and none far below 1/n."""
    x = rng.uniform(0.5, 2.0, n)
    return x / x.sum()


def _teacher_neuron(rng):
    for k, (angle, n) in enumerate(product(ANGLES, [1, 2, 3, 5])):
        d, norm = 2 + k % 4, NORMS[k % 4]
        across = np.array([np.r_[0.0, _direction(rng, d - 1)] for _ in range(n)])
        length = rng.uniform(0.1, 2.0, (n, 1))
        w = length * (np.cos(angle) * np.eye(1, d) + np.sin(angle) * across)
        yield f"each at {angle:.3g} to the teacher", w, norm
    for k, angle in enumerate(ANGLES):
        d = 2 + k % 4
        first = _direction(rng, d)
        second = np.cos(angle) * first + np.sin(angle) * _across(rng, first)
        w = np.vstack([first, 0.7 * second, rng.standard_normal((k % 3, d))])
        yield f"a pair at {angle:.3g}", w, NORMS[k % 4]
    for k, gap in enumerate(GAPS):
        n, d = [2, 3, 6][k % 3], 3 + k % 2
        w = 0.3 * _direction(rng, d) * np.ones((n, 1)) + gap * rng.standard_normal((n, d))
        yield f"equal up to {gap:.0e}", w, NORMS[k % 4]
        w = rng.standard_normal((1, d))
        yield f"opposite up to {gap:.0e}", np.vstack([w, gap * rng.standard_normal((1, d)) - 2 * w]), 1.0
        w = -0.4 * np.eye(1, d) + gap * rng.standard_normal((n, d))
        yield f"opposite to the teacher up to {gap:.0e}", w, NORMS[k % 4]
    for n in [2, 3, 5]:
        w = rng.standard_normal((1, 4))
        yield "equal", np.repeat(w, n, axis=0), 1.0
        yield "parallel", w * 2.0 ** np.arange(n)[:, None], 1.0
        yield "opposite", w * (-1.0) ** np.arange(n)[:, None], 1.0
        yield "opposite to the teacher", -rng.uniform(0.1, 1.0, (n, 1)) * np.eye(1, 4), 1.0
        yield "equal and opposite to the teacher", -0.25 * np.ones((n, 1)) * np.eye(1, 4), 1.0
        yield "on the teacher", rng.uniform(0.1, 1.0, (n, 1)) * np.eye(1, 4), 1.0
        yield "orthogonal to the teacher", np.c_[np.zeros(n), rng.standard_normal((n, 3))], 1.0
    for k, n in enumerate([1, 2, 3, 5, 8, 10]):
        w = rng.standard_normal((n, 4))
        w[k % n] *= 1e-8
        yield "one near zero", w, NORMS[k % 4]
        yield "all near zero", 1e-8 * rng.standard_normal((n, 4)), NORMS[k % 4]
    for k, (size, n) in enumerate(product([1.0, *GAPS], [1, 2, 3, 5])):
        d, norm = 2 + k % 3, NORMS[k % 4]
        z = size * rng.standard_normal((n, d - 1))
        if k % 2 and n > 1:  # late in a run Σ zᵢ is far below each zᵢ
            z -= z.mean(axis=0)
        yield f"near the minimum, z at {size:.0e}", np.c_[norm * _shares(rng, n), norm * z], norm
    for n, size in product([10, 20], [1e-1, 1e-4, 1e-8, 1e-12]):
        yield (
            f"near the minimum, z at {size:.0e}",
            np.c_[_shares(rng, n), size * rng.standard_normal((n, 2))],
            1.0,
        )
    for k, n in enumerate([1, 2, 4, 7, 10, 20]):
        yield "a start", 0.1 * rng.standard_normal((n, 5)), 1.0
        yield "a start", 0.1 * rng.standard_normal((n, 20 if n < 10 else 3)), NORMS[k % 4]


def _exact_neuron(rng):
    for k, (angle, norm) in enumerate(product([*ANGLES, 0.0, np.pi], NORMS)):
        d = [2, 3, 5, 20][k % 4]
        across = np.r_[0.0, _direction(rng, d - 1)]
        w = rng.uniform(0.1, 2.0) * (np.cos(angle) * np.eye(1, d) + np.sin(angle) * across)
        yield f"at {angle:.3g} to the teacher", w, norm
    for k, (gap, norm) in enumerate(product([1.0, *GAPS], NORMS)):
        d = [2, 3, 5, 20][k % 4]
        yield f"{gap:.0e} from the minimum", norm * (np.eye(1, d) + gap * rng.standard_normal((1, d))), norm
        yield f"{gap:.0e} from −2v", norm * (gap * rng.standard_normal((1, d)) - 2 * np.eye(1, d)), norm
        yield f"{gap:.0e} from zero", gap * rng.standard_normal((1, d)), norm


def _toy_case_1(rng):
    for size, excess in product([3.0, 1.0, *GAPS], [1.0, -0.3, 1e-1, 1e-3, -1e-6, 1e-9, -1e-12, 1e-15, 0.0]):
        lambda1, lambda2 = 0.5 + excess, size * rng.uniform(0.5, 1.0)
        w = np.array([[lambda1, lambda2], [lambda1, -lambda2]])
        yield f"lambda1 = 0.5 + {excess:.0e}, lambda2 at {size:.0e}", w, 1.0
    for lambda1, size in product([1e-12, 1e-8, 1e-4, 1e-2, -0.2, -1.0], [1.0, *GAPS]):
        lambda2 = size * rng.uniform(0.5, 1.0)
        w = np.array([[lambda1, lambda2], [lambda1, -lambda2]])
        yield f"lambda1 = {lambda1:.0e}, lambda2 at {size:.0e}", w, 1.0


def _toy_case_2(rng):
    for n, excess, d in product([2, 3, 5, 10, 20], [3.0, -0.5, 1e-1, -1e-3, 1e-6, -1e-9, 1e-12, 1e-15, 0.0], [2, 5]):
        yield f"sum {excess:.0e} from 1", (1 + excess) * _shares(rng, n)[:, None] * np.eye(1, d), 1.0
    for n, size, d in product([2, 3, 5, 10, 20], [1e-8, 1e-4, 1e-1, 1e2], [2, 5]):
        yield f"one at {size:.0e}", np.r_[size, _shares(rng, n - 1)][:, None] * np.eye(1, d), 1.0
    for n, d in product([2, 4, 5, 8, 20], [2, 5]):
        yield "all 1/n", np.full((n, 1), 1 / n) * np.eye(1, d), 1.0
        yield "dyadic, with sum 1", 2.0 ** -np.r_[1.0:n, n - 1][:, None] * np.eye(1, d), 1.0
    for n, c, d in product([2, 3, 5, 10, 20], [0.1, 1.0, 10.0], [2, 5]):
        yield "a start", c * rng.uniform(0.0, 1.0, (n, 1)) * np.eye(1, d), 1.0
        yield "two opposite ones", c * np.r_[-1.0, _shares(rng, n - 1)][:, None] * np.eye(1, d), 1.0


def _toy_case_3(rng):
    def copies(w, n):
        return np.repeat(np.atleast_2d(w), n, axis=0)

    for k, (angle, n) in enumerate(product([*ANGLES, 0.0, np.pi], [2, 3, 5, 20])):
        d = [2, 3, 5][k % 3]
        across = np.r_[0.0, _direction(rng, d - 1)]
        w = rng.uniform(0.1, 2.0) * (np.cos(angle) * np.eye(1, d) + np.sin(angle) * across)
        yield f"at {angle:.3g} to the teacher", copies(w, n), 1.0
    for k, (gap, n) in enumerate(product([1.0, *GAPS], [2, 3, 5, 10])):
        d = [2, 3, 5][k % 3]
        yield (
            f"{gap:.0e} from the minimum",
            copies((np.eye(1, d) + gap * rng.standard_normal((1, d))) / n, n),
            1.0,
        )
        yield f"{gap:.0e} from −v", copies(gap * rng.standard_normal((1, d)) - np.eye(1, d), n), 1.0
        yield f"{gap:.0e} from zero", copies(gap * rng.standard_normal((1, d)), n), 1.0


RECIPES = {
    "teacher-neuron": _teacher_neuron,
    "exact-neuron": _exact_neuron,
    "toy-case-1": _toy_case_1,
    "toy-case-2": _toy_case_2,
    "toy-case-3": _toy_case_3,
}
