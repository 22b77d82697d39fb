"""Where tasks run, by name: in this process, in processes of this machine, or on a dask cluster."""

from __future__ import annotations

import importlib.util
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from .errors import InputError
from .guard import share_memory
from .work import prepare_worker

NAMES = "process, serial, dask, dask://HOST:PORT"


class SerialExecutor(Executor):
    """Runs each task when it is submitted, here."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run `fn` and return its finished future."""
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except (Exception, SystemExit) as error:  # it belongs to whoever asks for the result
            future.set_exception(error)
        return future


class WorkerPool(ProcessPoolExecutor):
    """Worker processes that neither import the user's script nor hear Ctrl-C."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Schedule `fn`; the first call starts the workers."""
        with _apart():
            return super().submit(fn, *args, **kwargs)


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


def check_name(name: str) -> None:
    """Refuse the name of an executor that cannot be opened, before anything is written.

    Errors:
        InputError: an unknown name, or dask is asked for and absent.
    """
    if name == "dask" or name.startswith("dask://"):
        if importlib.util.find_spec("dask") is None or importlib.util.find_spec("distributed") is None:
            raise InputError('--executor dask needs dask; install it with: pip install "bench-ovp[dask]"')
    elif name not in ("process", "serial"):
        raise InputError(f"--executor {name}: unknown; known: {NAMES}")


def open_executor(name: str, jobs: int, folder: Path) -> Executor:
    """An executor by name.

    Args:
        name: one of NAMES.
        jobs: number of workers, where we start them.
        folder: where worker processes note what they are at; see `guard`.
    Errors:
        InputError: an unknown name, or dask is asked for and absent.
    """
    check_name(name)
    if name == "serial":
        return SerialExecutor()
    if name == "process":
        # Spawned, not forked: a fork copies the locks of libraries that run threads.
        context = multiprocessing.get_context("spawn")
        bounds = (folder, share_memory(jobs))
        return WorkerPool(jobs, mp_context=context, initializer=prepare_worker, initargs=bounds)
    return _open_dask(name.removeprefix("dask").removeprefix("://"), jobs)


def kill(executor: Executor) -> None:
    """End an executor now, with whatever its workers are doing."""
    if isinstance(executor, ProcessPoolExecutor):
        for process in list((executor._processes or {}).values()):  # no public way before Python 3.14
            process.kill()
    executor.shutdown(wait=False, cancel_futures=True)


def _open_dask(address: str, jobs: int) -> Executor:
    from dask.distributed import Client, LocalCluster

    if address:
        client = Client(f"tcp://{address}")
    else:
        client = Client(LocalCluster(n_workers=jobs, threads_per_worker=1, dashboard_address=None))
    executor: Executor = client.get_executor(pure=False)
    return executor
