"""Checks of declared theory against measured laws."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ..checkpoints import Horizon, StopRule
from ..errors import InputError
from ..optimizers import DriverMethod, Optimizer
from ..problems import Problem, Theory
from ..ranking import ORDER, TARGETS, Fitted, Standing, summarise
from ..registry import Registry
from .check import Inapplicable, Nonconformance, describe_error

LAWS = tuple(law for law in ORDER if law != "undecided")
SEEDS = (0, 1, 2)
ITERATIONS = (250, 1000, 4000, 16_000, 64_000)
SLOW_ITERATIONS = ITERATIONS[:-2]  # of steps that run in NumPy, and of drivers
TIMES = (10.0, 40.0, 160.0, 640.0, 2560.0)
WALL = 3.0  # seconds for one horizon; what takes longer is left undecided
SHARP = 0.5  # an interval wider than this share of its value agrees with too much
MOST_PROBLEMS = 2  # on which a method's claim to a family is tried


class Claim(NamedTuple):
    """A pair for which a law is declared."""

    problem: Problem
    optimizer: Optimizer
    theory: Theory


def check_theory_form(problem: Problem, registry: Registry) -> None:
    """theory returns None or a Theory: a known law, a positive value where there is one, a source."""
    if not hasattr(problem.instance, "theory"):
        raise Inapplicable("the problem declares no theory")
    asked = [(o.method.family, o.parameters) for o in list_optimizers(registry.methods.values())]
    for family, parameters in [*asked, ("", {}), ("a family nobody knows", {"lr": 0.1})]:
        try:
            found = problem.instance.theory(family, dict(parameters))
        except Exception as error:
            raise Nonconformance(
                f"theory({family!r}, {parameters}) raises {describe_error(error)}; return None for what is not known"
            ) from None
        if found is not None:
            _check_form(found, family)
            if not family or family == "a family nobody knows":
                raise Nonconformance(f"theory answers for the family {family!r}; return None for what is not known")
    for family in sorted({family for family, _ in asked}):
        try:
            problem.instance.theory(family, {})
        except Exception as error:
            raise Nonconformance(
                f"theory({family!r}, {{}}) raises {describe_error(error)}; a method of that family may call its "
                "parameters otherwise: use parameters.get, and return None for what is not known"
            ) from None


def check_problem_theory(problem: Problem, registry: Registry) -> None:
    """What the problem declares is what methods of these families do on it."""
    claims = [c for o in list_optimizers(registry.methods.values()) if (c := claim(problem, o))]
    _confront(claims, "the problem declares no theory for a family of an optimizer that is installed", "its theory")


def check_method_theory(optimizer: Optimizer, registry: Registry) -> None:
    """On problems with a theory for its family, the method keeps to it."""
    if not optimizer.method.family:
        raise Inapplicable("the method claims no family")
    claims = [c for problem in _problems(registry) if (c := claim(problem, optimizer))]
    # An exponential takes hundreds of steps to see, a power thousands.
    claims.sort(key=lambda c: c.theory.law != "exponential")
    none = f"no problem that is installed has a theory for the family {optimizer.method.family!r}"
    remedy = f"the method's update, or its claim to the family {optimizer.method.family!r}"
    _confront(claims[:MOST_PROBLEMS], none, remedy)


def list_optimizers(methods: Iterable[object]) -> list[Optimizer]:
    """One optimizer per family, of those that need no parameters."""
    found: dict[str, Optimizer] = {}
    for method in methods:
        family = getattr(method, "family", "")
        if family and not any(p.required for p in method.parameters):  # type: ignore[attr-defined]
            found.setdefault(family, Optimizer(method))  # type: ignore[arg-type]
    return list(found.values())


def claim(problem: Problem, optimizer: Optimizer) -> Claim | None:
    """The law that the problem declares for the optimizer, if it does."""
    theory = problem.theory(optimizer.method.family, optimizer.parameters) if optimizer.method.family else None
    return theory and Claim(problem, optimizer, theory)


def judge(claim: Claim) -> tuple[bool | None, Standing | None]:
    """Whether longer and longer runs keep to a claim, None where they do not decide it; and what was seen last.

    A short run may show a transient. So what speaks against a claim must say the same at two successive horizons,
    and is measured with an interval on either side to spare; a chance of 5 % is no verdict.
    """
    against: Standing | None = None
    for standing in measure(claim):
        verdict = None if standing.law == "undecided" else _verdict(standing, claim.theory)
        if verdict is True:
            return True, standing
        if verdict is False and against is not None and _alike(standing, against):
            return False, standing
        against = standing if verdict is False else None
    return None, against


def measure(claim: Claim) -> Iterator[Standing]:
    """The standing of the pair at longer and longer horizons."""
    from ..integrate import integrate
    from ..work import fit_run

    optimizer, problem = claim.optimizer, claim.problem
    flows = optimizer.method.clock == "time"
    slow = isinstance(optimizer.method, DriverMethod) or not optimizer.method.compile or problem.kernels is None
    for reach in TIMES if flows else SLOW_ITERATIONS if slow else ITERATIONS:
        horizon = Horizon(time=float(reach)) if flows else Horizon(iterations=int(reach))
        trace = integrate(problem, optimizer, SEEDS, horizon, stop=StopRule(wall=WALL))
        if any(run.status == "timeout" for run in trace.runs):
            return
        never = (math.inf,) * len(TARGETS)
        standing = summarise([Fitted(run.status, fit_run(run, optimizer), never) for run in trace.runs])
        yield standing
        if all(run.status != "ok" for run in trace.runs):
            yield standing  # all came to their end: a longer horizon shows the same
            return


def _confront(claims: list[Claim], none: str, remedy: str) -> None:
    if not claims:
        raise Inapplicable(none)
    decided = 0
    for each in claims:
        verdict, last = judge(each)
        if verdict is False and last is not None:
            raise Nonconformance(
                f"{each.optimizer.label} on {each.problem.label}: theory says {_write(each.theory)}, measured is "
                f"{_write(last)}; correct {remedy}"
            )
        decided += verdict is True
    if not decided:
        raise Inapplicable(f"short runs do not decide the law of {claims[0].optimizer.label}")


def _verdict(standing: Standing, theory: Theory) -> bool | None:
    if standing.law != theory.law:
        return False
    if math.isnan(theory.value) or math.isnan(standing.value):
        return True
    width = standing.high - standing.low
    if standing.low <= theory.value <= standing.high:
        return True if width <= SHARP * abs(standing.value) else None
    return None if standing.low - width <= theory.value <= standing.high + width else False


def _alike(a: Standing, b: Standing) -> bool:
    if a.law != b.law:
        return False
    return math.isnan(a.value) or (a.low <= b.high and b.low <= a.high)


def _write(law: Theory | Standing) -> str:
    value = "" if math.isnan(law.value) else f" {law.value:.4g}"
    interval = f" ({law.low:.4g} to {law.high:.4g})" if isinstance(law, Standing) and value else ""
    return f"{law.law}{value}{interval}"


def _check_form(found: object, family: str) -> None:
    if not isinstance(found, tuple) or len(found) != 3:
        raise Nonconformance(f"theory({family!r}) returns {found!r}; return bench_ovp.Theory(law, value, source)")
    law, value, source = found
    if law not in LAWS:
        raise Nonconformance(f"theory({family!r}) names the law {law!r}; choose one of {', '.join(LAWS)}")
    valued = law in ("power", "exponential")
    if not isinstance(value, float | int) or (valued and not (math.isfinite(value) and value > 0.0)):
        raise Nonconformance(f"theory({family!r}) gives the value {value!r}; a law {law} has a positive number")
    if not isinstance(source, str) or not source.strip():
        raise Nonconformance(f"theory({family!r}) names no source; say who proved it")


def _problems(registry: Registry) -> Iterator[Problem]:
    for definition in registry.problems.values():
        try:
            yield Problem(definition)
        except InputError:
            continue  # it needs parameters
