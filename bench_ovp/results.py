"""What is stored of a suite, as tables, provenance and report."""

from __future__ import annotations

import gc
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import import_module
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from .arena import FEWEST, Arena, collect
from .claims import Case
from .claims.verdicts import COLUMNS as CLAIM_COLUMNS
from .claims.verdicts import Claims, Hearing, Offered
from .contest import Contest, Lists
from .crew import Crew
from .engine import COMPILING, Broken
from .excerpt import Entry, Excerpt
from .optimizers import Optimizer
from .plan import Cell, Choice, revive_all
from .problems import Problem
from .processes import open_companion
from .provenance import describe_run
from .rates import Rate
from .registry import Registry, describe_error
from .rows import (
    COMPARISON_COLUMNS,
    FIRST_COLUMNS,
    RANKING_COLUMNS,
    RUN_COLUMNS,
    Row,
    list_comparisons,
    list_parameters,
    list_ranks,
    list_runs,
)
from .sheets import open_csv, open_traces, replacing
from .store import Store
from .suite import Suite
from .trace import Trace
from .tuning import COLUMNS as TUNING_COLUMNS
from .tuning import Tuned, describe_tuning, list_rows, list_unsettled, list_warnings, settle

if TYPE_CHECKING:
    from .report.tables import Tables


@dataclass(frozen=True)
class Finished:
    """What came of a suite.

    Args:
        folder: of its results.
        page: the report, if one was drawn.
        ranking: the rows of that table.
        unsound: runs that failed or timed out.
        missing: labels of cells that are not finished.
        absent: what the suite names and a plug-in that did not load may have offered, a line each.
        faulty: how the plug-ins that did not load are called.
        sources: files and folders that the results depend on, beside the host's own and the suite's.
        damaged: what was found damaged in the store, a line each.
        warnings: what a reader should know of how optimizers were tuned, a line each.
        repeats: what the same suite would note when run again; None where it would run something.
    """

    folder: Path
    page: Path | None
    ranking: Sequence[Row]
    unsound: int
    missing: tuple[str, ...]
    absent: tuple[str, ...] = ()
    faulty: tuple[str, ...] = ()
    sources: tuple[Path, ...] = ()
    damaged: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    repeats: tuple[str, ...] | None = None

    @property
    def sound(self) -> bool:
        """Whether everything that was asked for ran to its end, with every plug-in that there is."""
        return not (self.unsound or self.absent or self.faulty)


def write_results(
    folder: Path,
    suite: Suite,
    asked: Sequence[Cell | Choice],
    tuned: Mapping[str, Tuned],
    store: Store,
    registry: Registry,
    broken: Broken,
    started: str | None,
    report: bool,
    crew: Crew | None = None,
) -> Finished:
    """Write the tables, provenance and, if wanted, the report of whatever is stored; a problem at a time.

    Args:
        folder: where they go.
        suite: as it was read.
        asked: its cells, and those that are still to be tuned.
        tuned: what is known of these.
        store, registry: of the results, and of the plug-ins.
        broken: runs that failed, which are not stored.
        started: when the suite began to run; None for a redrawing.
        report: whether to draw figures and page.
        crew: workers that explain laws, if any are there; they leave when they have done so.
    """
    cells = settle(asked, tuned)
    pairs = list(revive_all(cells, registry))
    parameters = _list_types(pairs)
    measured = list(dict.fromkeys((*FIRST_COLUMNS, *store.list_columns(cells))))
    excerpt = Excerpt(crew.ask) if crew else Excerpt()
    ranking: list[Row] = []
    engines: dict[str, str] = {}
    hearing = open_hearing(registry, draw=report)
    missing, seconds = list_unsettled(asked, tuned), 0.0
    unsound = sum(found.unsound for found in tuned.values())
    wanted = {cell.label: len(cell.seeds) for cell in cells}
    with open_companion(sum(wanted.values()) >= FEWEST) as companion:
        arena = Arena(companion, cells, registry, store, broken) if companion else None
        if companion and report:
            companion.submit(import_module, "bench_ovp.report")  # which it will help to draw
        with keeping_all(), ExitStack() as files:
            traces = files.enter_context(open_traces(folder / "traces.parquet", measured, parameters))
            runs = files.enter_context(open_csv(folder / "runs.csv", (*RUN_COLUMNS, *parameters)))
            ranks = files.enter_context(open_csv(folder / "ranking.csv", (*RANKING_COLUMNS, *parameters)))
            comparisons = files.enter_context(open_csv(folder / "comparisons.csv", COMPARISON_COLUMNS))
            claims = files.enter_context(open_csv(folder / "claims.csv", CLAIM_COLUMNS))
            entries: list[Entry] = []

            def visit(cell: Cell, trace: Trace, rates: list[Rate]) -> None:
                nonlocal seconds, unsound
                if len(trace.runs) < len(cell.seeds):
                    missing.append(cell.label)
                if not trace.runs:
                    return
                engines[cell.label] = trace.engine
                seconds += sum(run.seconds for run in trace.runs)
                unsound += sum(run.status in ("failed", "timeout") for run in trace.runs)
                traces.add(trace)
                runs.add(list_runs(trace, rates))
                if report:
                    entries.append((trace, rates))

            for held, ranked in read_problems(cells, pairs, store, broken, hearing, visit, arena):
                comparisons.add(list_comparisons(held))
                ranks.add(ranked)
                ranking += ranked
                if report:
                    excerpt.add(entries, held, ranked, wanted)
                entries.clear()
            verdicts = list(hearing.list_rows())
            claims.add(verdicts)
        reasons = excerpt.explain()
        if crew:
            crew.leave()
        provenance = describe_run(suite, cells, registry, missing, engines) | _times(folder, started)
        _write_tuning(folder / "tuning.csv", suite, tuned)
        if suite.tuning:
            provenance["tuning"] = describe_tuning(tuned, suite.tuning.seeds, list_unsettled(asked, tuned))
        provenance["seconds"] = {"running": round(seconds, 3), "compiling": round(store.recall(COMPILING) or 0.0, 3)}
        with replacing(folder / "provenance.json") as name:
            Path(name).write_text(json.dumps(provenance, indent=2))
        said = Claims(verdicts, hearing.drawings)
        page = excerpt.draw(folder, ranking, provenance, said, reasons, companion) if report else None
    faulty = tuple(plugin.title for plugin in registry.failed)
    damaged, warnings = tuple(dict.fromkeys(store.damaged)), tuple(list_warnings(tuned.values()))
    left_out = (tuple(missing), suite.absent, faulty)
    return Finished(folder, page, ranking, unsound, *left_out, damaged=damaged, warnings=warnings)


def gather_tables(cells: Sequence[Cell], registry: Registry, store: Store) -> Tables:
    """What is stored as the tables that figures are drawn from; writes nothing."""
    pairs = list(revive_all(cells, registry))
    excerpt, hearing, ranking = Excerpt(ask=None), open_hearing(registry, draw=True), []
    entries: list[Entry] = []

    def visit(cell: Cell, trace: Trace, rates: list[Rate]) -> None:
        if trace.runs:
            entries.append((trace, rates))

    for held, ranked in read_problems(cells, pairs, store, {}, hearing, visit):
        ranking += ranked
        excerpt.add(entries, held, ranked)
        entries.clear()
    named = {
        "problems": dict.fromkeys(problem.label for problem, _ in pairs),
        "optimizers": dict.fromkeys(optimizer.label for _, optimizer in pairs),
        "clocks": {optimizer.label: optimizer.method.clock for _, optimizer in pairs},
    }
    return excerpt.gather(ranking, named, hearing.drawings)


@contextmanager
def keeping_all() -> Iterator[None]:
    """Do not look for garbage: of millions of small objects that come to stay, looking through them takes an eighth."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def read_problems(
    cells: Sequence[Cell],
    pairs: Sequence[tuple[Problem, Optimizer]],
    store: Store,
    broken: Broken,
    hearing: Hearing,
    visit: Callable[[Cell, Trace, list[Rate]], None],
    arena: Arena | None = None,
) -> Iterator[tuple[list[Contest], list[Row]]]:
    """The contests and the ranking of each problem, in turn, from the runs of its cells.

    Args:
        cells, pairs: in the same order, those of a problem one after the other.
        store, broken: where the runs are.
        hearing: hears every cell that has runs.
        visit: is shown the runs of every cell, as they are read.
        arena: where the contests are held; here, if None.
    """
    for problem, group in groupby(zip(cells, pairs, strict=True), key=lambda entry: entry[0].problem_label):
        lists, there = Lists(problem), []
        for cell, pair in group:
            trace, rates = collect(cell, *pair, store, broken)
            visit(cell, trace, rates)
            if trace.runs:
                there.append(pair)
                hearing.hear(take_case(trace, rates))
                if arena is None:
                    lists.enter(trace, rates)
        held = arena.fetch(problem) if arena else list(lists.hold())
        yield held, list(list_ranks(there, held))


def take_case(trace: Trace, rates: Sequence[Rate]) -> Case:
    """What claims are checked on: the runs of a pair that left a trace, and their rates."""
    there = [(run, rate) for run, rate in zip(trace.runs, rates, strict=True) if run.rows]
    return Case(trace.problem, trace.optimizer, tuple(run for run, _ in there), tuple(rate for _, rate in there))


def open_hearing(registry: Registry, draw: bool) -> Hearing:
    """A hearing of all claims that plug-ins make; one that breaks is named by its plug-in."""
    plugins = {plugin.name: plugin for plugin in registry.plugins}
    offered = {name: Offered(claim, registry.plugin_of("claim", name).name) for name, claim in registry.claims.items()}

    def describe(error: BaseException, plugin: str) -> str:
        return f"{plugins[plugin].title}: {describe_error(error, (plugins[plugin],))}"

    return Hearing(offered, describe, draw)


def _write_tuning(path: Path, suite: Suite, tuned: Mapping[str, Tuned]) -> None:
    """The table of candidates, where the suite has any; an old one would pass for a result."""
    if suite.tuning is None:
        path.unlink(missing_ok=True)
        return
    rows = list(list_rows(tuned.values()))
    parameters = dict.fromkeys(name for row in rows for name in row if name not in TUNING_COLUMNS)
    with open_csv(path, (*TUNING_COLUMNS, *parameters)) as sheet:
        sheet.add(rows)


def tell_time() -> str:
    """Now, as provenance writes it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _list_types(pairs: Iterable[tuple[Problem, Optimizer]]) -> dict[str, set[type]]:
    """The columns of parameters, and the types of their values."""
    types: dict[str, set[type]] = defaultdict(set)
    for pair in pairs:
        for name, value in list_parameters(*pair).items():
            types[name].add(type(value))
    return types


def _times(folder: Path, started: str | None) -> dict[str, str]:
    """When the suite ran; a redrawing keeps the times of the run."""
    if started is not None:
        return {"started": started, "finished": tell_time()}
    try:
        before = json.loads((folder / "provenance.json").read_text())
        return {"started": str(before["started"]), "finished": str(before["finished"])}
    except (OSError, ValueError, KeyError, TypeError):
        return {"started": "unknown", "finished": "unknown"}
