"""Processes of this machine beside the one that the user has started."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from types import ModuleType
from typing import Any


class WorkerPool(ProcessPoolExecutor):
    """Worker processes that neither import the user's script nor hear Ctrl-C.

    They are spawned, not forked: a fork copies the locks of libraries that run threads.

    Args:
        count: how many.
        prepare: called in each worker when it begins.
        arguments: of that call.
    """

    def __init__(self, count: int, prepare: Callable[..., None] | None = None, arguments: tuple[Any, ...] = ()) -> None:
        context = multiprocessing.get_context("spawn")
        super().__init__(count, mp_context=context, initializer=prepare, initargs=arguments)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Schedule `fn`; the first call starts the workers."""
        with _apart():
            return super().submit(fn, *args, **kwargs)

    def kill(self) -> None:
        """End all workers, whatever they do."""
        for process in list((self._processes or {}).values()):  # no public way before Python 3.14
            process.kill()
        if self._result_queue is not None:
            # One that dies in the midst of a result would leave us waiting for the other half, at exit too: while
            # this end is open, the pipe does not end.
            self._result_queue._writer.close()  # type: ignore[attr-defined]


@contextmanager
def open_companion(wanted: bool) -> Iterator[WorkerPool | None]:
    """One process that shares the work of this one, if it is wanted and there is a core for it."""
    if not wanted or count_jobs(None) < 2:
        yield None
        return
    pool = WorkerPool(1)
    try:
        yield pool
    finally:
        pool.kill()  # it has nothing of its own to write, and much memory to tidy up
        pool.shutdown()


@contextmanager
def _apart() -> Iterator[None]:
    """What is started here is a process of its own.

    A spawned process imports `__main__` again, and a script without a guard would start its suite once more.
    And it inherits the mask of signals: Ctrl-C, which a terminal sends to all, is the planner's to handle.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    masked = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT]) if os.name == "posix" else None
    try:
        yield
    finally:
        sys.modules["__main__"] = main
        if masked is not None:
            signal.pthread_sigmask(signal.SIG_SETMASK, masked)


def count_jobs(jobs: int | None) -> int:
    """How many workers: as asked, else one per core that this process may use."""
    if jobs is not None:
        return jobs
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
