"""A curve made ready to fit: oscillation divided out, thinned to blocks, its noise known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench_ovp.rates.curve import Curve
from bench_ovp.rates.noise import estimate_noise
from bench_ovp.rates.oscillation import find_oscillation

Array = NDArray[np.float64]
Index = NDArray[np.int64]

MOST = 160  # points to fit; more are averaged in blocks


@dataclass(frozen=True, eq=False)
class Sample:
    """Points to fit, in units of the last one: u = t/t_end, y = log L/L_end.

    Linear models commute with averaging, so blocks of points lose no exactness: average the
    columns as the data are.
    """

    u: Array  # every point
    starts: Index  # first point of each block
    s: Array  # log u, y, σ of y: one per block
    y: Array
    sigma: Array
    rho: float  # correlation of the noise of neighbouring blocks
    time: float  # t_end
    log_loss: float  # log L_end
    oscillates: bool

    def block_means(self, columns: Array) -> Array:
        """Means over the blocks of columns given at every point, shape (blocks, columns)."""
        return _block_means(columns, self.starts)


def prepare(curve: Curve) -> Sample:
    """The sample of a curve of at least 6 points."""
    t, y, error = curve.time, np.log(curve.loss), curve.error
    sigma, rho = estimate_noise(np.log(t), y)
    wave = find_oscillation(t, y, sigma)
    if wave:
        t, y = t[wave.first :], y[wave.first :] - wave.log_factor
        error = np.hypot(error[wave.first :], wave.error)
    u, level = t / t[-1], float(y[-1])
    starts = _block_starts(u, MOST)
    count = np.diff(np.append(starts, t.size))
    means = _block_means(np.column_stack([np.log(u), y - level, error**2]), starts)
    s, y = means[:, 0].copy(), means[:, 1].copy()
    if wave or starts.size < t.size:
        sigma, rho = estimate_noise(s, y)
    sigma = np.maximum(sigma, np.sqrt(means[:, 2] / count))
    return Sample(u, starts, s, y, sigma, rho, float(t[-1]), level, wave is not None)


def _block_starts(u: Array, most: int) -> Index:
    """At most `most` consecutive blocks, even in index and in log u together."""
    if u.size <= most:
        return np.arange(u.size)
    s = np.log(u)
    place = np.arange(u.size) / u.size + 1.0 - s / s[0]
    return np.unique(np.floor(0.5 * most * place), return_index=True)[1]


def _block_means(columns: Array, starts: Index) -> Array:
    if starts.size == columns.shape[0]:
        return columns
    count = np.diff(np.append(starts, columns.shape[0]))
    return np.add.reduceat(columns, starts, axis=0) / count[:, None]
