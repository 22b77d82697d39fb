"""L(w) = w³/3 in one dimension, beside a fast quadratic one: the flow is w = w₀/(1 + w₀t), and e^(−3t)."""

import numpy as np

FAST = 3.0


def loss(x):
    return x[:, 0, 0] ** 3 / 3.0 + 0.5 * FAST * x[:, 0, 1] ** 2


def grad(x):
    return np.stack([x[:, :, 0] ** 2, FAST * x[:, :, 1]], axis=2)


def hessian(x):
    return np.diag([2.0 * x[0, 0], FAST])
