"""Runs that were recorded at the same readings of their clocks, side by side: read at once, not one by one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from .problems import Array

CLOCKS = ("time", "iteration", "evaluations")


class Grid(NamedTuple):
    """Runs that share their readings.

    Args:
        places: of the runs among those that were given, ascending.
        clocks: the readings of those of CLOCKS that were recorded, of shape (records,).
        loss: of shape (runs, records).
    """

    places: list[int]
    clocks: dict[str, Array]
    loss: Array


def list_grids(rows: Sequence[Mapping[str, Array]]) -> list[Grid]:
    """The grids of runs, in the order of their first runs; one that recorded nothing is in none.

    Args:
        rows: the columns of each run.
    """
    groups: dict[tuple[tuple[str, bytes], ...], list[int]] = {}
    for place, columns in enumerate(rows):
        if columns:
            shown = tuple((clock, columns[clock].tobytes()) for clock in CLOCKS if clock in columns)
            groups.setdefault(shown, []).append(place)
    return [
        Grid(
            places,
            {clock: rows[places[0]][clock] for clock, _ in shown},
            np.array([rows[place]["loss"] for place in places]),
        )
        for shown, places in groups.items()
    ]
