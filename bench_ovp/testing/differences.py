"""Derivatives by central differences, extrapolated, with an error that can be believed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..problems import Array

LEVELS = 10
SHRINK = 1.5
REACH = 0.02  # the longest step, relative to ‖w‖
SETTLED = 4
KINKED = 0.1  # over 4 levels h² shrinks to 0.04, h to 0.2
EPSILON = float(np.finfo(np.float64).eps)


class Slope(NamedTuple):
    """A directional derivative (runs, …), and a bound of its error in Euclidean norm, shape (runs,)."""

    value: Array
    error: Array


def differentiate(function: Callable[[Array], Array], w: Array, direction: Array) -> Slope:
    """The derivative of `function` at `w` along `direction`.

    Args:
        function: maps (runs, n, d) to (runs, …).
        w: points, shape (runs, n, d).
        direction: unit vectors, the shape of `w`.
    Returns:
        The entry of Ridders' tableau with the least estimated error, run by run. Where plain differences do not
        close in as h² does, a kink is near; then extrapolation has nothing to work on, and the error is theirs.
        Where the slopes ahead and behind do not meet, w is on a kink or beside one: their gap is an error, too.

    Source: Ridders (1982), Accurate computation of F'(x) and F'(x)F''(x).
    """
    norms = np.sqrt(np.sum(w * w, axis=(1, 2)))
    h = REACH * np.where(norms > 0.0, norms, 1.0)
    tableau: list[Array] = []  # the row before
    best, error = np.zeros(0), np.full(len(w), np.inf)
    loudest = np.zeros(len(w))
    plain: list[Array] = []
    gaps: list[Array] = []
    here = np.asarray(function(w))
    for level in range(LEVELS):
        step = h[:, None, None] * direction
        ahead, behind = np.asarray(function(w + step)), np.asarray(function(w - step))
        loudest = np.maximum(loudest, np.maximum(_largest(ahead), _largest(behind)))
        row = [(ahead - behind) / _shaped(2.0 * h, ahead)]
        plain.append(row[0])
        gaps.append((ahead + behind - 2.0 * here) / _shaped(h, ahead))
        if level == 0:
            best = row[0]
        for order, before in enumerate(tableau, start=1):
            factor = SHRINK ** (2 * order)
            row.append((factor * row[-1] - before) / (factor - 1.0))
            told = np.maximum(_norm(row[-1] - row[-2]), _norm(row[-1] - before))
            better = told < error
            best = np.where(_shaped(better, best), row[-1], best)
            error = np.where(better, told, error)
        tableau = row
        h = h / SHRINK
    # Entries may agree by chance; they cannot be better than the rounding of the function over the last step.
    rounding = 8.0 * EPSILON * loudest / h
    early, later = (_norm(plain[k + 1] - plain[k]) for k in (0, SETTLED))
    kink = (later > KINKED * early) & (early > 10.0 * rounding)
    error = np.where(kink, 4.0 * _norm(plain[-1] - plain[-2]), 4.0 * error)
    # The gap between slopes ahead and behind falls as h: what is left of it at h = 0, from two successive levels.
    jumps = [(SHRINK * gaps[k] - gaps[k - 1]) / (SHRINK - 1.0) for k in (-1, -2)]
    error = error + np.maximum(_norm(jumps[0]), _norm(jumps[1]))
    return Slope(np.where(_shaped(kink, best), plain[-1], best), error + rounding)


def random_directions(shape: tuple[int, ...], seed: int) -> Array:
    """Unit vectors, one per run, shape (runs, n, d)."""
    found = np.random.default_rng(seed).standard_normal(shape)
    return np.asarray(found / np.sqrt(np.sum(found * found, axis=(1, 2), keepdims=True)))


def _largest(values: Array) -> Array:
    return np.asarray(np.max(np.abs(values.reshape(len(values), -1)), axis=1))


def _norm(values: Array) -> Array:
    return np.asarray(np.sqrt(np.sum(values.reshape(len(values), -1) ** 2, axis=1)))


def _shaped(per_run: NDArray[Any], like: Array) -> NDArray[Any]:
    return per_run.reshape(-1, *(1 for _ in like.shape[1:]))
