"""Where tasks run: in this process, in processes of this machine, on a dask cluster, or wherever an executor leads."""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Callable
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

from .errors import InputError
from .guard import share_memory
from .processes import WorkerPool
from .work import prepare_worker

NAMES = "process, serial, dask, dask://HOST:PORT"
DEATHS = 10  # of workers, before our own dask cluster gives a task up: each of them may have been killed by chance


class Pool:
    """An executor with its workers.

    Args:
        executor: takes tasks.
        count: how many workers there are now.
        shut: ends what was opened for it; told whether to do so at once, whatever runs.
        keeps: whether a dead worker breaks nothing but its own task.
    """

    def __init__(
        self, executor: Executor, count: Callable[[], int], shut: Callable[[bool], None], keeps: bool = False
    ) -> None:
        self._executor, self._count, self._shut, self.keeps = executor, count, shut, keeps

    def submit(self, function: Callable[..., Any], *args: Any) -> Future[Any]:
        """Have a worker call `function`."""
        return self._executor.submit(function, *args)

    @property
    def workers(self) -> int:
        """How many workers there are now, at least one."""
        return max(1, self._count())

    def close(self, now: bool) -> None:
        """End it, waiting for what runs unless it must be `now`."""
        self._shut(now)


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


def check_name(name: str | Executor) -> None:
    """Refuse the name of an executor that cannot be opened, before anything is written.

    Errors:
        InputError: an unknown name, or dask is asked for and absent.
    """
    if isinstance(name, Executor):
        return
    if name == "dask" or name.startswith("dask://"):
        if importlib.util.find_spec("dask") is None or importlib.util.find_spec("distributed") is None:
            raise InputError('--executor dask needs dask; install it with: pip install "bench-ovp[dask]"')
    elif name not in ("process", "serial"):
        raise InputError(f"--executor {name}: unknown; known: {NAMES}")


def open_pool(name: str | Executor, jobs: int, folder: Path) -> Pool:
    """Workers by the name of their executor, or behind one that the caller has.

    Args:
        name: one of NAMES, or an executor, which stays open.
        jobs: number of workers, where we start them; elsewhere, how many tasks may run at a time.
        folder: where worker processes note what they are at; see `guard`.
    Errors:
        InputError: an unknown name, dask is asked for and absent, or no cluster answers.
    """
    check_name(name)
    if isinstance(name, Executor):
        return Pool(name, lambda: jobs, lambda now: None)
    if name == "serial":
        return Pool(SerialExecutor(), lambda: 1, lambda now: None)
    if name == "process":
        workers = WorkerPool(jobs, prepare_worker, (folder, share_memory(jobs)))

        def shut(now: bool) -> None:
            if now:
                workers.kill()
            workers.shutdown(wait=not now, cancel_futures=now)

        return Pool(workers, lambda: jobs, shut)
    return _open_dask(name.removeprefix("dask").removeprefix("://"), jobs, folder.name)


def _open_dask(address: str, jobs: int, suite: str) -> Pool:
    import dask
    from dask.distributed import Client, LocalCluster

    from .dask_worker import Guarded

    cluster = None
    if address:
        try:
            client = Client(f"tcp://{address}", timeout="10s")
        except OSError as error:
            raise InputError(f"--executor dask://{address}: no scheduler answers there ({error})") from None
    else:
        with dask.config.set({"distributed.scheduler.allowed-failures": DEATHS}):
            cluster = LocalCluster(n_workers=jobs, threads_per_worker=1, dashboard_address=None)
        client = Client(cluster)
    client.register_plugin(Guarded(suite))

    def count() -> int:
        return len(client.scheduler_info(n_workers=-1)["workers"])

    def shut(now: bool) -> None:
        with contextlib.suppress(Exception):  # whatever state the cluster is in
            client.close()
            if cluster is not None:
                cluster.close()

    return Pool(client.get_executor(pure=False), count, shut, keeps=True)
