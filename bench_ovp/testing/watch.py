"""Checks in a process of their own: one that hangs or kills its process is named, and the others go on."""

from __future__ import annotations

import contextlib
import multiprocessing
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Literal, NamedTuple

from ..errors import InputError
from .check import Inapplicable, Nonconformance
from .target import Target

Verdict = Literal["ok", "FAILS", "skipped"]
LOADING = 120.0  # seconds for a process to begin: numerics may have to be compiled first


class Answer(NamedTuple):
    """How a check ended: its id, the verdict, why, and seconds."""

    check: str
    verdict: Verdict
    message: str
    seconds: float


def run_checks(target: Target, limit: float) -> Iterator[Answer]:
    """The answers to the checks of `target`, one by one.

    Args:
        target: what is checked.
        limit: seconds for one check; whoever takes longer fails.
    Errors:
        InputError: the target is not known; raised at once.
    """
    names = [check.id for check in target.list_checks()]
    position = 0
    while position < len(names):
        for answer in _run_from(target, position, names, limit):
            yield answer
            position += 1


def _run_from(target: Target, first: int, names: list[str], limit: float) -> Iterator[Answer]:
    """Answers from check `first` on, until all are given or one took its process with it."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_answer, args=(target, first, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        _receive(ours, LOADING)
        for name in names[first:]:
            begun = time.monotonic()
            answer = _receive(ours, limit)
            if answer is not None:
                yield answer
                continue
            yield Answer(name, "FAILS", _lost(process, limit), time.monotonic() - begun)
            return
    finally:
        process.kill()
        process.join()
        ours.close()


def _receive(pipe: Connection, limit: float) -> Answer | None:
    try:
        return pipe.recv() if pipe.poll(limit) else None
    except EOFError:
        return None


def _lost(process: BaseProcess, limit: float) -> str:
    process.join(1.0)
    if process.is_alive():
        return f"it does not return within {limit:g} s; bound its loops, or allow more time by --limit"
    return f"it ends the process, with exit code {process.exitcode}; raise an exception instead, or mend the crash"


def _answer(target: Target, first: int, pipe: Connection) -> None:
    checks = target.list_checks()
    pipe.send(None)  # all is loaded: from here on time counts
    for check in checks[first:]:
        begun = time.monotonic()
        verdict: Verdict = "ok"
        message = ""
        try:
            check()
        except Nonconformance as failure:
            verdict, message = "FAILS", str(failure)
        except Inapplicable as reason:
            verdict, message = "skipped", str(reason)
        pipe.send(Answer(check.id, verdict, message, time.monotonic() - begun))


def read_parameters(words: tuple[str, ...]) -> dict[str, dict[str, object]]:
    """`KEY=VALUE` and `NAME.KEY=VALUE` as parameters by name; those without a NAME are under "".

    Errors:
        InputError: a word has no `=`, or its value is no YAML.
    """
    import yaml

    found: dict[str, dict[str, object]] = {}
    for word in words:
        path, equals, text = word.partition("=")
        name, _, key = path.rpartition(".")
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError:
            equals = ""
        if not equals or not key:
            raise InputError(f"-p {word}: write KEY=VALUE or NAME.KEY=VALUE, such as -p lr=0.1")
        if isinstance(value, str):
            with contextlib.suppress(ValueError):  # 1e-3 is a number to people, and a string to YAML
                value = float(value)
        found.setdefault(name, {})[key] = value
    return found
