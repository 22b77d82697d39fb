"""What the commands print."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from .errors import InputError
from .layout import BOLD, GREEN, RED, columns, fill, style
from .optimizers import DriverMethod, Method
from .parameters import Parameter, label, nearest
from .problems import Problem, ProblemDefinition, description_of, parameters_of
from .ranking import write_places
from .registry import Plugin, Registry, assemble, find_files

if TYPE_CHECKING:
    from .plan import Cell, Choice
    from .reasons import Reasons
    from .tuning import Tuned


def list_all(what: str | None, plugins: Sequence[Path] = ()) -> str:
    """Problems, optimizers and plug-ins, or one of the three, a line each; `plugins` are further files."""
    registry = assemble(find_files(plugins, Path.cwd()))
    sections = {
        "problems": [(n, description_of(p).summary) for n, p in registry.problems.items()],
        "optimizers": [(n, m.description.summary) for n, m in registry.methods.items()],
        "plugins": [(p.name, _describe_plugin(p)) for p in registry.plugins],
    }
    if what is not None:
        return columns(sections[what])
    return "\n\n".join(f"{style(name, BOLD)}\n{columns(rows, indent='  ')}" for name, rows in sections.items())


def _describe_plugin(plugin: Plugin) -> str:
    said = f"; it printed: {plugin.said}" if plugin.said else ""
    return f"{plugin.origin}: {f'did not load: {plugin.error}' if plugin.error else _offer(plugin)}{said}"


def show_one(name: str, plugins: Sequence[Path] = ()) -> str:
    """All that is known of one problem or optimizer; `plugins` are further files.

    Errors:
        InputError: nothing is called so.
    """
    registry = assemble(find_files(plugins, Path.cwd()))
    if name in registry.problems:
        return _show_problem(registry, registry.problems[name])
    if name in registry.methods:
        return _show_method(registry, registry.methods[name])
    known = [*registry.problems, *registry.methods]
    raise InputError(f"no problem or optimizer is called {name!r}{nearest(name, known)}")


def describe_plan(
    file: Path, results: Path, seeds: int | None, only: Sequence[str], plugins: Sequence[Path] = ()
) -> str:
    """The cells of a suite, what is stored of each, and how long the rest may take."""
    from .store import FILE, Store
    from .suite_run import choose, plan_suite, read_registry, recall_tuned
    from .work import estimate_seconds

    registry = read_registry(file, plugins)
    suite, entries = plan_suite(file, registry, seeds)
    entries = choose(entries, only)
    folder = results / suite.name
    plan = [one for entry in entries for one in _plan_entry(entry, {})]
    stored: dict[int, int] = {}
    if (folder / FILE).is_file():
        with Store(folder, writable=False) as store:
            tuned = recall_tuned(entries, store)
            plan = [one for entry in entries for one in _plan_entry(entry, tuned)]
            stored = {id(cell): len(store.finished(cell)) for _, group in plan for cell in group}
    rows, total, unknown = [], 0.0, 0
    for line, group in plan:
        have, all_runs = sum(stored.get(id(cell), 0) for cell in group), sum(len(cell.seeds) for cell in group)
        told = "stored"
        if have < all_runs:
            seconds = estimate_seconds(group[0], *group[0].revive(registry))  # one candidate speaks for the others
            seconds = None if seconds is None else seconds * len(group)
            told = "time unknown (a flow)" if seconds is None else f"about {seconds * (1 - have / all_runs):.1f} s"
            total += 0.0 if seconds is None else seconds * (1 - have / all_runs)
            unknown += seconds is None
        rows.append((line, f"{have}/{all_runs} runs stored", told))
    rest = f", and {unknown} cells of unknown time" if unknown else ""
    code = "".join(f"runs the code in {path}\n" for path in registry.files)
    return f"{code}{columns(rows)}\n{len(entries)} cells; about {total:.0f} s of one core{rest}; nothing was run"


def _plan_entry(entry: Cell | Choice, tuned: Mapping[str, Tuned]) -> Iterator[tuple[str, Sequence[Cell]]]:
    """The lines of a plan: a cell; before it the candidates that it is tuned from, which are as many cells."""
    from .plan import Cell

    if isinstance(entry, Cell):
        yield entry.label, (entry,)
        return
    yield f"{entry.label}, {len(entry.trials)} candidates", entry.trials
    yield entry.label, (tuned[entry.label].cell if entry.label in tuned else entry.options[0],)


def ranking_table(ranking: Sequence[Mapping[str, Any]]) -> str:
    """The ranking as text, a block per problem; "2=" is a rank that several share."""
    if not len(ranking):
        return "no finished runs yet"
    blocks = []
    for problem, rows_of_it in groupby(ranking, key=itemgetter("problem")):
        group, rows = list(rows_of_it), []
        places = write_places(math.nan if cells["rank"] is None else cells["rank"] for cells in group)
        for place, cells in zip(places, group, strict=True):
            law = formula(cells["law"], cells["value"], cells["low"], cells["high"])
            rows.append((place, cells["optimizer"], law, _verdict(cells)))
        blocks.append(f"{style(problem, BOLD)}\n{columns(rows, indent='  ')}")
    return "\n\n".join(blocks) + "\n"


def formula(law: str, value: float, low: float, high: float) -> str:
    """A law as people write it, with its interval."""
    if law in ("power", "exponential"):
        shape = f"t^-{value:.3f}" if law == "power" else f"exp(-{value:.4g} t)"
        return f"{shape}  ({low:.4g} to {high:.4g})"
    return law


def describe_reasons(reasons: Reasons) -> str:
    """Why a pair has its law: sentences under headings, and the table of the evidence."""
    from .report.why import HEADINGS, list_contenders, write_reasons

    lines = [style(f"{reasons.problem} x {reasons.optimizer}, seed {reasons.seed}", BOLD), ""]
    for heading, sentence in write_reasons(reasons):
        lines.append(fill(f"{heading:<10}{sentence}", indent=10))
    if rows := list_contenders(reasons):
        lines += ["", columns([HEADINGS, *rows], indent="  ")]
    return "\n".join(lines)


def _verdict(row: Mapping[str, Any]) -> str:
    told = []
    if isinstance(row["theory_law"], str):  # an absent theory may be None or NaN
        value = "" if math.isnan(row["theory_value"]) else f" {row['theory_value']:.4g}"
        theory = f"{row['theory_law']}{value}"
        if row["law"] == "undecided":
            told.append(f"theory: {theory}")
        else:
            told.append(style(f"agrees with {theory}", GREEN) if row["agrees"] else style(f"NOT {theory}", RED))
    if row["share"] < 1:
        told.append(f"{row['share']:.0%} of {row['seeds']} seeds")
    return "; ".join(told)


def _offer(plugin: Any) -> str:
    claims = f"{len(plugin.claims)} claim{'s' if len(plugin.claims) > 1 else ''}"
    return ", ".join((*plugin.problems, *plugin.optimizers, *([claims] if plugin.claims else [])))


def _show_problem(registry: Registry, definition: type[ProblemDefinition]) -> str:
    said = description_of(definition)
    lines = [style(definition.name, BOLD), f"  {said.summary}", *_body(said.body), "", style("parameters", BOLD)]
    lines.append(_parameters(parameters_of(definition)))
    if not any(p.required for p in parameters_of(definition)):
        lines += ["", style("theory, at the defaults", BOLD), _theories(registry, registry.problem(definition.name))]
    return "\n".join([*lines, *_source(said.source), *_home(registry, "problem", definition.name)])


def _theories(registry: Registry, problem: Problem) -> str:
    rows = []
    for name, method in registry.methods.items():
        if not method.family or any(p.required for p in method.parameters):
            continue
        theory = problem.theory(method.family, registry.optimizer(name).parameters)
        if theory:
            value = "" if math.isnan(theory.value) else f" {theory.value:.6g}"
            rows.append((name, f"{theory.law}{value}", theory.source))
    return columns(rows, indent="  ")


def _show_method(registry: Registry, method: Method) -> str:
    said = method.description
    lines = [style(method.name, BOLD), f"  {said.summary}", *_body(said.body), "", style("parameters", BOLD)]
    lines.append(_parameters(method.parameters))
    if isinstance(method, DriverMethod) and method.options:
        options = method.parameters_for({})[len(method.parameters) :]
        shown = {p.name: p.default for p in method.deciding}
        lines += ["", style(f"options, at {label('', shown)[1:-1]}", BOLD), _parameters(options)]
    clock = {"lr": "lr·iteration", "iteration": "the iteration", "time": "the t of the flow"}[method.clock]
    form = "a driver, which owns its loop" if isinstance(method, DriverMethod) else "a step, which the host repeats"
    facts = [("form", form), ("clock", f"time is {clock}")]
    kinds = {"isometries": method.isometry_equivariant, "rotations": method.rotation_equivariant}
    facts.append(("symmetry", next((f"commutes with {kind}" for kind, told in kinds.items() if told), "none declared")))
    lines += ["", columns(facts, indent="  ")]
    return "\n".join([*lines, *_source(said.source), *_home(registry, "optimizer", method.name)])


def _parameters(parameters: Sequence[Parameter]) -> str:
    rows = [
        (
            p.name,
            "required" if p.required else f"= {_default(p.default)}",
            _limits(p.annotation),
            p.description,
        )
        for p in parameters
    ]
    return columns(rows, indent="  ")


def _default(value: Any) -> str:
    return "drawn or none" if value is None else str(value)


def _limits(annotation: Any) -> str:
    """The limits of a number, from its annotation: "> 0", "in [0, 1)"."""
    signs = {"gt": ">", "ge": "≥", "lt": "<", "le": "≤"}
    return ", ".join(
        f"{sign} {getattr(part, name)}"
        for part in get_args(annotation)
        for name, sign in signs.items()
        if hasattr(part, name)
    )


def _body(text: str) -> list[str]:
    return ["", *(f"  {line}".rstrip() for line in text.splitlines())] if text else []


def _source(text: str) -> list[str]:
    return ["", f"source: {text}"] if text else []


def _home(registry: Registry, kind: str, name: str) -> list[str]:
    for plugin in registry.plugins:
        if name in getattr(plugin, f"{kind}s"):
            return [f"plug-in: {plugin.name}, of {plugin.distribution} {plugin.version}"]
    return []
