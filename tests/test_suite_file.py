"""Suite files: what they mean, and the one line that a mistake gets."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from bench_ovp.checkpoints import Horizon, StopRule
from bench_ovp.errors import InputError
from bench_ovp.optimizers import DriverMethod, StepMethod
from bench_ovp.parameters import Count, Fraction, Matrix, Positive, Vector
from bench_ovp.registry import Registry
from bench_ovp.suite import EXAMPLES, Suite, matches, read_suite


class Bowl:
    """A bowl."""

    name = "bowl"

    def __init__(self, n: Count = 2, d: Count = 3, lambdas: Vector | None = None, w0: Matrix | None = None) -> None:
        if n > 100:
            raise ValueError("n may be 100 at most")

    def start(self, seeds):
        return np.zeros((len(seeds), 2, 3))

    def loss(self, w):
        return np.zeros(len(w))

    def grad(self, w):
        return w


class Valley(Bowl):
    """A valley, whose width must be given."""

    name = "valley"

    def __init__(self, width: Positive) -> None:
        pass


def descend(oracle, w, state, k, lr: Positive = 0.1):
    """Go down."""
    return w, state


def roll(oracle, w, state, k, lr: Positive, beta: Fraction = 0.9):
    """Roll down."""
    return w, state


def flow(oracle, w, checkpoints, rtol: Positive = 1e-8):
    """Flow down."""


METHODS = (StepMethod("descent", descend), StepMethod("ball", roll), DriverMethod("flow", flow, clock="time"))
REGISTRY = Registry({"bowl": Bowl, "valley": Valley}, {m.name: m for m in METHODS}, ())

GOOD = """\
name: paper
problems:
  - bowl: {n: [2, 5], d: [3, 1e1]}
optimizers:
  - descent
  - ball: {lr: 1e-1, label: momentum}
  - flow
seeds: 3
horizon: {iterations: 1e6, time: 5e4}
stop: {loss: 1e-28, wall: 1h30m}
overrides:
  - {cells: "* x descent", horizon: {iterations: 100}, stop: {wall: 5}}
  - {cells: "bowl[n=5,*] x *", horizon: {evaluations: 2e3}}
"""


def read(folder: Path, text: str | bytes) -> Suite:
    path = folder / "suite.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_suite(path, REGISTRY)


def small(problem: str = "bowl", optimizer: str = "descent") -> str:
    lists = f"problems:\n  - {problem}\noptimizers:\n  - {optimizer}\n"
    return f"name: a\n{lists}seeds: 1\nhorizon: {{iterations: 9}}\n"


def labels(folder: Path, problem: str) -> list[str]:
    return [p.label for p in read(folder, small(problem)).problems]


def test_a_suite_is_read(tmp_path):
    suite = read(tmp_path, GOOD)
    assert suite.name == "paper"
    assert suite.text == GOOD
    assert [p.label for p in suite.problems] == [f"bowl[n={n},d={d}]" for n in (2, 5) for d in (3, 10)]
    assert [o.label for o in suite.optimizers] == ["descent", "momentum", "flow"]
    assert suite.optimizers[1].parameters == {"lr": 0.1, "beta": 0.9}
    assert suite.seeds == (0, 1, 2)
    assert suite.horizon == Horizon(iterations=1_000_000, time=5e4)
    assert isinstance(suite.horizon.iterations, int)
    assert suite.stop == StopRule(loss=1e-28, wall=5400)
    assert suite.per_decade == 20


def test_later_overrides_win_key_by_key(tmp_path):
    suite = read(tmp_path, GOOD)
    assert suite.rules("bowl[n=2,d=3]", "flow") == (suite.horizon, suite.stop)
    horizon, stop = suite.rules("bowl[n=5,d=3]", "descent")
    assert horizon == Horizon(iterations=100, time=5e4, evaluations=2000)
    assert stop == StopRule(loss=1e-28, wall=5)
    again = read(tmp_path, GOOD + '  - {cells: "*", horizon: {iterations: 7}}\n')
    assert again.rules("bowl[n=5,d=3]", "descent")[0] == Horizon(7, 5e4, 2000)


def test_a_flow_may_get_its_time_from_an_override(tmp_path):
    text = small(optimizer="flow") + 'overrides: [{cells: "* x flow", horizon: {time: 1e2}}]\n'
    assert read(tmp_path, text).rules("bowl", "flow")[0].time == 100


@pytest.mark.parametrize(
    ("glob", "covered"),
    [
        ("bowl[[]n=5] x flow", False),
        ("bowl[n=5] x flow", True),
        ("bowl[n=?] x *", True),
        ("*[n=5]*", True),
        ("bowl*", True),
        ("[b]owl*", False),
        ("bowl", False),
        ("Bowl*", False),
        ("*]*x*w", True),
    ],
)
def test_globs_take_brackets_literally(glob, covered):
    assert matches(glob, "bowl[n=5] x flow") is covered


def test_vectors_are_values_and_lists_of_vectors_grids(tmp_path):
    assert labels(tmp_path, "bowl: {lambdas: [0.2, 3]}") == ["bowl[lambdas=[0.2,3]]"]
    both = ["bowl[lambdas=[0.2],n=1]", "bowl[lambdas=[1,2],n=1]"]
    assert labels(tmp_path, "bowl: {lambdas: [[0.2], [1, 2]], n: 1}") == both


def test_a_start_may_be_a_list_a_path_or_a_grid_of_them(tmp_path):
    np.save(tmp_path / "w.npy", [[1, 2], [3, 4]])
    (listed,) = labels(tmp_path, "bowl: {w0: [[1, 2], [3, 4]]}")
    (stored,) = labels(tmp_path, "bowl: {w0: w.npy}")
    assert listed == stored
    assert re.fullmatch(r"bowl\[w0=[0-9a-f]{8}\]", stored)
    grid = labels(tmp_path, "bowl: {w0: [w.npy, [[5, 6], [7, 8]]]}")
    assert grid[0] == stored
    assert len(set(grid)) == 2


def test_paths_are_relative_to_the_file(tmp_path, monkeypatch):
    (tmp_path / "suites").mkdir()
    np.save(tmp_path / "suites" / "w.npy", np.eye(2))
    (tmp_path / "suites" / "a.yaml").write_text(small("bowl: {w0: w.npy}"))
    monkeypatch.chdir(tmp_path)
    (problem,) = read_suite(Path("suites/a.yaml"), REGISTRY).problems
    assert problem.given["w0"].is_absolute()


@pytest.mark.parametrize(
    ("written", "value"),
    [("1e6", 1_000_000), ("1E+3", 1000), ("5.", 5), ("+7", 7), ("1.5e1", 15), ("0.4e1", 4), (".5e1", 5)],
)
def test_numbers_however_written(tmp_path, written, value):
    suite = read(tmp_path, small().replace("iterations: 9", f"iterations: {written}"))
    assert suite.horizon.iterations == value


@pytest.mark.parametrize("word", ["yes", "no", "0o17", "017", "0x1F", "1_000", "1:30", "2020-01-01", "inf", "1e"])
def test_what_only_looks_like_more_is_text(tmp_path, word):
    assert read(tmp_path, small(optimizer=f"descent: {{label: {word}}}")).optimizers[0].label == word


def test_seeds_may_be_listed(tmp_path):
    assert read(tmp_path, small().replace("seeds: 1", "seeds: [7, 0, 1e3]")).seeds == (7, 0, 1000)


@pytest.mark.parametrize(
    ("written", "seconds"), [("10m", 600), ("30s", 30), ("2h", 7200), ("0.5h1s", 1801), ("1e2", 100)]
)
def test_spans_of_time(tmp_path, written, seconds):
    assert read(tmp_path, small() + f"stop: {{wall: {written}}}\n").stop == StopRule(wall=seconds)


@pytest.mark.parametrize("item", ["bowl", "bowl:", "bowl: {}", "'bowl'"])
def test_no_parameters(tmp_path, item):
    assert labels(tmp_path, item) == ["bowl"]


def test_windows_line_ends_and_a_byte_order_mark(tmp_path):
    assert read(tmp_path, b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode()).name == "paper"


def swapped(old: str, new: str) -> str:
    assert GOOD.count(old) == 1, old
    return GOOD.replace(old, new)


# What is wrong, the file, where it says so, and words of the message: the fault and the remedy.
BROKEN = [
    ("empty", "", "1:1", "empty; begin"),
    ("only a comment", "# nothing\n", "1:1", "empty; begin"),
    ("a list", "- a\n", "1:1", "a suite must be a mapping, not a list; begin with name: paper"),
    ("a text", "paper\n", "1:1", "a mapping, not 'paper'"),
    ("two documents", GOOD + "---\nname: b\n", "14:1", "split the file"),
    ("a tab", "name: a\nproblems:\n\t- bowl\n", "3:1", "indent with spaces"),
    ("an open bracket", "name: a\nproblems: [bowl\nseeds: 1\n", "3:6", "quotes and brackets"),
    ("a NUL", "name: a\nseeds: \0\n", "2:8", "U+0000 is not allowed; remove"),
    ("not UTF-8", b"name: \xc3\xa4 \xe4\n", "1:9", "save it as UTF-8"),
    ("an escape beyond Unicode", 'name: "\\UFFFFFFFF"\n', "1:10", "no such character or number; remove"),
    ("an escaped NUL", 'name: "\\0"\n', "1:7", "does not print; remove"),
    ("an alias", "name: &a b\nproblems: *a\n", "1:7", "anchors are not read; remove &a"),
    ("an undefined alias", "name: *a\n", "1:7", "write the value out"),
    ("an unquoted glob", "name: a\nproblems: * x flow\n", "2:12", "quote a text that begins with *"),
    ("a tag", "name: !!python/name:os.system x\n", "1:7", "tags are not read; remove"),
    ("a merge key", "name: a\n<<: {seeds: 1}\n", "2:1", "write the keys out"),
    ("a list as a key", "? [a, b]\n: 1\n", "1:3", "a key must be a name"),
    ("a key twice", GOOD + "name: b\n", "14:1", "'name' is on line 1 already; remove one"),
    ("a parameter twice", swapped("n: [2, 5]", "n: 2, n: 5"), "3:18", "'n' is on line 3 already"),
    ("a misspelt key", swapped("seeds: 3", "sedes: 3"),
     "8:1", "unknown key 'sedes'; did you mean 'seeds'? (and 1 more)"),
    ("a misspelt key inside", swapped("iterations: 1e6", "iteratons: 1e6"),
     "9:11", "did you mean 'iterations'?"),
    ("no name", swapped("name: paper\n", ""), "1:1", "no name; write name: paper"),
    ("no problems", "name: a\nseeds: 1\noptimizers: [flow]\nhorizon: {time: 1}\n",
     "1:1", "no problems; write problems: ["),
    ("no seeds", swapped("seeds: 3\n", ""), "1:1", "no seeds; write seeds: 16"),
    ("no horizon", swapped("horizon: {iterations: 1e6, time: 5e4}\n", ""),
     "1:1", "write horizon: {iterations: 1e5}"),
    ("an empty horizon", swapped("{iterations: 1e6, time: 5e4}", "{}"),
     "9:10", "write horizon: {iterations: 1e5}"),
    ("a horizon that is a number", swapped("{iterations: 1e6, time: 5e4}", "1e6"), "9:10", "a mapping"),
    ("half an iteration", swapped("1e6", "2.5"),
     "9:23", "a whole number from 1, not 2.5; write iterations: 1e6"),
    ("quoted iterations", swapped("1e6", "'1e6'"), "9:23", "not '1e6'; write iterations: 1e6"),
    ("iterations: true", swapped("1e6", "true"), "9:23", "not True"),
    ("no iterations", swapped("1e6", "0"), "9:23", "from 1, not 0"),
    ("an infinite time", swapped("5e4", ".inf"), "9:34", "not finite; write a finite number"),
    ("an overflowing time", swapped("5e4", "1e999"), "9:34", "below 1e308"),
    ("a negative time", swapped("5e4", "-1"), "9:34", "a positive number, not -1; write time: 5e4"),
    ("a huge integer", swapped("1e6", "9" * 5000), "9:23", "shorten"),
    ("a large integer", swapped("1e6", "9" * 50), "9:23", "write it with an exponent"),
    ("no folder name", swapped("paper", "../x"),
     "1:7", "fit to name a folder, not '../x'; write name: paper"),
    ("a name that ends in a dot", swapped("paper", "a."), "1:7", "fit to name a folder"),
    ("a long name", swapped("paper", "a" * 101), "1:7", "at most 100"),
    ("a number as a name", swapped("paper", "2024"), "1:7", "a text (in quotes"),
    ("no seeds at all", swapped("seeds: 3", "seeds: 0"), "8:8", "from 1, not 0; write seeds: 16"),
    ("a seed twice", swapped("seeds: 3", "seeds: [1, 2, 1]"), "8:15", "seed 1 is given twice; remove"),
    ("a negative seed", swapped("seeds: 3", "seeds: [1, -2]"), "8:12", "from 0, not -2"),
    ("too many runs", swapped("seeds: 3", "seeds: 1e12"),
     "3:5", "1,000,000,000,000 seeds are too many; shorten"),
    ("a checkpoint per femto-decade", GOOD + "checkpoints: {per_decade: 1e15}\n", "14:27", "from 1 to 1000"),
    ("no span of time", swapped("1h30m", "soon"),
     "10:27", "a positive span of time, not 'soon'; write wall: 10m"),
    ("a clock", swapped("1h30m", "1:30"), "10:27", "write wall: 10m"),
    ("an empty span", swapped("1h30m", "''"), "10:27", "write wall: 10m"),
    ("a negative loss", swapped("1e-28", "-1"), "10:14", "not negative"),
    ("an unknown problem", swapped("- bowl", "- bowel"),
     "3:5", "unknown problem 'bowel'; did you mean 'bowl'?"),
    ("an unknown optimizer", swapped("- flow", "- folw"), "7:5", "did you mean 'flow'?"),
    ("no list", "name: a\nproblems: bowl\n",
     "2:11", "problems must be a list with at least one item, not 'bowl'; write"),
    ("a number as a problem", small("12"), "3:5", "a problem must be a name, not 12; write NAME"),
    ("parameters not indented", small("bowl:\n    n: 5"), "4:5", "a second key in one problem"),
    ("parameters in a list", small("bowl: [5]"), "3:11", "a mapping, not a list"),
    ("an unknown parameter", small("bowl: {m: 5}"), "3:12", "no parameter 'm'; known: d, lambdas, n, w0"),
    ("a label for a problem", small("bowl: {label: b}"), "3:12", "no parameter 'label'"),
    ("a bad parameter", small("bowl: {n: 2.5}"), "3:15", "n = 2.5: input should be a valid integer"),
    ("a bad point of a grid", small("bowl: {n: [2, 0]}"),
     "3:19", "n = 0: input should be greater than or equal to 1"),
    ("a mapping as a parameter", small("bowl: {n: {a: 1}}"), "3:15", "input should be a valid integer"),
    ("an empty grid", small("bowl: {n: []}"), "3:15", "the grid of n is empty; give a value"),
    ("half a grid", small("bowl: {lambdas: [[1], 2]}"), "3:27", "input should be a valid list"),
    ("a missing parameter", small("valley"), "3:5", "valley needs a value for 'width'"),
    ("what the problem refuses", small("bowl: {n: 500}"), "3:5", "n may be 100 at most"),
    ("no such matrix", small("bowl: {w0: none.npy}"), "3:16", "none.npy as an .npy file: No such file"),
    ("not a matrix", small("bowl: {w0: suite.yaml}"), "3:16", "as an .npy file"),
    ("a label for a grid", small(optimizer="ball: {lr: [1, 2], label: b}"), "5:24", "list them one by one"),
    ("an empty label", small(optimizer="ball: {lr: 1, label: ''}"), "5:26", "write label: momentum"),
    ("a problem twice", small("bowl: {n: 2}\n  - bowl: {n: 2.0}"),
     "4:5", "bowl[n=2] is on line 3 already; remove"),
    ("an optimizer twice", small(optimizer="descent\n  - descent"),
     "6:5", "line 5 already; remove one of the two, or give"),
    ("a label twice", small(optimizer="descent\n  - flow: {label: descent}"),
     "6:5", "descent is on line 5 already"),
    ("a point twice", small("bowl: {n: [2, 3, 2]}"), "3:5", "bowl[n=2] is on line 3 already"),
    ("a flow without time", small(optimizer="flow"), "7:10", "flow is a flow and ends at a time; add one"),
    ("a glob for nothing", swapped("* x descent", "* x newton"),
     "12:13", "no cell matches '* x newton'; a cell is called"),
    ("an override of nothing", GOOD + '  - {cells: "*"}\n',
     "14:5", "needs cells, and horizon or stop; write"),
    ("an override of no cells", GOOD + "  - {stop: {loss: 1}}\n", "14:5", "needs cells"),
    ("deep nesting", "name: " + "[" * 5000 + "]" * 5000, "1:18", "nested more than 12 levels"),
    ("deep nesting by dashes", "- " * 5000 + "a", "1:25", "nested more than 12 levels"),
    ("a version beyond numbers", f"%YAML {'9' * 5000}.1\n---\nname: a\n", "1:7", "remove it"),
    ("a file too large", "#" * 1_000_001, "1:1", "keep large starts in .npy files"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "place", "words"), [b[1:] for b in BROKEN], ids=[b[0] for b in BROKEN])
def test_a_mistake_gets_one_line(tmp_path, text, place, words):
    with pytest.raises(InputError) as caught:
        read(tmp_path, text)
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / 'suite.yaml'}:{place}: "), message
    assert words in message
    assert "\n" not in message
    assert len(message) < 600


def test_a_missing_file_and_a_directory(tmp_path):
    with pytest.raises(InputError, match=r"none\.yaml:1:1: there is no such file; check"):
        read_suite(tmp_path / "none.yaml", REGISTRY)
    with pytest.raises(InputError, match=r":1:1: this is a directory; name a file"):
        read_suite(tmp_path, REGISTRY)


@pytest.mark.parametrize("matrix", [np.ones(3), np.array([["a"]]), np.array([[np.nan]]), np.array([[{}]])])
def test_a_start_that_is_no_matrix(tmp_path, matrix):
    np.save(tmp_path / "w.npy", matrix)
    with pytest.raises(InputError, match=r"suite\.yaml:3:16: .*w\.npy"):
        read(tmp_path, small("bowl: {w0: w.npy}"))


def test_an_archive_is_no_matrix(tmp_path):
    np.savez(tmp_path / "w.npz", np.eye(2))
    with pytest.raises(InputError, match=r"suite\.yaml:3:16: .*w\.npz"):
        read(tmp_path, small("bowl: {w0: w.npz}"))


def test_a_bomb_costs_nothing(tmp_path):
    axes = ", ".join(str(k) for k in range(1, 100))
    many = small(f"bowl: {{n: [{axes}], d: [{axes}]}}").replace("seeds: 1", "seeds: 9e18")
    with pytest.raises(InputError, match="9,801 problems x 1 optimizers x 9,000,000,000,000,000,000 seeds"):
        read(tmp_path, many)


def read_or_refuse(folder: Path, text: str | bytes) -> None:
    try:
        suite = read(folder, text)
    except InputError as error:
        message = str(error)
    else:
        assert suite.problems
        assert suite.optimizers
        assert suite.seeds
        return
    assert re.match(rf"{re.escape(str(folder / 'suite.yaml'))}:\d+:\d+: [^\n]+\Z", message)


texts = ["", "bowl", "flow", "ball", "w.npy", "a.b", "*", "10m", "é", "\n", "\x07"]
scalars = st.sampled_from([None, True, 0, 1, -1, 3, 2.5, 1e300, 10**30, float("nan"), *texts])
inner = ["bowl", "ball", "flow", "n", "w0", "lambdas", "lr", "<<"]
keys = st.sampled_from([*EXAMPLES, *inner])
trees = st.recursive(scalars, lambda t: st.lists(t, max_size=3) | st.dictionaries(keys, t, max_size=4), max_leaves=20)
shapes = {
    "name": st.just("a"),
    "problems": st.lists(st.just("bowl") | st.fixed_dictionaries({"bowl": trees}), min_size=1, max_size=3),
    "optimizers": st.lists(st.sampled_from(["flow", "descent"]) | trees, min_size=1, max_size=3),
    "seeds": st.integers(-1, 5) | trees,
    "horizon": st.just({"iterations": 10, "time": 1.0}) | trees,
    "overrides": st.lists(st.fixed_dictionaries({"cells": st.just("*"), "stop": trees}), max_size=2),
}
ROUNDS = settings(max_examples=150, deadline=None, derandomize=True, database=None)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("random")


@ROUNDS
@given(data=st.binary(max_size=200) | st.text(st.sampled_from("ab1:-[]{}\"'&*!?|>%@#\\,. \n\t"), max_size=60))
def test_random_bytes(folder, data):
    read_or_refuse(folder, data)


@ROUNDS
@given(tree=trees | st.fixed_dictionaries(shapes))
def test_random_structure(folder, tree):
    read_or_refuse(folder, yaml.safe_dump(tree, allow_unicode=True))


@ROUNDS
@given(at=st.integers(0, len(GOOD)), cut=st.integers(0, 8), put=st.text("[]{}:,-*&!'\"0e \n", max_size=3))
def test_a_good_file_with_a_slip(folder, at, cut, put):
    read_or_refuse(folder, GOOD[:at] + put + GOOD[at + cut :])
