"""What the proofs look at along a run, from w (runs, n, d), accurate at small angles."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from numba import njit

from .twofold import product_of
from .vectors import COMPILED

WHOLE = (
    *("theta_max", "residual_norm", "H", "Z", "norm_min", "norm_max"),
    *("theta_sin2", "balance", "kappa_max"),
)
EACH = ("theta", "h", "z")
MOST = 20  # students that are told one by one: three columns each
NARROW = 0.01  # squared chord between directions, below which it is not known well enough
NEAR = 1e-14  # in a chord, beyond its rounding


@cache
def names(n: int) -> tuple[str, ...]:
    """What is observed of n students: the columns of `observe`."""
    return (*WHOLE, *(f"{one}_{i + 1}" for one in EACH for i in range(n if n <= MOST else 0)))


@njit(**COMPILED)
def residuals(teacher, w):
    """r = Σwᵢ − v of each run of w (runs, n, d), shape (runs, d)."""
    found = np.empty((w.shape[0], w.shape[2]))
    for run in range(len(w)):
        found[run] = residual(teacher, w[run])
    return found


@njit(**COMPILED)
def residual(teacher, w):
    """r = Σwᵢ − v of one run (n, d), compensated, shape (d,)."""
    n, d = w.shape
    r = np.zeros(d)
    r[0] = -teacher
    low = np.zeros(d)
    for i in range(n):
        for k in range(d):
            total = r[k] + w[i, k]  # Knuth's two-sum
            rest = total - r[k]
            low[k] += (r[k] - (total - rest)) + (w[i, k] - rest)
            r[k] = total
    return r + low


@njit(**COMPILED)
def observe(w, low, r):
    """The observables of students w + low (runs, n, d), shape (runs, columns), in the order of `names`.

    θ_max is the largest angle to the teacher, in radians; ‖r‖ = ‖Σwᵢ − v‖; H = ‖v‖ − Σhᵢ;
    Z = Σ_{i<j} ‖zᵢ − zⱼ‖; the smallest and the largest ‖wᵢ‖; Σ sin²(θᵢ/2); the balance max hᵢ/hⱼ, NaN unless all
    hᵢ > 0; κ_max, see `widest`; then, of up to MOST students, each θᵢ, each hᵢ and each ‖zᵢ‖.

    Args:
        w: students, to the last digit.
        low: what rounding left of them, of the same shape, or of no runs where nothing is left.
        r: Σwᵢ − v, shape (runs, d).

    Source: Section 3 and Section 5 of Xu & Du (2023).
    """
    runs, n, d = w.shape
    told = n if n <= MOST else 0
    out = np.zeros((runs, len(WHOLE) + len(EACH) * told))
    z, rest, length = np.empty((n, d - 1)), np.zeros((n, d - 1)), np.empty(n)
    for run in range(runs):
        for x in r[run]:
            out[run, 1] = math.hypot(out[run, 1], x)  # squares would underflow
        out[run, 2] = -r[run, 0]
        out[run, 4] = np.inf
        least, most = np.inf, -np.inf
        for i in range(n):
            scale = scaling(w[run, i, 1:])
            zz = 0.0
            for k in range(1, d):
                z[i, k - 1] = scale * w[run, i, k]
                zz += z[i, k - 1] * z[i, k - 1]
                if len(low) > 0:
                    rest[i, k - 1] = scale * low[run, i, k]
            length[i] = math.sqrt(zz)
            across = length[i] / scale
            h = w[run, i, 0]
            norm = math.sqrt(h * h + zz / scale / scale)
            theta = math.atan2(across, h)
            out[run, 0] = max(out[run, 0], theta)
            out[run, 4] = min(out[run, 4], norm)
            out[run, 5] = max(out[run, 5], norm)
            out[run, 6] += math.sin(0.5 * theta) ** 2
            least, most = min(least, h), max(most, h)
            if told > 0:
                first = len(WHOLE) + i
                out[run, first], out[run, first + n], out[run, first + 2 * n] = theta, h, across
            for j in range(i):
                gap = 0.0
                for k in range(1, d):
                    x = w[run, i, k] - w[run, j, k]
                    gap += x * x
                out[run, 3] += math.sqrt(gap)
        out[run, 7] = most / least if least > 0.0 else np.nan
        out[run, 8] = widest(z, rest, length)
    return out


@njit(**COMPILED)
def scaling(z):
    """The power of 2 that brings the largest coordinate to about 1, as far as a double does; 1 for none."""
    largest = 0.0
    for x in z:
        largest = max(largest, abs(x))
    if not 0.0 < largest < np.inf:
        return 1.0
    return math.ldexp(1.0, max(-1000, min(1000, -math.frexp(largest)[1])))


@njit(**COMPILED)
def widest(z, rest, length):
    """κ_max, the largest angle between any two of z + rest (n, d − 1) that are not zero; 0 where there are no two.

    Angles are read from chords between directions, which are known to ε. Where all are narrow, the widest of them are
    read again, from zᵢ ∧ zⱼ: its coordinates are differences of products that are known exactly.

    Args:
        z, rest: as in `observe`, each student scaled by itself.
        length: ‖zᵢ‖ so scaled, shape (n,).

    Source: before Definition 13 of Xu & Du (2023); the differences after Kahan.
    """
    n, c = z.shape
    unit = np.empty((n, c))
    for i in range(n):
        for k in range(c):
            unit[i, k] = z[i, k] / length[i]
    widest_chord, least_sum = 0.0, 4.0  # ‖ūᵢ − ūⱼ‖², ‖ūᵢ + ūⱼ‖²
    for i in range(n):
        for j in range(i):
            if length[i] > 0.0 and length[j] > 0.0:
                minus, plus = chords(unit[i], unit[j])
                widest_chord, least_sum = max(widest_chord, minus), min(least_sum, plus)
    if widest_chord > NARROW:
        return 2.0 * math.atan2(math.sqrt(min(4.0, widest_chord)), math.sqrt(least_sum))
    found, bound = 0.0, math.sqrt(widest_chord) - NEAR
    for i in range(n):
        for j in range(i):
            if length[i] > 0.0 and length[j] > 0.0:
                minus, _ = chords(unit[i], unit[j])
                if math.sqrt(minus) >= bound:
                    found = max(found, narrow(z[i], z[j], rest[i], rest[j]))
    return found


@njit(**COMPILED)
def chords(a, b):
    """‖a − b‖² and ‖a + b‖²."""
    minus, plus = 0.0, 0.0
    for k in range(len(a)):
        minus += (a[k] - b[k]) ** 2
        plus += (a[k] + b[k]) ** 2
    return minus, plus


@njit(**COMPILED)
def narrow(a, b, rest_a, rest_b):
    """The angle between a + rest_a and b + rest_b, however small."""
    along, across = 0.0, 0.0
    for k in range(len(a)):
        along += a[k] * b[k]
        for q in range(k):
            one, one_low = product_of(a[k], b[q])
            other, other_low = product_of(a[q], b[k])
            low = (a[k] * rest_b[q] - a[q] * rest_b[k]) + (rest_a[k] * b[q] - rest_a[q] * b[k])
            across += ((one - other) + ((one_low - other_low) + low)) ** 2
    return math.atan2(math.sqrt(across), along)
