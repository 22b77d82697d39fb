"""Angles from squared chords, without an arc cosine or an arc tangent.

With s = sin(θ/2) = m/2, where m is the chord between two unit vectors,

    θ − sin θ = 2(asin s − s√(1 − s²)) = 2s³ P(s²),

and P is an analytic function that a polynomial serves up to s² = ½, θ = π/2, and a shorter one while angles are small,
as they are for most of a run. A wider angle is the supplement of its supplement. So both θ and θ − sin θ keep their
relative precision from 0 to π.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from .vectors import INLINED, any_of, fma, root, where

# P interpolated at Chebyshev nodes in 60-digit arithmetic: on [0, 1/32] off by at most 1e-18, on [0, 1/2] by 5.3e-17.
SHORT = 0.03125
A0, A1, A2, A3, A4, A5, A6, A7 = (
    0.6666666666666666,
    0.20000000000000262,
    0.1071428571411,
    0.06944444489334207,
    0.0497158528531917,
    0.03786439418335793,
    0.029935209575494996,
    0.027400223362743985,
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
def half_excess(z, s):
    """φ − sin φ for φ in [0, π/2], from s = sin(φ/2) and z = s²."""
    x = z * z
    even = fma(fma(fma(x, A6, A4), x, A2), x, A0)
    odd = fma(fma(fma(x, A7, A5), x, A3), x, A1)
    p = fma(odd, z, even)
    long = z > SHORT
    if any_of(long):  # a lane takes its own polynomial, whatever its neighbours need
        even = fma(fma(fma(fma(x, B18, B16), x, B14), x, B12), x, B10)
        even = fma(fma(fma(fma(fma(even, x, B8), x, B6), x, B4), x, B2), x, B0)
        odd = fma(fma(fma(fma(x, B17, B15), x, B13), x, B11), x, B9)
        odd = fma(fma(fma(fma(odd, x, B7), x, B5), x, B3), x, B1)
        p = where(long, fma(odd, z, even), p)
    return 2.0 * (z * s) * p


@njit(**INLINED)
def subtend(minus, plus):
    """θ − sin θ, sin θ and 1 − cos θ of the angle θ in [0, π] between unit vectors a, b.

    Args:
        minus, plus: ‖a − b‖² and ‖a + b‖², each with its relative precision.
    """
    wide = minus > 2.0
    z = 0.25 * where(wide, plus, minus)
    excess = half_excess(z, root(z))
    sine = 0.5 * root(minus * plus)
    return where(wide, (np.pi - excess) - 2.0 * sine, excess), sine, 0.5 * minus
