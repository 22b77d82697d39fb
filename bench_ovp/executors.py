"""Where tasks run, by name: in this process, in processes of this machine, or on a dask cluster."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from typing import Any

from .errors import InputError
from .work import prepare_worker

NAMES = "process, serial, dask, dask://HOST:PORT"


class SerialExecutor(Executor):
    """Runs each task when it is submitted, here."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run `fn` and return its finished future."""
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # it belongs to whoever asks for the result
            future.set_exception(error)
        return future


def count_jobs(jobs: int | None) -> int:
    """How many workers: as asked, else one per core that this process may use."""
    if jobs is not None:
        return jobs
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def open_executor(name: str, jobs: int) -> Executor:
    """An executor by name.

    Args:
        name: one of NAMES.
        jobs: number of workers, where we start them.
    Errors:
        InputError: an unknown name, or dask is asked for and absent.
    """
    if name == "serial":
        return SerialExecutor()
    if name == "process":
        # Spawned, not forked: a fork copies the locks of libraries that run threads.
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(jobs, mp_context=context, initializer=prepare_worker)
    if name == "dask" or name.startswith("dask://"):
        return _open_dask(name.removeprefix("dask").removeprefix("://"), jobs)
    raise InputError(f"--executor {name}: unknown; known: {NAMES}")


def kill(executor: Executor) -> None:
    """End an executor now, with whatever its workers are doing."""
    if isinstance(executor, ProcessPoolExecutor):
        for process in list((executor._processes or {}).values()):  # no public way before Python 3.14
            process.kill()
    executor.shutdown(wait=False, cancel_futures=True)


def _open_dask(address: str, jobs: int) -> Executor:
    try:
        from dask.distributed import Client, LocalCluster
    except ImportError:
        raise InputError('--executor dask needs dask; install it with: pip install "bench-ovp[dask]"') from None
    if address:
        client = Client(f"tcp://{address}")
    else:
        client = Client(LocalCluster(n_workers=jobs, threads_per_worker=1, dashboard_address=None))
    executor: Executor = client.get_executor(pure=False)
    return executor
