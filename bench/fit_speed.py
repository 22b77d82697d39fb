"""How long a fit of 200 points takes, compiled code warm; the hard cases are noise and oscillation.

Usage: python bench/fit_speed.py
"""

from __future__ import annotations

import time

import numpy as np

import bench_ovp as ovp

POINTS, REPEATS = 200, 30


def main() -> None:
    noise = np.random.default_rng(0).standard_normal(POINTS)
    t = np.logspace(0, 5, POINTS)
    even = np.arange(1.0, POINTS + 1)
    curves = {
        "power": (t, t**-3.0),
        "power, 3% noise": (t, t**-3.0 * np.exp(0.03 * noise)),
        "exponential": (t, np.exp(-6e-4 * t)),
        "exponential, 5% noise": (t, np.exp(-6e-4 * t + 0.05 * noise)),
        "exponential, even grid": (even, np.exp(-0.2 * even)),
        "stretched exponential": (t, np.exp(-(t**0.4))),
        "log-periodic power": (t, t**-2.0 * (1 + 0.3 * np.cos(8 * np.log(t)))),
        "oscillating exponential": (even, np.exp(-0.2 * even) * (1.05 + np.cos(0.7 * even))),
        "random walk": (t, np.exp(np.cumsum(0.3 * noise))),
        "white noise": (t, np.exp(noise)),
        "white noise, even grid": (even, np.exp(noise)),
    }
    print(f"{'curve':26} {'law':12} {'median ms':>9} {'least ms':>8}")
    for name, (time_axis, loss) in curves.items():
        law = ovp.fit_rate(time_axis, loss).law
        spent = []
        for _ in range(REPEATS):
            began = time.perf_counter()
            ovp.fit_rate(time_axis, loss)
            spent.append(1e3 * (time.perf_counter() - began))
        print(f"{name:26} {law:12} {np.median(spent):9.1f} {min(spent):8.1f}")


if __name__ == "__main__":
    main()
