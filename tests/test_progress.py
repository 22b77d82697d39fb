"""What a log says of the time that is left."""

from __future__ import annotations

import time

import pytest

from bench_ovp.progress import Reporting


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still until it is told to go on."""
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def test_what_is_left_is_told_from_the_pace_so_far(clock, capsys):
    with Reporting() as progress:
        progress.begin(cells=3, done=1, weight=10.0)
        clock[0] += 4.0
        progress.advanced("a", 2.0, True, 0.0)
        assert capsys.readouterr().err.splitlines() == ["1 of 3 cells are stored already", "[2/3] a  (about 16 s left)"]
        clock[0] += 300.0
        progress.advanced("b", 8.0, True, 0.0)
        assert capsys.readouterr().err == "[3/3] b  (5 min 04 s spent)\n"


def test_compiling_is_not_taken_for_the_pace(clock, capsys):
    with Reporting() as progress:
        progress.begin(cells=2, done=0, weight=100.0)
        clock[0] += 31.0
        progress.advanced("a", 10.0, True, 30.0)
        assert capsys.readouterr().err == "[1/2] a  (about 9 s left)\n"
        progress.begin(cells=2, done=1, weight=90.0)  # what is tuned begins anew
        clock[0] += 1.0
        progress.advanced("b", 45.0, True, 0.0)
        assert capsys.readouterr().err.splitlines()[-1] == "[2/2] b  (about 1 s left)"
