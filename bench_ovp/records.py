"""Rows of runs that are recorded side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from .problems import Array

FEW = 64  # rows that room is made for at first


class Records:
    """A table for each of some runs, all of the same columns, and each as long as its run.

    Args:
        runs: how many.
    """

    def __init__(self, runs: int) -> None:
        self._names: tuple[str, ...] = ()
        self._numbers = np.empty((0, 0, runs))  # (rows, columns, runs)
        self._count = np.zeros(runs, np.intp)

    def add(self, runs: Sequence[int], columns: Mapping[str, Array]) -> None:
        """Add a row to each of `runs`; a column has one number for each of them.

        Errors:
            ValueError: the columns are not those of the rows before.
        """
        if not runs:
            return
        places = np.asarray(runs)
        at = self._count[places]
        self._make_room(tuple(columns), 1 + int(at.max()))
        self._numbers[at, :, places] = np.array(list(columns.values())).T
        self._count[places] += 1

    def set(self, run: int, columns: Mapping[str, Array]) -> None:
        """Give a run all its rows at once."""
        count = len(next(iter(columns.values()), ()))
        if count:
            self._make_room(tuple(columns), count)
            self._numbers[:count, :, run] = np.array(list(columns.values())).T
        self._count[run] = count

    def of(self, run: int) -> dict[str, Array]:
        """The columns of a run by name; none where it has no rows."""
        count = self._count[run]
        return {name: self._numbers[:count, at, run].copy() for at, name in enumerate(self._names) if count}

    def _make_room(self, names: tuple[str, ...], rows: int) -> None:
        if not self._names:
            self._names = names
        if names != self._names:
            raise ValueError(f"the columns recorded are {', '.join(names)}, and were {', '.join(self._names)} before")
        if rows > len(self._numbers):
            grown = np.empty((max(FEW, 2 * rows), len(names), len(self._count)))
            grown[: len(self._numbers)] = self._numbers.reshape(-1, *grown.shape[1:])
            self._numbers = grown
