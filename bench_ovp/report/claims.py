"""The claims as the page tells them: each with its verdicts in short, and every setting below it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..claims import FAILS, HOLDS, OUTSIDE, UNDECIDED, VERDICTS
from ..claims.verdicts import Row

COLORS = {HOLDS: "#009E73", FAILS: "#D55E00", OUTSIDE: "#bdbdbd", UNDECIDED: "#f0f0f0"}
MOST_SETTINGS = 40  # rows of one claim on the page; claims.csv has all


def list_claims(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """One entry for each claim, in the order of the rows, with its settings."""
    grouped: dict[str, list[Row]] = {}
    for row in rows:
        grouped.setdefault(row["claim"], []).append(row)
    return [_describe(own) for own in grouped.values()]


def _describe(rows: Sequence[Row]) -> dict[str, Any]:
    first = rows[0]
    counts = Counter(row["verdict"] for row in rows)
    empty = sum(row["informative"] is False and row["verdict"] == HOLDS for row in rows)
    values = [row["value"] for row in rows if row["verdict"] in (HOLDS, FAILS) and np.isfinite(row["value"])]
    bounds = {row["bound"] for row in rows if np.isfinite(row["bound"])}
    return {
        "name": first["claim"],
        "source": first["source"],
        "statement": first["statement"],
        "assumptions": first["assumptions"] or "",
        "sharper": first["twin"],
        "verdicts": [(verdict, counts[verdict], COLORS[verdict]) for verdict in VERDICTS if counts[verdict]],
        "measured": _write_range(values),
        "bound": _write_range(sorted(bounds)),
        "empty": empty,
        "settings": [row | {"color": COLORS[row["verdict"]]} for row in rows[:MOST_SETTINGS]],
        "more": max(0, len(rows) - MOST_SETTINGS),
    }


def write_value(value: float) -> str:
    """Three digits; a dash where there is no number."""
    return f"{value:.3g}" if np.isfinite(value) else "–"


def _write_range(values: Sequence[float]) -> str:
    if not values:
        return "–"
    low, high = write_value(min(values)), write_value(max(values))
    return low if low == high else f"{low} to {high}"
