"""Angles from squared chords, without an arc cosine or an arc tangent.

With y = sin θ and s = sin(θ/2),

    θ − sin θ = asin y − y = y³ Q(y²)                      while angles are small, as they are for most of a run,
              = 2(asin s − s√(1 − s²)) = 2s³ P(s²)         up to θ = π/2,

and polynomials serve for the analytic functions Q and P. The first needs no root but that of the sine. A wider angle
is the supplement of its supplement. So both θ and θ − sin θ keep their relative precision from 0 to π.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from .vectors import INLINED, any_of, fma, root, where

# Interpolated at Chebyshev nodes in 60-digit arithmetic: Q on [0, 1/16], off by at most 7.0e-17 of itself, most of it
# the rounding of A0; P on [0, 1/2], off by at most 5.3e-17.
NARROW = 1 / 64  # s² up to there: y² = 4s²(1 − s²) < 1/16
A0, A1, A2, A3, A4, A5, A6, A7, A8 = (
    0.16666666666666666,
    0.0749999999999969,
    0.044642857144178164,
    0.030381944228153757,
    0.022372176794509823,
    0.01735195285781468,
    0.013986589855074788,
    0.011215464871032138,
    0.012500014629406286,
)
B0, B1, B2, B3, B4, B5, B6, B7, B8, B9, B10, B11, B12, B13, B14, B15, B16, B17, B18 = (
    0.6666666666666667,
    0.19999999999996765,
    0.10714285715059871,
    0.06944444371185936,
    0.04971594560450162,
    0.03785947047033074,
    0.030100312894431935,
    0.02433291200326171,
    0.023829433834215635,
    -0.006151825384358881,
    0.15078692957056128,
    -0.5724467073383909,
    1.941336940730381,
    -4.7974536937188885,
    8.938779475791545,
    -11.994194486743902,
    11.084351282158135,
    -6.310823774275278,
    1.710770464358532,
)


@njit(**INLINED)
def excess(sine, square, z):
    """φ − sin φ for φ in [0, π/2], from sin φ, its square, and z = sin²(φ/2)."""
    x = square * square
    even = fma(fma(fma(fma(x, A8, A6), x, A4), x, A2), x, A0)
    odd = fma(fma(fma(x, A7, A5), x, A3), x, A1)
    found = sine * square * fma(odd, square, even)
    far = z > NARROW
    if any_of(far):  # a lane takes its own polynomial, whatever its neighbours need
        x = z * z
        even = fma(fma(fma(fma(x, B18, B16), x, B14), x, B12), x, B10)
        even = fma(fma(fma(fma(fma(even, x, B8), x, B6), x, B4), x, B2), x, B0)
        odd = fma(fma(fma(fma(x, B17, B15), x, B13), x, B11), x, B9)
        odd = fma(fma(fma(fma(odd, x, B7), x, B5), x, B3), x, B1)
        found = where(far, 2.0 * (z * root(z)) * fma(odd, z, even), found)
    return found


@njit(**INLINED)
def subtend(minus, plus):
    """θ − sin θ, sin θ and 1 − cos θ of the angle θ in [0, π] between unit vectors a, b.

    Args:
        minus, plus: ‖a − b‖² and ‖a + b‖², each with its relative precision.
    """
    wide = minus > 2.0
    square = 0.25 * (minus * plus)
    sine = root(square)
    found = excess(sine, square, 0.25 * where(wide, plus, minus))
    return where(wide, (np.pi - found) - 2.0 * sine, found), sine, 0.5 * minus
