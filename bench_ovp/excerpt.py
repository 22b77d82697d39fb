"""What the report is drawn from: of every run its row, of every pair its band and its reasons, of some seeds the trace.

A hundred thousand traces are gigabytes, and no page shows them one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .claims.verdicts import Claims, Drawing
from .contest import Contest
from .rates import Rate
from .reasons import Reasons, begin_reasons
from .rows import Row, count_records, list_comparisons
from .trace import Trace

if TYPE_CHECKING:
    import pandas as pd

    from .processes import WorkerPool
    from .rates.grounds import Explanation
    from .report.tables import Tables

MOST_RECORDS = 500_000  # of the traces that are kept: some 300 MB as a table
MOST_COMPARISONS = 200_000  # of pairs of optimizers, some 100 MB; without them no ranks are drawn
MOST_REASONS = 100  # pairs that are explained, at 30 ms each; `bench-ovp explain` has any

Entry = tuple[Trace, list[Rate]]
Call = Callable[[], "Explanation | None"]


class Excerpt:
    """Fills while results are read, a problem at a time.

    Traces are kept of the first seeds of every pair, of as many as MOST_RECORDS allow: whenever there are more, of
    half as many. Bands are of all seeds.

    Args:
        ask: is given calls that explain, and gives what returns their results; None, if no reasons are wanted.
    """

    def __init__(self, ask: Callable[[Call], Call] | None = lambda call: call) -> None:
        self._ask = ask
        self._comparisons: list[Row] | None = []  # None where there are too many
        self._traces: list[Trace] = []
        self._records = 0
        self._seeds: int | None = None  # of each pair that are kept; None for all
        self._bands: list[pd.DataFrame] = []
        self._runs: list[pd.DataFrame] = []
        self._reasons: list[tuple[Reasons, Call]] = []

    def add(
        self,
        entries: Sequence[Entry],
        contests: Sequence[Contest],
        ranking: Iterable[Row],
        wanted: Mapping[str, int] = {},
    ) -> None:
        """Take in the pairs of a problem.

        Args:
            entries: the traces of the pairs with the laws of their runs.
            contests: in which they were compared.
            ranking: their rows of the ranking.
            wanted: how many seeds the suite asks for, by label of the cell.
        """
        from .report.bands import average_trace
        from .tables import runs_frame

        if self._comparisons is not None:
            self._comparisons += list_comparisons(contests)
            if len(self._comparisons) > MOST_COMPARISONS:
                self._comparisons = None
        rows = {row["optimizer"]: row for row in ranking}
        self._runs.append(runs_frame(entries))
        for trace, rates in entries:
            labels = {"problem": trace.problem.label, "optimizer": trace.optimizer.label}
            self._bands.append(average_trace(trace).assign(**labels))
            if self._ask and len(self._reasons) < MOST_REASONS:
                missing = wanted[" x ".join(labels.values())] - len(trace.runs)
                reasons, explain = begin_reasons(trace, rates, rows[trace.optimizer.label], missing=missing)
                self._reasons.append((_slim(reasons), self._ask(explain)))
            self._keep(trace)

    def explain(self) -> list[Reasons]:
        """Why each pair has its law, of as many as are explained."""
        return [replace(reasons, explanation=explain()) for reasons, explain in self._reasons]

    def draw(
        self,
        folder: Path,
        ranking: Sequence[Row],
        provenance: dict[str, Any],
        claims: Claims,
        reasons: Sequence[Reasons] = (),
        companion: WorkerPool | None = None,
    ) -> Path:
        """Draw figures and page; returns the path of the page. See `draw_report`."""
        from .report import draw_report

        frames = self._frame(ranking)
        return draw_report(folder, **frames, provenance=provenance, reasons=reasons, claims=claims, companion=companion)

    def gather(self, ranking: Sequence[Row], provenance: dict[str, Any], drawings: Sequence[Drawing]) -> Tables:
        """The tables that figures are drawn from.

        Args:
            ranking: its rows, of all problems.
            provenance: what of it figures need.
            drawings: of the claims.
        """
        from .report.tables import gather

        return gather(**self._frame(ranking), provenance=provenance, drawings=drawings)

    def _frame(self, ranking: Sequence[Row]) -> dict[str, Any]:
        import pandas as pd

        from .report.tables import join_bands
        from .tables import frame_comparisons, frame_ranking, runs_frame, trace_frame

        return {
            "traces": trace_frame(self._traces),
            "runs": pd.concat(self._runs, ignore_index=True) if self._runs else runs_frame([]),
            "ranking": frame_ranking(ranking),
            "comparisons": frame_comparisons(self._comparisons or []),
            "bands": join_bands(self._bands),
            "seeds": self._seeds,
        }

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
