"""The look of every figure: sizes, fonts, and one colour, marker and dash for each problem and optimizer.

The colours are those of Okabe & Ito (2008) without yellow, which is lost on white, and a warm ramp for a
family of problems that differ in a parameter. Lightness differs along the ramp, so that it survives any
colour blindness; markers repeat what colours say.
"""

import math
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.textpath import text_to_path
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from .labels import clip, group_families, raise_digits, shorten, split_power

COLUMN, DOUBLE = 3.25, 6.75  # inches: one column and two columns of a journal
INK, QUIET, GRID = "#1a1a1a", "#6b6b6b", "#e4e4e4"
WITH_POWERS: dict[str, Any] = {
    "fontfamily": "DejaVu Sans",
    "fontsize": 7.2,
}  # has all raised letters, and is wide
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
    "svg.fonttype": "none",
    "svg.hashsalt": "bench-ovp",
    "path.simplify_threshold": 0.2,
}

BLUE, RED, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
ORANGE, SKY, BLACK = "#E69F00", "#56B4E9", "#000000"
SINGLES = (BLUE, RED, GREEN, PURPLE, ORANGE, SKY, BLACK)
COOL = (BLUE, BLACK, SKY, GREEN)  # beside the warm ramp
RAMPS = (("#F4B183", "#E0703C", "#B0324B", "#641A4E"), ("#9CD3B4", "#3FA58A", "#1F7088", "#17325E"))
MARKERS = ("o", "s", "^", "D", "v", "X", "P", "*", "p", "h")
SLIM = "XP*"  # drawn larger, or they would vanish in their white edges
DASHES: tuple[Any, ...] = ("-", (0, (1, 1)), (0, (3, 1, 1, 1)))

LAWS = {
    "superexponential": "#023858",
    "exponential": "#2b7bba",
    "power": "#f5a859",
    "stalled": "#bdbdbd",
    "diverged": "#4d4d4d",
    "undecided": "#f0f0f0",
}


class Look(NamedTuple):
    """How one problem or optimizer appears in every figure."""

    short: str
    color: str
    marker: str
    dash: Any

    @property
    def name(self) -> str:
        """The short name, fit for a figure."""
        return clip(self.short)

    @property
    def ink(self) -> str:
        """The colour for text: that of the lines, unless it is too light to be read."""
        return self.color if brightness(self.color) < 0.55 else INK

    @property
    def size(self) -> float:
        """Of the marker, in points."""
        return 5.4 if self.marker in SLIM else 3.8

    def line(self) -> dict[str, Any]:
        """Keywords of a line that carries this look."""
        return {
            "color": self.color,
            "linestyle": self.dash,
            "marker": self.marker,
            "markersize": self.size,
            "markeredgecolor": "white",
            "label": self.name,
        }

    def handle(self) -> Line2D:
        """This look in a legend."""
        return Line2D([], [], **self.line())


def brightness(color: str) -> float:
    """Perceived, from 0 to 1, with the weights of ITU-R BT.601."""
    red, green, blue = to_rgb(color)
    return 0.299 * red + 0.587 * green + 0.114 * blue


def assign_looks(labels: Sequence[str]) -> dict[str, Look]:
    """A look for every label: a ramp for each of the two largest families, single colours for the rest."""
    families = sorted(group_families(labels), key=lambda family: -len(family.members))
    ramped = [family for family in families if len(family.members) > 1][: len(RAMPS)]
    singles = SINGLES if not ramped else COOL if len(ramped) == 1 else (BLACK, PURPLE, SKY)
    colors: dict[str, str] = {}
    dashes: dict[str, Any] = {}
    for family, ramp in zip(ramped, RAMPS, strict=False):
        shades = sns.blend_palette(ramp, len(family.members)).as_hex() if len(family.members) != 4 else ramp
        colors |= {member.text: shade for member, shade in zip(family.members, shades, strict=True)}
    for index, label in enumerate(label for label in labels if label not in colors):
        colors[label] = singles[index % len(singles)]
        dashes[label] = DASHES[index // len(singles) % len(DASHES)]
    short = shorten(labels)
    return {
        label: Look(short[label], colors[label], MARKERS[index % len(MARKERS)], dashes.get(label, "-"))
        for index, label in enumerate(labels)
    }


def make_panels(
    count: int,
    *,
    narrow: bool,
    height: float,
    columns: int = 2,
    **options: Any,
) -> tuple[Figure, list[Axes]]:
    """A figure of `count` panels: in rows of `columns` at double width, of half that in one journal column.

    Args:
        height: of one row, in inches.
        options: to `Figure.subplots`, such as `sharey`.
    """
    columns = min(count, max(1, columns // 2) if narrow else columns)
    rows = -(-count // columns)
    figure = Figure(figsize=(COLUMN if narrow else DOUBLE, rows * height), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, **options).ravel()
    for spare in axes[count:]:
        spare.remove()
    sns.despine(fig=figure)
    return figure, list(axes[:count])


def place_legend(figure: Figure, handles: Sequence[Line2D], *, narrow: bool) -> None:
    """A legend under the panels, in as many columns as the longest name allows; the figure grows by it."""
    if not handles:
        return
    longest = max(len(str(handle.get_label())) for handle in handles)
    width = figure.get_figwidth()
    columns = max(1, min(len(handles), int(width / (0.055 * longest + 0.52)), 2 if narrow else 6))
    rows = -(-len(handles) // columns)
    columns = -(-len(handles) // rows)
    figure.set_figheight(figure.get_figheight() + 0.15 * rows + 0.08)
    figure.legend(handles=handles, loc="outside lower center", ncols=columns)


def set_powers(axes: Axes, which: Literal["x", "y"], *, most: int, plain: bool = False) -> None:
    """A logarithmic axis with at most about `most` powers of ten as plain text: mathtext is slow, and large in an SVG.

    Args:
        plain: whether those near 1 are plain numbers.
    """
    axes.set(**{f"{which}scale": "log"})
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_locator(LogLocator(numticks=most))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: write_power(value, plain=plain)))
    for each in (axes.get_shared_x_axes() if which == "x" else axes.get_shared_y_axes()).get_siblings(axes):
        each.tick_params(axis=which, labelfontfamily=WITH_POWERS["fontfamily"], labelsize=6.5)


def write_power(value: float, *, plain: bool = False) -> str:
    """A power of ten: `10⁻³`; near 1 as a plain number, if wanted."""
    if value <= 0.0:  # an axis down to the smallest of doubles
        return "0"
    exponent = round(math.log10(value))
    if plain and -3 < exponent < 4:
        return f"{value:g}"
    return f"10{raise_digits(str(exponent))}"


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


def make_empty(message: str) -> Figure:
    """A figure that has nothing to show says so."""
    figure = Figure(figsize=(DOUBLE, 0.7), layout="constrained")
    say_empty(figure.subplots(), message)
    return figure


def say_empty(axes: Axes, message: str) -> None:
    """A panel that has nothing to show says so."""
    axes.set_axis_off()
    axes.text(0.5, 0.5, message, transform=axes.transAxes, ha="center", va="center", color=QUIET)
