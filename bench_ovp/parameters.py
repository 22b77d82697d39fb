"""Parameters of problems and optimizers, read from the signature that uses them.

A plug-in writes a plain Python signature; this module turns it into names, defaults, limits and documentation.
"""

from __future__ import annotations

import difflib
import hashlib
import inspect
import json
import reprlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from annotated_types import Ge, Gt, Lt

from .errors import InputError
from .matrices import load_matrix as load_matrix  # a value of the type Matrix

Positive = Annotated[float, Gt(0)]
NonNegative = Annotated[float, Ge(0)]
Fraction = Annotated[float, Ge(0), Lt(1)]
Count = Annotated[int, Ge(1)]
Vector = list[float]
Matrix = list[list[float]] | Path  # a nested list, or the path of an .npy file


@dataclass(frozen=True)
class Parameter:
    """One parameter: its name, default (`inspect.Parameter.empty` where it must be given), type and meaning."""

    name: str
    default: Any
    annotation: Any
    description: str = ""

    @property
    def required(self) -> bool:
        """Whether a value must be given."""
        return self.default is inspect.Parameter.empty

    @cached_property
    def depth(self) -> int:
        """How many lists deep one value is: 0 a scalar, 1 a vector, 2 a matrix. A deeper list is a grid."""
        return _depth(self.annotation)

    @cached_property
    def takes_path(self) -> bool:
        """Whether a value may be the path of an .npy file."""
        return Path in _alternatives(self.annotation)

    @cached_property
    def _adapter(self) -> Any:
        from pydantic import ConfigDict, TypeAdapter

        # Numbers must be numbers ("0.1" is a mistake), but an integer will do where a float is asked for.
        return TypeAdapter(self.annotation, config=ConfigDict(strict=True, allow_inf_nan=False))

    def check(self, value: Any) -> Any:
        """Return `value` as the parameter takes it, or raise InputError that says what would do."""
        from pydantic import ValidationError

        if isinstance(value, float) and value.is_integer() and abs(value) < 2**63 and _wants_int(self.annotation):
            value = int(value)  # 1e3 is how people write an integer; 1e300 fits into no array
        if isinstance(value, str) and self.takes_path:
            value = Path(value)
        if value is None and self.default is None:
            return None
        try:
            return self._adapter.validate_python(value)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            own = first["type"] == "value_error"  # a predicate's own words
            told = first["msg"].removeprefix("Value error, ") if own else first["msg"][:1].lower() + first["msg"][1:]
            raise InputError(f"{self.name} = {reprlib.repr(value)}: {told}") from None


@cache  # a suite with a large grid asks once per point
def read_parameters(function: Callable[..., Any], skip: int, options: bool = False) -> tuple[Parameter, ...]:
    """The parameters of `function` behind its first `skip` arguments.

    Args:
        function: a step, a driver or a problem class; types come from annotations, else from defaults.
        skip: how many leading arguments the host passes itself.
        options: whether further ones are declared elsewhere; then it must take `**`, and otherwise must not.
    """
    described = describe(function).parameters
    target = function.__init__ if inspect.isclass(function) else function
    try:
        hints = get_type_hints(target, include_extras=True)
    except NameError as error:
        raise TypeError(f"cannot read the annotations of {function.__qualname__}: {error}") from error
    found = []
    arguments = list(inspect.signature(function).parameters.items())[skip:]
    if options and not any(p.kind is p.VAR_KEYWORD for _, p in arguments):
        raise TypeError(f"{function.__qualname__} declares options but does not take **options")
    for name, p in arguments:
        if options and p.kind is p.VAR_KEYWORD:
            continue
        if p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD):
            raise TypeError(f"{function.__qualname__} takes *{name}; name each parameter instead")
        annotation = hints.get(name, _kind_of(p.default))
        found.append(Parameter(name, p.default, annotation, described.get(name, "")))
    return tuple(found)


def read_options(function: Callable[..., Any], leave_out: Iterable[str] = ()) -> tuple[Parameter, ...]:
    """The arguments of another library's function as parameters: those whose defaults are plain data.

    Types come from the defaults, since foreign annotations say more than a suite file can: a number may be any
    number unless it is annotated as an int, a tuple is a vector, and None takes any number or text.

    Args:
        function: a function or a class.
        leave_out: names that the caller passes itself.
    """
    found = []
    for name, p in inspect.signature(function).parameters.items():
        if name in leave_out or p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD, p.POSITIONAL_ONLY):
            continue
        plain = p.default
        if isinstance(plain, int | float) and not isinstance(plain, bool):
            whole = p.annotation in (int, "int")
            annotation: Any = int if whole else float if isinstance(plain, float) else int | float
        elif isinstance(plain, tuple | list) and all(isinstance(x, int | float | None) for x in plain):
            annotation, plain = list[float | None] if None in plain else Vector, list(plain)
        elif plain is None or plain is p.empty:
            annotation = bool | int | float | str | None
        elif isinstance(plain, bool | str):
            annotation = type(plain)
        else:
            continue
        found.append(Parameter(name, plain, annotation))
    return tuple(found)


def complete(parameters: Iterable[Parameter], given: Mapping[str, Any], owner: str) -> dict[str, Any]:
    """All values of `owner`'s parameters: those given, checked, and the defaults of the others."""
    known = {p.name: p for p in parameters}
    for name in given:
        if name not in known:
            raise InputError(f"{owner} has no parameter {name!r}{nearest(name, known)}")
    values = {}
    for p in known.values():
        if p.name in given:
            try:
                values[p.name] = p.check(given[p.name])
            except InputError as error:
                raise InputError(f"{owner}: {error}") from None
        elif p.required:
            raise InputError(f"{owner} needs a value for {p.name!r}")
        else:
            values[p.name] = p.default
    return values


def nearest(name: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown `name`: the nearest known one, or all of them."""
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; known: {', '.join(known)}" if known else "; it takes none"


def label(name: str, given: Mapping[str, Any]) -> str:
    """`name[key=value,…]`: what was given, in its order; a matrix as eight digits of its digest."""
    if not given:
        return name
    return f"{name}[{','.join(f'{key}={show_value(value)}' for key, value in given.items())}]"


def show_value(value: Any) -> str:
    """`value` as labels write it: numbers as Python prints them, integral ones without `.0`."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e16:
        return str(int(value))
    if isinstance(value, list | tuple) and value and isinstance(value[0], list | tuple):
        return digest(value)
    if isinstance(value, list | tuple):
        return "[" + ",".join(show_value(item) for item in value) + "]"
    if isinstance(value, Path):
        return digest(load_matrix(value))
    return str(value)


def digest(matrix: Iterable[Iterable[float]]) -> str:
    """Eight hexadecimal digits that stand for a matrix in a label, the same for a list and for a file."""
    plain = [[float(x) for x in row] for row in matrix]
    return hashlib.sha256(json.dumps(plain).encode()).hexdigest()[:8]


def count_numbers(value: Any) -> int:
    """How many numbers a vector or a matrix holds; of a scalar, none."""
    if isinstance(value, Path):
        value = load_matrix(value)
    return sum(count_numbers(item) or 1 for item in value) if isinstance(value, list | tuple) else 0


@dataclass(frozen=True)
class Description:
    """What a docstring says: its first line, the rest of its text, its source, and a line per parameter."""

    summary: str
    body: str
    source: str
    parameters: Mapping[str, str]


def describe(thing: Any) -> Description:
    """Read the docstring of `thing`, in the house's form: summary, mathematics, Args, Source."""
    from docstring_parser import DocstringStyle, parse

    text, _, source = (inspect.getdoc(thing) or "").partition("\nSource:")
    parsed = parse(text, DocstringStyle.GOOGLE)
    return Description(
        summary=parsed.short_description or "",
        body=parsed.long_description or "",
        source=" ".join(source.split()),
        parameters={p.arg_name: " ".join((p.description or "").split()) for p in parsed.params},
    )


def _kind_of(default: Any) -> Any:
    if default is None or default is inspect.Parameter.empty:
        return Any
    return float if isinstance(default, float) else type(default)


def _alternatives(annotation: Any) -> list[Any]:
    """The plain types that `annotation` may stand for."""
    if get_origin(annotation) is Annotated:
        return _alternatives(get_args(annotation)[0])
    if get_origin(annotation) in (list, tuple) or not get_args(annotation):
        return [annotation]
    return [plain for part in get_args(annotation) for plain in _alternatives(part)]


def _wants_int(annotation: Any) -> bool:
    return int in _alternatives(annotation)


def _depth(annotation: Any) -> int:
    deepest = 0
    for plain in _alternatives(annotation):
        if get_origin(plain) in (list, tuple):
            deepest = max(deepest, 1 + _depth(get_args(plain)[0]))
    return deepest
