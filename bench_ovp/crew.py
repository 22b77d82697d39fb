"""The workers of a suite, from its first task to its last."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import CancelledError, Executor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import TypeVar

from .executors import Pool, check_name, open_pool
from .processes import count_jobs

T = TypeVar("T")


class Crew:
    """Workers that are opened for the first tasks, stay for the next ones, and are replaced after a crash.

    Use it as a context: whoever is there when it ends is sent home, at once if that is by an error.

    Args:
        executor, jobs: see `executors`; as many jobs as there are cores, if None.
    Errors:
        InputError: an unknown executor, or one that is not installed.
    """

    def __init__(self, executor: str | Executor = "process", jobs: int | None = None) -> None:
        check_name(executor)
        self.executor = executor
        self._jobs = count_jobs(jobs)
        self._pool: Pool | None = None
        self._size = 0
        self._folder: TemporaryDirectory[str] | None = None

    def __enter__(self) -> Crew:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.leave(now=kind is not None)

    def count(self, tasks: int) -> int:
        """How many workers so many tasks are worth."""
        return min(self._jobs, tasks)

    def come(self, count: int) -> tuple[Pool, Path]:
        """So many workers, and the folder where they note what they are at.

        Those that are there stay, if that is their number: of more, each would have a smaller share of the memory.

        Errors:
            InputError: no cluster answers.
        """
        if self._size != count:
            self.leave()
        if self._pool is None or self._folder is None:
            self._folder = TemporaryDirectory(prefix="bench-ovp-")
            self._pool, self._size = open_pool(self.executor, count, Path(self._folder.name)), count
        return self._pool, Path(self._folder.name)

    def leave(self, now: bool = False) -> None:
        """End all workers, when they have done what they have, or `now`."""
        pool, folder = self._pool, self._folder
        self._pool, self._folder, self._size = None, None, 0
        try:
            if pool:
                pool.close(now)
        finally:
            if folder:
                folder.cleanup()

    def ask(self, call: Callable[[], T]) -> Callable[[], T]:
        """Have a process of ours make a call, if one is there.

        Returns:
            What gives its result. It makes the call here, where nobody else has done it.
        """
        if self._pool is None or self.executor != "process":
            return call
        try:
            future = self._pool.submit(call)
        except BrokenProcessPool:
            return call

        def fetch() -> T:
            try:
                found: T = future.result()
            except (BrokenProcessPool, CancelledError):
                return call()
            return found

        return fetch
