"""Loss (23) and gradient (4) of a batch of runs, sixteen runs side by side.

A block holds LANES runs in its last axis, (n, d, LANES), and every innermost loop goes over that axis with a
constant length: the compiler turns it into vector instructions, and a run's arithmetic never depends on what
its neighbours are. The teacher is ‖v‖e₁; hᵢ = wᵢ₁ and zᵢ = (wᵢ₂, …, wᵢ_d), so that the angles keep their
relative precision however small they get.

Source: equations (4) and (23) of Xu & Du (2023), after Safran & Shamir (2018), rearranged in
docs/mathematics.md.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from .angles import COMPILED, INLINED, angle, angle_defect, fma, sine_excess

LANES = 16
HALF_OVER_PI = 0.5 / np.pi


@njit(**INLINED)
def polar_angle(acute, h):
    """The angle to the teacher in [0, π], from the acute angle to its line."""
    return np.pi - acute if h < 0.0 else acute


@njit(**INLINED)
def versine(norm, z, h):
    """1 − cos θ = ‖z‖²/(‖w‖(‖w‖ + h)), by subtraction only where h < 0 and nothing cancels."""
    return 1.0 - h / norm if h < 0.0 else z * z / (norm * (norm + h))


@njit(**COMPILED)
def measure(w, teacher, norm, z_norm, unit, verse, acute, r):
    """Fill what both loss and gradient need: ‖wᵢ‖, ‖zᵢ‖, ūᵢ, 1 − cos θᵢ, the acute angle between wᵢ and the
    teacher's line, and in the rows of r (d + 1, LANES) the vector r = Σwᵢ − v, then Σhᵢ.

    The sums are compensated: near the minimum r is the small difference of large numbers.
    """
    n, d, _ = w.shape
    r_low = np.zeros((d, LANES))
    for k in range(d):
        for q in range(LANES):
            r[k, q] = 0.0
    for i in range(n):
        for q in range(LANES):
            z_norm[i, q] = 0.0
        for k in range(1, d):
            for q in range(LANES):
                z_norm[i, q] = fma(w[i, k, q], w[i, k, q], z_norm[i, q])
        for q in range(LANES):
            h = w[i, 0, q]
            length = math.sqrt(h * h + z_norm[i, q])
            z = math.sqrt(z_norm[i, q])
            norm[i, q] = length
            z_norm[i, q] = z
            verse[i, q] = versine(length, z, h)
            acute[i, q] = angle(z, abs(h))
        for k in range(d):
            for q in range(LANES):
                x = w[i, k, q]
                unit[i, k, q] = x / norm[i, q]
                total = r[k, q] + x  # Knuth's two-sum: total + lost = r + x exactly
                rest = total - r[k, q]
                r_low[k, q] += (r[k, q] - (total - rest)) + (x - rest)
                r[k, q] = total
    for q in range(LANES):
        heights = r[0, q]
        total = heights - teacher
        rest = total - heights
        r[d, q] = heights + r_low[0, q]
        r[0, q] = total
        r_low[0, q] += (heights - (total - rest)) + (-teacher - rest)
    for k in range(d):
        for q in range(LANES):
            r[k, q] += r_low[k, q]


@njit(**COMPILED)
def chords(i, j, unit, verse, minus, plus):
    """Fill ‖ūᵢ − ūⱼ‖ and ‖ūᵢ + ūⱼ‖; the first coordinates differ by versines, never by cosines."""
    d = unit.shape[1]
    for q in range(LANES):
        x = verse[i, q] - verse[j, q]
        minus[q] = x * x
    k = 1
    while k + 4 <= d:  # four coordinates a pass: the sum stays in registers
        for q in range(LANES):
            a = unit[i, k, q] - unit[j, k, q]
            b = unit[i, k + 1, q] - unit[j, k + 1, q]
            c = unit[i, k + 2, q] - unit[j, k + 2, q]
            e = unit[i, k + 3, q] - unit[j, k + 3, q]
            minus[q] += fma(a, a, b * b) + fma(c, c, e * e)
        k += 4
    while k < d:
        for q in range(LANES):
            a = unit[i, k, q] - unit[j, k, q]
            minus[q] = fma(a, a, minus[q])
        k += 1
    opposite = 0
    for q in range(LANES):
        plus[q] = 4.0 - minus[q]
        opposite += minus[q] > 3.0
    if opposite:  # nearly opposite: 4 − m² would cancel, in the lanes where it does
        for q in range(LANES):
            if minus[q] > 3.0:
                x = 2.0 - verse[i, q] - verse[j, q]
                total = x * x
                for k in range(1, d):
                    a = unit[i, k, q] + unit[j, k, q]
                    total += a * a
                plus[q] = total
    for q in range(LANES):
        minus[q] = math.sqrt(minus[q])
        plus[q] = math.sqrt(plus[q])


@njit(**COMPILED)
def block_loss(w, teacher, norm, unit, verse, acute, r, loss):
    """Fill `loss` (LANES,) with (23): ¼‖r‖² + (1/2π)(Σ_{i<j} f(θᵢⱼ)‖wᵢ‖‖wⱼ‖ − Σ f(θᵢ)‖wᵢ‖‖v‖), f = sin θ − θ cos θ.

    `measure` must have filled the other arrays.
    """
    n, d, _ = w.shape
    minus = np.empty(LANES)
    plus = np.empty(LANES)
    arcs = np.zeros(LANES)
    for i in range(n):
        for q in range(LANES):
            arcs[q] -= angle_defect(polar_angle(acute[i, q], w[i, 0, q])) * norm[i, q] * teacher
        for j in range(i):
            chords(i, j, unit, verse, minus, plus)
            for q in range(LANES):
                t = 2.0 * angle(minus[q], plus[q])
                arcs[q] += angle_defect(t) * norm[i, q] * norm[j, q]
    for q in range(LANES):
        loss[q] = 0.0
    for k in range(d):
        for q in range(LANES):
            loss[q] += r[k, q] * r[k, q]
    for q in range(LANES):
        # The loss is an expectation of a square: rounding must not take it below 0.
        loss[q] = 0.25 * loss[q] + HALF_OVER_PI * arcs[q]
        loss[q] = 0.0 if loss[q] < 0.0 else loss[q]


@njit(**COMPILED)
def block_grad(w, teacher, norm, z_norm, unit, verse, acute, r, grad):
    """Fill `grad` (n, d, LANES) with (4), its first coordinate freed of O(θ) terms that cancel to O(θ³).

    With cᵢ = cos θᵢ and s, t = sin θᵢⱼ, θᵢⱼ, the bracket of (4) along the teacher is
        Σⱼ ‖wⱼ‖[(s − t)cᵢ + t(cᵢ − cⱼ)] − ‖v‖[(sin θᵢ − θᵢ)cᵢ − θᵢ(1 − cᵢ)],
    and across it (Σⱼ‖wⱼ‖s − ‖v‖sin θᵢ)zᵢ/‖wᵢ‖ − Σⱼ t zⱼ. Behind the teacher (hᵢ < 0, φ = π − θᵢ) its part is
    −‖v‖(φ − sin φ cos φ) instead, and ½(Σw − v) becomes ½Σw: what cancels is left out on both sides. `measure`
    must have filled the other arrays.
    """
    n, d, _ = w.shape
    minus = np.empty(LANES)
    plus = np.empty(LANES)
    arc = np.empty(LANES)
    along = np.empty((n, LANES))  # multiplies cᵢ
    tilt = np.empty((n, LANES))  # the terms in differences of cosines
    across = np.empty((n, LANES))  # multiplies zᵢ/‖wᵢ‖
    for i in range(n):
        for q in range(LANES):
            a = acute[i, q]
            behind = w[i, 0, q] < 0.0
            excess = sine_excess(2.0 * a if behind else a)  # 2φ − sin 2φ, or θ − sin θ
            along[i, q] = 0.0 if behind else teacher * excess
            tilt[i, q] = -0.5 * teacher * excess if behind else teacher * a * verse[i, q]
            across[i, q] = -teacher * (z_norm[i, q] / norm[i, q])
        for k in range(d):
            for q in range(LANES):
                grad[i, k, q] = 0.0
        for j in range(i):
            chords(i, j, unit, verse, minus, plus)
            for q in range(LANES):
                t = 2.0 * angle(minus[q], plus[q])
                s = 0.5 * minus[q] * plus[q]
                x = sine_excess(t)
                bend = t * (verse[j, q] - verse[i, q])
                arc[q] = t
                along[i, q] = fma(-x, norm[j, q], along[i, q])
                along[j, q] = fma(-x, norm[i, q], along[j, q])
                tilt[i, q] = fma(bend, norm[j, q], tilt[i, q])
                tilt[j, q] = fma(-bend, norm[i, q], tilt[j, q])
                across[i, q] = fma(s, norm[j, q], across[i, q])
                across[j, q] = fma(s, norm[i, q], across[j, q])
            for k in range(1, d):
                for q in range(LANES):
                    grad[i, k, q] = fma(-arc[q], w[j, k, q], grad[i, k, q])
                    grad[j, k, q] = fma(-arc[q], w[i, k, q], grad[j, k, q])
    for i in range(n):
        for q in range(LANES):
            cosine = w[i, 0, q] / norm[i, q]
            pull = r[d, q] if w[i, 0, q] < 0.0 else r[0, q]
            grad[i, 0, q] = 0.5 * pull + HALF_OVER_PI * (along[i, q] * cosine + tilt[i, q])
        for k in range(1, d):
            for q in range(LANES):
                grad[i, k, q] = 0.5 * r[k, q] + HALF_OVER_PI * (grad[i, k, q] + across[i, q] * unit[i, k, q])


@njit(**COMPILED)
def gather(w, first, block):
    """Copy runs first … first + LANES − 1 into a block; the last run fills lanes that are left over."""
    runs, n, d = w.shape
    for q in range(LANES):
        run = min(first + q, runs - 1)
        for i in range(n):
            for k in range(d):
                block[i, k, q] = w[run, i, k]


@njit(**COMPILED)
def evaluate(constants, w, want_loss, want_grad):
    """Loss (runs,) and gradient (runs, n, d) of a batch; what is not wanted comes back unfilled."""
    runs, n, d = w.shape
    teacher = constants[0]
    losses = np.empty(runs)
    grads = np.empty_like(w)
    block = np.empty((n, d, LANES))
    unit = np.empty((n, d, LANES))
    grad = np.empty((n, d, LANES))
    norm = np.empty((n, LANES))
    z_norm = np.empty((n, LANES))
    verse = np.empty((n, LANES))
    acute = np.empty((n, LANES))
    r = np.empty((d + 1, LANES))
    loss = np.empty(LANES)
    for first in range(0, runs, LANES):
        gather(w, first, block)
        measure(block, teacher, norm, z_norm, unit, verse, acute, r)
        filled = min(LANES, runs - first)
        if want_loss:
            block_loss(block, teacher, norm, unit, verse, acute, r, loss)
            for q in range(filled):
                losses[first + q] = loss[q]
        if want_grad:
            block_grad(block, teacher, norm, z_norm, unit, verse, acute, r, grad)
            for q in range(filled):
                for i in range(n):
                    for k in range(d):
                        grads[first + q, i, k] = grad[i, k, q]
    return losses, grads


@njit(**COMPILED)
def batch_loss(constants, w):
    """Loss (23), shape (runs,), of w (runs, n, d); constants = [‖v‖]."""
    return evaluate(constants, w, True, False)[0]


@njit(**COMPILED)
def batch_grad(constants, w):
    """Gradient (4), shape (runs, n, d), of w (runs, n, d); constants = [‖v‖]."""
    return evaluate(constants, w, False, True)[1]


@njit(**COMPILED)
def batch_loss_and_grad(constants, w):
    """Both at once."""
    return evaluate(constants, w, True, True)
