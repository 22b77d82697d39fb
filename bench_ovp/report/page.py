"""The page: one self-contained HTML file, from tables, findings and drawn charts."""

from __future__ import annotations

import base64
import hashlib
import re
import shlex
import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from ..claims.verdicts import Row
from ..ranking import write_places
from .artists import draw_all, plan_sketches
from .chart import Chart
from .claims import list_claims, write_value
from .explorer import gather_traces
from .figures.explanation import CAPTION, describe_chart
from .findings import write_findings
from .labels import count_decimals, write_law, write_number, write_theory
from .style import LAWS
from .tables import FAILURES, TARGET, Tables, list_rows
from .why import HEADINGS, list_contenders, write_reasons, write_short

if TYPE_CHECKING:
    from ..reasons import Reasons

PROVENANCE = [*("suite_file", "started", "finished", "versions", "machine", "git", "missing")]
PROVENANCE += ["sources", "plugins", "problems", "optimizers"]
ROOM = 6_000_000  # bytes of SVG; beyond it a figure is beside the page only
MOST_ROWS = 2_000  # of a table on the page, about 1 MB; the .csv files have all
CLOSE = 1e-3  # norms below it are told of
Embedded = tuple[Chart, bytes | None, bytes | None]
Drawn = list[tuple[Chart, bytes, bytes]]  # each with its compact SVG at double and at single column width


def embed(svg: bytes) -> str:
    """An image as a data URI: as an image it runs no script and shares no ids with the page."""
    return f"data:image/svg+xml;base64,{base64.b64encode(svg).decode()}"


def pack(svg: bytes) -> str:
    """An image in a quarter of the bytes, for the page's script to unpack."""
    return base64.b64encode(zlib.compress(svg, 9)).decode()


def set_powers(text: str) -> Markup:
    """Escaped text with its exponents raised: `t^−3.00`, `t^p`, `L^(1/3)`, and `10^6` in a number."""
    raised = re.sub(r"\^(?:\((−?[\d/]+)\)|(−?(?:\d+(?:\.\d+)?|p\b)))", r"<sup>\1\2</sup>", str(escape(text)))
    return Markup(raised)  # noqa: S704  escaped above


def write_count(value: float) -> str:
    """A count with thin spaces between thousands; `never` if infinite, a dash if unknown."""
    if np.isinf(value):
        return "never"
    return "–" if np.isnan(value) else f"{value:,.0f}".replace(",", "\u2009")


def list_ranking(tables: Tables) -> list[dict[str, Any]]:
    """The ranking as the page's table shows it: for each cell what is read, and what it is sorted by."""
    order = list(LAWS)
    frame = tables.ranking.assign(
        place=tables.ranking["problem"].map({label: place for place, label in enumerate(tables.problems)})
    ).sort_values(["place", "rank"], kind="stable")
    places = [text for _, ranks in frame.groupby("place")["rank"] for text in write_places(ranks)]
    rows = []
    for row, place in zip(list_rows(frame), places, strict=True):
        law, value = row["law"], row["value"]
        decimals = count_decimals(value, row["low"], row["high"]) if np.isfinite(value) else 2
        theory = write_theory(row["theory_law"], row["theory_value"]) if row["theory_law"] else ""
        rows.append(
            {
                "problem": row["problem"],
                "optimizer": row["optimizer"],
                "rank": row["rank"],
                "rank_text": place,
                "decided_by": row["decided_by"],
                "law": law if law in LAWS else "undecided",
                "formula": write_law(law, value, row["low"], row["high"]),
                "law_order": (order.index(law) if law in order else 9) * 1e6 - np.nan_to_num(value),
                "interval": [write_number(row[name], decimals) for name in ("low", "high")],
                "low": row["low"],
                "constant": write_constant(row["constant"]),
                "constant_value": row["constant"],
                "share": row["share"],
                "seeds": row["seeds"],
                "theory": theory,
                "theory_source": row["theory_source"],
                "agrees": row["agrees"],
                "evaluations": [row[name] for name in tables.targets],
            }
        )
    return rows


def write_constant(value: float) -> str:
    """Three digits of a constant."""
    return write_short(value) if np.isfinite(value) else "–"


def list_failures(tables: Tables) -> list[dict[str, Any]]:
    """Runs that did not end well: one row for each pair, status and reason, with their seeds."""
    runs = tables.runs[tables.runs["status"].isin(FAILURES)]
    rows = []
    for (problem, optimizer, status, reason), own in runs.groupby(
        ["problem", "optimizer", "status", "reason"], sort=False
    ):
        seeds = ", ".join(f"{seed:.0f}" for seed in own["seed"])
        rows.append({"problem": problem, "optimizer": optimizer, "status": status, "reason": reason, "seeds": seeds})
    return rows


def list_limits(tables: Tables) -> list[str]:
    """What bounds the precision of this suite, as far as its tables tell."""
    told = []
    losses = tables.runs["final_loss"][tables.runs["final_loss"] > 0]
    floors = int((tables.runs["status"] == "floor").sum())
    if floors:
        told.append(
            f"{floors} of {len(tables.runs)} runs ended at the rounding floor of double precision; laws are "
            "fitted above it."
        )
    if len(losses):
        told.append(f"The smallest loss at the end of a run is {write_number(float(losses.min()), 2)}.")
    if "norm_min" in tables.traces:
        norms = pd.to_numeric(tables.traces["norm_min"], errors="coerce")
        close = tables.traces[norms < CLOSE].drop_duplicates(["problem", "optimizer", "seed"])
        if len(close):
            told.append(
                f"In {len(close)} runs norm_min came below {write_number(CLOSE, 3)}, down to "
                f"{write_short(float(norms.min()))}. So close to a kink the dynamics amplify rounding: "
                "such a run is right, but its last digits differ from machine to machine."
            )
    return told


def list_reasons(reasons: Sequence[Reasons], sketches: Sequence[bytes | None], suite: str) -> list[dict[str, Any]]:
    """Why each pair has its law: sentences, evidence, and the figure or, for many pairs, the command that draws it."""
    rows = []
    for place, (pair, svg) in enumerate(zip(reasons, sketches, strict=True), start=1):
        chart = describe_chart(pair, weights=False)
        told = "bench-ovp", "explain", f"results/{suite}", pair.problem, pair.optimizer
        rows.append(
            {
                "anchor": f"why-{place}",
                "problem": pair.problem,
                "optimizer": pair.optimizer,
                "law": pair.standing["law"],
                "sentences": write_reasons(pair),
                "contenders": list_contenders(pair),
                "title": chart[0],
                "alt": chart[1],
                "svg": svg,
                "command": shlex.join(told),
            }
        )
    return rows


def show(value: Any) -> str:
    """A value of the provenance, flat."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {show(item)}" for key, item in value.items() if item not in ("", None))
    if isinstance(value, list | tuple):
        return "; ".join(map(show, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "unknown" if value is None else str(value)


def render_page(
    tables: Tables,
    drawn: Drawn,
    reasons: Sequence[Reasons] = (),
    claims: Sequence[Row] = (),
    beside: Drawn = [],  # noqa: B006  never changed
    sketches: Sequence[bytes] | None = None,
) -> str:
    """The whole page.

    Args:
        tables: that it is made of.
        drawn: charts with their pictures.
        reasons: why each pair has its law.
        claims, beside: verdicts, and charts of claims.
        sketches: the figures of the reasons, or none; they are drawn here, if None.
    """
    if sketches is None:
        sketches = draw_all(plan_sketches(reasons))
    environment = Environment(
        loader=PackageLoader("bench_ovp.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters |= {
        "powers": set_powers,
        "count": write_count,
        "embed": embed,
        "pack": pack,
        "show": show,
        "value": write_value,
    }
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":"), "allow_nan": False}
    traces = gather_traces(tables)
    script = Markup(environment.get_template("script.js.j2").render(traces=traces))  # noqa: S704  JSON is escaped there
    room = ROOM
    charts: list[Embedded] = []
    for chart, wide, narrow in (*drawn, *beside):
        room -= len(wide)
        charts.append((chart, wide, narrow) if room > 0 else (chart, None, None))
    provenance = dict.fromkeys(PROVENANCE, "") | {"suite": "suite"} | tables.provenance
    why = list_reasons(reasons, sketches or [None] * len(reasons), provenance["suite"])
    ranking, failures = list_ranking(tables), list_failures(tables)
    return environment.get_template("report.html.j2").render(
        script=script,
        digest=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        traces=traces,
        tables=tables,
        provenance=provenance,
        findings=write_findings(tables),
        charts=charts[: len(drawn)],
        claims=list_claims(claims),
        beside=charts[len(drawn) :],
        ranking=ranking[:MOST_ROWS],
        unranked=max(0, len(ranking) - MOST_ROWS),
        sources=[source for source in tables.ranking["theory_source"].unique() if source],
        targets=[name.removeprefix(TARGET) for name in tables.targets],
        failures=failures[:MOST_ROWS],
        unlisted=max(0, len(failures) - MOST_ROWS),
        most_rows=MOST_ROWS,
        limits=list_limits(tables),
        laws=LAWS,
        why=why,
        unexplained=max(0, len(tables.ranking) - len(why)),  # a large suite hands over the first pairs only
        anchors={(pair["problem"], pair["optimizer"]): pair["anchor"] for pair in why},
        evidence=HEADINGS,
        reading=CAPTION,
    )
