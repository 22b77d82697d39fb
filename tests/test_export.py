"""`bench-ovp report --figures`: names, widths, formats, and that nothing else changes."""

import shutil

import click
import pytest
from click.shell_completion import ShellComplete
from test_cli import refused

from bench_ovp.cli import _complete_figure, main
from bench_ovp.errors import InputError
from bench_ovp.figure_names import FORMATS, NAMES, check_names, complete_names, read_width, spread_names
from bench_ovp.suite_run import redraw


@pytest.fixture
def results(tiny_results, tmp_path):
    """A copy of the tiny results, to write in."""
    return shutil.copytree(tiny_results, tmp_path / "tiny")


def list_files(folder):
    return {path.relative_to(folder): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_named_figures_are_written_as_pdf(invoke, results):
    before = list_files(results)
    told = invoke("report", results, "--figures", "overview", "--width", "3.25in")
    assert told.exit_code == 0, told.output
    assert f"figure: {results / 'figures' / 'overview.pdf'}" in told.stdout
    assert told.stdout.startswith("The law of every pair. One tile per pair")
    after = list_files(results)
    assert {str(name) for name in after.keys() - before.keys()} == {"figures/overview.pdf"}
    assert {name: after[name] for name in before} == before  # nothing is redrawn or run


def test_kinds_formats_and_a_folder_of_ones_own(invoke, results):
    before = list_files(results)
    words = ("--figures", "convergence", "laws", "--format", "svg", "--format", "png", "--output", "for/paper")
    told = invoke("report", *words, "--figures", "overview", results)
    assert told.exit_code == 0, told.output
    names = {"convergence-gradient-descent", "convergence-heavy-ball", "overview"}
    written = {path.stem for path in (results.parent / "for" / "paper").iterdir()}
    assert names <= written
    assert {path.suffix for path in (results.parent / "for" / "paper").iterdir()} == {".svg", ".png"}
    assert list_files(results) == before
    assert told.stdout.index("convergence-heavy-ball.svg") < told.stdout.index("overview.svg")


def test_a_format_alone_draws_all(invoke, results):
    told = invoke("report", results, "--format", "svg", "--output", "all")
    assert told.exit_code == 0, told.output
    written = {path.name for path in (results.parent / "all").iterdir()}
    assert {"convergence-gradient-descent.svg", "overview.svg", "ranking.svg"} <= written


def test_without_options_the_report_is_redrawn(invoke, results, monkeypatch):
    asked = []
    monkeypatch.setattr(
        "bench_ovp.suite_run.redraw", lambda folder: asked.append(folder) or redraw(folder, report=False)
    )
    told = invoke("report", results)
    assert told.exit_code == 0, told.output
    assert asked == [results]
    assert not list(results.glob("figures/*.pdf"))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            ("--figures", "contrst"),
            "--figures contrst: no such figure; did you mean 'contrast'? There are contrast, con",
        ),
        (("--figures", "xyz"), f"--figures xyz: no such figure; there are {', '.join(NAMES)}"),
        (("--figures", "convergence-adam"), "convergence-heavy-ball"),
        (
            ("--figures", "sensitivity"),
            "nothing to show; it needs an optimizer at 3 step sizes, such as lr: [0.01, 0.1",
        ),
        (("--width", "3"), "--width 3: write a length with in, cm, mm or pt, such as 3.25in, from 2.5in to 20in"),
        (("--width", "1in"), "from 2.5in to 20in"),
        (("--figures", "overview", "--output", "suite.yaml"), "cannot write suite.yaml"),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_a_line(invoke, results, words, told):
    (results.parent / "suite.yaml").write_text("name: tiny\n")
    before = list_files(results)
    refused(invoke("report", results, *words), told)
    assert list_files(results) == before


def test_an_unknown_format_is_bad_input(invoke, results):
    told = invoke("report", results, "--format", "gif")
    assert told.exit_code == 2
    assert "'pdf', 'png', 'svg'" in told.stderr
    assert FORMATS == ("pdf", "png", "svg")


def test_an_unknown_name_is_refused_before_anything_is_read(invoke, tmp_path):
    refused(invoke("report", tmp_path / "nowhere", "--figures", "contrst"), "did you mean 'contrast'?")


@pytest.mark.parametrize(
    ("text", "inches"),
    [("3.25in", 3.25), ("86mm", 86 / 25.4), ("8.6cm", 8.6 / 2.54), ("234pt", 3.25), (" 3. in ", 3.0), ("20in", 20.0)],
)
def test_widths_have_units(text, inches):
    assert read_width(text) == pytest.approx(inches, rel=1e-15)


@pytest.mark.parametrize("text", ["", "3.25", "in", "-3in", "3px", "1e1in", "2.49in", "21in", "nanin", "3,25in"])
def test_other_widths_are_refused(text):
    with pytest.raises(InputError, match=r"write a length with in, cm, mm or pt, such as 3\.25in"):
        read_width(text)


@pytest.mark.parametrize(
    ("words", "spread"),
    [
        ("D --figures laws slopes", "D --figures laws --figures slopes"),
        ("--figures laws slopes D", "--figures laws --figures slopes D"),
        ("--figures x laws D --width 1in", "--figures x --figures laws D --width 1in"),
        ("--figures laws D slopes", "--figures laws D slopes"),
        ("laws --figures slopes --figures overview", "laws --figures slopes --figures overview"),
        ("D --output laws", "D --output laws"),
        ("D --figures claims-a convergence-b", "D --figures claims-a --figures convergence-b"),
        ("D --figures", "D --figures"),
        ("D --figures=laws slopes", "D --figures=laws slopes"),
    ],
)
def test_several_names_follow_one_option(words, spread):
    assert spread_names(words.split()) == spread.split()


def test_names_are_checked_and_completed(results):
    check_names([*NAMES, "convergence-whatever", "claims-phases"])
    (results / "figures").mkdir(exist_ok=True)
    (results / "figures" / "convergence-heavy-ball.csv").write_text("")
    assert complete_names("con", results) == ["contrast", "convergence", "constants", "convergence-heavy-ball"]
    assert complete_names("", results.parent) == list(NAMES)
    context = click.Context(click.Command("report"))
    context.params = {"folder": results}
    assert _complete_figure(context, None, "convergence-") == ["convergence-heavy-ball"]
    assert _complete_figure(click.Context(click.Command("report")), None, "slo") == ["slopes"]


def test_the_shell_completes_names(results):
    shell = ShellComplete(main, {}, "bench-ovp", "_BENCH_OVP_COMPLETE")
    found = shell.get_completions(["report", str(results), "--figures"], "crit")
    assert [item.value for item in found] == ["critical-difference"]
