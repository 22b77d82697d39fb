"""The directives of this site: what they write is read where they stand.

With the tag `still` (`sphinx-build -t still …`) nothing is run for the site: the gallery and the notebook then have
neither figures nor outputs.
"""

import re
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from bench_ovp.cli import main

from . import commands, gallery, interface, notebook, registry

GENERATED = "generated"  # beside the pages, not tracked
LINK = re.compile(r"\[([^\]]+)\]\((\.\./[^)\s]+)\)")


class Written(SphinxDirective):
    """A directive whose content is Markdown that is made when the site is built."""

    optional_arguments = 1
    final_argument_whitespace = True

    def write(self) -> str:
        """The Markdown."""
        raise NotImplementedError

    def run(self) -> list[nodes.Node]:
        """The nodes of it."""
        return self.parse_text_to_nodes(self.write(), allow_section_headings=True)

    @property
    def still(self) -> bool:
        """Whether nothing shall be run."""
        return "still" in self.env.app.tags

    @property
    def source(self) -> Path:
        """The file that is named in the argument, relative to the root of the pages."""
        path = Path(self.env.srcdir, self.arguments[0])
        self.env.note_dependency(str(path))
        return path

    @property
    def generated(self) -> Path:
        """Where pictures go."""
        folder = Path(self.env.srcdir, GENERATED)
        folder.mkdir(exist_ok=True)
        return folder


class Interface(Written):
    """`{interface} NAME…`: public names, each with all that its docstrings say."""

    def run(self) -> list[nodes.Node]:
        """One after the other, for they are no sections."""
        names = self.arguments[0].split()
        return [node for name in names for node in self.parse_text_to_nodes(interface.describe(name))]


class Commands(Written):
    """`{commands}`: every command of the program, each a section."""

    def write(self) -> str:
        """From the program."""
        return commands.write_commands(main, "bench-ovp")


class Problems(Written):
    """`{problems}`: the shipped problems."""

    def write(self) -> str:
        """From the registry."""
        return registry.write_problems()


class Optimizers(Written):
    """`{optimizers}`: the shipped optimizers."""

    def write(self) -> str:
        """From the registry."""
        return registry.write_optimizers()


class Gallery(Written):
    """`{gallery} SUITE`: each figure of the report of a suite."""

    def write(self) -> str:
        """Run the suite; its results are kept beside the doctrees."""
        source = self.source
        if self.still:
            return "*This copy of the site was built without its figures.*"
        results = Path(self.env.doctreedir) / "results"
        found = gallery.make_gallery(source, results, self.generated / source.stem)
        return gallery.write_gallery(found, f"/{GENERATED}/{source.stem}")


class Notebook(Written):
    """`{notebook} PATH`: a notebook with what its cells show."""

    def write(self) -> str:
        """Run it."""
        source = self.source
        cells = notebook.read_notebook(source) if self.still else notebook.execute(source)
        return "\n\n".join(notebook.write_cell(cell, self._save(n, cell)) for n, cell in enumerate(cells))

    def _save(self, number: int, cell: notebook.Cell) -> list[str]:
        names = [f"cell-{number}-{k}.svg" for k in range(len(cell.figures))]
        for name, svg in zip(names, cell.figures, strict=True):
            (self.generated / name).write_text(svg)
        return [f"/{GENERATED}/{name}" for name in names]


def unlink_outside(app: Sphinx, page: str, text: list[str]) -> None:
    """A link to a file of the repository that is no page of the site becomes its text: the site stands alone."""
    root = Path(app.srcdir).resolve()
    folder = (root / page).parent

    def read(link: re.Match[str]) -> str:
        inside = (folder / link[2].partition("#")[0]).resolve().is_relative_to(root)
        return link[0] if inside else link[1]

    text[0] = LINK.sub(read, text[0])


def setup(app: Sphinx) -> dict[str, Any]:
    """Tell Sphinx of them."""
    for directive in (Interface, Commands, Problems, Optimizers, Gallery, Notebook):
        app.add_directive(directive.__name__.lower(), directive)
    app.connect("source-read", unlink_outside)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
