"""What is known about the neuron problems: law and value per family of methods, and who says so.

A linear law comes from a least-squares valley: near the minimum the slow error obeys a quadratic of curvature λ,
and the rate of the loss in nominal time is −2 ln(modulus of the slowest multiplier)/lr.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Mapping
from typing import Any

from bench_ovp import Theory

GLOBAL = "Xu & Du (2023), Theorems 9 and 14"


def cubic(family: str) -> Theory | None:
    """n ≥ 2 from a generic start: T⁻³ for gradient descent, its flow and its heavy ball."""
    sources = {
        "gradient-descent": GLOBAL,
        "gradient-flow": "Xu & Du (2023), Corollary 12 and Theorem 14",
        "heavy-ball": f"the slow manifold of {GLOBAL}, where the heavy ball is descent with lr/(1 − β)",
    }
    return Theory("power", 3.0, sources[family]) if family in sources else None


def linear(family: str, parameters: Mapping[str, Any], curvature: float, source: str) -> Theory | None:
    """Convergence in a valley whose Hessian has the one non-zero eigenvalue `curvature`.

    Args:
        family: the method's family.
        parameters: the method's parameters.
        curvature: ½ at n = 1, n/2 for n equal or parallel students.
        source: who proved that the convergence is linear.
    """
    if family == "gradient-flow":
        return Theory("exponential", 2.0 * curvature, source)
    if family == "polyak":
        # lr = L/‖∇L‖² tends to 1/(2λ) in a valley of curvature λ: the error halves, the loss falls by 4.
        return Theory("exponential", math.log(4.0), f"{source}, with Polyak's step 1/(2λ)")
    lr = parameters.get("lr")
    if not isinstance(lr, float | int):
        return None
    if family == "gradient-descent":
        return _contraction(abs(1.0 - lr * curvature), lr, source)
    beta = parameters.get("beta")
    if family == "heavy-ball" and isinstance(beta, float | int):  # a stranger's may be called otherwise
        b = 1.0 + beta - lr * curvature
        root = cmath.sqrt(b * b - 4.0 * beta)
        return _contraction(max(abs(b + root), abs(b - root)) / 2.0, lr, f"{source}; Polyak (1964)")
    return None


def late_nesterov(lr: float, source: str) -> Theory | None:
    """n = 1: the momentum (k − 1)/(k + 2) tends to 1, where the multipliers' modulus is √(1 − λ·lr), λ = ½."""
    if lr >= 2.0:
        return None
    return _contraction(math.sqrt(1.0 - 0.5 * lr), lr, f"{source}; multipliers at momentum 1")


def _contraction(factor: float, lr: float, source: str) -> Theory | None:
    """The law of a loss that is multiplied by factor² per step."""
    if factor >= 1.0:
        return None
    if factor == 0.0:
        return Theory("superexponential", math.nan, source)
    return Theory("exponential", -2.0 * math.log(factor) / lr, source)
