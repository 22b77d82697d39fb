"""What is needed to repeat a run: versions, machine, source, and the suite as read."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from . import __version__
from .keys import numerics_digest, rates_digest
from .plan import Cell
from .problems import description_of
from .registry import Registry
from .suite import Suite

LIBRARIES = ("numpy", "scipy", "numba", "pandas", "pyarrow", "pluggy", "seaborn", "matplotlib")


def describe_run(
    suite: Suite, cells: Sequence[Cell], registry: Registry, missing: Sequence[str], engines: dict[str, str]
) -> dict[str, Any]:
    """The content of provenance.json, save for its times.

    Args:
        suite, cells, registry: what was asked for, and of what.
        missing: labels of cells that are not finished.
        engines: how each cell was computed, by label.
    """
    problems = {problem.label: problem for problem in suite.problems}
    optimizers = {optimizer.label: optimizer for optimizer in suite.optimizers}
    return {
        "suite": suite.name,
        "suite_file": suite.text,
        "versions": {"bench-ovp": __version__, "python": platform.python_version(), **_versions()},
        "machine": {
            "system": platform.platform(),
            "processor": _processor(),
            "cores": os.cpu_count(),
        },
        "git": _git_state(),
        "sources": {"numerics": numerics_digest(), "rates": rates_digest()},
        "plugins": [
            {"name": p.name, "distribution": p.distribution, "version": p.version, "error": p.error}
            for p in registry.plugins
        ],
        "missing": list(missing),
        "engines": engines,
        "problems": {label: _described(description_of(problem.definition)) for label, problem in problems.items()},
        "optimizers": {label: _described(optimizer.method.description) for label, optimizer in optimizers.items()},
        "clocks": {label: optimizer.method.clock for label, optimizer in optimizers.items()},
        "cells": len(cells),
    }


def _described(description: Any) -> dict[str, str]:
    return {"summary": description.summary, "source": description.source}


def _versions() -> dict[str, str]:
    found = {}
    for library in LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            found[library] = "absent"
    return found


def _processor() -> str:
    if sys.platform == "linux":
        try:
            for line in Path("/proc/cpuinfo").read_text().splitlines():
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
        except OSError:
            pass
    return platform.processor() or platform.machine()


def _git_state() -> dict[str, Any]:
    """The commit of the source this program runs from; empty where it is not a checkout."""
    here = Path(__file__).resolve().parent.parent

    def ask(*words: str) -> str | None:
        try:
            told = subprocess.run(["git", "-C", str(here), *words], capture_output=True, text=True, timeout=10)
        except (OSError, subprocess.TimeoutExpired):
            return None
        return told.stdout.strip() if told.returncode == 0 else None

    if ask("ls-files", "--error-unmatch", "bench_ovp/provenance.py") is None:
        return {}
    return {"commit": ask("rev-parse", "HEAD"), "changed": bool(ask("status", "--porcelain"))}
