"""What is printed: aligned, no wider than the terminal, and plain where there is none."""

from __future__ import annotations

import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
from fcntl import ioctl

import pytest

from bench_ovp.layout import BOLD, RED, STYLE, columns, lay_out, style

TABLE = columns(
    [("lr", "= 0.05", "step size, units of time per iteration"), ("momentum", "= 0.9", "in [0, 1)")], indent="  "
)


def test_columns_stand_side_by_side_where_there_is_no_terminal():
    assert lay_out(f"head\n{TABLE}\n", None, False).split("\n") == [
        "head",
        "  lr        = 0.05  step size, units of time per iteration",
        "  momentum  = 0.9   in [0, 1)",
        "",
    ]


def test_the_last_column_is_folded_under_itself():
    assert lay_out(TABLE, 48, False).split("\n") == [
        "  lr        = 0.05  step size, units of time per",
        "                    iteration",
        "  momentum  = 0.9   in [0, 1)",
    ]


def test_what_has_no_room_beside_the_rest_stands_below():
    rows = [("1", "a-long-label-of-an-optimizer", "t^-3", "agrees"), ("2=", "short", "exp(-t)", "")]
    assert lay_out(columns(rows), 36, False).split("\n") == [
        "1   a-long-label-of-an-optimizer",
        "    t^-3  agrees",
        "2=  short",
        "    exp(-t)",
    ]


def test_a_rank_is_not_left_alone():
    assert lay_out(columns([("1", "x" * 60, "law")]), 40, False).split("\n") == ["1  " + "x" * 60, "    law"]


@pytest.mark.parametrize("room", [40, 60, 80, 120])
def test_no_line_is_wider_than_the_room_and_no_word_is_lost(room):
    rows = [[f"name{k}", "= 1", " ".join(f"word{j}" for j in range(k))] for k in range(0, 40, 7)]
    text = f"{' '.join(f'prose{k}' for k in range(30))}\n{columns(rows, indent='  ')}\n\n  an indented line {'x ' * 50}"
    told = lay_out(text, room, False)
    assert max(map(len, told.split("\n"))) <= room
    assert told.split() == text.split()
    indented = told[told.index("  an indented") :].split("\n")
    assert all(line.startswith("  ") for line in indented)


def test_styles_take_no_room_and_go_where_they_are_not_wanted():
    rows = [(style("1", RED), style("agrees", BOLD)), ("22", "not")]
    plain = lay_out(columns(rows), 40, False)
    assert plain == "1   agrees\n22  not"
    coloured = lay_out(columns(rows), 40, True)
    assert STYLE.sub("", coloured) == plain
    assert coloured != plain
    assert style("", BOLD) == ""


def test_no_rows():
    assert lay_out(columns([], indent="  "), 40, False) == "  (none)"


def on_a_terminal(width: int, *words: str, **changes: str) -> str:
    """What a command prints on a terminal of that width."""
    ours, theirs = pty.openpty()
    ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, width, 0, 0))
    kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS", "LINES")}
    command = [sys.executable, "-m", "bench_ovp.cli", *words]
    environment = kept | {"TERM": "xterm-256color"} | changes
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, close_fds=True)
    os.close(theirs)
    told = b""
    try:
        while select.select([ours], [], [], 120)[0] and (part := os.read(ours, 65536)):
            told += part
    except OSError:  # EIO: the other side is closed
        pass
    assert process.wait(timeout=60) == 0, told
    os.close(ours)
    return told.decode().replace("\r\n", "\n")


def test_list_on_a_terminal_and_without_colour():
    coloured = on_a_terminal(60, "list")
    assert "\x1b[1mproblems\x1b[0m" in coloured
    for told in (coloured, on_a_terminal(60, "list", NO_COLOR="1"), on_a_terminal(60, "list", TERM="dumb")):
        assert max(len(STYLE.sub("", line)) for line in told.split("\n")) <= 60
        assert ("\x1b" in told) == (told is coloured)
        assert re.search(r"^  polyak-step +\S", STYLE.sub("", told), re.MULTILINE)


def test_where_there_is_no_terminal_there_is_no_colour_and_no_fold(command, tmp_path):
    told = command("list", cwd=tmp_path, COLUMNS=40, FORCE_COLOR=1)
    assert "\x1b" not in told.stdout
    assert max(map(len, told.stdout.split("\n"))) > 80
