"""Whether the last run of a command already wrote what it would write now; then there is nothing to do.

A stamp in the folder of results names every file that the results were made from or consist of, with its size and
times, and what the command said. This module imports next to nothing: a suite that is up to date costs no more.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

STAMP = ".stamp.json"
INSTALLED = (".dist-info", ".egg-info", ".egg-link", ".pth")

_NAME = re.compile(r"^name:[ \t]*[\"']?([A-Za-z0-9][A-Za-z0-9._-]*)", re.MULTILINE)  # a guess: the stamp says for sure

Facts = dict[str, list[int]]


class Said(NamedTuple):
    """What a command told its user, and its exit code."""

    notes: tuple[str, ...]
    text: str
    code: int


class Asked(NamedTuple):
    """A command that makes results.

    Args:
        words: all that decides the results and is in no file of ours: what was asked for, where, and under which
            Python and libraries.
        began: when it was asked, in nanoseconds.
    """

    words: dict[str, Any]
    began: int


def ask(**words: Any) -> Asked:
    """A command as its user gave it: `file` of a suite, `results`, and whatever else decides what is written."""
    plain = json.loads(json.dumps(words, default=str))
    where = {"cwd": os.getcwd(), "host": str(Path(__file__).parent), "path": sys.path}
    return Asked({**plain, **where, "python": sys.version, "installed": _list_installed()}, time.time_ns())


def recall(asked: Asked) -> Said | None:
    """What the command said last, if all that it read and wrote is as it was; else None."""
    try:
        name = _NAME.search(Path(asked.words["file"]).read_text())
        stamp = json.loads((Path(asked.words["results"]) / name[1] / STAMP).read_text()) if name else {}
    except (OSError, ValueError):
        return None
    if stamp.get("asked") != asked.words:
        return None
    if stamp["read"] != describe_files(stamp["sources"]) or stamp["wrote"] != describe_results(stamp["folder"]):
        return None
    return Said(tuple(stamp["notes"]), stamp["text"], stamp["code"])


def keep(asked: Asked, folder: Path, sources: Iterable[Path], said: Said) -> None:
    """Stamp the results in `folder`, unless what they were made from has changed meanwhile.

    Args:
        asked: the command.
        folder: of its results, all of them written.
        sources: of its plug-ins, files or folders, and the files that the suite names.
        said: by the command.
    """
    places = [str(place) for place in (Path(asked.words["file"]).resolve(), asked.words["host"], *sources)]
    read = describe_files(places)
    if any(changed >= asked.began for _, _, changed in read.values()):
        return
    wrote = describe_results(str(folder))
    stamp = {"asked": asked.words, "sources": places, "read": read, "folder": str(folder), "wrote": wrote}
    partial = folder / f"{STAMP}.{os.getpid()}"
    partial.write_text(json.dumps(stamp | said._asdict()))
    partial.replace(folder / STAMP)


def describe_files(places: Iterable[str]) -> Facts:
    """Size and times of files, by path; of a folder, of all sources in it.

    The last time is that of the inode, which no program sets: an edit that keeps size and date is seen too.
    """
    return {path: _facts(path) for place in places for path in _list_sources(place) if os.path.exists(path)}


def describe_results(folder: str) -> Facts:
    """Size and times of the files of a folder of results: store, tables, page and figures."""
    found: Facts = {}
    for place in (folder, os.path.join(folder, "figures")):
        if os.path.isdir(place):
            paths = (os.path.join(place, name) for name in os.listdir(place) if not name.startswith("."))
            found |= {path: _facts(path) for path in paths if os.path.isfile(path)}
    return found


def _facts(path: str) -> list[int]:
    facts = os.stat(path)
    return [facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns]


def _list_sources(place: str) -> Iterator[str]:
    if not os.path.isdir(place):
        yield place
        return
    for folder, inner, names in os.walk(place):
        inner[:] = [name for name in inner if name != "__pycache__"]
        yield from (os.path.join(folder, name) for name in names)


def _list_installed() -> list[list[Any]]:
    """What is installed where Python looks for modules, each with the time at which it was."""
    found = []
    for folder in filter(os.path.isdir, sys.path):
        with os.scandir(folder) as entries:
            found += [[entry.path, entry.stat().st_mtime_ns] for entry in entries if entry.name.endswith(INSTALLED)]
    return sorted(found)
