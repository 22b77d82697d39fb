"""Calls as text: what they make, and that nothing is evaluated."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench_ovp.calls import build


def clip(most):
    return ("clip", most)


def adam(lr, b1=0.9, *, nesterov=False):
    if lr < 0:
        raise ValueError("lr must not be negative\nsecond line")
    return ("adam", lr, b1, nesterov)


def chain(*parts):
    return ("chain", *parts)


def free(**options):
    return options


OFFERED = {"clip": clip, "adam": adam, "chain": chain, "contrib.free": free}


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("adam(0.1)", ("adam", 0.1, 0.9, False)),
        (" adam(lr, b1=-lr, nesterov=True) ", ("adam", 0.5, -0.5, True)),
        ("chain(clip(1.0), adam(lr))", ("chain", ("clip", 1.0), ("adam", 0.5, 0.9, False))),
        ("chain([clip(1), 2], (3, 'a'), {5: None})", ("chain", [("clip", 1), 2], (3, "a"), {5: None})),
        ("contrib.free(x=-1e-3)", {"x": -1e-3}),
        ("-3", -3),
    ],
)
def test_what_a_call_makes(text, made):
    assert build(text, OFFERED, {"lr": 0.5}) == made


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("adm(0.1)", "unknown name 'adm'; did you mean 'adam'?"),
        ("adam", "'adam' is no value; write adam(…)"),
        ("adam(lrr)", "'lrr' is no value; did you mean 'lr'?"),
        ("adam(0.1, b2=1)", "adam has no argument 'b2'; did you mean 'b1'?"),
        ("adam()", "adam: adam() missing 1 required positional argument: 'lr'"),
        ("adam(-1)", "adam: lr must not be negative"),
        ("adam(", "cannot read 'adam('; write a call, such as name(0.1, key=2)"),
        ("", "cannot read ''"),
        ("adam(1); adam(2)", "cannot read"),
        ("-" * 4000 + "1", "cannot read"),
        ("(" * 4000, "cannot read"),
        ("adam(0.1 + 0.2)", "'0.1 + 0.2' is neither a plain value nor a call by name"),
        ("(lambda: 1)()", "neither a plain value nor a call"),
        ("__import__('os').system('true')", "unknown name"),
        ("adam.__globals__", "'adam.__globals__' is no value"),
        ("adam(*[0.1])", "neither"),
        ("adam(**{'lr': 0.1})", "neither"),
        ("{**{}}", "neither"),
        ("[x for x in (1,)]", "neither"),
        ("f'{1}'", "neither"),
        ("-adam(0.1)", "neither"),
        ("1j", "neither"),
    ],
)
def test_a_mistake_gets_one_line(text, words):
    with pytest.raises(ValueError) as caught:
        build(text, OFFERED, {"lr": 0.5})
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


@settings(max_examples=300)
@given(st.text(st.sampled_from("adamclipchain(),.=[]{}:'-*+1e0 \n\0\\#lr"), max_size=40))
def test_random_texts(text):
    with contextlib.suppress(ValueError):
        build(text, OFFERED, {"lr": 0.5})
