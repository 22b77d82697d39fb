"""The traces that the page redraws itself: a bounded part of them, packed small."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .findings import choose_contrast
from .labels import write_law, write_theory
from .style import DASHES, Look
from .tables import Tables, list_rows

FloatArray = NDArray[np.float64]
CLOCKS = ("time", "iteration", "evaluations")
QUANTITIES = {"loss": "loss L", "grad_norm": "gradient norm ‖∇L‖"}  # by name in words; others as they are called
KNOWN = {"problem", "optimizer", "seed", "how", "loss_rtol", *CLOCKS}
SINGLE = re.compile(r".*_\d+")  # quantities of one student each: many, and traces.parquet has them
POINTS = 160  # of a trace; the checkpoints of eight decades at 20 each
FEWEST = 24  # points of a trace in a large suite, before pairs are left out
LOSSES, OTHERS = 160_000, 240_000  # numbers embedded, at about 4 bytes each
UNIT = 1e-5  # of a decimal logarithm: five digits


def pack(values: FloatArray) -> dict[str, list[Any]]:
    """Numbers to five digits in few bytes: a smooth curve has small second differences.

    Args:
        values: (points,).
    Returns:
        `log`: the second differences of rint(log₁₀(values)/UNIT), after two zeros, if all are positive;
        they are integers, so that sums give them back exactly. `raw` otherwise: five digits, None for
        what is not finite.
    """
    if np.isfinite(values).all() and (values > 0).all():
        logs = np.rint(np.log10(values) / UNIT).astype(np.int64)
        return {"log": np.diff(logs, n=2, prepend=[0, 0]).tolist()}
    return {"raw": [float(f"{value:.5g}") if np.isfinite(value) else None for value in values]}


class Pool:
    """Packed series, each of them once: most seeds share their clocks."""

    def __init__(self) -> None:
        self.series: list[dict[str, list[Any]]] = []
        self._places: dict[bytes, int] = {}

    def put(self, values: FloatArray) -> int | None:
        """The place of a series; None for one without a finite value."""
        if not np.isfinite(values).any():
            return None
        key = values.tobytes()
        if key not in self._places:
            self._places[key] = len(self.series)
            self.series.append(pack(values))
        return self._places[key]


class Bounds(NamedTuple):
    """What of a suite the page holds: pairs and seeds in their order, from the first on."""

    pairs: list[tuple[str, str]]
    points: int  # of a trace, at most
    seeds: FloatArray  # those whose loss is here
    few: int  # of them, those of which everything is
    told: list[str]  # what is left out, in sentences


def find_bounds(traces: pd.DataFrame, quantities: Sequence[str]) -> Bounds:
    """As many seeds of every pair as fit into the room for losses; of these, as many as fit with all quantities."""
    runs = traces[["problem", "optimizer", "seed"]].drop_duplicates()
    every = list(runs[["problem", "optimizer"]].drop_duplicates().itertuples(index=False, name=None))
    pairs = every[: LOSSES // FEWEST]
    points = min(POINTS, LOSSES // max(1, len(pairs)))
    numbers = max(1, len(pairs) * min(points, len(traces) // max(1, len(runs))))  # of one quantity and seed
    seeds = np.unique(runs["seed"])
    kept = seeds[: max(1, LOSSES // numbers)]
    few = min(len(kept), OTHERS // (numbers * max(1, len(quantities) - 1)))
    told = []
    if len(pairs) < len(every):
        told.append(f"{len(every) - len(pairs):,} pairs have no room on this page.")
    if len(kept) < len(seeds):
        told.append(f"Of {len(seeds):,} seeds the first {len(kept):,} are here.")
    if few < len(kept) and len(quantities) > 1:
        told.append(f"Beside the loss, quantities are here for {f'the first {few:,}' if few else 'none'} of the seeds.")
    return Bounds(pairs, points, kept, few, told)


def gather_traces(tables: Tables) -> dict[str, Any]:
    """What the page's script draws from; plain data.

    Returns:
        problems, optimizers: looks, in order. quantities: (name, in words), the loss first.
        columns: names, of clocks and then quantities. pairs: problem and optimizer by place, laws as
        `tell_laws` says, and runs: the seed, then the place in `series` of each column, or None.
        series: as `pack` writes them. chosen: what is drawn first. told: what is left out.
    """
    quantities = list_quantities(tables.traces)
    bounds = find_bounds(tables.traces, quantities)
    traces = tables.traces[tables.traces["seed"].isin(bounds.seeds)]
    groups = dict(list(traces.groupby(["problem", "optimizer"], sort=False)))
    ranking = {(row["problem"], row["optimizer"]): row for row in list_rows(tables.ranking)}
    places = [{label: place for place, label in enumerate(looks)} for looks in (tables.problems, tables.optimizers)]
    pool = Pool()
    pairs = []
    for problem, optimizer in bounds.pairs:
        runs = []
        for _, run in groups.get((problem, optimizer), traces.iloc[:0]).groupby("seed"):
            seed = int(run["seed"].iloc[0])
            names = [*CLOCKS, *(quantities if seed in bounds.seeds[: bounds.few] else quantities[:1])]
            kept = run.iloc[thin(len(run), bounds.points)]
            runs.append([seed, *(pool.put(kept[name].to_numpy(float, na_value=np.nan)) for name in names)])
        pair = {"problem": places[0][problem], "optimizer": places[1][optimizer], "runs": runs}
        pairs.append(pair | tell_laws(ranking.get((problem, optimizer))))
    return {
        "problems": [describe(label, look) for label, look in tables.problems.items()],
        "optimizers": [
            describe(label, look) | {"clock": tables.clock(label)} for label, look in tables.optimizers.items()
        ],
        "quantities": [(name, QUANTITIES.get(name, name)) for name in (quantities if bounds.few else quantities[:1])],
        "columns": [*CLOCKS, *quantities],
        "unit": UNIT,
        "series": pool.series,
        "pairs": pairs,
        "chosen": choose(tables, places),
        "told": bounds.told,
    }


def thin(count: int, most: int) -> NDArray[np.int64]:
    """At most `most` of `count` places, evenly, the first and the last among them."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(np.int64))


def list_quantities(traces: pd.DataFrame) -> list[str]:
    """The columns that can be drawn over a clock: the loss, then what else was recorded of the whole network."""
    names = [name for name in map(str, traces.columns) if name not in KNOWN and "." not in name]
    names = [name for name in names if not SINGLE.fullmatch(name) and pd.api.types.is_numeric_dtype(traces[name])]
    return ["loss", *(name for name in names if name != "loss" and traces[name].notna().any())]


def describe(label: str, look: Look) -> dict[str, Any]:
    """A look, as a script needs it."""
    dash = DASHES.index(look.dash)
    return {"label": label, "short": look.short, "color": look.color, "marker": look.marker, "dash": dash}


def tell_laws(row: dict[str, Any] | None) -> dict[str, Any]:
    """From the ranking, `law` and `theory` in words; and `guide`, theory's law and value, where it has one."""
    told: dict[str, Any] = {"law": "", "theory": ""}
    if row is None:
        return told
    if row["law"]:
        told["law"] = write_law(row["law"], row["value"], row["low"], row["high"])
    if row["theory_law"]:
        told["theory"] = write_theory(row["theory_law"], row["theory_value"])
    if row["theory_law"] in ("power", "exponential") and np.isfinite(row["theory_value"]):
        told["guide"] = [row["theory_law"], row["theory_value"]]
    return told


def choose(tables: Tables, places: Sequence[dict[str, int]]) -> dict[str, list[int]]:
    """What is drawn first: the contrast, if there is one; else all optimizers on the first problem."""
    contrast = choose_contrast(tables)
    if contrast:
        problems = [places[0][label] for label in (contrast.exponential, *contrast.powers)]
        return {"problems": problems, "optimizers": [places[1][contrast.optimizer]]}
    return {"problems": [0], "optimizers": list(range(len(tables.optimizers)))}
