"""Gradient flow, by a stiff solver with the exact Hessian, and an explicit one while that is cheaper."""

from __future__ import annotations

import numpy as np

from bench_ovp import DriverMethod
from bench_ovp.parameters import Positive

EPSILON = float(np.finfo(np.float64).eps)
NEWTON_TOLERANCE = 0.01
HOVERING = 50  # steps in one stretch after which it is not smoothness that limits them
HOVER_TOLERANCE = 1e-5  # then, relative to ‖w‖
EXPLICIT_REACH = 100.0  # ‖∇²L‖·Δt up to which explicit steps cost less than factorisations


def flow(oracle, w, checkpoints, rtol: Positive = 1e-5):
    """Gradient flow: dw/dt = −∇L(w).

    Radau IIA of order 5 with the exact Hessian; a stretch between checkpoints that is not stiff is taken by the
    explicit Runge–Kutta method of order 8. In each stretch the displacement from its beginning is integrated,
    not w itself: the tolerance is relative to how far w still moves, so that a converging run does not freeze
    at rtol·‖w‖, and no coordinate is asked for more than the rounding of ∇L allows.

    From a large start a student can be drawn to zero, where the loss has no gradient, and held there for a
    while. The flow then goes on as small explicit steps do, hopping about zero within a coarser tolerance.

    Args:
        rtol: relative tolerance of a step, in the displacement; the loss is good to about as much.

    Source: Hairer, Nørsett & Wanner (1993), II.5; Hairer & Wanner (1996), IV.8; as in scipy.integrate.
    """
    from scipy.integrate import DOP853, Radau

    shape = w.shape
    anchor, t, step = w.ravel(), 0.0, np.inf

    def velocity(_, moved):
        return -oracle.grad((anchor + moved).reshape(shape)).ravel()

    def jacobian(_, moved):
        return -oracle.hessian((anchor + moved).reshape(shape))[0]

    def tolerance(stretch):
        # ∇L sums a coordinate over students, and is known to the rounding of that sum.
        noise = 64.0 * EPSILON * np.abs(anchor.reshape(shape)).sum(axis=1, keepdims=True)
        reach = min(float(np.linalg.norm(velocity(t, 0.0))) * stretch, float(np.linalg.norm(anchor)))
        return np.maximum(rtol * reach, np.broadcast_to(noise, shape).ravel())

    def stiff(target):
        first = min(step, target - t)
        solver = Radau(velocity, t, start, target, rtol=rtol, atol=atol, jac=jacobian, first_step=first)
        # Newton's iteration must not be asked to converge below the rounding of ∇L either.
        solver.newton_tol = NEWTON_TOLERANCE
        return solver

    for target in checkpoints.positions:
        atol, start, steps = tolerance(target - t), np.zeros_like(anchor), 0
        row_sums = np.abs(jacobian(t, start)).sum(axis=1)
        if np.median(row_sums) * (target - t) < EXPLICIT_REACH:
            # The median: one student near zero is steep, but it is not what calls for an implicit method.
            # The error estimate here is as sharp as Radau's is generous, so it is asked for more.
            solver = DOP853(velocity, t, start, target, rtol=1e-3 * rtol, atol=1e-3 * atol)
        else:
            solver = stiff(target)
        step = 0.0
        while solver.status == "running":
            told = solver.step()
            if solver.status == "failed":
                return f"the solver failed at t = {solver.t:g}: {told}"
            step, steps = max(step, solver.step_size), steps + 1
            if steps == HOVERING and solver.status == "running":
                # A student hovers at zero, where ∇L jumps: no order of accuracy is left to gain there.
                anchor, t = anchor + solver.y, solver.t
                coarse = HOVER_TOLERANCE * float(np.linalg.norm(anchor))
                solver = DOP853(velocity, t, start, target, rtol=HOVER_TOLERANCE, atol=coarse)
        anchor, t = anchor + solver.y, target
        checkpoints.record(target, anchor.reshape(shape))
    return None


GRADIENT_FLOW = DriverMethod(
    "gradient-flow", flow, clock="time", family="gradient-flow", rotation_equivariant=True, rtol=1e-5
)
