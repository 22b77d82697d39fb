"""Bounds around a task in a worker process: its time, its memory, and a note of where it died.

A worker that hangs, or that a plug-in crashes, cannot report. It has a file of its own to which the task's name
is written when the task begins, and the interpreter's last words are added by `faulthandler`, which works in
compiled code too. The planner reads the file once the worker is gone.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import re
from pathlib import Path
from typing import NamedTuple, TextIO

FIRST = 60.0  # seconds beyond the wall limit until the first sign of life: the step may have to be compiled
PATIENCE = 1.0  # seconds beyond it that a stretch between two signs of life may take
SHARE = 0.9  # of the free memory, for all workers together
CUT = "Timeout"  # how faulthandler begins when time is up

_FRAME = re.compile(r'File "(?P<file>.+)", line (?P<line>\d+) in (?P<name>.+)')


class Death(NamedTuple):
    """What a worker left behind: the task it was at, whether its time was up, and its last frames, innermost first."""

    task: str
    timed_out: bool
    cause: str
    frames: tuple[tuple[str, str], ...]  # file, and file:line with the function's name


class Guard:
    """The bounds of one task at a time.

    Args:
        folder: for the worker's file; None in a process that must not be ended, where nothing is bounded.
        memory: bytes that the process may come to hold in addition, unless a task says otherwise.
    """

    def __init__(self, folder: Path | None = None, memory: int | None = None) -> None:
        self._memory = memory
        self._wall: float | None = None
        self._file: TextIO | None = None
        if folder is not None:
            self._file = (folder / str(os.getpid())).open("w")
            faulthandler.enable(self._file)

    def begin(self, task: str, wall: float | None, memory: int | None) -> None:
        """Note the task and set its bounds: `wall` in seconds, `memory` in bytes."""
        if self._file is None:
            return
        self._file.seek(0)
        self._file.truncate()
        self._file.write(f"{task}\n")
        self._file.flush()
        self._wall = wall
        if wall is not None:
            self._arm(wall + FIRST)
        _limit_memory(self._memory if memory is None else memory)

    def tick(self) -> None:
        """A sign of life."""
        if self._wall is not None:
            self._arm(self._wall + PATIENCE)

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
    for file in sorted(folder.iterdir()):
        task, _, words = file.read_text(errors="replace").partition("\n")
        if words.strip():
            frames = tuple(
                (m["file"], f"{m['file']}:{m['line']}, in {m['name']}")
                for m in map(_FRAME.search, _current(words))
                if m
            )
            first = words.strip().splitlines()[0]
            found.append(Death(task, first.startswith(CUT), first.removeprefix("Fatal Python error: "), frames))
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
