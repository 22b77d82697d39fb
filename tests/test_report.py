import json
import pickle
import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from report_tables import OPTIMIZERS, PROBLEMS, make_suite

from bench_ovp import processes
from bench_ovp.claims import Diagram, Line
from bench_ovp.claims.verdicts import Claims, Drawing
from bench_ovp.report import artists, draw_report
from bench_ovp.report.chart import drawing, render, save_chart
from bench_ovp.report.figures import lighten, list_charts
from bench_ovp.report.findings import choose_contrast, write_findings
from bench_ovp.report.labels import (
    count_decimals,
    name_together,
    parse_label,
    shorten,
    slug,
    split_power,
    write_interval,
    write_law,
)
from bench_ovp.report.page import render_page, set_powers
from bench_ovp.report.style import COLUMN, Powers
from bench_ovp.report.tables import gather

DESCENT, NESTEROV = "gradient-descent[lr=0.05]", "nesterov[lr=0.05]"
BALL = "heavy-ball[lr=0.05,beta=0.9]"
TAMED = "preconditioned-gradient-descent[lr=0.5]"
TEACHER = PROBLEMS[:4]
EXACT = "exact-neuron[d=20,sigma=0.1]"


@pytest.fixture(scope="module")
def suite():
    return make_suite(seeds=3, horizon=1e4)


@pytest.fixture(scope="module")
def small():
    return make_suite(seeds=2, horizon=1e3, problems=(PROBLEMS[0], EXACT), optimizers=(DESCENT,))


@pytest.fixture(scope="module")
def middle():
    return make_suite(seeds=3, horizon=1e4, problems=PROBLEMS[:5], optimizers=(DESCENT, NESTEROV, TAMED))


@pytest.fixture(scope="module")
def drawn(middle, tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    return draw_report(folder, *middle)


def change(suite, where, **values):
    """The suite with other values in some rows of its ranking."""
    ranking = suite.ranking.copy()
    for name, value in values.items():
        ranking[name] = ranking[name].astype(object)
        ranking.loc[where(ranking), name] = value
    return suite._replace(ranking=ranking)


def read(suite):
    """Its tables without traces, which no finding needs."""
    return gather(*suite._replace(traces=suite.traces.iloc[:0]))


def tell(suite):
    return " ".join(write_findings(read(suite)))


class Resources(HTMLParser):
    """What a page would fetch, and its structure."""

    def __init__(self, text):
        super().__init__()
        self.fetched, self.links, self.tags, self.alts, self.headings = [], [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.tags.append(tag)
        self.fetched += [attributes[name] for name in ("src", "srcset", "data") if name in attributes]
        if tag == "link":
            self.fetched.append(attributes.get("href"))
        if tag == "a":
            self.links.append(attributes["href"])
        if tag == "img":
            self.alts.append(attributes.get("alt"))
        if tag == "th":
            self.headings.append(attributes.get("scope"))


def test_two_processes_draw_the_same_report(small, tmp_path, monkeypatch):
    monkeypatch.setattr(artists, "FEWEST", 2)
    diagram = Diagram("claims-test", "Is it so?", "Level lines say yes.", {"one": "L t³"}, lambda case: [])
    times = np.geomspace(1.0, 1e3, 20)
    drawing = Drawing(diagram, PROBLEMS[0], DESCENT, [Line("one", 0, times, times)], {"T₁": 3.0})
    drawn = []
    for cores in (1, 2):
        monkeypatch.setattr(processes, "count_jobs", lambda jobs, cores=cores: cores)
        draw_report(tmp_path / str(cores), *small, claims=Claims([], [drawing]))
        files = sorted(path for path in (tmp_path / str(cores)).rglob("*") if path.is_file())
        drawn.append({path.relative_to(tmp_path / str(cores)): path.read_bytes() for path in files})
    assert len(drawn[0]) > 15
    assert drawn[0] == drawn[1]


def test_drawings_need_neither_runs_nor_traces(middle):
    tables = gather(*middle)
    charts = list_charts(tables)
    light = lighten(charts, tables)
    assert len(pickle.dumps(light)) < len(pickle.dumps(charts))
    for one, other in zip(charts, light, strict=True):
        with drawing():
            assert render(other.draw(COLUMN), "svg") == render(one.draw(COLUMN), "svg"), one.name


# --- findings ---


def test_the_first_sentence_contrasts_the_laws(suite):
    first = write_findings(read(suite))[0]
    assert re.fullmatch(
        r"Under gradient-descent the loss of exact-neuron falls exponentially, like exp\(−1\.01\d+ t\) "
        r"\(95 %: 1\.01\d+ to 1\.01\d+; 3 of 3 runs\), while on teacher-neuron with n = 2, 5, 10, 20 it "
        r"crawls like t\^−(?:2\.99|3\.0\d) \(95 %: 2\.9\d to 3\.0\d; 1[12] of 12 runs\)\.",
        first,
    )


def test_the_first_sentence_follows_the_numbers(suite):
    def rows(table):
        return table["problem"].isin(TEACHER) & (table["optimizer"] == DESCENT)

    changed = change(suite, rows, value=2.5, low=2.41, high=2.63, share=1 / 3)
    assert "it crawls like t^−2.50 (95 %: 2.41 to 2.63; 4 of 12 runs)" in tell(changed)


def test_an_undecided_member_is_not_spoken_of(suite):
    changed = change(suite, lambda table: table["problem"] == TEACHER[1], law="undecided")
    first = write_findings(read(changed))[0]
    assert "n = 2, 10, 20" in first
    assert "teacher-neuron n=5 under gradient-descent" in tell(changed).split("undecided: ")[1]


def test_without_a_decided_law_nothing_is_claimed(suite):
    changed = change(suite, lambda table: table["law"] != "", law="undecided", value=np.nan)
    told = tell(changed)
    assert not re.search(r"falls|crawls|escape|Theory|exp\(|t\^", told)
    assert "The law of 48 pairs is undecided." in told


def test_without_a_power_law_there_is_no_contrast(suite):
    changed = change(suite, lambda table: table["law"] == "power", law="undecided")
    assert choose_contrast(read(changed)) is None
    assert "crawls" not in tell(changed)
    assert "Under gradient-descent the loss falls like exp(−1.01" in tell(changed)


def test_the_contrast_prefers_an_optimizer_with_a_theory(suite):
    assert choose_contrast(read(suite)).optimizer == DESCENT
    changed = change(suite, lambda table: table["optimizer"] == DESCENT, theory_law=None)
    assert choose_contrast(read(changed)).optimizer == "gradient-flow"


def test_who_escapes_is_told(suite):
    told = tell(suite)
    assert re.search(r"preconditioned-gradient-descent escapes the power law on teacher-neuron with n = 2", told)
    assert re.search(r"Still bound by it:.* heavy-ball \(t\^−3", told)
    assert "polyak-step (t^−6.0" in told
    assert "its time counts iterations" in told
    caught = change(suite, lambda table: table["optimizer"] == TAMED, law="power", value=1.0, low=0.9, high=1.1)
    assert "escapes" not in tell(caught)
    assert "The other optimizers are bound by it" in tell(caught)


def test_disagreement_is_told(suite):
    def row(table):
        return (table["problem"] == EXACT) & (table["optimizer"] == BALL)

    assert "disagrees" not in tell(suite)
    changed = change(suite, row, agrees=False, value=3.1, low=3.0, high=3.2)
    assert (
        "It disagrees on exact-neuron under heavy-ball: measured exp(−3.10 t) (3.00 to 3.20), theory "
        "exp(−2.1072 t)." in tell(changed)
    )


def test_failures_are_counted(suite):
    assert "Of 144 runs 1 failed, 1 timed out and 1 degenerated" in tell(suite)
    fine = suite._replace(runs=suite.runs.assign(status="ok"))
    assert "runs 1 failed" not in tell(fine)


def test_ties_are_marked(suite):
    ranking = suite.ranking.assign(decided_by="constant")
    ranking.loc[ranking["problem"] == EXACT, "rank"] = 1
    text = render_page(read(suite._replace(ranking=ranking)), [])
    assert text.count(">1=</td>") == len(OPTIMIZERS)
    assert 'title="behind the one ahead by constant"' in text


# --- labels ---


def test_labels_are_taken_apart():
    label = parse_label("toy-case-2[n=5,lambdas=[0.1, 0.9]]")
    assert (label.name, label.parameters) == ("toy-case-2", {"n": "5", "lambdas": "[0.1, 0.9]"})
    for odd in ("", "[", "a[b]", "a[=1]", "my <b>method</b>", "x]y["):
        assert parse_label(odd) == (odd, odd, {})


def test_short_names_tell_labels_apart():
    short = shorten([*PROBLEMS, "toy-case-2[n=6]"])
    assert short[PROBLEMS[0]] == "teacher-neuron n=2"
    assert short[EXACT] == "exact-neuron"
    assert short["toy-case-2[n=6]"] == "toy-case-2 n=6"
    assert len(set(shorten(["a n=1", "a[n=1]", "a[n=2]"]).values())) == 3
    assert name_together([*TEACHER, EXACT], short) == "teacher-neuron with n = 2, 5, 10, 20 and exact-neuron"


@pytest.mark.parametrize(
    ("law", "value", "low", "high", "text"),
    [
        ("power", 2.9971, 2.97, 3.03, "t^−3.00"),
        ("exponential", 1.01266, 1.0126, 1.0127, "exp(−1.0127 t)"),
        ("power", 3.0, 3.0, 3.0, "t^−3.00"),
        ("exponential", 512.3, 510, 514, "exp(−512 t)"),
        ("power", -0.5, -0.6, -0.4, "t^0.50"),
        ("power", np.nan, np.nan, np.nan, "power"),
        ("superexponential", np.nan, np.nan, np.nan, "faster than exponential"),
        ("a new law", 1.0, 1.0, 1.0, "a new law"),
    ],
)
def test_laws_are_written_as_precisely_as_they_are_known(law, value, low, high, text):
    assert write_law(law, value, low, high) == text


def test_numbers_of_an_interval_show_it():
    assert write_interval(3.0, 2.97, 3.03) == "2.97 to 3.03"
    assert count_decimals(1.0, 0.0, np.inf) == 2


def test_formulas_in_figures():
    assert split_power("t^−2.99") == ["t", "−2.99"]
    assert split_power("exp(−1.01 t)") == ["e", "−1.01", "t"]
    assert split_power("exp(−1.2·10^−5 t)")[1] == "−1.2·10⁻⁵"
    assert split_power("stalled") == ["stalled"]


def test_formulas_on_the_page():
    assert set_powers("t^−3.00 <b>") == "t<sup>−3.00</sup> &lt;b&gt;"
    assert set_powers("L^(−1/3) n^(17/3) t^p x^(a<b)") == ("L<sup>−1/3</sup> n<sup>17/3</sup> t<sup>p</sup> x^(a&lt;b)")


def test_slugs_are_safe():
    assert slug("../../etc/passwd") == "etc-passwd"
    assert slug("日本") == "x"
    assert len(slug("x" * 500)) <= 60


# --- figures ---


def test_every_figure_comes_in_three_formats(drawn, middle):
    figures = drawn.parent / "figures"
    names = {chart.name for chart in list_charts(gather(*middle))}
    assert {
        "contrast",
        "compensated",
        "laws",
        "overview",
        "evaluations",
        "convergence-gradient-descent",
    } <= names
    files = {path.name for path in figures.iterdir()}
    assert files == {f"{name}{suffix}" for name in names for suffix in (".svg", ".png", ".csv")}
    for name in names:
        assert (figures / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert "<text" in (figures / f"{name}.svg").read_text()
        assert len(pd.read_csv(figures / f"{name}.csv"))


def test_data_behind_the_figures_keep_the_labels(drawn):
    table = pd.read_csv(drawn.parent / "figures" / "contrast.csv")
    assert set(table["problem"]) == {*TEACHER, EXACT}
    assert set(table["optimizer"]) == {DESCENT}
    table = pd.read_csv(drawn.parent / "figures" / "compensated.csv")
    assert set(table["source"]) == {"theory", "fitted"}
    assert set(table[table["source"] == "theory"]["p"]) == {3.0}


def test_a_redrawn_report_drops_stale_figures(tmp_path):
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "convergence-gone.svg").write_text("stale")
    (tmp_path / "figures" / "notes.txt").write_text("mine")
    page = draw_report(tmp_path, *(pd.DataFrame(),) * 3, {})
    assert "No law has been decided yet." in page.read_text()
    assert not (tmp_path / "figures" / "convergence-gone.svg").exists()
    assert (tmp_path / "figures" / "notes.txt").exists()


def test_equal_tables_give_equal_bytes(middle, drawn, tmp_path):
    chart = next(chart for chart in list_charts(gather(*middle)) if chart.name == "contrast")
    save_chart(chart, tmp_path)
    for path in tmp_path.iterdir():
        assert path.read_bytes() == (drawn.parent / "figures" / path.name).read_bytes()


def test_bands_are_medians_over_seeds():
    time = np.array([1.0, 10.0, 100.0])
    frames = [
        pd.DataFrame({"problem": "p", "optimizer": "o", "seed": seed, "time": time, "loss": loss / time})
        for seed, loss in enumerate((1.0, 2.0, 4.0))
    ]
    frames[2] = frames[2].iloc[:2]  # this one stops early, at its target
    runs = pd.DataFrame({"problem": "p", "optimizer": "o", "seed": [0, 1, 2], "status": ["ok", "ok", "target"]})
    bands = gather(pd.concat(frames), runs, pd.DataFrame(), {}).bands
    assert bands["time"].tolist() == [1, 10, 100]
    assert np.allclose(bands["loss"], [2, 0.2, 0.01])  # the third has the lowest rank from then on
    assert bands["seeds"].tolist() == [3, 3, 2]


# --- the page ---


def test_the_page_needs_no_network(drawn):
    text = drawn.read_text()
    page = Resources(text)
    assert page.fetched
    assert all(source.startswith("data:image/") for source in page.fetched)
    assert "@import" not in text
    assert "url(" not in text
    assert all(link.startswith(("#", "figures/")) for link in page.links)
    assert len(text) < 5e6


def test_links_of_the_page_lead_somewhere(drawn):
    text = drawn.read_text()
    for link in Resources(text).links:
        if link.startswith("#"):
            assert f'id="{link[1:]}"' in text
        else:
            assert (drawn.parent / link).exists()


def test_the_page_can_be_heard(drawn):
    page = Resources(drawn.read_text())
    assert all(page.alts)
    assert len(page.alts) == page.tags.count("figure") == page.tags.count("figcaption")
    assert set(page.headings) == {"col", "row"}
    assert page.tags.count("h1") == 1


def test_the_page_tells_failures_and_their_reasons(drawn):
    text = drawn.read_text()
    assert "LinAlgError: singular matrix" in text
    assert "10 min of wall time" in text
    assert "name: paper" in text


def test_partial_results_say_so(suite):
    tables = read(suite._replace(provenance=suite.provenance | {"missing": ["a x b", "c x <d>"]}))
    text = render_page(tables, [])
    assert "Partial results" in text
    assert "<li>c x &lt;d&gt;</li>" in text
    assert "Partial results" not in render_page(read(suite), [])


WEIRD = '<script>alert("$x_1$ & {{ 7*7 }}")</script>'


def test_labels_are_escaped(small, tmp_path):
    renamed = [
        table.replace({"problem": {EXACT: WEIRD}, "optimizer": {DESCENT: "_${\\frac 日本"}})
        for table in (small.traces, small.runs, small.ranking)
    ]
    renamed[1].loc[0, ["status", "reason"]] = ["failed", "<img src=x onerror=alert(1)>\n</pre>"]
    provenance = json.loads(json.dumps(small.provenance).replace("toy-case-1", "</pre><script>"))
    page = draw_report(tmp_path, *renamed, provenance)
    text = page.read_text()
    assert Resources(text).tags.count("script") == 1
    assert "&lt;script&gt;alert" in text
    assert "<img src=x" not in text
    assert "{{ 7*7 }}" in text


def test_long_labels_and_equal_slugs_get_files_of_their_own(small):
    labels = ["a b", "a-b", "a" * 300]
    traces = pd.concat([small.traces.assign(optimizer=label) for label in labels])
    charts = list_charts(gather(traces, small.runs.iloc[:0], small.ranking.iloc[:0], {}))
    names = [chart.name for chart in charts]
    assert len(set(names)) == len(names)
    assert max(map(len, names)) < 100


# --- what a suite can lack ---


def cut(name):
    """A suite that lacks something."""
    suite = make_suite(seeds=1, horizon=1e2, problems=(PROBLEMS[0], EXACT), optimizers=(DESCENT, "polyak-step"))
    unknown = {"law": "undecided", "value": np.nan, "low": np.nan, "high": np.nan, "constant": np.nan}
    failed = {"status": "failed", "reason": "KeyError: 'w'", "final_loss": np.nan, "evaluations": np.nan}
    never = dict.fromkeys([column for column in suite.ranking if column.startswith("evaluations_to")], np.inf)
    match name:
        case "everything":
            empty = pd.DataFrame()
            return suite._replace(traces=empty, runs=empty, ranking=empty, provenance={})
        case "rows":
            return suite._replace(
                traces=suite.traces.iloc[:0], runs=suite.runs.iloc[:0], ranking=suite.ranking.iloc[:0]
            )
        case "success":
            ranking = suite.ranking.assign(**unknown, agrees=None, **never)
            return suite._replace(
                traces=suite.traces.iloc[:0], runs=suite.runs.assign(**unknown, **failed), ranking=ranking
            )
        case "decisions":
            return suite._replace(ranking=suite.ranking.assign(**unknown, **never))
        case "observables":
            return suite._replace(traces=suite.traces.drop(columns=["theta_max", "norm_min", "grad_norm"]))
        case "a ranking":
            return suite._replace(ranking=pd.DataFrame())
        case "finite losses":
            traces = suite.traces.copy()
            mine = traces["problem"] == EXACT
            traces.loc[mine, "loss"] = np.resize([np.inf, np.nan, 0.0, -1.0], mine.sum())
            return suite._replace(traces=traces)
        case "most points":
            return suite._replace(traces=suite.traces.groupby(["problem", "optimizer"]).head(1))
    raise AssertionError(name)


LACKS = {
    "everything": None,
    "rows": None,
    "success": None,
    "decisions": {"contrast", "compensated", "laws", "overview"},
    "observables": set(),
    "a ranking": {"contrast", "compensated", "laws", "overview", "evaluations"},
    "finite losses": {"contrast", "convergence-gradient-descent", "optimizers"},
    "most points": {"contrast", "convergence-gradient-descent", "compensated"},
}


@pytest.mark.parametrize("lack", LACKS)
def test_a_suite_that_lacks_something_is_drawn(lack, tmp_path):
    tables = gather(*cut(lack))
    drawn = []
    for chart in list_charts(tables):
        if LACKS[lack] is None or chart.name in LACKS[lack]:
            drawn.append((chart, *save_chart(chart, tmp_path)))
    assert "</html>" in render_page(tables, drawn)


@pytest.mark.parametrize(("low", "high", "most"), [(1e-310, 1e3, 8), (1e-28, 1.0, 6), (1e-3, 1e5, 6), (0.0, 1.0, 7)])
def test_ticks_of_long_axes_have_round_exponents(low, high, most):
    exponents = np.log10(Powers(most).tick_values(low, high)).round().astype(int)
    [stride] = set(np.diff(exponents))
    assert len(exponents) <= most + 1
    assert stride in (2, 5, 50)
    assert np.all(exponents % stride == 0)
