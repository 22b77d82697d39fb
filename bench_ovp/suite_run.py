"""A suite from its file to its tables and report; what `bench-ovp suite` and `report` do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from .arena import collect
from .audit import Verified, explain_cache, verify_stored
from .candidates import Tunable
from .contest import hold_contests
from .crew import Crew
from .engine import Broken, Progress, run_missing
from .errors import InputError
from .plan import Cell, Choice, list_entries
from .progress import Silent, describe_stored
from .reasons import Reasons, find_cell, give_reasons
from .registry import Registry, assemble, find_files
from .results import Finished, gather_tables, tell_time, write_results
from .rows import list_ranks
from .sheets import replacing
from .store import FILE, Store
from .suite import MOST_CELLS, Suite, matches, read_plugins, read_suite, say_shared
from .tuning import Failed, Tuned, list_cells, list_trials, settle, tune

if TYPE_CHECKING:
    from .figure_names import Order
    from .report.chart import Chart

FAILED_TRIALS = "failed trials"  # under which the store notes them: runs that failed are not stored
SUITE_FILE = "suite.yaml"  # kept beside the store, so that a report can be redrawn from the folder alone


def read_registry(path: Path, plugins: Sequence[Path] = (), folder: Path | None = None) -> Registry:
    """The installed plug-ins with the single files that a suite, or a user, adds to them.

    Args:
        path: of the suite file.
        plugins: further files.
        folder: where relative paths in the suite file begin; its own folder, if None.
    Errors:
        InputError: a file is not there.
    """
    files = dict.fromkeys((*find_files(plugins, Path.cwd()), *read_plugins(path, folder)))
    return assemble(tuple(files))


def plan_suite(
    path: Path, registry: Registry, seeds: int | None = None, folder: Path | None = None
) -> tuple[Suite, list[Cell | Choice]]:
    """Read a suite and list its cells, and those that are to be tuned first.

    Args:
        path: of the suite file.
        registry: of the plug-ins.
        seeds: overrides the file's, 0 … seeds − 1.
        folder: where relative paths in the file begin; its own folder, if None.
    Errors:
        InputError: the file is wrong.
    """
    suite = read_suite(path, registry, folder)
    if seeds is not None:
        if seeds * len(suite.problems) * len(suite.optimizers) > MOST_CELLS:
            raise InputError(f"--seeds {seeds}: too many; a suite has at most {MOST_CELLS:,} runs")
        suite = replace(suite, seeds=tuple(range(seeds)))
        if suite.tuning and (told := say_shared(suite.seeds, suite.tuning)):
            raise InputError(f"--seeds {seeds}: {told}")
    return suite, list_entries(suite, registry)


Entry = TypeVar("Entry", Cell, Cell | Choice)


def choose(cells: Sequence[Entry], only: Sequence[str]) -> list[Entry]:
    """The cells whose label matches one of the globs `only`; all of them without globs.

    Errors:
        InputError: nothing matches.
    """
    chosen = [cell for cell in cells if not only or any(matches(glob, cell.label) for glob in only)]
    if not chosen:
        raise InputError(f"--only {' '.join(only)}: no cell matches; cells are called like {cells[0].label!r}")
    return chosen


def run_suite(
    path: Path,
    results: Path,
    *,
    jobs: int | None = None,
    executor: str | Executor = "process",
    seeds: int | None = None,
    only: Sequence[str] = (),
    plugins: Sequence[Path] = (),
    report: bool = True,
    progress: Progress | None = None,
) -> Finished:
    """Run what is missing of a suite, then write tables and report.

    Args:
        path: of the suite file.
        results: where folders of results live.
        jobs, executor: see `executors`.
        seeds, only: see `plan_suite` and `choose`. What `only` leaves out is not run; tables and report show
            whatever of it is stored, and name the rest as missing.
        plugins: single-file plug-ins beyond those that the suite names.
        report: whether to draw figures and page.
        progress: is told what happens.
    Errors:
        InputError: the suite cannot be run as it is written; nothing was touched.
    """
    registry = read_registry(path, plugins)
    suite, entries = plan_suite(path, registry, seeds)
    chosen = choose(entries, only)
    crew = Crew(executor, jobs)
    folder = results / suite.name
    started = tell_time()
    progress = progress or Silent()
    notes = [*_list_faults(registry), *suite.absent]
    for line in notes:
        progress.noted(line)
    trials, wanted = list_trials(chosen), {entry.label for entry in chosen}
    with Store(folder) as store, crew:
        with replacing(folder / SUITE_FILE) as name:
            Path(name).write_bytes(suite.text.encode())
        store.note("folder", str(path.parent.resolve()))
        store.note("seeds", seeds)
        store.note("plugins", [str(file) for file in registry.files])
        failed: Broken = {}
        if trials:
            notes.append(f"tuning: {len(trials)} cells of candidates")
            progress.noted(notes[-1])
            notes.append(describe_stored(len(trials), len(trials)))  # another time
            failed = run_missing(trials, store, registry, progress, crew)
            store.note(FAILED_TRIALS, sorted({*_recall_failed(store), *failed}))
        tuned = recall_tuned(entries, store)
        cells = settle(entries, tuned)
        running = [cell for cell in cells if cell.label in wanted]
        broken = run_missing(running, store, registry, progress, crew)
        if not report:
            crew.leave()  # nothing will be explained
        finished = write_results(folder, suite, entries, tuned, store, registry, broken, started, report, crew)
    repeats = None if broken or failed else (*notes, describe_stored(len(running), len(running)))
    return replace(finished, sources=_list_sources(suite, registry), repeats=repeats)


def verify_suite(
    path: Path,
    results: Path,
    *,
    jobs: int | None = None,
    executor: str | Executor = "process",
    seeds: int | None = None,
    only: Sequence[str] = (),
    plugins: Sequence[Path] = (),
    progress: Progress | None = None,
) -> Verified:
    """Run a sample of what is stored of a suite again and compare bit for bit; writes nothing.

    Args:
        path, results, jobs, executor, seeds, only, plugins, progress: see `run_suite`.
    Errors:
        InputError: the suite cannot be run as it is written, or nothing of it is stored.
    """
    registry = read_registry(path, plugins)
    suite, entries = plan_suite(path, registry, seeds)
    with Crew(executor, jobs) as crew, _open_results(results / suite.name) as store:
        chosen = choose(entries, only)
        cells = list_cells(chosen, recall_tuned(chosen, store))
        return verify_stored(cells, store, registry, progress or Silent(), crew)


def explain_stored_cells(folder: Path, glob: str) -> list[str]:
    """Why cells of a suite would run, or not, if `suite` were asked again; a paragraph each.

    Args:
        folder: of the suite's results.
        glob: over labels "PROBLEM x OPTIMIZER".
    Errors:
        InputError: the folder holds no results, or no cell matches.
    """
    with _open_results(folder) as store:
        _, entries, tuned, registry = _recall_suite(folder, store)
        cells = list_cells(entries, tuned)
        found = list(explain_cache(cells, store, registry, glob))
    if not found:
        raise InputError(f"no cell is called {glob!r}; cells are called like {cells[0].label!r}")
    return found


def _list_sources(suite: Suite, registry: Registry) -> tuple[Path, ...]:
    """Where the plug-ins are, and the matrices that the suite names."""
    given = [thing.given for thing in suite.problems] + [thing.given for thing in suite.optimizers]
    given += [thing.grid for thing in suite.optimizers if isinstance(thing, Tunable)]
    files = (value for values in given for value in values.values() if isinstance(value, Path))
    places = (place for plugin in registry.plugins for place in plugin.places)
    return tuple(dict.fromkeys((*places, *files)))


def redraw(folder: Path, report: bool = True) -> Finished:
    """Tables and report again, from what is stored; runs nothing.

    Errors:
        InputError: the folder holds no results, or those of other code only: what was drawn of them stays.
    """
    with _open_results(folder) as store:
        suite, entries, tuned, registry = _recall_suite(folder, store)
        cells = list_cells(entries, tuned)
        if store.holds_runs and not any(map(store.knows, cells)):
            raise InputError(
                f"the runs in {folder} are of other code or parameters than its cells have now; tables and report stay "
                f"as they are. `bench-ovp suite {folder / 'suite.yaml'}` runs the cells anew, and "
                f"`bench-ovp explain-cache {folder} '*'` says what changed"
            )
        return write_results(folder, suite, entries, tuned, store, registry, {}, None, report)


def explain_stored(folder: Path, problem: str, optimizer: str, seed: int | None = None) -> Reasons:
    """Why a pair of a suite has its law, from what is stored; runs nothing.

    Args:
        folder: of the suite's results.
        problem, optimizer: see `reasons.find_label`.
        seed: to explain; the one in the middle, if None.
    Errors:
        InputError: the folder holds no results, no run of that pair or seed, or several pairs are meant.
    """
    with _open_results(folder) as store:
        _, entries, tuned, registry = _recall_suite(folder, store)
        cells = settle(entries, tuned)
        cell = find_cell(cells, problem, optimizer)
        trace, rates = collect(cell, *cell.revive(registry), store, {})
    if not trace.runs:
        raise InputError(f"no run of {cell.label} is stored yet; run the suite first")
    [row] = list_ranks([(trace.problem, trace.optimizer)], hold_contests([(trace, rates)], clocks=("time",)))
    return give_reasons(trace, rates, row, seed, len(cell.seeds) - len(trace.runs))


def draw_reasons(folder: Path, reasons: Reasons, output: Path | None = None) -> tuple[str, list[Path]]:
    """Draw why a pair has its law.

    Args:
        folder: of the suite's results; the figure goes to `figures/explain/` in it, as .png, .svg and .csv.
        reasons: of the pair.
        output: the one file to write instead.
    Returns:
        How to read the figure, and the files of it.
    Errors:
        InputError: the figure cannot be written there.
    """
    from .report.chart import save_chart, save_figure
    from .report.figures.explanation import chart_explanation

    chart = chart_explanation(reasons)
    place = output or folder / "figures" / "explain"
    try:
        if output is not None:
            save_figure(chart, [output])
            return chart.caption, [output]
        place.mkdir(parents=True, exist_ok=True)
        save_chart(chart, place)
    except OSError as error:
        raise InputError(f"cannot write {place}: {error.strerror}; use another --output") from None
    return chart.caption, [place / f"{chart.name}{suffix}" for suffix in (".png", ".svg")]


def export_figures(folder: Path, order: Order) -> Iterator[tuple[Chart, list[Path]]]:
    """Draw figures of what is stored as files of their own; runs nothing, and redraws neither tables nor report.

    Args:
        folder: of the suite's results.
        order: which, and how.
    Returns:
        Each chart with its files, as soon as they are written.
    Errors:
        InputError: the folder holds no results, a figure is unknown or has nothing to show, or a file cannot be
            written.
    """
    from .report.chart import save_figure
    from .report.figures import choose_charts

    with _open_results(folder) as store:
        _, entries, tuned, registry = _recall_suite(folder, store)
        tables = gather_tables(settle(entries, tuned), registry, store)
    place = order.output or folder / "figures"
    charts = choose_charts(tables, order.names)
    if not charts:
        raise InputError(f"{folder} has nothing to draw yet; run the suite first")
    try:
        place.mkdir(parents=True, exist_ok=True)
        for chart in charts:
            files = [place / f"{chart.name}.{kind}" for kind in order.formats]
            save_figure(chart, files, order.width)
            yield chart, files
    except OSError as error:
        raise InputError(f"cannot write {place}: {error.strerror}; use another --output") from None


def _open_results(folder: Path) -> Store:
    if not (folder / FILE).is_file() or not (folder / SUITE_FILE).is_file():
        raise InputError(
            f"{folder} holds no results of a suite; name a folder that `bench-ovp suite` made, such as results/paper"
        )
    return Store(folder, writable=False)


def _recall_suite(folder: Path, store: Store) -> tuple[Suite, list[Cell | Choice], dict[str, Tuned], Registry]:
    """The suite as it was read last, its cells, what they are tuned to, and the plug-ins that it names."""
    origin = Path(store.recall("folder") or folder)
    plugins = [Path(file) for file in store.recall("plugins") or ()]
    registry = read_registry(folder / SUITE_FILE, plugins, origin)
    suite, entries = plan_suite(folder / SUITE_FILE, registry, store.recall("seeds"), origin)
    return suite, entries, recall_tuned(entries, store), registry


def recall_tuned(entries: Sequence[Cell | Choice], store: Store) -> dict[str, Tuned]:
    """What cells are tuned to, by label, wherever all trials have ended."""
    return tune(entries, store, _recall_failed(store))


def _recall_failed(store: Store) -> Failed:
    """The trials that failed when they were run last."""
    return {(key, seed, limits) for key, seed, limits in store.recall(FAILED_TRIALS) or ()}


def _list_faults(registry: Registry) -> list[str]:
    """A line for each plug-in that did not load, or printed while it was loaded."""
    lines = [plugin.fault for plugin in registry.failed]
    return lines + [
        f"{plugin.title} printed while it was loaded: {plugin.said}" for plugin in registry.plugins if plugin.said
    ]
