"""The slow dynamics of two and more students, late, when r is slaved and only shapes are left to change.

Near a minimum students are wᵢ = hᵢv̄ + zᵢ with small zᵢ and Σzᵢ = 0. To leading order the loss is homogeneous,

    ℓ(h, z) = (1/6π) [ Σ_{i<j} hᵢhⱼ ‖zᵢ/hᵢ − zⱼ/hⱼ‖³ − Σₖhₖ Σᵢ hᵢ ‖zᵢ/hᵢ‖³ ],

and the flow is that of −∇ℓ within Σzᵢ = 0, while the hᵢ stand still. With z = y/t and s = log t this is autonomous,

    dy/ds = y − P∇ℓ(y) = −∇E(y),   E = ℓ − ½‖y‖²,   L·t³ → ℓ(y),

so that shapes y go downhill in E and rest where P∇ℓ(y) = y; there ℓ(y) = ‖y‖²/3 is the limit of L·t³. The next order
has r = −2ḡ with ḡ the mean of ∇ᵢℓ: it turns ℓ into ℓ − ‖ḡ‖², and moves the hᵢ by O(t⁻²).

Shapes z, y are (n, c): c coordinates across the teacher. See docs/slow-dynamics.md.

Source: equation (4) of Xu & Du (2023), expanded on the manifold of minima.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

SIXTH = 1.0 / (6.0 * np.pi)
RTOL = 1e-11  # of the integration in log t, far below what the expansion leaves out
ROUNDS = 200  # of Newton's method, at most
SETTLED = 1e-12  # ‖dy/ds‖ at a shape that rests, relative to ‖y‖
DESCENT, STRIDE = 300, 0.2  # downhill steps, and how long in log t
LEVEL = 1e-5  # eigenvalues that are 0, and constants that are equal: Newton knows an undecided shape to √SETTLED


class Shape(NamedTuple):
    """A shape that rests in log t.

    Args:
        y: the zᵢ·t, shape (n, c).
        constant: the limit of L·t³ there.
        spectrum: the rates of small changes of y in log t, ascending: t^rate; −1 is a shift of time, 0 a rotation.
    """

    y: Array
    constant: float
    spectrum: Array

    @property
    def dimension(self) -> int:
        """Of the space that the zᵢ span."""
        return int(np.linalg.matrix_rank(self.y, LEVEL * float(np.abs(self.y).max())))

    @property
    def growing(self) -> int:
        """How many small changes grow: 0 if the shape is stable, or if that is not decided to first order."""
        return int(np.sum(self.spectrum > LEVEL))

    @property
    def undecided(self) -> int:
        """How many small changes neither grow nor shrink to first order, rotations apart."""
        rank, c = self.dimension, self.y.shape[1]
        rotations: int = rank * (rank - 1) // 2 + rank * (c - rank)
        return int(np.sum(np.abs(self.spectrum) <= LEVEL)) - rotations


def late_loss(h: Array, z: Array) -> float:
    """ℓ(h, z), the loss to leading order.

    Args:
        h: projections on the teacher, positive, shape (n,).
        z: students across the teacher, Σzᵢ = 0, shape (n, c).
    """
    chords, arms = _angles(h, z)
    pairs = 0.5 * float(h @ np.linalg.norm(chords, axis=2) ** 3 @ h)
    return SIXTH * (pairs - float(h.sum() * (h @ np.linalg.norm(arms, axis=1) ** 3)))


def late_grad(h: Array, z: Array) -> tuple[Array, Array]:
    """The gradients of ℓ by z (n, c) and by h (n,), ‖v‖ = Σhₖ being held."""
    chords, arms = _angles(h, z)
    long, lengths = np.linalg.norm(chords, axis=2), np.linalg.norm(arms, axis=1)
    by_z = 3.0 * SIXTH * (np.einsum("j,ij,ijk->ik", h, long, chords) - h.sum() * lengths[:, None] * arms)
    by_h = SIXTH * (long**3 @ h - h.sum() * lengths**3) - np.sum(by_z * arms, axis=1)
    return by_z, by_h


def late_hessian(h: Array, z: Array) -> Array:
    """∇²ℓ by z, shape (n, c, n, c); |a|³ has the Hessian 3(|a|I + aaᵀ/|a|)."""
    chords, arms = _angles(h, z)
    n, c = z.shape
    found = np.zeros((n, c, n, c))
    pairs, own = 3.0 * SIXTH * _bend(chords), 3.0 * SIXTH * _bend(arms)
    for i in range(n):
        found[i, :, i, :] = (np.einsum("j,jkl->kl", h, pairs[i]) - h.sum() * own[i]) / h[i]
        for j in range(n):
            found[i, :, j, :] -= pairs[i, j]
    return found


def shape_velocity(h: Array, y: Array) -> Array:
    """dy/ds = y − P∇ℓ(y) of the shape y = z·t in s = log t, shape (n, c)."""
    return _centred(y - late_grad(h, y)[0])


def shape_energy(h: Array, y: Array) -> float:
    """E = ℓ(y) − ½‖y‖², which falls along dy/ds and is −½ℓ where a shape rests."""
    return late_loss(h, y) - 0.5 * float(np.sum(y * y))


def spectrum(h: Array, y: Array) -> Array:
    """Rates of small changes of the shape y within Σyᵢ = 0, ascending, shape ((n − 1)·c,).

    The eigenvalues of 1 − P∇²ℓ(y)P. Where a shape rests, −1 is among them: ∇²ℓ y = 2∇ℓ = 2y.
    """
    n, c = y.shape
    inner = _differences(n)  # (n − 1, n), orthonormal rows across (1, …, 1)
    curved = np.einsum("ai,ikjl,bj->akbl", inner, late_hessian(h, y), inner).reshape((n - 1) * c, -1)
    return np.sort(1.0 - np.linalg.eigvalsh(0.5 * (curved + curved.T)))


def evolve(h: Array, z: Array, t0: float, times: Sequence[float], order: int = 1) -> list[tuple[Array, Array]]:
    """(h, z) at later times.

    Args:
        h, z: at time t0; of z the mean is left out.
        t0: a time when the angles are small.
        times: ascending, none before t0.
        order: 0 for the autonomous dynamics, 1 for the next order in 1/t as well.

    Errors:
        ValueError: an hᵢ is not positive, or a time before t0.
    """
    from scipy.integrate import solve_ivp

    if np.min(h) <= 0.0:
        raise ValueError("students behind the teacher are not late: every h must be positive")
    if min(times) < t0:
        raise ValueError(f"the time {min(times):g} is before {t0:g}")
    n, c = z.shape

    def velocity(s: float, state: Array) -> Array:
        y, here = state[: n * c].reshape(n, c), state[n * c :]
        by_z, by_h = late_grad(here, y)
        move, drift = _centred(y - by_z), np.zeros(n)  # a mean of rounding would grow like t
        if order:
            t = np.exp(s)
            mean = np.broadcast_to(by_z.mean(axis=0), (n, c))
            move = move + 2.0 / n * _centred(_turn(here, y, mean)) / t  # up ‖ḡ‖², whose gradient this is
            drift = (by_h.mean() - by_h) / t**2
        return np.concatenate([move.ravel(), drift])

    start = np.concatenate([(t0 * _centred(z)).ravel(), h])
    marks, last = np.log(np.asarray(times, dtype=np.float64)), float(np.log(max(times)))
    atol = RTOL * float(np.abs(start).max())
    if last == np.log(t0):
        states = np.repeat(start[:, None], len(marks), axis=1)
    else:
        found = solve_ivp(
            velocity, (float(np.log(t0)), last), start, "DOP853", np.minimum(marks, last), rtol=RTOL, atol=atol
        )
        states = found.y
    return [
        (state[n * c :], state[: n * c].reshape(n, c) / t) for state, t in zip(states.T, np.exp(marks), strict=True)
    ]


def predict(h: Array, z: Array, t0: float, times: Sequence[float], order: int = 1) -> Array:
    """L·t³ at later times, from students at t0; the arguments are those of `evolve`."""
    found = []
    for t, (at, across) in zip(times, evolve(h, z, t0, times, order), strict=True):
        loss = late_loss(at, across)
        if order:
            loss -= float(np.sum(late_grad(at, across)[0].mean(axis=0) ** 2))
        found.append(loss * t**3)
    return np.array(found)


def predict_from_lengths(h: Array, lengths: Array, t0: float, times: Sequence[float]) -> Array:
    """`predict` from what a trace records, for two or three students: Σzᵢ = 0 makes the zᵢ of the ‖zᵢ‖.

    Args:
        h, lengths: the columns h_1 … and z_1 … at time t0, shape (n,).
        t0, times: as in `evolve`.

    Errors:
        ValueError: more than three students, whose lengths leave their directions open.
    """
    if len(h) == 2:
        return predict(h, np.mean(lengths) * np.array([[1.0], [-1.0]]), t0, times)
    if len(h) == 3:
        return predict(h, triangle(lengths), t0, times)
    raise ValueError(f"the lengths of {len(h)} students do not tell their directions; predict takes their z")


def settle(h: Array, y: Array) -> Shape:
    """The shape that rests near y, by Newton's method; of shapes that differ by a rotation, the one at hand.

    Errors:
        ValueError: the method does not settle from there.
    """
    n, c = y.shape
    inner = _differences(n)
    at = np.array(_centred(y))
    for _ in range(ROUNDS):
        velocity = shape_velocity(h, at)
        if np.linalg.norm(velocity) <= SETTLED * np.linalg.norm(at):
            return Shape(at, late_loss(h, at), spectrum(h, at))
        curved = np.einsum("ai,ikjl,bj->akbl", inner, late_hessian(h, at), inner).reshape((n - 1) * c, -1)
        slope = curved - np.eye((n - 1) * c)
        move = np.linalg.lstsq(slope, (inner @ velocity).ravel(), rcond=LEVEL)[0].reshape(n - 1, c)
        length = np.linalg.norm(move) / np.linalg.norm(at)
        at = at + inner.T @ move * min(1.0, 0.3 / float(length))
    raise ValueError("no shape comes to rest near this one")


def find_shapes(h: Array, c: int, starts: int = 100, seed: int = 0) -> list[Shape]:
    """Shapes that rest, of different constants, the largest first; c ≥ n − 1 coordinates have room for all.

    Newton's method from random starts, every other one of which has gone downhill before. There may be more shapes.
    """
    rng = np.random.default_rng(seed)
    found: list[Shape] = []
    for start in range(starts):
        flat = int(rng.integers(1, c + 1))
        off = rng.permutation(len(h))[: rng.integers(2, len(h) + 1)]  # others begin on the teacher
        y = np.zeros((len(h), c))
        y[off, :flat] = _centred(h[off, None] * rng.standard_normal((len(off), flat)))
        y = _scaled(h, y)
        for _ in range(DESCENT * (start % 2)):
            y = _scaled(h, y + STRIDE * shape_velocity(h, y))
        try:
            shape = settle(h, y)
        except ValueError:
            continue
        if all(abs(shape.constant - other.constant) > LEVEL * other.constant for other in found):
            found.append(shape)
    return sorted(found, key=lambda shape: -shape.constant)


def simplex_constant(n: int, teacher_norm: float = 1.0) -> float:
    """L·t³ at the regular simplex of n equal students: (4π²/3)‖v‖²/(n³(a − 1)²), a = √(2n/(n − 1))."""
    return 4.0 * np.pi**2 / 3.0 * teacher_norm**2 / (n**3 * (_stretch(n) - 1.0) ** 2)


def simplex_rates(n: int) -> tuple[float, float]:
    """Rates at the regular simplex of n equal students, beside −1 and 0; it is stable for n ≤ 5 and not beyond.

    ((n − 2)/(n − 1) − a/2)/(a − 1), n − 1 times, where one student moves against the others, and −a/(n(a − 1)),
    n(n − 3)/2 times, where none leaves its ray; a = √(2n/(n − 1)). The first is negative while n² − 7n + 8 < 0.
    """
    a = _stretch(n)
    return ((n - 2.0) / (n - 1.0) - 0.5 * a) / (a - 1.0), -a / (n * (a - 1.0))


def triangle(lengths: Array) -> Array:
    """The zᵢ of three students from their lengths, as Σzᵢ = 0 leaves no choice but to turn them, shape (3, 2)."""
    a, b, c = (float(length) for length in lengths)
    along = (c * c - a * a - b * b) / (2.0 * a)
    across = np.sqrt(max(0.0, b * b - along * along))
    return np.array([[a, 0.0], [along, across], [-a - along, -across]])


def pair_constant(h1: float, h2: float) -> float:
    """L·t³ of two students: (8π²/3)(h₁h₂)²/‖v‖², ‖v‖ = h₁ + h₂."""
    return 8.0 * np.pi**2 / 3.0 * (h1 * h2 / (h1 + h2)) ** 2


def _angles(h: Array, z: Array) -> tuple[Array, Array]:
    """zᵢ/hᵢ − zⱼ/hⱼ, shape (n, n, c), and zᵢ/hᵢ, shape (n, c)."""
    arms = z / h[:, None]
    return arms[:, None] - arms, arms


def _bend(a: Array) -> Array:
    """|a|I + aaᵀ/|a| of vectors a (…, c), 0 at 0."""
    size = np.linalg.norm(a, axis=-1)[..., None, None]
    outer = a[..., :, None] * a[..., None, :]
    turned = np.divide(outer, size, out=np.zeros_like(outer), where=size > 0.0)
    return np.asarray(size * np.eye(a.shape[-1]) + turned)


def _turn(h: Array, z: Array, move: Array) -> Array:
    """∇²ℓ·move, shape (n, c)."""
    return np.asarray(np.einsum("ikjl,jl->ik", late_hessian(h, z), move))


def _stretch(n: int) -> float:
    """The edge of a regular simplex over its radius."""
    return float(np.sqrt(2.0 * n / (n - 1.0)))


def _scaled(h: Array, y: Array) -> Array:
    """y at the radius where this direction would rest: ‖y‖² = 3ℓ(y)."""
    found: Array = y * np.sum(y * y) / (3.0 * late_loss(h, y))
    return found


def _centred(z: Array) -> Array:
    found: Array = z - z.mean(axis=0)
    return found


def _differences(n: int) -> Array:
    from .coordinates import rotate

    return rotate(np.eye(n))[1:]
