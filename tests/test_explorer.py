"""The traces on the page: packed without harm, bounded for a large suite, and said to be."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_tables import OPTIMIZERS, PROBLEMS, make_suite

from bench_ovp.grids import CLOCKS
from bench_ovp.report import explorer
from bench_ovp.report.explorer import (
    UNIT,
    Pool,
    find_bounds,
    gather_traces,
    list_quantities,
    pack,
    sort_runs,
    thin,
)
from bench_ovp.report.tables import gather

DESCENT, FLOW, NESTEROV = "gradient-descent[lr=0.05]", "gradient-flow", "nesterov[lr=0.05]"
HALF = 10 ** (UNIT / 2) - 1  # the error of a logarithm that is rounded to UNIT


@pytest.fixture(scope="module")
def suite():
    return make_suite(seeds=3, horizon=1e4, problems=PROBLEMS[3:5], optimizers=(DESCENT, FLOW))


def unpack(packed):
    """The numbers again, in floating point from the start: another way than the page's."""
    if "raw" in packed:
        return np.array([np.nan if value is None else value for value in packed["raw"]])
    return 10.0 ** (UNIT * np.cumsum(np.cumsum(packed["log"])))


def read(told, pair, run, column):
    place = told["pairs"][pair]["runs"][run][1 + told["columns"].index(column)]
    return unpack(told["series"][place])


@given(st.lists(st.floats(1e-307, 1e307), min_size=1, max_size=50))
def test_positive_numbers_keep_five_digits(values):
    packed = pack(np.array(values))
    assert list(packed) == ["log"]
    # Beside the rounding of the logarithm only that of 10^x, which is 2·10⁻¹⁶·ln(10)·308 at the ends.
    assert unpack(packed) == pytest.approx(values, rel=HALF + 1e-12, abs=0)


@pytest.mark.parametrize("odd", [0.0, -1.5, np.nan, np.inf])
def test_other_numbers_keep_five_digits_too(odd):
    values = np.array([1 / 3, odd, 2e-9 / 3])
    packed = json.loads(json.dumps(pack(values), allow_nan=False))
    assert list(packed) == ["raw"]
    expected = np.where(np.isfinite(values), values, np.nan)
    assert unpack(packed) == pytest.approx(expected, rel=5e-5, abs=0, nan_ok=True)


def test_a_smooth_curve_is_small():
    loss = 1.0 / (1.0 + np.logspace(-1, 4, 100)) ** 3
    assert len(json.dumps(pack(loss), separators=(",", ":"))) < 0.5 * len(json.dumps(loss.tolist()))


def test_equal_series_are_kept_once():
    pool = Pool()
    assert [pool.put(np.array(values)) for values in ([1.0, 2.0], [3.0], [1.0, 2.0], [np.nan])] == [0, 1, 0, None]
    assert len(pool.series) == 2


def test_every_record_comes_back(suite):
    told = gather_traces(gather(*suite))
    labels = [[look["label"] for look in told[kind]] for kind in ("problems", "optimizers")]
    compared = 0
    for place, pair in enumerate(told["pairs"]):
        problem, optimizer = labels[0][pair["problem"]], labels[1][pair["optimizer"]]
        of_pair = suite.traces[(suite.traces["problem"] == problem) & (suite.traces["optimizer"] == optimizer)]
        assert [run[0] for run in pair["runs"]] == sorted(of_pair["seed"].unique())
        for order, (_, run) in enumerate(of_pair.groupby("seed")):
            for column in ("time", "loss", "grad_norm", "norm_min"):
                expected = run[column].to_numpy()[thin(len(run), 160)]
                assert read(told, place, order, column) == pytest.approx(expected, rel=HALF + 1e-12, abs=0)
                compared += 1
    assert compared == 4 * (4 * 3 - 1)  # one run failed and left no trace


def test_a_flow_has_no_iterations(suite):
    told = gather_traces(gather(*suite))
    flows = [pair for pair in told["pairs"] if told["optimizers"][pair["optimizer"]]["label"] == FLOW]
    assert flows
    assert {run[1 + told["columns"].index("iteration")] for pair in flows for run in pair["runs"]} == {None}


def test_what_is_offered_and_what_is_drawn_first(suite):
    tables = gather(*suite)
    told = gather_traces(tables)
    assert [name for name, _ in told["quantities"]] == ["loss", "grad_norm", "theta_max", "norm_min"]
    assert told["columns"][: len(CLOCKS)] == list(CLOCKS)
    assert told["chosen"] == {"problems": [1, 0], "optimizers": [0]}  # the exponential, then the power law
    alone = gather(*suite._replace(ranking=suite.ranking[suite.ranking["law"] == "power"]))
    assert gather_traces(alone)["chosen"] == {"problems": [0], "optimizers": [0, 1]}


def test_quantities_of_single_students_stay_in_their_file(suite):
    wide = suite.traces.assign(theta_1=0.1, z_20=0.2, how="stepped", loss_rtol=0.0, H=-0.1, empty=np.nan)
    assert list_quantities(wide) == ["loss", "grad_norm", "theta_max", "norm_min", "H"]


def test_theory_goes_with_its_pairs():
    suite = make_suite(seeds=2, horizon=1e2, problems=(PROBLEMS[0],), optimizers=(DESCENT, NESTEROV))
    told = gather_traces(gather(*suite))
    assert [pair.get("guide") for pair in told["pairs"]] == [["power", 3.0], None]
    assert [pair["theory"] for pair in told["pairs"]] == ["t^−3", ""]


def test_colours_are_those_of_the_figures():
    tables = gather(*make_suite(seeds=1, horizon=1e2))
    told = gather_traces(tables)
    assert {one["label"]: one["color"] for one in told["optimizers"]} == {
        label: look.color for label, look in tables.optimizers.items()
    }
    assert [one["label"] for one in told["optimizers"]] == list(OPTIMIZERS)


def test_an_empty_suite_has_nothing_to_explore():
    told = gather_traces(gather(*(pd.DataFrame(),) * 3, {}))
    assert (told["pairs"], told["series"], told["told"]) == ([], [], [])


def test_runs_come_in_the_order_of_the_suite_whatever_that_of_the_rows():
    rng = np.random.default_rng(3)
    frame = make_traces(4, 3, 5).sample(frac=1.0, random_state=rng)
    runs = sort_runs(frame, ["p3", "p1", "p0", "p2"], ["o"])
    assert runs.problems.tolist() == np.repeat(np.arange(4), 3).tolist()
    assert runs.seeds.tolist() == [0, 1, 2] * 4
    for problem, seed, rows in zip(runs.problems, runs.seeds, runs.rows, strict=True):
        own = frame.iloc[rows]
        assert set(own["problem"]) == {["p3", "p1", "p0", "p2"][problem]}
        assert set(own["seed"]) == {seed}
        assert len(own) == 5


# Bounds


def make_traces(pairs, seeds, points=100):
    """Traces of many runs in little time."""
    runs = pairs * seeds
    time = np.tile(np.logspace(0, 4, points), runs)
    which = np.repeat(np.arange(runs), points)
    frame = pd.DataFrame({"seed": which % seeds, "time": time, "loss": time**-3, "a": time, "b": -time})
    return frame.assign(
        problem=pd.Categorical.from_codes(which // seeds, [f"p{place}" for place in range(pairs)]), optimizer="o"
    )


def bound(traces, quantities):
    return find_bounds(sort_runs(traces, traces["problem"].cat.categories, ["o"]), quantities)


@pytest.mark.parametrize(("pairs", "seeds"), [(1, 1), (2, 5), (40, 100), (1500, 3), (9000, 1)])
def test_the_page_holds_no_more_than_its_room(pairs, seeds):
    traces = make_traces(pairs, seeds, points=40)
    bounds = bound(traces, ["loss", "a", "b"])
    kept = traces[["problem", "seed"]].iloc[40 * bounds.kept]  # runs are in order
    shown, held, few = kept["problem"].nunique(), kept["seed"].nunique(), len(bounds.seeds)
    assert len(kept) == shown * held
    assert shown * held * min(bounds.points, 40) <= explorer.LOSSES
    assert shown * few * min(bounds.points, 40) * 2 <= explorer.OTHERS
    assert shown == min(pairs, explorer.LOSSES // explorer.FEWEST)
    # It is as full as it can be: one seed more of each pair has no room.
    assert held == seeds or shown * (held + 1) * min(bounds.points, 40) > explorer.LOSSES
    assert bool(bounds.told) == (shown < pairs or few < seeds)


def test_what_is_left_out_is_said(monkeypatch):
    monkeypatch.setattr(explorer, "LOSSES", 1000)
    monkeypatch.setattr(explorer, "OTHERS", 800)
    assert bound(make_traces(2, 10, 100), ["loss", "a", "b"]).told == [
        "Of 10 seeds the first 5 are here.",
        "Beside the loss, quantities are here for the first 2 of the seeds.",
    ]
    assert bound(make_traces(50, 1, 100), ["loss", "a"]).told == [
        "9 pairs have no room on this page.",
        "Beside the loss, quantities are here for none of the seeds.",
    ]


def test_traces_that_were_left_out_before_are_said_to_be(suite):
    first = suite._replace(traces=suite.traces[suite.traces["seed"] < 2])
    assert gather_traces(gather(*first, seeds=2))["told"] == ["Of 3 seeds the first 2 are here."]
    assert gather_traces(gather(*first))["told"] == []  # here the third just left no trace


def test_a_bounded_page_keeps_to_its_bounds(monkeypatch, suite):
    monkeypatch.setattr(explorer, "LOSSES", 4 * 2 * 80)
    monkeypatch.setattr(explorer, "OTHERS", 4 * 3 * 80)
    monkeypatch.setattr(explorer, "POINTS", 30)
    told = gather_traces(gather(*suite))
    runs = [run for pair in told["pairs"] for run in pair["runs"]]
    assert {run[0] for run in runs} == {0, 1, 2}
    assert {len(run) for run in runs if run[0] > 1} == {2 + len(CLOCKS)}  # seed, clocks and loss
    lengths = {len(next(iter(series.values()))) for series in told["series"]}
    assert max(lengths) == 30
