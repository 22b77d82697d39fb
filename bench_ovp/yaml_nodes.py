"""Strict YAML: a tree of values, each of which knows where it stands.

Not by `yaml.load`, for which 1e6 is a text and `no` is False, the last of two equal keys wins, and a few
aliases unfold into gigabytes.
"""

from __future__ import annotations

import re
import reprlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from .errors import InputError

LARGEST_FILE = 300_000  # bytes; half a second of scanning at worst
MOST_VALUES = 20_000  # keys count as well; half a second of parsing
LONGEST_TEXT = 4096  # characters; a path may be this long
DEEPEST = 12  # levels; a grid of matrices is 7 deep
LARGEST_INTEGER = 2**63 - 1  # what arrays and tables can hold

_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_WORDS = {"true": True, "false": False, "null": None, "~": None, "": None}
_WORDS |= {form(word): _WORDS[word] for word in ("true", "false", "null") for form in (str.title, str.upper)}


@dataclass(frozen=True)
class Mark:
    """A place in a file; lines and columns count from 1."""

    path: Path
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}"

    def refuse(self, told: str) -> InputError:
        """The error that says `told` of this place."""
        return InputError(f"{self}: {told}")

    @contextmanager
    def locate(self) -> Iterator[None]:
        """Let an InputError raised inside name this place."""
        try:
            yield
        except InputError as error:
            raise self.refuse(" ".join(str(error).split())) from None


Value: TypeAlias = "bool | int | float | str | list[Node] | dict[str, Node] | None"


@dataclass(frozen=True)
class Node:
    """A value and its place.

    Args:
        value: a scalar, a list of nodes, or nodes by key.
        mark: where it begins.
        key: the key it stands under, itself or as an item of a list; empty at the root.
        key_mark: where that key begins.
    """

    value: Value
    mark: Mark
    key: str
    key_mark: Mark

    def refuse(self, told: str) -> InputError:
        """The error that says `told` of this value."""
        return self.mark.refuse(told)

    def show(self) -> str:
        """The value as a message calls it."""
        if isinstance(self.value, list | dict):
            return "a list" if isinstance(self.value, list) else "a mapping"
        return "nothing" if self.value is None else reprlib.repr(self.value)

    @property
    def children(self) -> dict[str, Node]:
        """The nodes of a mapping; none of anything else."""
        return self.value if isinstance(self.value, dict) else {}

    def plain(self) -> Any:
        """The value without places."""
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        return self.value


def read_text(path: Path) -> str:
    """The text of a file in UTF-8, of at most LARGEST_FILE bytes."""
    top = Mark(path, 1, 1)
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_FILE + 1)
    except FileNotFoundError:
        raise top.refuse("there is no such file; check the path") from None
    except IsADirectoryError:
        raise top.refuse("this is a directory; name a file in it") from None
    except (OSError, ValueError) as error:
        raise top.refuse(f"cannot read the file: {getattr(error, 'strerror', None) or error}") from None
    if len(data) > LARGEST_FILE:
        raise top.refuse(f"the file is larger than {LARGEST_FILE:,} bytes; keep large starts in .npy files")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        mark = _place(path, data[: error.start].decode("utf-8"))
        raise mark.refuse("the file is not UTF-8 here; save it as UTF-8") from None


@lru_cache(maxsize=1)  # once for the plug-ins that a suite names, once for all else
def parse(text: str, path: Path) -> Node:
    """The tree of the one document in `text`; `path` is only named in errors."""
    events = _count(_scan(text, path), path)
    next(events)  # the start of the stream
    if isinstance(next(events), yaml.StreamEndEvent):
        raise Mark(path, 1, 1).refuse("the file is empty; begin with a name, such as name: paper")
    top = Mark(path, 1, 1)
    root = _build(next(events), events, path, "", top, 1)
    next(events)  # the end of the document
    following = next(events)
    if not isinstance(following, yaml.StreamEndEvent):
        raise _mark(path, following.start_mark).refuse("a second document begins; split the file in two")
    return root


def _scan(text: str, path: Path) -> Iterator[Any]:
    """The events of `text`; where it is no YAML, the error says so in the file's terms."""
    try:
        loader: Any = yaml.SafeLoader(text)
    except yaml.reader.ReaderError as error:
        told = f"the character U+{error.character:04X} is not allowed; remove it"
        raise _place(path, text[: error.position]).refuse(told) from None
    try:
        while loader.check_event():
            yield loader.get_event()
    except yaml.MarkedYAMLError as error:
        problem, context = error.problem or "", error.context or ""
        remedy = "check indentation, colons, quotes and brackets here and on the line before"
        if "'\\t'" in problem:
            remedy = "indent with spaces, not with tabs"
        elif "alias" in context:
            remedy = "quote a text that begins with *"
        told = f"not YAML: {' '.join(f'{context} {problem}'.split())}; {remedy}"
        raise _mark(path, error.problem_mark or loader.get_mark()).refuse(told) from None
    except (ValueError, OverflowError):  # PyYAML does not catch an escape such as "\UFFFFFFFF"
        raise _mark(path, loader.get_mark()).refuse("no such character or number; remove it") from None


def _count(events: Iterator[Any], path: Path) -> Iterator[Any]:
    """The same events, unless they are too many values."""
    values = 0
    for event in events:
        values += isinstance(event, yaml.NodeEvent)
        if values > MOST_VALUES:
            told = f"more than {MOST_VALUES:,} keys and values; write seeds as a number, keep starts in .npy files"
            raise _mark(path, event.start_mark).refuse(f"{told}, or split the suite")
        yield event


def _build(event: Any, events: Iterator[Any], path: Path, key: str, key_mark: Mark, depth: int) -> Node:
    mark = _mark(path, event.start_mark)
    if isinstance(event, yaml.AliasEvent):
        raise mark.refuse("aliases are not read; write the value out, or quote a text that begins with *")
    if event.anchor is not None:
        raise mark.refuse(f"anchors are not read; remove {_quote('&' + event.anchor)}, or put the text in quotes")
    if event.tag is not None:
        raise mark.refuse(f"tags are not read; remove {_quote(event.tag)}, or put the text in quotes")
    if depth > DEEPEST:
        raise mark.refuse(f"nested more than {DEEPEST} levels deep; remove brackets or indentation")
    if isinstance(event, yaml.ScalarEvent):
        return Node(_resolve(event.value, event.style is None, mark), mark, key, key_mark)
    if isinstance(event, yaml.SequenceStartEvent):
        items = []
        while not isinstance(event := next(events), yaml.SequenceEndEvent):
            items.append(_build(event, events, path, key, key_mark, depth + 1))
        return Node(items, mark, key, key_mark)
    mapping: dict[str, Node] = {}
    while not isinstance(event := next(events), yaml.MappingEndEvent):
        at = _build(event, events, path, key, key_mark, depth + 1).mark
        if not isinstance(event, yaml.ScalarEvent):
            raise at.refuse("a key must be a name; put a text that begins with a bracket or brace in quotes")
        name = event.value
        if name == "<<":
            raise at.refuse("merge keys are not read; write the keys out")
        if name in mapping:
            first = mapping[name].key_mark.line
            raise at.refuse(f"the key {reprlib.repr(name)} is on line {first} already; remove one of the two")
        mapping[name] = _build(next(events), events, path, name, at, depth + 1)
    return Node(mapping, mark, key, key_mark)


def _resolve(text: str, plain: bool, mark: Mark) -> bool | int | float | str | None:
    """What a scalar means: YAML 1.2's core schema without octal, hexadecimal and what is not finite."""
    if len(text) > LONGEST_TEXT:
        raise mark.refuse(f"a text of {len(text):,} characters; shorten it to {LONGEST_TEXT:,}")
    if not text.isprintable():
        raise mark.refuse("the text has a line break or another character that does not print; remove it")
    if not plain:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _NOT_FINITE.fullmatch(text):
        raise mark.refuse(f"{text} is not finite; write a finite number, or leave the key out")
    if _INTEGER.fullmatch(text):
        if len(text) > 20 or abs(int(text)) > LARGEST_INTEGER:
            raise mark.refuse("an integer beyond 2^63; write it with an exponent, such as 1e20")
        return int(text)
    if _FLOAT.fullmatch(text):
        number = float(text)
        if abs(number) == float("inf"):
            raise mark.refuse("a number beyond double precision; write one below 1e308")
        return number
    return text


def _quote(text: str) -> str:
    """A tag or an anchor in a message: as it is, unless it is long or would not print, as `!%0A` would not."""
    return text if text.isprintable() and len(text) <= 40 else reprlib.repr(text)


def _mark(path: Path, mark: Any) -> Mark:
    return Mark(path, mark.line + 1, mark.column + 1)


def _place(path: Path, before: str) -> Mark:
    """The place behind the text `before`."""
    return Mark(path, before.count("\n") + 1, len(before) - before.rfind("\n"))
