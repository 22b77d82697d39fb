"""Bounds around a task in a worker process: its time, its memory, and a note of where it died.

A worker that hangs, or that a plug-in crashes, cannot report. It has a file of its own to which the task's name
is written when the task begins, and the interpreter's last words are added by `faulthandler`, which works in
compiled code too. Beside it are the rows that were recorded under a limit of time. The planner reads both once the
worker is gone.
"""

from __future__ import annotations

import contextlib
import faulthandler
import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TextIO

from .problems import Array
from .trace import Watch

FIRST = 60.0  # seconds beyond the wall limit until runs begin: the step may have to be compiled
PATIENCE = 0.5  # seconds beyond it in which runs that report may end by themselves
ROWS = ".rows"
SHARE = 0.9  # of the free memory, for all workers together
CUT = "Timeout"  # how faulthandler begins when time is up

_FRAME = re.compile(r'File "(?P<file>.+)", line (?P<line>\d+) in (?P<name>.+)')


class Death(NamedTuple):
    """What a worker left behind: the task it was at, whether its time was up, and its last frames, innermost first."""

    task: str
    timed_out: bool
    cause: str
    frames: tuple[tuple[str, str], ...]  # file, and file:line with the function's name
    rows: dict[int, dict[str, list[float]]]  # columns by seed


class Guard(Watch):
    """The bounds of one task at a time.

    Args:
        folder: for the worker's file; None in a process that must not be ended, where nothing is bounded.
        memory: bytes that the process may come to hold in addition, unless a task says otherwise.
        succeeds: whether it takes over tasks of workers that died, and reads in `folder` of what.
    """

    def __init__(self, folder: Path | None = None, memory: int | None = None, succeeds: bool = False) -> None:
        self._memory = memory
        self._deaths = {death.task: death for death in read_deaths(folder)} if succeeds and folder else {}
        self._wall: float | None = None
        self._bounded = False
        self._file: TextIO | None = None
        self._rows: TextIO | None = None
        if folder is not None:
            self._file = (folder / str(os.getpid())).open("w")
            self._rows = (folder / f"{os.getpid()}{ROWS}").open("w")
            faulthandler.enable(self._file)

    def begin(self, task: str, wall: float | None, memory: int | None) -> None:
        """Note the task and set its bounds: `wall` in seconds, `memory` in bytes."""
        if self._file is None or self._rows is None:
            return
        for file in (self._file, self._rows):
            file.seek(0)
            file.truncate()
        self._file.write(f"{task}\n")
        self._file.flush()
        self._wall, self._bounded = wall, wall is not None or memory is not None
        if wall is not None:
            self._arm(wall + FIRST)
        _limit_memory(self._memory if memory is None else memory)

    def recall(self, task: str) -> Death | None:
        """How the worker before this one died of a task, if it did."""
        return self._deaths.get(task)

    def start(self, seconds: float = 0.0) -> None:
        """From now on the wall limit counts."""
        if self._wall is not None:
            self._arm(max(0.0, self._wall - seconds) + PATIENCE)

    def note(self, seeds: Sequence[int], columns: Mapping[str, Array]) -> None:
        """Keep rows for the case that a bound ends the task."""
        if self._bounded and self._rows is not None:
            lists = {name: column.tolist() for name, column in columns.items()}
            self._rows.write(json.dumps([list(seeds), lists]) + "\n")
            self._rows.flush()

    def rows(self) -> dict[int, dict[str, list[float]]]:
        """The columns that the task has recorded so far, by seed."""
        return {} if self._rows is None else _read_rows(Path(self._rows.name))

    def end(self) -> None:
        """The task is through."""
        if self._file is None:
            return
        faulthandler.cancel_dump_traceback_later()
        self._wall = None
        _limit_memory(None)

    def _arm(self, seconds: float) -> None:
        assert self._file is not None
        faulthandler.dump_traceback_later(seconds, exit=True, file=self._file)


def share_memory(jobs: int) -> int | None:
    """Bytes that one of `jobs` workers may come to hold; None where the system does not say."""
    with contextlib.suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/meminfo").read_text().splitlines()
        free = next(line for line in lines if line.startswith("MemAvailable:"))
        return int(SHARE * 1024 * int(free.split()[1]) / jobs)
    return None


def read_deaths(folder: Path) -> list[Death]:
    """What the workers of a broken pool left behind, those that left last words."""
    found = []
    for file in sorted(path for path in folder.iterdir() if path.suffix != ROWS):
        task, _, words = file.read_text(errors="replace").partition("\n")
        if words.strip():
            frames = tuple(
                (m["file"], f"{m['file']}:{m['line']}, in {m['name']}")
                for m in map(_FRAME.search, _current(words))
                if m
            )
            first = words.strip().splitlines()[0]
            cause = first.removeprefix("Fatal Python error: ")
            rows = _read_rows(file.with_name(f"{file.name}{ROWS}"))
            found.append(Death(task, first.startswith(CUT), cause, frames, rows))
    return found


def list_begun(folder: Path) -> set[str]:
    """The tasks that the workers of a broken pool had begun last."""
    return {file.read_text(errors="replace").partition("\n")[0] for file in folder.iterdir() if file.suffix != ROWS}


def _read_rows(file: Path) -> dict[int, dict[str, list[float]]]:
    found: dict[int, dict[str, list[float]]] = {}
    with contextlib.suppress(OSError, ValueError):  # the last line may be torn
        for line in file.read_text().splitlines():
            seeds, columns = json.loads(line)
            for name, numbers in columns.items():
                for seed, number in zip(seeds, numbers, strict=True):
                    found.setdefault(seed, {}).setdefault(name, []).append(number)
    return found


def _current(words: str) -> list[str]:
    """The lines of the thread that matters: the one that crashed, else the main thread, which is last."""
    threads = re.split(r"\n(?=Current thread|Thread )", words)
    marked = [thread for thread in threads if thread.startswith("Current thread")]
    return (marked or threads)[-1].splitlines()


def _limit_memory(extra: int | None) -> None:
    """Let the process hold `extra` bytes more than it does; None lifts the limit."""
    try:
        import resource
    except ImportError:  # not on Windows
        return
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    soft = resource.RLIM_INFINITY
    if extra is not None:
        with contextlib.suppress(OSError, ValueError, IndexError):
            held = int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
            soft = held + extra
    if hard != resource.RLIM_INFINITY and (soft == resource.RLIM_INFINITY or soft > hard):
        soft = hard
    resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))
