"""The traces that the page redraws itself: a bounded part of them, packed small."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..grids import CLOCKS
from .findings import choose_contrast
from .labels import write_law, write_theory
from .looks import DASHES, Look
from .tables import Tables, list_rows

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
QUANTITIES = {"loss": "loss L", "grad_norm": "gradient norm ‖∇L‖"}  # by name in words; others as they are called
KNOWN = {"problem", "optimizer", "seed", "how", "loss_rtol", *CLOCKS}
SINGLE = re.compile(r".*_\d+")  # quantities of one student each: many, and traces.parquet has them
POINTS = 160  # of a trace; the checkpoints of eight decades at 20 each
FEWEST = 24  # points of a trace in a large suite, before pairs are left out
LOSSES, OTHERS = 160_000, 160_000  # numbers embedded, at about 4 bytes each
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


class Runs(NamedTuple):
    """The runs that left a trace; problems and optimizers by their place in the suite."""

    problems: IntArray
    optimizers: IntArray
    seeds: IntArray
    rows: list[IntArray]  # of the table of traces


def sort_runs(traces: pd.DataFrame, problems: Iterable[str], optimizers: Iterable[str]) -> Runs:
    """The runs of a table, in the order of the suite; without a loop over its rows, of which there may be millions."""
    keys: list[IntArray] = []
    for column, labels in (("problem", problems), ("optimizer", optimizers)):
        codes, found = pd.factorize(traces[column])
        places = {label: place for place, label in enumerate(labels)}
        keys.append(np.array([places[label] for label in found], np.int64)[codes])
    keys.append(traces["seed"].to_numpy(np.int64))
    order = np.lexsort(keys[::-1])
    problem, optimizer, seed = (key[order] for key in keys)
    new = (np.diff(problem) != 0) | (np.diff(optimizer) != 0) | (np.diff(seed) != 0)
    starts = np.flatnonzero(np.append(True, new)) if len(order) else np.arange(0)
    return Runs(problem[starts], optimizer[starts], seed[starts], np.split(order, starts[1:]))


class Bounds(NamedTuple):
    """What of a suite the page holds."""

    kept: IntArray  # runs
    points: int  # of a trace, at most
    seeds: IntArray  # those of which everything is here, and not only the loss
    told: list[str]  # what is left out, in sentences


def find_bounds(runs: Runs, quantities: Sequence[str], all_seeds: int = 0) -> Bounds:
    """As many seeds of every pair as fit into the room for losses; of these, as many as fit with all quantities.

    Args:
        all_seeds: of the suite, if `runs` has but some of them.
    """
    pairs = np.append(0, np.cumsum((np.diff(runs.problems) != 0) | (np.diff(runs.optimizers) != 0)))[: len(runs.seeds)]
    every = len(np.unique(pairs))
    shown = min(every, LOSSES // FEWEST)
    points = min(POINTS, LOSSES // max(1, shown))
    typical = sum(map(len, runs.rows)) // max(1, len(runs.rows))
    numbers = max(1, shown * min(points, typical))  # of one quantity and seed
    seeds = np.unique(runs.seeds)
    held = seeds[: max(1, LOSSES // numbers)]
    few = min(len(held), OTHERS // (numbers * max(1, len(quantities) - 1)))
    told = []
    if shown < every:
        told.append(f"{every - shown:,} pairs have no room on this page.")
    if len(held) < max(all_seeds, len(seeds)):
        told.append(f"Of {max(all_seeds, len(seeds)):,} seeds the first {len(held):,} are here.")
    if few < len(held) and len(quantities) > 1:
        told.append(f"Beside the loss, quantities are here for {f'the first {few:,}' if few else 'none'} of the seeds.")
    return Bounds(np.flatnonzero((pairs < shown) & np.isin(runs.seeds, held)), points, held[:few], told)


def gather_traces(tables: Tables) -> dict[str, Any]:
    """What the page's script draws from; plain data.

    Returns:
        problems, optimizers: looks, in order. quantities: (name, in words), the loss first.
        columns: names, of clocks and then quantities. pairs: problem and optimizer by place, laws as
        `tell_laws` says, and runs: the seed, then the place in `series` of each column, or None.
        series: as `pack` writes them. chosen: what is drawn first. told: what is left out.
    """
    quantities = list_quantities(tables.traces)
    runs = sort_runs(tables.traces, tables.problems, tables.optimizers)
    bounds = find_bounds(runs, quantities, 0 if tables.seeds is None else tables.runs["seed"].nunique())
    labels = list(tables.problems), list(tables.optimizers)
    ranking = {(row["problem"], row["optimizer"]): row for row in list_rows(tables.ranking)}
    pool = Pool()
    pairs: dict[tuple[int, int], dict[str, Any]] = {}
    for place, numbers in take_columns(tables.traces, [*CLOCKS, *quantities], runs, bounds):
        problem, optimizer, seed = (int(of[place]) for of in (runs.problems, runs.optimizers, runs.seeds))
        if (problem, optimizer) not in pairs:
            row = ranking.get((labels[0][problem], labels[1][optimizer]))
            pairs[problem, optimizer] = {"problem": problem, "optimizer": optimizer, "runs": []} | tell_laws(row)
        held = numbers if seed in bounds.seeds else numbers[: len(CLOCKS) + 1]
        pairs[problem, optimizer]["runs"].append([seed, *map(pool.put, held)])
    return {
        "problems": [describe(label, look) for label, look in tables.problems.items()],
        "optimizers": [
            describe(label, look) | {"clock": tables.clock(label)} for label, look in tables.optimizers.items()
        ],
        "quantities": [
            (name, QUANTITIES.get(name, name)) for name in (quantities if len(bounds.seeds) else quantities[:1])
        ],
        "columns": [*CLOCKS, *quantities],
        "unit": UNIT,
        "series": pool.series,
        "pairs": list(pairs.values()),
        "chosen": choose(tables),
        "told": bounds.told,
    }


def take_columns(
    traces: pd.DataFrame, names: Sequence[str], runs: Runs, bounds: Bounds
) -> Iterator[tuple[int, FloatArray]]:
    """Each run that is kept, and its columns, (names, points)."""
    rows = [runs.rows[place][thin(len(runs.rows[place]), bounds.points)] for place in bounds.kept]
    if not rows:
        return
    numbers = traces[list(names)].iloc[np.concatenate(rows)].to_numpy(float, na_value=np.nan)
    parts = np.split(numbers.T, np.cumsum([len(each) for each in rows])[:-1], axis=1)
    yield from zip(bounds.kept.tolist(), parts, strict=True)


def thin(count: int, most: int) -> IntArray:
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


def choose(tables: Tables) -> dict[str, list[int]]:
    """What is drawn first, by place: the contrast, if there is one; else all optimizers on the first problem."""
    contrast = choose_contrast(tables)
    if contrast is None:
        return {"problems": [0], "optimizers": list(range(len(tables.optimizers)))}
    problems = list(tables.problems)
    shown = [problems.index(label) for label in (contrast.exponential, *contrast.powers)]
    return {"problems": shown, "optimizers": [list(tables.optimizers).index(contrast.optimizer)]}
