"""The gradient flow to late times, by another solver than the shipped one and to a tolerance of its own."""

from functools import cache

import numpy as np
from scipy.integrate import DOP853, Radau

import bench_ovp as ovp
from bench_ovp_neuron.twofold import unrotate

STIFF = 10.0  # a time from which an implicit method pays
RTOL = 1e-9


@cache
def late_states(n, seed, times, d=20, sigma=0.1):
    """(L, h, z) of the flow of `teacher-neuron` at each of the ascending `times`, all above STIFF.

    In deviations, and in s = log t from STIFF on: dx/ds = −t∇L(x), by Radau's method of order 5.
    """
    start = ovp.problem("teacher-neuron", n=n, d=d, sigma=sigma)
    problem, x = start.recenter(start.reduce(start.start([seed])))
    shape = x.shape[1:]

    def allow(state):
        """A share of each row's length across the teacher, θ, or of θ²: what dies away must not stop the rest."""
        sizes = np.linalg.norm(state.reshape(shape)[:, 1:], axis=1, keepdims=True)
        return np.broadcast_to(RTOL * np.maximum(sizes, sizes.max() ** 2), shape).ravel()

    def grad(state):
        return problem.grad(state.reshape(shape)).ravel()

    early = DOP853(lambda t, x: -grad(x), 0.0, x.ravel(), STIFF, rtol=RTOL, atol=1e-12)
    while early.status == "running":
        early.step()
    late = Radau(
        lambda s, x: -np.exp(s) * grad(x),
        np.log(STIFF),
        early.y,
        np.log(times[-1]),
        rtol=RTOL,
        atol=allow(early.y),
        jac=lambda s, x: -np.exp(s) * problem.hessian(x.reshape(shape)),
    )
    found, marks = [], list(np.log(times))
    while marks:
        late.step()
        assert late.status != "failed"
        late.atol = allow(late.y)
        while marks and marks[0] <= late.t:
            state = late.dense_output()(marks.pop(0)).reshape(shape)
            w = unrotate(1.0, state[None])[0][0]
            found.append((float(problem.loss(state)), w[:, 0], w[:, 1:]))
    return found
