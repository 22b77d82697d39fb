"""How often methods that do not differ are ranked apart, and how often methods that do are.

Usage: python bench/ranking_aa.py [--suites 4000] [--seed 0]

First the candidates for the test of constants, on log constants alone: 16 seeds, between-seed standard deviation 0.2,
which of 2, 4 or 8 methods are separated after Holm's correction. Size is the share of suites without any difference
in which anything is separated, power the share in which the first method, better by a factor of 1.3, is put before
the second. Methods have starts of their own; `paired` is what becomes of that when their seeds bear the same numbers.

Then the candidates for efforts to a target that not every run reaches.

Then the whole comparison, from traces to ranks, with laws, values, missing runs and noise.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from bench_ovp.comparison import LEVEL, Course, Entrant, compare_all, find_differences
from bench_ovp.courses import find_efforts
from bench_ovp.ranking import TARGETS, Fitted, summarise
from bench_ovp.rates import Rate
from bench_ovp.significance import compare_means, compare_samples

Array = NDArray[np.float64]
Rng = np.random.Generator
SEEDS, SCATTER, RATIO, SHUFFLES = 16, 0.2, 1.3, 4095


# ---- candidates ---------------------------------------------------------------------------


def flip_signs(one: Array, other: Array, rng: Rng) -> Array:
    signs = rng.choice([-1.0, 1.0], size=(SEEDS, SHUFFLES))
    return shuffle(one - other, signs)


def split_anew(one: Array, other: Array, rng: Rng) -> Array:
    split = np.concatenate([np.ones(SEEDS), -np.ones(SEEDS)])
    splits = rng.permuted(np.tile(split, (SHUFFLES, 1)), axis=1).T
    return shuffle(np.concatenate([one, -other], axis=-1) * split, splits, split)


def shuffle(x: Array, signs: Array, own: Array | None = None) -> Array:
    """Two-sided p of a permutation test of the mean; `signs` are the shuffles, columnwise."""
    p = np.empty(x.shape[:-1])
    for row in range(len(x)):
        found = np.abs(x[row].sum(axis=-1) if own is None else x[row] @ own)
        p[row] = (1 + (np.abs(x[row] @ signs) >= found[..., None] - 1e-12).sum(axis=-1)) / (SHUFFLES + 1)
    return p


Test = Callable[[Array, Array, Rng], Array]
CANDIDATES: dict[str, dict[str, Test]] = {
    "paired": {
        "Student's t": lambda a, b, _: compare_means(a - b).p,
        "signed-rank": lambda a, b, _: np.asarray(stats.wilcoxon(a - b, axis=-1).pvalue),
        "sign flips": flip_signs,
    },
    "unpaired": {
        "Welch's t": lambda a, b, _: compare_samples(a, b).p,
        "Mann-Whitney": lambda a, b, _: np.asarray(stats.mannwhitneyu(a, b, axis=-1, method="exact").pvalue),
        "permutation": split_anew,
    },
}
SHAPES: dict[str, Callable[[Rng, tuple[int, ...]], Array]] = {  # of log constants, each with variance 1
    "normal": lambda rng, shape: rng.standard_normal(shape),
    "skewed": lambda rng, shape: rng.exponential(size=shape),
    "heavy": lambda rng, shape: rng.standard_t(3, size=shape) / math.sqrt(3),
}


def separate(p: Array) -> NDArray[np.bool_]:
    """What Holm separates, along the last axis."""
    order = np.argsort(p, axis=-1)
    factors = np.arange(p.shape[-1], 0, -1)
    kept = np.logical_and.accumulate(np.take_along_axis(p, order, -1) * factors <= LEVEL, axis=-1)
    found = np.zeros_like(kept)
    np.put_along_axis(found, order, kept, -1)
    return found


def try_candidates(suites: int, rng: Rng) -> None:
    print(f"{'analysed':9} {'test':13} {'methods':>7} {'size':>7} {'skewed':>7} {'heavy':>7} {'power':>7}")
    for setting, tests in CANDIDATES.items():
        for name, test in tests.items():
            for methods in (2, 4, 8):
                one, other = (list(index) for index in zip(*combinations(range(methods), 2), strict=True))
                told = []
                for shape in SHAPES.values():
                    x = SCATTER * shape(rng, (suites, methods, SEEDS))
                    told.append(separate(test(x[:, one], x[:, other], rng)).any(axis=-1).mean())
                x = SCATTER * rng.standard_normal((suites, methods, SEEDS))
                x[:, 0] -= math.log(RATIO)
                told.append((separate(test(x[:, one], x[:, other], rng)) & (x[:, [0]].mean(-1) < x[:, [1]].mean(-1)))
                            [:, 0].mean())  # fmt: skip
                print(f"{setting:9} {name:13} {methods:7}" + "".join(f" {share:7.1%}" for share in told), flush=True)


# ---- censored efforts ---------------------------------------------------------------------

ENDS: dict[str, Callable[[Rng, tuple[int, ...]], Array]] = {  # of log effort, where the runs end
    "a horizon, half reach": lambda rng, shape: np.full(shape, 0.1),
    "a horizon, most reach": lambda rng, shape: np.full(shape, 0.4),
    "3 of 10 cut short": lambda rng, shape: np.where(rng.random(shape) < 0.3, -3.0, 9.0),
}


def try_censored(suites: int, rng: Rng) -> None:
    """Differences of what is certain, 0 where nothing is: their mean, or their ranks with the zeros kept."""
    print(f"\n{'seeds':>5} {'runs end at':22} {'test':13} {'size':>7} {'power':>7}")
    for seeds in (6, SEEDS):
        for name, end in ENDS.items():
            shares = []
            for ratio in (1.0, RATIO):
                one, other = SCATTER * rng.standard_normal((2, suites, seeds))
                other = other + math.log(ratio)
                ends = end(rng, one.shape), end(rng, one.shape)
                reached = np.where(one <= ends[0], one, np.nan), np.where(other <= ends[1], other, np.nan)
                d = find_differences(reached[0], ends[0], reached[1], ends[1])
                ranks = [stats.wilcoxon(row, zero_method="pratt").pvalue if row.any() else 1.0 for row in d]
                shares.append([(compare_means(d).p <= LEVEL).mean(), np.mean(np.array(ranks) <= LEVEL)])
            for place, test in enumerate(("Student's t", "signed-rank")):
                size, power = shares[0][place], shares[1][place]
                print(f"{seeds:5} {name:22} {test:13} {size:7.1%} {power:7.1%}", flush=True)


# ---- the whole comparison -----------------------------------------------------------------

TIME = 10 ** (np.arange(0, 101) / 20)


def run(rng: Rng, seed: int, law: str, ratio: float, undecided: float, lost: float) -> Course:
    """A run of a power law of exponent 3, or of an exponential, and what the detector would say of it."""
    constant = math.exp(SCATTER * rng.standard_normal()) * ratio
    noise = np.exp(0.01 * rng.standard_normal(len(TIME)))
    rate = 2e-4 / constant
    loss = noise * (constant * (1 + TIME) ** -3 if law == "power" else np.exp(-rate * TIME))
    half = 0.04 if law == "power" else 0.3 * rate
    value = 3 + 0.01 * rng.standard_normal() if law == "power" else 2e-4
    found = Rate(law, value, value - half, value + half, constant)
    if rng.random() < undecided:
        found = Rate("undecided")
    status, rows = "ok", slice(None)
    if rng.random() < lost:
        status, rows = "timeout", slice(int(rng.integers(1, 60)))
        found = Rate("undecided")
    reached, spacing = find_efforts(loss[rows], TIME[rows])
    return Course(seed, status, found, np.log(TIME[rows]), np.log(loss[rows]), reached, spacing, np.log(TIME[rows][-1]))


def enter(rng: Rng, first: int, **how: float | str) -> Entrant:
    courses = tuple(run(rng, first + seed, **how) for seed in range(SEEDS))  # type: ignore[arg-type]
    return Entrant(summarise([Fitted(c.status, c.rate, (math.inf,) * len(TARGETS)) for c in courses]), courses)


WHOLE: dict[str, dict[str, float | str]] = {
    "power laws": {"law": "power", "undecided": 0.0, "lost": 0.0},
    "a third undecided": {"law": "power", "undecided": 0.33, "lost": 0.0},
    "half undecided": {"law": "power", "undecided": 0.5, "lost": 0.0},
    "a fifth cut short": {"law": "power", "undecided": 0.0, "lost": 0.2},
    "exponentials": {"law": "exponential", "undecided": 0.0, "lost": 0.0},
    "exponentials, cut short": {"law": "exponential", "undecided": 0.0, "lost": 0.3},
}


def try_whole(suites: int, rng: Rng) -> None:
    print(f"\n{'analysed':9} {'runs':24} {'methods':>7} {'size':>7} {'power':>7}")
    for setting in ("paired", "unpaired"):
        for name, how in WHOLE.items():
            for methods in (2, 4):
                shares = []
                for ratio in (1.0, 1 / RATIO):
                    hits = 0
                    for _ in range(suites):
                        entrants = {
                            str(k): enter(rng, k * SEEDS * (setting == "unpaired"), ratio=1.0 if k else ratio, **how)
                            for k in range(methods)
                        }
                        found = compare_all(entrants)
                        apart = any(pair.better for pair in found.values())
                        hits += apart if ratio == 1.0 else found["0", "1"].better == 1
                    shares.append(hits / suites)
                print(f"{setting:9} {name:24} {methods:7} {shares[0]:7.1%} {shares[1]:7.1%}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--suites", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    rng = np.random.default_rng(chosen.seed)
    print(f"{chosen.suites} suites, {SEEDS} seeds, level {LEVEL:.1%}, constants {RATIO} apart, log-sd {SCATTER}\n")
    try_candidates(chosen.suites, rng)
    try_censored(chosen.suites // 4, rng)
    try_whole(chosen.suites // 4, rng)


if __name__ == "__main__":
    main()
