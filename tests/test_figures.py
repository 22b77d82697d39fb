"""Figures: what is drawn is what the .csv says, what it says is right, and it fits."""

import io
import itertools
import re
import warnings

import numpy as np
import pandas as pd
import pytest
from figure_tables import complete_suite, make_grid, make_large, make_single, make_sweep
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from report_tables import OPTIMIZERS, PROBLEMS, make_suite

from bench_ovp.errors import InputError
from bench_ovp.figure_names import NAMES
from bench_ovp.ranking import rank
from bench_ovp.report.chart import drawing, name_part, render, save_figure, split_evenly
from bench_ovp.report.figures import FIGURES, MOST, choose_charts, list_charts
from bench_ovp.report.figures import claims as claims_figures
from bench_ovp.report.figures.profiles import list_tasks, profile
from bench_ovp.report.figures.sensitivity import tabulate_sensitivity
from bench_ovp.report.figures.slopes import extrapolate, measure_slope
from bench_ovp.report.standings import average_ranks, bound_ranks
from bench_ovp.report.style import COLUMN, DOUBLE, LAWS, Powers, wrap_name, write_power
from bench_ovp.report.sweeps import find_sweeps

SEVERAL = ("gradient-descent[lr=0.05]", "heavy-ball[lr=0.05,beta=0.9]", "preconditioned-gradient-descent[lr=0.5]")


@pytest.fixture(scope="module")
def tables():
    return complete_suite(make_suite(3, 1e4, PROBLEMS[:6], SEVERAL))


@pytest.fixture(scope="module")
def charts(tables):
    return {chart.name: chart for chart in list_charts(tables)}


@pytest.fixture(scope="module")
def grid():
    return complete_suite(make_grid())


def draw(chart, width=DOUBLE):
    with drawing():
        return chart.draw(width)


def list_points(figure):
    """All points of lines, to nine digits, those of lines that only a legend shows left out."""
    found = set()
    for axes in figure.axes:
        for line in axes.lines:
            found |= {(f"{x:.9g}", f"{y:.9g}") for x, y in zip(*line.get_data(), strict=True)}
    return found


def list_rows(data, x, y):
    """Points that the table of a figure has, after a way through its .csv."""
    stored = pd.read_csv(io.StringIO(data.to_csv(index=False)))
    return {(f"{a:.9g}", f"{b:.9g}") for a, b in stored[[x, y]].dropna().to_numpy()}


# --- the list of them ---


def test_names_stay():
    assert [kind.name for kind in FIGURES] == list(NAMES)
    assert " ".join(NAMES) == (
        "contrast convergence compensated slopes laws constants optimizers evaluations profiles sensitivity ranking "
        "critical-difference overview claims"
    )


def test_no_name_is_the_beginning_of_another():
    assert not any(one.startswith(f"{other}-") for one, other in itertools.permutations(NAMES, 2))


@pytest.mark.parametrize("kind", FIGURES, ids=lambda kind: kind.name)
def test_every_kind_says_what_it_shows_and_how_to_read_it(kind):
    assert kind.title[0].isupper()
    assert len(kind.caption) > 100
    assert kind.caption.endswith((".", "?"))
    assert not re.search(r"[{}_$]|\bTODO\b", kind.caption.replace("t_end", ""))
    assert kind.needs[0].islower()


def test_every_chart_has_a_caption_of_its_kind(charts, grid):
    for chart in (*charts.values(), *list_charts(grid)):
        kind = next(kind for kind in FIGURES if chart.name == kind.name or chart.name.startswith(f"{kind.name}-"))
        assert len(chart.caption) > 15
        assert "{" not in chart.caption
        assert chart.title.startswith(kind.title.rstrip("?"))
        assert chart.alt.endswith(".")
        assert len(chart.data)


def test_all_kinds_but_claims_are_drawn_by_these_tests(charts, grid):
    drawn = {*charts, *(chart.name for chart in list_charts(grid))}
    assert {name.partition("-gradient")[0] for name in drawn} >= {*NAMES} - {"claims"}


def test_a_figure_is_absent_where_there_is_nothing_to_show():
    single = {chart.name for chart in list_charts(complete_suite(make_single()))}
    assert {"convergence-gradient-descent", "compensated", "slopes", "laws"} <= single
    assert not {"contrast", "constants", "sensitivity", "ranking", "critical-difference"} & single
    nothing = complete_suite(make_suite(1, 1e2, PROBLEMS[:1], SEVERAL[:1]))
    nothing = nothing._replace(traces=nothing.traces.iloc[:0], bands=nothing.bands.iloc[:0])
    assert {chart.name for chart in list_charts(nothing)} <= {"laws", "evaluations", "overview"}


def test_charts_are_chosen_by_kind_and_by_name(tables, charts):
    chosen = [chart.name for chart in choose_charts(tables, ["slopes", "convergence-heavy-ball", "contrast"])]
    assert chosen == ["contrast", "convergence-heavy-ball", "slopes"]
    whole = [chart.name for chart in choose_charts(tables, ["convergence"])]
    assert whole == [name for name in charts if name.startswith("convergence-")]
    assert [chart.name for chart in choose_charts(tables)] == list(charts)
    with pytest.raises(InputError, match=r"--figures convergence-x: no such figure.*convergence-heavy-ball"):
        choose_charts(tables, ["contrast", "convergence-x"])
    with pytest.raises(InputError, match="--figures sensitivity: these results have nothing to show; it needs an opt"):
        choose_charts(tables, ["sensitivity"])


# --- what is drawn is what the table says ---


@pytest.mark.parametrize(
    ("name", "x", "y", "rows"),
    [
        ("contrast", "time", "loss", None),
        ("convergence-gradient-descent", "time", "loss", None),
        ("compensated", "time", "loss", None),
        ("slopes", "end_over_time", "value", "series == 'slope' or series == 'limit' or series == 'line'"),
        ("constants", "at", "value", None),
        ("optimizers", "evaluations", "loss", "evaluations > 0"),
        ("profiles", "at", "value", None),
    ],
)
@pytest.mark.parametrize("width", [COLUMN, DOUBLE])
def test_lines_are_those_of_the_table(charts, name, x, y, rows, width):
    data = charts[name].data if rows is None else charts[name].data.query(rows)
    wanted = list_rows(data, x, y)
    assert len(wanted) > 5
    drawn = list_points(draw(charts[name], width))
    if name == "contrast":  # its second panel ends where the exponential has
        assert wanted <= drawn
    assert wanted <= drawn
    # A control: other numbers would be found out.
    assert not list_rows(data.assign(**{y: data[y] * 1.0001}), x, y) <= drawn


def test_intervals_of_laws_are_those_of_the_table(charts):
    chart = charts["laws"]
    figure = draw(chart)
    ends = {f"{x:.9g}" for axes in figure.axes for line in axes.lines for x in line.get_xdata()}
    data = pd.read_csv(io.StringIO(chart.data.to_csv(index=False)))
    inside = data[data["law"] == "exponential"]  # of powers, what is outside theory's neighbourhood is an arrow
    for name in ("value", "low", "high", "theory_value"):
        assert {f"{value:.9g}" for value in inside[name].dropna()} <= ends


def test_ranks_are_those_of_the_table(charts):
    chart = charts["ranking"]
    figure = draw(chart)
    means = chart.data[chart.data["problem"] == ""]
    for axes, clock in zip(figure.axes, ("time", "evaluations"), strict=True):
        drawn = {f"{x:.9g}" for line in axes.lines for x in line.get_xdata()}
        own = means[means["clock"] == clock]
        assert {f"{x:.9g}" for x in own[["rank", "low", "high"]].to_numpy().ravel()} <= drawn
        texts = [text.get_text() for text in axes.texts]
        assert texts == [f"{row.rank:.1f}  [{row.low:.1f}, {row.high:.1f}]" for row in own.itertuples()]


def test_differences_are_those_of_the_table(charts):
    chart = charts["critical-difference"]
    rows = chart.data[chart.data["clock"] == "time"]
    axes = draw(chart).axes[0]
    drawn = {f"{x:.9g}" for line in axes.lines for x in line.get_xdata()}
    assert {f"{x:.9g}" for x in rows["rank"]} <= drawn
    assert f"  CD = {rows['critical_difference'].iloc[0]:.2f}" in {text.get_text().split(",")[0] for text in axes.texts}


def test_evaluations_are_those_of_the_table(charts):
    chart = charts["evaluations"]
    panels = draw(chart).axes
    for axes, target in zip(panels, sorted(chart.data["target"].unique(), reverse=True), strict=True):
        drawn = {f"{x:.9g}" for line in axes.lines for x in line.get_xdata()}
        own = chart.data[chart.data["target"] == target]
        assert drawn == {f"{x:.9g}" for x in own["evaluations"]}


def test_tiles_are_those_of_the_table(charts, tables):
    chart = charts["overview"]
    axes = draw(chart).axes[0]
    [tiles] = axes.collections
    found = {}
    for path, color in zip(tiles.get_paths(), tiles.get_facecolor(), strict=True):
        column, row = path.get_extents().min.astype(int)
        found[list(tables.problems)[row], list(tables.optimizers)[column]] = to_hex(color)
    assert found == {(row.problem, row.optimizer): LAWS[row.law] for row in chart.data.itertuples()}


def test_losses_against_steps_are_those_of_the_table(grid):
    [chart] = choose_charts(grid, ["sensitivity"])
    drawn = list_points(draw(chart))
    ended = chart.data[chart.data["diverged"] < 0.5]
    assert list_rows(ended, "lr", "value") <= drawn
    lost = chart.data[chart.data["diverged"] >= 0.5]
    assert {f"{x:.9g}" for x in lost["lr"]} <= {x for x, y in drawn if 0.5 < float(y) <= 1}


# --- what the tables say is right ---


@pytest.mark.parametrize("power", [0.5, 3.0, 6.0])
def test_the_slope_of_a_power_is_its_exponent(power):
    time = np.geomspace(1, 1e4, 81)
    slope = measure_slope(time, 7 * time**-power, np.array([1.25, 1.26, 100.0, 7.94e3, 7.95e3]))
    assert np.isnan(slope[[0, 4]]).all()  # it would reach beyond the run
    assert np.allclose(slope[1:4], power, rtol=1e-12)


def test_a_shifted_power_is_drawn_on_to_its_exponent():
    """−d log L/d log t of (t + a)^−p is p/(1 + a/t) = p(1 − a/t + …): the line ends at p, up to (10a/t_end)²."""
    end, shift, power = 1e5, 30.0, 3.0
    time = np.geomspace(1, end, 401)
    at = end / np.linspace(1.3, 10, 12)
    slope = measure_slope(time, (time + shift) ** -power, at)
    # A difference over ±h of log t in place of the slope: (h²/6)·a/t off, relatively.
    assert np.allclose(slope, power / (1 + shift / at), rtol=1.1 * (0.1 * np.log(10)) ** 2 / 6 * 10 * shift / end)
    limit, start = extrapolate(end / at, slope)
    assert abs(limit - power) < power * (10 * shift / end) ** 2
    assert abs(slope[0] - power) > 10 * abs(limit - power)
    assert start == pytest.approx(power * (1 - 10 * shift / end), rel=1e-4)
    assert np.isnan(extrapolate(np.array([1.0, 2.0]), np.array([3.0, 3.0]))).all()


def test_slopes_tell_the_law_beside_the_limit(charts):
    data = charts["slopes"].data.set_index(["problem", "optimizer", "series"]).sort_index()
    row = data.loc[(PROBLEMS[0], SEVERAL[0])]
    assert row.loc["theory", "value"] == 3.0
    assert row.loc["limit", "value"] == pytest.approx(3.0, abs=0.002)
    assert row.loc["law", "low"] < 3.0 < row.loc["law", "high"]


def test_constants_and_their_trend_are_exact():
    powers = {"gradient-descent": -1.25, "heavy-ball": 0.75}
    [chart] = choose_charts(complete_suite(make_sweep(powers)), ["constants"])
    data = chart.data
    assert set(data["p"]) == {3.0}  # theory's, not the 3.02 that was measured
    for optimizer, power in powers.items():
        own = data[data["optimizer"] == optimizer]
        assert np.allclose(own["value"], own["at"] ** power, rtol=1e-12)
        # Seeds have 0.5, 1 and 2 times that: their 10 % and 90 % quantiles are 0.6 and 1.8 times.
        assert np.allclose(own["low"] / own["value"], 0.6, rtol=1e-12)
        assert np.allclose(own["high"] / own["value"], 1.8, rtol=1e-12)
        assert own["trend"].iloc[0] == pytest.approx(power, rel=1e-12)
        assert own["trend_error"].iloc[0] < 1e-12
    assert not [chart for chart in list_charts(complete_suite(make_sweep(powers, (2, 4)))) if chart.name == "constants"]


def test_sweeps_differ_in_one_parameter_only():
    frame = pd.DataFrame(
        {
            "problem": [f"a[n={n},s={s}]" for n in (1, 2, 3) for s in (5, 6)] + ["b[n=1]", "b[n=2]", "b[n=4]", "c"],
            "problem.n": [1, 1, 2, 2, 3, 3, 1, 2, 4, np.nan],
            "problem.s": [5, 6, 5, 6, 5, 6, np.nan, np.nan, np.nan, np.nan],
            "problem.word": [""] * 9 + ["x"],
        }
    )
    found = {(sweep.parameter, sweep.label): sweep.members for sweep in find_sweeps(frame, "problem")}
    assert found == {
        ("n", "a[s=5.0]"): {"a[n=1,s=5]": 1, "a[n=2,s=5]": 2, "a[n=3,s=5]": 3},
        ("n", "a[s=6.0]"): {"a[n=1,s=6]": 1, "a[n=2,s=6]": 2, "a[n=3,s=6]": 3},
        ("n", "b"): {"b[n=1]": 1, "b[n=2]": 2, "b[n=4]": 4},
    }
    assert find_sweeps(frame, "problem", "s") == []


def test_a_step_size_that_breaks_half_of_the_runs_has_diverged(grid):
    data = tabulate_sensitivity(grid)
    assert (data.groupby(["problem", "method"])["lr"].count() == 5).all()
    for row in data.itertuples():
        best = 0.3 if row.method == "gradient-descent" else 0.03
        assert row.diverged == (row.lr > best * 2)
        assert np.isinf(row.value) == (row.lr > best * 2)
        assert row.low <= row.value <= row.high
        assert row.runs == 5
    runs = grid.runs.copy()
    runs.loc[runs.index[:2], "status"] = "diverged"  # two of the five of the first
    data = tabulate_sensitivity(grid._replace(runs=runs))
    row = data[(data["problem"] == runs["problem"][0]) & (data["lr"] == 0.01) & (data["method"] == "gradient-descent")]
    assert row["diverged"].item() == 0.4
    assert np.isfinite(row["value"].item())
    assert np.isinf(row["high"].item())


def test_profiles_count_as_one_would_by_hand():
    efforts = pd.Series([10.0, 20.0, np.inf, 20.0, 40.0, 80.0])
    seeds = pd.Series([0, 0, 0, 1, 1, 1])
    found = profile(efforts, seeds, np.array([5.0, 10.0, 20.0, 79.0, 80.0]))
    assert np.allclose(found["value"], [0, 1 / 6, 3 / 6, 4 / 6, 5 / 6])
    # The seeds' own shares are 0, 1/3, 2/3, 2/3, 2/3 and 0, 0, 1/3, 2/3, 1; a tenth of the way between them.
    assert np.allclose(found["low"], [0, 1 / 30, 11 / 30, 2 / 3, 7 / 10])
    assert np.allclose(found["high"], [0, 3 / 10, 19 / 30, 2 / 3, 29 / 30])


def test_profiles_count_all_tasks(tables, charts):
    tasks = list_tasks(tables)
    assert len(tasks) == len(tables.runs) * len(tables.targets)
    data = charts["profiles"].data
    for optimizer in SEVERAL:
        own = tasks[tasks["optimizer"] == optimizer]
        ends = data[data["optimizer"] == optimizer].groupby("panel")["value"].last()
        assert ends["evaluations"] == pytest.approx(np.isfinite(own["evaluations"]).mean())
        # By Dolan & Moré's definition, task by task.
        firsts = solved = won = 0
        for _, task in tasks.groupby(["problem", "seed", "target"]):
            best, mine = task["evaluations"].min(), task.loc[task["optimizer"] == optimizer, "evaluations"].item()
            solved += np.isfinite(best)
            firsts += np.isfinite(mine) and mine == best
            won += np.isfinite(mine)
        line = data[(data["panel"] == "ratio") & (data["optimizer"] == optimizer)]
        assert line["value"].iloc[0] == pytest.approx(firsts / solved)
        assert line["value"].iloc[-1] == pytest.approx(won / solved)
        assert (np.diff(line["value"]) >= 0).all()


def list_comparisons(separations, names):
    rows = [("p", "time", a, b, a if (a, b) in separations else b if (b, a) in separations else "", "law", 1e-3, 1e-2)
            for a, b in itertools.combinations(names, 2)]  # fmt: skip
    columns = ["problem", "clock", "optimizer", "other", "better", "by", "p", "p_holm"]
    return pd.DataFrame(rows, columns=columns)


@pytest.mark.parametrize("seed", range(20))
def test_bounds_of_ranks_are_those_of_all_orders(tables, seed):
    """The ranks that an optimizer has in any order that no separation contradicts."""
    chance = np.random.default_rng(seed)
    names = list("abcde")
    truth = chance.permutation(names)
    separations = {(a, b) for a, b in itertools.combinations(truth, 2) if chance.random() < 0.4}
    bounds = bound_ranks(tables._replace(comparisons=list_comparisons(separations, names)))
    places = {name: set() for name in names}
    for order in itertools.permutations(names):
        if all(order.index(a) < order.index(b) for a, b in separations):
            for name in names:
                places[name].add(order.index(name) + 1)
    for row in bounds.itertuples():
        assert (row.low, row.high) == (min(places[row.optimizer]), max(places[row.optimizer]))


def test_bounds_begin_at_the_rank_even_of_a_circle(tables):
    names = list("abc")
    circle = [("a", "b"), ("b", "c"), ("c", "a")]
    bounds = bound_ranks(tables._replace(comparisons=list_comparisons(set(circle), names))).set_index("optimizer")
    assert bounds["low"].to_dict() == rank(names, circle) == {"a": 1, "b": 2, "c": 3}
    assert bounds["high"].to_dict() == {"a": 1, "b": 2, "c": 3}


def test_mean_ranks_are_means(tables):
    bounds = pd.DataFrame(
        [("p", "a", 1, 1), ("p", "b", 2, 2), ("q", "a", 1, 2), ("q", "b", 1, 2)],
        columns=["problem", "optimizer", "low", "high"],
    ).assign(clock="time", entrants=2)
    means = average_ranks(bounds).set_index("optimizer")
    assert means.loc["a", ["rank", "low", "high", "problems"]].tolist() == [1.25, 1.0, 1.5, 2]
    assert means.loc["b", ["rank", "low", "high", "problems"]].tolist() == [1.75, 1.5, 2.0, 2]


@pytest.mark.parametrize(
    ("value", "text"),
    [(1e-3, "10⁻³"), (2e-3, "2·10⁻³"), (5e7, "5·10⁷"), (1.0, "10⁰"), (0.2, "0.2"), (50.0, "50"), (0.0, "0"),
     (5e-324, "10⁻³²⁴"), (1e300, "10³⁰⁰"), (9.9999999999e-5, "10⁻⁴")],
)  # fmt: skip
def test_powers_are_written_as_they_are(value, text):
    assert write_power(value) == text


def test_powers_near_one_may_be_plain():
    assert [write_power(x, plain=True) for x in (0.01, 1.0, 1000.0, 1e-4)] == ["0.01", "1", "1000", "10⁻⁴"]


def test_an_axis_has_two_numbers_or_more():
    for low, high in ((1e-9, 1e3), (0.3, 0.7), (1.1, 4.0), (2e-5, 9e-5), (0.9, 1.2e1)):
        seen = [tick for tick in Powers(6).tick_values(low, high) if low <= tick <= high]
        assert 2 <= len(seen) <= 8
    assert set(Powers(6).tick_values(1e-9, 1e3)) <= {10.0**k for k in range(-12, 7)}


# --- it fits ---


def find_overflow(figure):
    """What leaves the figure by more than half a point: the whole of it, or texts that the layout does not look at."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    width, height = figure.get_size_inches() * figure.dpi
    boxes = {"layout": figure.get_tightbbox(canvas.get_renderer()).transformed(figure.dpi_scale_trans)}
    boxes |= {text.get_text(): text.get_window_extent() for axes in figure.axes for text in axes.texts}
    half = 0.5 * figure.dpi / 72
    return {
        name: box.extents.round(1)
        for name, box in boxes.items()
        if box.x0 < -half or box.y0 < -half or box.x1 > width + half or box.y1 > height + half
    }


def find_collisions(figure):
    """Numbers of an axis that touch, and names of axes under a legend."""
    FigureCanvasAgg(figure).draw()
    told = []
    for axes in (axes for axes in figure.axes if axes.axison):
        if legend := axes.get_legend():
            labels = [axis.label for axis in (axes.xaxis, axes.yaxis) if axis.label.get_text()]
            box = legend.get_window_extent()
            told += [label.get_text() for label in labels if label.get_window_extent().overlaps(box)]
        for axis, start, end in ((axes.xaxis, "x0", "x1"), (axes.yaxis, "y0", "y1")):
            low, high = sorted(axis.get_view_interval())
            ticks = [tick for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]
            labels = [tick.label1 for tick in ticks if tick.label1.get_visible() and tick.label1.get_text()]
            boxes = sorted((label.get_window_extent() for label in labels), key=lambda box: getattr(box, start))
            told += [axes.get_title(loc="left") for one, other in itertools.pairwise(boxes)
                     if getattr(other, start) < getattr(one, end)]  # fmt: skip
    return told


def check_fit(chart, width):
    with warnings.catch_warnings(), drawing():
        warnings.simplefilter("error")  # a layout that collapsed says so
        figure = chart.draw(width)
        assert figure.get_figwidth() == pytest.approx(width)
        assert figure.get_figheight() < 27
        assert find_overflow(figure) == {}, chart.name
        assert find_collisions(figure) == [], chart.name


@pytest.mark.parametrize("width", [COLUMN, 5.5, DOUBLE])
@pytest.mark.parametrize(
    "name", ["contrast", "compensated", "slopes", "laws", "constants", "ranking", "critical-difference", "overview"]
)
def test_figures_fit_their_width(charts, name, width):
    check_fit(charts[name], width)


@pytest.mark.parametrize("width", [COLUMN, DOUBLE])
def test_one_pair_fits(width):
    for chart in list_charts(complete_suite(make_single())):
        check_fit(chart, width)


@pytest.mark.parametrize("name", ["compensated", "slopes", "sensitivity", "laws", "overview"])
def test_a_grid_fits_a_column(grid, name):
    check_fit(choose_charts(grid, [name])[0], COLUMN)


def test_a_sensitivity_without_divergence_fits():
    """A line without points, unclipped, once made the layout collapse."""
    calm = make_grid((0.01, 0.02, 0.03))
    [chart] = choose_charts(complete_suite(calm), ["sensitivity"])
    assert not chart.data["diverged"].any()
    check_fit(chart, DOUBLE)


@pytest.fixture(scope="module", params=[False, True], ids=["", "long names"])
def large(request):
    """Without traces, whose bands take most of the time."""
    suite = make_large(seeds=1, horizon=1e2, long=request.param)
    return complete_suite(suite._replace(traces=suite.traces.iloc[:0]))


@pytest.mark.parametrize("name", ["laws", "ranking", "critical-difference", "overview"])
def test_24_problems_and_12_optimizers_fit_a_column(large, name):
    check_fit(choose_charts(large, [name])[0], COLUMN)


@pytest.mark.slow
@pytest.mark.parametrize("width", [COLUMN, 5.5, DOUBLE])
@pytest.mark.parametrize("long", [False, True])
def test_every_figure_of_24_problems_and_12_optimizers_fits(long, width):
    for chart in choose_charts(complete_suite(make_large(long=long))):
        check_fit(chart, width)


def test_what_does_not_fit_would_be_found(charts):
    with drawing():
        figure = charts["laws"].draw(DOUBLE)
        assert not find_overflow(figure)
        assert not find_collisions(figure)
        figure.axes[0].set_xticks([3.0, 3.0001])
        assert find_collisions(figure)
        figure.axes[0].text(0.9, 0.9, "a text too long " * 9, transform=figure.transFigure).set_in_layout(False)
        assert find_overflow(figure)


def test_parts_are_even_and_complete():
    assert split_evenly([], 5) == []
    for count in range(1, 40):
        parts = split_evenly(range(count), 7)
        assert sum(parts, []) == list(range(count))  # noqa: RUF017  few
        sizes = [len(part) for part in parts]
        assert max(sizes) <= 7
        assert max(sizes) - min(sizes) <= 1
        assert len(parts) == -(-count // 7)
    kind = FIGURES[0]._replace(name="n", title="Is it so?")
    assert [name_part(kind, place, 2) for place in (1, 2)] == [
        ("n", "Is it so (1 of 2)?"),
        ("n-2", "Is it so (2 of 2)?"),
    ]
    assert name_part(kind, 1, 1) == ("n", "Is it so?")


def test_every_pair_is_in_some_part(large):
    rows = sum(len(chart.data) for chart in choose_charts(large, ["laws"]))
    assert rows == large.ranking["law"].isin(["power", "exponential"]).sum()


def test_the_page_shows_so_many_of_a_kind_and_says_so():
    many = make_single()
    names = [f"method-{place}" for place in range(MOST + 3)]
    frames = [pd.concat([frame.assign(optimizer=name) for name in names]) for frame in many[:3]]
    whole = complete_suite(many._replace(traces=frames[0], runs=frames[1], ranking=frames[2]))
    shown = [chart for chart in list_charts(whole) if chart.name.startswith("convergence-")]
    assert len(shown) == MOST
    assert shown[-1].caption.endswith("3 more are drawn by bench-ovp report DIR --figures convergence.")
    assert len(choose_charts(whole, ["convergence"])) == MOST + 3


def test_names_are_wrapped_where_they_have_a_dash():
    assert wrap_name("preconditioned-gradient-descent", 1.1) == "preconditioned-\ngradient-descent"
    assert wrap_name("short", 1.1) == "short"
    assert max(map(len, wrap_name("x" * 100, 1.1).split("\n"))) <= 18


# --- as files ---


def test_a_pdf_has_its_fonts_and_its_width(charts, tmp_path):
    path = tmp_path / "contrast.pdf"
    save_figure(charts["contrast"], [path], COLUMN)
    pdf = path.read_bytes()
    assert b"/Subtype /Type3" not in pdf
    fonts = re.findall(rb"/Subtype /(Type0|CIDFontType2|TrueType|Type1)\b", pdf)
    assert {b"Type0", b"CIDFontType2"} <= set(fonts)
    assert pdf.count(b"/FontFile2") == len(re.findall(rb"/Type /FontDescriptor", pdf)) > 0
    box = [float(number) for number in re.search(rb"/MediaBox \[ ?([^\]]+?) ?\]", pdf)[1].split()]
    assert box[2] == pytest.approx(72 * COLUMN, abs=1e-6)


def test_a_pdf_of_type_3_would_be_found(charts):
    with drawing() as _:
        import matplotlib as mpl

        with mpl.rc_context({"pdf.fonttype": 3}):
            assert b"/Subtype /Type3" in render(charts["contrast"].draw(COLUMN), "pdf")


def test_letters_of_an_svg_are_outlines_but_on_the_page(charts, tmp_path):
    save_figure(charts["overview"], [tmp_path / "overview.svg"])
    text = (tmp_path / "overview.svg").read_text()
    assert "<text" not in text
    assert "font-family" not in text
    assert text.count("<use") > 100
    with drawing():
        assert "<text" in render(charts["overview"].draw(DOUBLE), "svg").decode()


def test_a_png_has_600_dots_per_inch(charts, tmp_path):
    save_figure(charts["ranking"], [tmp_path / "ranking.png", tmp_path / "ranking.svg"], 3.0)
    head = (tmp_path / "ranking.png").read_bytes()[16:20]
    assert int.from_bytes(head, "big") == 1800
    assert 'width="216pt"' in (tmp_path / "ranking.svg").read_text()


def test_equal_orders_give_equal_bytes(charts, tmp_path):
    for folder in ("one", "other"):
        (tmp_path / folder).mkdir()
        save_figure(charts["critical-difference"], [tmp_path / folder / f"x.{kind}" for kind in ("pdf", "svg", "png")])
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "other" / path.name).read_bytes()


def test_claims_have_no_figure_without_drawings(tables):
    assert claims_figures.chart_claims(tables) == []
    assert len(OPTIMIZERS) == 6


def test_the_page_shows_three_parts_of_what_is_split(large):
    shown = [chart for chart in list_charts(large) if chart.name.startswith("laws")]
    whole = choose_charts(large, ["laws"])
    assert len(whole) > len(shown) == 3
    assert shown[-1].caption.endswith(f" {len(whole) - 3} more are drawn by bench-ovp report DIR --figures laws.")
    assert [chart.name for chart in shown] == ["laws", "laws-2", "laws-3"]


def test_seeds_without_traces_are_no_failures(tables):
    """Of many seeds a page may have the traces of some only; what failed among these still counts."""
    kept = tables.traces[tables.traces["seed"] == 0]
    tasks = list_tasks(tables._replace(traces=kept, seeds=1))
    assert set(tasks["seed"]) == {0}
    assert len(tasks) == len(tables.targets) * (tables.runs["seed"] == 0).sum()
    gone = (kept["problem"] == PROBLEMS[0]) & (kept["optimizer"] == SEVERAL[0])
    tasks = list_tasks(tables._replace(traces=kept[~gone], seeds=1))
    lost = tasks[(tasks["problem"] == PROBLEMS[0]) & (tasks["optimizer"] == SEVERAL[0])]
    assert len(lost) == len(tables.targets)
    assert np.isinf(lost["evaluations"]).all()
