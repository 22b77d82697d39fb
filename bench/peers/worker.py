"""One peer in a process of its own: `python -m peers.worker PEER`, a line of JSON in, a line of JSON out.

It says {"versions": …} or {"missing": …} first, then answers [method, n, d, runs, steps] with seconds.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from collections.abc import Callable
from functools import cache
from importlib.metadata import version
from types import ModuleType
from typing import Any

from .task import Missing


def main() -> None:
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what a library prints must not be taken for an answer

    def answer(value: Any) -> None:
        answers.write(json.dumps(value) + "\n")

    try:
        peer = importlib.import_module(f"{__package__}.{sys.argv[1]}")
    except ModuleNotFoundError as error:
        answer({"missing": f"the package {error.name} (pip install {error.name})"})
        return
    except Missing as error:
        answer({"missing": str(error)})
        return
    answer({"versions": {name: version(name) for name in peer.PACKAGES} | getattr(peer, "TOOLS", {})})
    prepared = preparing(peer)
    for line in sys.stdin:
        *task, steps = json.loads(line)
        try:
            run = prepared(*task)
        except Missing as error:
            answer({"missing": str(error)})
            return
        began = time.perf_counter()
        run(steps)
        answer(time.perf_counter() - began)


def preparing(peer: ModuleType) -> Callable[..., Callable[[int], object]]:
    """The peer's `prepare`, once per task and warm."""

    @cache
    def prepared(*task: Any) -> Callable[[int], object]:
        run: Callable[[int], object] = peer.prepare(*task)
        run(2)  # compiles
        return run

    return prepared


if __name__ == "__main__":
    main()
