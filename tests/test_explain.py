"""Why a law was chosen: the numbers behind it, the command that tells them, and their section of the report."""

from __future__ import annotations

import os
import re
import shutil
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import drop_runs
from matplotlib.backends.backend_agg import FigureCanvasAgg
from report_tables import make_suite
from test_cli import refused
from test_report import Resources

from bench_ovp import processes
from bench_ovp.errors import InputError
from bench_ovp.rates import Rate, fit_rate
from bench_ovp.rates.explanation import explain
from bench_ovp.reasons import Reasons, choose_seed, find_label
from bench_ovp.report import artists
from bench_ovp.report import page as page_of_report
from bench_ovp.report.chart import compact, drawing
from bench_ovp.report.figures.explanation import (
    draw_explanation,
    raise_powers,
    set_model,
    sketch,
    slug_pair,
    tabulate,
    thin,
)
from bench_ovp.report.labels import clip
from bench_ovp.report.style import COLUMN, DOUBLE, write_power
from bench_ovp.report.tables import gather
from bench_ovp.report.why import list_contenders, write_reasons

T = 0.05 * np.unique(np.round(10 ** (np.arange(101) / 20)))
NOISE = np.random.default_rng(7).standard_normal(T.size)
STANDING = {"law": "power", "theory_law": "power", "theory_value": 3.0}
CURVES = {
    "power": 0.3 / (1 + T) ** 3,
    "exponential": np.exp(-0.01 * T) / (1 + T),
    "undecided": np.log(T + 3) ** -2.0 * np.exp(0.3 * NOISE),
    "stalled": np.exp(-T) + 0.1,
    "superexponential": np.exp(-1e-3 * T**1.6),
    "diverged": np.append(T[:-1], np.inf),
}


def reasons_for(loss: np.ndarray, problem: str = "a-problem", optimizer: str = "a-method", **standing) -> Reasons:
    """The reasons of a pair of one seed."""
    why = explain(T, loss)
    row = {"law": why.rate.law, "theory_law": None, "theory_value": np.nan} | standing
    return Reasons(problem, optimizer, row, {0: why.rate}, 0, "it is the only one", why)


# The numbers.


@pytest.mark.parametrize("law", CURVES)
def test_an_explanation_is_of_the_rate_that_is_decided(law):
    assert explain(T, CURVES[law]).rate == fit_rate(T, CURVES[law])
    if law != "undecided":
        assert explain(T, CURVES[law]).rate.law == law


def test_a_rate_that_is_known_is_not_sought_again(monkeypatch):
    found = explain(T, CURVES["power"])
    monkeypatch.setattr("bench_ovp.rates.explanation.decide", None)
    again = explain(T, CURVES["power"], known=found.rate)
    assert again.rate is found.rate
    assert again.weighing.contenders == found.weighing.contenders


@pytest.mark.parametrize("law", ["power", "exponential"])
def test_the_mixture_reproduces_the_value(law):
    why = explain(T, CURVES[law] * np.exp(1e-3 * NOISE))
    fit = why.weighing.fit
    assert fit.law == law
    at_end = fit.slope[-1] / (1.0 if law == "power" else T[-1])
    assert at_end == pytest.approx(why.rate.value, abs=why.rate.high - why.rate.value)
    own = [one for one in why.weighing.contenders if one.law == law]
    mean = np.average([one.value for one in own], weights=[one.weight for one in own])
    assert mean == pytest.approx(why.rate.value, rel=1e-3)
    assert fit.start == pytest.approx(why.rate.start)
    assert why.weighing.shares[law] == pytest.approx(sum(one.weight for one in own), abs=0.01)


def test_a_noise_free_law_leaves_nothing_over():
    weighing = explain(T, T**-3.0).weighing
    assert np.abs(weighing.residual(weighing.fit)).max() < 1e-8
    assert np.allclose(weighing.fit.slope, 3.0)
    assert weighing.rival.law == "exponential"
    assert weighing.rival.odds < -100
    assert sum(weighing.variance.values()) == pytest.approx(1.0)


def test_local_slopes_are_those_of_the_law():
    slopes = explain(T, T**-3.0).slopes
    assert slopes.kind == "slope"
    assert slopes.value.size > 10
    assert np.all(np.abs(slopes.value - 3.0) <= slopes.half + 1e-9)
    noisy = explain(T, T**-3.0 * np.exp(0.02 * NOISE)).slopes
    inside = np.abs(noisy.value - 3.0) <= noisy.half
    assert inside.mean() > 0.8
    assert np.all(np.diff(noisy.time) > 0)
    assert noisy.half.max() < 0.2
    rates = explain(T, np.exp(-0.01 * T)).slopes
    assert rates.kind == "rate"
    assert np.allclose(rates.value, 0.01)


def test_the_misfit_of_a_curve_with_two_regimes_is_seen_before_the_window():
    weighing = explain(T, 1 / (1 + T) ** 3 + 0.3 * np.exp(-T)).weighing
    left = weighing.residual(weighing.rival)
    assert np.nanmax(np.abs(left)) > 100.0
    inside = weighing.time > weighing.fit.start
    assert np.nanmax(np.abs(weighing.residual(weighing.fit)[inside])) < 2.0


def test_what_was_left_out_is_told_with_its_reason():
    loss = np.maximum(np.exp(-0.1 * T), 1e-30)
    told = dict(write_reasons(reasons_for(loss)))["read"]
    assert "left out" in told
    assert "rounding" in told
    announced = explain(T, np.exp(-0.1 * T), floor=1e-20)
    assert announced.end == "floor"
    assert 0 < announced.read < T.size
    zeros = np.where(T > 100, 0.0, 1 / T)
    assert explain(T, zeros).end == "zero"
    assert "exactly 0" in dict(write_reasons(reasons_for(zeros)))["read"]


def test_an_oscillation_is_told_of():
    t = np.arange(1.0, 120.0)
    loss = np.exp(-0.1 * t) * (1 + 0.8 * np.cos(0.7 * t))
    why = explain(t, loss)
    assert why.weighing.oscillates
    told = Reasons("p", "o", STANDING, {0: why.rate}, 0, "", why)
    assert "An oscillation was divided out" in dict(write_reasons(told))["read"]


def test_an_undecided_curve_tells_what_it_lacks():
    why = explain(T[:60], np.log(T[:60] + 3) ** -2.0)
    assert why.rate.law == "undecided"
    assert why.weighing.fit.law == "undecided"
    told = dict(write_reasons(Reasons("p", "o", STANDING, {0: why.rate}, 0, "", why)))
    assert "needs" in told["because"]
    assert "may settle it" in told["remedy"]
    more = float(re.search(r"t = (\S+) may", told["remedy"])[1])
    assert more > why.rate.end
    assert "interval" not in told


@pytest.mark.parametrize("points", [0, 1, 2, 5])
def test_a_curve_too_short_is_explained_all_the_same(points):
    why = explain(T[:points], 1 / T[:points])
    assert why.weighing is None
    assert why.read == points
    told = Reasons("p", "o", STANDING, {0: why.rate}, 0, "", why)
    assert "needs" in dict(write_reasons(told))["because"]
    assert len(draw_explanation(told, DOUBLE).axes) == 4


def test_a_run_without_a_trace_says_so():
    told = Reasons("p", "o", STANDING, {0: Rate("undecided", reason="no trace: a KeyError")}, 0, "", None)
    assert dict(write_reasons(told))["because"] == "No trace: a KeyError."
    assert list_contenders(told) == []
    assert b"no trace was recorded" in sketch(told)


# Which seed and which pair.


def rated(law: str, value: float = np.nan) -> Rate:
    return Rate(law, value)


def test_the_seed_in_the_middle_speaks():
    rates = {3: rated("power", 2.0), 1: rated("power", 1.0), 5: rated("power", 9.0), 0: rated("stalled")}
    assert choose_seed(rates, "power")[0] == 3
    assert choose_seed(rates | {7: rated("power", 1.5)}, "power")[0] == 3  # of two in the middle, the smaller seed
    assert choose_seed(dict.fromkeys((4, 2), rated("power", 1.0)), "power")[0] == 2
    assert choose_seed(rates, "stalled")[0] == 0
    assert choose_seed(rates, "undecided")[0] == 0
    assert "3 that follow" in choose_seed(rates, "power")[1]


LABELS = ["teacher[n=2]", "teacher[n=20]", "exact", "exact-too"]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [("teacher[n=2]", 0), ("teacher[n=20", 1), ("*=20*", 1), ("exact", 2), ("exact-", 3), ("ex*-t??", 3)],
)  # fmt: skip
def test_a_label_is_meant_by_itself_a_glob_or_its_beginning(wanted, found):
    assert find_label("problem", wanted, LABELS) == LABELS[found]


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        ("teacher", r"ambiguous: teacher\[n=2\], teacher\[n=20\]; "),
        ("*", "ambiguous: .*exact-too"),
        ("nothing", "no problem is called 'nothing'; there are teacher"),
        ("", "ambiguous"),
    ],
)
def test_a_label_that_is_not_clear_names_the_candidates(wanted, told):
    with pytest.raises(InputError, match=told):
        find_label("problem", wanted, LABELS)


def test_many_candidates_are_not_all_named():
    with pytest.raises(InputError, match="and 94 more"):
        find_label("problem", "p", [f"p{place}" for place in range(100)])


# The figure.


@pytest.mark.parametrize("width", [DOUBLE, COLUMN], ids=["wide", "narrow"])
@pytest.mark.parametrize("law", CURVES)
def test_every_law_is_drawn(law, width):
    figure = draw_explanation(reasons_for(CURVES[law], theory_law="power", theory_value=3.0), width)
    assert len(figure.axes) == 4


@pytest.mark.parametrize("law", CURVES)
def test_beside_a_table_of_weights_three_panels_are_a_row(law):
    with drawing():
        figure = draw_explanation(reasons_for(CURVES[law], theory_law="power", theory_value=3.0), DOUBLE, clip,
                                  weights=False)  # fmt: skip
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        boxes = [artist.get_tightbbox(canvas.get_renderer()) for artist in (*figure.axes, *figure.legends)]
    assert len(boxes) == 4
    assert "votes for" not in "".join(text.get_text() for text in figure.legends[0].get_texts())
    for place, box in enumerate(boxes):
        assert np.all(box.min >= 0)
        assert np.all(box.max <= figure.bbox.max)
        assert not any(box.overlaps(other) for other in boxes[:place])


@pytest.mark.parametrize("law", ["power", "undecided", "superexponential", "diverged"])
def test_the_sketch_is_small_and_self_contained(law):
    image = sketch(reasons_for(CURVES[law])).decode()
    assert 5_000 < len(image) < 45_000
    assert "<image" not in image
    assert "<script" not in image
    assert set(re.findall(r"(?:url\(#|href=\"#)([^)\"]+)", image)) <= set(re.findall(r' id="([^"]+)"', image))
    assert "(a) loss L" in image


def test_equal_reasons_give_equal_bytes():
    assert sketch(reasons_for(CURVES["power"])) == sketch(reasons_for(CURVES["power"]))


def test_a_sketch_is_an_image_as_before_when_it_is_compacted():
    head = b'<svg><defs><style type="text/css">*{a:b}</style></defs>'
    svg = head + b'<g id="x">\n <path id="m1" style="fill: red"/></g></svg>'
    assert compact(svg).decode().count("fill: red") == 1
    assert b'class="c0"' in compact(svg)


def test_the_data_behind_a_figure_are_all_there():
    table = tabulate(reasons_for(CURVES["power"]))
    assert {"loss", "slope", "residual, %", "weight, for power"} <= set(table["panel"])
    read = table[(table["panel"] == "loss") & (table["series"] == "read")]
    assert np.allclose(read["value"], CURVES["power"])
    assert tabulate(Reasons("p", "o", STANDING, {0: Rate("undecided")}, 0, "", None)).empty


def test_no_two_pairs_share_a_file():
    one = slug_pair(reasons_for(CURVES["power"], problem="a b"))
    other = slug_pair(reasons_for(CURVES["power"], problem="a-b"))
    assert one != other
    assert re.fullmatch(r"[\w.-]+", slug_pair(reasons_for(CURVES["power"], problem="../../é", optimizer="x" * 300)))


@pytest.mark.parametrize(
    ("name", "raised"),
    [
        ("t^-p (1 + a t^-0.5)", "t^{-p} (1 + a t^{-0.5})"),
        ("t^-p e^(a t^0.25 + b/t)", "t^{-p} e^{a t^{0.25} + b/t}"),
        ("e^-ct^g, g > 1", "e^{-ct^{g}}, g > 1"),
        ("e^-ct-at^2", "e^{-ct-at^{2}}"),
        ("(log t)^-p", "(log t)^{-p}"),
        ("constant", "constant"),
    ],
)
def test_models_are_set_as_formulas(name, raised):
    assert raise_powers(name) == raised
    assert set_model(name).startswith("$")


def test_a_model_written_in_another_way_is_left_as_it_is():
    assert not set_model("50% of $x_1$").startswith("$")
    for broken in ("t^", "t^(a", "t^ 2"):
        assert set_model(broken) == broken


def test_axes_and_thinning():
    assert [write_power(value, plain=True) for value in (0.1, 100, 1e5, 1e-7)] == ["0.1", "100", "10⁵", "10⁻⁷"]
    assert write_power(1.0, plain=False) == "10⁰"
    assert list(thin(3)) == [0, 1, 2]
    assert len(thin(5000)) == 120
    assert thin(5000)[-1] == 4999
    assert len(thin(0)) == 0


# The command.

PAIR = "teacher-neuron[n=1", "gradient-descent*"


@pytest.fixture
def results(tiny_results: Path, tmp_path: Path) -> Path:
    """A copy of the tiny suite's results, to write to."""
    return Path(shutil.copytree(tiny_results, tmp_path / "tiny"))


def test_the_command_tells_and_draws(invoke, results):
    told = invoke("explain", "tiny", *PAIR)
    assert told.exit_code == 0, told.output
    text = told.stdout
    assert text.startswith("teacher-neuron[n=1,d=5] x gradient-descent[lr=0.1], seed ")
    for heading in ("read", "law", "because", "interval", "rivals", "seeds"):
        assert re.search(rf"^{heading} +\S", text, re.MULTILINE), heading
    assert "exp(−" in text
    assert "median of the 2 that follow" in re.sub(r"\s+", " ", text)
    assert re.search(r"^  model +says +weight +value +95 % +from t +parameters$", text, re.MULTILINE)
    assert max(map(len, text.splitlines()[:-3])) <= 100
    assert len(text.splitlines()) <= 40
    assert "\x1b" not in text
    files = [Path(line.removeprefix("figure: ")) for line in text.splitlines() if line.startswith("figure: ")]
    assert [file.suffix for file in files] == [".png", ".svg"]
    assert all(file.is_file() and file.parent == Path("tiny/figures/explain") for file in files)
    assert len(pd.read_csv(files[0].with_suffix(".csv")))


def test_a_seed_can_be_chosen(invoke, results):
    told = invoke("explain", "tiny", *PAIR, "--seed", 1, "--output", "why.svg")
    assert told.exit_code == 0
    assert ", seed 1\n" in told.stdout
    refused(invoke("explain", "tiny", *PAIR, "--seed", 7), "--seed 7: no run of that seed is stored; there are 0, 1")


@pytest.mark.parametrize(
    ("suffix", "magic"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF")], ids=["png", "svg", "pdf"]
)
def test_the_figure_goes_where_it_is_wanted(invoke, results, suffix, magic):
    told = invoke("explain", "tiny", *PAIR, "--output", f"why{suffix}")
    assert told.exit_code == 0
    assert told.stdout.endswith(f"figure: why{suffix}\n")
    assert Path(f"why{suffix}").read_bytes().startswith(magic)
    assert not (results / "figures" / "explain").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("tiny", "teacher", "heavy"), "problem 'teacher' is ambiguous: teacher-neuron[n=1,d=5], teacher-neuron[n=2"),
        (("tiny", PAIR[0], "*"), "optimizer '*' is ambiguous: gradient-descent[lr=0.1], heavy-ball"),
        (("tiny", "toy", "heavy"), "no problem is called 'toy'; there are teacher-neuron"),
        (("nowhere", *PAIR), "nowhere holds no results of a suite"),
        (("tiny", *PAIR, "--output", "why.jpg"), "--output why.jpg: the name of a figure ends in .png, .svg or .pdf"),
        (("tiny", *PAIR, "--output", "no/why.svg"), "cannot write no/why.svg"),
    ],
)
def test_what_cannot_be_explained_is_refused(invoke, results, words, told):
    refused(invoke("explain", *words), told)


def test_a_half_finished_suite_is_explained_as_far_as_it_goes(invoke, results):
    drop_runs(results, lambda facts: facts["seed"] == 0 or "n=1,d=5] x heavy" in facts["label"])
    told, exits = "", []
    for problem in ("*n=1*", "*n=2*"):
        for optimizer in ("gradient-descent", "heavy"):
            result = invoke("explain", "tiny", problem, optimizer, "--output", "why.svg")
            exits.append(result.exit_code)
            told += result.stdout + result.stderr
    assert sorted(exits) == [0, 0, 0, 2]
    assert told.count("1 more have not run") == 3
    assert "is stored yet; run the suite first" in told


# The section of the report.


def rendered(pairs: int = 2) -> str:
    """A page without the report's own figures."""
    suite = make_suite(
        seeds=2, horizon=1e2, problems=("teacher-neuron[n=2,d=20,sigma=0.1]",), optimizers=("polyak-step",)
    )
    problem, optimizer = suite.ranking.iloc[0][["problem", "optimizer"]]
    reasons = [reasons_for(CURVES["power"], problem, optimizer)]
    reasons += [reasons_for(CURVES["undecided"], f"<other-{place}>", "& method") for place in range(pairs - 1)]
    return page_of_report.render_page(gather(*suite), [], reasons)


def test_the_ranking_leads_to_the_reasons():
    text = rendered()
    page = Resources(text)
    assert 'href="#why-1"' in text
    for link in page.links:
        assert not link.startswith("#") or f'id="{link[1:]}"' in text
    assert all(source.startswith("data:image/") for source in page.fetched)
    assert len(page.alts) == page.tags.count("figure") == page.tags.count("figcaption")
    assert page.tags.count("script") == 1
    assert any(alt.startswith("Loss, local slopes and residuals of the models") for alt in page.alts)  # no panel (d)
    assert "&lt;other-0&gt;" in text
    section = text.partition('<section id="why">')[2]
    assert section.count("<details>") == 2
    assert "speaks for anything but power" in section or "of the weight" in section
    assert text.index('id="provenance"') < text.index('id="why"')


def test_without_reasons_the_page_is_as_before():
    text = page_of_report.render_page(gather(*(pd.DataFrame(),) * 3, {}), [])
    assert "Why these laws" not in text


def test_many_pairs_get_text_and_the_command(monkeypatch):
    monkeypatch.setattr("bench_ovp.report.artists.MOST", 2)
    text = rendered(pairs=3)
    section = text.partition('<section id="why">')[2]
    assert "<img" not in section
    assert section.count("bench-ovp explain results/paper") == 3
    assert "&#39;teacher-neuron[n=2,d=20,sigma=0.1]&#39; polyak-step" in section


def test_the_report_of_a_suite_explains_every_pair(invoke, results, monkeypatch):
    monkeypatch.setattr("bench_ovp.report.list_charts", lambda tables: [])  # test_report.py draws them
    told = invoke("report", "tiny")
    assert told.exit_code == 0, told.output
    text = (results / "report.html").read_text()
    assert text.count("<article id=") == 4
    assert len(set(re.findall(r'href="#(why-\d)"', text))) == 4
    assert len(text) < 5e6


def test_the_table_of_contenders_has_a_cell_under_each_heading():
    rows = list_contenders(reasons_for(CURVES["undecided"]))
    assert rows
    assert {len(row) for row in rows} == {7}


@pytest.fixture(scope="module")
def many():
    few = [reasons_for(curve) for curve in CURVES.values()][:3]
    return artists.plan_sketches(few * (artists.FEWEST // 3 + 1))


def test_a_second_process_draws_the_same(many, monkeypatch):
    here = [draw() for draw in many[:3]]
    monkeypatch.setattr(processes, "count_jobs", lambda jobs: 2)
    found = artists.draw_all([*many, os.getpid])
    assert found[-1] != os.getpid(), "the last is drawn by the other"
    assert found[:-1] == here * (len(many) // 3)


def test_without_its_second_process_the_report_draws_itself(many, monkeypatch):
    monkeypatch.setattr(processes, "count_jobs", lambda jobs: 2)
    monkeypatch.setattr(processes.WorkerPool, "submit", dying)
    assert [image[:5] for image in artists.draw_all(many)] == [b"<?xml"] * len(many)


def test_an_error_of_the_second_process_is_told(many, monkeypatch):
    monkeypatch.setattr(processes, "count_jobs", lambda jobs: 2)
    with pytest.raises(ValueError, match="invalid literal"):
        artists.draw_all([*many, partial(int, "x")])


def dying(pool, function, *arguments):
    gone = Future()
    gone.set_exception(BrokenProcessPool("killed"))
    return gone
