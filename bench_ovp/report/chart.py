"""A chart: what it shows, how to read it, the numbers behind it, and how to draw it."""

import html
import io
import os
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure

from .style import COLUMN, DOUBLE, RC

if TYPE_CHECKING:
    from .tables import Tables

SCREEN, PRINT = 220, 600  # dots per inch of a .png on the page, and in a journal
FORMATS = (".svg", ".png", ".csv")
T = TypeVar("T")
LETTER = re.compile(r'<tspan x="([^" ]*)"( y="[^"]*" style="[^"]*")>([^<]*)</tspan>\n?')


class Chart(NamedTuple):
    """One figure of the report, not drawn yet."""

    name: str  # of its files
    title: str
    caption: str  # says how to read it
    alt: str  # says what is seen, to those who cannot
    data: pd.DataFrame
    draw: Callable[[float], Figure]  # of the width that it must fit, in inches


class Kind(NamedTuple):
    """A kind of figure that a report may have."""

    name: str  # as `--figures` takes it; of its files, too, where there is one of them
    title: str  # the question that it answers
    caption: str
    needs: str  # without which a suite has none
    list_charts: Callable[["Tables"], list[Chart]]  # empty where there is nothing to show


def split_evenly(items: Sequence[T], most: int) -> list[list[T]]:
    """Items in as few parts as hold no more than `most` each, of about one size."""
    count = -(-len(items) // most)
    edges = [round(place * len(items) / count) for place in range(count + 1)] if count else [0]
    return [list(items[first:last]) for first, last in pairwise(edges)]


def tell_more(things: Sized, most: int, name: str) -> str:
    """What a caption adds where not all are drawn."""
    return f" Drawn are the first {most} of {len(things)} {name}." if len(things) > most else ""


def name_part(kind: Kind, place: int, count: int) -> tuple[str, str]:
    """Name and title of one of `count` figures of a kind, `place` from 1: the first has the name of the kind."""
    name = kind.name if place == 1 else f"{kind.name}-{place}"
    title = kind.title.rstrip("?")
    return name, kind.title if count == 1 else f"{title} ({place} of {count}){kind.title[len(title) :]}"


def chart_parts(
    kind: Kind,
    data: pd.DataFrame,
    column: str,
    labels: Iterable[str],
    most: int,
    draw: Callable[[pd.DataFrame, float], Figure],
    describe: Callable[[pd.DataFrame], str],
    more: str = "",
) -> list[Chart]:
    """A chart of a kind with a panel for each label, several where these are many, none without data.

    Args:
        data: of all of them.
        column: of `data`, that has the labels.
        labels: in their order; those that `data` lacks are left out.
        most: labels of one chart.
        draw: a part of the data, at a width in inches.
        describe: what is to be seen of a part, for those who cannot see it.
        more: what the caption adds.
    """
    there = set(data[column])
    parts = split_evenly([label for label in labels if label in there], most)
    charts = []
    for place, group in enumerate(parts, start=1):
        part = data[data[column].isin(group)]
        name, title = name_part(kind, place, len(parts))
        charts.append(Chart(name, title, kind.caption + more, describe(part), part, partial(draw, part)))
    return charts


def render(figure: Figure, kind: str, dpi: float = SCREEN) -> bytes:
    """A figure as SVG, PNG or PDF, without a date: equal figures, equal bytes."""
    if engine := figure.get_layout_engine():
        engine.execute(figure)  # or `savefig` would draw once more for it
    buffer = io.BytesIO()
    if kind == "png":
        fast = {"compress_level": 1}  # of lines on white: as small as by the default, in two thirds of the time
        figure.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None}, pil_kwargs=fast)
        return buffer.getvalue()
    if kind == "pdf":
        figure.savefig(buffer, format="pdf", metadata={"CreationDate": None, "Creator": None, "Producer": None})
        return buffer.getvalue()
    text = io.StringIO()  # of its many small pieces, each would be encoded by itself
    figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    # Coordinates to 0.01 point halve the size.
    return re.sub(r'(?<= d=")[^"]+', shorten_path, text.getvalue()).encode()


def compact(svg: bytes) -> bytes:
    """An SVG in half the bytes, without what only editors need; to be embedded as an image of its own."""
    text = re.sub(r"<!--.*?-->|<metadata>.*?</metadata>", "", svg.decode(), flags=re.DOTALL)
    text = re.sub(r'<g id="[^"]*">', "<g>", text)
    text = re.sub(r' transform="rotate\(-?0 [^"]*"', "", re.sub(r"\s*\n\s*", "\n", text))
    text = re.sub(r'(?<= [xy]=")(-?\d+\.\d\d)\d+', r"\1", text)
    text = re.sub(f"(?:{LETTER.pattern})+", join_letters, text)
    names = {name: f"i{place}" for place, name in enumerate(dict.fromkeys(re.findall(r' id="([^"]+)"', text)))}
    # A label may hold what looks like a reference, too.
    text = re.sub(r'(?<= id=")[^"]+|(?<=url\(#)[^)]+|(?<=href="#)[^"]+', lambda at: names.get(at[0], at[0]), text)
    styles = {style: f"c{place}" for place, style in enumerate(dict.fromkeys(re.findall(r' style="([^"]*)"', text)))}
    text = re.sub(r' style="([^"]*)"', lambda found: f' class="{styles[found[1]]}"', text)
    rules = "".join(f".{name}{{{style}}}" for style, name in styles.items())
    return text.replace("</style>", f"{rules}</style>", 1).encode()


def join_letters(run: re.Match[str]) -> str:
    """Letters of a formula that share a line and a style as one element with a list of places."""
    joined: list[list[str]] = []
    for place, style, letter in LETTER.findall(run[0]):
        single = len(html.unescape(letter)) == 1 and not letter.isspace()
        if joined and single and joined[-1][1] == style:
            joined[-1][0] += f" {place}"
            joined[-1][2] += letter
        else:
            joined.append([place, style, letter])
    return "".join(f'<tspan x="{places}"{style}>{letters}</tspan>' for places, style, letters in joined)


def shorten_path(path: re.Match[str]) -> str:
    """The data of an SVG path with two decimals, on one line."""
    return re.sub(r"(\.\d\d)\d+", r"\1", path[0]).replace("\n", "")


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        partial.write_bytes(content)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def save_chart(chart: Chart, folder: Path) -> tuple[bytes, bytes]:
    """Write a chart as .svg, .png and .csv; return it as compact SVG at double and at single column width."""
    with drawing():
        wide = chart.draw(DOUBLE)
        svg, png = render(wide, "svg"), render(wide, "png")
        narrow = render(chart.draw(COLUMN), "svg")
    write_atomically(folder / f"{chart.name}.svg", svg)
    write_atomically(folder / f"{chart.name}.png", png)
    write_atomically(folder / f"{chart.name}.csv", chart.data.to_csv(index=False).encode())
    return compact(svg), compact(narrow)


def save_figure(chart: Chart, paths: Sequence[Path], width: float = DOUBLE) -> None:
    """Write a chart as files to be placed in somebody's paper, each in the format that its name ends in.

    A PDF has its fonts embedded. An SVG cannot have them in a form that other programs read, so its letters are
    outlines: it looks the same everywhere, as the SVG of the page, whose text is text, does not.

    Args:
        chart: to draw.
        paths: of the files.
        width: in inches.
    """
    with drawing(outlined=True):
        figure = chart.draw(width)
        images = [render(figure, path.suffix[1:], PRINT) for path in paths]
    for path, image in zip(paths, images, strict=True):
        write_atomically(path, image)


@contextmanager
def drawing(*, outlined: bool = False) -> Iterator[None]:
    """Draw in the look of the report, the letters of an SVG as outlines if wanted."""
    look = RC | ({"svg.fonttype": "path"} if outlined else {})
    with mpl.rc_context(cast(Any, look)), warnings.catch_warnings():
        # A label may be in any script; a font that lacks it is no reason to lose the figure.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield
