"""The report's section on claims: the table, the settings of each, and the figures beside them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from report_tables import PROBLEMS, make_suite

from bench_ovp.claims import FAILS, HOLDS, OUTSIDE, Diagram, Line
from bench_ovp.claims.verdicts import COLUMNS, Claims, Drawing
from bench_ovp.report import draw_report
from bench_ovp.report.claims import MOST_SETTINGS, list_claims, write_value
from bench_ovp.report.figures.claims import gather_sheet

DESCENT = "gradient-descent[lr=0.05]"
TIME = np.logspace(0, 4, 40)


def make_row(claim: str, verdict: str, value: float = 0.5, **others) -> dict:
    row = dict.fromkeys(COLUMNS) | {"claim": claim, "verdict": verdict, "value": value, "bound": 1.0, "runs": 2}
    row |= {"source": "a < b", "statement": "L ≤ C t^−3", "problem": PROBLEMS[0], "optimizer": DESCENT}
    row |= {"twin": "L ≤ C t^−4", "twin_verdict": FAILS, "informative": True, "evidence": "seen"}
    return row | others


def make_drawing(problem: str, factor: float) -> Drawing:
    diagram = Diagram("claims-test", "Is it so?", "Level lines say yes.", {"one": "L t³"}, lambda _: [])
    lines = [Line("one", seed, TIME, factor * (1 + seed) * TIME**0) for seed in range(3)]
    return Drawing(diagram, problem, DESCENT, lines, {"T₁": 3.0, "T₂": 30.0})


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    suite = make_suite(seeds=2, horizon=1e3, problems=PROBLEMS[:2], optimizers=(DESCENT,))
    rows = [make_row("one", HOLDS), make_row("one", HOLDS, informative=False), make_row("two", OUTSIDE, np.nan)]
    drawings = [make_drawing(problem, 1.0 + place) for place, problem in enumerate(PROBLEMS[:2])]
    return draw_report(folder, *suite, claims=Claims(rows, drawings))


def test_the_page_shows_claims_and_their_figures(page):
    text = page.read_text()
    assert 'id="claims"' in text
    assert "a &lt; b" in text
    assert "L ≤ C t<sup>−3</sup>" in text
    assert "says nothing in 1" in text
    assert "Level lines say yes." in text
    for suffix in (".svg", ".png", ".csv"):
        assert (page.parent / "figures" / f"claims-test{suffix}").stat().st_size > 100
    table = pd.read_csv(page.parent / "figures" / "claims-test.csv")
    assert set(table["panel"]) == {"one", "T₁", "T₂"}


def test_without_claims_there_is_no_section(tmp_path):
    suite = make_suite(seeds=1, horizon=1e2, problems=PROBLEMS[:1], optimizers=(DESCENT,))
    assert 'id="claims"' not in draw_report(tmp_path, *suite).read_text()


def test_lines_become_medians_over_the_seeds():
    sheet = gather_sheet([make_drawing(PROBLEMS[0], 2.0)])
    assert len(sheet.data) == len(TIME)
    assert sheet.data["value"].to_numpy() == pytest.approx(4.0)
    assert sheet.data["low"].to_numpy() == pytest.approx(2.4)
    assert sheet.data["high"].to_numpy() == pytest.approx(5.6)
    assert list(sheet.marks["time"]) == [3.0, 30.0]


def test_a_claim_is_summed_up():
    rows = [make_row("one", HOLDS, 0.1), make_row("one", FAILS, 3.0), make_row("one", OUTSIDE, np.nan)]
    [entry] = list_claims(rows * 20)
    assert [(verdict, count) for verdict, count, _ in entry["verdicts"]] == [(HOLDS, 20), (FAILS, 20), (OUTSIDE, 20)]
    assert (entry["measured"], entry["bound"]) == ("0.1 to 3", "1")
    assert (len(entry["settings"]), entry["more"]) == (MOST_SETTINGS, 60 - MOST_SETTINGS)
    assert [write_value(value) for value in (1 / 3, np.nan, 1e-9)] == ["0.333", "–", "1e-09"]
