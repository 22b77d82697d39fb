"""Docstrings in the house's form, and what they say as Markdown."""

import inspect
import re
from textwrap import dedent
from typing import Any, NamedTuple

SECTION = re.compile(r"^(Args|Returns|Errors|Raises|Source):[ ]*(.*)$")
NAMED = re.compile(r"^([\w, *]+): (.*)$", re.DOTALL)


class Docstring(NamedTuple):
    """A docstring, read: its prose, and each section as a list of items."""

    prose: str
    sections: dict[str, list[str]]

    @property
    def arguments(self) -> dict[str, str]:
        """What `Args` says of each name; "n, d: text" says it of both."""
        found = (NAMED.match(item) for item in self.sections.get("Args", []))
        return {name.strip(): match[2] for match in found if match for name in match[1].split(",")}


def read_docstring(thing: Any) -> Docstring:
    """The docstring of `thing`: prose up to the first section; an item of a section goes on where it is indented."""
    lines = (inspect.getdoc(thing) or "").splitlines()
    start = next((k for k, line in enumerate(lines) if SECTION.match(line)), len(lines))
    sections: dict[str, list[str]] = {}
    items: list[str] = []
    depth: int | None = None
    for line in lines[start:]:
        if head := SECTION.match(line):
            items = sections.setdefault("Errors" if head[1] == "Raises" else head[1], [])
            items.extend([head[2]] if head[2] else [])
            depth = None if not head[2] else -1  # what follows on the line of the head goes on below it
        elif text := line.strip():
            indent = len(line) - len(line.lstrip())
            depth = indent if depth is None else depth
            if depth == indent:
                items.append(text)
            else:
                items[-1] += f" {text}"
    return Docstring("\n".join(lines[:start]).strip(), sections)


def write_docstring(read: Docstring, *, arguments: bool = True) -> str:
    """A docstring as Markdown: indented lines are code, names are in code type."""
    parts = [fence_indented(read.prose)] if read.prose else []
    for title, items in read.sections.items():
        if title == "Args" and not arguments:
            continue
        if title == "Source":
            parts.append(f"*Source:* {' '.join(items)}")
        elif title == "Returns":
            parts.append(f"**Returns** {' '.join(items)}")
        else:
            parts.append("\n".join([f"**{title}**", "", *(f"- {write_item(item)}" for item in items)]))
    return "\n\n".join(parts)


def write_item(item: str) -> str:
    """`name: meaning` with the names in code type."""
    if not (found := NAMED.match(item)):
        return item
    names = ", ".join(f"`{name.strip()}`" for name in found[1].split(","))
    return f"{names}: {found[2]}"


def fence_indented(prose: str) -> str:
    """Prose whose indented paragraphs are code, or formulas, set as they stand."""
    paragraphs = re.split(r"\n\s*\n", prose)
    return "\n\n".join(f"```text\n{dedent(text)}\n```" if text.startswith(" ") else text for text in paragraphs)
