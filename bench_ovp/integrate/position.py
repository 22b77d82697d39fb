"""Where runs are, and all that decides how they go on: put down as float64 arrays, and taken up again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..oracle import Oracle
from ..problems import Array
from ..trace import Recorder, Run
from .collocation import pack_place, unpack_place
from .horizon import Flight

State = tuple[Any, ...]

NUMBERS = ("position", "landmark", "evaluations", "seconds")  # of a run that is stepped, beside its arrays
FLOWN = ("position", "evaluations")  # of one that is carried: the last regular checkpoint, and its charges at the first


class Position(NamedTuple):
    """Of runs that advance together.

    Args:
        w, state: now, at iteration k.
        landmark_w, landmark_state: at the regular checkpoint before, at iteration `landmark`.
        seconds: spent so far.
    """

    w: Array
    state: State
    k: int
    landmark_w: Array
    landmark_state: State
    landmark: int
    seconds: float


def put_down(at: Position, recorder: Recorder, oracle: Oracle, flights: Mapping[int, Flight | None]) -> None:
    """Leave each active run's part of a position with it, so that it can be taken up again.

    Args:
        at: the position.
        recorder: of the runs.
        oracle: knows what they were charged.
        flights: trials of carrying that are under way, by run.
    """
    parts = {"w": at.w, "landmark_w": at.landmark_w}
    for number, pair in enumerate(zip(at.state, at.landmark_state, strict=True)):
        parts |= {f"state_{number}": pair[0], f"landmark_state_{number}": pair[1]}
    if any(part.dtype != np.float64 for part in parts.values()):
        return  # only float64 is stored
    numbers = (at.k, at.landmark, oracle.evaluations, at.seconds)
    shared = {name: np.asarray(x, np.float64) for name, x in zip(NUMBERS, numbers, strict=True)}
    for index, run in enumerate(recorder.active):
        own = {name: np.asarray(part[index]) for name, part in parts.items()}
        recorder.keep(run, shared | own | pack_flight(flights.get(run)))


def take_up(earlier: Sequence[Run], oracle: Oracle) -> Position:
    """The position of runs that were put down together; the oracle is charged what they have been."""
    states = [dict(run.state or {}) for run in earlier]
    k, landmark, evaluations, seconds = (float(states[0][name]) for name in NUMBERS)
    assert all(state["position"] == k for state in states)
    oracle.charge(int(evaluations) * len(earlier))

    def gather(name: str) -> Array:
        return np.stack([state[name] for state in states])

    count = sum(name.startswith("state_") for name in states[0])
    now, then = (tuple(gather(f"{kind}_{i}") for i in range(count)) for kind in ("state", "landmark_state"))
    return Position(gather("w"), now, int(k), gather("landmark_w"), then, int(landmark), seconds)


def is_carried(run: Run) -> bool:
    """Whether a run that was put down is carried, and no longer stepped."""
    return bool(run.state) and "carrier_x" in (run.state or {})


def pack_flight(flight: Flight | None) -> dict[str, Array]:
    """A flight as arrays; none of a run that has none."""
    if flight is None:
        return {}
    found = {"flight": np.array([flight.since, flight.taken, flight.rtol])}
    for name, place in (("scout", flight.scout), ("carrier", flight.carrier)):
        if place is not None:
            found |= pack_place(name, place)
    return found


def unpack_flight(run: Run) -> Flight | None:
    """The flight of a run that was put down, if it had one."""
    state = run.state or {}
    if "flight" not in state:
        return None
    since, taken, rtol = state["flight"]

    carrier = unpack_place("carrier", state) if "carrier_x" in state else None
    return Flight(unpack_place("scout", state), int(since), int(taken), carrier, float(rtol))
