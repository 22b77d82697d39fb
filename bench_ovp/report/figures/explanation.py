"""Why a pair has its law: the curve with what was fitted, local slopes, residuals, and the weight of each model."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter
from numpy.typing import NDArray

from ..chart import Chart, compact, drawing, render
from ..labels import clip, slug
from ..looks import PALETTE
from ..style import DOUBLE, INK, LAWS, QUIET, WITH_POWERS, despine, is_narrow, say_empty, set_powers, write_power

if TYPE_CHECKING:
    from ...rates.grounds import Explanation, Fit, Weighing
    from ...reasons import Reasons

POINTS = 120  # drawn of a line or of dots
ROWS = 6  # bars
BLUE, RED = PALETTE[:2]
FIT: dict[str, Any] = {"color": BLUE, "linewidth": 1.5}
RIVAL: dict[str, Any] = {"color": RED, "linewidth": 1.2, "linestyle": (0, (4, 1.6))}
THEORY: dict[str, Any] = {"color": INK, "linewidth": 0.9, "linestyle": (0, (1, 1.5))}
SHADE, GROUND, FAINT = "#eaf1f7", "#f4f4f2", "#b5b5b5"
KINDS = {"slope": "power", "rate": "exponential"}  # the law whose value is a local slope of that kind
RAISE, SMALLER = 2.6, 0.72  # points that an exponent is raised by, and its size
FloatArray = NDArray[np.float64]
CAPTION = (
    "Why this law, for one seed. Shaded is the window from which the law is read, grey what was left out. (a) The "
    "loss, with the mean of the leading fits (solid; dotted before the window) and the best "
    "fit that says something else (dashed). (b) Local slopes of the data with 95 % errors; a law is a level line, "
    "and the band is the interval of its value. (c) What the fits leave over: a fit that holds scatters about 0 "
    "within its window; a rival that leaves the panel is far off."
)
WEIGHTS = " (d) How much weight each model has, coloured by the law that it votes for."
WIDE, NARROW, ROW = 4.5, 7.7, 2.3  # inches, how high it is; without weights, three panels are a row
COLUMNS = ("panel", "series", "time", "value", "low", "high")


def thin(count: int, most: int = POINTS) -> Any:
    """At most `most` of `count` places, the first and the last among them."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(int)) if count else np.arange(0)


def tabulate(reasons: Reasons) -> pd.DataFrame:
    """All that is drawn: a row per point, with the panel and the series it belongs to."""
    parts: list[pd.DataFrame] = []

    def add(panel: str, series: str, time: Any, value: Any, low: Any = math.nan, high: Any = math.nan) -> None:
        parts.append(pd.DataFrame(dict(zip(COLUMNS, (panel, series, time, value, low, high), strict=True))))

    why = reasons.explanation
    if why is not None:
        add("loss", "read", why.time[: why.read], why.loss[: why.read])
        add("loss", "left out", why.time[why.read :], why.loss[why.read :])
        slopes = why.slopes
        low, high = slopes.value - slopes.half, slopes.value + slopes.half
        add(slopes.kind, "data", slopes.time, slopes.value, low, high)
        if weighing := why.weighing:
            for series, fit in (("fit", weighing.fit), ("rival", weighing.rival)):
                if fit is None:
                    continue
                slope = fit.slope / weighing.time if slopes.kind == "rate" else fit.slope
                with np.errstate(under="ignore", over="ignore"):
                    add("loss", series, weighing.time, np.exp(fit.log_loss))
                add(slopes.kind, series, weighing.time, slope)
                left, noise = weighing.residual(fit), 196.0 * weighing.sigma
                add("residual, %", series, weighing.time, left, left - noise, left + noise)
            for one in weighing.contenders:
                add(f"weight, for {one.law}", one.model, [one.start], [one.weight])
    return pd.concat([part for part in parts if len(part)] or [pd.DataFrame(columns=list(COLUMNS))], ignore_index=True)


def set_model(name: str) -> str:
    """A model as mathtext: `t^-p (1 + a t^-0.5)`; plain where it is written in another way."""
    if not re.fullmatch(r"[A-Za-z0-9\s^().,+*/<>=-]+", name):
        return clip(name)
    try:
        text = raise_powers(name)
    except ValueError:
        return clip(name)
    text = re.sub(r"[A-Za-z]{3,}", r"\\mathrm{\g<0>}", text)
    return f"${text}$".replace(" ", r"\ ")


def raise_powers(text: str) -> str:
    """Every `^…` as `^{…}`, what is in brackets or runs on without a space: `e^-ct^g`, `e^(a t^2)`.

    Errors:
        ValueError: nothing follows a `^`, or a bracket is not closed.
    """
    base, raised, rest = text.partition("^")
    if not raised:
        return text
    if rest.startswith("("):
        depth = np.cumsum([(letter == "(") - (letter == ")") for letter in rest])
        end = list(depth).index(0)
        inner, rest = rest[1:end], rest[end + 1 :]
    else:
        found = re.match(r"-?[A-Za-z0-9.]+(\^-?[A-Za-z0-9.]+)?(-[A-Za-z]+(\^[0-9.]+)?)?", rest)
        if not found:
            raise ValueError(text)
        inner, rest = found[0], rest[found.end() :]
    return f"{base}^{{{raise_powers(inner)}}}{raise_powers(rest)}"


def sketch(reasons: Reasons) -> bytes:
    """The figure for the page, which has the weights in a table: a small SVG, drawn fast.

    Its formulas are raised in the SVG and not by mathtext.
    """
    with drawing():
        svg = compact(render(draw_explanation(reasons, DOUBLE, clip, weights=False), "svg")).decode()
    return re.sub(r"(?<=>)[^<>]*[\w)]\^-?[\w(][^<>]*(?=</text>)", raise_letters, svg).encode()


def raise_letters(text: re.Match[str]) -> str:
    """What stands after `^` as raised and smaller letters of an SVG; as it is, where it is written in another way."""
    try:
        raised = raise_powers(text[0].replace("-", "−").replace("^−", "^-"))
    except ValueError:
        return text[0]
    told, depth = "", 0
    for piece in re.split(r"(\^\{|\})", raised.replace("-", "−")):
        if piece == "^{":
            told += f'<tspan dy="-{RAISE * SMALLER**depth:.1f}" font-size="{SMALLER ** (depth + 1) * 7:.1f}">'
            depth += 1
        elif piece == "}":
            depth -= 1
            told += f'</tspan><tspan dy="{RAISE * SMALLER**depth:.1f}">\u200b</tspan>'
        else:
            told += piece
    return told


def draw_loss(axes: Axes, why: Explanation) -> None:
    """(a): what was read and what was not, and both fits."""
    t, loss = why.time, why.loss
    shown = (loss > 0) & np.isfinite(loss)
    unread = np.flatnonzero(shown & (np.arange(t.size) >= why.read))
    read = np.flatnonzero(shown & (np.arange(t.size) < why.read))
    for places, color in ((unread, FAINT), (read, INK)):
        some = places[thin(places.size)]
        axes.plot(t[some], loss[some], "o", color=color, markersize=2.2, markeredgewidth=0, zorder=2)
    set_powers(axes, "y", most=6)
    if read.size:
        bottom, top = loss[read].min(), loss[read].max()
        room = (top / bottom) ** 0.06 * 1.3
        below = max(float(loss[unread].min()), bottom / room**4) if unread.size else bottom
        axes.set_ylim(max(min(bottom, below) / room, 1e-305), top * room)
    if why.weighing:
        with np.errstate(under="ignore", over="ignore"):
            draw_fits(axes, why.weighing, lambda fit: np.exp(fit.log_loss))
    axes.set_title("(a) loss L")


def draw_errors(axes: Axes, x: FloatArray, y: FloatArray, half: FloatArray, color: str) -> None:
    """Dots with error bars; the bars are one line with gaps, which is a tenth of the bytes of as many lines."""
    gap = np.full(x.size, math.nan)
    bars = np.column_stack([y - half, y + half, gap]).ravel()
    axes.plot(np.column_stack([x, x, gap]).ravel(), bars, color=color, linewidth=0.6, zorder=2)
    axes.plot(x, y, "o", color=color, markersize=2.4, markeredgewidth=0, zorder=2)


def draw_fits(axes: Axes, weighing: Weighing, look: Callable[[Fit], FloatArray]) -> None:
    """Both fits as lines, within the limits that the data set; dotted before their windows begin."""
    t = weighing.time
    low, high = axes.get_ylim()
    reach = (low / 100, high * 100) if axes.get_yscale() == "log" else (2 * low - high, 2 * high - low)
    for fit, style in ((weighing.rival, RIVAL), (weighing.fit, FIT)):
        if fit is None:
            continue
        y = look(fit)
        inside = (t >= 0.999 * fit.start) & (y > reach[0]) & (y < reach[1])
        if style is RIVAL:  # its window may be a few points, while how it misses the others tells
            inside = (y > reach[0]) & (y < reach[1])
        else:
            before = np.flatnonzero((t <= 1.001 * fit.start) & (y > reach[0]) & (y < reach[1]))
            some = before[thin(before.size)]
            axes.plot(t[some], y[some], **FIT | {"linestyle": ":", "linewidth": 0.9}, zorder=3)
        places = np.flatnonzero(inside)
        some = places[thin(places.size)]
        axes.plot(t[some], y[some], **style, zorder=3)
    axes.set_ylim(low, high)


def draw_slopes(axes: Axes, reasons: Reasons, why: Explanation) -> None:
    """(b): local slopes, the value with its interval, and theory."""
    slopes, rate = why.slopes, why.rate
    axes.set_title(f"(b) local {'rate −d log L / dt' if slopes.kind == 'rate' else 'slope −d log L / d log t'}")
    if not slopes.time.size:
        say_empty(axes, "too few points")
        return
    some = thin(slopes.time.size, 40)
    t, value, half = slopes.time[some], slopes.value[some], slopes.half[some]
    if math.isfinite(rate.low):
        axes.axhspan(rate.low, rate.high, color=BLUE, alpha=0.18, linewidth=0)
        axes.axhline(rate.value, color=BLUE, linewidth=0.8, zorder=1.5)
    theory = reasons.standing["theory_value"] if reasons.standing["theory_law"] == KINDS[slopes.kind] else math.nan
    if math.isfinite(theory):
        axes.axhline(theory, **THEORY, zorder=4)
    draw_errors(axes, t, value, half, INK)
    axes.set_ylim(*frame_slopes(why, theory))
    if why.weighing:
        time = why.weighing.time
        draw_fits(axes, why.weighing, lambda fit: fit.slope / time if slopes.kind == "rate" else fit.slope)
    axes.yaxis.set_major_locator(MaxNLocator(5))


def frame_slopes(why: Explanation, theory: float) -> tuple[float, float]:
    """Limits that hold the later slopes, the interval and theory: a transient may leave the panel."""
    slopes, rate = why.slopes, why.rate
    start = why.weighing.fit.start if why.weighing else 0.0
    late = slopes.value[slopes.time >= start]
    late = late if late.size >= 3 else slopes.value[-8:]
    known = [*late, rate.low, rate.high]
    if rate.law == "stalled":  # what is left of a slope is rounding
        known += [-0.1, 0.1]
    elif rate.law == "superexponential" and why.weighing:
        known += list(why.weighing.fit.slope[-1:] / why.weighing.time[-1:])
    bounds = np.array([number for number in known if math.isfinite(number)])
    low, high = float(bounds.min()), float(bounds.max())
    if math.isfinite(theory) and low - 2 * (high - low) < theory < high + 2 * (high - low):
        low, high = min(low, theory), max(high, theory)
    room = 0.25 * (high - low) + 0.01 * max(abs(low), abs(high)) + 1e-12
    return low - room, high + room


def draw_residuals(axes: Axes, weighing: Weighing | None) -> None:
    """(c): what both fits leave over, to the scale of the one that won."""
    axes.set_title("(c) left over by the fits, %")
    if weighing is None:
        say_empty(axes, "nothing was fitted:\na plain fact decided")
        return
    left, noise = weighing.residual(weighing.fit), 196.0 * weighing.sigma
    within = np.flatnonzero((weighing.time >= 0.999 * weighing.fit.start) & np.isfinite(left))
    size = float(np.max(np.abs(left[within]), initial=0.0))
    size = 1.6 * max(size, min(float(np.median(noise)), 3 * size), 1e-12)
    axes.set_ylim(-size, size)
    axes.axhline(0.0, color=INK, linewidth=0.6, zorder=1.5)
    if weighing.rival is not None:
        other = weighing.residual(weighing.rival)
        some = np.flatnonzero(np.abs(other) < 20 * size)
        some = some[thin(some.size)]
        axes.plot(weighing.time[some], other[some], **RIVAL, zorder=3)
    drawn = np.flatnonzero(np.abs(left) < 2 * size)
    some = drawn[thin(drawn.size)]
    t, y, e = weighing.time[some], left[some], noise[some]
    draw_errors(axes, t, y, e, BLUE)
    axes.yaxis.set_major_locator(MaxNLocator(5, symmetric=True))
    exponent = math.floor(math.log10(size))
    if not -3 <= exponent <= 4:  # on the axis it would lie over the title
        unit = 10.0**exponent
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value / unit:g}".replace("-", "−")))
        axes.set_title(f"(c) left over by the fits, {write_power(unit)} %", **WITH_POWERS)


def draw_weights(axes: Axes, weighing: Weighing | None, write: Callable[[str], str]) -> None:
    """(d): a bar for each model and vote."""
    axes.set_title("(d) weight of each model")
    rows = weighing.contenders[:ROWS] if weighing else ()
    if not rows:
        say_empty(axes, "no model has weight" if weighing else "no model was asked")
        axes.set_title("(d) weight of each model")
        return
    places, colors = range(len(rows)), [LAWS[one.law] for one in rows]
    axes.barh(places, 1.0, height=0.24, color=GROUND, linewidth=0)
    axes.barh(places, [one.weight for one in rows], height=0.24, color=colors, edgecolor=QUIET, linewidth=0.4)
    for place, one in enumerate(rows):
        style: dict[str, Any] = {"va": "bottom", "fontsize": 7}
        axes.text(0.0, place - 0.17, write(one.model), **style)
        number = f"{one.value:.4g}, " if math.isfinite(one.value) else ""
        axes.text(1.0, place - 0.17, f"{number}{one.weight:.1%}", ha="right", color=QUIET, **style)
    axes.set_ylim(ROWS - 0.5, -0.75)
    axes.set_xlim(0, 1)
    axes.set_yticks([])
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.grid(visible=False)
    axes.spines["left"].set_visible(False)
    axes.xaxis.set_major_formatter(PercentFormatter(1.0))


def draw_explanation(
    reasons: Reasons, width: float, write: Callable[[str], str] | None = None, *, weights: bool = True
) -> Figure:
    """The panels. They are laid out by hand: found automatically, the layout costs as much as the drawing.

    Args:
        reasons: of the pair.
        width: of the figure, in inches.
        write: how the name of a model is written; as mathtext, if None.
        weights: whether panel (d) is among them.
    """
    write = write or set_model
    narrow = is_narrow(width)
    height = (NARROW if narrow else WIDE) if weights else ROW
    figure = Figure(figsize=(width, height))
    handles = list_handles(reasons, write, weights)
    long = sum(0.5 + 0.055 * len(handle.get_label()) for handle in handles) > width  # inches of a legend in one row
    columns = 2 if narrow else 4 if weights or long else 6
    foot = 0.42 + 0.15 * -(-len(handles) // columns)
    figure.subplots_adjust(
        left=0.5 / width, right=1 - 0.2 / width, bottom=foot / height, top=1 - 0.22 / height,
        hspace=0.42 if narrow else 0.36, wspace=0.2 if weights else 0.28,
    )  # fmt: skip
    a, b, c, *d = figure.subplots(*((4, 1) if narrow else (2, 2)) if weights else (1, 3)).ravel()
    despine(figure)
    why = reasons.explanation
    if why is None or not why.time.size:
        for axes in (a, b, c, *d):
            say_empty(axes, "no trace was recorded" if axes is a else "")
        return figure
    linear = why.slopes.kind == "rate" and why.rate.law != "diverged"
    weighing = why.weighing
    draw_loss(a, why)
    draw_slopes(b, reasons, why)
    draw_residuals(c, weighing)
    for axes in d:
        draw_weights(axes, weighing, write)
    start = weighing.fit.start if weighing else math.nan
    end = float(why.time[why.read - 1]) if why.read else math.nan
    for axes in (a, b, c):
        if not axes.axison:
            continue
        if not linear:
            set_powers(axes, "x", most=6, plain=True)
        else:
            axes.xaxis.set_major_locator(MaxNLocator(6))
        if math.isfinite(start + end):
            axes.axvspan(start, end, color=SHADE, linewidth=0, zorder=0)
        axes.set_xlim(*frame_time(why, linear))
        axes.set_xlabel("time t", labelpad=1)
    figure.legend(handles=handles, loc="lower center", ncols=columns, bbox_to_anchor=(0.5, 0.0), borderaxespad=0.2)
    return figure


def frame_time(why: Explanation, linear: bool) -> tuple[float, float]:
    """Limits of the time: all of it, but a tail that was not read does not squeeze what was."""
    last = why.time[-1]
    if linear:
        end = min(last, 1.25 * why.time[max(0, why.read - 1)]) if why.read else last
        return -0.02 * end, 1.03 * end
    return why.time[0] / 1.3, last * 1.3


def list_handles(reasons: Reasons, write: Callable[[str], str], weights: bool) -> list[Any]:
    """The legend: what is drawn, in the words of this pair."""
    why = reasons.explanation
    if why is None:
        return []
    handles: list[Any] = [Line2D([], [], color=INK, marker="o", markersize=3, linestyle="", label="data")]
    if why.read < why.time.size:
        handles.append(Line2D([], [], color=FAINT, marker="o", markersize=3, linestyle="", label="left out"))
    if weighing := why.weighing:
        fit = weighing.fit
        label = f"best fit: {write(fit.name)}" if fit.law == "undecided" else f"fits for {fit.law}"
        handles.append(Line2D([], [], **FIT, label=label))
        if rival := weighing.rival:
            handles.append(Line2D([], [], **RIVAL, label=f"rival: {write(rival.name)}"))
        handles.append(Patch(color=SHADE, label="window"))
        for law in dict.fromkeys(one.law for one in weighing.contenders[: ROWS * weights]):
            label = f"votes for {'none' if law == 'undecided' else law}"
            handles.append(Patch(facecolor=LAWS[law], edgecolor=QUIET, linewidth=0.4, label=label))
    law = reasons.standing["theory_law"]
    if law == KINDS[why.slopes.kind] and math.isfinite(reasons.standing["theory_value"]):
        handles.append(Line2D([], [], **THEORY, label="theory"))
    return handles


def describe_chart(reasons: Reasons, *, weights: bool = True) -> tuple[str, str]:
    """The title of a pair's chart, and what is seen in it, with or without panel (d)."""
    pair, law = f"{reasons.problem} x {reasons.optimizer}", reasons.rate.law
    parts = "Loss, local slopes, residuals and weights" if weights else "Loss, local slopes and residuals"
    return f"Why {law}: {pair}, seed {reasons.seed}", f"{parts} of the models behind the verdict {law} on {pair}."


def chart_explanation(reasons: Reasons) -> Chart:
    """The chart of one pair; its name is fit for a file."""
    title, alt = describe_chart(reasons)
    caption = CAPTION + WEIGHTS
    return Chart(slug_pair(reasons), title, caption, alt, tabulate(reasons), partial(draw_explanation, reasons))


def slug_pair(reasons: Reasons) -> str:
    """A file name that no other pair or seed has: what is readable of the labels, and a digest of them."""
    exact = "\0".join((reasons.problem, reasons.optimizer))
    digest = hashlib.sha256(exact.encode()).hexdigest()[:6]
    return f"{slug(reasons.problem)}-{slug(reasons.optimizer)}-seed{reasons.seed}-{digest}"
