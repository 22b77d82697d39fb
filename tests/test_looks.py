"""Colours, markers and dashes: told apart by every eye, and found from names."""

import itertools
from collections import Counter
from pathlib import Path

import matplotlib as mpl
import matplotlib.colors as colors
import numpy as np
import pytest
import yaml
from report_tables import OPTIMIZERS, PROBLEMS

from bench_ovp.registry import installed
from bench_ovp.report.looks import MARKERS, PALETTE, assign_looks, match, measure_color, shade, show_color
from bench_ovp.report.style import LAWS

# Machado, Oliveira & Fernandes (2009), IEEE Trans. Vis. Comput. Graph. 15, 1291, severity 1, for linear RGB.
EYES = {
    "normal": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]
    ],
}  # fmt: skip
APART = 0.1  # in OKLab: five just noticeable differences of 0.02; told at a glance, side by side
LAWS_APART = 0.04  # of tiles, which carry their law in words as well


def see(color, eye="normal"):
    """A colour in CIELAB, as an eye sees it."""
    rgb = np.array(colors.to_rgb(color))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    to_xyz = [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.072175],
        [0.0193339, 0.119192, 0.9503041],
    ]
    return np.array(to_xyz) @ np.clip(np.array(EYES[eye]) @ linear, 0, 1)


def in_oklab(xyz):
    """Ottosson's own way there, from XYZ; the module goes from linear RGB, with other matrices."""
    to_cones = [
        [0.8189330101, 0.3618667424, -0.1288597137],
        [0.0329845436, 0.9293118715, 0.0361456387],
        [0.0482003018, 0.2643662691, 0.6338517070],
    ]
    to_lab = [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
    return np.array(to_lab) @ np.cbrt(np.array(to_cones) @ xyz)


def in_cielab(xyz):
    xyz = xyz / [0.95047, 1, 1.08883]
    x, y, z = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def find_nearest(palette, space=in_oklab):
    """The least distance between two colours of a palette, and white, to any eye."""
    least = np.inf
    for eye in EYES:
        seen = [space(see(color, eye)) for color in (*palette, "white")]
        pairs = itertools.combinations(seen, 2)
        least = min(least, *(float(np.linalg.norm(one - other)) for one, other in pairs))
    return least


def test_colours_differ_for_every_eye():
    assert len(set(PALETTE)) == 10
    assert find_nearest(PALETTE) > APART  # 0.108
    assert find_nearest(PALETTE, in_cielab) > 10


def test_laws_differ_for_every_eye():
    assert find_nearest(LAWS.values()) > LAWS_APART
    decided = [LAWS[law] for law in ("superexponential", "exponential", "power")]
    assert find_nearest(decided) > 2 * APART


@pytest.mark.parametrize("palette", ["tab10", "Set1", "Dark2"])
def test_palettes_that_many_use_fail(palette):
    assert find_nearest(mpl.colormaps[palette].colors) < 0.05


def test_without_a_blindness_they_would_pass():
    names = mpl.colormaps["tab10"].colors
    seen = [in_oklab(see(color)) for color in names]
    assert min(np.linalg.norm(one - other) for one, other in itertools.combinations(seen, 2)) > 0.08


@pytest.mark.parametrize("color", PALETTE)
def test_shades_of_a_family_differ_for_every_eye(color):
    for count in (2, 3, 4):
        shades = shade(color, count)
        assert len(shades) == count
        assert find_nearest(shades) > APART
        lightness = [measure_color(one)[0] for one in shades]
        assert lightness == sorted(lightness, reverse=True)
    assert shade(color, 1) == [color]


GRID = tuple(f"method-{k}[lr={r}]" for k in range(6) for r in range(5))


@pytest.mark.parametrize("labels", [PROBLEMS, tuple(OPTIMIZERS), GRID], ids=["problems", "optimizers", "a grid"])
def test_labels_are_told_apart_without_colours(labels):
    looks = assign_looks(labels)
    assert len({(look.marker, str(look.dash)) for look in looks.values()}) == len(labels)
    if len(labels) <= 10:
        assert {look.dash for look in looks.values()} == {"-"}


def test_beyond_that_colours_alone_would_not_do():
    """A control: shades of many families meet in some eye, so that strokes must tell."""
    shades = [look.color for look in assign_looks(GRID).values()]
    assert find_nearest(shades) < 0.02


def test_colours_are_measured_as_their_author_does():
    for color in (*PALETTE, "#808080", "#ff0000"):
        # The two ways differ by the rounding of the published matrices.
        assert np.allclose(measure_color(color), in_oklab(see(color)), atol=3e-4)
        assert np.allclose(show_color(measure_color(color)), colors.to_rgb(color), atol=1e-9)


# --- by name ---


def names_of(kind):
    """What `suites/paper.yaml` runs."""
    asked = yaml.safe_load((Path(__file__).parent.parent / "suites/paper.yaml").read_text())[kind]
    return list(dict.fromkeys(name if isinstance(name, str) else next(iter(name)) for name in asked))


@pytest.mark.parametrize("kind", ["optimizers", "problems"])
def test_what_the_paper_is_about_has_one_colour_in_every_suite(kind):
    names = names_of(kind)
    assert len(names) >= 4
    whole = assign_looks(names)
    assert len({look.color for look in whole.values()}) == len(names)
    for count in range(1, len(names) + 1):
        for some in itertools.combinations(names, count):
            looks = assign_looks(some)
            assert all(looks[name].color == whole[name].color for name in some)


@pytest.mark.parametrize("kind", ["optimizers", "problems"])
def test_all_that_is_shipped_differs_in_more_than_colour(kind):
    """More methods than there are colours: no two share a marker and a dash, and no colour has more than its share."""
    shipped = [plugin for plugin in installed().plugins if plugin.distribution == "bench-ovp"]
    names = [name for plugin in shipped for name in getattr(plugin, kind)]
    looks = assign_looks(names).values()
    assert len(names) >= 5
    assert len({(look.marker, look.dash) for look in looks}) == len(names)
    assert max(Counter(look.color for look in looks).values()) == -(-len(names) // len(PALETTE))


def test_order_and_parameters_do_not_change_a_colour():
    labels = ["nesterov[lr=0.05]", "heavy-ball[lr=0.05,beta=0.9]", "gradient-flow"]
    looks = assign_looks(labels)
    assert looks == {label: assign_looks(labels[::-1])[label] for label in labels}
    assert looks[labels[0]].color == assign_looks(["nesterov"])["nesterov"].color
    assert looks[labels[1]].color == assign_looks(["heavy-ball[lr=0.2,beta=0.5]"])["heavy-ball[lr=0.2,beta=0.5]"].color


def test_a_stranger_seldom_takes_a_colour():
    names = names_of("optimizers")
    whole = assign_looks(names)
    moved = []
    for stranger in (f"method-{k}" for k in range(50)):
        looks = assign_looks([*names, stranger])
        moved.append(sum(looks[name].color != whole[name].color for name in names))
        assert len({look.color for look in looks.values()}) == len(looks)
    # It meets one of 6 colours of 10 with a chance of 0.6, and then takes it or yields; a chain of two is rare.
    assert np.mean(moved) < 0.6
    assert max(moved) <= 2


def test_a_matching_is_stable():
    names = [f"method-{k}" for k in range(23)]
    slots = match(names, 5)
    counts = np.bincount(list(slots.values()), minlength=5)
    assert counts.max() == 5
    assert counts.sum() == 23
    shuffled = list(np.random.default_rng(1).permutation(names))
    assert match(shuffled, 5) == slots
    # Without the last one the others move little: by a chain of single places, not all of them.
    fewer = match(names[:-1], 5)
    assert sum(fewer[name] != slots[name] for name in names[:-1]) <= 5


def test_many_looks_are_distinct():
    looks = assign_looks(PROBLEMS)
    assert len({(look.color, look.marker) for look in looks.values()}) == len(PROBLEMS)
    many = assign_looks([f"method-{number}" for number in range(300)])
    assert len({(look.color, look.marker, str(look.dash)) for look in many.values()}) == 300
    assert len(assign_looks([f"method-{number}" for number in range(1000)])) == 1000  # and beyond, they repeat
    assert len(set(MARKERS)) == 10
