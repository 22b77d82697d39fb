"""Gradient flow by an implicit Runge–Kutta method."""

from __future__ import annotations

import numpy as np

from bench_ovp import DriverMethod
from bench_ovp.parameters import Positive

NEWTON_TOLERANCE = 0.01
EPSILON = float(np.finfo(np.float64).eps)


def flow(oracle, w, checkpoints, rtol: Positive = 1e-6):  # type: ignore[no-untyped-def]
    """Gradient flow: dw/dt = −∇L(w), by Radau IIA of order 5 with the exact Hessian.

    Between checkpoints the displacement from the last one is integrated, not w itself: its tolerance is
    relative to how far w still moves, so that a converging run does not freeze at rtol·‖w‖. No coordinate is
    asked for more than the rounding of ∇L allows.

    Args:
        rtol: relative tolerance of a step, in the displacement.

    Source: Hairer & Wanner (1996), Solving Ordinary Differential Equations II, IV.8; as in scipy.integrate.
    """
    from scipy.integrate import Radau

    shape = w.shape

    def velocity(_, moved):
        return -oracle.grad((anchor + moved).reshape(shape)).ravel()

    def jacobian(_, moved):
        return -oracle.hessian((anchor + moved).reshape(shape))[0]

    def rounding():
        # ∇L sums a coordinate over students, so it is known to the rounding of that sum.
        noise = 64.0 * EPSILON * np.abs(anchor.reshape(shape)).sum(axis=1, keepdims=True)
        return np.broadcast_to(noise, shape).ravel()

    anchor, t, step = w.ravel(), 0.0, None
    for target in checkpoints.positions:
        pace = np.abs(velocity(t, 0.0))
        if not np.all(np.isfinite(pace)):
            return "the gradient is not finite"
        reach = float(np.linalg.norm(pace)) * (target - t)
        atol = np.maximum(rtol * min(reach, float(np.linalg.norm(anchor))), rounding())
        # Shorter steps only: the target is exact, and a first step that fits the pace saves a search.
        first = None if step is None else min(step, target - t)
        solver = Radau(
            velocity, t, np.zeros_like(anchor), target, rtol=rtol, atol=atol, jac=jacobian, first_step=first
        )
        # Newton's iteration must not be asked to converge below the rounding of ∇L either.
        solver.newton_tol = NEWTON_TOLERANCE
        while solver.status == "running":
            told = solver.step()
            if solver.status == "failed":
                return f"the solver failed at t = {solver.t:g}: {told}"
            step = solver.step_size if solver.status == "running" else max(step or 0.0, solver.step_size)
        anchor, t = anchor + solver.y, target
        checkpoints.record(target, anchor.reshape(shape))
    return None


GRADIENT_FLOW = DriverMethod(
    "gradient-flow", flow, clock="time", family="gradient-flow", rotation_equivariant=True, rtol=1e-5
)
