"""The commands as Markdown, from the program's own help."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click


def walk(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command below a group, groups before what is in them, each with its words."""
    for name, command in sorted(group.commands.items()):
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from walk(command, (*path, name))


def options_of(command: click.Command) -> list[click.Option]:
    """A command's own options that are not hidden; `--help`, which all have, is not among them."""
    return [p for p in command.params if isinstance(p, click.Option) and not p.hidden]


def write_commands(program: click.Group, name: str) -> str:
    """A section per command: what it does, how it is called, its options, examples."""
    parts = [write_command(program, (name,), 2)]
    parts += [write_command(command, (name, *words), 1 + len(words)) for words, command in walk(program)]
    return "\n\n".join(parts)


def write_command(command: click.Command, words: tuple[str, ...], level: int) -> str:
    """One of these sections."""
    context = click.Context(command, info_name=" ".join(words))
    usage = " ".join(command.collect_usage_pieces(context))
    parts = [
        f"{'#' * level} {' '.join(words)}",
        "\n\n".join(_flow(paragraph) for paragraph in (command.help or "").split("\n\n")),
        f"```text\n{' '.join(words)} {usage}\n```",
    ]
    if isinstance(command, click.Group):
        rows = [f"- `{name}`: {each.get_short_help_str(200)}" for name, each in sorted(command.commands.items())]
        parts.append("\n".join(rows))
    if found := options_of(command):
        parts.append("\n".join(["| option | meaning | default |", "| --- | --- | --- |", *map(_write_option, found)]))
    if command.epilog:
        parts.append(_write_epilog(command.epilog))
    return "\n\n".join(parts)


def _write_option(option: click.Option) -> str:
    """A row of the table; a default that is told in the help, in click's brackets, goes to its column."""
    metavar = "" if option.is_flag else f" {option.metavar or option.type.name.upper()}".removesuffix(" RANGE")
    names = ", ".join(f"`{name}{metavar if name == option.opts[-1] else ''}`" for name in option.opts)
    help_, _, told = (option.help or "").partition("[default:")
    default = told.strip(" ]") or (f"`{option.default}`" if option.show_default else "")
    limits = re.sub(r"^x", "", option.type._describe_range()) if isinstance(option.type, click.IntRange) else ""
    repeats = " May be given more than once." if option.multiple and "May repeat" not in help_ else ""
    meaning = f"{_escape(_flow(help_))}{repeats}" + (f" A whole number {limits}." if limits else "")
    return f"| {names} | {meaning} | {default} |"


def _write_epilog(epilog: str) -> str:
    """Examples as shell blocks, below what introduces them."""
    parts = []
    for block in re.split(r"^\x08\n?", epilog, flags=re.MULTILINE):
        lines = block.strip("\n").splitlines()
        while lines:
            head, lines = lines[0].strip(), lines[1:]
            code = [line.strip() for line in lines]
            parts.append(_escape(head) + ("\n\n```sh\n" + "\n".join(code) + "\n```" if code else ""))
            lines = []
    return "\n\n".join(part for part in parts if part)


def _flow(text: str) -> str:
    """A paragraph on one line; click's marks are dropped."""
    return " ".join(text.replace("\x08", "").split())


def _escape(text: str) -> str:
    """What Markdown would read as emphasis, or as the end of a cell, is meant as it stands."""
    return re.sub(r"([*_|<>\[\]])", r"\\\1", text)
