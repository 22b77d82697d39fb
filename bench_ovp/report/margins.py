"""Room around the panels of a figure for what stands beside them: labels, titles, legends."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import LayoutEngine
from matplotlib.legend import Legend
from matplotlib.spines import Spine
from matplotlib.transforms import Bbox

PAD = 0.042  # inches around each panel and its labels, and around a legend
USUAL = 0.3  # inches on each side of a panel, about
SETTLED = 4  # times that legends of panels are measured: each time, a half or less of what is missing is left


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
        renderer = FigureCanvasAgg(fig).get_renderer()  # type: ignore[no-untyped-call]
        panels = [axes for axes in fig.axes if axes.get_subplotspec()]
        pad = PAD * fig.dpi
        foot = sum(legend.get_window_extent(renderer).height + 2 * pad for legend in fig.legends)
        _Room(panels, USUAL * fig.dpi).leave(fig, foot)
        room = _Room(panels, pad)
        legends, names = {axes: legend for axes in panels if (legend := axes.get_legend())}, {}
        for axes in panels:
            found = [one for one in axes.get_default_bbox_extra_artists() if not isinstance(one, (Spine, Legend))]
            box = axes.get_tightbbox(renderer, for_layout_only=True, bbox_extra_artists=found)
            room.widen(axes, box or axes.bbox)
            (left, _), (_, low) = axes.yaxis.label.get_position(), axes.xaxis.label.get_position()
            names[axes] = left - axes.bbox.x0, low - axes.bbox.y0
        room.leave(fig, foot)
        for _ in range(SETTLED if legends else 0):  # the smaller a panel becomes, the more its legend hangs over
            more = room.copy()
            for axes, legend in legends.items():
                more.widen(axes, legend.get_window_extent(renderer))
            more.leave(fig, foot)
        for axes, (left, low) in names.items():
            axes.yaxis.set_label_coords(left / axes.bbox.width, 0.5)
            axes.xaxis.set_label_coords(0.5, low / axes.bbox.height)
        fig.set_layout_engine(None)


class _Room:
    """Pixels beside each column and around each row of a grid of panels, at least `pad`."""

    def __init__(self, panels: list[Axes], pad: float) -> None:
        self._places = {axes: place for axes in panels if (place := axes.get_subplotspec())}
        rows, columns = next(iter(self._places.values())).get_gridspec().get_geometry()
        self._pad = pad
        self.beside = np.full((columns, 2), pad)  # left and right
        self.around = np.full((rows, 2), pad)  # above and below

    def copy(self) -> _Room:
        """The same room, to be widened further."""
        other = _Room(list(self._places), self._pad)
        other.beside[:], other.around[:] = self.beside, self.around
        return other

    def widen(self, axes: Axes, box: Bbox) -> None:
        """Have room for what is in a box beside a panel."""
        panel, place, pad = axes.bbox, self._places[axes], self._pad
        beside, around = self.beside[place.colspan.start], self.around[place.rowspan.start]
        beside[:] = np.maximum(beside, (panel.x0 - box.x0 + pad, box.x1 - panel.x1 + pad))
        around[:] = np.maximum(around, (box.y1 - panel.y1 + pad, panel.y0 - box.y0 + pad))

    def leave(self, figure: Figure, foot: float) -> None:
        """Move the panels to where this room is left, and `foot` below all; not, where none would be left for them."""
        width, height = figure.bbox.size
        between = max(self.beside[:-1, 1] + self.beside[1:, 0], default=0.0)
        beneath = max(self.around[:-1, 1] + self.around[1:, 0], default=0.0)
        (left, _), (_, right) = self.beside[[0, -1]]
        (top, _), (_, bottom) = self.around[[0, -1]]
        across = width - left - right - (len(self.beside) - 1) * between
        down = height - top - bottom - (len(self.around) - 1) * beneath - foot
        if across > 0 and down > 0:
            figure.subplots_adjust(
                left=left / width,
                right=1.0 - right / width,
                wspace=len(self.beside) * between / across,
                bottom=(bottom + foot) / height,
                top=1.0 - top / height,
                hspace=len(self.around) * beneath / down,
            )
