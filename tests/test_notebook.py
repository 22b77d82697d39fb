"""The notebook works through, is stored without outputs, and tells the truth.

It is run as the site runs it: its code cells in order, in one namespace, in a process of their own; no Jupyter is
needed. `docs/pages/notebook.py` does that.
"""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parent.parent / "docs"
NOTEBOOK = DOCS / "notebooks/python-api.ipynb"


def load():
    """docs/pages/notebook.py, which is no module of ours."""
    spec = importlib.util.spec_from_file_location("notebook_of_the_docs", DOCS / "pages/notebook.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


notebook = load()


def write(path: Path, *sources: str) -> Path:
    cells = [{"cell_type": "code", "source": source.splitlines(keepends=True)} for source in sources]
    path.write_text(json.dumps({"cells": cells}))
    return path


def test_it_is_a_notebook_without_outputs():
    read = json.loads(NOTEBOOK.read_text())
    assert (read["nbformat"], read["nbformat_minor"]) == (4, 5)
    code = [cell for cell in read["cells"] if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
    assert len({cell["id"] for cell in read["cells"]}) == len(read["cells"])


def test_it_works_through():
    shown = {cell.source.splitlines()[0]: cell for cell in notebook.execute(NOTEBOOK) if cell.kind == "code"}

    def text(start: str) -> str:
        return next(cell.text for line, cell in shown.items() if line.startswith(start))

    slopes = [float(line.split()[-1]) for line in text("rng = ").splitlines()]
    assert slopes[0] == pytest.approx(slopes[1], rel=1e-8)
    assert float(text("turn = ").split()[-1]) < 1e-8
    assert text("first = ").startswith("power ")
    rates = [float(line.split()[1]) for line in text("single = ").splitlines()]
    assert rates[0] == pytest.approx(rates[1], rel=1e-3)
    assert text("ovp.fit_rate(first.time[:20]") == "'undecided'"
    assert "less than 1" in text("try:")
    assert "t^−3.0" in text("from bench_ovp.cli")
    ranking = next(cell.html for line, cell in shown.items() if line.startswith("import pandas"))
    assert ranking.count("my-momentum") == 2
    [figure] = next(cell.figures for line, cell in shown.items() if line.startswith("import matplotlib"))
    assert figure.lstrip().startswith("<?xml")


def test_what_cells_show(tmp_path):
    first, second, third = notebook.execute(write(tmp_path / "a.ipynb", "x = 2\nprint('a')\nx", "x + 1;", "None"))
    assert (first.text, second.text, third.text) == ("a\n2", "", "")


def test_a_cell_that_breaks_is_told(tmp_path):
    with pytest.raises(RuntimeError, match=r"cell 2(.|\n)*ZeroDivisionError"):
        notebook.execute(write(tmp_path / "b.ipynb", "x = 0", "1 / x"))


def test_cells_are_written_with_what_they_show():
    cell = notebook.Cell("code", "1 + 1", text="2", html="<b>2</b>", figures=("<svg/>",))
    written = notebook.write_cell(cell, ["/generated/a.svg"])
    assert written.startswith("```python\n1 + 1\n```")
    assert "```text\n2\n```" in written
    assert "```{raw} html\n<b>2</b>\n```" in written
    assert "(/generated/a.svg)" in written
    assert notebook.write_cell(notebook.Cell("markdown", "# A"), []) == "# A"
