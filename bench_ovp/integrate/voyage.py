"""The runs of a batch that leave it to be carried: tried at each checkpoint, taken over, recorded to the horizon."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np

from ..checkpoints import grid
from ..optimizers import Optimizer
from ..problems import Array, Problem
from ..trace import CARRIED, Recorder, Run
from .horizon import LOST, Carriers, Flight, find_series
from .position import FLOWN, pack_flight, unpack_flight


class Voyage:
    """Takes runs over from `lockstep`.

    Args:
        problem: in the coordinates that the method is run in.
        optimizer: whose recurrence decides.
        recorder: of the runs; those that it calls active are the ones that are stepped.
        checkpoints: the iterations that are recorded, the last of them the horizon.
        per_decade: checkpoints per decade.
        stepped: the first iteration at which a run may be taken over.
        budget: of evaluations.
        tick: called at each record.
    """

    def __init__(
        self,
        problem: Problem,
        optimizer: Optimizer,
        recorder: Recorder,
        checkpoints: Sequence[int],
        per_decade: int,
        stepped: int,
        budget: int,
        tick: Callable[[], None],
    ) -> None:
        self._problem, self._recorder, self._tick = problem, recorder, tick
        self._checkpoints, self._budget, self._stepped = checkpoints, budget, stepped
        # Only these are the same for each horizon: what becomes of a run must not depend on how far it goes.
        self._regular = set(grid(per_decade, checkpoints[-1])) if checkpoints else set()
        self._series = find_series(problem, optimizer)
        self._carriers: dict[int, Carriers] = {}
        self.flights: dict[int, Flight | None] = {}
        self._gap = np.inf
        self.seconds: dict[int, float] = {}

    def why_not(self) -> str:
        """Why the runs that are still stepped are not carried."""
        if isinstance(self._series, str):
            return self._series
        return f"its steps and its modified equation differ by {self._gap:.2g} times what is tolerated"

    def take_over(self, k: int, w: Array, evaluations: int, deadline: float) -> list[int]:
        """Try each of the runs that are stepped, and carry to the horizon those that can be.

        Args:
            k: iterations stepped.
            w: the states (runs, n, d) of the active runs.
            evaluations: charged to each of them.
            deadline: on the monotonic clock.
        Returns:
            Which of them are stepped on, as indices into `w`.
        """
        stepped_on = list(range(len(w)))
        if isinstance(self._series, str) or k not in self._regular or 2 * k < self._stepped:
            return stepped_on
        for index, run in enumerate(list(self._recorder.active)):
            flight, self._gap = self._carriers_of(run).attempt(self.flights.get(run), k, w[index])
            self.flights[run] = flight
            if (
                flight is not None
                and flight.carrier is not None
                and k < self._checkpoints[-1]
                and evaluations < self._budget
            ):
                self.carry(run, k, evaluations, deadline)
                stepped_on.remove(index)
        return stepped_on

    def go_on(self, earlier: Sequence[Run], wall: float) -> None:
        """Carry runs that were carried before further, to this horizon, and end them."""
        for run, before in enumerate(earlier):
            assert before.state is not None
            self.flights[run] = unpack_flight(before)
            first, evaluations = (int(before.state[name]) for name in FLOWN)
            self.carry(run, first, evaluations, time.monotonic() + wall)

    def carry(self, run: int, first: int, evaluations: int, deadline: float) -> None:
        """Carry a run from checkpoint `first`, where its flight has a carrier, to the horizon, and end it.

        Args:
            run: on the run axis.
            first: the checkpoint.
            evaluations: that were charged when it was taken over.
            deadline: on the monotonic clock.
        """
        began = time.monotonic()
        status, why, k, spent = self._carry(run, first, evaluations, deadline)
        flight = self.flights[run]
        if flight is not None and flight.carrier is not None:
            numbers = (flight.carrier.t, evaluations)
            place = {name: np.asarray(x, np.float64) for name, x in zip(FLOWN, numbers, strict=True)}
            if run in self._recorder.active:
                self._recorder.keep(run, place | pack_flight(flight))
        if run in self._recorder.active:
            self._recorder.end([run], status, why, k, spent)
        self.seconds[run] = time.monotonic() - began

    def _carry(self, run: int, first: int, evaluations: int, deadline: float) -> tuple[str, str, int, int]:
        """Record a run up to the horizon: how it ends, why, where, and what it is charged by then."""
        carriers, flight = self._carriers_of(run), self.flights[run]
        assert flight is not None
        taken = flight.taken
        end = min(self._checkpoints[-1], -(-self._budget * taken // evaluations))
        k, spent = first, evaluations * first // taken
        for checkpoint in [*(c for c in self._checkpoints if first < c < end), end]:
            self._tick()
            if time.monotonic() > deadline:
                return "timeout", "the wall limit, while it was carried", k, spent
            found = carriers.carry(flight, checkpoint)
            if found is None:
                why = f"carried from iteration {taken:g} to {k:g}: beyond, a loss would err by more than {LOST:g}"
                return "ok", why, k, spent
            if checkpoint in self._regular:
                self.flights[run] = found
            flight, k, spent = found, checkpoint, evaluations * checkpoint // taken
            assert found.carrier is not None
            state = found.carrier.x[None]
            if not self._recorder.record(k, state, spent, runs=[run], how=CARRIED, rtol=found.rtol):
                return "ok", "", k, spent  # it has ended by itself
        limit = f"iteration {k:g}" if k == self._checkpoints[-1] else f"{self._budget:g} evaluations"
        return "ok", f"reached its horizon, {limit}, carried from iteration {taken:g} on", k, spent

    def _carriers_of(self, run: int) -> Carriers:
        assert not isinstance(self._series, str)
        if run not in self._carriers:
            self._carriers[run] = Carriers(self._problem, self._series, self._stepped)
        return self._carriers[run]
