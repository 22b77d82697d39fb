"""The runs of a pair as contests read them: their laws and courses on each clock, and what each target cost them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property

import numpy as np

from .clocks import read_clock
from .comparison import Course
from .grids import Grid, list_grids
from .problems import Array
from .ranking import TARGETS, Fitted, Standing, evaluations_to, find_targets, summarise
from .rates import Rate
from .trace import Run

SMALLEST = 1e-300  # a loss of 0 counts as this where its logarithm is asked for


def choose_effort(clock: str) -> str:
    """The column that efforts are read from on a clock: iterations on that clock, evaluations on the others."""
    return "iteration" if clock == "iteration" else "evaluations"


class Reader:
    """Reads the runs of a pair, those with the same readings of their clocks at once.

    Args:
        runs: of the pair.
        rates: their laws in time.
        rtol: a relative error that every loss may have, as for `fit_rate`.
    """

    def __init__(self, runs: Sequence[Run], rates: Sequence[Rate], rtol: float = 0.0) -> None:
        self._runs = runs
        self._rates = rates
        self._rtol = rtol
        self._efforts: dict[str, tuple[Array, Array]] = {}

    @cached_property
    def _grids(self) -> list[Grid]:
        return list_grids([run.rows for run in self._runs])

    @cached_property
    def evaluations(self) -> list[tuple[float, ...]]:
        """Of each run, to each of TARGETS; inf where it does not get there."""
        found = np.full((len(self._runs), len(TARGETS)), math.inf)
        for grid in self._grids:
            found[grid.places] = evaluations_to(grid.loss, grid.clocks["evaluations"])
        return [tuple(row) for row in found.tolist()]

    def read_laws(self, clock: str) -> list[Rate]:
        """The law of each run on a clock that they have."""
        return read_clock(self._runs, self._rates, clock, self._rtol, self._grids)

    def summarise(self, laws: Sequence[Rate]) -> Standing:
        """What the runs come to, by their laws on a clock."""
        runs = zip(self._runs, laws, self.evaluations, strict=True)
        return summarise([Fitted(run.status, law, reached) for run, law, reached in runs])

    def read_courses(self, laws: Sequence[Rate], clock: str) -> tuple[Course, ...]:
        """Each run as comparisons read it.

        Args:
            laws: of the runs on that clock.
            clock: one of CLOCKS.
        """
        effort = choose_effort(clock)
        reached, spacing = (list(map(tuple, part.tolist())) for part in self._find_efforts(effort))
        nothing = np.zeros(0)
        lines = [(nothing, nothing)] * len(self._runs)
        watched = [-math.inf] * len(self._runs)
        for grid in self._grids:
            last = float(grid.clocks[effort][-1])
            drawn = _draw_lines(grid, clock, [laws[place] for place in grid.places])
            for place, line in zip(grid.places, drawn, strict=True):
                lines[place] = line
                watched[place] = math.log(last) if last > 0 else -math.inf
        return tuple(
            Course(run.seed, run.status, law, place, height, there, apart, seen)
            for run, law, (place, height), there, apart, seen in zip(
                self._runs, laws, lines, reached, spacing, watched, strict=True
            )
        )

    def _find_efforts(self, column: str) -> tuple[Array, Array]:
        """As `find_efforts`, of all runs; nothing is known of one that left no record."""
        if column not in self._efforts:
            reached, spacing = np.full((2, len(self._runs), len(TARGETS)), math.nan)
            for grid in self._grids:
                reached[grid.places], spacing[grid.places] = find_efforts(grid.loss, grid.clocks[column])
            self._efforts[column] = reached, spacing
        return self._efforts[column]


def _draw_lines(grid: Grid, clock: str, laws: Sequence[Rate]) -> list[tuple[Array, Array]]:
    """log reading and log loss at the records of each run that have both, up to the end of what its law could read."""
    position, loss = grid.clocks[clock], grid.loss
    kept = (position > 0) & (loss > 0) & np.isfinite(loss)
    ends = np.array([law.end if law.law == "power" else math.nan for law in laws])
    kept &= ~(position > ends[:, None] * (1 + 1e-9))
    kept[:, :-1] &= position[1:] > position[:-1]  # of records at one reading the last
    height = np.log(np.where(kept, loss, 1.0))
    place = np.log(np.where(position > 0, position, 1.0))
    places: dict[bytes, Array] = {}  # most runs keep the same records
    lines = []
    for row, own in zip(height, kept, strict=True):
        shown = own.tobytes()
        if shown not in places:
            places[shown] = place[own]
        lines.append((places[shown], row[own]))
    return lines


def find_efforts(loss: Array, effort: Array) -> tuple[Array, Array]:
    """log effort to each of TARGETS, straight in both logs between two records, and how far these are apart.

    Args:
        loss: of shape (..., records).
        effort: of shape (records,).
    Returns:
        Both of shape (..., targets), NaN where a target was not reached.
    """
    place, there = find_targets(loss)
    if not there.any():
        nothing = np.full(there.shape, math.nan)
        return nothing, nothing
    before = np.maximum(place - 1, 0)
    charged = np.log(np.maximum(effort, 0.5))  # where nothing was charged yet: less than one
    height, above = (np.log(np.maximum(np.take_along_axis(loss, k, axis=-1), SMALLEST)) for k in (place, before))
    between = there & (place > 0) & np.isfinite(above)
    span = np.where(between, charged[place] - charged[before], 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(between, (above - np.log(TARGETS)) / (above - height), 1.0)
    reached = charged[place] - (1.0 - share) * span
    return np.where(there, reached, math.nan), np.where(there, span, math.nan)
