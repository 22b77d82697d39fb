"""The way out of zero: the direction in which a student there would lower the loss most, or raise it least.

It is the minimum on the sphere of φ, the loss per length of the student; see `vanished`. Where φ is positive there,
the student stays.

Source: docs/mathematics.md, "Students near zero".
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from bench_ovp.cholesky import solve

from .curvature import add_bend, directions, spread
from .vectors import COMPILED

SERIES = 0.5  # rad, below which q is summed
MOST_STEPS = 60
ENOUGH = 1e-6  # of φ: it is found when no step would lower it by more
FLAT = 1e-3  # of the largest curvature of φ: a direction with less is taken to have this much at least
STIFFER = 4.0  # by what a curvature that is added grows, until all directions curve upward
HALF_OVER_PI = 0.5 / np.pi


@njit(**COMPILED)
def search(teacher, w, r, ways):
    """The least φ, and the unit vector (d,) where it is.

    It is looked for from the teacher's direction. There it is when students are close to the teacher: Kw(u) = 2π
    E[[w·x]₊[u·x]₊] is convex in w, so that 2πφ(u) ≥ K(v + r) − K(v) = O(‖r‖), and exceeds it by the second order of
    the angles wherever u is at a larger angle than they are.

    Args:
        teacher, w, r: as in `exit_slope`.
        ways: unit vectors from which it is looked for as well, (k, d).
    """
    begin = np.zeros(len(r))
    begin[0] = 1.0
    least, place = descend(teacher, w, r, begin)
    for way in ways:
        value, end = descend(teacher, w, r, way)
        if value < least:
            least, place = value, end
    return least, place


@njit(**COMPILED)
def descend(teacher, w, r, u):
    """A minimum of φ on the sphere, from u (d,), by Newton's method where φ is convex; φ and its place."""
    value, slope, bend = exit_slope(teacher, w, r, u)
    for _ in range(MOST_STEPS):
        step = solve_upward(bend, slope, u)
        gain = 0.0
        for k in range(len(u)):
            gain += step[k] * slope[k]
        if not gain > ENOUGH * abs(value):
            break
        lower = False
        for _ in range(MOST_STEPS):
            moved = u - step
            moved /= math.sqrt(np.sum(moved * moved))
            found, found_slope, found_bend = exit_slope(teacher, w, r, moved)
            if found < value:
                lower = True
                break
            step = 0.5 * step
        if not lower:
            break
        u, value, slope, bend = moved, found, found_slope, found_bend
    return value, u


@njit(**COMPILED)
def solve_upward(bend, slope, u):
    """(M + s)⁻¹ `slope` across u, with the least s ≥ 0 of a few that makes all directions across u curve upward.

    Args:
        bend: M, the Hessian along the sphere, (d, d), 0 along u.
        slope: across u, (d,).
        u: a unit vector, (d,).
    """
    d = len(u)
    largest = 0.0
    for k in range(d):
        row = 0.0
        for q in range(d):
            row += abs(bend[k, q])
        largest = max(largest, row)
    turned, step, added = np.empty((d, d)), np.empty(d), 0.0
    while True:
        for k in range(d):
            step[k] = slope[k]
            for q in range(k + 1):
                turned[k, q] = bend[k, q] + largest * u[k] * u[q]
            turned[k, k] += added
        if solve(turned, step, FLAT * largest):
            return step
        added = STIFFER * added + FLAT * largest
        if not added < 2.0 * d * largest:  # a matrix of zeros, or not of numbers
            return np.full(d, math.nan)


@njit(**COMPILED)
def arc_moment(theta):
    """q(θ) = sin θ − θ cos θ, to relative precision."""
    if theta > SERIES:
        return math.sin(theta) - theta * math.cos(theta)
    x = theta * theta
    return theta * x * (1 / 3 - x * (1 / 30 - x * (1 / 840 - x * (1 / 45360 - x / 3991680))))


@njit(**COMPILED)
def exit_slope(teacher, w, r, u):
    """φ at u, and its gradient (d,) and Hessian (d, d) along the sphere; they hold small angles precisely.

    Args:
        w: the students that are not zero, (m, d).
        r: their sum less v, (d,).
        u: a unit vector, (d,).
    """
    m, d = w.shape
    unit, norm, verse = directions(w)
    zz = 0.0
    for k in range(1, d):
        zz += u[k] * u[k]
    own = zz / (1.0 + u[0]) if u[0] > 0.0 else 1.0 - u[0]
    delta, sigma, v = np.empty(d), np.empty(d), np.zeros(d)
    v[0] = 1.0
    value, slope, bend = 0.0, np.empty(d), np.zeros((d, d))
    for k in range(d):
        value += 0.5 * u[k] * r[k]
        slope[k] = 0.5 * r[k]
    for j in range(m + 1):
        if j < m:
            weight = HALF_OVER_PI * norm[j]
            chord, across, theta = spread(u, unit[j], own, verse[j], delta, sigma)
        else:
            weight = -HALF_OVER_PI * teacher
            chord, across, theta = spread(u, v, own, 0.0, delta, sigma)
        value += weight * arc_moment(theta)
        for k in range(d):
            slope[k] += weight * theta * delta[k]
        add_bend(bend, 0, u, chord, across, delta, sigma, weight)
    along = 0.0
    for k in range(d):
        along += slope[k] * u[k]
    for k in range(d):
        slope[k] -= along * u[k]
        for q in range(d):
            bend[k, q] -= value * ((1.0 if k == q else 0.0) - u[k] * u[q])
    return value, slope, bend
