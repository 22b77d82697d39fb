"""What the report is drawn from: of every run its row, of every pair its band and its reasons, of some seeds the trace.

A hundred thousand traces are gigabytes, and no page shows them one by one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .claims.verdicts import Claims
from .rates import Rate
from .reasons import Reasons, give_reasons
from .rows import Row, count_records
from .trace import Trace

if TYPE_CHECKING:
    import pandas as pd

MOST_RECORDS = 500_000  # of the traces that are kept: some 300 MB as a table
MOST_REASONS = 100  # pairs that are explained, at 30 ms each; `bench-ovp explain` has any

Entry = tuple[Trace, list[Rate]]


class Excerpt:
    """Fills while results are read, a problem at a time.

    Traces are kept of the first seeds of every pair, of as many as MOST_RECORDS allow: whenever there are more, of
    half as many. Bands are of all seeds.
    """

    def __init__(self) -> None:
        self._traces: list[Trace] = []
        self._records = 0
        self._seeds: int | None = None  # of each pair that are kept; None for all
        self._bands: list[pd.DataFrame] = []
        self._runs: list[pd.DataFrame] = []
        self._reasons: list[Reasons] = []

    def add(self, entries: Sequence[Entry], ranking: Iterable[Row], wanted: Mapping[str, int]) -> None:
        """Take in the pairs of a problem.

        Args:
            entries: the traces of the pairs with the laws of their runs.
            ranking: their rows of the ranking.
            wanted: how many seeds the suite asks for, by label of the cell.
        """
        from .report.bands import average_trace
        from .tables import runs_frame

        rows = {row["optimizer"]: row for row in ranking}
        self._runs.append(runs_frame(entries))
        for trace, rates in entries:
            labels = {"problem": trace.problem.label, "optimizer": trace.optimizer.label}
            self._bands.append(average_trace(trace).assign(**labels))
            if len(self._reasons) < MOST_REASONS:
                missing = wanted[" x ".join(labels.values())] - len(trace.runs)
                self._reasons.append(_slim(give_reasons(trace, rates, rows[trace.optimizer.label], missing=missing)))
            self._keep(trace)

    def draw(self, folder: Path, ranking: Sequence[Row], provenance: dict[str, Any], claims: Claims) -> Path:
        """Draw figures and page; returns the path of the page."""
        import pandas as pd

        from .report import draw_report
        from .report.tables import join_bands
        from .tables import frame_ranking, runs_frame, trace_frame

        runs = pd.concat(self._runs, ignore_index=True) if self._runs else runs_frame([])
        frames = trace_frame(self._traces), runs, frame_ranking(ranking)
        return draw_report(folder, *frames, provenance, self._reasons, claims, join_bands(self._bands), self._seeds)

    def _keep(self, trace: Trace) -> None:
        self._traces.append(_cut(trace, self._seeds))
        self._records += count_records(self._traces[-1])
        while self._records > MOST_RECORDS and (most := max(len(kept.runs) for kept in self._traces)) > 1:
            self._seeds = (most + 1) // 2
            self._traces = [_cut(kept, self._seeds) for kept in self._traces]
            self._records = sum(map(count_records, self._traces))


def _cut(trace: Trace, seeds: int | None) -> Trace:
    return trace if seeds is None else replace(trace, runs=trace.runs[:seeds])


def _slim(reasons: Reasons) -> Reasons:
    """Without the evidence for the laws of seeds that are not explained."""
    laws = {seed: law if seed == reasons.seed else replace(law, evidence=()) for seed, law in reasons.rates.items()}
    return replace(reasons, rates=laws)
