"""This project beside its peers, timed in turns in one run: a table of ratios, and what was promised of them.

Usage: python bench/peers.py [--quick] [--only NAME] [--benchopt-python PATH] [--output docs/speed.md]

Peers are a limit in C, NumPy, JAX, PyTorch and benchopt; those that are not installed are skipped by name.
"""

from __future__ import annotations

import argparse
import os
import platform
from pathlib import Path

from peers.machine import describe, keep_to_one_core
from peers.page import colophon, renew, section
from peers.rounds import Peers
from peers.steps import steps_table
from peers.suites import suites_table

SUITE = "suite"
NAMES = ("limit", "ours", "numpy_lockstep", "jax_lanes", "torch_autograd", SUITE)
SECONDS, ROUNDS = 0.5, 5  # of a timing
QUICK_SECONDS = 0.1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a smoke run, one short round")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"how often each is timed; {ROUNDS} unless told")
    parser.add_argument("--only", choices=NAMES, default="", help="one peer, or the suite")
    parser.add_argument("--benchopt-python", metavar="PATH", help="of an environment that has benchopt")
    parser.add_argument("--output", type=Path, metavar="FILE", help="put the figures on that page, too")
    options = parser.parse_args()
    seconds, rounds = (QUICK_SECONDS, 1) if options.quick else (SECONDS, options.rounds)

    machine = describe(os.cpu_count() or 1)
    keep_to_one_core()
    peers, figures = Peers(), []
    if options.only != SUITE:
        try:
            figures.append(section("A step", steps_table(peers, options.only, seconds, rounds)))
        finally:
            peers.close()
        print(figures[-1])
    versions, skipped = {"Python": platform.python_version(), **peers.versions}, peers.skipped
    if options.only in ("", SUITE):
        lines, more, missing = suites_table(options.benchopt_python, rounds)
        versions, skipped = versions | more, skipped | missing
        figures.append(section("A suite", lines))
        print(figures[-1])
    figures.append(colophon(skipped, versions, machine, rounds))
    print(figures[-1])
    if options.output:
        written = options.output.read_text(encoding="utf-8") if options.output.exists() else ""
        options.output.write_text(renew(written, "\n".join(figures)), encoding="utf-8")


if __name__ == "__main__":
    main()
