"""Gradient flow, by a stiff solver in the logarithm of time, and an explicit one before that pays."""

from __future__ import annotations

import numpy as np

from bench_ovp import DriverMethod
from bench_ovp.parameters import Positive

EPSILON = float(np.finfo(np.float64).eps)
PATIENCE = 50  # explicit steps in one stretch after which something limits them, stiffness or a kink
KINK = 0.1  # relative change of ∇L within the last of them, if it is a kink
EFFORT = 50  # implicit steps in one stretch after which a kink is looked for at each
LIMIT = 5000  # implicit steps in one stretch, at most
SAFETY = 1e-2  # the solvers' tolerance of a step, in units of what is asked of the loss
NOISE = 64.0 * EPSILON  # of ∇L, which is a sum over students
NEWTON_TOLERANCE = 0.01
HOVER_TOLERANCE = 1e-5  # where ∇L jumps, relative to ‖w‖


def flow(oracle, w, checkpoints, rtol: Positive = 1e-5):
    """Gradient flow: dw/dt = −∇L(w).

    First the explicit Runge–Kutta method of order 8, from checkpoint to checkpoint. Once the problem is stiff,
    backward differences of order 1 to 5 with the exact Hessian, in log t: where the loss falls like a power of t,
    steps of equal length in log t are equally good, and a factorisation serves for many. The tolerance is relative
    to how far each student still moves, so that a converging run does not freeze at rtol·‖w‖.

    From a large start a student can be drawn to zero, where the loss has no gradient, and held there for a
    while. The flow then goes on as small explicit steps do, hopping about zero within a coarser tolerance.

    Args:
        rtol: relative tolerance of the loss.

    Source: Hairer, Nørsett & Wanner (1993), II.5 and III; Shampine & Reichelt (1997); as in scipy.integrate.
    """
    from scipy.integrate import DOP853

    shape, tolerance = w.shape, SAFETY * rtol
    at, t = w.ravel(), 0.0
    implicit = None

    def grad(x):
        return oracle.grad(x.reshape(shape)).ravel()

    def velocity(_, x):
        return -grad(x)

    def hessian(x):
        return oracle.hessian(x.reshape(shape))[0]

    for target in checkpoints.positions:
        if implicit is None:
            atol, steps = tolerance * reach(grad(at), at, target - t), 0
            solver = DOP853(velocity, t, at, target, rtol=100.0 * EPSILON, atol=atol)
            while solver.status == "running" and steps < PATIENCE:
                solver.step()
                steps += 1
                left = max(target - solver.t, solver.step_size)
                solver.atol = tolerance * reach(solver.f, solver.y, left)
            at, t = solver.y, solver.t
            if t < target and not is_kink(grad(solver.y_old), grad(at)):
                implicit = LogTime(grad, hessian, at, t, tolerance, shape)
        if implicit is not None:
            at, t = implicit.reach(target)
            if t < target and not implicit.kink:
                return f"the solver makes no headway at t = {t:g}"
        if t < target:
            # A student hovers at zero, where ∇L jumps: no order of accuracy is left to gain there.
            implicit, coarse = None, HOVER_TOLERANCE * np.linalg.norm(at)
            solver = DOP853(velocity, t, at, target, rtol=HOVER_TOLERANCE, atol=coarse)
            while solver.status == "running":
                solver.step()
                solver.atol = HOVER_TOLERANCE * np.linalg.norm(solver.y)
            at, t = solver.y, solver.t
        if t < target:
            return f"the solver failed at t = {t:g}: steps became too small"
        checkpoints.record(target, at.reshape(shape))
    return None


def reach(grad, x, duration):
    """How far x still goes in `duration`, and no further than to 0."""
    return min(np.linalg.norm(grad) * duration, np.linalg.norm(x))


def is_kink(before, after):
    """Whether ∇L jumped in a step that was as short as it was."""
    return np.linalg.norm(after - before) > KINK * np.linalg.norm(before)


def still_to_go(grad, x, duration, tolerance, shape):
    """Tolerances of coordinates: a share of the way that a student goes in `duration`.

    It goes no further than to 0, and no student is asked for more than the rounding of what the farthest one does.
    """
    rows = np.linalg.norm(grad.reshape(shape), axis=2, keepdims=True) * duration
    rows = np.minimum(rows, np.linalg.norm(x.reshape(shape), axis=2, keepdims=True))
    return np.broadcast_to(np.maximum(tolerance * rows, NOISE * rows.max()), shape).ravel()


class LogTime:
    """The flow from `x` at time t on, in s = log(time): dx/ds = −time·∇L(x)."""

    def __init__(self, grad, hessian, x, t, tolerance, shape):
        from scipy.integrate import BDF

        self._grad, self._tolerance, self._shape = grad, tolerance, shape

        def velocity(s, x):
            return -np.exp(s) * grad(x)

        def jacobian(s, x):
            return -np.exp(s) * hessian(x)

        self._slope, self.kink = grad(x), False
        atol = still_to_go(self._slope, x, t, tolerance, shape)
        self._solver = BDF(
            velocity, np.log(t), x, np.inf, rtol=100.0 * EPSILON, atol=atol, jac=jacobian, first_step=1e-3
        )
        self._solver.newton_tol = NEWTON_TOLERANCE

    def reach(self, target):
        """Where it is at time `target`; where and when it gave up, if that takes too many steps."""
        solver, steps = self._solver, 0
        while solver.t < np.log(target):
            solver.step()
            steps += 1
            before, self._slope = self._slope, self._grad(solver.y)
            self.kink = steps > EFFORT and is_kink(before, self._slope)
            if self.kink or solver.status == "failed" or steps > LIMIT:
                return solver.y, float(np.exp(solver.t))
            solver.atol = still_to_go(self._slope, solver.y, np.exp(solver.t), self._tolerance, self._shape)
        return solver.dense_output()(np.log(target)), target


GRADIENT_FLOW = DriverMethod(
    "gradient-flow",
    flow,
    clock="time",
    family="gradient-flow",
    rotation_equivariant=True,
    isometry_equivariant=True,
    rtol=1e-5,
)
