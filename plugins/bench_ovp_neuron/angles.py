"""Functions of one angle that keep their relative precision, from 0 to π.

Plain numba scalars without branches, so that a loop over runs around them becomes vector instructions.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit, types
from numba.extending import intrinsic

# Strict IEEE arithmetic, no `fastmath`: compensated sums must compensate, and a NaN must be seen. Multiply-adds
# are fused where `fma` says so and nowhere else: left to the compiler, that would depend on what it inlines,
# which differs between freshly compiled code and code from the cache. So a run's bits depend on its start alone.
COMPILED: dict[str, Any] = {"error_model": "numpy", "cache": True}
INLINED: dict[str, Any] = {**COMPILED, "inline": "always"}

HALF_PI = 0.5 * np.pi
QUARTER_PI = 0.25 * np.pi
TAN_EIGHTH_PI = math.sqrt(2.0) - 1.0

# θ − sin θ = θ³ Σ (−θ²)^k / (2k+3)! and sin θ − θ cos θ = θ³ Σ (−θ²)^k (2k+2)/(2k+3)!. On [0, π] the terms fall
# below half an ulp of the sum at k = 14, and the alternating sums lose less than a factor of 5 to cancellation.
E0, E1, E2, E3, E4, E5, E6, E7, E8, E9, E10, E11, E12, E13, E14 = (
    (-1.0) ** k / math.factorial(2 * k + 3) for k in range(15)
)
D0, D1, D2, D3, D4, D5, D6, D7, D8, D9, D10, D11, D12, D13, D14 = (
    (-1.0) ** k * (2 * k + 2) / math.factorial(2 * k + 3) for k in range(15)
)


@intrinsic
def fma(context, a, b, c):
    """a·b + c with one rounding."""

    def generate(context, builder, signature, values):
        return builder.fma(*values)

    return types.float64(types.float64, types.float64, types.float64), generate


@njit(**INLINED)
def angle(y, x):
    """atan2(y, x) of y, x ≥ 0, in [0, π/2]; relative error below 2 ulp.

    Source: the rational approximation on [0, tan π/8] is Moshier's Cephes `atan` (peak error 1.8e-16).
    """
    steep = y > x
    small = x if steep else y
    large = y if steep else x
    wide = small > large * TAN_EIGHTH_PI
    q = (small - large if wide else small) / (small + large if wide else large)
    z = q * q
    p = fma(z, -8.750608600031904122785e-1, -1.615753718733365076637e1)
    p = fma(z, p, -7.500855792314704667340e1)
    p = fma(z, p, -1.228866684490136173410e2)
    p = fma(z, p, -6.485021904942025371773e1)
    r = z + 2.485846490142306297962e1
    r = fma(z, r, 1.650270098316988542046e2)
    r = fma(z, r, 4.328810604912902668951e2)
    r = fma(z, r, 4.853903996359136964868e2)
    r = fma(z, r, 1.945506571482613964425e2)
    a = fma(q, z * p / r, q)
    a = a + QUARTER_PI if wide else a
    return HALF_PI - a if steep else a


@njit(**INLINED)
def sine_excess(t):
    """θ − sin θ without cancellation, θ in [0, π]: θ³/6 to leading order."""
    x = t * t
    s = fma(x, E14, E13)
    s = fma(x, fma(x, fma(x, s, E12), E11), E10)
    s = fma(x, fma(x, fma(x, s, E9), E8), E7)
    s = fma(x, fma(x, fma(x, s, E6), E5), E4)
    s = fma(x, fma(x, fma(x, s, E3), E2), E1)
    return t * x * fma(x, s, E0)


@njit(**INLINED)
def angle_defect(t):
    """sin θ − θ cos θ without cancellation, θ in [0, π]: θ³/3 to leading order.

    Source: Safran & Shamir (2018); eq. (23) of Xu & Du (2023).
    """
    x = t * t
    s = fma(x, D14, D13)
    s = fma(x, fma(x, fma(x, s, D12), D11), D10)
    s = fma(x, fma(x, fma(x, s, D9), D8), D7)
    s = fma(x, fma(x, fma(x, s, D6), D5), D4)
    s = fma(x, fma(x, fma(x, s, D3), D2), D1)
    return t * x * fma(x, s, D0)
