"""The commands: thin over the Python interface, and quick to say `--help`."""

from __future__ import annotations

import atexit
import errno
import gc
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import __version__
from .errors import InputError

if TYPE_CHECKING:
    from .results import Finished
    from .scaffold import Kind

FIGURES = (".png", ".svg", ".pdf")
FAILED, BAD_INPUT, INTERRUPTED = 1, 2, 130
# How often garbage is looked for: what libraries make lives on, and to look as often as ever costs a tenth of a report.
SELDOM = (1_000_000, 10, 20)
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

EPILOG = """\b
Examples:
  bench-ovp suite suites/quick.yaml
  bench-ovp suite suites/paper.yaml --only "*[n=5,*] x *"
  bench-ovp explain results/paper "*[n=5,*]" "gradient-d*"
  bench-ovp list
\b
Completion: add to the start-up file of your shell (bash here; zsh_source, fish_source likewise)
  eval "$(_BENCH_OVP_COMPLETE=bash_source bench-ovp)"
"""


_PLUGINS = click.option("--plugin", "plugins", type=click.Path(path_type=Path), multiple=True, metavar="FILE",
                        help="A Python file with hooks, loaded beside the installed plug-ins. May repeat.")  # fmt: skip


class Commands(click.Group):
    """Turns what the user can mend into one line and exit code 2; a bug keeps its traceback."""

    def invoke(self, context: click.Context) -> Any:
        """Run a command."""
        try:
            return super().invoke(context)
        except InputError as error:
            click.echo(f"bench-ovp: {error}", err=True)
            context.exit(BAD_INPUT)
        except OSError as error:
            if error.errno not in NO_ROOM:
                raise
            where = f"{error.filename}: " if error.filename else ""
            click.echo(f"bench-ovp: {where}{error.strerror}; finished runs are kept: make room, and the same command "
                       "goes on", err=True)  # fmt: skip
            context.exit(FAILED)
        except KeyboardInterrupt:
            click.echo("\nbench-ovp: interrupted; finished runs are kept, the same command goes on", err=True)
            context.exit(INTERRUPTED)


@click.group(cls=Commands, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="bench-ovp")
def main() -> None:
    """Does this optimizer converge like exp(-cT), or does it crawl like T^-3?

    Runs suites of problems and optimizers, decides each pair's law of convergence, and draws a report.
    """
    gc.set_threshold(*SELDOM)
    atexit.register(gc.freeze)  # or the end looks three times through all that is left, for half a second


@main.command(epilog="\b\nExample:\n  bench-ovp suite suites/paper.yaml -j 2 --results results")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--results", type=click.Path(path_type=Path), default=Path("results"), show_default=True,
              help="Where folders of results live.")  # fmt: skip
@click.option("-j", "--jobs", type=click.IntRange(min=1), help="Worker processes.  [default: all cores]")
@click.option("--executor", default="process", show_default=True, help="process, serial, dask, dask://HOST:PORT.")
@click.option("--seeds", type=click.IntRange(min=1), help="Override the file's seeds with 0 ... N-1.")
@click.option("--only", multiple=True, metavar="GLOB",
              help='Only cells whose "PROBLEM x OPTIMIZER" label matches; * and ? are wild. May repeat.')  # fmt: skip
@_PLUGINS
@click.option("--dry-run", is_flag=True, help="Print the plan and run nothing.")
@click.option("--no-report", is_flag=True, help="Write the tables only.")
@click.option("--verify", is_flag=True, help="Run a sample of what is stored again and compare bit for bit.")
def suite(
    file: Path,
    results: Path,
    jobs: int | None,
    executor: str,
    seeds: int | None,
    only: tuple[str, ...],
    plugins: tuple[Path, ...],
    dry_run: bool,
    no_report: bool,
    verify: bool,
) -> None:
    """Run what is missing of the suite FILE, then write tables and report.

    Exit codes: 0 all runs ended; 1 some failed or timed out, a plug-in did not load, --verify found other numbers, or
    there is no room to write; 2 bad input.
    """
    from .freshness import Said, ask, keep, recall
    from .progress import Reporting

    if dry_run:
        _print_plan(file, results, executor, seeds, only, plugins)
        return
    if verify:
        _verify(file, results, jobs=jobs, executor=executor, seeds=seeds, only=only, plugins=plugins)
        return
    report = not no_report
    asked = ask(file=file, results=results, executor=executor, seeds=seeds, only=only, plugins=plugins, report=report)
    if said := recall(asked):
        for line in said.notes:
            click.echo(line, err=True)
        say(said.text)
        sys.exit(said.code)
    from .suite_run import run_suite

    with Reporting() as progress:
        finished = run_suite(
            file,
            results,
            jobs=jobs,
            executor=executor,
            seeds=seeds,
            only=only,
            plugins=plugins,
            report=report,
            progress=progress,
        )
    text, code = _describe_finished(finished), 0 if finished.sound else FAILED
    say(text)
    if finished.repeats is not None:
        keep(asked, finished.folder, finished.sources, Said(finished.repeats, text, code))
    sys.exit(code)


class Figures(click.Command):
    """Takes several names after one --figures."""

    def parse_args(self, context: click.Context, args: list[str]) -> list[str]:
        """Read the words of the command line."""
        from .figure_names import spread_names

        return super().parse_args(context, spread_names(args))


def _complete_figure(context: click.Context, parameter: click.Parameter, typed: str) -> list[str]:
    from .figure_names import complete_names

    return complete_names(typed, context.params.get("folder") or Path())


@main.command(cls=Figures, epilog="\b\nExamples:\n  bench-ovp report results/paper\n"
              "  bench-ovp report results/paper --format pdf --figures contrast slopes --width 3.25in")  # fmt: skip
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--figures", "names", multiple=True, metavar="NAME...", shell_complete=_complete_figure,
              help="Draw these figures only, as files of their own.  [default: all]")  # fmt: skip
@click.option("--format", "formats", multiple=True, type=click.Choice(("pdf", "png", "svg")),
              help="Of the files. May repeat.  [default: pdf]")  # fmt: skip
@click.option("--width", metavar="LENGTH", help="Of the figures, in in, cm, mm or pt.  [default: 6.75in]")
@click.option("--output", type=click.Path(path_type=Path), metavar="DIR",
              help="Where the files go.  [default: FOLDER/figures]")  # fmt: skip
def report(
    folder: Path, names: tuple[str, ...], formats: tuple[str, ...], width: str | None, output: Path | None
) -> None:
    """Redraw tables and report of the results in FOLDER; runs nothing.

    With one of the options nothing is redrawn: figures are written as files for a paper, with text that is text in
    a .pdf, its fonts embedded, and outlines in an .svg. 3.25in is a column of many journals, 6.75in are two.
    """
    from .suite_run import redraw

    if not (names or formats or width or output):
        say(_describe_finished(redraw(folder)))
        return
    from .figure_names import Order, check_names, read_width
    from .layout import fill
    from .suite_run import export_figures

    check_names(names)
    order = Order(names, formats or Order().formats, read_width(width) if width else Order().width, output)
    for chart, files in export_figures(folder, order):
        say(fill(f"{chart.title}{'' if chart.title.endswith('?') else '.'} {chart.caption}"))
        for file in files:
            say(f"figure: {file}")


@main.command(epilog='\b\nExample:\n  bench-ovp explain results/paper "*[n=5,*]" "gradient-d*"')
@click.argument("results", type=click.Path(path_type=Path))
@click.argument("problem")
@click.argument("optimizer")
@click.option("--seed", type=int, help="The run to explain.  [default: the one with the median value]")
@click.option("--output", type=click.Path(path_type=Path), metavar="FILE",
              help="The figure: .png, .svg or .pdf.  [default: RESULTS/figures/explain/]")  # fmt: skip
def explain(results: Path, problem: str, optimizer: str, seed: int | None, output: Path | None) -> None:
    """Say and draw why PROBLEM x OPTIMIZER has its law, from the folder RESULTS; runs nothing.

    PROBLEM and OPTIMIZER are labels as in ranking.csv, globs (* and ? are wild, brackets literal), or the
    beginnings of labels.
    """
    from .layout import fill
    from .listing import describe_reasons
    from .suite_run import draw_reasons, explain_stored

    check_figure(output)
    reasons = explain_stored(results, problem, optimizer, seed)
    caption, written = draw_reasons(results, reasons, output)
    say(describe_reasons(reasons))
    click.echo(f"\n{fill(caption)}\n")
    for path in written:
        click.echo(f"figure: {path}")


@main.command("explain-cache", epilog='\b\nExample:\n  bench-ovp explain-cache results/paper "*[n=5,*] x *"')
@click.argument("results", type=click.Path(path_type=Path))
@click.argument("cell")
def explain_cache(results: Path, cell: str) -> None:
    """Say why CELL would run if the suite were asked again, or why not; runs nothing.

    CELL is a label "PROBLEM x OPTIMIZER" or a glob over them (* and ? are wild, brackets literal).
    """
    from .suite_run import explain_stored_cells

    for paragraph in explain_stored_cells(results, cell):
        click.echo(paragraph)


@main.command(epilog="\b\nExample:\n  bench-ovp merge results/paper from-the-other-machine/paper")
@click.argument("target", type=click.Path(path_type=Path))
@click.argument("others", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option("--no-report", is_flag=True, help="Write the tables only.")
def merge(target: Path, others: tuple[Path, ...], no_report: bool) -> None:
    """Add the stored runs of OTHERS, results of the same suite, to those in TARGET, and write tables and report.

    Where two machines have other numbers for one run, that of TARGET stays, the run is named, and the exit code is 1.
    """
    from .merging import merge_results

    merged = merge_results(target, others, report=not no_report)
    say(_describe_finished(merged.finished))
    click.echo(f"{merged.added} runs added, {merged.equal} there already with the same numbers")
    for line in merged.conflicts:
        click.echo(f"conflict: {line}", err=True)
    sys.exit(FAILED if merged.conflicts else 0)


@main.command(epilog="\b\nExamples:\n  bench-ovp compare before/paper after/paper\n"
                     "  bench-ovp compare before/paper results/paper --fail-on-change")  # fmt: skip
@click.argument("before", type=click.Path(path_type=Path))
@click.argument("after", type=click.Path(path_type=Path))
@click.option("--fail-on-change", is_flag=True, help="Exit code 1 if a pair came, went or changed.")
@click.option("--fail-on-slower", is_flag=True, help="Exit code 1 if an optimizer takes longer for a step.")
def compare(before: Path, after: Path, fail_on_change: bool, fail_on_slower: bool) -> None:
    """Say what changed from the results in BEFORE to those in AFTER, beyond chance; runs nothing.

    Compared are versions, machines, suite files, and of each pair that both have its parameters, law, value,
    constant, evaluations to a target, rank and speed. A pair whose parameter changed is that pair, changed.

    Exit codes: 0; 1 something changed that the options ask for; 2 bad input.
    """
    from .changes import compare_results
    from .changes.text import describe_changes

    changes = compare_results(before, after)
    say(describe_changes(changes))
    sys.exit(FAILED if (fail_on_change and changes.changed) or (fail_on_slower and changes.slower) else 0)


def say(text: str) -> None:
    """Print a text with tables in it."""
    from .layout import find_room, lay_out, may_colour

    click.echo(lay_out(text, find_room(), may_colour()))


def check_figure(path: Path | None) -> None:
    """Refuse a format that cannot be drawn, before anything is computed."""
    if path is not None and path.suffix not in FIGURES:
        raise InputError(f"--output {path}: the name of a figure ends in {', '.join(FIGURES[:-1])} or {FIGURES[-1]}")


@main.command("list")
@click.argument("what", type=click.Choice(["problems", "optimizers", "plugins"]), required=False)
@_PLUGINS
def list_offered(what: str | None, plugins: tuple[Path, ...]) -> None:
    """List problems, optimizers and plug-ins."""
    from .listing import list_all

    say(list_all(what, plugins))


def _complete_name(context: click.Context, parameter: click.Parameter, typed: str) -> list[str]:
    from .registry import installed

    registry = installed()
    return [name for name in (*registry.problems, *registry.methods) if name.startswith(typed)]


@main.command(epilog="\b\nThe names:\n  bench-ovp list")
@click.argument("name", shell_complete=_complete_name)
@_PLUGINS
def show(name: str, plugins: tuple[Path, ...]) -> None:
    """Parameters, defaults, units, theory and source of one problem or optimizer."""
    from .listing import show_one

    say(show_one(name, plugins))


@main.command(epilog="\b\nExamples:\n  bench-ovp check suites/paper.yaml\n  bench-ovp check my-optimizer -p lr=0.1\n"
                     "  bench-ovp check my_plugin.py")  # fmt: skip
@click.argument("target", shell_complete=_complete_name)
@click.option("-p", "--parameter", "parameters", multiple=True, metavar="[NAME.]KEY=VALUE",
              help="A value for a parameter of what is checked. May repeat.")  # fmt: skip
@click.option("--limit", type=click.FloatRange(min=0, min_open=True), default=120.0, show_default=True,
              help="Seconds that one check may take; the first time, a step is compiled.")  # fmt: skip
@_PLUGINS
def check(target: str, parameters: tuple[str, ...], limit: float, plugins: tuple[Path, ...]) -> None:
    """Say what is wrong with TARGET, or that nothing is.

    TARGET is a suite file; or a problem, an optimizer, a plug-in or a plug-in's file, which the conformance kit
    then tries, each check in time.

    Exit codes: 0 nothing is wrong; 1 a check fails; 2 bad input.
    """
    path = Path(target)
    if path.suffix != ".py" and (path.suffix in (".yaml", ".yml") or path.exists() or len(path.parts) > 1):
        _check_suite(path, plugins)
    elif not _check_conformance(target, parameters, limit, plugins):
        sys.exit(FAILED)


def _check_suite(file: Path, plugins: tuple[Path, ...]) -> None:
    from .suite_run import plan_suite, read_registry
    from .tuning import list_trials

    read, entries = plan_suite(file, read_registry(file, plugins))
    trials = list_trials(entries)
    tried = f", after {len(trials)} cells of candidates on {len(trials[0].seeds)} others" if trials else ""
    click.echo(f"{file}: {len(entries)} cells of {len(read.seeds)} seeds{tried}; nothing is wrong with it")


def _check_conformance(name: str, parameters: tuple[str, ...], limit: float, plugins: tuple[Path, ...]) -> bool:
    from .testing.target import Target
    from .testing.watch import read_parameters, run_checks

    counts = {"ok": 0, "FAILS": 0, "skipped": 0}
    for answer in run_checks(Target(name, read_parameters(parameters), plugins), limit):
        counts[answer.verdict] += 1
        click.echo(f"{answer.verdict:<8} {answer.check}" + (f": {answer.message}" if answer.message else ""))
    told = f"{counts['ok']} ok, {counts['FAILS']} fail, {counts['skipped']} skipped"
    click.echo(f"{name}: {sum(counts.values())} checks: {told}")
    return counts["FAILS"] == 0


@main.command(epilog="\b\nExample:\n  bench-ovp schema > suite.schema.json")
@_PLUGINS
def schema(plugins: tuple[Path, ...]) -> None:
    """Print the JSON Schema of suite files, by which editors complete and check them.

    It knows the problems and optimizers of all plug-ins that are installed.
    """
    import json

    from .registry import assemble, find_files
    from .schema import describe_schema

    click.echo(json.dumps(describe_schema(assemble(find_files(plugins, Path.cwd()))), indent=2, ensure_ascii=False))


@main.group(epilog="\b\nExamples:\n  bench-ovp new optimizer my-optimizer\n  bench-ovp new problem my-problem")
def new() -> None:
    """Write an installable plug-in to begin from: an optimizer or a problem that passes its tests as written."""


_TO = click.option("--to", type=click.Path(path_type=Path), default=Path(), metavar="DIR",
                   help="The package becomes the folder DIR/NAME.  [default: here]")  # fmt: skip


@new.command("optimizer", epilog="\b\nExample:\n  bench-ovp new optimizer my-optimizer")
@click.argument("name")
@_TO
@click.option("--driver", is_flag=True, help="One that owns its loop, as a flow does.")
def new_optimizer(name: str, to: Path, driver: bool) -> None:
    """Write the package of an optimizer NAME, such as my-optimizer."""
    _write_new("driver" if driver else "optimizer", name, to)


@new.command("problem", epilog="\b\nExample:\n  bench-ovp new problem my-problem")
@click.argument("name")
@_TO
def new_problem(name: str, to: Path) -> None:
    """Write the package of a problem NAME, such as my-problem."""
    _write_new("problem", name, to)


def _write_new(kind: Kind, name: str, to: Path) -> None:
    from .layout import columns
    from .scaffold import write_package

    package = write_package(kind, name, to)
    say(f"wrote {package.folder}\n{columns(list(package.files.items()), indent='  ')}\n\ngo on with")
    for line in (f"cd {shlex.quote(str(package.folder))}", *package.commands):
        click.echo(f"  {line}")


def _print_plan(
    file: Path, results: Path, executor: str, seeds: int | None, only: tuple[str, ...], plugins: tuple[Path, ...]
) -> None:
    from .executors import check_name
    from .listing import describe_plan

    check_name(executor)
    say(describe_plan(file, results, seeds, only, plugins))


def _verify(file: Path, results: Path, **asked: Any) -> None:
    from .progress import Reporting
    from .suite_run import verify_suite

    with Reporting() as progress:
        verified = verify_suite(file, results, progress=progress, **asked)
    for line in verified.different:
        click.echo(f"other numbers: {line}")
    click.echo(f"{verified.same} runs were computed again and gave the same bits; {len(verified.different)} did not")
    sys.exit(FAILED if verified.different else 0)


def _describe_finished(finished: Finished) -> str:
    from .listing import ranking_table

    lines = [ranking_table(finished.ranking)]
    lines += finished.damaged
    lines += finished.warnings
    if finished.missing:
        lines.append(f"partial: {len(finished.missing)} cells are not finished, such as {finished.missing[0]}")
    if finished.unsound:
        lines.append(f"{finished.unsound} runs failed or timed out; {finished.folder / 'runs.csv'} says why")
    if finished.absent:
        lines.append(f"{len(finished.absent)} entries of the suite were left out; the first: {finished.absent[0]}")
    elif finished.faulty:
        lines.append(f"did not load: {', '.join(finished.faulty)}")
    lines.append(f"tables: {finished.folder}")
    if finished.page is not None:
        lines.append(f"report: {finished.page}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
