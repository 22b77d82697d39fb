"""Labels such as `teacher-neuron[n=5,d=20]`, read back for people: short names, families, formulas."""

import math
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

MOST_WORDS = 12  # that a sentence enumerates


class Label(NamedTuple):
    """A label taken apart: what it names, and the parameters in its brackets."""

    text: str
    name: str
    parameters: dict[str, str]


class Family(NamedTuple):
    """Labels of one name, and the parameters in which they differ."""

    name: str
    varying: tuple[str, ...]
    members: tuple[Label, ...]


def parse_label(text: str) -> Label:
    """Take a label apart; a text without `name[key=value,…]` is a name as it stands."""
    match = re.fullmatch(r"([^\[\]]+)\[(.+)\]", text, flags=re.DOTALL)
    if not match:
        return Label(text, text, {})
    pieces, depth = [""], 0
    for character in match[2]:
        depth += (character in "[({") - (character in "])}")
        if character == "," and depth == 0:
            pieces.append("")
        else:
            pieces[-1] += character
    pairs = [piece.partition("=") for piece in pieces]
    if not all(key.strip() and equals for key, equals, _ in pairs):
        return Label(text, text, {})
    return Label(text, match[1], {key.strip(): value.strip() for key, _, value in pairs})


def group_families(texts: Iterable[str]) -> list[Family]:
    """Labels grouped by name, in order of appearance; a lone label is a family of one."""
    groups: dict[str, list[Label]] = {}
    for label in map(parse_label, texts):
        groups.setdefault(label.name, []).append(label)
    families = []
    for name, members in groups.items():
        keys = dict.fromkeys(key for member in members for key in member.parameters)
        varying = [key for key in keys if len({member.parameters.get(key) for member in members}) > 1]
        families.append(Family(name, tuple(varying), tuple(members)))
    return families


def shorten(texts: Sequence[str]) -> dict[str, str]:
    """The shortest name of each label that still tells it from the others: `teacher-neuron n=5`."""
    short = {}
    for family in group_families(texts):
        for member in family.members:
            told = [f"{key}={member.parameters[key]}" for key in family.varying if key in member.parameters]
            short[member.text] = f"{family.name} {', '.join(told)}" if told else family.name
    names = list(short.values())
    return {text: name if names.count(name) == 1 else text for text, name in short.items()}


def enumerate_words(words: Sequence[str], most: int = MOST_WORDS) -> str:
    """`a`; `a and b`; `a, b and c`; beyond `most` of them `a, b and 7 more`."""
    if len(words) > most:
        words = [*words[: most - 1], f"{len(words) - most + 1} more"]
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def list_values(values: Sequence[str], most: int = MOST_WORDS) -> str:
    """`2, 5, 10`; beyond `most` of them the first, the last and their number: `2, 3, 4, …, 99 (98 values)`."""
    if len(values) <= most:
        return ", ".join(values)
    return f"{', '.join(values[:3])}, …, {values[-1]} ({len(values)} values)"


def name_together(texts: Sequence[str], short: dict[str, str]) -> str:
    """One phrase for several labels: `teacher-neuron with n = 2, 5, 10, 20`."""
    phrases = []
    for family in group_families(texts):
        if len(family.members) > 1 and len(family.varying) == 1:
            key = family.varying[0]
            values = [member.parameters.get(key, "default") for member in family.members]
            phrases.append(f"{family.name} with {key} = {list_values(values)}")
        else:
            phrases += [short[member.text] for member in family.members]
    return enumerate_words(phrases)


def count_decimals(value: float, low: float, high: float) -> int:
    """Decimals at which the interval shows, within 2 to 5 significant digits of the value."""
    size = math.floor(math.log10(abs(value))) if value and math.isfinite(value) else 0
    half = (high - low) / 2
    decimals = -math.floor(math.log10(half / 1.5)) if half > 0 and math.isfinite(half) else 2
    return max(0, min(max(decimals, 1 - size), 4 - size))


def write_number(value: float, decimals: int) -> str:
    """A number with a true minus sign and thousands in powers of ten."""
    if not math.isfinite(value):
        return "∞" if value > 0 else "−∞" if value < 0 else "–"
    if value and not 1e-4 <= abs(value) < 1e6:
        mantissa, exponent = f"{value:.1e}".split("e")
        return f"{mantissa}·10^{int(exponent)}".replace("-", "−")
    return f"{value:.{decimals}f}".replace("-", "−")


RAISED = str.maketrans("-−0123456789", "⁻⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
WORDS = {
    "superexponential": "faster than exponential",
    "stalled": "stalled",
    "diverged": "diverged",
    "undecided": "undecided",
}


def write_law(law: str, value: float, low: float = math.nan, high: float = math.nan) -> str:
    """A law as a formula: `t^−2.99`, `exp(−1.013 t)`, or in words where it has no value."""
    if law not in ("power", "exponential"):
        return WORDS.get(law, law)
    if not math.isfinite(value):
        return law
    number = write_number(value, count_decimals(value, low, high))
    number = number[1:] if number.startswith("−") else f"−{number}"
    return f"t^{number}" if law == "power" else f"exp({number} t)"


def write_theory(law: str, value: float) -> str:
    """Theory's law: its value has no interval, so it is given to 5 digits, without trailing zeros."""
    if law not in ("power", "exponential") or not math.isfinite(value):
        return WORDS.get(law, law)
    number = f"{value:.5g}".replace("-", "−")
    return f"t^−{number}" if law == "power" else f"exp(−{number} t)"


def write_interval(value: float, low: float, high: float) -> str:
    """`2.97 to 3.03`, to as many decimals as the value."""
    decimals = count_decimals(value, low, high)
    return f"{write_number(low, decimals)} to {write_number(high, decimals)}"


def split_power(law: str) -> list[str]:
    """A written law in letters of one kind, the second of them raised: `exp(−1.0 t)` is e to the −1.0, and t.

    One letter is a variable, more are not; a law that is no power stays whole.
    """
    found = re.fullmatch(r"(t)\^(−.+)|exp\((−.+) t\)", law)
    if not found:
        return [law]
    pieces = [found[1], found[2]] if found[1] else ["e", found[3], "t"]
    return [re.sub(r"\^(−?\d+)", lambda power: raise_digits(power[1]), piece) for piece in pieces]


def raise_digits(text: str) -> str:
    """An integer as raised letters: `⁻³`."""
    return text.translate(RAISED)


def clip(text: str, length: int = 44) -> str:
    """A label fit for a figure: printable, no longer than its place, no mathtext; its end says what it differs in."""
    text = "".join(character if character.isprintable() else "·" for character in text)
    if len(text) > length:
        tail = 2 * length // 5
        text = f"{text[: length - tail - 1]}…{text[-tail:]}"
    # Matplotlib leaves artists whose label starts with "_" out of the legend; "$" opens mathtext.
    text = text.replace("$", r"\$")
    return f" {text}" if text.startswith("_") else text


def slug(text: str) -> str:
    """A label as part of a file name: letters, digits, dots, dashes."""
    return re.sub(r"[^A-Za-z0-9.]+", "-", text).strip("-.").lower()[:60] or "x"
