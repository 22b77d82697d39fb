"""The neuron problems' formulas to 60 digits, written from their definitions alone.

Students and teacher are the rows uᵢ of one matrix with signs sᵢ = (1, …, 1, −1), so that
R(x) = Σ sᵢ[uᵢ·x]₊ and L = E[R²]/2. Two numbers per pair of neurons carry every formula:

    Gᵢⱼ = uᵢ·uⱼ = ‖uᵢ‖‖uⱼ‖ cos θᵢⱼ,   Aᵢⱼ = √(GᵢᵢGⱼⱼ − Gᵢⱼ²) = ‖uᵢ‖‖uⱼ‖ sin θᵢⱼ.

Points are held as integers in units of 2⁻⁴⁰⁰, which doubles are, unless tiny. So G and A² are exact,
and neurons that are exactly parallel or opposite have A = 0 and θ = 0 or π, not almost. The rest is
done with 120 digits; sin θ − θ cos θ leaves 60 of them down to θ = 1e-30.
"""

from typing import NamedTuple

import numpy as np
from mpmath import MPContext

mp = MPContext()
mp.dps = 120
# In products of an array and a number the array comes first: an mpf on the left gives way slowly.

RESOLUTION = 400


def integers(x):
    """An array of doubles in units of 2⁻⁴⁰⁰, exactly or ValueError; such integers as they are."""
    x = np.asarray(x)
    if x.dtype == object:
        return x

    def scale(value):
        numerator, denominator = float(value).as_integer_ratio()
        ticks, rest = divmod(numerator << RESOLUTION, denominator)
        if rest:
            raise ValueError(f"{value!r} is no multiple of 2**-{RESOLUTION}")
        return ticks

    return np.array([scale(value) for value in x.flat], dtype=object).reshape(x.shape)


def real(x, power=1):
    """An array of integers in units of 2^(−400·power), as 120-digit numbers."""
    shift = -RESOLUTION * power
    return np.array([mp.ldexp(value, shift) for value in x.flat], dtype=object).reshape(x.shape)


class Geometry(NamedTuple):
    """Neurons u (n+1, d), signs s (n+1,), and the matrices G, A, θ (n+1, n+1); teacher last."""

    neuron: np.ndarray
    sign: np.ndarray
    gram: np.ndarray
    area: np.ndarray
    angle: np.ndarray


def geometry(w, teacher_norm=1.0):
    """Students w (n, d), doubles or integers, and the teacher: all that depends on pairs."""
    w = integers(w)
    n, d = w.shape
    teacher = integers(np.eye(1, d) * teacher_norm)
    neuron = np.vstack([w, teacher])
    exact = neuron @ neuron.T
    area, angle = (np.full((n + 1, n + 1), mp.zero, dtype=object) for _ in range(2))
    for i in range(n + 1):
        for j in range(i):
            minor = exact[i, i] * exact[j, j] - exact[i, j] ** 2
            area[i, j] = area[j, i] = mp.sqrt(mp.ldexp(minor, -4 * RESOLUTION))
            cosine = mp.ldexp(exact[i, j], -2 * RESOLUTION)
            angle[i, j] = angle[j, i] = mp.atan2(area[i, j], cosine)
    sign = np.array([1] * n + [-1], dtype=object)
    return Geometry(real(neuron), sign, real(exact, 2), area, angle)


def loss_terms(g):
    """The terms whose sum is L.

        ‖r‖²/4,   sᵢsⱼ (sin θᵢⱼ − θᵢⱼ cos θᵢⱼ) ‖uᵢ‖‖uⱼ‖ / 2π   for each pair of neurons.

    Source: eq. (23) of Xu & Du (2023).
    """
    i, j = np.triu_indices(len(g.sign), 1)
    pairs = g.sign[i] * g.sign[j] * (g.area[i, j] - g.angle[i, j] * g.gram[i, j]) / (2 * mp.pi)
    return [g.sign @ g.gram @ g.sign / 4, *pairs]


def loss(g):
    """L(w), the sum of `loss_terms`."""
    return mp.fsum(loss_terms(g))


def loss_by_kernel(g):
    """L = ½ Σ sᵢsⱼ E[[uᵢ·x]₊[uⱼ·x]₊], the expectation being (A + (π − θ)G)/2π.

    Source: Cho & Saul (2009), the arc-cosine kernel of order 1.
    """
    return g.sign @ (g.area / mp.pi + (-g.angle / mp.pi + 1) * g.gram) @ g.sign / 4


def grad(g):
    """∇ᵢ = Σⱼ sⱼ[(π − θᵢⱼ)uⱼ + (Aᵢⱼ/Gᵢᵢ)uᵢ] / 2π, shape (n, d).

    The terms −θᵢⱼuⱼ and Aᵢⱼ vanish at j = i, and Σⱼ sⱼuⱼ/2 = r/2. Source: eq. (4), ibid.
    """
    n = len(g.sign) - 1
    coefficient = (-g.angle / mp.pi + 1) * g.sign / 2
    along = g.area @ g.sign / np.diag(g.gram) / (2 * mp.pi)
    return coefficient[:n] @ g.neuron + along[:n, None] * g.neuron[:n]


def _frame(g):
    """Unit vectors ūᵢ, and n̄ᵢⱼ: the direction of ūᵢ − cos θᵢⱼ ūⱼ, or 0 where that has none."""
    unit = np.array([u / mp.sqrt(length) for u, length in zip(g.neuron, np.diag(g.gram), strict=True)])

    def normal(i, j):
        if g.area[i, j] == 0:
            return 0 * unit[i]
        sine, cosine = mp.sin(g.angle[i, j]), mp.cos(g.angle[i, j])
        return (unit[i] - unit[j] * cosine) / sine

    return unit, normal


def _assemble(g, diagonal):
    """The (n·d, n·d) matrix with these diagonal blocks and E[1{uᵢ·x ≥ 0}1{uⱼ·x ≥ 0} x xᵀ] off it.

    ((π − θᵢⱼ)I + n̄ᵢⱼūⱼᵀ + n̄ⱼᵢūᵢᵀ) / 2π;   at θᵢⱼ = 0 and π the two products add up to 0.
    """
    n, d = len(g.sign) - 1, g.neuron.shape[1]
    unit, normal = _frame(g)
    identity = np.eye(d, dtype=object)
    matrix = np.full((n, d, n, d), mp.zero, dtype=object)
    for i in range(n):
        matrix[i, :, i, :] = diagonal(i)
        for j in range(i):
            rotation = np.outer(normal(i, j), unit[j]) + np.outer(normal(j, i), unit[i])
            block = (identity * (mp.pi - g.angle[i, j]) + rotation) / (2 * mp.pi)
            matrix[i, :, j, :], matrix[j, :, i, :] = block, block.T
    return matrix.reshape(n * d, n * d)


def hessian(g):
    """∇²L (n·d, n·d): off-diagonal blocks as Gauss–Newton's, diagonal ones

        I/2 + Σ_{j≠i} sⱼ Aᵢⱼ/(2πGᵢᵢ) (I − ūᵢūᵢᵀ + n̄ⱼᵢn̄ⱼᵢᵀ).

    Source: eq. (51), ibid., with n̄ of unit length.
    """
    unit, normal = _frame(g)
    identity = np.eye(g.neuron.shape[1], dtype=object)

    def diagonal(i):
        block = identity * mp.mpf(0.5)
        for j in range(len(g.sign)):
            if j != i:
                weight = g.sign[j] * g.area[i, j] / (2 * mp.pi * g.gram[i, i])
                across, along = normal(j, i), unit[i]
                block = block + (identity - np.outer(along, along) + np.outer(across, across)) * weight
        return block

    return _assemble(g, diagonal)


def gauss_newton(g):
    """E[1{wᵢ·x ≥ 0}1{wⱼ·x ≥ 0} x xᵀ] as blocks (n·d, n·d); the diagonal ones are I/2."""
    half = np.eye(g.neuron.shape[1], dtype=object) * mp.mpf(0.5)
    return _assemble(g, lambda i: half)


def observables(g):
    """theta_max, residual_norm ‖r‖, H = ‖v‖ − Σhᵢ, Z = Σ_{i<j}‖zᵢ − zⱼ‖, norm_min, norm_max,

    theta_sin2 = Σ sin²(θᵢ/2), balance = max hᵢ/hⱼ (nan unless all hᵢ > 0), kappa_max = max θ(zᵢ, zⱼ) over zᵢ, zⱼ ≠ 0
    (0 of fewer than two), and of at most 20 students θᵢ, hᵢ and ‖zᵢ‖.
    """
    students, teacher = g.neuron[:-1], g.neuron[-1]
    norms = [mp.sqrt(square) for square in np.diag(g.gram)[:-1]]
    h, z = students[:, 0], students[:, 1:]
    i, j = np.triu_indices(len(z), 1)
    lengths = [mp.norm(list(row)) if len(row) else mp.zero for row in z]
    single = {f"theta_{k + 1}": angle for k, angle in enumerate(g.angle[-1, :-1])}
    single |= {f"h_{k + 1}": value for k, value in enumerate(h)}
    single |= {f"z_{k + 1}": length for k, length in enumerate(lengths)}
    return {
        "theta_max": max(g.angle[-1, :-1]),
        "residual_norm": mp.sqrt(g.sign @ g.gram @ g.sign),
        "H": teacher[0] - sum(h),
        "Z": mp.fsum(mp.norm(list(difference)) for difference in z[i] - z[j]),
        "norm_min": min(norms),
        "norm_max": max(norms),
        "theta_sin2": mp.fsum(mp.sin(angle / 2) ** 2 for angle in g.angle[-1, :-1]),
        "balance": max(h) / min(h) if min(h) > 0 else mp.nan,
        "kappa_max": widest(z, lengths),
        **(single if len(z) <= 20 else {}),
    }


def widest(z, lengths):
    """The largest angle between rows of z that are not zero, 2 atan2(‖āᵢ − āⱼ‖, ‖āᵢ + āⱼ‖), or 0."""
    unit = [row / length for row, length in zip(z, lengths, strict=True) if length > 0]
    # Exactly parallel rows differ by rounding; the digits in use say how much of the difference is that.
    noise = mp.ldexp(1, 20 - mp.prec)
    pairs = [(mp.norm(list(a - b)), mp.norm(list(a + b))) for k, a in enumerate(unit) for b in unit[:k]]
    angles = [2 * mp.atan2(minus if minus > noise else 0, plus if plus > noise else 0) for minus, plus in pairs]
    return max(angles, default=mp.zero)


def gradient_step(w, lr, teacher_norm=1.0):
    """w − lr·∇L as integers; lr is a double, taken exactly."""
    change = grad(geometry(w, teacher_norm)) * mp.mpf(lr)
    ticks = [int(mp.nint(mp.ldexp(value, RESOLUTION))) for value in change.flat]
    return integers(w) - np.array(ticks, dtype=object).reshape(change.shape)


def gradient_descent(w, lr, iterations, teacher_norm=1.0):
    """The loss of gradient descent from w at each of the sorted `iterations`, a list."""
    losses, done = [], 0
    for iteration in iterations:
        for _ in range(iteration - done):
            w = gradient_step(w, lr, teacher_norm)
        done = iteration
        losses.append(loss(geometry(w, teacher_norm)))
    return losses
