"""Why a pair has its law, in sentences: the same in the terminal and on the page."""

from __future__ import annotations

import math
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from .labels import count_decimals, enumerate_words, write_interval, write_law, write_number, write_theory

if TYPE_CHECKING:
    from ..rates import Rate
    from ..rates.grounds import Explanation, Fit, Weighing
    from ..reasons import Reasons

HEADINGS = ("model", "says", "weight", "value", "95 %", "from t", "parameters")
ENDS = {
    "zero": "where the loss is exactly 0",
    "infinite": "where the loss is no longer finite",
    "floor": "too close to the smallest loss that is resolved",
    "rounding": "where a flat tail this deep is rounding",
}
SOURCES = {
    "own": "what each fit is unsure of by itself (noise, and how far its limit lies beyond its last slope)",
    "spread": "what models and windows differ by",
    "structure": "structure that no model has, and what the plain law alone would say",
}
AGREE = 1.0  # spread of the seeds, in intervals of one run, up to which they tell the same


def write_reasons(reasons: Reasons) -> list[tuple[str, str]]:
    """Sentences, each under a heading of one word."""
    rate, explanation = reasons.rate, reasons.explanation
    told = [("law", write_verdict(rate, reasons.standing)), ("because", write_because(rate, explanation))]
    if explanation is not None:
        told.insert(0, ("read", write_reading(explanation)))
        if weighing := explanation.weighing:
            if weighing.variance:
                told.append(("interval", write_width(rate, weighing)))
            told.append(("rivals", write_rivals(weighing)))
        if rate.law == "undecided" and (remedy := write_remedy(rate)):
            told.append(("remedy", remedy))
    told.append(("seeds", write_seeds(reasons)))
    return told


def write_verdict(rate: Rate, standing: Any) -> str:
    """The law of the seed, its interval and constant, and what theory says to the pair."""
    told = write_law(rate.law, rate.value, rate.low, rate.high)
    if math.isfinite(rate.value):
        told += f", 95 %: {write_interval(rate.value, rate.low, rate.high)}"
    if math.isfinite(rate.constant):
        told += f"; constant {write_short(rate.constant)}"
    expected, value = standing["theory_law"], standing["theory_value"]
    if not isinstance(expected, str) or not expected:  # absent, it may be None or NaN
        return f"{told}."
    inside = math.isnan(value) or rate.low <= value <= rate.high
    verdict = ", which agrees" if rate.law == expected and inside else ", which does not agree"
    return f"{told}. Theory: {write_theory(expected, value)}{verdict if rate.law != 'undecided' else ''}."


def write_reading(explanation: Explanation) -> str:
    """What was read, how noisy it is, what was left out and why."""
    t, loss, read = explanation.time, explanation.loss, explanation.read
    count = f"{read} of {t.size} points" if read < t.size else f"all {read} points"
    if not read:
        return f"{count}: none can be read, {ENDS.get(explanation.end, 'there is none')}."
    told = f"{count}, t = {write_short(t[0])} to {write_short(t[read - 1])}"
    told += f", losses {write_short(loss[0])} to {write_short(loss[read - 1])}"
    if explanation.end:
        told += f"; left out: t = {write_short(t[read])} and later, {ENDS[explanation.end]}"
    told += "."
    if weighing := explanation.weighing:
        level = 100.0 * float(np.median(weighing.sigma))
        size = "none to speak of" if level < 1e-6 else f"{level:.0f} %" if level > 99 else f"{level:.2g} %"
        memory = f", correlated by {weighing.rho:.2f} from point to point" if level >= 1e-6 and weighing.rho else ""
        told += f" Noise: {size}{memory}."
        if weighing.oscillates:
            skipped = f", and the first {weighing.skipped} points left out for it" if weighing.skipped else ""
            told += f" An oscillation was divided out{skipped}."
    return told


def write_because(rate: Rate, explanation: Explanation | None) -> str:
    """The detector's reason, and where the windows of the fits that gave it begin."""
    told = f"{rate.reason[:1].upper()}{rate.reason[1:]}."
    if explanation is None or explanation.weighing is None:
        return told
    return f"{told} On average the windows of these fits begin at t = {write_short(explanation.weighing.fit.start)}."


def write_width(rate: Rate, weighing: Weighing) -> str:
    """How wide the interval is, and what makes it so."""
    parts = sorted(weighing.variance.items(), key=lambda part: -part[1])
    largest, others = parts[0], [f"{share:.0%} {SOURCES[name]}" for name, share in parts[1:] if share >= 0.005]
    rest = f"; {'; '.join(others)}" if others else ""
    half = 0.5 * (rate.high - rate.low)
    return f"±{half:.2g}. Of its variance {largest[1]:.0%} is {SOURCES[largest[0]]}{rest}."


def write_rivals(weighing: Weighing) -> str:
    """What else was said, with which weight, and how far behind the best of it is."""
    law = weighing.fit.law
    others = {name: share for name, share in weighing.shares.items() if name != law and share >= 0.001}
    named = [f"fits for {_call(name)} have {share:.1%} of the weight" for name, share in others.items()]
    told = enumerate_words(named) if named else f"no fit of weight speaks for anything but {_call(law)}"
    told = f"{told[:1].upper()}{told[1:]}."
    if (rival := weighing.rival) is None:
        return told
    best = f"The best rival, for {_call(rival.law)}, is {rival.name} from t = {write_short(rival.start)}"
    return f"{told} {best}: {write_odds(rival)}."


def write_odds(rival: Fit) -> str:
    """How a rival weighs beside the best fit."""
    if rival.odds > -0.01:
        return "it is as heavy as the best fit"
    share = f"{10**rival.odds:.2g}" if rival.odds > -4 else f"10^−{-rival.odds:.0f}"
    return f"it weighs {share} times what the best fit does"


def write_remedy(rate: Rate) -> str:
    """What horizon would settle an undecided law, where the reason says how much longer."""
    more = re.search(r"needs about ([\d.]+) more decades of t", rate.reason)
    if not more:
        return ""
    longer = rate.end * 10 ** float(more[1])
    return f"A run to about t = {write_short(longer)} may settle it; this one can be read to {write_short(rate.end)}."


def write_seeds(reasons: Reasons) -> str:
    """The laws of all seeds, and whether their values tell the same."""
    rates = list(reasons.rates.values())
    counts = Counter(rate.law for rate in rates)
    told = ", ".join(f"{count} of {len(rates)} {law}" for law, count in counts.most_common())
    law = reasons.standing["law"]
    own = [rate for rate in rates if rate.law == law and math.isfinite(rate.value)]
    if len(own) > 1:
        values = np.array([rate.value for rate in own])
        width = float(np.median([rate.high - rate.low for rate in own]))
        spread = float(np.ptp(values)) / width if width else math.inf
        same = "so they agree" if spread <= AGREE else "so they differ by more than one run is unsure of"
        decimals = count_decimals(float(np.median(values)), float(values.min()), float(values.max()))
        lowest, highest = (write_number(float(number), decimals) for number in (values.min(), values.max()))
        told += f"; values from {lowest} to {highest}, {spread:.2g} times the interval of one run, {same}"
    unfinished = f" {reasons.missing} more have not run." if reasons.missing else ""
    return f"{told}.{unfinished} Explained is seed {reasons.seed}: {reasons.chosen}."


def list_contenders(reasons: Reasons) -> list[tuple[str, ...]]:
    """The evidence as a table under HEADINGS; empty where no model was fitted."""
    if reasons.explanation is None or reasons.explanation.weighing is None:
        return []
    rows: list[tuple[str, ...]] = []
    for one in reasons.explanation.weighing.contenders:
        decimals = count_decimals(one.value, one.low, one.high)
        value, low, high = (write_number(number, decimals) for number in (one.value, one.low, one.high))
        interval = f"{low} to {high}" if math.isfinite(one.value) else "–"
        rows.append(
            (
                *(one.model, _call(one.law), f"{one.weight:.1%}", value, interval),
                *(write_short(one.start), str(one.parameters)),
            )
        )
    return rows


def write_short(value: float) -> str:
    """Three digits of a number, without an exponent where that is short."""
    return f"{float(f'{value:.3g}'):g}" if value == 0 or 1e-4 <= abs(value) < 1e6 else write_number(value, 2)


def _call(law: str) -> str:
    return "no law" if law == "undecided" else law
