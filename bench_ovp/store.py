"""Finished runs on disk: one SQLite file per suite, addressed by what defines their numbers.

SQLite because a million runs are one file, a commit is atomic and durable, and two readers do no harm. Columns
of numbers are stored as an .npy image without pickle, beside their digest; a row that does not match it is
treated as absent, and named.
"""

from __future__ import annotations

import hashlib
import io
import json
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from .errors import InputError
from .plan import Cell, rates_digest
from .rates import Evidence, Rate
from .trace import Run

SCHEMA = 1
FILE = "runs.sqlite"
PREFIX = 10  # bytes of an .npy image before its header, the last two of which are the header's length
GROUPED = 0.5  # seconds that a finished run may wait to be made durable together with others


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


class Store:
    """The runs of one suite. Use it as a context.

    Args:
        folder: of the suite's results; made where it is absent.
    Errors:
        InputError: the file there is of another version of this program, or no store at all.
    """

    def __init__(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            told = f"cannot make the folder {folder}: {error.strerror}; use another --results"
            raise InputError(told) from None
        self.path = folder / FILE
        self.damaged: list[str] = []
        self._committed = -GROUPED
        with self._readable():
            self._db = sqlite3.connect(self.path, timeout=30.0)
        try:
            with self._readable():
                self._db.execute("PRAGMA journal_mode = WAL")
                self._db.execute("PRAGMA synchronous = FULL")
                self._prepare()
        except InputError:
            self._db.close()
            raise

    @contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            raise InputError(f"{self.path}: {error}; move the file away to start afresh") from None

    def _prepare(self) -> None:
        (found,) = self._db.execute("PRAGMA user_version").fetchone()
        if found not in (0, SCHEMA):
            raise InputError(f"{self.path} has schema {found}, this program reads {SCHEMA}; use another --results")
        if found == SCHEMA:  # nothing is written: who only reads leaves the file as it is
            return
        with self._db:
            self._db.execute(
                "CREATE TABLE IF NOT EXISTS runs (key TEXT, seed INTEGER, limits TEXT, wall REAL, facts TEXT,"
                " columns BLOB, digest TEXT, rates TEXT, rate TEXT, PRIMARY KEY (key, seed, limits))"
            )
            self._db.execute("CREATE TABLE IF NOT EXISTS notes (name TEXT PRIMARY KEY, value TEXT)")
            self._db.execute(f"PRAGMA user_version = {SCHEMA}")

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        try:
            self._db.commit()
        finally:
            self._db.close()

    def save(self, cell: Cell, outcomes: Iterable[Outcome]) -> None:
        """Store runs of a cell; a failed run is a result but is not kept.

        What was saved less than GROUPED seconds after the last commit waits for the next one: a commit costs a
        write to the disk, and a task may be shorter. `commit` does not wait, and closing the store commits too.
        """
        rows, limits = [], cell.limits
        for outcome in outcomes:
            run = outcome.run
            if run.status == "failed":
                continue
            facts = json.dumps(
                {
                    "status": run.status,
                    "reason": run.reason,
                    "names": list(run.rows),
                    "iterations": run.iterations,
                    "evaluations": run.evaluations,
                    "seconds": run.seconds,
                    "resolution": run.resolution,
                    "engine": outcome.engine,
                }
            )
            columns = _pack(run)
            digest = _digest(cell.key, run.seed, limits, facts, columns)
            wall = cell.stop.wall
            fitted = json.dumps(vars(outcome.rate))
            rows.append((cell.key, run.seed, limits, wall, facts, columns, digest, rates_digest(), fitted))
        self._db.executemany("INSERT OR REPLACE INTO runs VALUES (?,?,?,?,?,?,?,?,?)", rows)
        if time.monotonic() - self._committed >= GROUPED:
            self.commit()

    def commit(self) -> None:
        """Make all that was saved durable."""
        self._db.commit()
        self._committed = time.monotonic()

    def note(self, name: str, value: Any) -> None:
        """Keep a fact about the suite, such as where its file lay."""
        with self._db:
            self._db.execute("INSERT OR REPLACE INTO notes VALUES (?, ?)", (name, json.dumps(value)))

    def recall(self, name: str) -> Any:
        """A fact that was noted, or None."""
        found = self._db.execute("SELECT value FROM notes WHERE name = ?", (name,)).fetchone()
        return None if found is None else json.loads(found[0])

    def finished(self, cell: Cell) -> set[int]:
        """Which of the cell's seeds need not run: stored, sound, and not timed out under a lower limit."""
        return {seed for seed, *_ in self._read(cell, timed_out=False)}

    def load(self, cell: Cell, timed_out: bool = False) -> dict[int, tuple[Run, Rate | None, str]]:
        """The stored runs of a cell by seed: the run, its fit (None where the detector has changed), its engine.

        Args:
            cell: whose runs.
            timed_out: whether to include runs that a lower limit of time cut short.
        """
        return {
            seed: (
                _unpack(seed, facts, columns),
                _rate(json.loads(rate)) if rates == rates_digest() else None,
                facts["engine"],
            )
            for seed, facts, columns, rates, rate in self._read(cell, timed_out)
        }

    def list_columns(self, cells: Iterable[Cell]) -> list[str]:
        """What any stored run of `cells` recorded, in the order of its first appearance."""
        found: dict[tuple[str, str], dict[str, None]] = {}
        query = "SELECT DISTINCT key, limits, json_extract(facts, '$.names') FROM runs"
        with self._readable():
            for key, limits, names in self._db.execute(query):
                found.setdefault((key, limits), {}).update(dict.fromkeys(json.loads(names)))
        return list(dict.fromkeys(name for cell in cells for name in found.get((cell.key, cell.limits), ())))

    def _read(self, cell: Cell, timed_out: bool) -> Iterator[tuple[int, dict[str, Any], bytes, str, str]]:
        """The sound rows of a cell: seed, facts, columns, the detector's digest, and the fit as text."""
        query = "SELECT seed, wall, facts, columns, digest, rates, rate FROM runs WHERE key = ? AND limits = ?"
        wanted, limits = set(cell.seeds), cell.limits
        with self._readable(), closing(self._db.execute(query, (cell.key, limits))) as rows:
            for seed, wall, facts, columns, digest, rates, rate in rows:
                if seed not in wanted:
                    continue
                if digest != _digest(cell.key, seed, limits, facts, columns):
                    self.damaged.append(f"{cell.label}, seed {seed}")
                    continue
                known = json.loads(facts)
                cut = known["status"] == "timeout" and (
                    cell.stop.wall is None or (wall is not None and cell.stop.wall > wall)
                )
                if cut and not timed_out:
                    continue
                yield seed, known, columns, rates, rate


def _pack(run: Run) -> bytes:
    table = np.array(list(run.rows.values()), dtype=np.float64) if run.rows else np.empty((0, 0))
    return _write_header(table.shape) + table.tobytes()


@cache
def _write_header(shape: tuple[int, ...]) -> bytes:
    """How an .npy image of float64 begins."""
    image = io.BytesIO()
    dtype = np.lib.format.dtype_to_descr(np.dtype(np.float64))
    np.lib.format.write_array_header_1_0(image, {"descr": dtype, "fortran_order": False, "shape": shape})
    return image.getvalue()


def _unpack(seed: int, facts: dict[str, Any], columns: bytes) -> Run:
    begin = PREFIX + int.from_bytes(columns[PREFIX - 2 : PREFIX], "little")
    shape, dtype = _read_header(columns[:begin])
    table = np.frombuffer(columns, dtype, offset=begin).reshape(shape)
    rows = dict(zip(facts["names"], table, strict=True))
    return Run(
        seed,
        facts["status"],
        facts["reason"],
        rows,
        facts["iterations"],
        facts["evaluations"],
        facts["seconds"],
        facts["resolution"],
    )


@cache  # most runs of a suite have the same one, and to read it takes longer than the numbers
def _read_header(head: bytes) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and dtype of an .npy image in C order, from its first bytes."""
    image = io.BytesIO(head)
    if np.lib.format.read_magic(image) != (1, 0):
        raise ValueError("an .npy image of another version")
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(image)
    if fortran or dtype.hasobject:
        raise ValueError("an .npy image that this program has not written")
    return shape, dtype


def _rate(fields: dict[str, Any]) -> Rate:
    evidence = tuple(Evidence(*entry) for entry in fields.pop("evidence"))
    return Rate(**fields, evidence=evidence)


def _digest(key: str, seed: int, limits: str, facts: str, columns: bytes) -> str:
    head = json.dumps([key, seed, limits, facts]).encode()
    return hashlib.sha256(head + columns).hexdigest()
