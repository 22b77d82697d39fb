"""The commands: thin over the Python interface, and quick to say `--help`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import __version__
from .errors import InputError

if TYPE_CHECKING:
    from .suite_run import Finished

FIGURES = (".png", ".svg", ".pdf")
FAILED, BAD_INPUT, INTERRUPTED = 1, 2, 130

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


class Commands(click.Group):
    """Turns what the user can mend into one line and exit code 2; a bug keeps its traceback."""

    def invoke(self, context: click.Context) -> Any:
        """Run a command."""
        try:
            return super().invoke(context)
        except InputError as error:
            click.echo(f"bench-ovp: {error}", err=True)
            context.exit(BAD_INPUT)
        except KeyboardInterrupt:
            click.echo("\nbench-ovp: interrupted; finished runs are kept, the same command goes on", err=True)
            context.exit(INTERRUPTED)


@click.group(cls=Commands, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="bench-ovp")
def main() -> None:
    """Does this optimizer converge like exp(-cT), or does it crawl like T^-3?

    Runs suites of problems and optimizers, decides each pair's law of convergence, and draws a report.
    """


@main.command(epilog="\b\nExample:\n  bench-ovp suite suites/paper.yaml -j 2 --results results")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--results", type=click.Path(path_type=Path), default=Path("results"), show_default=True,
              help="Where folders of results live.")  # fmt: skip
@click.option("-j", "--jobs", type=click.IntRange(min=1), help="Worker processes.  [default: all cores]")
@click.option("--executor", default="process", show_default=True, help="process, serial, dask, dask://HOST:PORT.")
@click.option("--seeds", type=click.IntRange(min=1), help="Override the file's seeds with 0 ... N-1.")
@click.option("--only", multiple=True, metavar="GLOB",
              help='Only cells whose "PROBLEM x OPTIMIZER" label matches; * and ? are wild. May repeat.')  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Print the plan and run nothing.")
@click.option("--no-report", is_flag=True, help="Write the tables only.")
def suite(
    file: Path,
    results: Path,
    jobs: int | None,
    executor: str,
    seeds: int | None,
    only: tuple[str, ...],
    dry_run: bool,
    no_report: bool,
) -> None:
    """Run what is missing of the suite FILE, then write tables and report.

    Exit codes: 0 all runs ended; 1 some failed or timed out; 2 bad input.
    """
    from .executors import check_name
    from .progress import Reporting
    from .suite_run import run_suite

    check_name(executor)
    if dry_run:
        _print_plan(file, results, seeds, only)
        return
    with Reporting() as progress:
        finished = run_suite(
            file,
            results,
            jobs=jobs,
            executor=executor,
            seeds=seeds,
            only=only,
            report=not no_report,
            progress=progress,
        )
    _print_finished(finished)
    if finished.unsound:
        sys.exit(FAILED)


@main.command(epilog="\b\nExample:\n  bench-ovp report results/paper")
@click.argument("folder", type=click.Path(path_type=Path))
def report(folder: Path) -> None:
    """Redraw tables and report of the results in FOLDER; runs nothing."""
    from .suite_run import redraw

    _print_finished(redraw(folder))


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
    from .listing import describe_reasons, fill
    from .suite_run import draw_reasons, explain_stored

    check_figure(output)
    reasons = explain_stored(results, problem, optimizer, seed)
    caption, written = draw_reasons(results, reasons, output)
    click.echo(describe_reasons(reasons))
    click.echo(f"\n{fill(caption)}\n")
    for path in written:
        click.echo(f"figure: {path}")


def check_figure(path: Path | None) -> None:
    """Refuse a format that cannot be drawn, before anything is computed."""
    if path is not None and path.suffix not in FIGURES:
        raise InputError(f"--output {path}: the name of a figure ends in {', '.join(FIGURES[:-1])} or {FIGURES[-1]}")


@main.command("list")
@click.argument("what", type=click.Choice(["problems", "optimizers", "plugins"]), required=False)
def list_offered(what: str | None) -> None:
    """List problems, optimizers and plug-ins."""
    from .listing import list_all

    click.echo(list_all(what))


def _complete_name(context: click.Context, parameter: click.Parameter, typed: str) -> list[str]:
    from .registry import installed

    registry = installed()
    return [name for name in (*registry.problems, *registry.methods) if name.startswith(typed)]


@main.command(epilog="\b\nThe names:\n  bench-ovp list")
@click.argument("name", shell_complete=_complete_name)
def show(name: str) -> None:
    """Parameters, defaults, units, theory and source of one problem or optimizer."""
    from .listing import show_one

    click.echo(show_one(name))


@main.command(epilog="\b\nExample:\n  bench-ovp check suites/paper.yaml")
@click.argument("target", type=click.Path(path_type=Path))
def check(target: Path) -> None:
    """Say what is wrong with the suite file TARGET, or that nothing is."""
    from .registry import installed
    from .suite_run import plan_suite

    read, cells = plan_suite(target, installed())
    click.echo(f"{target}: {len(cells)} cells of {len(read.seeds)} seeds; nothing is wrong with it")


def _print_plan(file: Path, results: Path, seeds: int | None, only: tuple[str, ...]) -> None:
    from .listing import describe_plan

    click.echo(describe_plan(file, results, seeds, only))


def _print_finished(finished: Finished) -> None:
    from .listing import ranking_table

    click.echo(ranking_table(finished.ranking))
    if finished.missing:
        click.echo(f"partial: {len(finished.missing)} cells are not finished, such as {finished.missing[0]}")
    if finished.unsound:
        click.echo(f"{finished.unsound} runs failed or timed out; {finished.folder / 'runs.csv'} says why")
    click.echo(f"tables: {finished.folder}")
    if finished.page is not None:
        click.echo(f"report: {finished.page}")


if __name__ == "__main__":
    main()
