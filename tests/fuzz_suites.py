"""A fuzzer of suite files: what it makes, and a program that feeds it to the command.

    python tests/fuzz_suites.py --count 20000 --seed 0

reads each file as `bench-ovp check FILE` does, in this process, and prints one line of JSON: how many files of each
kind ended how, the slowest, the peak of memory, and every file that broke the promise. The promise: exit 0, or 2
with one line that names the place; no traceback, no warning, no code run, nothing written; within 2 s of processor
time and 500 MB.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import random
import re
import resource
import signal
import string
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

SLOWEST = 2.0  # seconds of processor time for one file
LARGEST = 500  # MB for the process that reads them all
LONGEST = 5000  # characters of a message: it may name a path of 4096
STUCK = 30  # seconds of wall time after which a file is given up

GOOD = (
    """\
name: paper
problems:
  - teacher-neuron: {n: [2, 5], d: 20, sigma: 0.1}
  - toy-case-2: {lambdas: [0.2, 0.3]}
  - teacher-neuron: {w0: [[0.1, 0.2], [0.3, -0.1]], teacher_norm: 2}
optimizers:
  - gradient-descent: {lr: [0.05, 0.1]}
  - heavy-ball: {lr: 0.05, beta: 0.9, label: momentum}
  - nesterov: {tune: {lr: [0.02, 0.05]}}
  - gradient-flow
tuning: {seeds: [100, 101], horizon: {iterations: 10}}
seeds: 4
horizon: {iterations: 1e5, time: 5e3}
checkpoints: {per_decade: 20}
stop: {loss: 1e-28, wall: 10m, memory: 2GB}
overrides:
  - {cells: "* x momentum", horizon: {iterations: 2e4}}
  - {cells: "toy-case-2* x *", stop: {loss: 1e-20}}
""",
    """\
# a comment
name: 'blocks'
problems:
  - exact-neuron:
      d: 3
      w0: [start.npy]
  - toy-case-1
optimizers:
  - polyak-step
  - preconditioned-gradient-descent:
      lr: 0.5
      damping:
        - 0.5
        - 1
seeds:
  - 0
  - 7
horizon:
  evaluations: 1000
""",
)

KEYS = ("name", "problems", "optimizers", "seeds", "horizon", "checkpoints", "stop", "overrides", "plugins", "tuning")
INNER = ("iterations", "time", "evaluations", "per_decade", "loss", "wall", "memory", "cells", "label", "n", "d")
INNER += (
    "sigma",
    "w0",
    "lambdas",
    "lr",
    "beta",
    "damping",
    "power",
    "rtol",
    "tune",
    "seeds",
    "<<",
    "__class__",
    "self",
    "*",
)
PROBLEMS = {
    "teacher-neuron": ("n", "d", "sigma", "teacher_norm"), "exact-neuron": ("d", "sigma", "teacher_norm"),
    "toy-case-1": ("lambda1", "lambda2"), "toy-case-2": ("n",), "toy-case-3": ("n", "d", "sigma"),
}  # fmt: skip
OPTIMIZERS = {
    "gradient-descent": ("lr", "label"), "gradient-flow": ("rtol",), "heavy-ball": ("lr", "beta"), "nesterov": ("lr",),
    "polyak-step": ("label",),
}  # fmt: skip
GIVEN = {"label": ("a", "b c"), "beta": ("0.5", "[0, 0.9]"), "n": ("1", "[2, 3]"), "d": ("2", "[1, 4]", "1e1")}

NAMES = (
    *(
        "../../x",
        "a/b",
        "con",
        "NUL.txt",
        ".",
        "..",
        "...",
        "a.",
        "-a",
        "~",
        "$HOME",
        "%TEMP%",
        "a\\\\b",
        "/etc/passwd",
    ),
    *(
        "/etc/passwd",
        "'a b'",
        "'a:b'",
        '"a\\0b"',
        '"a\\nb"',
        '"a\\e[31mb"',
        "<script>alert(1)</script>",
        "']]>'",
        "é",
        "a" * 101,
    ),
    *(
        "b" * 5000,
        '"\\ud800"',
        '"\\U0010ffff"',
        "\u202egnp.exe",
        "trap.py",
        "__import__('os').system('true')",
        "'{{7*7}}'",
    ),
)
NUMBERS = (
    *("0", "-0", "-1", "1", "2.5", "-1e5", "1e400", "-1e400", "1e308", "1.7976931348623157e308", "1e-323", "5e-324"),
    *("9" * 19, "9" * 20, "9" * 400, "9" * 5000, "9223372036854775807", "1e18", "1e19", "1e12", "1e9", "2e6", "1e300"),
    *(".nan", ".inf", "-.inf", "nan", "inf", "0x10", "0o17", "1_000", "1:30", "1e", "e1", "+1", "1e+2", "1e-2", "١٢"),
)
OTHERS = (
    *("", "~", "null", "true", "no", "[]", "{}", "[[]]", "[{}]", "{a: b}", "[1, 2]", "[1, 1]", "[[1, 2], [3]]", "''"),
    *(
        "[[1, 2], [3, 4]]",
        "[a, 1]",
        "2020-01-01",
        "*",
        "&a b",
        "*a",
        "!!python/object/apply:os.system [true]",
        "!!str 1",
    ),
    *(
        "!!binary aGk=",
        "!<tag:%0A%1B[31m> a",
        "|\n  a\n  b",
        ">-\n  a",
        "- - - -",
        "'",
        '"',
        "[",
        "{",
        "? a",
        "@a",
        "`a`",
    ),
    *("10m", "0s", "9999999999h", "1e5s", "2GB", "0.0000001", "999999999TB", "-1GB", "1h1m1s", "[" * 40 + "]" * 40),
    *("start.npy", "[start.npy, start.npy]", "[start.npy, ./start.npy]", "fifo", "folder", "pickled.npy", "lying.npy"),
    *("empty-rows.npy", "overflowing.npy", "strange.npy", "archive.npz", "sparse.npy", "void.npy", "text.npy", "zero"),
    *("/dev/zero", "/dev/tty", "/dev/null", "/proc/self/mem", "/", "..", "p" * 300, "q" * 3000, "p/" * 500, "trap.py"),
    *("start.npy/x", "[trap.py]", "[text.npy]", "[folder]", f"[{'p' * 300}.py]", "['/dev/zero']", "['']", "[fifo]"),
)
VALUES = NAMES + NUMBERS + OTHERS
GLOBS = ("'*'", "'* x *'", "'?'", "'[a-z]*'", "'*a*a*a*a*a*a*a*a*b'", "'" + "*a" * 2000 + "'", "'" + "*?" * 500 + "'")


def write_armoury(folder: Path) -> None:
    """What the files may name: a good start, starts that are none, and a plug-in that tells if it was run."""
    import numpy as np

    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "start.npy", np.array([[0.5, 0.1, 0.2]]))
    (folder / "trap.py").write_text(f"from pathlib import Path\nPath({str(folder / 'sprung')!r}).touch()\n")
    (folder / "pickled.npy").write_bytes(pickle.dumps(np.eye(2)))
    with (folder / "void.npy").open("wb") as file:
        np.lib.format.write_array(file, np.array([[Path("x")]], dtype=object), allow_pickle=True)
    (folder / "text.npy").write_text("1 2\n3 4\n")
    np.savez(folder / "archive.npz", np.eye(2))
    headers = {
        "lying": "{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000, 1000), }",
        "empty-rows": "{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000, 0), }",
        "overflowing": "{'descr': '<f8', 'fortran_order': False, 'shape': (8589934592, 8589934592), }",
        "strange": "{'descr': '<f8', 'fortran_order': False, 'shape': ((((((",
    }
    for name, header in headers.items():
        (folder / f"{name}.npy").write_bytes(write_header(header) + bytes(64))
    with (folder / "sparse.npy").open("wb") as file:
        file.write(write_header("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000, 500), }"))
        file.truncate(file.tell() + 4_000_000_000)  # it holds what it says, and takes no room
    (folder / "folder").mkdir(exist_ok=True)
    if not (folder / "fifo").exists():
        os.mkfifo(folder / "fifo")
        (folder / "zero").symlink_to("/dev/zero")


def write_header(text: str) -> bytes:
    """The beginning of an .npy file whose header is `text`."""
    padded = text.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(padded).to_bytes(2, "little") + padded


def make_bytes(chance: random.Random) -> bytes:
    """Anything."""
    data = chance.randbytes(chance.choice((0, 1, 2, 5, 40, 300, 4000)))
    return chance.choice((b"", b"", b"\xef\xbb\xbf", b"\xff\xfe", b"name: a\n", b"%YAML 1.1\n---\n")) + data


def make_text(chance: random.Random) -> bytes:
    """What looks like YAML from afar."""
    letters = "ab1:-[]{}\"'&*!?|>%@#\\,. \n\t" + chance.choice(("", "\0", "\x1b", "é\u2028\u202e\x85", "\ufeff"))
    return "".join(chance.choices(letters, k=chance.choice((5, 30, 200)))).encode()


def make_words(chance: random.Random) -> bytes:
    """The words of a suite file in any order."""
    words = (*KEYS, *INNER, *PROBLEMS, *OPTIMIZERS, ":", ": ", "- ", "\n", "\n  ", "\n    ", "{", "}", "[", "]", ", ")
    return "".join(chance.choices((*words, *VALUES), k=chance.choice((5, 30, 100)))).encode()


def change_bytes(chance: random.Random) -> bytes:
    """A good file with bits flipped, bytes cut out or put in."""
    data = bytearray(chance.choice(GOOD).encode())
    for _ in range(chance.choice((1, 1, 2, 10))):
        data = data or bytearray(b"a")
        at = chance.randrange(len(data))
        match chance.randrange(4):
            case 0:
                data[at] ^= 1 << chance.randrange(8)
            case 1:
                del data[at : at + chance.randrange(1, 12)]
            case 2:
                data[at:at] = chance.choice(string.punctuation + " \n\t0e\0").encode() * chance.choice((1, 1, 3))
            case _:
                data = data[: at + 1]
    return bytes(data)


def change_lines(chance: random.Random) -> bytes:
    """A good file with lines left out, doubled, swapped, indented, or of the other file."""
    lines = chance.choice(GOOD).splitlines()
    for _ in range(chance.choice((1, 1, 2, 4))):
        at, other = chance.randrange(len(lines)), chance.randrange(len(lines))
        match chance.randrange(6):
            case 0:
                del lines[at]
            case 1:
                lines.insert(other, lines[at])
            case 2:
                lines[at], lines[other] = lines[other], lines[at]
            case 3:
                lines[at] = chance.choice((" ", "  ", "\t", "- ")) + lines[at]
            case 4:
                lines[at] = lines[at].strip()
            case _:
                lines.insert(at, chance.choice(chance.choice(GOOD).splitlines()))
        lines = lines or ["a"]
    return chance.choice(("\n", "\n", "\r\n", "\r")).join(lines).encode()


def change_values(chance: random.Random) -> bytes:
    """A good file with one scalar or one list replaced by what does not belong there."""
    text = chance.choice(GOOD)
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        places = list(re.finditer(r"(?<=: )[^{\[\n,}]+|\[[^\[\]]*\]|\{[^{}]*\}|(?<=- )[\w-]+", text))
        if places:
            place = chance.choice(places)
            text = text[: place.start()] + chance.choice(VALUES) + text[place.end() :]
    return text.encode(errors="replace")


def change_keys(chance: random.Random) -> bytes:
    """A good file with keys that are misspelt, moved, or of another mapping."""
    text = chance.choice(GOOD)
    for _ in range(chance.choice((1, 1, 2))):
        place = chance.choice(list(re.finditer(r"[\w-]+(?=:)", text)))
        letters = list(place[0])
        chance.shuffle(letters)
        put = chance.choice((*KEYS, *INNER, *PROBLEMS, "".join(letters), place[0].upper(), "k" * 4000, *NAMES))
        text = text[: place.start()] + put + text[place.end() :]
    return text.encode(errors="replace")


def encode_otherwise(chance: random.Random) -> bytes:
    """A good file in another encoding."""
    text = chance.choice(("", "# é\n", "# \u65e5\n")) + chance.choice(GOOD)
    codec = chance.choice(("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-7", "cp037", "utf-8-sig", "latin1"))
    return text.encode(codec, errors="replace")


def compose(chance: random.Random) -> bytes:
    """A suite from scratch, each part of it good or, now and then, anything."""

    def pick(good: tuple[str, ...], odds: float = 0.06) -> str:
        return chance.choice(VALUES) if chance.random() < odds else chance.choice(good)

    def item(names: dict[str, tuple[str, ...]]) -> str:
        name = chance.choice(list(names))
        keys = chance.sample(names[name], chance.randrange(len(names[name]) + 1))
        pairs = [f"{pick((key,), 0.02)}: {pick(GIVEN.get(key, ('1', '[1, 2]', '1e-3')))}" for key in keys]
        return f"{{{pick((name,), 0.02)}: {{{', '.join(pairs)}}}}}"

    parts = {
        "name": pick(("a", "paper", "2x")),
        "problems": ", ".join(item(PROBLEMS) for _ in range(chance.choice((1, 1, 3)))),
        "optimizers": ", ".join(item(OPTIMIZERS) for _ in range(chance.choice((1, 1, 3)))),
        "seeds": pick(("1", "3", "[0, 5]")),
        "horizon": f"{{iterations: {pick(('10', '1e5'))}, time: {pick(('1', '5e4'))}}}",
        "stop": f"{{loss: {pick(('0', '1e-9'))}, wall: {pick(('10m', '5'))}, memory: {pick(('1GB', '1e9'))}}}",
        "checkpoints": f"{{per_decade: {pick(('20', '1'))}}}",
        "overrides": f"[{{cells: {pick(GLOBS)}, stop: {{loss: {pick(('0', '1'))}}}}}]",
        "plugins": pick(("[text.npy]", "[none.py]", "[folder]")),
        "tuning": f"{{seeds: {pick(('[100]', '1e12', '[0, 7]'))}}}",
    }
    for key in ("problems", "optimizers"):
        parts[key] = f"[{parts[key]}]"
    chosen = [key for key in KEYS if key in KEYS[:5] or chance.random() < (0.02 if key == "plugins" else 0.25)]
    chance.shuffle(chosen)
    return "".join(f"{key}: {parts[key]}\n" for key in chosen if chance.random() < 0.98).encode(errors="replace")


def make_bomb(chance: random.Random) -> bytes:
    """What would fill the memory, or the night, if it were unfolded, counted or read to its end."""
    many = chance.choice((100, 3000, 40_000, 200_000, 290_000))
    axis = "[" + ", ".join(map(str, range(1, chance.choice((40, 1000, 15_000))))) + "]"
    head, tail = "name: a\n", "seeds: 1\nhorizon: {iterations: 9, time: 1}\n"
    lists = "problems: [toy-case-1]\noptimizers: [polyak-step]\n"
    grid = f"problems:\n- teacher-neuron: {{n: {axis}, d: {axis}, sigma: {axis}}}\n"
    grid += f"optimizers: [nesterov: {{lr: {axis}}}]\n"
    counts = ("1e12", "9e18", "2000000", "[" + "1, " * 9999 + "1]")
    laughs = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"{b}: &{b} [{', '.join(['*' + a] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
    )
    bombs: tuple[Callable[[], str], ...] = (
        lambda: laughs + head + lists + tail,
        lambda: head + grid + tail,
        lambda: head + grid + tail.replace("1", chance.choice(counts), 1),
        lambda: head + lists + tail.replace("9", "9" * many),
        lambda: head + lists + "seeds: [" + ",".join(map(str, range(many // 7))) + "]\nhorizon: {iterations: 9}\n",
        lambda: head + lists + "seeds: [" + "1," * (many // 2) + "1]\nhorizon: {iterations: 9}\n",
        lambda: head + "problems:\n" + "- toy-case-1\n" * (many // 12) + "optimizers: [polyak-step]\n" + tail,
        lambda: head + "problems:\n" + "- bowl\n" * (many // 8) + "optimizers: [polyak-step]\n" + tail,
        lambda: head + "problems:\n- teacher-neuron: {w0: [" + "start.npy, " * (many // 12) + "start.npy]}\n" + tail,
        lambda: head + "problems:\n- toy-case-2: {lambdas: [" + "0.5, " * (many // 6) + "0.5]}\n"
        + "optimizers: [polyak-step]\n" + tail,
        lambda: head + f"problems:\n- toy-case-1: {{lambda1: {axis}, lambda2: {axis[:4000].rpartition(',')[0]}]}}\n"
        + "optimizers: [polyak-step]\noverrides:\n" + "- {cells: '*4] x *', stop: {loss: 1}}\n" * 99 + tail,
        lambda: head + lists + tail + "overrides:\n" + "- {cells: '*', stop: {loss: 1}}\n" * (many // 40),
        lambda: head + "problems: [toy-case-1]\noptimizers:\n- nesterov: {tune: {lr: ["
        + "0.5, " * (many // 6) + "1]}}\ntuning: {seeds: [9]}\n" + tail,
        lambda: head + f"problems: [toy-case-1]\noptimizers:\n- heavy-ball: {{tune: {{lr: {axis}, beta: {axis}}}}}\n"
        + "tuning: {seeds: [9]}\n" + tail,
        lambda: head + f"problems: [toy-case-1]\noptimizers:\n- nesterov: {{tune: {{lr: {axis}}}}}\n"
        + "tuning: {seeds: [" + ",".join(map(str, range(many // 7, 0, -1))) + "]}\nseeds: [" + ",".join(
            map(str, range(many // 7 + 1, many // 7 + 99))) + "]\nhorizon: {iterations: 9}\n",
        lambda: "".join(f"k{i}: 1\n" for i in range(many // 12)),
        lambda: "".join(f"{'seed' * 50}{i}: 1\n" for i in range(many // 210)),
        lambda: "[" * many,
        lambda: "{a: " * (many // 4),
        lambda: "- " * (many // 2),
        lambda: "? " * (many // 2),
        lambda: "a: [" + "{}," * (many // 3) + "]",
        lambda: "%F b\n" * (many // 5) + "--- a\n",
        lambda: "#" + "\n#" * (many // 2),
        lambda: "a: >\n" + " b\n" * (many // 3),
        lambda: "a: '" + "b\n\n" * (many // 3) + "'",
        lambda: 'a: "' + "\\x41" * (many // 4) + '"',
        lambda: "a: " + "b " * (many // 2),
        lambda: "!" + "%41" * (many // 3) + " b",
        lambda: "&" + "a" * many + " b",
        lambda: "a" * many + ": 1",
        lambda: head + "problems: [" + "a" * min(many, 4000) + "]\n",
        lambda: "x" * 299_999 + "é" * many,
    )  # fmt: skip
    return chance.choice(bombs)().encode()


KINDS: dict[str, Callable[[random.Random], bytes]] = {
    "bytes": make_bytes, "text": make_text, "words": make_words, "flipped": change_bytes, "lines": change_lines,
    "values": change_values, "keys": change_keys, "encoding": encode_otherwise, "composed": compose, "bomb": make_bomb,
}  # fmt: skip
WEIGHTS = (8, 8, 8, 14, 14, 18, 8, 2, 18, 2)


def make_suites(count: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """`count` files with the kind of each, the same for the same seed."""
    for place in range(count):
        chance = random.Random(f"{seed}-{place}")
        kind = chance.choices(list(KINDS), WEIGHTS)[0]
        yield kind, KINDS[kind](chance)


def find_fault(code: int, stdout: str, stderr: str, name: str) -> str | None:
    """What of the promise was broken by a command that ended so."""
    if code == 0:
        return None if "nothing is wrong with it" in stdout and not stderr else f"exit 0, but said {stderr[:200]!r}"
    if code != 2:
        return f"exit {code}: {stderr[-300:]!r}"
    message = stderr.removesuffix("\n")
    if not message.isprintable():
        return f"not one line: {message[:300]!r}"
    if not re.match(rf"bench-ovp: \S*{re.escape(name)}:\d+:\d+: ", message):
        return f"names no place: {message[:300]!r}"
    return f"a message of {len(message)} characters" if len(message) > LONGEST else None


def read_in_process(path: Path) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of `bench-ovp check PATH`."""
    from click.testing import CliRunner

    from bench_ovp.cli import main

    done = CliRunner().invoke(main, ["check", str(path)])
    error = done.exception
    if error is not None and not isinstance(error, SystemExit):
        return 1, done.stdout, f"{type(error).__name__}: {error}"
    return done.exit_code, done.stdout, done.stderr


def raise_stuck(*_: object) -> None:
    """What the alarm does."""
    raise TimeoutError(f"not done after {STUCK} s")


def feed(count: int, seed: int, folder: Path) -> dict[str, Any]:
    """Read `count` files; what became of them."""
    write_armoury(folder)
    path = folder / "suite.yaml"
    path.write_text(GOOD[0])
    assert read_in_process(path)[0] == 0, "a good file must plan"
    before = sorted(p.name for p in folder.iterdir())
    exits: Counter[str] = Counter()
    faults: list[str] = []
    slowest = (0.0, "")
    signal.signal(signal.SIGALRM, raise_stuck)
    warnings.simplefilter("error")
    for place, (kind, data) in enumerate(make_suites(count, seed)):
        path.write_bytes(data)
        began = time.process_time()
        signal.alarm(STUCK)
        code, stdout, stderr = read_in_process(path)
        signal.alarm(0)
        seconds = time.process_time() - began
        exits[f"{kind} {code}"] += 1
        slowest = max(slowest, (seconds, f"{place} ({kind})"))
        fault = find_fault(code, stdout, stderr, path.name)
        if seconds > SLOWEST:
            fault = f"{seconds:.1f} s, {fault or stderr[:200]}"
        if fault:
            faults.append(f"{place} ({kind}): {fault}")
    if sorted(p.name for p in folder.iterdir()) != before:
        faults.append(f"it wrote {sorted({p.name for p in folder.iterdir()} - set(before))}")
    peak = tell_peak()
    if peak > LARGEST:
        faults.append(f"{peak:.0f} MB")
    return {"count": count, "exits": dict(sorted(exits.items())), "slowest": slowest, "peak_mb": peak, "faults": faults}


def tell_peak() -> float:
    """MB that this process has held at most. The system's own count would begin with what its parent held."""
    for line in Path("/proc/self/status").read_text().splitlines() if sys.platform == "linux" else ():
        if line.startswith("VmHWM:"):
            return float(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Feed files, print what became of them, and end with 1 if a promise was broken."""
    import tempfile

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        told = feed(asked.count, asked.seed, Path(folder).resolve() / "armoury")
    print(json.dumps(told))
    sys.exit(1 if told["faults"] else 0)


if __name__ == "__main__":
    main()
