"""Pages to type along: their files are written, their commands run and their code executed, in order.

In a ```console block a line that begins with `$ ` is run as the command would run it, without figures and in this
process. Lines below it must be in what it prints, in this order: the words of each within one line, one after the
other. How they are spaced and framed is the terminal's, and `…` stands for what is left out.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from bench_ovp.cli import main

DOCS = Path(__file__).resolve().parent.parent / "docs"
BLOCK = re.compile(r"^```(\w+)(?: (\S+\.\w+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
GUIDES = sorted(page for page in DOCS.glob("*.md") if "```console" in page.read_text())


def read_session(block: str) -> list[tuple[list[str], list[str]]]:
    """The words of each command in a console block, and the lines that it shall print."""
    session: list[tuple[list[str], list[str]]] = []
    for line in block.splitlines():
        if line.startswith("$ "):
            session.append((shlex.split(line[2:], comments=True), []))
        elif line.strip():
            session[-1][1].append(line.strip())
    return session


def pattern_of(line: str) -> str:
    """Its words in this order, whatever is between them."""
    return ".*?".join(re.escape(word.rstrip("…")) for word in line.split())


def run_command(words: list[str]) -> str:
    """What a command prints; it must end with exit code 0."""
    assert words[0] == "bench-ovp", words
    quick = ["--executor", "serial"] if words[1] == "suite" and "--dry-run" not in words else []
    quick += ["--no-report"] if quick and "--no-report" not in words else []
    done = CliRunner().invoke(main, [*words[1:], *quick], catch_exceptions=False)
    assert done.exit_code == 0, f"{shlex.join(words)}: {done.output}"
    return done.output


def follow(page: str, folder: Path) -> None:
    """Do what a page says, in `folder`, which is the current one."""
    names = {"__name__": "example"}
    for kind, file, text in BLOCK.findall(page):
        if file:
            (folder / file).write_text(text)
        elif kind == "console":
            for words, expected in read_session(text):
                printed = run_command(words)
                rest = iter(printed.splitlines())
                for line in expected:
                    assert any(re.search(pattern_of(line), told) for told in rest), (
                        f"{shlex.join(words)} does not print {line!r}:\n{printed}"
                    )
        elif kind == "python":
            exec(compile(text, "example", "exec"), names)


@pytest.fixture
def folder(importable, monkeypatch):
    """An empty current folder, from which modules can be imported."""
    monkeypatch.chdir(importable)
    monkeypatch.setenv("MPLBACKEND", "svg")
    return importable


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.name)
def test_a_guide_can_be_followed(page, folder):
    import matplotlib.pyplot as plt

    try:
        follow(page.read_text(), folder)
    finally:
        plt.close("all")


def test_the_guides_are_there():
    assert {"tutorial.md", "resume.md", "merge-machines.md", "far-horizons.md", "compare-runs.md"} <= {
        page.name for page in GUIDES
    }


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("```console\n$ bench-ovp list optimizers\ngradient-ascent\n```", "does not print 'gradient-ascent'"),
        ("```console\n$ bench-ovp list optimizers\nnesterov\nheavy-ball\n```", "does not print 'heavy-ball'"),
        ("```console\n$ bench-ovp list optimizers\nBall heavy …\n```", "does not print 'Ball heavy …'"),
        ("```yaml bad.yaml\nname: bad\n```\n```console\n$ bench-ovp check bad.yaml\n```", "bad.yaml"),
        ("```python\nraise ValueError('broken')\n```", "broken"),
    ],
)
def test_a_guide_that_is_wrong_is_found(text, error, folder):
    with pytest.raises((AssertionError, ValueError), match=error):
        follow(text, folder)
