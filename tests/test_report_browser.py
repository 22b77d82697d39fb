"""The report as a reader has it: opened in headless Chromium, looked at, sorted, filtered, explored."""

from __future__ import annotations

import base64
import io
import json
import re
import shutil
import xml.etree.ElementTree as ElementTree
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from report_tables import PROBLEMS, make_suite
from test_claims_report import make_row
from test_explain import CURVES, reasons_for
from test_security import HOSTILE, suite_called

import bench_ovp as ovp
from bench_ovp.claims import FAILS, HOLDS, OUTSIDE
from bench_ovp.report.chart import save_chart
from bench_ovp.report.figures import list_charts
from bench_ovp.report.page import ROOM, render_page
from bench_ovp.report.tables import gather

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
if not CHROMIUM:
    pytest.skip("no Chromium on this machine (Debian's package chromium)", allow_module_level=True)
sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (the extra `test`)")

GEOMETRY = (Path(__file__).parent / "page_geometry.js").read_text()
DESCENT, NESTEROV, BALL = "gradient-descent[lr=0.05]", "nesterov[lr=0.05]", "heavy-ball[lr=0.05,beta=0.9]"
WIDTHS, SCHEMES = (400, 900, 1600), ("light", "dark")
LEAST_LETTER = 8.0  # pixels of the smallest letters of a figure


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])  # CI runs as root
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def suite():
    problems = (PROBLEMS[0], PROBLEMS[3], PROBLEMS[4])
    return make_suite(seeds=3, horizon=1e4, problems=problems, optimizers=(DESCENT, NESTEROV, BALL))


@pytest.fixture(scope="module")
def report(suite, tmp_path_factory):
    """A page with all its sections, and two of its figures."""
    folder = tmp_path_factory.mktemp("report")
    (folder / "figures").mkdir()
    tables = gather(*suite)
    charts = [chart for chart in list_charts(tables) if chart.name in ("contrast", "laws")]
    drawn = [(chart, *save_chart(chart, folder / "figures")) for chart in charts]
    reasons = [reasons_for(CURVES["power"], PROBLEMS[0], DESCENT)]
    claims = [make_row("one", HOLDS), make_row("two", OUTSIDE, np.nan), make_row("two", FAILS, 2.0, problem="x")]
    path = folder / "report.html"
    path.write_text(render_page(tables, drawn, reasons, claims))
    return path


class Visit:
    """A page that is open, and what it said and asked for meanwhile."""

    def __init__(self, browser, path: Path, width: int = 900, scheme: str = "light", **options) -> None:
        self.context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, **options)
        self.page = self.context.new_page()
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.said.append(dialog.message), dialog.dismiss()))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(path.as_uri())
        self.page.evaluate(GEOMETRY)

    def __enter__(self) -> Visit:
        return self

    def __exit__(self, *_) -> None:
        self.context.close()

    @property
    def fetched(self) -> list[str]:
        """Requests beyond the page itself and what it holds."""
        return [url for url in self.asked[1:] if not url.startswith("data:")]

    def ask(self, question: str):
        return self.page.evaluate(question)

    def wait(self, condition: str) -> None:
        """Until it holds. The driver's own way to wait would evaluate a text, which the page forbids."""
        frames = f"for (let frame = 0; frame < 600 && !({condition}); frame++) await new Promise(requestAnimationFrame)"
        self.ask(f"async () => {{ {frames} }}")
        assert self.ask(condition)

    def unfold(self) -> None:
        """Open all that is folded, and wait for its pictures."""
        self.ask("document.querySelectorAll('details').forEach((each) => (each.open = true))")
        self.wait("[...document.querySelectorAll('figure img')].every((image) => image.complete && image.naturalWidth)")

    def choose(self, name: str, value: str) -> None:
        self.page.get_by_role("combobox", name=name, exact=True).select_option(value)

    def rows(self, table: str) -> list[list[str]]:
        """The texts of the rows that are shown."""
        return self.ask(f"""[...document.querySelector("table[aria-label='{table}']").tBodies[0].rows]
            .filter((row) => row.checkVisibility())
            .map((row) => [...row.cells].map((cell) => cell.textContent.trim()))""")

    def status(self, table: str) -> str:
        return self.page.get_by_role("group", name=f"Filter: {table}").get_by_role("status").text_content()

    def download(self, button) -> str:
        with self.page.expect_download() as started:
            button.click()
        return Path(started.value.path()).read_text()

    def button(self, name: str):
        return self.page.get_by_role("button", name=name, exact=True)


@pytest.fixture
def visit(browser, report):
    with Visit(browser, report) as visit:
        yield visit
        assert visit.said == []
        assert visit.fetched == []


def judge(visit: Visit) -> None:
    """Nothing overlaps, is cut, too faint or too small, and nothing scrolls sideways but what says so."""
    visit.unfold()
    assert visit.ask("readPage.countTexts()") > 100
    assert visit.ask("readPage.findClashes()") == []
    assert visit.ask("readPage.findFaint()") == []
    assert visit.ask("document.documentElement.scrollWidth <= innerWidth")
    letters = visit.ask("readPage.listLetters()")
    assert letters
    assert [each for each in letters if each["pixels"] < LEAST_LETTER] == []
    assert (visit.said, visit.fetched) == ([], [])


# What is seen


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_all_is_readable(browser, report, width, scheme):
    with Visit(browser, report, width, scheme) as visit:
        judge(visit)


@pytest.mark.parametrize(
    ("style", "finding"),
    [
        ("position: absolute; left: 0; top: 0", "overlap: .*findings of the test"),
        ("display: block; width: 3em; overflow: hidden; white-space: nowrap", "cut: findings"),
        ("position: absolute; top: 0; left: 95vw; white-space: nowrap", "cut: findings"),
        ("display: block; width: 1em; overflow-wrap: anywhere", "broken: findings"),
        ("color: #949494", "findings of the test"),
    ],
)
def test_a_page_that_is_not_is_found_out(visit, style, finding):
    """Negative control: each fault is seen."""
    visit.ask(f"""for (const text of ["findings of the test", "another text of the test"])
        document.querySelector("h1").after(put(document.createElement("span"), {{ style: "{style}" }}, [text]))""")
    found = visit.ask("[...readPage.findClashes(), ...readPage.findFaint()]")
    assert any(re.match(finding, each) for each in found), found


def test_a_narrow_screen_gets_narrow_figures(browser, report):
    with Visit(browser, report, 400) as visit:
        visit.unfold()
        narrow = visit.ask("document.querySelector('#figure-contrast img').naturalWidth")
        visit.page.set_viewport_size({"width": 900, "height": 900})
        visit.wait("document.querySelector('#figure-contrast img').naturalWidth > 600")
        assert narrow < 350


def test_on_paper_there_are_no_controls(visit):
    visit.page.emulate_media(media="print")
    visit.page.set_viewport_size({"width": 720, "height": 1000})
    for selector in ("nav", ".bar", ".choices", ".slider", ".links"):
        assert not visit.page.locator(selector).first.is_visible()
    assert visit.page.locator(".plot svg").is_visible()
    assert visit.ask("readPage.findClashes()") == []


def test_without_scripts_the_findings_are_there(browser, report):
    with Visit(browser, report, java_script_enabled=False) as visit:
        assert visit.page.locator("#explore noscript p").is_visible()
        assert visit.page.locator("#findings .lead").is_visible()
        assert visit.page.locator("#figure-contrast img").is_visible()
        assert visit.page.locator("select, input").count() == 0


# What is heard, and what keys do


def test_landmarks_and_headings_lead_through(visit):
    levels = visit.ask("[...document.querySelectorAll('h1, h2, h3')].map((heading) => Number(heading.tagName[1]))")
    assert levels.count(1) == 1 == levels[0]
    assert all(after <= before + 1 for before, after in pairwise(levels))
    for role in ("banner", "main", "navigation"):
        assert visit.page.get_by_role(role).count() == 1
    for link in visit.page.get_by_role("navigation").get_by_role("link").all():
        assert visit.page.locator(link.get_attribute("href")).count() == 1
    unnamed = """[...document.querySelectorAll("input, select, button, [role=region], [role=group], [role=img]")]
        .filter((each) => !(each.ariaLabel || each.labels?.[0]?.textContent.trim() || each.textContent.trim()))"""
    assert visit.ask(f"{unnamed}.length") == 0
    assert visit.ask("[...document.images].every((image) => image.alt.length > 20)")


def test_focus_is_seen(visit):
    visit.page.keyboard.press("Tab")
    assert visit.ask("document.activeElement.textContent") == "Skip to the findings"
    assert visit.ask("document.activeElement.getBoundingClientRect().left") >= 0
    for _ in range(60):
        visit.page.keyboard.press("Tab")
        width = "getComputedStyle(document.activeElement).outlineWidth"
        assert visit.ask(width) == "3px", visit.ask("document.activeElement.outerHTML")


def test_motion_is_left_out_where_it_is_not_wanted(browser, report):
    for wish, found in (("reduce", "auto"), ("no-preference", "smooth")):
        with Visit(browser, report, reduced_motion=wish) as visit:
            assert visit.ask("getComputedStyle(document.documentElement).scrollBehavior") == found


def test_the_page_runs_no_script_but_its_own(browser, report):
    with Visit(browser, report) as visit:
        visit.ask("""document.body.append(put(document.createElement("script"), {}, ["window.fooled = true"]),
            put(document.createElement("img"), { src: "http://127.0.0.1:9/x.png" }, []))""")
        visit.page.wait_for_timeout(100)
        assert visit.ask("window.fooled") is None
        assert len([text for text in visit.said if "Content Security Policy" in text]) == 2


# Tables


def test_a_heading_sorts_by_keys(visit):
    heading = visit.page.locator("table[aria-label=ranking] th").nth(5)
    assert heading.inner_text() == "constant"
    key = """[...document.querySelectorAll("table[aria-label=ranking] tbody tr")]
        .map((row) => Number(row.cells[5].dataset.key))"""
    for order, key_pressed, reverse in (("ascending", "Enter", False), ("descending", " ", True)):
        heading.get_by_role("button").focus()
        visit.page.keyboard.press(key_pressed)
        assert heading.get_attribute("aria-sort") == order
        values = visit.ask(key)
        assert len(values) == 9
        assert values == sorted(values, reverse=reverse) != sorted(values, reverse=not reverse)
        assert visit.status("ranking").startswith("9 rows, sorted by constant")
    visit.page.locator("table[aria-label=ranking] th").nth(0).get_by_role("button").click()
    assert heading.get_attribute("aria-sort") is None
    names = [row[0] for row in visit.rows("ranking")]
    assert names[0] == "exact-neuron"
    assert names[-1] == "teacher-neuron n=20"  # after n=2: numbers in words count


def test_laws_sort_by_their_order_not_their_letters(visit):
    visit.page.locator("table[aria-label=ranking] th").nth(3).get_by_role("button").click()
    laws = [row[3] for row in visit.rows("ranking")]
    assert [law.startswith("exp") for law in laws] == [True] * 3 + [False] * 6
    rates = [float(re.search(r"−([\d.]+)", law)[1]) for law in laws[:3]]
    assert rates == sorted(rates, reverse=True)


def test_filters_narrow_a_table_down(visit):
    bar = visit.page.get_by_role("group", name="Filter: ranking")
    assert visit.status("ranking") == "9 rows"
    bar.get_by_role("combobox", name="optimizer").select_option("nesterov")
    assert {row[1] for row in visit.rows("ranking")} == {"nesterov"}
    assert visit.status("ranking") == "3 of 9 rows"
    bar.get_by_role("combobox", name="law").select_option("power")
    assert visit.status("ranking") == "2 of 9 rows"
    bar.get_by_role("searchbox").press_sequentially("N=20 teacher")
    assert [row[:2] for row in visit.rows("ranking")] == [["teacher-neuron n=20", "nesterov"]]
    bar.get_by_role("searchbox").fill("no such words")
    assert visit.status("ranking") == "0 of 9 rows"
    bar.get_by_role("searchbox").fill("sigma=0.1")  # words of the full label count
    for name in ("optimizer", "law"):
        bar.get_by_role("combobox", name=name).select_option("")
    assert visit.status("ranking") == "9 rows"


def test_failures_are_filtered_by_status(visit):
    table = "runs that did not end well"
    assert sorted(row[3] for row in visit.rows(table)) == ["degenerate", "failed", "timeout"]
    bar = visit.page.get_by_role("group", name=f"Filter: {table}")
    bar.get_by_role("combobox", name="status").select_option("timeout")
    assert [row[4] for row in visit.rows(table)] == ["10 min of wall time"]
    assert visit.status(table) == "1 of 3 rows"


def test_a_link_to_what_is_folded_unfolds_it(visit):
    picture = visit.page.locator("#why-1 img")
    visit.page.locator("a[href='#why-1']").click()
    assert visit.page.locator("#why-1 dl").is_visible()
    assert not picture.is_visible()
    visit.page.locator("#why-1").get_by_text("Figure", exact=True).click()
    visit.wait("document.querySelector('#why-1 img').naturalWidth > 100")
    assert picture.is_visible()


def test_a_page_without_its_folder_saves_its_figures(browser, report, tmp_path):
    alone = Path(shutil.copy(report, tmp_path))
    with Visit(browser, alone, 400) as visit:
        visit.unfold()
        text = visit.download(visit.page.locator("#figure-contrast").get_by_role("link", name="svg"))
        assert 'width="486pt"' in text  # the wide one, on a narrow screen too
        assert ElementTree.fromstring(text).tag.endswith("svg")


# Traces

LINES = "document.querySelectorAll('#explorer path.trace').length"


def read_saved(visit: Visit) -> pd.DataFrame:
    return pd.read_csv(io.StringIO(visit.download(visit.button("save csv"))))


def test_choices_are_drawn_by_key(visit):
    before = visit.ask("document.querySelector('.plot').innerHTML")
    assert visit.ask(LINES) == 3 * 3
    visit.page.get_by_role("checkbox", name="teacher-neuron n=20").focus()
    visit.page.keyboard.press("Space")
    assert visit.ask(LINES) == 2 * 3
    assert visit.ask("document.querySelector('.plot').innerHTML") != before
    status = visit.page.locator("#explorer").get_by_role("status")
    assert status.text_content() == "6 traces of 2 pairs drawn."
    visit.page.get_by_role("checkbox", name="0", exact=True).uncheck()
    assert visit.ask(LINES) == 2 * 2
    visit.button("all optimizers").click()
    assert visit.ask(LINES) == 2 * 2 * 3
    visit.button("none problems").click()
    assert visit.ask(LINES) == 0
    assert visit.page.get_by_text("Nothing to draw").is_visible()
    assert visit.button("save svg").is_disabled()
    visit.button("all problems").click()
    assert visit.ask(LINES) == 3 * 3 * 2


@pytest.mark.parametrize(("clock", "quantity"), [("time", "loss"), ("iteration", "theta_max"), ("evaluations", "loss")])
def test_what_is_drawn_is_what_was_recorded(visit, suite, clock, quantity):
    for choices in ("optimizers", "problems"):
        visit.button(f"all {choices}").click()
    visit.choose("x", clock)
    visit.choose("y", quantity)
    saved = read_saved(visit)
    assert list(saved) == ["problem", "optimizer", "seed", clock, quantity]
    keys = ["problem", "optimizer", "seed"]
    recorded = suite.traces.sort_values([*keys, "time"]).dropna(subset=[quantity])
    saved = saved.sort_values([*keys, clock], kind="stable")
    assert saved[keys].to_numpy().tolist() == recorded[keys].to_numpy().tolist()
    for name in (clock, quantity):
        # Half a unit of the packed logarithm, and half of the fifth digit that is saved.
        assert saved[name].to_numpy() == pytest.approx(recorded[name].to_numpy(float), rel=1.2e-5 + 5e-5, abs=0)


@pytest.mark.parametrize(("scale", "straight"), [("log", np.log10), ("linear", np.asarray)])
def test_axes_are_what_they_say(visit, scale, straight):
    visit.choose("scale of x", scale)
    drawn = visit.ask("document.querySelector('#explorer path.trace').getAttribute('d')")
    pixels = np.array(re.findall(r"([-\d.]+) ([-\d.]+)", drawn), dtype=float)
    records = read_saved(visit)
    first = records.iloc[: len(pixels)]
    for column, values in ((0, straight(first["time"])), (1, np.log10(first["loss"]))):
        slope, shift = np.polyfit(values, pixels[:, column], 1)
        # Pixels have a decimal, values five digits: nothing else keeps the points off the line.
        assert np.abs(slope * values + shift - pixels[:, column]).max() < 0.15
    assert abs(pixels[:, 0]).max() < 900
    other = {"log": np.asarray, "linear": np.log10}[scale](first["time"])
    wrong = np.polyval(np.polyfit(other, pixels[:, 0], 1), other)
    assert np.abs(wrong - pixels[:, 0]).max() > 50  # negative control


def test_theory_lies_beside_the_traces(visit):
    guides = """listGuides(collectLines({ problems: new Set([0, 1]), optimizers: new Set([0]), seeds: new Set([0, 1]),
        clock: "iteration", quantity: "loss", across: "log", upward: "log" }))"""
    [guide] = visit.ask(guides)
    x, y = np.log(guide["x"]), np.log(guide["y"])
    assert len(x) > 10
    assert np.diff(y) / np.diff(x) == pytest.approx(-3.0, abs=5e-3)  # five digits, over a twentieth of a decade
    assert visit.page.locator("path.theory").count() == 2  # the power law and the exponential
    visit.choose("y", "grad_norm")
    assert visit.page.locator("path.theory").count() == 0
    visit.choose("y", "loss")
    visit.page.get_by_role("checkbox", name="gradient-descent").uncheck()
    visit.page.get_by_role("checkbox", name="nesterov").check()
    assert visit.ask(LINES) > 0
    assert visit.page.locator("path.theory").count() == 0  # no theory is known


def test_the_slider_reads_the_traces_by_key(visit, suite):
    visit.page.get_by_role("checkbox", name="0", exact=True).check()
    for seed in ("1", "2"):
        visit.page.get_by_role("checkbox", name=seed, exact=True).uncheck()
    slider = visit.page.get_by_role("slider", name="read at")
    slider.focus()
    told = [slider.get_attribute("aria-valuetext")]
    for key in ("ArrowRight", "PageDown", "Home"):
        visit.page.keyboard.press(key)
        told.append(slider.get_attribute("aria-valuetext"))
    assert len(set(told)) == 4
    place = float(re.search(r"= ([\d.]+)$", told[1])[1])
    visit.page.keyboard.press("End")
    for _ in range(30):
        visit.page.keyboard.press("ArrowLeft")  # from the margin to the records
    table = visit.page.locator("#explorer table tbody tr")
    run = suite.traces[(suite.traces["problem"] == PROBLEMS[0]) & (suite.traces["optimizer"] == DESCENT)]
    run = run[run["seed"] == 0]
    shown = table.filter(has_text="teacher-neuron n=2").first.locator("td").nth(1).text_content()
    mantissa, _, power = shown.partition("·10")
    digits = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
    value = float(mantissa) * 10.0 ** int(power.translate(digits) or 0)
    at = float(slider.get_attribute("aria-valuetext").rpartition("= ")[2])
    nearest = run.iloc[int(np.argmin(np.abs(np.log(run["time"] / at))))]
    assert value == pytest.approx(nearest["loss"], rel=1e-3)  # four digits are shown
    assert 0.05 < place < 500
    assert table.filter(has_text="exact-neuron").locator("td").nth(1).text_content() == "–"  # it has ended before


def test_a_pointer_reads_them_too(visit):
    slider = visit.page.get_by_role("slider", name="read at")
    visit.page.locator(".plot svg").scroll_into_view_if_needed()
    box = visit.page.locator(".plot svg").bounding_box()
    places = []
    for part in (0.3, 0.8):
        visit.page.mouse.move(box["x"] + part * box["width"], box["y"] + 0.5 * box["height"])
        places.append(int(slider.input_value()))
    assert places[0] < 320 < 700 < places[1]


def test_the_drawing_is_saved_with_its_legend(visit):
    drawing = ElementTree.fromstring(visit.download(visit.button("save svg")))
    texts = ["".join(node.itertext()) for node in drawing.iter("{http://www.w3.org/2000/svg}text")]
    assert "loss L" in texts
    assert any(text.startswith("teacher-neuron n=20, gradient-descent, t−") for text in texts)
    names = {node.tag.rpartition("}")[2] for node in drawing.iter()}
    assert names == {"svg", "rect", "path", "text", "tspan"}


def test_colours_stay_with_their_methods(visit, suite):
    looks = gather(*suite).optimizers
    visit.button("all optimizers").click()
    strokes = visit.ask("[...document.querySelectorAll('path.trace')].map((path) => path.getAttribute('stroke'))")
    assert {stroke.lower() for stroke in strokes} == {look.color.lower() for look in looks.values()}


@pytest.mark.parametrize("text", [*HOSTILE[:3], *(pytest.param(text, marks=pytest.mark.slow) for text in HOSTILE[3:])])
def test_labels_stay_text_in_the_browser(browser, tmp_path, text):
    path = tmp_path / "report.html"
    path.write_text(render_page(gather(*suite_called(text)), []))
    with Visit(browser, path) as visit:
        assert visit.ask(LINES) == 1
        label = visit.page.locator("fieldset").first.locator("label")
        assert label.get_attribute("title") == f"p {text}"
        assert " ".join(label.text_content().split()) == " ".join(f"p {text}".split())
        saved = visit.download(visit.button("save csv"))
        assert pd.read_csv(io.StringIO(saved))["problem"].unique().tolist() == [f"p {text}"]
        ElementTree.fromstring(visit.download(visit.button("save svg")))
        assert (visit.said, visit.fetched) == ([], [])


# Large suites, and that of the paper


def make_large(problems: int, optimizers: int, seeds: int, points: int) -> tuple:
    """Traces, runs and ranking of a suite of very many runs, a fiftieth of which failed for reasons of their own."""
    names = {
        "problem": [f"teacher-neuron[n={n},d=20,sigma=0.1]" for n in range(2, 2 + problems)],
        "optimizer": [f"gradient-descent[lr={lr / 1000}]" for lr in range(1, 1 + optimizers)],
    }
    pair = np.repeat(np.arange(problems * optimizers), seeds)
    run = np.arange(len(pair))
    labels = pd.DataFrame(
        {
            "problem": np.take(names["problem"], pair // optimizers),
            "optimizer": np.take(names["optimizer"], pair % optimizers),
        }
    )
    time = np.tile(np.logspace(-1, 4, points), len(run))
    traces = labels.astype("category").loc[np.repeat(run, points)].reset_index(drop=True)
    traces = traces.assign(seed=np.repeat(run % seeds, points), time=time, loss=(1 + time) ** -3, grad_norm=time**-2)
    broken = run % 50 == 0
    runs = labels.assign(seed=run % seeds, law="power", final_loss=1e-12, status=np.where(broken, "failed", "ok"))
    runs["reason"] = [f"error {place}" * bool(each) for place, each in enumerate(broken)]
    ranking = labels.iloc[::seeds].assign(rank=1, law="power", value=3.0, low=2.9, high=3.1, share=1.0, seeds=seeds)
    return traces, runs, ranking.reset_index(drop=True)


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(100, 10, 100, 60), (2500, 20, 2, 30)])
def test_a_page_of_100_000_runs_still_opens(browser, tmp_path, shape):
    *tables, bands = *make_large(*shape), pd.DataFrame({"problem": [], "optimizer": [], "time": [], "loss": []})
    assert len(tables[1]) == 100_000
    path = tmp_path / "report.html"
    path.write_text(render_page(gather(*tables, {}, bands=bands), []))
    assert path.stat().st_size < 20e6 - 1.5 * ROOM  # figures may come to it: in base64, and packed for phones
    with Visit(browser, path) as visit:
        assert visit.ask(LINES) > 0
        assert re.search(r"seeds? the first|no room on this page", visit.page.locator("#explore").inner_text())
        visit.page.get_by_role("group", name="Filter: ranking").get_by_role("searchbox").fill("n=77,")
        assert len(visit.rows("ranking")) == shape[1]
        visit.button("all problems").click()
        visit.button("all optimizers").click()
        assert 1000 <= visit.ask(LINES) <= 1500
        assert (visit.said, visit.fetched) == ([], [])


@pytest.mark.slow
def test_the_report_of_the_paper(browser, tmp_path):
    suite = Path(__file__).parent.parent / "suites" / "paper.yaml"
    path = ovp.run_suite(suite, tmp_path) / "report.html"
    assert path.stat().st_size < 5e6
    for scheme in SCHEMES:
        for width in WIDTHS:
            with Visit(browser, path, width, scheme) as visit:
                judge(visit)
    with Visit(browser, path) as visit:
        visit.button("all problems").click()
        visit.button("all optimizers").click()
        assert visit.ask(LINES) > 700
        assert visit.ask("readPage.findClashes()") == []
        visit.page.get_by_role("group", name="Filter: ranking").get_by_role("searchbox").fill("exact")
        assert visit.status("ranking") == "6 of 48 rows"
        pictures = visit.ask("[...document.querySelectorAll('figure > .card > img[alt]')].map((image) => image.src)")
        wide = [base64.b64decode(source.partition(",")[2]).decode() for source in pictures if "base64," in source]
        assert len(wide) > 10
        assert (visit.said, visit.fetched) == ([], [])
    with Visit(browser, path, 1300) as visit:
        for svg in wide:
            visit.ask(f"""document.body.replaceChildren(
                ...new DOMParser().parseFromString({json.dumps(svg)}, "text/html").body.childNodes)""")
            assert visit.ask("readPage.countTexts()") > 5
            assert visit.ask("readPage.findClashes()") == [], svg[:500]
