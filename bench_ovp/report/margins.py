"""Room around the panels of a figure for what stands beside them: labels, titles, a legend at the foot."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import LayoutEngine
from matplotlib.transforms import Bbox
from numpy.typing import NDArray

PAD = 0.042  # inches around each panel and its labels, and around a legend
SETTLED = 4  # times that legends of panels are measured: each time, a half or less of what is missing is left
USUAL = 0.3  # inches on each side of a panel, about


class Margins(LayoutEngine):
    """Lays out a grid of panels, each in a cell of its own, the gaps between them alike.

    Labels are measured once, which takes most of the time. Matplotlib's own engine measures them twice, as they could
    change with the size of the panels; here panels have about their size when it is done. And the names of axes stay
    where they are then: else each drawing would measure them again. It is done when the figure is drawn first.
    """

    _adjust_compatible = True
    _colorbar_gridspec = True

    def set(self, **options: Any) -> None:
        """Nothing can be set."""
        if options:
            raise TypeError(f"there is nothing to set, such as {next(iter(options))}")

    def execute(self, fig: Figure) -> None:
        """Move the panels of a figure, and the names of their axes with them, once and for all."""
        places = {axes: place for axes in fig.axes if (place := axes.get_subplotspec())}
        renderer = FigureCanvasAgg(fig).get_renderer()  # type: ignore[no-untyped-call]
        rows, columns = next(iter(places.values())).get_gridspec().get_geometry()
        pad = PAD * fig.dpi
        foot = sum(legend.get_window_extent(renderer).height + 2 * pad for legend in fig.legends)
        beside, below = np.full((columns, 2), USUAL * fig.dpi), np.full((rows, 2), USUAL * fig.dpi)

        def widen(axes: Axes, box: Bbox) -> None:
            """Have room for what is in a box beside a panel."""
            panel, place = axes.bbox, places[axes]
            across, down = beside[place.colspan.start], below[place.rowspan.start]
            across[:] = np.maximum(across, (panel.x0 - box.x0 + pad, box.x1 - panel.x1 + pad))
            down[:] = np.maximum(down, (box.y1 - panel.y1 + pad, panel.y0 - box.y0 + pad))

        _adjust(fig, beside, below, foot)
        beside[:], below[:] = pad, pad
        names = {}
        for axes in places:
            widen(axes, axes.get_tightbbox(renderer, for_layout_only=True) or axes.bbox)
            (left, _), (_, low) = axes.yaxis.label.get_position(), axes.xaxis.label.get_position()
            names[axes] = left - axes.bbox.x0, low - axes.bbox.y0
        _adjust(fig, beside, below, foot)
        legends = [(axes, legend) for axes in places if (legend := axes.get_legend())]
        for _ in range(SETTLED if legends else 0):  # what hangs over a panel does so the more, the smaller that becomes
            for axes, legend in legends:
                widen(axes, legend.get_window_extent(renderer))
            _adjust(fig, beside, below, foot)
        for axes, (left, low) in names.items():
            axes.yaxis.set_label_coords(left / axes.bbox.width, 0.5)
            axes.xaxis.set_label_coords(0.5, low / axes.bbox.height)
        fig.set_layout_engine(None)


def _adjust(figure: Figure, beside: NDArray[np.float64], below: NDArray[np.float64], foot: float) -> None:
    """Leave room for panels, in pixels; as it is where none would be left for the panels themselves.

    Args:
        beside: left and right of each column.
        below: above and below each row.
        foot: of the figure.
    """
    width, height = figure.bbox.size
    between = max(beside[:-1, 1] + beside[1:, 0], default=0.0)
    beneath = max(below[:-1, 1] + below[1:, 0], default=0.0)
    across = width - beside[0, 0] - beside[-1, 1] - (len(beside) - 1) * between
    down = height - below[0, 0] - below[-1, 1] - (len(below) - 1) * beneath - foot
    if across > 0 and down > 0:
        figure.subplots_adjust(
            left=beside[0, 0] / width,
            right=1.0 - beside[-1, 1] / width,
            wspace=len(beside) * between / across,
            bottom=(below[-1, 1] + foot) / height,
            top=1.0 - below[0, 0] / height,
            hspace=len(below) * beneath / down,
        )
