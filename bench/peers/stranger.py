"""A stranger's heavy ball: written in NumPy's manner by somebody who never heard of lanes."""

import bench_ovp as ovp


def roll(oracle, w, state, k, lr=0.05, beta=0.9):
    """v ← βv − lr ∇L(w), w ← w + v."""
    (velocity,) = state
    velocity = beta * velocity - lr * oracle.grad(w)
    return w + velocity, (velocity,)


@ovp.hookimpl
def bench_ovp_optimizers():
    return [ovp.StepMethod("stranger", roll, init=lambda w: (0.0 * w,), rotation_equivariant=True)]
