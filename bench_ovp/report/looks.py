"""One colour, marker and dash for each problem and optimizer, found from its name: the same in every figure and suite.

The ten colours began as those of Okabe & Ito (2008), with yellow, which is lost on white, replaced by three darker
ones, and were moved a little until every two of them, and white, are told apart by every eye. Labels of one name
share a hue and differ in lightness, which no colour blindness takes away; markers repeat what colours say.
"""

import hashlib
import itertools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.colors import to_hex, to_rgb
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike, NDArray

from .labels import clip, group_families, shorten
from .style import INK, brightness

PALETTE = (
    *("#3368b3", "#f05b00", "#29a067", "#c97fbc", "#edb032"),  # blue, vermilion, green, pink, amber
    *("#33acff", "#000000", "#7e1944", "#3f1088", "#736767"),  # sky, black, wine, violet, grey
)
LIGHT, DARK = 0.79, 0.32  # OKLab's lightness of the ends of a family: both are told from white and from black
MARKERS = ("o", "s", "^", "D", "v", "X", "P", "*", "p", "h")
SLIM = "XP*"  # drawn larger, or they would vanish in their white edges
DASHES: tuple[Any, ...] = ("-", (0, (1, 1)), (0, (3, 1, 1, 1)))
SALT = 60617  # with it what suites/paper.yaml runs has first choices that differ, and needs no second ones

# Björn Ottosson (2020), A perceptual color space for image processing.
TO_CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)
FloatArray = NDArray[np.float64]


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
        return self.dots() | {"linestyle": self.dash}

    def dots(self) -> dict[str, Any]:
        """Keywords of markers without a line."""
        return {
            "color": self.color,
            "linestyle": "",
            "marker": self.marker,
            "markersize": self.size,
            "markeredgecolor": "white",
            "label": self.name,
        }

    def handle(self, *, lined: bool = True) -> Line2D:
        """This look in a legend."""
        return Line2D([], [], **(self.line() if lined else self.dots()))


def assign_looks(labels: Sequence[str]) -> dict[str, Look]:
    """A look for every label, by its name.

    A label without rivals has the first choice of its name, whatever else is in the suite. Labels of one name share
    a hue, from light to dark in their order. Up to 30 labels differ in marker or dash, so that they are told apart
    without colours; up to 300 in one of the three.
    """
    families = group_families(labels)
    hues = match([family.name for family in families], len(PALETTE))
    colors: dict[str, str] = {}
    for family in families:
        shades = shade(PALETTE[hues[family.name]], len(family.members))
        colors |= {member.text: color for member, color in zip(family.members, shades, strict=True)}
    keys = {family.members[0].text: family.name for family in families}
    keys = {label: keys.get(label, label) for label in labels}
    marks = match(list(keys.values()), len(MARKERS))
    short, strokes, taken = shorten(labels), set[tuple[int, int]](), set[tuple[str, int, int]]()
    looks = {}
    for label in sorted(labels, key=lambda label: _rank(keys[label])):
        color, first = colors[label], marks[keys[label]]
        order = [(k, d) for d in range(len(DASHES)) for k in (*range(first, len(MARKERS)), *range(first))]
        # Strokes that nobody has; where all are had, one that is new in this colour; or else the first.
        marker, dash = next(
            itertools.chain(
                (stroke for stroke in order if stroke not in strokes),
                (stroke for stroke in order if (color, *stroke) not in taken),
                order,
            )
        )
        strokes.add((marker, dash))
        taken.add((color, marker, dash))
        looks[label] = Look(short[label], color, MARKERS[marker], DASHES[dash])
    return {label: looks[label] for label in labels}


def match(names: Sequence[str], slots: int) -> dict[str, int]:
    """A slot for every name, the same in whatever order and as far as can be in whatever company they come.

    Each name asks for slots in an order of its own; a slot keeps those who come first in an order of its own, as
    many as it must hold. The outcome is a stable matching, of which each name's choice is the best there is.

    Source: Gale & Shapley (1962), American Mathematical Monthly 69, 9-15.
    """
    room = -(-len(names) // slots)
    choices = {name: sorted(range(slots), key=lambda slot: _rank(name, slot)) for name in names}
    held: list[list[str]] = [[] for _ in range(slots)]
    asking = list(choices)
    while asking:
        name = asking.pop()
        slot = choices[name].pop(0)
        held[slot].append(name)
        if len(held[slot]) > room:
            last = max(held[slot], key=_prefer(slot))
            held[slot].remove(last)
            asking.append(last)
    return {name: slot for slot, kept in enumerate(held) for name in kept}


def _prefer(slot: int) -> Callable[[str], bytes]:
    return lambda name: _rank(slot, name)


def _rank(*words: object) -> bytes:
    return hashlib.sha256(" ".join(map(str, (SALT, *words))).encode()).digest()


def shade(color: str, count: int) -> list[str]:
    """Shades of a colour from light to dark, evenly spaced in OKLab; a single one is the colour itself."""
    if count == 1:
        return [color]
    _, a, b = measure_color(color)
    lightness = np.linspace(LIGHT, DARK, count)
    # The ends have less of the hue, for there are no such colours on a screen.
    strength = 1.0 - 0.55 * np.abs(np.linspace(-1.0, 1.0, count)) ** 1.5
    return [to_hex(tuple(show_color((x, a * y, b * y)).tolist())) for x, y in zip(lightness, strength, strict=True)]


def measure_color(color: str) -> FloatArray:
    """A colour in OKLab: lightness, green to red, blue to yellow."""
    rgb: FloatArray = np.array(to_rgb(color))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    found: FloatArray = TO_LAB @ np.cbrt(TO_CONES @ linear)
    return found


def show_color(lab: ArrayLike) -> FloatArray:
    """A colour of OKLab in sRGB, or what a screen has nearest in each channel."""
    linear = np.linalg.solve(TO_CONES, np.linalg.solve(TO_LAB, np.asarray(lab, dtype=float)) ** 3).clip(0.0, 1.0)
    found: FloatArray = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return found.clip(0.0, 1.0)
