"""Loss, gradient and Hessian in plain NumPy, for claims about single states.

The problems' own kernels keep every digit at angles of 1e-12, and cost half a second of compiler. The states of these
claims are harmless, and a table of results shall need no compiler. Tests hold both against the same 120 digits.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Pairs(NamedTuple):
    """Neurons and all their pairs, the teacher last, with sign −1.

    Args:
        neurons, units: (states, n + 1, d).
        lengths, signs: (states, n + 1) and (n + 1,).
        theta: angles, (states, n + 1, n + 1).
        delta, sigma: unit vectors along ūᵢ − ūⱼ and ūᵢ + ūⱼ, or 0, (states, n + 1, n + 1, d).
    """

    neurons: Array
    units: Array
    lengths: Array
    signs: Array
    theta: Array
    delta: Array
    sigma: Array


def list_pairs(w: Array, teacher: float) -> Pairs:
    """The pairs of students w (states, n, d) and the teacher ‖v‖e₁."""
    v = np.zeros((len(w), 1, w.shape[2]))
    v[..., 0] = teacher
    neurons = np.concatenate([w, v], axis=1)
    lengths = np.linalg.norm(neurons, axis=2)
    units = neurons / lengths[..., None]
    apart, together = units[:, :, None] - units[:, None], units[:, :, None] + units[:, None]
    m, p = np.linalg.norm(apart, axis=3), np.linalg.norm(together, axis=3)
    delta, sigma = (
        np.divide(x, norm[..., None], out=np.zeros_like(x), where=norm[..., None] > 0)
        for x, norm in ((apart, m), (together, p))
    )
    signs = np.ones(neurons.shape[1])
    signs[-1] = -1.0
    return Pairs(neurons, units, lengths, signs, 2 * np.arctan2(m, p), delta, sigma)


def loss(w: Array, teacher: float) -> Array:
    """L = ¼ Σ sᵢsⱼ ‖uᵢ‖‖uⱼ‖ (sin θᵢⱼ + (π − θᵢⱼ) cos θᵢⱼ)/π, shape (states,)."""
    pairs = list_pairs(w, teacher)
    kernel = np.sin(pairs.theta) + (np.pi - pairs.theta) * np.cos(pairs.theta)
    weights = pairs.signs * pairs.lengths
    return np.asarray(np.einsum("si,sij,sj->s", weights, kernel, weights) / (4 * np.pi))


def grad(w: Array, teacher: float) -> Array:
    """(4): ∇ᵢ = Σⱼ sⱼ [(π − θᵢⱼ)uⱼ + ‖uⱼ‖ sin θᵢⱼ ūᵢ]/2π, the shape of w."""
    pairs = list_pairs(w, teacher)
    towards = (np.pi - pairs.theta) * pairs.signs @ pairs.neurons
    along = np.einsum("sij,sj->si", np.sin(pairs.theta), pairs.signs * pairs.lengths)
    return np.asarray((towards + along[..., None] * pairs.units)[:, :-1] / (2 * np.pi))


def hessian(w: Array, teacher: float) -> Array:
    """(51) with its n normalised, shape (states, n·d, n·d).

    With σ̄ and δ̄ along ūᵢ ± ūⱼ the rank-one terms of an off-diagonal block are sin θ (σ̄σ̄ᵀ − δ̄δ̄ᵀ), and n̄ in the
    i-th diagonal one is sin(θ/2)σ̄ − cos(θ/2)δ̄.
    """
    states, n, d = w.shape
    pairs = list_pairs(w, teacher)
    theta, sigma, delta = pairs.theta[:, :-1], pairs.sigma[:, :-1], pairs.delta[:, :-1]
    sine = np.sin(theta)[..., None, None]
    turned = sine * (_square(sigma) - _square(delta))
    crossed = ((np.pi - theta)[..., None, None] * np.eye(d) + turned) / (2 * np.pi)
    across = np.sin(theta / 2)[..., None] * sigma - np.cos(theta / 2)[..., None] * delta
    weight = pairs.signs * pairs.lengths[:, None] / pairs.lengths[:, :-1, None] / (2 * np.pi)
    bent = weight[..., None, None] * sine * (np.eye(d) - _square(pairs.units[:, :-1])[:, :, None] + _square(across))
    out = crossed[:, :, :n].transpose(0, 1, 3, 2, 4).copy()
    same = np.arange(n)
    out[:, same, :, same] = (0.5 * np.eye(d) + bent.sum(axis=2)).transpose(1, 0, 2, 3)
    return out.reshape(states, n * d, n * d)


def _square(x: Array) -> Array:
    """x xᵀ over the last axis."""
    return np.asarray(x[..., :, None] * x[..., None, :])
