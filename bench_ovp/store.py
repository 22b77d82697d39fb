"""Finished runs on disk: one journal per suite, addressed by what defines their numbers.

A million runs are one file. A record is written whole or not at all, is durable half a second later, and carries its
digest, so that a power cut costs what was under way, and damage costs the runs that it hit. Nothing is unpickled:
facts are JSON, and numbers are plain float64.
"""

from __future__ import annotations

import hashlib
import json
import re
import struct
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import numpy as np

from .errors import InputError
from .journal import TITLE, Journal, write_journal
from .keys import rates_digest
from .lock import Lock
from .plan import Cell
from .problems import Array
from .rates import Evidence, Rate
from .trace import UNFINISHED, Run

FILE = "runs.journal"
GROUPED = 0.5  # seconds that a finished run may wait to be made durable together with others
PREFIX = struct.Struct("<c16sI")  # kind, identity, length of the facts
RUN, FIT, DEFINITION, NOTE = b"R", b"F", b"D", b"N"
FLOAT = np.dtype("<f8")
NAMES = re.compile(rb'"names": (.*?), "points": ')  # of the columns, in the facts of a run
SPENT = ("iterations", "evaluations", "seconds", "resolution")


@dataclass(frozen=True)
class Outcome:
    """A finished run, its fit and how it was computed.

    What the plug-ins printed meanwhile, and its share of the seconds that its task spent compiling, are not stored.
    """

    run: Run
    rate: Rate
    engine: str
    said: str = ""
    compiling: float = 0.0


class Stored(NamedTuple):
    """A run as it is stored: its fit is None where the detector has changed."""

    run: Run
    rate: Rate | None
    engine: str


class Store:
    """The runs of one suite. Use it as a context.

    Args:
        folder: of the suite's results.
        writable: whether this process may write; then the folder is made where it is absent, no other process may
            hold it, and what is damaged in it is set aside.
    Errors:
        InputError: another process writes there, or the file is of another version of this program.
    """

    def __init__(self, folder: Path, writable: bool = True) -> None:
        self.path = folder / FILE
        self.damaged: list[str] = []
        self._lock: Lock | None = None
        self._committed = -GROUPED
        self._runs: dict[bytes, tuple[int, ...]] = {}  # places by identity of key and seed, one for each limits
        self._fits: dict[bytes, int] = {}
        self._definitions: dict[bytes, int] = {}
        self._notes: dict[str, Any] = {}
        if writable:
            try:
                folder.mkdir(parents=True, exist_ok=True)
                self._lock = Lock(folder)
            except OSError as error:
                told = f"cannot write to the folder {folder}: {error.strerror}; use another --results"
                raise InputError(told) from None
        self._journal = Journal(self.path)
        try:
            self._open()
        except BaseException:
            self._close()
            raise

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._close()

    def save(self, cell: Cell, outcomes: Iterable[Outcome]) -> None:
        """Store runs of a cell; a failed run is a result but is not kept.

        What was saved less than GROUPED seconds after the last commit waits for the next one: a commit costs a
        write to the disk, and a task may be shorter. `commit` does not wait, and closing the store commits too.
        """
        kept = [outcome for outcome in outcomes if outcome.run.status != "failed"]
        places = self._journal.append(_write_run(cell, outcome) for outcome in kept)
        for outcome, place in zip(kept, places, strict=True):
            self._index_run(_identify(cell.key, outcome.run.seed), place)
        if time.monotonic() - self._committed >= GROUPED:
            self.commit()

    def save_fit(self, cell: Cell, seed: int, rate: Rate) -> None:
        """Store a new fit of a stored run; where this process may not write, it is forgotten."""
        if self._lock is None:
            return
        identity = _identify(cell.key, seed, cell.limits)
        facts = {"rates": rates_digest(), "rate": vars(rate)}
        [self._fits[identity]] = self._journal.append([_write(FIT, identity, facts)])

    def define(self, digest: str, content: Any) -> None:
        """Keep what a digest stands for, once."""
        identity = _identify(digest)
        if identity not in self._definitions:
            [place] = self._journal.append([_write(DEFINITION, identity, content)])
            self._definitions[identity] = place

    def recall_definition(self, digest: str) -> Any:
        """What a digest stands for, or None."""
        place = self._definitions.get(_identify(digest))
        content = None if place is None else self._journal.read(place)
        return None if content is None else _read_facts(content)

    def commit(self) -> None:
        """Make all that was saved durable."""
        self._journal.sync()
        self._committed = time.monotonic()

    def note(self, name: str, value: Any) -> None:
        """Keep a fact about the suite, such as where its file lay."""
        if self._notes.get(name) != value or name not in self._notes:
            self._journal.append([_write(NOTE, _identify(name), {"name": name, "value": value})])
            self._notes[name] = value

    def recall(self, name: str) -> Any:
        """A fact that was noted, or None."""
        return self._notes.get(name)

    @property
    def holds_runs(self) -> bool:
        """Whether any run is stored, of whatever cell."""
        return bool(self._runs)

    def knows(self, cell: Cell) -> bool:
        """Whether a run of the cell is stored, at whatever length."""
        return any(place is not None for _, place in self._list_places(cell))

    def finished(self, cell: Cell) -> set[int]:
        """Which of the cell's seeds need not run: stored, sound, and not timed out under a lower limit."""
        return {
            seed
            for seed, place in self._list_places(cell)
            if place is not None and not _is_cut(cell, self._read_head(place))
        }

    def load(self, cell: Cell, timed_out: bool = False) -> dict[int, Stored]:
        """The stored runs of a cell by seed.

        Args:
            cell: whose runs.
            timed_out: whether to include runs that a lower limit of time cut short.
        """
        found = {}
        for seed, place in self._list_places(cell):
            content = None if place is None else self._journal.read(place)
            if content is None:
                if place is not None:  # it was sound a moment ago
                    self.damaged.append(f"the stored run of {cell.label}, seed {seed}, is damaged; run the suite again")
                continue
            facts = _read_facts(content)
            if not _is_cut(cell, facts) or (timed_out and _status(facts) == "timeout"):
                found[seed] = Stored(_read_run(facts, content), self._rate(cell, seed, facts), facts["engine"])
        return found

    def find_earlier(self, cell: Cell, passes: Callable[[float, int], bool]) -> dict[int, Stored]:
        """The stored runs, by seed, that a longer run of a cell begins with: those that came farthest.

        Args:
            cell: whose unfinished runs are asked for.
            passes: whether its runs get as far as a position with so many evaluations.
        """
        found = {}
        for seed in cell.seeds:
            best: tuple[float, int] | None = None
            for place in self._runs.get(_identify(cell.key, seed), ()):
                facts = self._read_head(place)
                reached = facts["reached"]
                if reached is None or _target_passed(facts, cell) or (best is not None and best[0] >= reached):
                    continue
                if passes(reached, facts["evaluations"]):
                    best = reached, place
            content = None if best is None else self._journal.read(best[1])
            if content is not None:
                facts = _read_facts(content)
                run = _read_run(facts, content, with_state=True)
                found[seed] = Stored(run, self._rate(cell, seed, facts), facts["engine"])
        return found

    def list_runs(self) -> Iterator[tuple[dict[str, Any], bytes]]:
        """The facts of all stored runs, each with its record."""
        for places in self._runs.values():
            for place in places:
                content = self._journal.read(place)
                if content is not None:
                    yield _read_facts(content), content

    def find_run(self, facts: Mapping[str, Any]) -> tuple[dict[str, Any], bytes] | None:
        """The last record of the run that has the same key, seed and limits as `facts`."""
        for place in reversed(self._runs.get(_identify(facts["key"], facts["seed"]), ())):
            there = self._read_head(place)
            if there["limits"] == facts["limits"] and (content := self._journal.read(place)) is not None:
                return there, content
        return None

    def list_definitions(self) -> Iterator[bytes]:
        """The records of what digests stand for."""
        for place in self._definitions.values():
            if (content := self._journal.read(place)) is not None:
                yield content

    def adopt(self, content: bytes) -> None:
        """Take in a record of another store, as it is."""
        kind, identity, _ = PREFIX.unpack(content[: PREFIX.size])
        if kind == DEFINITION and identity in self._definitions:
            return
        [place] = self._journal.append([content])
        self._index(place)

    def list_columns(self, cells: Iterable[Cell]) -> list[str]:
        """What any stored run of `cells` recorded, in the order of its first appearance."""
        told: dict[bytes, None] = {}  # most runs say the same
        for cell in cells:
            for _, place in self._list_places(cell):
                if place is not None and (found := NAMES.search(self._peek_head(place))):
                    told[found[1]] = None
        return list(dict.fromkeys(name for names in told for name in json.loads(names)))

    def _open(self) -> None:
        scan = self._journal.scan()
        if not scan.places and scan.size:
            title = self._journal.peek(0, len(TITLE))
            if title != TITLE and title.startswith(TITLE[:17]):
                raise InputError(f"{self.path} is of another version of this program; use another --results")
        for place in scan.places:
            self._index(place)
        if not scan.gaps:
            return
        lost = sum(end - begin for begin, end in scan.gaps)
        if self._lock is None:
            self.damaged.append(f"{self.path}: {lost} bytes are damaged and left out; run the suite to compute them")
        elif scan.torn:
            self._journal.cut(scan.gaps[0][0])
            self.damaged.append(f"{self.path}: its last record is unfinished and is dropped")
        else:
            aside = self._set_aside(scan.places)
            told = f"{lost} bytes are damaged; what they held is computed again, the file as it was is {aside.name}"
            self.damaged.append(f"{self.path}: {told}")

    def _index(self, place: int) -> None:
        kind, identity, length = PREFIX.unpack(self._journal.peek(place, PREFIX.size))
        if kind == RUN:
            self._index_run(identity, place)
        elif kind == FIT:
            self._fits[identity] = place
        elif kind == DEFINITION:
            self._definitions[identity] = place
        elif kind == NOTE:
            noted = json.loads(self._journal.peek(place + PREFIX.size, length))
            self._notes[noted["name"]] = noted["value"]

    def _index_run(self, identity: bytes, place: int) -> None:
        """Of records with the same limits the last counts; of several, none is looked into before it must be."""
        self._runs[identity] = (*self._runs.get(identity, ()), place)

    def _set_aside(self, places: list[int]) -> Path:
        """A file with the sound records alone; the damaged one stays beside it under another name."""
        self._journal.close()
        number = 1
        while (aside := self.path.with_name(f"damaged-{number}.journal")).exists():
            number += 1
        self.path.rename(aside)
        damaged = Journal(aside)
        sound = (content for place in places if (content := damaged.read(place)) is not None)
        write_journal(self.path, sound)
        damaged.close()
        self._runs, self._fits, self._definitions = {}, {}, {}
        self._journal = Journal(self.path)
        for place in self._journal.scan().places:
            self._index(place)
        return aside

    def _list_places(self, cell: Cell) -> Iterator[tuple[int, int | None]]:
        """Each seed of a cell with the place of the last record under its key and limits; its facts are not read."""
        key, limits = json.dumps(cell.key), json.dumps(cell.limits)
        for seed in cell.seeds:
            # As `_write_run` begins, and `_identify` has it: written out, for a cell may have a thousand seeds.
            beginning = f'{{"key": {key}, "seed": {seed}, "limits": {limits}'.encode()
            places = self._runs.get(_digest(f"[{key}, {seed}]"), ())
            yield seed, next((place for place in reversed(places) if self._begins(place, beginning)), None)

    def _begins(self, place: int, beginning: bytes) -> bool:
        return self._journal.peek(place + PREFIX.size, len(beginning)) == beginning

    def _read_head(self, place: int) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._peek_head(place))
        return found

    def _peek_head(self, place: int) -> bytes:
        _, _, length = PREFIX.unpack(self._journal.peek(place, PREFIX.size))
        return self._journal.peek(place + PREFIX.size, length)

    def _rate(self, cell: Cell, seed: int, facts: dict[str, Any]) -> Rate | None:
        if facts["rates"] != rates_digest():
            place = self._fits.get(_identify(cell.key, seed, cell.limits))
            content = None if place is None else self._journal.read(place)
            facts = {"rates": None} if content is None else _read_facts(content)
        if facts["rates"] != rates_digest():
            return None
        fields = dict(facts["rate"])
        evidence = tuple(Evidence(*entry) for entry in fields.pop("evidence"))
        return Rate(**fields, evidence=evidence)

    def _close(self) -> None:
        try:
            self._journal.close()
        finally:
            if self._lock is not None:
                self._lock.release()
                self._lock = None


def _identify(*parts: Any) -> bytes:
    """Sixteen bytes that stand for a key and a seed, or for a name."""
    return _digest(json.dumps(parts))


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def _write(kind: bytes, identity: bytes, facts: Any, body: bytes = b"") -> bytes:
    head = json.dumps(facts).encode()
    return PREFIX.pack(kind, identity, len(head)) + head + body


def _read_facts(content: bytes) -> Any:
    _, _, length = PREFIX.unpack(content[: PREFIX.size])
    return json.loads(content[PREFIX.size : PREFIX.size + length])


def _write_run(cell: Cell, outcome: Outcome) -> bytes:
    run, state = outcome.run, outcome.run.state or {}
    columns = list(run.rows.values())
    facts = {
        "key": cell.key,
        "seed": run.seed,
        "limits": cell.limits,
        "label": cell.label,
        "wall": cell.stop.wall,
        "status": run.status,
        "reason": run.reason,
        "names": list(run.rows),
        "points": len(columns[0]) if columns else 0,
        **{name: getattr(run, name) for name in SPENT},
        "engine": outcome.engine,
        "state": [[name, np.shape(part)] for name, part in state.items()],
        "reached": _tell_reached(run),
        "least": float(np.min(run.rows["loss"])) if columns else None,
        "rates": rates_digest(),
        "rate": vars(outcome.rate),
    }
    numbers = [*columns, *state.values()]
    body = b"".join(np.ascontiguousarray(part, FLOAT).tobytes() for part in numbers)
    return _write(RUN, _identify(cell.key, run.seed), facts, body)


def _tell_reached(run: Run) -> float | None:
    """Where a run can go on; for one that has ended by itself, where that was; None for any other."""
    if run.state is None:
        return None
    if run.state:
        return float(run.state["position"])
    if run.iterations is not None:
        return float(run.iterations)
    return float(run.rows["time"][-1]) if run.rows else None


def _read_run(facts: Mapping[str, Any], content: bytes, with_state: bool = False) -> Run:
    _, _, length = PREFIX.unpack(content[: PREFIX.size])
    numbers = np.frombuffer(content, FLOAT, offset=PREFIX.size + length)
    points, names = facts["points"], facts["names"]
    table = numbers[: points * len(names)].reshape(len(names), points)
    state: dict[str, Array] | None = None
    if with_state and facts["reached"] is not None:
        state, at = {}, table.size
        for name, shape in facts["state"]:
            size = int(np.prod(shape))
            state[name] = numbers[at : at + size].reshape(shape)
            at += size
    rows = dict(zip(names, table, strict=True))
    kept = {name: facts[name] for name in ("seed", "status", "reason", *SPENT)}
    return Run(**kept, rows=rows, state=state)


def _status(facts: Mapping[str, Any]) -> str:
    return str(facts["status"])


def _is_cut(cell: Cell, facts: Mapping[str, Any]) -> bool:
    """Whether a stored run ended before its time, and may go further now."""
    if _status(facts) == UNFINISHED:
        return True
    wall, limit = facts["wall"], cell.stop.wall
    return _status(facts) == "timeout" and (limit is None or (wall is not None and limit > wall))


def _target_passed(facts: Mapping[str, Any], cell: Cell) -> bool:
    """Whether a run of `cell` should have ended before where the stored one did."""
    target, least = cell.stop.loss, facts["least"]
    reached_it = facts["status"] == "target" or (target is not None and least is not None and least <= target)
    return bool(reached_it) and json.loads(facts["limits"])[3] != target
