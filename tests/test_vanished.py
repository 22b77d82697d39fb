"""Students that a gradient flow draws to zero and holds there."""

import mpmath as mp
import numpy as np
import pytest
from mpmath import mpf

import bench_ovp as ovp
from bench_ovp.optimizers import Optimizer
from bench_ovp.problems import Problem
from bench_ovp_neuron.deviating import Deviating
from bench_ovp_neuron.exits import exit_slope
from bench_ovp_neuron.problems import EPSILON, Neuron
from bench_ovp_neuron.vanished import Held, find_exit, hold
from bench_ovp_optimizers.first_order import GRADIENT_DESCENT
from bench_ovp_optimizers.flow import GRADIENT_FLOW

TRAPPED = [[0.01, 0.02], [0.1, 2.0], [0.0, -2.1]]  # the first arrives at zero at t = 0.1


def draw(rng, m=4, d=6, angle=1.0):
    """Students (m, d) at angles of this size, and their r."""
    w = rng.standard_normal((m, d)) * angle
    w[:, 0] = rng.uniform(0.1, 0.4, m)
    r = w.sum(axis=0)
    r[0] -= 1.0
    return w, r


def towards(rng, d, angle):
    u = angle * rng.standard_normal(d)
    u[0] = 1.0
    return u / np.linalg.norm(u)


def exact_exit(w, r, u):
    """φ in 60 digits, from r and not from Σwᵢ, which rounds."""
    with mp.workdps(60):

        def moment(a, b):
            a, b = mp.matrix(list(map(mpf, a))), mp.matrix(list(map(mpf, b)))
            a, b = a / mp.norm(a), b / mp.norm(b)
            theta = 2 * mp.atan2(mp.norm(a - b), mp.norm(a + b))
            return mp.sin(theta) - theta * mp.cos(theta)

        v = np.eye(1, len(u))[0]
        arcs = sum(mp.norm(mp.matrix(list(map(mpf, row)))) * moment(row, u) for row in w) - moment(v, u)
        length = mp.norm(mp.matrix(list(map(mpf, u))))
        return sum(mpf(a) * mpf(b) for a, b in zip(u, r, strict=True)) / 2 / length + arcs / (2 * mp.pi)


@pytest.mark.parametrize("angle", [1.0, 1e-2, 1e-6, 1e-12])
def test_what_a_student_would_gain_by_leaving(angle):
    rng = np.random.default_rng(0)
    for _ in range(10):
        w, _ = draw(rng, angle=angle)
        u = towards(rng, 6, angle)
        r = angle**3 * rng.standard_normal(6)  # as it is on the slow manifold, where φ is as small
        exact = exact_exit(w, r, u)
        # The terms are as large as angle³, and may cancel; a chord is known to ε.
        assert abs(float(exit_slope(1.0, w, r, u)[0] - exact)) < 1e-14 * max(angle**3, abs(exact))


def test_its_derivatives_along_the_sphere():
    rng = np.random.default_rng(1)
    w, r = draw(rng)
    u, size = towards(rng, 6, 1.0), 1e-5
    _, slope, bend = exit_slope(1.0, w, r, u)

    def value(x):
        return exit_slope(1.0, w, r, x / np.linalg.norm(x))[0]

    def tangent(x):
        return exit_slope(1.0, w, r, x / np.linalg.norm(x))[1] / np.linalg.norm(x)

    steps = size * np.eye(6)
    found = np.array([(value(u + step) - value(u - step)) / (2 * size) for step in steps])
    np.testing.assert_allclose(slope, found, atol=1e-10)
    along = np.eye(6) - np.outer(u, u)
    found = along @ np.array([(tangent(u + step) - tangent(u - step)) / (2 * size) for step in steps]) @ along
    np.testing.assert_allclose(bend, found, atol=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_the_way_out_is_the_least_of_many(seed):
    """Early, when students are spread out: no direction of 20,000 has a smaller φ."""
    rng = np.random.default_rng(seed)
    w = 0.3 * rng.standard_normal((8, 3))
    problem = Neuron(1.0)
    ways = -problem.residual(w[None])
    value, way = find_exit(problem, w, ways / np.linalg.norm(ways))
    others = rng.standard_normal((20_000, 3))
    others /= np.linalg.norm(others, axis=1, keepdims=True)
    r = problem.residual(w[None])[0]
    assert value <= min(exit_slope(1.0, w, r, u)[0] for u in others)
    assert exit_slope(1.0, w, r, way)[0] == value


def test_a_student_is_held_only_where_all_directions_push_it_back():
    spread = np.array([[0.0, 2.0], [0.1, -2.1]])  # Σ‖wⱼ‖ > π‖v‖
    tiny = np.array([[6e-10, 8e-10]])
    problem = Neuron(1.0)
    found = hold(problem, np.concatenate([tiny, spread]))
    assert found is not None
    held, rest = found
    np.testing.assert_array_equal(rest, spread)
    assert held.margin(rest) > 0.1
    assert problem.loss(np.concatenate([tiny, spread])[None]) == pytest.approx(held.loss(rest[None]), rel=1e-9)
    # Not where the teacher outweighs the others, nor before it has come close.
    assert hold(problem, np.concatenate([tiny, 0.5 * spread])) is None
    assert hold(problem, np.concatenate([1e4 * tiny, spread])) is None
    assert hold(problem, spread) is None


def test_rounding_lets_no_student_go():
    """At t = 1e15 φ is 1e-46, and the gradient, which no step knows to more than 16 digits, 1e-30."""
    problem, seed = ovp.problem("teacher-neuron", n=20, d=20), 17
    run = ovp.run(problem, ovp.optimizer("gradient-flow"), [seed], time=1e15).runs[0]
    whole, _ = problem.recenter(problem.start([seed]))
    x = np.asarray(run.state["first_x"])
    held, _ = whole.hold(x, np.asarray(run.state["first_held"]))
    rng, unit = np.random.default_rng(0), EPSILON * np.linalg.norm(held.grad(x[None]))
    near = [x + unit * rng.standard_normal(x.shape) for _ in range(50)]
    assert min(find_exit(held.recentered._rest, y)[0] for y in near) < 0.0
    assert min(held.margin(y) for y in near) > 0.0
    assert held.margin(x) < 2 * 16 * unit  # and by no more


def test_what_is_held_is_remembered_and_observed():
    w = np.array([[0.0, 2.0], [6e-10, 8e-10], [0.1, -2.1]])
    for problem, x in ((Neuron(1.0), w), settled(Deviating(1.0, 3), w)):
        held, rest = hold(problem, x)
        again, same = problem.hold(rest, held.memory)
        assert isinstance(again, Held)
        np.testing.assert_array_equal(rest, same)
        for query in ("loss", "grad", "hessian"):
            np.testing.assert_array_equal(getattr(held, query)(rest[None]), getattr(again, query)(rest[None]))
        seen, whole = held.observe(rest[None]), problem.observe(x[None])
        assert list(seen) == list(whole)
        assert seen["norm_min"] == 0.0
        assert np.isnan(seen.pop("theta_2"))
        for name, value in seen.items():
            if name not in ("norm_min", "balance", "theta_sin2"):  # which know, or miss, the direction of what is 0
                np.testing.assert_allclose(value, whole[name], rtol=1e-8, atol=1.1e-9)


def settled(problem, w):
    there, x = problem.settle(w[None])
    return there, x[0]


def test_small_steps_converge_to_the_flow_that_holds():
    """Gradient descent hops about zero, nearer the smaller its steps are; its loss tends to that of the flow."""
    problem = ovp.problem("teacher-neuron", w0=TRAPPED)
    flow = ovp.run(problem, ovp.optimizer("gradient-flow"), [0], time=10.0).frame()
    assert flow.norm_min[flow.time > 0.2].eq(0.0).all()
    assert flow.loss_rtol.max() < 1e-10
    steps = [ovp.run(problem, ovp.optimizer("gradient-descent", lr=lr), [0], iterations=round(10 / lr)).frame().iloc[-1]
             for lr in (2e-3, 1e-3, 5e-4)]  # fmt: skip
    losses, norms = [step.loss for step in steps], [step.norm_min for step in steps]
    assert norms[0] > 1.9 * norms[1] > 3.6 * norms[2]
    # lr → 0 by two steps of Richardson's extrapolation; what is left is third order, and the hopping, which is not.
    one, other = 2 * losses[1] - losses[0], 2 * losses[2] - losses[1]
    assert (4 * other - one) / 3 == pytest.approx(flow.loss.iloc[-1], rel=1e-6)


def test_a_student_held_at_zero_stays_there_to_the_end():
    """From σ = 0.1 at n = 20: the loss of the others falls like T⁻³, and its error stays small."""
    problem = ovp.problem("teacher-neuron", n=20, d=20)
    frame = ovp.run(problem, ovp.optimizer("gradient-flow"), [0], time=1e9).frame()
    late = frame[frame.time >= 1.0]
    assert late.norm_min.eq(0.0).all()
    assert late.theta_2.isna().all()
    assert not late.theta_1.isna().any()
    assert frame.loss_rtol.max() < 1e-9
    scaled = (late.loss * late.time**3)[late.time >= 1e8]
    assert scaled.max() / scaled.min() < 1.0 + 2e-5  # the correction is 1100/t


def test_a_flow_that_holds_goes_on_bitwise():
    problem, flow = ovp.problem("teacher-neuron", w0=TRAPPED), ovp.optimizer("gradient-flow")
    from bench_ovp.checkpoints import Horizon
    from bench_ovp.integrate import integrate

    short = integrate(problem, flow, [0], Horizon(time=5.0), per_decade=5)
    whole = integrate(problem, flow, [0], Horizon(time=50.0), per_decade=5)
    on = integrate(problem, flow, [0], Horizon(time=50.0), per_decade=5, earlier=short.runs)
    assert whole.frame().equals(on.frame())


class Trap:
    """L = φ(y)|x| + x² + y² + 1/3 with φ = y − 1: x is held at 0 while y > 1, and let go then. w = (x, y)ᵀ."""

    name = "trap"

    def start(self, seeds):
        return np.tile([[0.5], [3.0]], (len(seeds), 1, 1))

    def loss(self, w):
        x, y = w[:, 0, 0], w[:, 1, 0]
        return (y - 1.0) * np.abs(x) + x**2 + y**2 + 1.0 / 3.0

    def grad(self, w):
        x, y = w[:, 0, 0], w[:, 1, 0]
        return np.stack([(y - 1.0) * np.sign(x) + 2.0 * x, np.abs(x) + 2.0 * y], axis=1)[:, :, None]

    def hessian(self, w):
        return 2.0 * np.eye(2) + np.sign(w[:, 0, 0])[:, None, None] * [[0.0, 1.0], [1.0, 0.0]]

    def hold(self, w, memory=None):
        if memory is None and (abs(w[0, 0]) > 1e-9 or w[1, 0] <= 1.0):
            return None
        return Sprung(), w[-1:]


class Sprung(Trap):
    """The trap while x is 0; w = (y)."""

    memory = np.ones(1)

    def loss(self, w):
        return w[:, 0, 0] ** 2 + 1.0 / 3.0

    def grad(self, w):
        return 2.0 * w

    def hessian(self, w):
        return np.full((len(w), 1, 1), 2.0)

    def margin(self, w):
        return w[0, 0] - 1.0

    def release(self, w):
        return Trap(), np.array([[1e-8], w[0]])


def test_what_is_held_is_let_go():
    """Against the closed form: x arrives, y = y₁e^(−2t) meanwhile, and from y = 1 on x > 0 under a linear system."""
    flow = Optimizer(GRADIENT_FLOW, {})
    frame = ovp.run(Problem(Trap), flow, [0], time=3.0).frame()

    def follow(start, duration):  # x' = 1 − y − 2x, y' = −2y − x while x > 0: eigenvalues −1 and −3
        towards = np.array([2.0, -1.0]) / 3.0
        x, y = start - towards
        plus, minus = 0.5 * (x + y) * np.exp(-3.0 * duration), 0.5 * (x - y) * np.exp(-duration)
        return towards + np.array([plus + minus, plus - minus])

    low, high = 0.0, 0.5
    for _ in range(60):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if follow(np.array([0.5, 3.0]), middle)[0] > 0.0 else (low, middle)
    arrived, y = low, follow(np.array([0.5, 3.0]), low)[1]
    left = arrived + 0.5 * np.log(y)
    assert 0.1 < arrived < left < 1.0
    for time, loss in zip(frame.time, frame.loss, strict=True):
        if time <= arrived:
            x, at = follow(np.array([0.5, 3.0]), time)
        elif time <= left:
            x, at = 0.0, y * np.exp(-2.0 * (time - arrived))
        else:
            x, at = follow(np.array([0.0, 1.0]), time - left)
        exact = (at - 1.0) * x + x**2 + at**2 + 1.0 / 3.0
        # After it has left, the flow goes on within the coarser tolerance of a student near zero, 1e-5 of ‖w‖.
        assert loss == pytest.approx(exact, abs=1e-8 if time <= left else 1e-4)
    assert any(arrived < time < left for time in frame.time)


def test_steps_do_not_hold():
    """A discrete method sees the loss as it is."""
    problem = ovp.problem("teacher-neuron", w0=TRAPPED)
    frame = ovp.run(problem, Optimizer(GRADIENT_DESCENT, {"lr": 0.01}), [0], iterations=1000).frame()
    assert frame.norm_min.min() > 0.0
