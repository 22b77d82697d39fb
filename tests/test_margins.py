"""Room around panels: nothing overlaps or is cut off, panels are alike, and matplotlib's own engine agrees."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bench_ovp.report.margins import Margins


def make(layout, rows, columns, *, label="loss L", title="one\ntwo", legend=True, ratios=None, ticks=("10",)):
    figure = Figure(figsize=(6.75, 2 * rows + 0.3 * legend), layout=layout)
    panels = figure.subplots(rows, columns, squeeze=False, height_ratios=ratios).ravel()
    for place, axes in enumerate(panels):
        axes.plot([0, 1])
        axes.set_yticks([0, 1], ["", ticks[place % len(ticks)]])
        axes.set(xlabel="time t", ylabel=label if place % columns == 0 else "", title=title)
    if legend:
        outside = "outside " if layout == "constrained" else ""
        figure.legend(handles=[Line2D([], [], label="a method")], loc=f"{outside}lower center")
    return figure


def lay_out(figure):
    figure.get_layout_engine().execute(figure)
    return np.array([axes.get_position().extents for axes in figure.axes])


SHAPES = {"rows": st.integers(1, 3), "columns": st.integers(1, 4)}


@given(**SHAPES, label=st.sampled_from(["", "L", "loss\nof a run"]), legend=st.booleans())
@settings(max_examples=20, derandomize=True, deadline=None)
def test_nothing_overlaps_or_is_cut_off(rows, columns, label, legend):
    figure = make(Margins(), rows, columns, label=label, legend=legend, ticks=("1", "1000000", "10"))
    lay_out(figure)
    renderer = FigureCanvasAgg(figure).get_renderer()
    boxes = [axes.get_tightbbox(renderer) for axes in figure.axes]
    boxes += [legend.get_window_extent(renderer) for legend in figure.legends]
    for place, box in enumerate(boxes):
        assert min(box.x0, box.y0) >= 0
        assert np.all(box.max <= figure.bbox.max)
        assert not any(box.overlaps(other) for other in boxes[:place])
    sizes = np.array([axes.get_position().size for axes in figure.axes])
    assert np.ptp(sizes, axis=0) == pytest.approx([0, 0], abs=1e-9)


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (1, 3), (2, 2), (3, 1)])
@pytest.mark.parametrize("legend", [True, False])
def test_matplotlibs_engine_agrees(rows, columns, legend):
    """Both leave a gap of three points, 0.042 inches, rounded; with labels of one size, where gaps are alike."""
    mine = lay_out(make(Margins(), rows, columns, legend=legend))
    theirs = lay_out(make("constrained", rows, columns, legend=legend))
    assert np.abs(mine - theirs).max() < 0.001


def test_rows_keep_their_ratio():
    low, high = np.diff(lay_out(make(Margins(), 2, 1, ratios=[1, 3]))[:, [1, 3]]).ravel()
    assert high / low == pytest.approx(3)


def test_a_figure_is_laid_out_once():
    figure = make(Margins(), 2, 2)
    before = lay_out(figure)
    assert figure.get_layout_engine() is None
    FigureCanvasAgg(figure).draw()
    assert [axes.get_position().extents for axes in figure.axes] == pytest.approx(before)


def test_names_of_axes_stand_where_matplotlib_puts_them():
    def measure(layout):
        figure = make(layout, 1, 2)
        lay_out(figure)
        figure.set_layout_engine(None)
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        return [axis.label.get_window_extent().extents for axis in (figure.axes[0].xaxis, figure.axes[0].yaxis)]

    assert np.abs(np.subtract(measure(Margins()), measure("constrained"))).max() < 0.5  # pixels, of 675


def test_where_labels_leave_no_room_the_figure_is_still_drawn():
    figure = make(Margins(), 1, 1, title="\n".join("abcdefghijklmnop"))
    [left, low, right, high] = lay_out(figure)[0]
    assert left < right
    assert low < high


def test_nothing_can_be_set():
    with pytest.raises(TypeError, match="nothing to set, such as pad"):
        Margins().set(pad=1)
