"""How often the law detector is right, decided and honest, on curves whose law is known.

Usage: python bench/calibration.py [--curves 10000] [--seed 0] [--only FAMILY]

The generator shares nothing with the fitting code: laws are written as plain functions of t,
and the regime that is visible at the end is read off the noise-free curve.
"""

from __future__ import annotations

import argparse
import math
import time as clock
from collections import defaultdict
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Rng = np.random.Generator

NEAR = 0.2  # a regime is visible where the local slope is within this share of its limit


class Truth(NamedTuple):
    """A noise-free curve: its grid, log L, the law it ends in and the law before."""

    t: Array
    y: Array
    law: str
    value: float = math.nan
    before: str = ""  # also right while the last law is not yet visible
    floor: float = 0.0  # announced to the detector
    clean: bool = False  # no noise is to be added
    log_constant: float = math.nan  # of the law's constant, where it has one


class Outcome(NamedTuple):
    family: str
    noise: str
    grid: str
    truth: Truth
    decades: float  # visible, of the last law
    folds: float
    law: str
    value: float
    low: float
    high: float
    constant_covered: float  # 1 or 0; NaN where the law has no constant


# ---- grids ------------------------------------------------------------------------------


def log_grid(rng: Rng, decades: float, start: float = 1.0) -> Array:
    per = rng.choice([10, 20, 40])
    count = int(decades * per) + 1
    t = start * 10 ** (np.arange(count) / per)
    return np.unique(np.round(t)) if rng.random() < 0.5 and start == 1.0 else t


def linear_grid(rng: Rng) -> Array:
    return np.arange(1, int(rng.choice([100, 200, 400, 1000])) + 1).astype(float)


def any_grid(rng: Rng, low: float = 1.5, high: float = 8.0) -> Array:
    if rng.random() < 0.2:
        return linear_grid(rng) * 10 ** rng.uniform(-2, 2)
    return log_grid(rng, rng.uniform(low, high), 10 ** rng.choice([0.0, 0.0, rng.uniform(-3, 3)]))


def rate_for(rng: Rng, t: Array, low: float = 3.0, high: float = 60.0) -> float:
    """A rate that makes `low` to `high` e-folds (log-uniform) by the end of the grid."""
    return math.exp(rng.uniform(math.log(low), math.log(high))) / t[-1]


# ---- families -----------------------------------------------------------------------------


def exponent(rng: Rng) -> float:
    return float(rng.uniform(0.5, 6.0))


def power(rng: Rng) -> Truth:
    t, p = any_grid(rng), exponent(rng)
    return Truth(t, -p * np.log(t), "power", p, log_constant=0.0)


def shifted_power(rng: Rng) -> Truth:
    t, p = any_grid(rng), exponent(rng)
    shift = t[-1] * 10 ** rng.uniform(-4, -0.5)
    return Truth(t, -p * np.log(t + shift), "power", p, log_constant=0.0)


def power_one_over_t(rng: Rng) -> Truth:
    t, p = any_grid(rng), exponent(rng)
    a = rng.uniform(-0.9, 5.0) * t[0]
    return Truth(t, -p * np.log(t) + np.log1p(a / t), "power", p, log_constant=0.0)


def power_slow_correction(rng: Rng) -> Truth:
    t, p, q = any_grid(rng), exponent(rng), rng.uniform(0.3, 0.8)
    a = rng.uniform(-0.8, 3.0) * t[0] ** q
    return Truth(t, -p * np.log(t) + np.log1p(a * t**-q), "power", p, log_constant=0.0)


def power_log_correction(rng: Rng) -> Truth:
    t, p = any_grid(rng), exponent(rng)
    u = t / t[0]
    y = -p * np.log(t) + np.log1p(rng.uniform(-0.9, 4.0) * np.log(u) / u)
    return Truth(t, y, "power", p, log_constant=0.0)


def exponential_then_power(rng: Rng) -> Truth:
    t, p = any_grid(rng), exponent(rng)
    meet = t[0] * (t[-1] / t[0]) ** rng.uniform(0.05, 0.6)
    c = rng.uniform(5, 20) / meet
    y = np.logaddexp(c * (meet - t), -p * np.log(t / meet))
    return Truth(t, y, "power", p, "exponential", log_constant=p * math.log(meet))


def plateau_then_power(rng: Rng) -> Truth:
    t, p = any_grid(rng, 3), exponent(rng)
    escape = t[0] * (t[-1] / t[0]) ** rng.uniform(0.1, 0.7)
    sharp = rng.uniform(1, 4)
    y = -p / sharp * np.log1p((t / escape) ** sharp)
    return Truth(t, y, "power", p, log_constant=p * math.log(escape))


def broken_power(rng: Rng) -> Truth:
    t, p = any_grid(rng, 3), exponent(rng)
    meet = t[0] * (t[-1] / t[0]) ** rng.uniform(0.1, 0.6)
    late, early = -p * np.log(t / meet), -(p + rng.uniform(1, 3)) * np.log(t / meet)
    return Truth(t, np.logaddexp(early, late), "power", p, "power", log_constant=p * math.log(meet))


def power_step_drop(rng: Rng) -> Truth:
    t, p = any_grid(rng, 2.5), exponent(rng)
    drop = t[0] * (t[-1] / t[0]) ** rng.uniform(0.2, 0.5)
    fall = rng.uniform(0.5, 3)
    return Truth(t, -p * np.log(t) - fall * (t > drop), "power", p, log_constant=-fall)


def power_best_so_far(rng: Rng) -> Truth:
    t, p = any_grid(rng), exponent(rng)
    y = -p * np.log(t) + 0.1 * rng.standard_normal(t.size)
    return Truth(t, np.minimum.accumulate(y), "power", p, clean=True)


def power_damped_oscillation(rng: Rng) -> Truth:
    t, p = any_grid(rng), exponent(rng)
    life = t[-1] * 10 ** rng.uniform(-3, -0.8)
    wave = rng.uniform(0.1, 0.9) * np.exp(-t / life) * np.cos(rng.uniform(3, 30) * t / life + rng.uniform(0, 6))
    return Truth(t, -p * np.log(t) + np.log1p(wave), "power", p, log_constant=0.0)


def power_to_rounding(rng: Rng) -> Truth:
    t, p = log_grid(rng, rng.uniform(4, 8)), rng.uniform(2, 6)
    level = -p * math.log(t[0] * (t[-1] / t[0]) ** rng.uniform(0.5, 1.2))
    level = min(level, math.log(1e-13))
    y = np.logaddexp(-p * np.log(t), level + 0.3 * rng.standard_normal(t.size))
    return Truth(t, y, "power", p, floor=math.exp(level) if rng.random() < 0.5 else 0.0)


def exponential(rng: Rng) -> Truth:
    t = any_grid(rng, 1.5, 4)
    c = rate_for(rng, t)
    return Truth(t, -c * t, "exponential", c, log_constant=0.0)


def exponential_transient(rng: Rng) -> Truth:
    t = any_grid(rng, 1.5, 4)
    c = rate_for(rng, t)
    y = np.logaddexp(-c * t, rng.uniform(-2, 4) - c * rng.uniform(3, 30) * t)
    return Truth(t, y, "exponential", c, log_constant=0.0)


def exponential_close_modes(rng: Rng) -> Truth:
    t = any_grid(rng, 1.5, 4)
    c = rate_for(rng, t, 8, 60)
    y = np.logaddexp(-c * t, rng.uniform(-2, 2) - c * rng.uniform(1.3, 3) * t)
    return Truth(t, y, "exponential", c, log_constant=0.0)


def exponential_floor(rng: Rng) -> Truth:
    t = any_grid(rng, 1.5, 4)
    level = rng.uniform(-33, -12) * math.log(10)
    c = -level / (t[-1] * rng.uniform(0.4, 1.3))
    announced = rng.random() < 0.5
    floor = math.exp(level)
    loss = np.exp(-c * t)
    if announced:  # a square of a deviation known to ±√floor
        loss = (np.sqrt(loss) + math.sqrt(floor) * rng.standard_normal(t.size)) ** 2
    else:
        loss = loss + floor * np.exp(0.3 * rng.standard_normal(t.size))
    return Truth(t, np.log(loss), "exponential", c, floor=floor if announced else 0.0, log_constant=0.0)


def power_then_exponential(rng: Rng) -> Truth:
    t, p = any_grid(rng, 2, 6), rng.uniform(0.5, 4)
    c = rate_for(rng, t, 1, 60)
    return Truth(t, -p * np.log(t) - c * t, "exponential", c, "power")


def power_until_exponential(rng: Rng) -> Truth:
    t, p = any_grid(rng, 2, 6), rng.uniform(0.5, 4)
    c = rate_for(rng, t, 10, 60)
    meet = rng.uniform(0.05, 0.7) * t[-1]
    y = -np.logaddexp(p * np.log(t / meet), c * (t - meet))
    return Truth(t, y, "exponential", c, "power", log_constant=c * meet)


def exponential_prefactor(rng: Rng) -> Truth:
    t = any_grid(rng, 1.5, 4)
    c = rate_for(rng, t, 10, 60)
    return Truth(t, rng.uniform(-3, 2) * np.log(t) - c * t, "exponential", c, "power")


def plateau_then_exponential(rng: Rng) -> Truth:
    t = any_grid(rng, 1.5, 4)
    c = rate_for(rng, t, 10, 80)
    escape = rng.uniform(0.1, 0.6) * t[-1]
    return Truth(t, -np.logaddexp(0.0, c * (t - escape)), "exponential", c, "stalled", log_constant=c * escape)


def exponential_oscillation(rng: Rng) -> Truth:
    t = any_grid(rng, 1.5, 3)
    c = rate_for(rng, t, 8, 60)
    omega = c * rng.uniform(0.5, 5)
    return Truth(t, -c * t + np.log1p(rng.uniform(0.1, 0.95) * np.cos(omega * t + rng.uniform(0, 6))), "exponential", c)


def exponential_step_drop(rng: Rng) -> Truth:
    t = any_grid(rng, 1.5, 3)
    c = rate_for(rng, t, 10, 60)
    at = rng.uniform(0.2, 0.6) * t[-1]
    y = -c * t - c * rng.uniform(0.5, 3) * np.minimum(t - at, 0)
    return Truth(t, y, "exponential", c, "exponential", log_constant=0.0)


def exponential_best_so_far(rng: Rng) -> Truth:
    t = any_grid(rng, 1.5, 4)
    c = rate_for(rng, t, 6, 60)
    return Truth(t, np.minimum.accumulate(-c * t + 0.1 * rng.standard_normal(t.size)), "exponential", c, clean=True)


def limit_by_power(rng: Rng) -> Truth:
    t, p = any_grid(rng, 2.5), rng.uniform(0.5, 4)
    meet = t[0] * (t[-1] / t[0]) ** rng.uniform(0.2, 1.1)
    meet = min(meet, t[0] * 10 ** (9 / p))  # a limit far lower is rounding
    return Truth(t, np.logaddexp(-p * np.log(t / meet), 0.0), "stalled", 0.0, "power")


def limit_by_exponential(rng: Rng) -> Truth:
    t = any_grid(rng, 1.5, 4)
    c = rate_for(rng, t, 5, 100)
    return Truth(t, np.logaddexp(rng.uniform(3, 15) - c * t, 0.0), "stalled", 0.0, "exponential")


def gaussian_decay(rng: Rng) -> Truth:
    t = any_grid(rng, 1.5, 3)
    a = rng.uniform(15, 60) / t[-1] ** 2
    return Truth(t, -a * t**2, "superexponential")


def newton(rng: Rng) -> Truth:
    y = [rng.uniform(-3, -0.5)]
    while y[-1] > -75 and len(y) < 12:
        y.append(2 * y[-1] - rng.uniform(0, 1))
    y[-1] = max(y[-1], -math.inf) if rng.random() < 0.5 else -math.inf
    return Truth(np.arange(1.0, len(y) + 1), np.array(y), "superexponential", clean=True)


def constant(rng: Rng) -> Truth:
    t = any_grid(rng)
    return Truth(t, np.full(t.size, rng.uniform(-20, 5)), "stalled", 0.0)


def growth(rng: Rng) -> Truth:
    t = any_grid(rng)
    return Truth(t, rng.uniform(3, 30) * (t / t[-1]) ** rng.uniform(0.5, 2), "diverged")


def white_noise(rng: Rng) -> Truth:
    t = any_grid(rng)
    return Truth(t, rng.uniform(0.1, 2) * rng.standard_normal(t.size), "none", clean=True)


def random_walk(rng: Rng) -> Truth:
    t = any_grid(rng)
    y = np.cumsum(rng.uniform(0.02, 0.5) * rng.standard_normal(t.size))
    return Truth(t, y, "none", clean=True)


def drifting_walk(rng: Rng) -> Truth:
    """On a grid even in a law's clock this is that law, but for an error that never fades."""
    t = any_grid(rng)
    step, total = math.exp(rng.uniform(math.log(0.01), math.log(0.5))), math.exp(rng.uniform(0, math.log(30)))
    return Truth(t, np.cumsum(step * rng.standard_normal(t.size) - total / t.size), "none", clean=True)


def stretched(rng: Rng) -> Truth:
    t, g = any_grid(rng), rng.uniform(0.25, 0.7)
    return Truth(t, -math.exp(rng.uniform(math.log(3), math.log(60))) * (t / t[-1]) ** g, "none")


def log_decay(rng: Rng) -> Truth:
    t = any_grid(rng, 2, 8)
    return Truth(t, -rng.uniform(0.5, 4) * np.log(np.log(math.e * t / t[0] + rng.uniform(0, 10))), "none")


def garbage(rng: Rng) -> Truth:
    """A decay that an integrator loses at its tolerance: below it, the loss wanders."""
    t = log_grid(rng, rng.uniform(4, 8))
    p = rng.uniform(1, 5)
    lost = t[0] * (t[-1] / t[0]) ** rng.uniform(0.2, 0.6)
    walk = np.cumsum(rng.uniform(0.1, 0.8) * rng.standard_normal(t.size))
    level = -p * math.log(lost)
    y = np.where(t < lost, -p * np.log(t), level + walk - walk[np.searchsorted(t, lost) - 1])
    floor = math.exp(level)
    return Truth(t, y, "none", before="power", floor=floor, clean=True)


FAMILIES: dict[str, Callable[[Rng], Truth]] = {
    f.__name__: f
    for f in (
        power, shifted_power, power_one_over_t, power_slow_correction, power_log_correction, exponential_then_power,
        plateau_then_power, broken_power, power_step_drop, power_best_so_far, power_damped_oscillation,
        power_to_rounding, exponential, exponential_transient, exponential_close_modes, exponential_floor,
        power_then_exponential, power_until_exponential, exponential_prefactor, plateau_then_exponential,
        exponential_oscillation, exponential_step_drop, exponential_best_so_far, limit_by_power, limit_by_exponential,
        gaussian_decay, newton, growth, constant, white_noise, random_walk, drifting_walk, stretched, log_decay,
        garbage,
    )
}  # fmt: skip
MORE_CONTROLS = 700  # curves of each, beyond those of a family
CONTROLS = ("constant", "white_noise", "random_walk", "drifting_walk", "stretched", "log_decay", "garbage")


# ---- noise, truth, score --------------------------------------------------------------------

NOISES = ("none", "1%", "3%", "5%", "ar 1%", "ar 3%", "ar 5%")


def noisy(rng: Rng, y: Array, noise: str) -> Array:
    """y with multiplicative noise on L, white or AR(1)."""
    if noise == "none":
        return y
    sigma = float(noise.split()[-1][:-1]) / 100
    e = rng.standard_normal(y.size)
    if noise.startswith("ar"):
        rho = rng.uniform(0.3, 0.9)
        for i in range(1, e.size):
            e[i] = rho * e[i - 1] + math.sqrt(1 - rho**2) * e[i]
    return y + sigma * e


def visible(truth: Truth, smooth: Truth) -> tuple[float, float]:
    """Decades and e-folds over which the last law is near its limit, from the curve without noise."""
    t, y = smooth.t, smooth.y
    if truth.law not in ("power", "exponential") or not np.all(np.isfinite(y)) or t.size < 3:
        return math.nan, math.nan
    x = np.log(t) if truth.law == "power" else t
    slope = -np.gradient(y, x)
    away = np.flatnonzero(np.abs(slope - truth.value) > NEAR * truth.value)
    first = int(away[-1]) + 1 if away.size else 0
    if first >= t.size:
        return 0.0, 0.0
    return math.log10(t[-1] / t[first]), float(y[first] - y[-1])


def accepted(truth: Truth, decades: float, folds: float, family: str) -> set[str]:
    """The laws that are right for this curve."""
    right = {truth.law, "undecided"}
    if (truth.law == "power" and decades < 1) or (truth.law == "exponential" and folds < 3):
        right.add(truth.before)
    if family.startswith("limit"):
        level = truth.y[-1]  # ends within 10% of its limit for a decade, or the limit is not yet the last regime
        late = truth.y[np.searchsorted(truth.t, truth.t[-1] / 10)]
        if late - level > 0.1:
            right.add(truth.before)
    if family == "garbage":
        right.add("power")
    return right


def simulate(family: str, noise: str, rng: Rng, fit: Callable[..., Any]) -> Outcome:
    truth = FAMILIES[family](rng)
    y = truth.y if truth.clean else noisy(rng, truth.y, noise)
    with np.errstate(all="ignore"):
        rate = fit(truth.t, np.exp(y), floor=truth.floor)
    if family in ("power_best_so_far", "power_to_rounding"):
        smooth = truth._replace(y=-truth.value * np.log(truth.t))
    elif family in ("exponential_best_so_far", "exponential_floor", "exponential_oscillation"):
        smooth = truth._replace(y=-truth.value * truth.t)
    else:
        smooth = truth
    decades, folds = visible(truth, smooth)
    grid = "linear" if truth.t[1] - truth.t[0] > 0.99 * (truth.t[-1] - truth.t[-2]) else "log"
    inside = math.nan
    if rate.law == truth.law and not math.isnan(truth.log_constant):
        inside = float(rate.constant_low <= math.exp(truth.log_constant) <= rate.constant_high)
    return Outcome(family, noise, grid, truth, decades, folds, rate.law, rate.value, rate.low, rate.high, inside)


def summarize(outcomes: list[Outcome]) -> None:
    """Print a row per family, then what was promised and whether it holds."""
    groups = defaultdict(list)
    for o in outcomes:
        groups[o.family].append(o)
    columns = f"{'family':26} {'curves':>6} {'decided':>8} {'right':>7} {'covered':>8} {'width':>7} {'constant':>8}"
    print(f"{columns}  wrong verdicts")
    right = total = 0
    coverage, constants, called = {}, {}, {}
    for family, group in groups.items():
        decided = [o for o in group if o.law != "undecided"]
        wrong = [o for o in decided if not is_right(o)]
        valued = [o for o in decided if o.law == o.truth.law and o.law in ("power", "exponential")]
        covered = float(np.mean([o.low <= o.truth.value <= o.high for o in valued])) if valued else math.nan
        width = np.median([(o.high - o.low) / o.truth.value for o in valued]) if valued else math.nan
        if family in CONTROLS:
            called[family] = sum(o.law in ("power", "exponential") and not is_right(o) for o in group) / len(group)
        else:
            right, total = right + len(decided) - len(wrong), total + len(decided)
            if valued:
                coverage[family] = covered, len(valued)
        share = 1 - len(wrong) / max(1, len(decided))
        kinds = ", ".join(f"{o.law}@{o.noise}/{o.grid}" for o in wrong[:4])
        row = f"{family:26} {len(group):6} {len(decided) / len(group):8.3f} {share:7.4f} {covered:8.3f} {width:7.4f}"
        known = [o.constant_covered for o in valued if not math.isnan(o.constant_covered)]
        if known:
            constants[family] = float(np.mean(known)), len(known)
        print(f"{row} {np.mean(known) if known else math.nan:8.3f}  {kinds}")
    print()
    verdict(right / max(1, total) >= 0.995, f"laws right, of those decided (>= 99.5%): {right}/{total}")
    _share("noise-free curves, two visible decades", outcomes, ("none",), ("power", "exponential"), 2, 0.95)
    _share("powers at 3%, three visible decades", outcomes, ("3%",), ("power",), 3, 0.85)
    _share("exponentials at 1%, 8 e-folds", outcomes, ("1%",), ("exponential",), 8, 0.85)
    for what, found in (("values", coverage), ("constants", constants)):
        worst = sorted((share, family, count) for family, (share, count) in found.items())[:3]
        told = ", ".join(f"{family} {share:.3f} of {count}" for share, family, count in worst)
        verdict(worst[0][0] >= 0.93, f"coverage of {what} in every family (>= 93%); lowest: {told}")
    widths = [
        o.high - o.low
        for o in outcomes
        if o.truth.law == o.law == "power" and o.decades >= 3 and o.noise in ("none", "1%", "ar 1%")
    ]
    width = float(np.median(widths)) if widths else math.nan
    verdict(width < 0.05, f"median width, powers of three decades, noise to 1% (< 0.05): {width:.4f} of {len(widths)}")
    for family, share in called.items():
        verdict(share <= 0.01, f"{family} called power or exponential (<= 1%): {share:.2%} of {len(groups[family])}")
    _share("(for information) powers at 3% AR(1), three visible decades", outcomes, ("ar 3%",), ("power",), 3)
    _share("(for information) exponentials at 1% AR(1), 8 e-folds", outcomes, ("ar 1%",), ("exponential",), 8)


def is_right(o: Outcome) -> bool:
    return o.law in accepted(o.truth, o.decades, o.folds, o.family)


def verdict(holds: bool, told: str) -> None:
    print(f"{'holds' if holds else 'FAILS'}  {told}")


def _share(
    what: str,
    outcomes: list[Outcome],
    noises: tuple[str, ...],
    laws: tuple[str, ...],
    least: float,
    needed: float = 0.0,
) -> None:
    """Share decided for the true one of `laws`, where it is visible for `least` decades; from 8 on, for e-folds.

    Families with noise of their own are not noise-free.
    """
    by_family = defaultdict(list)
    for o in outcomes:
        seen = o.folds if least >= 8 else o.decades
        own = "none" in noises and (o.truth.clean or o.family in ("power_to_rounding", "exponential_floor"))
        if o.truth.law in laws and o.noise in noises and seen >= least and o.family not in CONTROLS and not own:
            by_family[o.family].append(o.law == o.truth.law)
    every = [decided for group in by_family.values() for decided in group]
    share = float(np.mean(every)) if every else math.nan
    low = ", ".join(f"{k} {v:.2f}" for v, k in sorted((float(np.mean(v)), k) for k, v in by_family.items())[:3])
    bound = f" (>= {needed:.0%})" if needed else ""
    verdict(share >= needed, f"decided, {what}{bound}: {share:.3f} of {len(every)}; lowest {low}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--curves", type=int, default=10000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="*", default=list(FAMILIES))
    options = parser.parse_args()
    from bench_ovp.rates import fit_rate

    seeds = np.random.SeedSequence(options.seed).spawn(options.curves)
    began = clock.perf_counter()
    outcomes = []
    names = options.only
    for i, seed in enumerate(seeds):
        rng = np.random.default_rng(seed)
        outcomes.append(simulate(names[i % len(names)], NOISES[i // len(names) % len(NOISES)], rng, fit_rate))
    # A share of 1% is not seen on a few hundred curves: the controls get more.
    controls = [name for name in names if name in CONTROLS]
    for i, seed in enumerate(np.random.SeedSequence(options.seed + 1).spawn(len(controls) * MORE_CONTROLS)):
        rng = np.random.default_rng(seed)
        outcomes.append(simulate(controls[i % len(controls)], NOISES[i // len(controls) % len(NOISES)], rng, fit_rate))
    seconds = clock.perf_counter() - began
    summarize(outcomes)
    print(f"{len(outcomes)} curves in {seconds:.0f} s, {1e3 * seconds / len(outcomes):.1f} ms each")


if __name__ == "__main__":
    main()
