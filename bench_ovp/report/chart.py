"""A chart: what it shows, how to read it, the numbers behind it, and how to draw it."""

import io
import os
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, cast

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure

from .style import RC

PNG_DPI = 220
FORMATS = (".svg", ".png", ".csv")


class Chart(NamedTuple):
    """One figure of the report, not drawn yet."""

    name: str  # of its files
    title: str
    caption: str  # says how to read it
    alt: str  # says what is seen, to those who cannot
    data: pd.DataFrame
    draw: Callable[[bool], Figure]  # of whether it must fit one journal column


def render(figure: Figure, kind: str) -> bytes:
    """A figure as SVG or PNG, without a date: equal figures, equal bytes."""
    if engine := figure.get_layout_engine():
        engine.execute(figure)
        figure.set_layout_engine(None)  # or every `savefig` would draw once more, to lay out anew
    buffer = io.BytesIO()
    if kind == "png":
        figure.savefig(buffer, format="png", dpi=PNG_DPI, metadata={"Software": None})
        return buffer.getvalue()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    # Coordinates to 0.01 point halve the size.
    return re.sub(r'(?<= d=")[^"]+', shorten_path, buffer.getvalue().decode()).encode()


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
    """Write a chart as .svg, .png and .csv; return it as SVG at double and at single column width."""
    with mpl.rc_context(cast(Any, RC)), warnings.catch_warnings():
        # A label may be in any script; a font that lacks it is no reason to lose the figure.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        wide = chart.draw(False)
        svg, png = render(wide, "svg"), render(wide, "png")
        narrow = render(chart.draw(True), "svg")
    write_atomically(folder / f"{chart.name}.svg", svg)
    write_atomically(folder / f"{chart.name}.png", png)
    write_atomically(folder / f"{chart.name}.csv", chart.data.to_csv(index=False).encode())
    return svg, narrow
