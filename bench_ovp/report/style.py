"""What all figures share: sizes, fonts, the colours of laws, panels, legends and logarithmic axes."""

import math
import textwrap
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from .labels import raise_digits, split_power
from .late import waiting
from .margins import Margins

with waiting("scipy.stats", "scipy.cluster"):  # which no figure here needs, and which take longer than all else
    import seaborn as sns

COLUMN, DOUBLE = 3.25, 6.75  # inches: one column and two columns of a journal
MIDDLE = 4.75  # inches, below which a figure is laid out for one column
INK, QUIET, GRID = "#1a1a1a", "#6b6b6b", "#e4e4e4"
WITH_POWERS: dict[str, Any] = {
    "fontfamily": "DejaVu Sans",
    "fontsize": 7.2,
}  # has all raised letters, and is wide
CHARACTER, POWER = 0.06, 0.26  # inches: a letter of a name, on the average; a power of ten with air around it
STRIDES = (1, 2, 3, 5, 10, 20, 30, 50, 100, 200, 500)  # of exponents between ticks
TINIEST = 1e-323  # an axis may begin at 0, to float64
RAISE, RAISED_BY = 0.7, 0.38  # size of an exponent, and how far it is raised, in sizes of its base

RC: dict[str, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["Arial", "Helvetica", "Liberation Sans", "DejaVu Sans"],
    "mathtext.fontset": "custom",
    "mathtext.rm": "sans",
    "mathtext.it": "sans:italic",
    "mathtext.bf": "sans:bold",
    "mathtext.cal": "sans",  # the default, cursive, is a font that few machines have
    "font.size": 8,
    "axes.labelsize": 8,
    "axes.titlesize": 8,
    "axes.titlelocation": "left",
    "axes.titley": 1.0,  # found automatically, it costs a quarter of the drawing
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "legend.handlelength": 2.0,
    "legend.columnspacing": 1.4,
    "axes.linewidth": 0.6,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": GRID,
    "grid.linewidth": 0.5,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 3,
    "ytick.major.size": 3,
    "xtick.minor.size": 0,
    "ytick.minor.size": 0,
    "lines.linewidth": 1.3,
    "lines.markersize": 3.6,
    "lines.markeredgewidth": 0.5,
    "figure.facecolor": "white",
    "axes.facecolor": "white",
    "savefig.facecolor": "white",
    "text.hinting": "no_hinting",  # found by the default, for every letter, it costs more than the letter
    "svg.fonttype": "none",  # text stays text on the page: it can be searched, selected, and is small
    "pdf.fonttype": 42,  # fonts are embedded as TrueType; journals refuse Type 3
    "svg.hashsalt": "bench-ovp",
    "path.simplify_threshold": 0.2,
}

LAWS = {
    "superexponential": "#023858",
    "exponential": "#2b7bba",
    "power": "#f5a859",
    "stalled": "#bdbdbd",
    "diverged": "#4d4d4d",
    "undecided": "#f0f0f0",
}


def brightness(color: str) -> float:
    """Perceived, from 0 to 1, with the weights of ITU-R BT.601."""
    red, green, blue = to_rgb(color)
    return 0.299 * red + 0.587 * green + 0.114 * blue


def is_narrow(width: float) -> bool:
    """Whether a width, in inches, is that of one column of a journal rather than of two."""
    return width < MIDDLE


def wrap_name(name: str, room: float) -> str:
    """A name in lines that fit into so many inches, broken where it has a dash or a space if it can be."""
    return "\n".join(textwrap.wrap(name, max(8, int(room / CHARACTER)), break_long_words=True)) or name


def measure_row(name: str) -> float:
    """How high a row with a name beside it must be, in rows of one line."""
    return 1.0 + 0.75 * name.count("\n")


def make_panels(
    count: int, *, width: float, height: float, columns: int = 2, dense: bool = True, **options: Any
) -> tuple[Figure, list[Axes]]:
    """A figure of `count` panels.

    Args:
        count: of panels.
        width: of the figure, in inches.
        height: of one row, in inches.
        columns: panels beside each other at double width, at most; as many fewer as a narrower figure has room for.
        dense: whether more than three panels of one journal column may stand in pairs.
        options: to `Figure.subplots`, such as `sharey`.
    """
    columns = min(count, max(1 + (dense and count > 3), int(columns * width / DOUBLE + 0.45)))
    rows = -(-count // columns)
    columns = -(-count // rows)
    figure = Figure(figsize=(width, rows * height), layout=Margins())
    axes = figure.subplots(rows, columns, squeeze=False, **options).ravel()
    for spare in axes[count:]:
        spare.remove()
    despine(figure)
    return figure, list(axes[:count])


def despine(figure: Figure) -> None:
    """Panels without a frame above and to the right."""
    sns.despine(fig=figure)


def measure_panel(axes: Axes) -> float:
    """Inches across that a panel has with all that is beside it."""
    place, figure = axes.get_subplotspec(), axes.get_figure(root=True)
    width = figure.get_figwidth() if figure else DOUBLE
    return width / (place.get_gridspec().ncols if place else 1)


def set_title(axes: Axes, name: str, below: str = "") -> None:
    """The title of a panel, in lines that fit above it."""
    room = measure_panel(axes) - 0.5  # beside the labels of the vertical axis
    axes.set_title("\n".join(wrap_name(text, room) for text in (name, below) if text))


def set_label(axes: Axes, text: str) -> None:
    """The label of a horizontal axis, in lines that fit below it."""
    axes.set_xlabel(wrap_name(text, measure_panel(axes) - 0.4))


def is_left(axes: Axes) -> bool:
    """Whether a panel is the first of its row."""
    place = axes.get_subplotspec()
    return place is None or place.is_first_col()


def is_lowest(axes: Axes) -> bool:
    """Whether no panel is below this one."""
    place, figure = axes.get_subplotspec(), axes.figure
    if place is None:
        return True
    others = [other.get_subplotspec() for other in figure.axes]
    return not any(
        other and other.colspan.start == place.colspan.start and other.rowspan.start > place.rowspan.start
        for other in others
    )


def place_legend(figure: Figure, handles: Sequence[Artist]) -> None:
    """A legend under the panels, in as many columns as the longest name allows; the figure grows by it."""
    if not handles:
        return
    longest = max(len(str(handle.get_label())) for handle in handles)
    width = figure.get_figwidth()
    columns = max(1, min(len(handles), int(width / (0.055 * longest + 0.52)), 2 if is_narrow(width) else 6))
    rows = -(-len(handles) // columns)
    columns = -(-len(handles) // rows)
    figure.set_figheight(figure.get_figheight() + 0.15 * rows + 0.08)
    figure.legend(handles=list(handles), loc="lower center", ncols=columns)


class Powers(LogLocator):
    """Powers of ten: of round exponents where not all have room; where fewer than two are seen, a few other numbers.

    Args:
        most: at most about so many.
    """

    def __init__(self, most: int) -> None:
        super().__init__(numticks=most)
        self._most, self._few = most, max(2, 2 * most // 3)  # other numbers are longer

    def tick_values(self, vmin: float, vmax: float) -> Any:
        """Of a view from vmin to vmax."""
        low, high = sorted((vmin, vmax))
        exponents = [math.log10(max(value, TINIEST)) for value in (low, high)]
        if (decades := exponents[1] - exponents[0]) > self._most:
            stride = next(stride for stride in STRIDES if decades <= stride * self._most)
            first = math.ceil(exponents[0] / stride) * stride
            return np.array([10.0**exponent for exponent in range(first, math.floor(exponents[1]) + 1, stride)])
        ticks = np.asarray(super().tick_values(vmin, vmax))
        seen = ticks[(ticks >= low) & (ticks <= high)]  # the others would be made, and not drawn
        if low <= 0 or len(seen) >= 2:
            return seen
        ticks = np.asarray(LogLocator(subs=(1.0, 2.0, 5.0), numticks=9).tick_values(vmin, vmax))
        seen = ticks[(ticks >= low) & (ticks <= high)]
        return seen[:: -(-len(seen) // self._few)] if len(seen) else ticks


def set_powers(axes: Axes, which: Literal["x", "y"], *, most: int, plain: bool = False) -> None:
    """A logarithmic axis with at most about `most` powers of ten as plain text: mathtext is slow, and large in an SVG.

    Args:
        plain: whether those near 1 are plain numbers.
    """
    axes.set(**{f"{which}scale": "log"})
    axis = axes.xaxis if which == "x" else axes.yaxis
    if which == "x":
        most = min(most, max(2, int((measure_panel(axes) - 0.5) / POWER)))
    axis.set_major_locator(Powers(most))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: write_power(value, plain=plain)))
    for each in (axes.get_shared_x_axes() if which == "x" else axes.get_shared_y_axes()).get_siblings(axes):
        each.tick_params(axis=which, labelfontfamily=WITH_POWERS["fontfamily"], labelsize=6.5)


def write_power(value: float, *, plain: bool = False) -> str:
    """A power of ten, `10⁻³`, or a multiple of one, `2·10⁻³`; near 1 as a plain number, if wanted."""
    if value <= 0.0:  # an axis down to the smallest of doubles
        return "0"
    if math.isinf(value):  # a tick above all that is shown, where an axis spans hundreds of powers
        return "∞"
    exponent = math.floor(math.log10(value) + 1e-9)
    factor = round(value / 10.0**exponent, 6) if exponent > -300 else 1
    if (plain and -3 < exponent < 4) or (factor != 1 and exponent in (-1, 0, 1)):
        return f"{value:g}"
    return f"{'' if factor == 1 else f'{factor:g}·'}10{raise_digits(str(exponent))}"


def write_target(value: float) -> str:
    """A loss to be reached: a power of ten as `10^−8`, another number as it is."""
    exponent = math.log10(value)
    return f"10^{round(exponent)}".replace("-", "−") if exponent == round(exponent) else f"{value:g}"


def draw_formula(axes: Axes, x: float, y: float, law: str, *, size: float, ha: str, va: str, **style: Any) -> None:
    """A written law with its exponent raised, of plain texts side by side: mathtext takes fifty times as long."""
    pieces = split_power(law)
    if len(pieces) == 1:
        axes.text(x, y, law, fontsize=size, ha=ha, va=va, **style)
        return
    fonts = [FontProperties(size=size * (RAISE if place else 1.0), style="italic" if len(piece) == 1 else "normal")
             for place, piece in enumerate(pieces)]  # fmt: skip
    gap = 0.06 * size
    widths = [text_to_path.get_text_width_height_descent(*each, ismath=False)[0] + gap
              for each in zip(pieces, fonts, strict=True)]  # fmt: skip
    right = -(sum(widths) - gap) * {"left": 0.0, "center": 0.5, "right": 1.0}[ha]
    low = size * {"bottom": 0.15, "center": -0.42, "top": -0.9}[va]
    for place, (piece, font, width) in enumerate(zip(pieces, fonts, widths, strict=True)):
        offset = right, low + (RAISED_BY * size if place else 0.0)
        axes.annotate(piece, (x, y), offset, textcoords="offset points", va="baseline", font=font, **style)
        right += width


def say_empty(axes: Axes, message: str) -> None:
    """A panel that has nothing to show says so."""
    axes.set_axis_off()
    axes.text(0.5, 0.5, message, transform=axes.transAxes, ha="center", va="center", color=QUIET)
