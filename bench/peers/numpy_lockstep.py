"""NumPy: all runs in lock-step, or one alone, with formulas that keep the digits of small angles."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .task import LR, TEACHER, Array, starts

PACKAGES = ("numpy",)


def gradient(w: Array) -> Array:
    """Equation (4) for w (…, n, d), any number of runs in front."""
    h, z = w[..., 0], np.linalg.norm(w[..., 1:], axis=-1)
    norm = np.hypot(h, z)
    unit = w / norm[..., None]
    unit[..., 0] = np.where(h < 0, 1 - h / norm, z * z / (norm * (norm + np.abs(h))))  # 1 − cos θ
    apart = unit[..., :, None, :] - unit[..., None, :, :]
    chord2 = np.einsum("...ijk,...ijk->...ij", apart, apart)
    chord, opposite = np.sqrt(chord2), np.sqrt(np.maximum(4 - chord2, 0))
    angle, sine = 2 * np.arctan2(chord, opposite), 0.5 * chord * opposite
    swing = ((sine @ norm[..., None])[..., 0] - TEACHER * z / norm) / norm
    grad = 0.5 * w.sum(axis=-2, keepdims=True) + (swing[..., None] * w - angle @ w) / (2 * np.pi)
    grad[..., 0] += TEACHER * (np.arctan2(z, h) / (2 * np.pi) - 0.5)
    return grad


def prepare(method: str, n: int, d: int, runs: int) -> Callable[[int], object]:
    """Gradient descent; a single run has no axis for runs."""
    start = starts(n, d, runs)[0] if runs == 1 else starts(n, d, runs)

    def descend(steps: int) -> Array:
        w = start
        for _ in range(steps):
            w = w - LR * gradient(w)
        return w

    return descend
