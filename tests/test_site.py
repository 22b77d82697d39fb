"""The site: nothing that the program offers is left out, no link is dead, and it builds without a warning."""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import click
import pytest
import yaml

import bench_ovp as ovp
from bench_ovp import hookspecs, suite
from bench_ovp.cli import main
from bench_ovp.errors import InputError
from bench_ovp.figure_names import NAMES
from bench_ovp.registry import installed

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PAGES = sorted(page for page in DOCS.rglob("*.md") if "generated" not in page.parts)
WRITTEN = [page for page in PAGES if page.parent.name != "reference"]  # by hand; the rest the program writes
FENCE = re.compile(r"^(```+|:::+)[^\n]*\n.*?^\1$", re.MULTILINE | re.DOTALL)
GLOBAL = {"--help", "--version"}


def load(name: str):
    """A module of docs/pages, which is no package of ours."""
    if str(DOCS) not in sys.path:
        sys.path.append(str(DOCS))
    return importlib.import_module(f"pages.{name}")


commands, docstrings, interface, notebook = map(load, ("commands", "docstrings", "interface", "notebook"))


@cache
def paragraphs() -> list[str]:
    """What is written by hand, a paragraph, a table or a block at a time."""
    return [part for page in (*WRITTEN, ROOT / "README.md") for part in re.split(r"\n\s*\n", page.read_text())]


# Commands and options.


def untold(words: tuple[str, ...], command: click.Command, texts: list[str]) -> list[str]:
    """What is missing: help of a command and of each option, and paragraphs that show it and name them."""
    name = " ".join(("bench-ovp", *words))
    shown = [text for text in texts if re.search(rf"\b{re.escape(name)}(?![\w-])", text)]
    missing = [] if command.help else [f"{name}: give it a docstring"]
    if not shown:
        missing.append(f"{name}: show it in a page of docs/, such as a guide, as `{name} …`")
    for option in commands.options_of(command):
        forms = set(option.opts) - GLOBAL
        if not option.help:
            missing.append(f"{name} {option.opts[-1]}: give it a help=…")
        if forms and not any(re.search(rf"(?<![\w-]){re.escape(form)}(?![\w-])", t) for t in shown for form in forms):
            missing.append(f"{name} {option.opts[-1]}: name it in docs/, in a paragraph or block that has `{name}`")
    return missing


@pytest.mark.parametrize("words", [words for words, _ in commands.walk(main)], ids=" ".join)
def test_every_command_and_option_is_documented(words):
    assert untold(words, dict(commands.walk(main))[words], paragraphs()) == []


def test_what_is_not_documented_is_found():
    @click.command()
    @click.option("--told", help="Something.")
    @click.option("--untold")
    def secret(told: str, untold: str) -> None:
        pass

    texts = ["`bench-ovp secret-other` is not it, and --untold elsewhere", "`bench-ovp secret --told 3`"]
    assert untold(("secret",), secret, texts) == [
        "bench-ovp secret: give it a docstring",
        "bench-ovp secret --untold: give it a help=…",
        "bench-ovp secret --untold: name it in docs/, in a paragraph or block that has `bench-ovp secret`",
    ]
    assert len(untold(("absent",), secret, texts)) == 5


def test_the_page_of_commands_has_them_all():
    page = commands.write_commands(main, "bench-ovp")
    for words, command in commands.walk(main):
        assert re.search(rf"^#+ bench-ovp {' '.join(words)}$", page, re.MULTILINE)
        for option in commands.options_of(command):
            assert f"`{option.opts[-1]}" in page
    assert "\x08" not in page
    assert r"\* and ? are wild" in page, "a star is no emphasis"


# Python.


def listed() -> list[str]:
    """The names on the page of the Python interface."""
    page = (DOCS / "reference/python.md").read_text()
    return [name for names in re.findall(r"^```\{interface\} (.*)$", page, re.MULTILINE) for name in names.split()]


def test_every_public_name_is_listed():
    there = {name.rpartition(".")[2] for name in listed()}
    wanted = {*ovp.__all__, *(name for name in vars(hookspecs) if name.startswith("bench_ovp_"))}
    assert wanted - there == set(), "add them to an {interface} line of docs/reference/python.md"
    assert len(listed()) == len(set(listed()))


@pytest.mark.parametrize("path", listed())
def test_every_public_attribute_is_documented(path):
    assert interface.undocumented(path) == [], "say it in the docstring, of a field under Args of its class"


class Half:
    """Something with `told`.

    Args:
        known: under Args.
    """

    known: int
    told: int
    other: int

    def spoken(self) -> None:
        """It speaks."""

    def silent(self) -> None:
        pass


def test_what_no_docstring_tells_is_found(monkeypatch):
    monkeypatch.setattr(ovp, "Half", Half, raising=False)
    assert interface.undocumented("bench_ovp.Half") == ["bench_ovp.Half.other", "bench_ovp.Half.silent"]
    with pytest.raises(LookupError, match=re.escape("bench_ovp.absent")):
        interface.undocumented("bench_ovp.absent")


def test_a_docstring_is_read_in_the_house_s_form():
    def example(n, d, x=1):
        """A line.

        Its mathematics:

            a * b

        Args:
            n, d: shape, which
                goes on.
            x: a number.
        Returns:
            The sum.
        Errors:
            ValueError: it is wrong.
        Source: Somebody (1900),
            page 3.
        """

    read = docstrings.read_docstring(example)
    assert read.arguments == {"n": "shape, which goes on.", "d": "shape, which goes on.", "x": "a number."}
    assert docstrings.write_docstring(read).split("\n\n") == [
        "A line.",
        "Its mathematics:",
        "```text\na * b\n```",
        "**Args**",
        "- `n`, `d`: shape, which goes on.\n- `x`: a number.",
        "**Returns** The sum.",
        "**Errors**",
        "- `ValueError`: it is wrong.",
        "*Source:* Somebody (1900), page 3.",
    ]


def test_signatures_are_written_as_the_source_has_them():
    assert interface.write_signature(ovp.run_suite) == (
        "(path: str | Path, results: str | Path = 'results', *, jobs: int | None = None, "
        "executor: str | Executor = 'process', report: bool = True) -> Path"
    )
    assert "frame() -> pd.DataFrame" in interface.describe("bench_ovp.Trace")


# Problems and optimizers.


def test_every_problem_and_optimizer_is_on_its_page():
    registry = load("registry")
    pages = {"problems": registry.write_problems(), "optimizers": registry.write_optimizers()}
    for plugin in installed().plugins:
        if plugin.distribution == "bench-ovp":
            for kind, page in pages.items():
                for name in getattr(plugin, kind):
                    assert f"## {name}\n" in page
    for method in (installed().methods[name] for p in installed().plugins for name in p.optimizers):
        for parameter in method.parameters:
            assert f"| `{parameter.name}` |" in pages["optimizers"]
    assert "| `beta` | `0.9` | ≥ 0, < 1 | momentum, in [0, 1). |" in pages["optimizers"]
    assert "| `gradient-descent` | power | 3 |" in pages["problems"]


# Suites and shells in examples.


def blocks(page: Path, *kinds: str) -> list[str]:
    """The code of a page's blocks in some languages."""
    found = re.findall(r"^```(\w+)[^\n]*\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)
    return [code for kind, code in found if kind in kinds]


SUITES = [
    (page, code)
    for page in (*PAGES, *ROOT.glob("plugins/*/README.md"))
    for code in blocks(page, "yaml")
    if "problems:" in code
]


@pytest.mark.parametrize(("page", "code"), SUITES, ids=[page.name for page, _ in SUITES])
def test_suites_in_examples_are_read(page, code, tmp_path):
    """Read as the program does, but for optimizers of packages that are not installed here, and files not there yet."""
    file = tmp_path / "suite.yaml"
    file.write_text(code)
    asked = yaml.safe_load(code)
    names = {entry if isinstance(entry, str) else next(iter(entry)) for entry in asked["optimizers"]}
    foreign = names - set(installed().methods)
    if foreign:
        assert "plugins" in asked or foreign <= {"torch", "optax", "scipy"}, foreign
    else:
        assert suite.read_suite(file, installed()).name == asked["name"]


def test_a_suite_that_is_wrong_would_be_found(tmp_path):
    with pytest.raises(InputError, match="horizn"):
        test_suites_in_examples_are_read(
            None, "name: x\nproblems: [toy-case-2]\noptimizers: [nesterov]\nseeds: 1\nhorizn: {time: 1}\n", tmp_path
        )


@pytest.mark.parametrize("page", [*PAGES, ROOT / "README.md"], ids=lambda page: page.name)
def test_shell_lines_are_well_formed(page):
    for code in blocks(page, "sh"):
        for line in code.splitlines():
            shlex.split(line, comments=True)


# Links.


def slugs(page: Path) -> set[str]:
    """The anchors of a page's headings, as forges and MyST make them."""
    text = FENCE.sub("", page.read_text())
    found: set[str] = set()
    for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)|`", r"\1", heading)
        slug = base = re.sub(r"[^\w\- ]", "", plain).strip().lower().replace(" ", "-")
        k = 0
        while slug in found:
            k += 1
            slug = f"{base}-{k}"
        found.add(slug)
    return found


def links(text: str) -> Iterator[tuple[str, str]]:
    """(file, anchor) of each relative link, image and download of a page; code is none."""
    plain = re.sub(r"`+[^`\n]*`+(?!\])", "", FENCE.sub("", text))
    for target in re.findall(r"\]\(([^)\s]+)(?: \"[^\"]*\")?\)", plain):
        if not re.match(r"[a-z]+:", target):
            file, _, anchor = target.partition("#")
            yield file, anchor
    yield from ((file, "") for file in re.findall(r"\{download\}`([^`<>]+)`", text))


def dead(page: Path, text: str | None = None) -> list[str]:
    """The links of a page that lead nowhere."""
    found = []
    for file, anchor in links(page.read_text() if text is None else text):
        target = (page.parent / file).resolve() if file else page
        if not target.exists():
            found.append(file)
        elif anchor and (target.suffix != ".md" or anchor not in slugs(target)):
            found.append(f"{file}#{anchor}")
    return found


LINKED = [*PAGES, ROOT / "README.md", ROOT / "CHANGELOG.md", *ROOT.glob("plugins/*/README.md")]


@pytest.mark.parametrize("page", LINKED, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_no_link_is_dead(page):
    assert dead(page) == []


def test_links_of_the_notebook_lead_to_pages():
    for cell in json.loads((DOCS / "notebooks/python-api.ipynb").read_text())["cells"]:
        assert dead(DOCS / "notebook.md", "".join(cell["source"])) == []


def test_a_dead_link_is_found():
    text = """
[a](tutorial.md) [b](absent.md) ![c](figures/contrast.png) ![d](figures/absent.png "title") [e](https://example.org)
[f](mathematics.md#horizons) [g](mathematics.md#absent) [h](#nowhere) `[i](code.md)` [`j`](absent.md#x)
[k](results.md#comparisonscsv) {download}`absent.ipynb`

```text
[l](in-a-block.md)
```
"""
    assert dead(DOCS / "tutorial.md", text) == [
        *("absent.md", "figures/absent.png", "mathematics.md#absent", "#nowhere", "absent.md", "absent.ipynb")
    ]


def test_every_page_is_in_the_navigation_once():
    trees = re.findall(r"^```\{toctree\}\n(.*?)^```$", (DOCS / "index.md").read_text(), re.MULTILINE | re.DOTALL)
    lines = [line for tree in trees for line in tree.splitlines() if line and not line.startswith(":")]
    entries = [re.sub(r".*<(.*)>", r"\1", line) for line in lines]
    pages = {page.relative_to(DOCS).with_suffix("").as_posix() for page in PAGES} - {"index", "README"}
    assert pages - set(entries) == set(), "add a line to a toctree of docs/index.md"
    assert set(entries) - pages == set(), "docs/index.md names pages that are not there"
    assert len(entries) == len(set(entries))


# The site itself.


class Resources(HTMLParser):
    """What a browser would load for a page, and the names of its anchors."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.ids: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.ids |= {given["id"] or ""} if "id" in given else set()
        if tag in ("script", "img", "iframe", "source") and given.get("src"):
            self.loaded.append(str(given["src"]))
        if tag == "link" and given.get("rel") in ("stylesheet", "preload", "icon", "preconnect"):
            self.loaded.append(str(given["href"]))


def loads_elsewhere(text: str) -> list[str]:
    """What a page, or a stylesheet, would fetch from elsewhere."""
    styled = re.findall(r"(?:url\(|@import )[\"']?((?:https?:)?//[^\"')]+)", text)
    return [*styled, *(at for at in Resources(text).loaded if re.match(r"(?:https?:)?//", at))]


def test_what_comes_from_elsewhere_is_found():
    text = (
        '<script src="https://cdn.example/x.js"></script><link rel="stylesheet" href="//fonts.example/a.css">'
        '<img src="figures/own.svg"><a href="https://example.org">a link may lead there</a>'
    )
    assert loads_elsewhere(text) == ["https://cdn.example/x.js", "//fonts.example/a.css"]
    assert loads_elsewhere("@font-face { src: url('https://fonts.example/b.woff') }") == [
        "https://fonts.example/b.woff"
    ]


def build(into: Path, *options: str) -> Path:
    """Build the site strictly; a warning is an error."""
    command = [
        sys.executable,
        "-m",
        "sphinx",
        "-E",
        "-W",
        "--keep-going",
        "-q",
        *options,
        "-b",
        "html",
        str(DOCS),
        str(into),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=into.parent)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return into


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The site, without what is run for it."""
    for needed in ("sphinx", "myst_parser", "furo"):
        if importlib.util.find_spec(needed) is None:
            pytest.skip('pip install -e ".[docs]" to build the site')
    return build(tmp_path_factory.mktemp("site") / "html", "-t", "still")


def test_the_site_builds_without_warnings_and_stands_alone(site):
    for page in (*site.rglob("*.html"), *site.rglob("*.css")):
        assert loads_elsewhere(page.read_text()) == [], page
    assert not (site / "README.html").exists()
    for page in PAGES:
        if page.name != "README.md":
            assert (site / page.relative_to(DOCS)).with_suffix(".html").exists()


def test_the_site_has_what_the_program_offers(site):
    python = Resources((site / "reference/python.html").read_text()).ids
    for path in listed():
        assert path in python
        for name in interface.list_members(interface.find(path)) if isinstance(interface.find(path), type) else ():
            assert f"{path}.{name}" in python
    told = Resources((site / "reference/commands.html").read_text()).ids
    for words, _ in commands.walk(main):
        assert "-".join(("bench-ovp", *words)) in told
    assert Resources((site / "reference/optimizers.html").read_text()).ids >= set(
        next(p for p in installed().plugins if p.name == "optimizers").optimizers
    )


@pytest.mark.slow  # a suite is run and drawn, and a notebook
def test_the_whole_site_builds(site, tmp_path):
    whole = build(tmp_path / "html")
    gallery = Resources((whole / "gallery.html").read_text())
    drawn = [Path(at).name for at in gallery.loaded if at.endswith(".svg")]
    for kind in NAMES:
        assert any(re.match(rf"{kind}[-.]", name) for name in drawn), f"docs/pages/gallery.yaml has no data for {kind}"
    shown = (whole / "notebook.html").read_text()
    assert "power" in shown
    assert "<table" in shown
    assert any("cell-" in at for at in Resources(shown).loaded)
