"""Gradient flow, by a stiff solver in the logarithm of time, and an explicit one before that pays."""

from __future__ import annotations

import numpy as np

from bench_ovp import DriverMethod
from bench_ovp.parameters import Positive

EPSILON = float(np.finfo(np.float64).eps)
PATIENCE = 20  # explicit steps in one stretch after which implicit ones are tried
EFFORT = 300  # implicit steps in one stretch, at most
SAFETY = 1e-3  # the solvers' tolerance of a step, in units of what is asked of the loss
NOISE = 64.0 * EPSILON  # of ∇L, which is a sum over students
NEWTON_TOLERANCE = 0.01
HOVERING = 50  # steps in one stretch after which it is not smoothness that limits them
HOVER_TOLERANCE = 1e-5  # then, relative to ‖w‖


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

    shape = w.shape
    at, t = w.ravel(), 0.0
    stiff, steps, again = None, 0, 0.0

    def grad(x):
        return oracle.grad(x.reshape(shape)).ravel()

    def hessian(x):
        return oracle.hessian(x.reshape(shape))[0]

    for target in checkpoints.positions:
        if stiff is None and steps > PATIENCE and t >= again:
            stiff = LogTime(grad, hessian, at, t, SAFETY * rtol, shape)
        if stiff is not None and not stiff.reach(target):  # not stiffness made steps short, but a student near zero
            at, t, stiff, again = stiff.x, stiff.time, None, 2.0 * t
        if stiff is not None:
            at = stiff.at(target)
        else:
            tolerance = SAFETY * rtol
            atol, steps = still_to_go(grad(at), at, target - t, tolerance, shape), 0
            solver = DOP853(lambda _, x: -grad(x), t, at, target, rtol=100.0 * EPSILON, atol=atol)
            while solver.status == "running":
                told = solver.step()
                if solver.status == "failed":
                    return f"the solver failed at t = {solver.t:g}: {told}"
                steps += 1
                if steps == HOVERING and solver.status == "running":
                    # A student hovers at zero, where ∇L jumps: no order of accuracy is left to gain there.
                    coarse = HOVER_TOLERANCE * float(np.linalg.norm(at))
                    solver = DOP853(
                        lambda _, x: -grad(x), solver.t, solver.y, target, rtol=HOVER_TOLERANCE, atol=coarse
                    )
            at = solver.y
        t = target
        checkpoints.record(target, at.reshape(shape))
    return None


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

        atol = still_to_go(grad(x), x, t, tolerance, shape)
        self._solver = BDF(
            velocity, np.log(t), x, np.inf, rtol=100.0 * EPSILON, atol=atol, jac=jacobian, first_step=1e-3
        )
        self._solver.newton_tol = NEWTON_TOLERANCE

    @property
    def x(self):
        """Where it is."""
        return self._solver.y

    @property
    def time(self):
        """And when."""
        return float(np.exp(self._solver.t))

    def reach(self, target):
        """Go to time `target` or beyond; False where steps become too many."""
        solver, steps = self._solver, 0
        while solver.t < np.log(target):
            solver.step()
            steps += 1
            if solver.status == "failed" or steps > EFFORT:
                return False
            time = np.exp(solver.t)
            solver.atol = still_to_go(self._grad(solver.y), solver.y, time, self._tolerance, self._shape)
        return True

    def at(self, target):
        """Where it was at time `target`, in the last step."""
        return self._solver.dense_output()(np.log(target))


GRADIENT_FLOW = DriverMethod(
    "gradient-flow",
    flow,
    clock="time",
    family="gradient-flow",
    rotation_equivariant=True,
    isometry_equivariant=True,
    rtol=1e-5,
)
