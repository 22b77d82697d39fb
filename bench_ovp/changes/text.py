"""What changed, as text."""

from __future__ import annotations

import math
from collections.abc import Iterator

from ..layout import columns
from ..ranking import Standing
from .change import LEAST, Changes, Pair, Shift, Speed
from .matching import Match, Matching

DIGEST = 12  # letters of a digest or a commit that are shown


def describe_changes(changes: Changes) -> str:
    """Paragraphs: what the two were made with, what came and went, and each pair that changed."""
    paragraphs = [columns([("before", str(changes.before)), ("after", str(changes.after))])]
    if changes.context:
        rows = [(name, f"{_clip(name, old)} -> {_clip(name, new)}") for name, old, new in changes.context]
        paragraphs.append(f"made with\n{columns(rows, indent='  ')}")
    if changes.suite:
        paragraphs.append("suite file\n" + "\n".join(f"  {line}" for line in changes.suite))
    if lines := [*_tell_matching("problem", changes.problems), *_tell_matching("optimizer", changes.optimizers)]:
        paragraphs.append("\n".join(lines))
    for told, labels in (("is gone", changes.gone), ("is new", changes.added)):
        if labels:
            paragraphs.append("\n".join(f"{label} {told}" for label in labels))
    paragraphs += [_describe_pair(pair) for pair in changes.pairs if pair.changed]
    if moved := [pair for pair in changes.pairs if not pair.changed and pair.ranks[0] != pair.ranks[1]]:
        rows = [(_join(pair), f"rank {_rank(pair.ranks)}") for pair in moved]
        told = "other ranks, for what changed beside them or by chance: nothing of these pairs changed"
        paragraphs.append(f"{told}\n{columns(rows, indent='  ')}")
    paragraphs += [_tell_speed(changes), _sum_up(changes)]
    return "\n\n".join(paragraph for paragraph in paragraphs if paragraph)


def _tell_matching(kind: str, matching: Matching) -> Iterator[str]:
    yield from (f"{kind} {label} is gone" for label in matching.gone)
    yield from (f"{kind} {label} is new" for label in matching.added)
    for match in matching.matches:
        if match.before != match.after:
            yield f"{kind} {match.before} is now {match.after}"


def _describe_pair(pair: Pair) -> str:
    rows = [
        (name, f"{old or 'none'} -> {new or 'none'}", "")
        for part in (pair.problem, pair.optimizer)
        for name, (old, new) in part.parameters.items()
    ]
    if pair.failed[0] != pair.failed[1]:
        rows.append(("failed runs", f"{pair.failed[0]} -> {pair.failed[1]}", ""))
    one, other = (_write_law(standing) for standing in pair.standings)
    if not any(shift.of in ("law", "value") for shift in pair.shifts):
        rows.append(("law", f"{one} -> {other}" if one != other else one, "no change beyond chance"))
    for shift in pair.shifts:
        if shift.of in ("law", "value"):
            rows.append((shift.of, f"{one} -> {other}", _write_chance(shift)))
        else:
            rows.append((shift.of, _write_ratio(shift), _write_chance(shift)))
    if pair.ranks[0] != pair.ranks[1]:
        rows.append(("rank", _rank(pair.ranks), ""))
    return f"{_join(pair)}\n{columns(rows, indent='  ')}"


def _write_law(standing: Standing) -> str:
    if standing.law in ("power", "exponential"):
        shape = f"t^-{standing.value:.3f}" if standing.law == "power" else f"exp(-{standing.value:.4g} t)"
        return f"{shape} ({standing.low:.4g} to {standing.high:.4g})"
    return standing.law


def _write_ratio(shift: Shift | Speed) -> str:
    ratio = shift.effect if isinstance(shift, Shift) else shift.ratio
    interval = f" ({shift.low:.3g} to {shift.high:.3g})" if math.isfinite(shift.low + shift.high) else ""
    return f"x {ratio:.3g}{interval}"


def _write_chance(shift: Shift) -> str:
    """How unlikely that is in two equal runs, over all pairs."""
    if math.isnan(shift.p):
        return "without exception"
    return f"p = {shift.p:.1g}" if shift.p >= 1e-9 else "p < 1e-9"


def _rank(ranks: tuple[str, str]) -> str:
    return f"{ranks[0] or 'none'} -> {ranks[1] or 'none'}"


def _join(pair: Pair) -> str:
    return " x ".join(_both(part) for part in (pair.problem, pair.optimizer))


def _both(match: Match) -> str:
    return match.before if match.before == match.after else f"{match.before} -> {match.after}"


def _tell_speed(changes: Changes) -> str:
    if not changes.timed:
        return "speed is not compared: the machines differ"
    rows = [(speed.optimizer, f"{_write_ratio(speed)} over {speed.pairs} problems") for speed in changes.speeds]
    return f"seconds per step\n{columns(rows, indent='  ')}" if rows else ""


def _sum_up(changes: Changes) -> str:
    changed = sum(pair.changed for pair in changes.pairs)
    equal, common = (sum(getattr(pair, name) for pair in changes.pairs) for name in ("equal", "common"))
    bits = f"{equal} of {common} runs with the same seed have the same bits" if common else "no seed is in both"
    if not changes.changed:
        return f"no change in {len(changes.pairs)} pairs; {bits}"
    return f"{changed} of {len(changes.pairs)} pairs changed, by more than chance and {LEAST:.0%}; {bits}"


def _clip(name: str, text: str) -> str:
    return text[:DIGEST] if name.startswith("sources") or name.endswith("commit") else text
