"""A suite file is data: it runs nothing, writes nowhere else, exhausts nothing, and stays text in the report."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import pickle
import re
import resource
import time
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from fuzz_suites import NAMES, write_armoury, write_header
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from report_tables import PROBLEMS, make_suite

from bench_ovp import suite as suite_file
from bench_ovp.errors import InputError
from bench_ovp.matrices import LARGEST_MATRIX, load_matrix
from bench_ovp.registry import installed
from bench_ovp.report import draw_report
from bench_ovp.report.chart import compact, drawing, render
from bench_ovp.report.labels import clip, slug
from bench_ovp.report.page import render_page
from bench_ovp.report.tables import gather
from bench_ovp.suite import MOST_CELLS, MOST_NUMBERS, MOST_POINTS, matches, read_suite
from bench_ovp.yaml_nodes import LARGEST_FILE, MOST_VALUES, parse

HEAD = "name: a\n"
TAIL = "seeds: 1\nhorizon: {iterations: 9}\n"
LISTS = "problems: [toy-case-1]\noptimizers: [polyak-step]\n"


def read(folder: Path, text: str) -> suite_file.Suite:
    path = folder / "suite.yaml"
    path.write_text(text)
    return read_suite(path, installed())


def refuse(folder: Path, text: str, words: str, seconds: float = 2.0) -> None:
    """The file must be refused with `words`, in time and in a tenth of the memory that a suite may take."""
    before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    with pytest.raises(InputError, match=words) as caught:
        read(folder, text)
    assert time.process_time() - began < seconds
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 600


def axis(count: int) -> str:
    return f"[{', '.join(map(str, range(1, count + 1)))}]"


# No code runs.

LURES = (
    "name: !!python/object/apply:os.system ['touch sprung']\n",
    "name: !!python/name:trap.py\n",
    "name: !!python/module:trap\n",
    HEAD + "problems: [trap.py, trap, './trap.py']\noptimizers: [polyak-step]\n" + TAIL,
    HEAD + "problems: [teacher-neuron: {w0: trap.py}]\noptimizers: [polyak-step]\n" + TAIL,
    HEAD + "problems: [teacher-neuron: {w0: pickled.npy}]\noptimizers: [polyak-step]\n" + TAIL,
    HEAD + "problems: [teacher-neuron: {w0: object.npy}]\noptimizers: [polyak-step]\n" + TAIL,
    HEAD + "problems: [toy-case-1]\noptimizers: [polyak-step: {label: \"__import__('trap')\"}]\n" + TAIL,
    HEAD + "problems: [toy-case-1]\noptimizers: [\"__import__('trap')\"]\n" + TAIL,
    "plugins: []\n" + HEAD + LISTS + TAIL,
    "# plugins: [trap.py]\n" + HEAD + LISTS + TAIL,
    "plugins: [trap.txt]\n" + HEAD + LISTS + TAIL,
)


class Sprung:
    """What a pickle would call."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):
        return Path.touch, (self.marker,)


@pytest.fixture
def trapped(tmp_path, monkeypatch) -> Path:
    """A folder of lures; `sprung` appears in it when one is bitten."""
    write_armoury(tmp_path)
    (tmp_path / "trap.txt").write_bytes((tmp_path / "trap.py").read_bytes())
    (tmp_path / "pickled.npy").write_bytes(pickle.dumps(Sprung(tmp_path / "sprung")))
    with (tmp_path / "object.npy").open("wb") as file:
        np.lib.format.write_array(file, np.array([[Sprung(tmp_path / "sprung")]]), allow_pickle=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("text", LURES)
def test_reading_runs_no_code(trapped, invoke, text):
    (trapped / "suite.yaml").write_text(text)
    assert invoke("check", "suite.yaml").exit_code in (0, 2)
    assert not (trapped / "sprung").exists()


def test_the_traps_work(trapped, invoke):
    np.load(trapped / "object.npy", allow_pickle=True)
    assert (trapped / "sprung").exists()
    (trapped / "sprung").unlink()
    (trapped / "suite.yaml").write_text("plugins: [trap.py]\n" + HEAD + LISTS + TAIL)
    invoke("check", "suite.yaml")
    assert (trapped / "sprung").exists(), "plugins: is the one key that runs code"


def test_the_plan_names_the_code_that_a_suite_runs(tmp_path, invoke):
    (tmp_path / "suite.yaml").write_text(HEAD + LISTS + TAIL)
    assert "runs the code" not in invoke("suite", "suite.yaml", "--dry-run").output
    (tmp_path / "mine.py").write_text(
        "import bench_ovp as ovp\n\n\ndef stay(oracle, w, state, k):\n    '''Stay.'''\n    return w, state\n\n\n"
        "@ovp.hookimpl\ndef bench_ovp_optimizers():\n    return [ovp.StepMethod('stay', stay, compile=False)]\n"
    )
    text = HEAD + "plugins: [mine.py]\nproblems: [toy-case-1]\noptimizers: [stay]\n" + TAIL
    (tmp_path / "suite.yaml").write_text(text)
    told = invoke("suite", "suite.yaml", "--dry-run").output
    assert f"runs the code in {tmp_path / 'mine.py'}" in told


# No path outside the results folder is written.


@pytest.mark.parametrize("name", NAMES)
def test_a_name_stays_inside(tmp_path, name):
    try:
        accepted = read(tmp_path, f"name: {name}\n" + LISTS + TAIL).name
    except InputError:
        return
    assert (tmp_path / accepted).parent == tmp_path
    assert (tmp_path / accepted).resolve() == tmp_path.resolve() / accepted


@given(name=st.text(max_size=12) | st.text("aA0./\\:-_ ~$%", max_size=8))
def test_any_name_stays_inside(tmp_path_factory, name):
    folder = Path("/results")
    quoted = json.dumps(name)
    try:
        accepted = parse(f"name: {quoted}", Path("x")).children["name"]
        found = suite_file._read_name(accepted)
    except InputError:
        return
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", found)
    assert Path(os.path.normpath(folder / found)).parent == folder


@pytest.mark.parametrize("name", ["con", "NUL", "aux.txt", "Com1", "lpt9.x.y"])
def test_a_device_of_windows_is_no_name(tmp_path, name):
    refuse(tmp_path, f"name: {name}\n" + LISTS + TAIL, "fit to name a folder")
    assert read(tmp_path, f"name: {name.partition('.')[0]}x\n" + LISTS + TAIL).name


@given(text=st.text(max_size=80) | st.text("./\\~ -", max_size=20))
def test_a_label_becomes_a_harmless_file_name(text):
    assert re.fullmatch(r"[a-z0-9](?:[a-z0-9.-]{0,59})", slug(text))
    assert "/" not in slug(text)


# Nothing is exhausted.


def test_a_thousand_laughs_are_not_unfolded(tmp_path):
    laughs = "".join(f"{b}: &{b} [{', '.join(['*' + a] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True))
    refuse(tmp_path, "a: &a [lol]\n" + laughs, "anchors are not read")
    refuse(tmp_path, "a: [lol]\nb: *a\n", "aliases are not read")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("seeds: [" + "1," * 140_000 + "1]\n", "more than 20,000 keys and values"),
        ("a: [" + "{}," * 90_000 + "1]\n", "more than 20,000 keys and values"),
        ("".join(f"k{i}: 1\n" for i in range(25_000)), "more than 20,000 keys and values"),
        ("".join(f"k{i}: 1\n" for i in range(MOST_VALUES // 2 - 1)), "unknown key 'k0'.* more"),
        ("".join(f"{'seed' * 10}{i}: 1\n" for i in range(6_000)), "unknown key 'seed"),
        ("%F b\n" * 59_000 + "--- a\n", "a suite must be a mapping"),
        ("a: >\n" + " b\n" * 90_000, "shorten it to 4,096"),
        ("a" * 290_000 + ": 1\n", "shorten it to 4,096"),
        ("&" + "a" * 290_000 + " b\n", "anchors are not read; remove '&aaa"),
        ("!" + "%0A%1B" * 45_000 + " b\n", "tags are not read; remove '!"),
        ("[" * 290_000, "nested more than"),
        ("a" * (LARGEST_FILE + 1), "larger than 300,000 bytes"),
    ],
)  # fmt: skip
def test_a_file_costs_no_more_than_a_second_or_two(tmp_path, text, words):
    refuse(tmp_path, text, words)


def test_as_many_values_as_there_may_be(tmp_path):
    seeds = [place for place in range(MOST_VALUES) if place % 1000]  # what is left has room for the other keys
    text = HEAD + LISTS + "horizon: {iterations: 9}\n" + f"seeds: [{', '.join(map(str, seeds))}]\n"
    assert read(tmp_path, text).seeds == tuple(seeds)


@pytest.mark.parametrize(
    ("problem", "optimizer", "seeds", "words"),
    [
        (f"teacher-neuron: {{n: {axis(1000)}, d: {axis(1000)}}}", f"nesterov: {{lr: {axis(1000)}}}", 1000,
         r"1,000,000 problems x 1,000 optimizers x 1,000 seeds are too many; .* at most 2,000,000 runs"),
        ("toy-case-1", "polyak-step", MOST_CELLS + 1, "2,000,001 seeds are too many"),
        (f"teacher-neuron: {{n: {axis(250)}, d: {axis(201)}}}", "polyak-step", 1, "50,250 problems are too many"),
        ("toy-case-1", f"heavy-ball: {{lr: {axis(50001 // 4)}, beta: [0, 0.1, 0.2, 0.3, 0.4]}}", 1,
         "62,500 optimizers are too many"),
        (f"toy-case-2: {{lambdas: [{axis(2000)}], n: {axis(501)}}}", "polyak-step", 1,
         "1,002,000 numbers in the vectors and matrices of 501 problems"),
        (f"teacher-neuron: {{w0: [large.npy], sigma: {axis(11)}}}", "polyak-step", 1,
         "1,100,000 numbers in the vectors and matrices of 11 problems"),
        (f"teacher-neuron: {{n: {axis(200)}, d: [{', '.join(map(str, range(1, 200)))}, 1]}}", "polyak-step", 1,
         r"teacher-neuron\[n=1,d=1\] is on line 2 already"),
        ("teacher-neuron: {n: 1e9, d: 1e9}", "polyak-step", 1, "more than 10,000,000 coordinates"),
        ("toy-case-3: {n: 1e4, d: 1001}", "polyak-step", 1, "more than 10,000,000 coordinates"),
        ("exact-neuron: {d: 1e18}", "polyak-step", 1, "more than 10,000,000 coordinates"),
        ("toy-case-2: {n: 1e18}", "polyak-step", 1, "more than 10,000,000 coordinates"),
    ],
)  # fmt: skip
def test_grids_are_counted_before_they_are_made(tmp_path, problem, optimizer, seeds, words):
    np.save(tmp_path / "large.npy", np.ones((1000, 100)))
    text = f"name: a\nproblems: [{problem}]\noptimizers: [{optimizer}]\nseeds: {seeds}\nhorizon: {{iterations: 9}}\n"
    refuse(tmp_path, text, words)


def test_two_million_runs_are_read_at_once(tmp_path):
    many = (
        f"problems: [teacher-neuron: {{n: {axis(40)}, d: {axis(50)}}}]\noptimizers: [nesterov: {{lr: {axis(1000)}}}]\n"
    )
    overrides = "overrides: [{cells: '*=50] x *=1000]', stop: {loss: 1}}]\n"
    began = time.process_time()
    suite = read(tmp_path, HEAD + many + TAIL + overrides)
    assert len(suite.problems) * len(suite.optimizers) == MOST_CELLS
    assert time.process_time() - began < 4.0
    words = "3 overrides are too many for 2,000,000 cells; say it in 2, or split the suite"
    refuse(tmp_path, HEAD + many + TAIL + overrides[:-2] + ", {cells: '*', stop: {loss: 2}}" * 2 + "]\n", words)


def test_a_glob_cannot_be_made_slow():
    began = time.process_time()
    for glob in ("*a" * 2000 + "b", "*?" * 2000 + "b", "?*" * 2000 + "b", "*[!]*" * 800):
        assert not matches(glob, "a" * 3000)
    assert time.process_time() - began < 2.0


# Starts in files.


def header(shape: str, kind: str = "<f8") -> bytes:
    return write_header(f"{{'descr': {kind!r}, 'fortran_order': False, 'shape': {shape}, }}")


LIES = {
    "a terabyte": (header("(1000000000, 1000)") + bytes(64), "promises 8,000,000,000,000 bytes"),
    "rows of nothing": (header("(1000000000000, 0)"), "promises 0 bytes in shape"),
    "an overflow": (header("(8589934592, 8589934592)") + bytes(64), "and it holds 64"),
    "less than there is": (header("(2, 2)") + bytes(64), "promises 32 bytes in shape .2, 2., and it holds 64"),
    "a negative shape": (header("(-1, -8)") + bytes(64), "promises"),
    "objects": (header("(1, 1)", "|O") + pickle.dumps(1), "matrix of finite numbers"),
    "texts": (header("(1, 1)", "<U2") + bytes(8), "matrix of finite numbers"),
    "bytes of no size": (header("(10000000000, 10000000000)", "|V0"), "matrix of finite numbers"),
    "one dimension": (header("(8,)") + bytes(64), "matrix of finite numbers"),
    "no shape": (write_header("{'descr': '<f8', 'fortran_order': False, 'shape': ((((("), "header cannot be read"),
    "a deep header": (write_header("{'descr': '<f8', 'fortran_order': " + "-" * 70 + "1}"), "header cannot be read"),
    "a call": (write_header("__import__('os').system('touch sprung')"), "header cannot be read"),
    "a long header": (b"\x93NUMPY\x02\x00" + b"\xff\xff\xff\xff" + b" " * 100, "header cannot be read"),
    "another format": (b"\x93NUMPY\x03\x00" + bytes(100), "its format"),
    "no number": (header("(1, 1)") + np.array(np.nan).tobytes(), "matrix of finite numbers"),
    "too long doubles": (header("(1, 1)", "<f16") + np.array("1e4000", np.longdouble).tobytes(), "finite numbers"),
    "nothing": (b"", "as an .npy file"),
}  # fmt: skip


@pytest.mark.parametrize("lie", LIES)
def test_no_header_is_believed(tmp_path, lie):
    data, words = LIES[lie]
    (tmp_path / "w.npy").write_bytes(data)
    text = HEAD + "problems: [teacher-neuron: {w0: w.npy}]\noptimizers: [polyak-step]\n" + TAIL
    refuse(tmp_path, text, rf"suite\.yaml:2:33: .*w\.npy.*{words}", seconds=1.0)


@pytest.mark.parametrize(
    ("what", "words"),
    [("fifo", "no regular file"), ("folder", "no regular file"), ("zero", "no regular file"),
     ("/dev/tty", "no regular file"), ("sparse.npy", "larger than"), ("none.npy", "No such file"),
     ("p" * 300, "File name too long"), ("start.npy/x", "Not a directory"), ("loop", "symbolic links")],
)  # fmt: skip
def test_what_is_no_file_of_numbers_is_not_opened(tmp_path, what, words):
    write_armoury(tmp_path)
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(InputError, match=words):
        load_matrix(tmp_path / what)
    if len(what) < 100:
        refuse(
            tmp_path, HEAD + f"problems: [teacher-neuron: {{w0: {what}}}]\noptimizers: [polyak-step]\n" + TAIL, words
        )


@pytest.mark.parametrize("name", ["'" + "p" * 300 + ".py'", "none.py", "folder", "fifo", "start.npy", "loop.py"])
def test_what_is_no_plugin_is_refused(tmp_path, invoke, name):
    write_armoury(tmp_path)
    (tmp_path / "loop.py").symlink_to("loop.py")
    (tmp_path / "suite.yaml").write_text(f"plugins: [{name}]\n" + HEAD + LISTS + TAIL)
    done = invoke("check", "suite.yaml")
    assert done.exit_code == 2
    assert "there is no plug-in" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("kind", ["<f8", "<f4", "<i8", "|u1", ">f8"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_a_matrix_is_read_as_numpy_reads_it(tmp_path, kind, order):
    matrix = np.asarray(np.arange(12).reshape(3, 4), dtype=kind, order=order)
    np.save(tmp_path / "w.npy", matrix)
    assert load_matrix(tmp_path / "w.npy") == np.load(tmp_path / "w.npy").tolist() == matrix.tolist()


def test_an_edited_matrix_is_read_again(tmp_path):
    for value in range(5):
        np.save(tmp_path / "w.npy", np.full((2, 2), float(value)))
        os.utime(tmp_path / "w.npy", ns=(value, value))  # a clock may be coarser than this loop
        load_matrix(tmp_path / "w.npy")[0][0] = 99.0  # nobody else's copy
        assert load_matrix(tmp_path / "w.npy")[0][0] == value


def test_the_largest_matrix(tmp_path):
    np.save(tmp_path / "w.npy", np.ones((LARGEST_MATRIX // 10, 10)))
    assert len(load_matrix(tmp_path / "w.npy")) == LARGEST_MATRIX // 10
    np.save(tmp_path / "w.npy", np.ones((LARGEST_MATRIX // 10 + 200, 10)))
    with pytest.raises(InputError, match="larger than a matrix of 100,000 numbers"):
        load_matrix(tmp_path / "w.npy")
    assert LARGEST_MATRIX <= MOST_NUMBERS
    assert MOST_POINTS <= MOST_CELLS


# In the report, labels are text.

HOSTILE = (
    "<script>alert(1)</script>",
    "</script><script>alert(1)//",
    "<img src=x onerror=alert(1)>",
    "\" onmouseover='a()' x=\"",
    "'><svg onload=alert(1)>",
    "]]><a href='javascript:a()'>",
    "<!-- x",
    "-->",
    "&lt;b&gt; &amp; &#60;",
    "{{ 7*7 }}{% x %}",
    'url(#m0) href="#x" id="y" style="z"',
    "</style><style>*{display:none}",
    "</title></pre></textarea>",
    "$x_1^2$ \\frac",
)
WITH_CODE = {"script", "iframe", "object", "embed", "foreignobject", "base", "form", "input", "textarea"}


class Page(HTMLParser):
    """What a browser makes of a page: its tags, attributes and text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.pairs: list[tuple[str, str, str]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.pairs += [(tag, name, value or "") for name, value in attrs]

    def handle_data(self, data):
        self.text += data


def judge_svg(data: bytes) -> None:
    """No element or attribute of an SVG runs code or fetches anything."""
    for element in ElementTree.fromstring(data).iter():
        assert element.tag.rpartition("}")[2].lower() not in {*WITH_CODE, "image", "a"}
        for name, value in element.attrib.items():
            assert not name.lower().startswith("on")
            assert "javascript:" not in value.lower()
            assert not name.endswith("href") or value.startswith("#")


def suite_called(text: str) -> tuple:
    """The tables and the provenance of a small suite in which `text` is part of all that somebody else wrote."""
    plain = make_suite(seeds=2, horizon=1e2, problems=(PROBLEMS[0],), optimizers=("gradient-descent[lr=0.05]",))
    names = {"problem": {PROBLEMS[0]: f"p {text}"}, "optimizer": {"gradient-descent[lr=0.05]": f"o {text}"}}
    traces, runs, ranking = (table.replace(names) for table in (plain.traces, plain.runs, plain.ranking))
    runs.loc[0, ["status", "reason"]] = ["failed", f"r {text}"]
    ranking["theory_source"] = f"s {text}"
    about = {"summary": f"a {text}", "source": f"b {text}"}
    told = {
        "suite": f"n {text}", "suite_file": f"name: x # {text}\n", "missing": [f"m {text} x o"],
        "problems": {f"p {text}": about}, "optimizers": {f"o {text}": about}, "clocks": {f"o {text}": "lr"},
        "plugins": [{"name": text, "error": text}], "machine": {"processor": text}, "git": {"commit": text},
    }  # fmt: skip
    return traces, runs, ranking, plain.provenance | told


def judge_page(text: str, page: Page) -> None:
    """What was written is there to read, and nothing else came of it."""
    assert [tag for tag in page.tags if tag in WITH_CODE] == ["script"]
    for _, name, value in page.pairs:
        assert not name.startswith("on")
        assert name not in ("href", "src", "srcset") or value.startswith(("#", "figures/", "data:image/svg+xml"))
    for mark in "nmrsab":
        assert " ".join(f"{mark} {text}".split()) in " ".join(page.text.split()), mark


@pytest.mark.parametrize("text", HOSTILE)
def test_labels_stay_text_in_the_page(text):
    page = Page(render_page(gather(*suite_called(text)), []))
    judge_page(text, page)
    assert page.tags == Page(render_page(gather(*suite_called("plain")), [])).tags


@pytest.mark.parametrize("text", HOSTILE)
def test_labels_stay_text_in_the_script_of_the_page(text):
    """The traces are JSON that no label can end, in the one script that the page vouches for."""
    page = render_page(gather(*suite_called(text)), [])
    plain = render_page(gather(*suite_called("plain")), [])
    [script] = re.findall(r"<script>(.*)</script>", page, re.DOTALL)
    [data] = re.findall(r"^const TRACES = (.*);$", script, re.MULTILINE)
    assert not set("<>&'\u2028\u2029") & set(data)
    told = json.loads(data)
    assert told["problems"][0]["label"] == f"p {text}"
    assert told["optimizers"][0]["label"] == f"o {text}"
    assert script.replace(data, "") == re.sub(
        r"(?<=^const TRACES = ).*(?=;$)", "", plain_script(plain), flags=re.MULTILINE
    )
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'" in page


def plain_script(page: str) -> str:
    return page.rpartition("<script>")[2].partition("</script>")[0]


@pytest.mark.parametrize("text", HOSTILE)
def test_labels_stay_text_in_a_figure(text):
    figure = Figure(figsize=(2, 1))
    axes = figure.subplots()
    axes.plot([0, 1], label=clip(text))
    axes.set_title(clip(text))
    axes.legend()
    with drawing():
        svg = render(figure, "svg")
    judge_svg(svg)
    judge_svg(compact(svg))


@pytest.mark.parametrize("text", [HOSTILE[2], *(pytest.param(text, marks=pytest.mark.slow) for text in HOSTILE)])
def test_labels_stay_text_in_a_whole_report(tmp_path, text):
    judge_page(text, Page(draw_report(tmp_path, *suite_called(text)).read_text()))
    drawn = list(tmp_path.rglob("*.svg"))
    assert drawn
    assert {path.parent for path in drawn} == {tmp_path / "figures"}
    for svg in drawn:
        judge_svg(svg.read_bytes())
