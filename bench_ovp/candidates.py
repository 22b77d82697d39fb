"""An optimizer with parameters that are still to be chosen, for each problem anew."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any

from annotated_types import Ge

from .optimizers import Method, Optimizer
from .parameters import label

TUNED = "tuned"  # what a label says instead of a value


@dataclass(frozen=True)
class Tunable:
    """A method with a grid of values for some of its parameters, of which each problem gets the best point.

    Args:
        method: what it does.
        given: the parameters that were given, in their order; in the place of one that is tuned, `TUNED`.
        grid: the values that each tuned parameter may take.
        alias: the label a user chose for it, if any.
    """

    method: Method
    given: Mapping[str, Any]
    grid: Mapping[str, Sequence[Any]]
    alias: str | None = None

    @cached_property
    def candidates(self) -> tuple[Optimizer, ...]:
        """The method at each point of the grid, the last parameter fastest; refuses values that will not do."""
        return tuple(Optimizer(self.method, {**self.given, **point}) for point in self.points())

    @property
    def label(self) -> str:
        """How tables call it, whatever is chosen: `adam[lr=tuned]`."""
        return self.alias if self.alias is not None else label(self.method.name, self.given)

    def points(self) -> Iterator[dict[str, Any]]:
        """The points of the grid."""
        return (dict(zip(self.grid, values, strict=True)) for values in product(*self.grid.values()))

    def find_edges(self, point: Mapping[str, Any]) -> dict[str, str]:
        """The parameters whose value in `point` is the "smallest" or the "largest" of its grid.

        Where a value is the least that its parameter may take, there is nothing beyond, and it is no edge.
        """
        known = {p.name: p.annotation for p in self.method.parameters_for(point)}
        found = {}
        for name, values in self.grid.items():
            value = point[name]
            if not all(isinstance(one, int | float) and not isinstance(one, bool) for one in values):
                continue
            ends = [limit.ge for limit in getattr(known.get(name), "__metadata__", ()) if isinstance(limit, Ge)]
            if value == max(values):
                found[name] = "largest"
            elif value == min(values) and value not in ends:
                found[name] = "smallest"
        return found
