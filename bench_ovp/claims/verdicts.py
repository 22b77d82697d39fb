"""From findings to verdicts: each claim beside its twin, and constants held against each other over a sweep."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from ..custody import Custody
from ..parameters import show_value
from ..problems import Array
from .claim import FAILS, HOLDS, UNDECIDED, Case, Check, Claim, Diagram, Finding, Line

SWEPT = 3  # values of a parameter that make a sweep
TREND = 0.1  # of the logarithm of a constant against that of a parameter, beyond its own uncertainty
COLUMNS = (
    *("claim", "source", "problem", "optimizer", "verdict", "value", "bound", "runs", "informative"),
    *("statement", "assumptions", "evidence", "twin", "twin_verdict", "twin_value", "plugin"),
)

Row = dict[str, Any]


class Offered(NamedTuple):
    """A claim, and the plug-in that makes it."""

    claim: Claim
    plugin: str


@dataclass(frozen=True)
class Measured:
    """A claim and its twin on one case.

    Args:
        offered: the claim.
        problem, optimizer: labels; no optimizer where the claim is about the problem.
        parameters: of the problem.
        own, twin: what was found.
    """

    offered: Offered
    problem: str
    optimizer: str
    parameters: Mapping[str, Any]
    own: Finding
    twin: Finding


class Drawing(NamedTuple):
    """What a diagram shows of one case."""

    diagram: Diagram
    problem: str
    optimizer: str
    lines: Sequence[Line]
    marks: Mapping[str, float]


class Claims(NamedTuple):
    """What a report tells of claims: the rows of claims.csv, and what is to be drawn."""

    rows: Sequence[Row] = ()
    drawings: Sequence[Drawing] = ()


class Hearing:
    """Claims, and what is found on one case after another. Nothing of a case is kept but findings and drawn lines.

    Args:
        claims: by name, with who makes them.
        describe: an error of a plug-in in one line.
        draw: whether to keep the lines of diagrams.
    """

    def __init__(
        self, claims: Mapping[str, Offered], describe: Callable[[BaseException, str], str], draw: bool = True
    ) -> None:
        self._claims = claims
        self._describe = describe
        self._draw = draw
        self._heard: set[tuple[str, str]] = set()
        self._measured: list[Measured] = []
        self.drawings: list[Drawing] = []

    def hear(self, case: Case) -> None:
        """Check every claim on a case."""
        if not case.runs:
            return
        label = case.problem.label
        with Custody(), np.errstate(all="ignore"):
            for name, offered in self._claims.items():
                alone = offered.claim.about == "problem"
                if alone and (name, label) in self._heard:
                    continue
                self._heard.add((name, label))
                own = self._check(offered, offered.claim.check, case)
                if own is None:
                    continue
                twin = self._check(offered, offered.claim.twin, case) or Finding(UNDECIDED)
                method = "" if alone else case.optimizer.label
                self._measured.append(Measured(offered, label, method, case.problem.parameters, own, twin))
        if self._draw:
            self._keep_lines(case)

    def list_rows(self) -> Iterator[Row]:
        """The rows of claims.csv, in the order of the claims."""
        order = {name: place for place, name in enumerate(self._claims)}
        own = hold_over_sweeps([(m, m.own) for m in self._measured])
        twins = hold_over_sweeps([(m, m.twin) for m in self._measured])
        found = zip(self._measured, own, twins, strict=True)
        for measured, finding, twin in sorted(found, key=lambda entry: order[entry[0].offered.claim.name]):
            yield _make_row(measured, finding, twin)

    def _check(self, offered: Offered, check: Check, case: Case) -> Finding | None:
        try:
            found = check(case)
            if found is not None and not isinstance(found, Finding):
                raise TypeError(f"a check must return a Finding or None, not {found!r}")  # noqa: TRY301
        except (Exception, SystemExit) as error:  # a plug-in's own: it is named, and the others are heard
            return Finding(UNDECIDED, evidence=self._describe(error, offered.plugin))
        return found

    def _keep_lines(self, case: Case) -> None:
        diagrams = [offered.claim.diagram for offered in self._claims.values() if offered.claim.diagram]
        for diagram in {diagram.name: diagram for diagram in diagrams}.values():
            try:
                with Custody(), np.errstate(all="ignore"):
                    lines = list(diagram.lines(case))
                    marks = dict(diagram.marks(case)) if diagram.marks and lines else {}
            except (Exception, SystemExit):  # noqa: S112  its claims' rows say what is wrong with the plug-in
                continue
            if lines:
                self.drawings.append(Drawing(diagram, case.problem.label, case.optimizer.label, lines, marks))


def hold_over_sweeps(found: Sequence[tuple[Measured, Finding]]) -> list[Finding]:
    """The findings, each constant held against those of its sweeps.

    A sweep is all cases that differ in one parameter of the problem. A constant that was seen in no sweep of at least
    SWEPT values is undecided; one that gets worse along a sweep fails.
    """
    sweeps: dict[tuple[Any, ...], list[int]] = defaultdict(list)
    for index, (measured, finding) in enumerate(found):
        for scale in finding.scales:
            rest = tuple((k, show_value(v)) for k, v in measured.parameters.items() if k != scale.parameter)
            sweeps[measured.offered.claim.name, measured.optimizer, scale.symbol, scale.among, rest].append(index)
    told: dict[int, list[str]] = defaultdict(list)
    worse: set[int] = set()
    for (_, _, symbol, _, _), members in sweeps.items():
        places = [scale.value for i in members for scale in found[i][1].scales if scale.symbol == symbol]
        points = zip(places, (found[i][1].constants for i in members), strict=True)
        known = [(x, values) for x, values in points if values and x > 0]
        if len({x for x, _ in known}) < SWEPT:
            continue
        sense = found[members[0]][0].offered.claim.sense
        slope, error = _fit_power(known)
        values = ", ".join(f"{x:.4g}" for x in sorted({x for x, _ in known}))
        power = f"{symbol}^{slope:.2f}" if symbol.isidentifier() else f"({symbol})^{slope:.2f}"
        for index in members:
            told[index].append(f"over {symbol} = {values} it goes like {power}")
            if sense * slope - 2.0 * error > TREND:
                worse.add(index)
    results = []
    for index, (_, finding) in enumerate(found):
        if not finding.scales:
            results.append(finding)
            continue
        parts = [part for part in (finding.evidence, *told[index]) if part]
        verdict = finding.verdict
        if verdict == HOLDS and index in worse:
            verdict = FAILS
        elif verdict == HOLDS and not told[index]:
            verdict = UNDECIDED
            symbols = " or ".join(scale.symbol for scale in finding.scales)
            parts.append(f"the suite has no sweep of {symbols} over {SWEPT} values")
        results.append(replace(finding, verdict=verdict, evidence="; ".join(parts)))
    return results


def _fit_power(points: Sequence[tuple[float, tuple[float, ...]]]) -> tuple[float, float]:
    """The slope of log constant against log parameter, every run a point, and its standard error."""
    x: Array = np.log(np.concatenate([np.full(len(values), place) for place, values in points]))
    y: Array = np.log(np.concatenate([values for _, values in points]))
    x, y = x - x.mean(), y - y.mean()
    square = float(x @ x)
    slope = float(x @ y) / square
    rest = y - slope * x
    return slope, float(np.sqrt(rest @ rest / max(1, len(x) - 2) / square))


def _make_row(measured: Measured, finding: Finding, twin: Finding) -> Row:
    claim, plugin = measured.offered
    decided = (HOLDS, FAILS)
    informative = twin.verdict == FAILS if finding.verdict in decided and twin.verdict in decided else None
    values = (
        *(claim.name, claim.source, measured.problem, measured.optimizer or None),
        *(finding.verdict, finding.value, finding.bound, finding.runs, informative),
        *(claim.statement, claim.assumptions or None, finding.evidence or None),
        *(claim.sharper, twin.verdict, twin.value, plugin),
    )
    return dict(zip(COLUMNS, values, strict=True))
