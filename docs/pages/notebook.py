"""A notebook executed and written as Markdown, with nothing but the interpreter that runs this.

Its code cells run in order, in one namespace, in a process and a folder of their own; what they show is what a
notebook would show: what was printed, the value of the last expression, the figures that are open.

    python docs/pages/notebook.py NOTEBOOK    prints the outputs of its code cells as JSON
"""

import ast
import contextlib
import io
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

SECONDS = 300  # that a notebook may take, with everything to be compiled


class Cell(NamedTuple):
    """One cell: "markdown" or "code", its source, and, once it has run, what it shows."""

    kind: str
    source: str
    text: str = ""
    html: str = ""
    figures: tuple[str, ...] = ()  # SVG


def read_notebook(path: Path) -> list[Cell]:
    """The cells of a notebook, none of them run."""
    cells = json.loads(path.read_text())["cells"]
    return [Cell(cell["cell_type"], "".join(cell["source"])) for cell in cells]


def execute(path: Path) -> list[Cell]:
    """The cells with what they show.

    Errors:
        RuntimeError: a cell raised; the message has its traceback.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable,
            "-W",
            "error::DeprecationWarning",
            str(Path(__file__).resolve()),
            str(path.resolve()),
        ]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=False)
    if done.returncode:
        raise RuntimeError(f"{path.name}: {done.stderr}")
    shown = iter(json.loads(done.stdout))
    return [cell._replace(**next(shown)) if cell.kind == "code" else cell for cell in read_notebook(path)]


def run_cell(source: str, name: str, names: dict[str, Any]) -> dict[str, Any]:
    """Run one cell in `names`; what it shows, as the fields of a Cell."""
    tree = ast.parse(source, name)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    printed, value = io.StringIO(), None
    with contextlib.redirect_stdout(printed):
        exec(compile(tree, name, "exec"), names)  # noqa: S102
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), name, "eval"), names)  # noqa: S307
    text, html = printed.getvalue(), ""
    if source.rstrip().endswith(";"):  # Jupyter's way to say: do not show it
        value = None
    if hasattr(value, "_repr_html_"):
        html = value._repr_html_()
    elif value is not None:
        text += repr(value)
    return {"text": text, "html": html, "figures": take_figures()}


def take_figures() -> list[str]:
    """The figures that are open, as SVG; they are closed."""
    if "matplotlib.pyplot" not in sys.modules:
        return []
    plt = sys.modules["matplotlib.pyplot"]
    found = []
    for number in plt.get_fignums():
        buffer = io.StringIO()
        plt.figure(number).savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
        plt.close(number)
        found.append(buffer.getvalue())
    return found


def write_cell(cell: Cell, pictures: list[str]) -> str:
    """A cell as Markdown; `pictures` are the paths under which its figures are to be found."""
    if cell.kind != "code":
        return cell.source
    parts = [f"```python\n{cell.source}\n```"]
    if cell.text.strip():
        parts.append(f":::{{container}} output\n```text\n{cell.text.rstrip()}\n```\n:::")
    if cell.html:
        parts.append(f":::{{container}} output\n```{{raw}} html\n{cell.html}\n```\n:::")
    parts += [f"![A figure that the cell above draws]({picture})" for picture in pictures]
    return "\n\n".join(parts)


def main(path: Path) -> None:
    """Run a notebook, and print what its code cells show."""
    import matplotlib as mpl

    mpl.use("svg")
    names: dict[str, Any] = {"__name__": "__main__"}
    sys.path.insert(0, "")  # as Jupyter does: what a cell writes beside itself can be imported
    code = [cell.source for cell in read_notebook(path) if cell.kind == "code"]
    shown = [run_cell(source, f"cell {number}", names) for number, source in enumerate(code, 1)]
    json.dump(shown, sys.stdout)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
