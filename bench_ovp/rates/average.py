"""The average over models and windows, and the verdict."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from bench_ovp.rates import verdict
from bench_ovp.rates.curve import Curve, block_starts
from bench_ovp.rates.endings import grew, outran
from bench_ovp.rates.models import evaluate, library
from bench_ovp.rates.noise import estimate_noise
from bench_ovp.rates.oscillation import find_oscillation
from bench_ovp.rates.rate import Evidence, Rate
from bench_ovp.rates.windows import LANES, sweep

Array = NDArray[np.float64]

TOLERANCES = np.array([1e-5, 3e-4, 1e-3, 4e-3])  # the first only tests for structure
assert TOLERANCES.size == LANES
import os
CHARGE = float(os.environ.get('CHARGE', 2))
SURE = 0.95
FEWEST = 8
MOST = 200  # points to fit; more are averaged in blocks
STRUCTURE = 0.006  # relative sd of a value whose curve shows what no model explains


def decide(curve: Curve) -> Rate:
    t, loss = curve.time, curve.loss
    if why := grew(curve):
        return Rate("diverged", reason=why, points=t.size)
    if why := outran(curve):
        return Rate("superexponential", reason=why, points=t.size)
    if t.size < FEWEST:
        return Rate("undecided", reason=f"only {t.size} points can be read", points=t.size)
    s, y, error = np.log(t), np.log(loss), curve.error
    sigma, rho = estimate_noise(s, y)
    wave = find_oscillation(t, y, sigma)
    if wave:
        t, s, y = t[wave.first :], s[wave.first :], y[wave.first :] - wave.log_factor
        error = np.hypot(error[wave.first :], 1.5 * wave.error)
        sigma, rho = estimate_noise(s, y)
    lib = library()
    values, slopes = np.empty((2, t.size, lib.kind.size))
    evaluate(t / t[-1], lib.kind, lib.p, values, slopes)
    top, ends = y[-1], s[-1]
    table = np.column_stack([values, y - top])
    if t.size > MOST:
        starts = block_starts(t, MOST)
        count = np.diff(np.append(starts, t.size))
        table = np.add.reduceat(table, starts) / count[:, None]
        values, slopes = table[:, :-1].copy(), np.add.reduceat(slopes, starts) / count[:, None]
        s, t = np.add.reduceat(s, starts) / count, t[np.append(starts[1:], t.size) - 1]
        error = np.sqrt(np.add.reduceat(error**2, starts)) / count
        sigma, rho = estimate_noise(s, table[:, -1])
    sigma = np.maximum(sigma, error)
    points = t.size
    rows = _whiten(table, sigma, rho)
    chi2 = np.empty((lib.size.size, points, LANES))
    sweep(rows, lib.index, lib.size, chi2)
    aic = chi2 + 2 * lib.size[:, None, None] + CHARGE * np.arange(points)[:, None]
    log_weight = lib.log_prior[:, None, None] - 0.5 * aic
    log_weight -= log_weight.max(axis=(0, 1))
    total = np.zeros(5)
    kept = []
    reach = []
    for lane in range(LANES):
        model, start = np.nonzero(log_weight[:, :, lane] > math.log(1e-3))
        weight = np.exp(log_weight[model, start, lane])
        weight /= weight.sum()
        reach.append(np.sum(weight * s[start]))
        if lane == 0:
            continue
        vote = np.zeros(model.size, dtype=np.int64)
        result, doubt = np.full((model.size, 4), np.nan), np.zeros(model.size)
        verdict.judge(
            np.ascontiguousarray(rows[:, :, lane]), values, slopes, s - ends, lib.index, lib.size, lib.family,
            model, start, vote, result, doubt,
        )
        weight *= np.exp(-doubt * 4)
        weight /= weight.sum() * (LANES - 1)
        total += np.bincount(vote, weights=weight, minlength=5)
        kept.append((model, start, weight, vote, result))
    lost = (reach[0] - reach[-1]) / math.log(10)
    model, start, weight, vote, result = (np.concatenate([k[i] for k in kept]) for i in range(5))
    law = int(np.argmax(total))
    ev = []
    for m in np.unique(model[weight > 0]):
        w = weight[model == m]
        ev.append(Evidence(lib.models[m].name, float(w.sum()), float(np.average(result[model == m, 0], weights=w))))
    ev.sort(key=lambda e: -e.weight)
    shares = ", ".join(f"{n} {w:.2f}" for n, w in zip(verdict.LAWS, total, strict=True)) + f", lost {lost:.2f}"
    if law == 0 or total[law] < SURE:
        return Rate("undecided", reason=shares, points=t.size, evidence=tuple(ev[:8]))
    if law >= 3:
        return Rate(verdict.LAWS[law], reason=shares, points=t.size, evidence=tuple(ev[:8]))
    ok = vote == law
    w = weight[ok] / weight[ok].sum()
    value = np.average(result[ok, 0], weights=w)
    decades = (ends - np.average(s[start[ok]], weights=w)) / math.log(10)
    structure = STRUCTURE * (1.0 if wave else min(1.0, max(0.0, lost / 0.5))) * value
    if law == verdict.SAYS_POWER:
        structure *= max(1.0, (3 / decades)**2)
    sd = math.sqrt(np.sum(w * (result[ok, 1] + (result[ok, 0] - value) ** 2)) + structure**2)
    logc = np.average(result[ok, 2], weights=w)
    at = ends if law == verdict.SAYS_POWER else 1.0
    sdc = math.sqrt(np.sum(w * (result[ok, 3] + (result[ok, 2] - logc) ** 2)) + (structure * at) ** 2)
    logc += top
    if law == verdict.SAYS_POWER:
        logc += value * ends
    per = 1.0 if law == verdict.SAYS_POWER else 1.0 / t[-1]
    half = 2.1 * sd
    with np.errstate(over="ignore"):
        return Rate(verdict.LAWS[law], value * per, (value - half) * per, (value + half) * per,
                float(np.exp(logc)), float(np.exp(logc - 2 * sdc)), float(np.exp(logc + 2 * sdc)),
                shares, float(t[np.average(start[ok], weights=w).astype(int)]), float(t[-1]), t.size, tuple(ev[:8]))


def _whiten(rows: Array, sigma: Array, rho: float) -> Array:
    """Rows of unit variance, shape (points, columns + 1, LANES), each freed of the one after it."""
    total = np.sqrt(sigma[:, None] ** 2 + TOLERANCES**2)[:, None, :]
    memory = rho * (sigma[:, None, None] / total) ** 2
    out = rows[:, :, None] / total
    m = np.sqrt(memory[:-1] * memory[1:])
    out[:-1] = (out[:-1] - m * out[1:]) / np.sqrt(1 - m**2)
    return out
