"""A step of either method in plain numba loops, in place."""

import math

import numpy as np
from numba import njit


@njit(cache=True)
def step(w, velocity, teacher, lr, beta):
    """v ← βv − lr ∇L(w), w ← w + v, with equation (4) for ∇L; gradient descent has β = 0."""
    n, d = w.shape
    norm, swing = np.empty(n), np.empty(n)
    pull = np.zeros((n, d))
    total = np.zeros(d)
    length = 0.0
    for k in range(d):
        length += teacher[k] * teacher[k]
    length = math.sqrt(length)
    for i in range(n):
        square, inner = 0.0, 0.0
        for k in range(d):
            square += w[i, k] * w[i, k]
            inner += w[i, k] * teacher[k]
            total[k] += w[i, k]
        norm[i] = math.sqrt(square)
        cosine = min(1.0, max(-1.0, inner / (norm[i] * length)))
        angle = math.acos(cosine)
        swing[i] = -length * math.sqrt(1.0 - cosine * cosine)
        for k in range(d):
            pull[i, k] = angle * teacher[k]
    for i in range(n):
        for j in range(i):
            inner = 0.0
            for k in range(d):
                inner += w[i, k] * w[j, k]
            cosine = min(1.0, max(-1.0, inner / (norm[i] * norm[j])))
            angle, sine = math.acos(cosine), math.sqrt(1.0 - cosine * cosine)
            swing[i] += norm[j] * sine
            swing[j] += norm[i] * sine
            for k in range(d):
                pull[i, k] -= angle * w[j, k]
                pull[j, k] -= angle * w[i, k]
    for i in range(n):
        for k in range(d):
            gradient = (total[k] - teacher[k]) / 2 + (swing[i] / norm[i] * w[i, k] + pull[i, k]) / (2 * math.pi)
            velocity[i, k] = beta * velocity[i, k] - lr * gradient
            w[i, k] += velocity[i, k]
