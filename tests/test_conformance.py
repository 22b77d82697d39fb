"""The conformance kit: what is shipped keeps the contract, and each seeded fault is found and its remedy named."""

from __future__ import annotations

import itertools
import os
import re
import subprocess
import sys
import time

import numpy as np
import pytest
from numba import njit

import bench_ovp as ovp
from bench_ovp.errors import InputError
from bench_ovp.parameters import Positive
from bench_ovp.problems import Problem
from bench_ovp.registry import installed
from bench_ovp.testing import Check, Inapplicable, Nonconformance, conformance, list_checks
from bench_ovp.testing.bowl import Bowl, MovedBowl
from bench_ovp.testing.differences import differentiate, random_directions

SHIPPED = [p for p in installed().plugins if p.distribution == "bench-ovp"]
OFFERED = {
    **{name: installed().problems[name] for p in SHIPPED for name in p.problems},
    **{name: installed().methods[name] for p in SHIPPED for name in p.optimizers},
}


def find(offered: object, name: str, **parameters: object) -> Check:
    """The check `name` of what is offered."""
    given = {offered.name: parameters} if parameters else None
    [found] = [check for check in list_checks(offered, given) if check.name == name]
    return found


def refuse(offered: object, name: str, told: str, **parameters: object) -> None:
    """Ask the check `name`, which must fail and say `told`, in one line."""
    with pytest.raises(Nonconformance, match=told) as caught:
        find(offered, name, **parameters)()
    message = str(caught.value)
    assert "\n" not in message
    assert re.search("; |: ", message), "a failure says what to change"


def ask_all(offered: object) -> dict[str, str]:
    """What each check says: "" where all is well, else why it does not apply. A failure is raised."""
    told = {}
    for check in list_checks(offered):
        try:
            check()
            told[check.name] = ""
        except Inapplicable as reason:
            told[check.name] = str(reason)
    return told


# What is shipped.


def is_coordinatewise(offered: object) -> bool:
    """Whether it is a method that declares no symmetry and no theory: then three checks have nothing to ask."""
    return isinstance(offered, ovp.StepMethod) and not (offered.rotation_equivariant or offered.family)


@pytest.mark.parametrize("name", OFFERED)
def test_what_is_shipped_conforms(name):
    told = ask_all(OFFERED[name])
    assert len(told) >= 11
    applied = [check for check, reason in told.items() if not reason]
    undeclared = {"law", "rotation", "isometry"} if is_coordinatewise(OFFERED[name]) else set()
    assert len(applied) >= len(told) - max(2, len(undeclared))
    assert all(told[check] for check in told.keys() - applied)


def test_the_kits_own_problem_conforms():
    told = ask_all(Bowl)
    assert told["kernels"] == told["gradient"] == told["hessian"] == told["gauss-newton"] == told["compiled"] == ""
    for given in ({"rotation": 3}, {"padding": 2}):
        for name in ("gradient", "hessian", "kernels", "batch", "minimum"):
            find(Bowl, name, **given)()
    for name in ("gradient", "hessian", "gauss-newton", "batch", "purity", "minimum"):
        find(MovedBowl, name)()


@pytest.mark.parametrize("seed", [1, 2])
def test_a_rotated_bowl_is_the_bowl_in_other_coordinates(seed):
    plain, turned = Problem(Bowl), Problem(Bowl, {"rotation": seed})
    turn = turned.instance.turn
    w = plain.start(4)
    np.testing.assert_allclose(turned.loss(w @ turn), plain.loss(w), rtol=1e-13)
    np.testing.assert_allclose(turned.grad(w @ turn) @ turn.T, plain.grad(w), rtol=1e-12, atol=1e-13)
    assert np.abs(turned.loss(w) / plain.loss(w) - 1).max() > 0.1  # and it is not rotation invariant itself


@pytest.mark.parametrize("seed", [1, 2])
def test_a_moved_bowl_is_the_bowl_in_other_coordinates(seed):
    plain, moved = Problem(Bowl), Problem(MovedBowl, {"seed": seed})
    w, x = plain.start(4), moved.start(4)
    np.testing.assert_allclose(moved.instance.move_back(x), w, rtol=1e-13, atol=1e-14)
    np.testing.assert_allclose(moved.loss(x), plain.loss(w), rtol=1e-13)
    ways = np.sum(moved.grad(x) * (x[::-1] - x), axis=(1, 2)), np.sum(plain.grad(w) * (w[::-1] - w), axis=(1, 2))
    np.testing.assert_allclose(*ways, rtol=1e-12)
    rows = [np.sort(np.linalg.norm(at[1] - at[0], axis=1)) for at in (w, x)]
    assert np.linalg.norm(rows[0]) == pytest.approx(np.linalg.norm(rows[1]), rel=1e-13)
    assert np.abs(rows[1] / rows[0] - 1).max() > 0.1  # students are mixed


# Problems with a fault.

generator = np.random.default_rng(5)


class Valley:
    """L(w) = ½ Σ λₖ wᵢₖ², two students in three dimensions.

    Args:
        steepest: largest curvature, dimensionless.

    Source: any textbook.
    """

    name = "valley"

    def __init__(self, steepest: Positive = 1.0):
        self.curvature = np.array([1.0, 0.5, 0.25]) * steepest

    def start(self, seeds):
        return np.stack([np.random.default_rng(seed).standard_normal((2, 3)) for seed in seeds])

    def loss(self, w):
        return 0.5 * np.sum(self.curvature * w * w, axis=(1, 2))

    def grad(self, w):
        return self.curvature * w

    def hessian(self, w):
        return np.broadcast_to(np.diag(np.tile(self.curvature, 2)), (len(w), 6, 6))

    def gauss_newton(self, w):
        return np.array(self.hessian(w))

    def observe(self, w):
        return {"distance": np.sqrt(np.sum(w * w, axis=(1, 2)))}

    def degenerate(self, w):
        return np.zeros(len(w), dtype=bool)

    def theory(self, family, parameters):
        lr = parameters.get("lr")
        if family != "gradient-descent" or lr is None:
            return None
        return ovp.Theory("exponential", -2 * np.log(1 - lr * self.curvature[-1]) / lr, "any textbook")


def kernel_loss(constants, w):
    found = np.zeros(len(w))
    for run in range(w.shape[0]):
        for i in range(w.shape[1]):
            for k in range(w.shape[2]):
                found[run] += 0.5 * constants[k] * w[run, i, k] * w[run, i, k]
    return found


def kernel_grad(constants, w):
    found = np.empty_like(w)
    for run in range(w.shape[0]):
        for i in range(w.shape[1]):
            for k in range(w.shape[2]):
                found[run, i, k] = constants[k] * w[run, i, k]
    return found


fast_loss, fast_grad = njit(kernel_loss), njit(kernel_grad)


@njit
def fast_both(constants, w):
    return fast_loss(constants, w), fast_grad(constants, w)


@njit
def doubled_grad(constants, w):
    return 2.0 * fast_grad(constants, w)


@njit
def coupled_loss(constants, w):
    found = fast_loss(constants, w)
    return found + 1e-15 * np.sum(found)


def make_fault(name, **members):
    return type(f"Faulty{name.title()}", (Valley,), {"__doc__": Valley.__doc__, **members})


class Noisy(Valley):
    __doc__ = Valley.__doc__

    def __init__(self, steepest: Positive = 1.0):
        super().__init__(steepest)
        self.curvature = self.curvature + 0.01 * np.random.default_rng().random(3)


class Remembering(Valley):
    __doc__ = Valley.__doc__

    def loss(self, w):
        self.seen = w.copy()
        return super().loss(w)

    def grad(self, w):
        seen = getattr(self, "seen", w)
        return super().grad(seen if seen.shape == w.shape else w)


class Buffered(Valley):
    __doc__ = Valley.__doc__

    def grad(self, w):
        if getattr(self, "buffer", np.zeros(0)).shape != w.shape:
            self.buffer = np.empty(w.shape)
        self.buffer[:] = self.curvature * w
        return self.buffer


class Stored(Valley):
    __doc__ = Valley.__doc__

    def __init__(self, steepest: Positive = 1.0):
        super().__init__(steepest)
        self.matrices = np.stack([np.diag(np.tile(self.curvature, 2))] * 100)

    def gauss_newton(self, w):
        return self.matrices[: len(w)]


class Impatient(Valley):
    """A valley whose default breaks its own limits.

    Args:
        steepest: largest curvature, dimensionless.

    Source: any textbook.
    """

    def __init__(self, steepest: Positive = -1.0):
        super().__init__(abs(steepest))


class Demanding(Valley):
    __doc__ = Valley.__doc__

    def __init__(self, steepest: Positive):
        super().__init__(steepest)


def in_place(self, w):
    w *= self.curvature
    return w.copy()


def start_with_global_generator(self, seeds):
    found = []
    for seed in seeds:
        np.random.seed(seed)  # noqa: NPY002
        found.append(np.random.standard_normal((2, 3)))  # noqa: NPY002
    return np.stack(found)


def start_of_the_first(self, seeds):
    return np.random.default_rng(seeds[0]).random((len(seeds), 2, 3))


def transposed_layout(self, w):
    return np.stack([np.diag(np.repeat(self.curvature, 2))] * len(w))


def off_the_diagonal(self, w):
    found = np.array(Valley.hessian(self, w))
    found[:, 0, 1] += 0.1
    return found


def kernels_with(loss=fast_loss, grad=fast_grad, both=fast_both):
    return lambda self: ovp.Kernels(self.curvature, loss, grad, both)


TURN = np.array([[0.6, 0.8], [-0.8, 0.6]])  # of the students
SHIFT = np.arange(6.0).reshape(2, 3) / 4


class Aside(Valley):
    """The valley at x = Q w − b, where Q turns the students."""

    def loss(self, x):
        return super().loss(TURN.T @ (x + SHIFT))

    def grad(self, x):
        return super().grad(x + SHIFT)  # the curvatures of all students are the same

    def observe(self, x):
        return super().observe(x + SHIFT)


def aside(w):
    return TURN @ w - SHIFT


def recenter_to(move=aside, **members):
    there = type("There", (Aside,), members)
    return {"recenter": lambda self, w: (there(self.curvature[0]), move(w))}


class Bare:
    """What is left of the valley aside without its Hessian."""

    def __init__(self, steepest):
        inner = Aside(steepest)
        self.loss, self.grad, self.observe = inner.loss, inner.grad, inner.observe
        self.gauss_newton, self.degenerate = inner.gauss_newton, inner.degenerate


def roots(w, nothing=np.nan):
    """√ of a coordinate, where it has one."""
    return {"root": np.where(w[:, 0, 0] > 0.0, np.sqrt(np.abs(w[:, 0, 0])), nothing)}


WRONG_MEAN = {"loss": lambda self, w: Valley.loss(self, w) + 1e-9 * np.mean(w)}
PROBLEM_FAULTS = {
    "a gradient of the wrong sign": ("gradient", "its sign is wrong", {"grad": lambda self, w: -self.curvature * w}),
    "a gradient that is doubled": ("gradient", "2 times that; check a factor",
                                   {"grad": lambda self, w: 2 * self.curvature * w}),
    "a gradient without a term": ("gradient", r"check each term \(coordinate \[\d, 2\]",
                                  {"grad": lambda self, w: self.curvature * w * np.array([1, 1, 0.999999])}),
    "a Hessian of the wrong layout": ("hessian", r"row i·d \+ k stands for", {"hessian": transposed_layout}),
    "a Hessian that is not symmetric": ("hessian", "not symmetric, by 0.1; check", {"hessian": off_the_diagonal}),
    "a Gauss-Newton matrix below zero": ("gauss-newton", "leave out the second derivatives",
                                         {"gauss_newton": lambda self, w: -Valley.gauss_newton(self, w)}),
    "w changed by the gradient": ("purity", "grad writes into the w .* work on a copy", {"grad": in_place}),
    "w itself as an answer": ("purity", "grad hands out the memory .* return a copy", {"grad": lambda self, w: w}),
    "noise in the loss": ("determinism", "loss answers the same question differently",
                          {"loss": lambda self, w: Valley.loss(self, w) + 1e-12 * generator.random()}),
    "the global generator": ("determinism", "use numpy.random.default_rng", {"start": start_with_global_generator}),
    "a start of the first seed": ("start-seeds", "draw each start from its own seed alone",
                                  {"start": start_of_the_first}),
    "a start without the seed": ("start-seeds", "1 different points.*or declare `same_start = True`",
                                 {"start": lambda self, seeds: np.ones((len(seeds), 2, 3))}),
    "a false declaration of one start": ("start-seeds", "remove the declaration", {"same_start": True}),
    "a start in single precision": ("start-shape", "return float64",
                                    {"start": lambda self, seeds: Valley.start(self, seeds).astype(np.float32)}),
    "a start without a run axis": ("start-shape", "a run per seed", {"start": lambda self, seeds: np.ones((2, 3))}),
    "a loss with the runs' mean": ("batch", "loss of a run depends on .* run axis", WRONG_MEAN),
    "a loss above its minimum": ("minimum", "come to rest at a loss of 0.25; .* subtract it",
                                 {"loss": lambda self, w: 0.25 + Valley.loss(self, w)}),
    "a loss below 0": ("minimum", "the loss is -0.1 .* subtract", {"loss": lambda self, w: Valley.loss(self, w) - 0.1}),
    "a loss that is NaN": ("values", "loss is not finite at a start",
                           {"loss": lambda self, w: Valley.loss(self, w) + 0 * np.log(w[:, 0, 0])}),
    "a loss with a further axis": ("values", r"sum over axes \(1, 2\)",
                                   {"loss": lambda self, w: np.sum(w * w, axis=1)}),
    "an observable called loss": ("observables", "choose another name",
                                  {"observe": lambda self, w: {"loss": w[:, 0, 0]}}),
    "an observable of all runs": ("observables", "one number per run", {"observe": lambda self, w: {"size": w.sum()}}),
    "an observable that is NaN": ("observables", "'root' is not finite .* name it in `partial`",
                                  {"observe": lambda self, w: roots(w)}),
    "a partial observable that is infinite": ("observables", "'root' is not finite",
                                              {"partial": ("root",), "observe": lambda self, w: roots(w, np.inf)}),
    "a partial observable that is not there": ("observables", "'root', which observe does not return; correct",
                                               {"partial": ("root",)}),
    "a recenter to where a partial one exists": ("recenter", "recenter changes the observable 'root' from",
                                                 {"partial": ("root",), "observe": lambda self, w: roots(w),
                                                  **recenter_to(partial=("root",),
                                                                observe=lambda self, x: roots(np.abs(x)))}),
    "degenerate everywhere": ("degenerate", "narrow its condition",
                              {"degenerate": lambda self, w: np.ones(len(w), dtype=bool)}),
    "a reduced form that drops a coordinate": ("reduction", "reduce changes the loss .* orthonormal basis",
                                               {"reduce": lambda self, w: w * np.array([1.0, 1.0, 0.0])}),
    "a recenter that stretches": ("recenter", "distance between two points .* orthogonal Q",
                                  recenter_to(lambda w: 1.001 * aside(w))),
    "a recenter to another loss": ("recenter", "recenter changes the loss from .* those of the class",
                                   recenter_to(loss=lambda self, x: 1.001 * Aside.loss(self, x))),
    "a recenter to another Hessian": ("recenter", "recenter changes the spectrum of hessian",
                                      recenter_to(hessian=lambda self, x: 1.001 * Aside.hessian(self, x))),
    "a recenter to another observable": ("recenter", "recenter changes the observable 'distance'",
                                         recenter_to(observe=Valley.observe)),
    "a recenter to a degenerate place": ("recenter", "recenter changes the points without a gradient from 0 to 1",
                                         recenter_to(degenerate=lambda self, x: np.ones(len(x), dtype=bool))),
    "a gradient that was not moved": ("recenter", "another slope .* Q times the gradient",
                                      recenter_to(grad=lambda self, x: TURN.T @ Aside.grad(self, x))),
    "a recenter that mixes runs": ("recenter", "recenter of a run depends on which other runs",
                                   recenter_to(lambda w: aside(w) - w.mean(axis=0))),
    "a recentered loss that mixes runs": ("recenter", "of recenter's object, loss of a run depends",
                                          recenter_to(loss=lambda self, x: Aside.loss(self, x) + 1e-15 * np.mean(x))),
    "a recenter of large batches": ("recenter", "decide by the problem's parameters",
                                    {"recenter": lambda self, w: (Aside(), aside(w)) if len(w) > 3 else None}),
    "a recenter without the object": ("recenter", r"returns ndarray; return an object and x",
                                      {"recenter": lambda self, w: aside(w)}),
    "a recenter without a Hessian": ("recenter", "has no hessian, which the class has; define it",
                                     {"recenter": lambda self, w: (Bare(self.curvature[0]), aside(w))}),
    "a recenter that writes into w": ("recenter", "recenter writes into .* work on a copy",
                                      recenter_to(lambda w: np.subtract(w, 0.25, out=w))),
    "a recentered gradient in place": ("recenter", "of recenter's object, grad writes into the w",
                                      recenter_to(grad=in_place)),
    "a recenter to a wrong kernel": ("recenter", "of recenter's object, the kernel of loss is off by .* same formula",
                                     recenter_to(kernels=kernels_with())),
    "a recenter without a kernel": ("recenter", "has no kernels, which the class has; define",
                                    {"kernels": kernels_with(), **recenter_to()}),
    "a kernel with another formula": ("kernels", "grad is off by .* same formula",
                                      {"kernels": kernels_with(grad=doubled_grad)}),
    "a kernel that mixes runs": ("kernels", "the kernel of loss of a run depends on",
                                 {"kernels": kernels_with(coupled_loss)}),
    "a kernel that is not compiled": ("compiled", "compile them with numba.njit",
                                      {"kernels": kernels_with(kernel_loss)}),
    "a wrong theory": ("law", "theory says exponential 0.7, measured is exponential 0.503.*; correct its theory",
                       {"theory": lambda self, family, parameters:
                        ovp.Theory("exponential", 0.7, "nobody") if family == "gradient-descent" else None}),
    "a theory of the wrong law": ("law", "theory says power 3, measured is exponential",
                                  {"theory": lambda self, family, parameters:
                                   ovp.Theory("power", 3.0, "nobody") if family == "gradient-descent" else None}),
    "a theory for whatever": ("theory", "return None for what is not known",
                              {"theory": lambda self, family, parameters: ovp.Theory("power", 3.0, "nobody")}),
    "a theory that needs a parameter": ("theory", "use parameters.get",
                                        {"theory": lambda self, family, parameters:
                                         None if "descent" not in family else parameters["lr"] and None}),
    "a law that is none": ("theory", "choose one of superexponential",
                           {"theory": lambda self, family, parameters:
                            ("linear", 1.0, "x") if family == "gradient-descent" else None}),
    "an undescribed parameter": ("documentation", "'steepest' is not described; add a line", {"__doc__": "A valley."}),
    "a description of nothing": ("documentation", "describes 'steepness', .* did you mean 'steepest'",
                                 {"__doc__": Valley.__doc__.replace("Args:", "Args:\n        steepness: what?")}),
    "no source": ("documentation", "add a line `Source:", {"__doc__": Valley.__doc__.partition("Source")[0]}),
}  # fmt: skip
CLASSES_WITH_FAULTS = {
    Noisy: ("determinism", "what the constructor draws at random"),
    Remembering: ("hidden-state", "grad depends on what was asked before; keep nothing on self"),
    Buffered: ("hidden-state", "an answer of grad is overwritten"),
    Stored: ("hidden-state", "gauss_newton hands out an array that it uses again"),
    Impatient: ("parameters", "the default breaks its own limits"),
    Demanding: ("parameters", "cannot be made: valley needs a value for 'steepest'; .*-p KEY=VALUE"),
}


def test_a_problem_without_a_fault_conforms():
    told = ask_all(Valley)
    assert {name for name, reason in told.items() if reason} == {"kernels", "compiled", "reduction", "recenter"}
    find(make_fault("kernels", kernels=kernels_with()), "kernels")()
    find(make_fault("aside", **recenter_to()), "recenter")()
    find(make_fault("rooted", partial=("root",), observe=lambda self, w: roots(w)), "observables")()
    with pytest.raises(Inapplicable, match="recenters nothing with these parameters"):
        find(make_fault("nowhere", recenter=lambda self, w: None), "recenter")()


@pytest.mark.parametrize("fault", PROBLEM_FAULTS)
def test_a_fault_of_a_problem_is_found(fault):
    check, told, members = PROBLEM_FAULTS[fault]
    refuse(make_fault("problem", **members), check, told)


@pytest.mark.parametrize("definition", CLASSES_WITH_FAULTS, ids=lambda c: c.__name__)
def test_a_fault_of_a_class_is_found(definition):
    refuse(definition, *CLASSES_WITH_FAULTS[definition])


def test_an_error_of_the_plugin_is_named_with_its_place():
    broken = make_fault("broken", grad=lambda self, w: w.no_such_thing)
    refuse(broken, "values", r"AttributeError: .*no_such_thing.* \(test_conformance.py:\d+\); mend this first")


def test_starts_that_parameters_fix_may_be_the_same():
    w0 = [[0.3, 0.1, 0.0], [0.1, -0.2, 0.4]]
    find(installed().problems["teacher-neuron"], "start-seeds", w0=w0)()
    declared = make_fault("same", same_start=True, start=lambda self, seeds: np.ones((len(seeds), 2, 3)))
    find(declared, "start-seeds")()


@pytest.mark.parametrize("power", [2, 3])
def test_differences_know_their_error(power):
    """Of x³ it is small; of x|x|, whose slope has a kink, it is large, and never smaller than the truth."""
    w = np.zeros((1, 1, 2))
    w[0, 0] = 0.0, 1.0
    u = np.array([[[1.0, 0.0]]])
    slope = differentiate(lambda w: w[:, :, 0] * np.abs(w[:, :, 0]) ** (power - 1), w, u)
    assert np.abs(slope.value).max() <= slope.error[0]
    assert (slope.error[0] > 1e-5) == (power == 2)
    smooth = differentiate(lambda w: np.exp(w), w, random_directions(w.shape, 0))
    assert smooth.error[0] < 1e-9


# Steps with a fault.


def good(oracle, w, state, k, lr: Positive = 0.05):
    """Go down with some momentum.

    Args:
        lr: step size, units of time per iteration.

    Source: a test.
    """
    (before,) = state
    return w - lr * oracle.grad(w) + 0.5 * (w - before), (w,)


def keep(w):
    return (w,)


def recur(lr):
    return (1.0, -1.5, 0.5), (0.0, lr)


GOOD = ovp.StepMethod("good", good, keep, isometry_equivariant=True, recurrence=recur)
PROBLEM = Problem(Bowl)
INSTANCE = Bowl()
memory = {"before": None, "calls": 0}


def writes_w(oracle, w, state, k, lr: float = 0.1):
    w -= lr * oracle.grad(w)
    return w, state


def writes_state(oracle, w, state, k, lr: float = 0.1):
    state[0][:] = 0.9 * state[0] + oracle.grad(w)
    return w - lr * state[0], state


def remembers(oracle, w, state, k, lr: float = 0.1):
    before = memory["before"]
    memory["before"] = w.copy()
    move = 0.5 * (w - before) if before is not None and before.shape == w.shape and k else 0.0
    return w - lr * oracle.grad(w) + move, state


def counts(oracle, w, state, k, lr: float = 0.1):
    memory["calls"] += 1
    return w - lr / memory["calls"] * oracle.grad(w), state


def draws(oracle, w, state, k, lr: float = 0.1):
    return w - lr * oracle.grad(w) + 1e-9 * generator.standard_normal(w.shape), state


def draws_globally(oracle, w, state, k, lr: float = 0.1):
    np.random.seed(k)  # noqa: NPY002
    return w - lr * oracle.grad(w) + 1e-9 * np.random.standard_normal(w.shape), state  # noqa: NPY002


def mixes_runs(oracle, w, state, k, lr: float = 0.1):
    grad = oracle.grad(w)
    return w - lr * grad / np.sqrt(1.0 + np.sum(grad * grad)), state


def branches_for_all(oracle, w, state, k, lr: float = 0.1):
    return w - (lr if np.all(oracle.loss(w) > 0.5) else 0.1 * lr) * oracle.grad(w), state


def takes_signs(oracle, w, state, k, lr: float = 0.01):
    return w - lr * np.sign(oracle.grad(w)), state


def counts_dimensions(oracle, w, state, k, lr: float = 0.1):
    return w - lr / w.shape[2] * oracle.grad(w), state


def decays(oracle, w, state, k, lr: float = 0.1):
    return w - lr * (oracle.grad(w) + 1e-3 * w), state


def takes_row_norms(oracle, w, state, k, lr: float = 0.1):
    grad = oracle.grad(w)
    return w - lr * grad / np.sqrt(1e-3 + np.sum(grad * grad, axis=2))[:, :, None], state


def straightens(oracle, w, state, k, lr: float = 0.1):
    u, _, v = np.linalg.svd(oracle.grad(w), full_matrices=False)  # as Muon does
    return w - lr * u @ v, state


def overflows(oracle, w, state, k, lr: float = 0.1):
    return w - lr * (k * 2**62 % 3) / 2 * oracle.grad(w), state


def reaches_behind(oracle, w, state, k, lr: float = 0.1):
    return w - lr * oracle._problem.grad(w), state


def asks_a_problem(oracle, w, state, k, lr: float = 0.1):
    return w - lr * (oracle.grad(w) + PROBLEM.grad(w)) / 2, state


def asks_an_instance(oracle, w, state, k, lr: float = 0.1):
    return w - lr * INSTANCE.grad(w), state


def cooks_the_books(oracle, w, state, k, lr: float = 0.1):
    grad = oracle.grad(w)
    oracle._meter.charged = 0
    return w - lr * grad, state


def divides_by_zero(oracle, w, state, k, lr: float = 0.1):
    return w - lr * oracle.grad(w) / float(np.float64(k)) if k else w / np.zeros_like(w), state


def forgets_the_pair(oracle, w, state, k, lr: float = 0.1):
    return w - lr * oracle.grad(w)


def keeps_a_list(oracle, w, state, k, lr: float = 0.1):
    return w - lr * oracle.grad(w), [w]


def halves(oracle, w, state, k, lr: float = 0.05):
    return w - 0.5 * lr * oracle.grad(w), state


def says_nothing(oracle, w, state, k, lr: float = 0.1):
    return w, state


def zeros(w):
    return (np.zeros_like(w),)


def shared(w):
    return (np.zeros(w.shape[1:]),)


STEP_FAULTS = {
    writes_w: ("purity", "writes into w, .* w = w − lr·g for w −= lr·g", {}),
    writes_state: ("purity", "writes into part 0 of the state", {"init": zeros}),
    remembers: ("hidden-state", "another is run in turn with it; keep what a run remembers in its state", {}),
    counts: ("determinism", "two runs .* keep what is remembered in the state", {}),
    draws: ("determinism", "take the randomness out", {}),
    draws_globally: ("determinism", "global random generator; draw from", {}),
    mixes_runs: ("batch", "when it is alone; treat runs independently", {}),
    branches_for_all: ("batch", "numpy.where for a branch", {}),
    takes_signs: ("rotation", "on a rotated problem .* remove the claim", {"rotation_equivariant": True}),
    counts_dimensions: ("rotation", "idle dimensions .* drop the claim", {"rotation_equivariant": True}),
    decays: ("isometry", "shifted step 0 goes elsewhere; remove .* no decay", {"isometry_equivariant": True}),
    takes_row_norms: ("isometry", "whole runs: no row of its own", {"isometry_equivariant": True}),
    straightens: ("isometry", "turned and shifted", {"isometry_equivariant": True}),
    overflows: ("compiled", "compiled, step 2 ends .* say compile=False", {}),
    reaches_behind: ("evaluations", "30 queries .* past the oracle, uncharged; ask only the oracle", {}),
    asks_a_problem: ("evaluations", "past the oracle", {}),
    asks_an_instance: ("evaluations", "past the oracle", {}),
    cooks_the_books: ("evaluations", "0 evaluations were charged for 30; leave", {}),
    divides_by_zero: ("answers", "not finite after step 0 .* check divisions by 0", {}),
    forgets_the_pair: ("answers", r"must return the pair \(w, state\)", {}),
    keeps_a_list: ("answers", "its state as list; return a tuple", {}),
    good: ("answers", "a leading run axis", {"init": shared}),
    halves: ("law", "theory says exponential 1.01.*, measured is exponential 0.50.*; correct the method's update",
             {"family": "gradient-descent", "compile": False}),
    says_nothing: ("documentation", "says_nothing has no docstring", {}),
}  # fmt: skip


def test_a_step_without_a_fault_conforms():
    told = ask_all(GOOD)
    assert {name: reason for name, reason in told.items() if reason} == {"law": "the method claims no family"}


@pytest.mark.parametrize("step", STEP_FAULTS, ids=lambda step: step.__name__)
def test_a_fault_of_a_step_is_found(step):
    check, told, members = STEP_FAULTS[step]
    memory.update(before=None, calls=0)
    refuse(ovp.StepMethod("faulty", step, **members), check, told)


def test_a_false_claim_is_named_as_it_was_made():
    method = ovp.StepMethod("faulty", takes_signs, isometry_equivariant=True)
    refuse(method, "rotation", "it claims isometry_equivariant=True, but on a rotated problem")
    refuse(method, "isometry", "it claims isometry_equivariant=True, but where")


@pytest.mark.parametrize("step", [decays, takes_row_norms, straightens])
def test_what_breaks_isometry_may_well_commute_with_rotations(step):
    find(ovp.StepMethod("rotating", step, rotation_equivariant=True), "rotation")()


RECURRENCE_FAULTS = {
    "a wrong factor": ("breaks the recurrence by .* correct its factors", lambda lr: ((1.0, -1.5, 0.5), (0.0, 2 * lr))),
    "a wrong sign": ("breaks the recurrence", lambda lr: ((1.0, -1.5, 0.5), (0.0, -lr))),
    "a forgotten iterate": ("breaks the recurrence", lambda lr: ((1.0, -1.0), (0.0, lr))),
    "constants that are no solution": ("is of no use: .* add up to 0", lambda lr: ((1.0, -1.4, 0.5), (0.0, lr))),
    "what never dies out": ("is of no use: .* does not die out", lambda lr: ((1.0, -2.0, 1.0), (0.0, lr))),
    "another parameter": ("is of no use: .*'lr'", lambda step: ((1.0, -1.0), (0.0, step))),
    "one tuple": ("is of no use", lambda lr: (1.0, -1.5, 0.5)),
}


@pytest.mark.parametrize("fault", RECURRENCE_FAULTS)
def test_a_fault_of_a_recurrence_is_found(fault):
    told, recurrence = RECURRENCE_FAULTS[fault]
    refuse(ovp.StepMethod("faulty", good, keep, recurrence=recurrence), "recurrence", told)


def test_what_numba_refuses_is_told_and_is_no_failure():
    def means(oracle, w, state, k, lr: float = 0.1):
        return w - lr * oracle.grad(w) / np.linalg.norm(w, axis=2).mean(), state

    with pytest.raises(Inapplicable, match="numba refuses the step, so it runs in NumPy, more slowly: "):
        find(ovp.StepMethod("means", means), "compiled")()
    with pytest.raises(Inapplicable, match="compile=False"):
        find(ovp.StepMethod("means", means, compile=False), "compiled")()


def test_the_watch_on_problems_leaves_no_trace():
    before = [vars(Problem)[name] for name in ("loss", "grad")], dict(vars(Bowl))
    with pytest.raises(Nonconformance):
        find(ovp.StepMethod("faulty", reaches_behind), "evaluations")()
    assert ([vars(Problem)[name] for name in ("loss", "grad")], dict(vars(Bowl))) == before


# Drivers with a fault.


def loop(oracle, w, checkpoints, lr: Positive = 0.1):
    """Gradient descent that owns its loop.

    Args:
        lr: step size, units of time per iteration.

    Source: a test.
    """
    for k in range(1, int(checkpoints.horizon) + 1):
        w = w - lr * oracle.grad(w)
        checkpoints.record(k, w)


def leaves_out(oracle, w, checkpoints, lr: float = 0.1):
    for k in range(1, int(checkpoints.horizon) + 1):
        w = w - lr * oracle.grad(w)
        if k % 2:
            checkpoints.record(k, w)


def returns_early(oracle, w, checkpoints, lr: float = 0.1):
    checkpoints.record(1, w - lr * oracle.grad(w))


def reports_nothing(oracle, w, checkpoints, lr: float = 0.1):
    oracle.grad(w)


def reports_its_start(oracle, w, checkpoints, lr: float = 0.1):
    for k in range(1, int(checkpoints.horizon) + 1):
        checkpoints.record(k, w)


def flattens(oracle, w, checkpoints, lr: float = 0.1):
    checkpoints.record(1, w.ravel())


def never_ends(oracle, w, checkpoints, lr: float = 0.1):
    checkpoints.record(1, w)
    while True:
        w = w - lr * oracle.grad(w)


def swallows_stop(oracle, w, checkpoints, lr: float = 0.1):
    for k in range(1, int(checkpoints.horizon) + 1):
        w = w - lr * oracle.grad(w)
        try:
            checkpoints.record(k, w)
        except Exception:
            continue


def goes_on_after_stop(oracle, w, checkpoints, lr: float = 0.1):
    try:
        loop(oracle, w, checkpoints, lr)
    except ovp.Stop:
        while True:
            oracle.grad(w)


def knows_its_horizon(oracle, w, checkpoints, lr: float = 0.1):
    for k in range(1, int(checkpoints.horizon) + 1):
        w = w - lr * (1 - k / checkpoints.horizon) * oracle.grad(w)
        checkpoints.record(k, w)


def draws_in_a_loop(oracle, w, checkpoints, lr: float = 0.1):
    loop(oracle, w + 1e-9 * generator.standard_normal(w.shape), checkpoints, lr)


def caches_answers(oracle, w, checkpoints, lr: float = 0.1):
    for k in range(1, int(checkpoints.horizon) + 1):
        key = w.tobytes()
        if key not in memory:
            memory[key] = oracle.grad(w)
        w = w - lr * memory[key]
        checkpoints.record(k, w)


def mixes_in_a_loop(oracle, w, checkpoints, lr: float = 0.1):
    for k in range(1, int(checkpoints.horizon) + 1):
        w = w - lr * oracle.grad(w) * (1 + 1e-3 * np.tanh(np.mean(w)))
        checkpoints.record(k, w)


def takes_signs_in_a_loop(oracle, w, checkpoints, lr: float = 0.01):
    for k in range(1, int(checkpoints.horizon) + 1):
        w = w - lr * np.sign(oracle.grad(w))
        checkpoints.record(k, w)


def decays_in_a_loop(oracle, w, checkpoints, lr: float = 0.1):
    for k in range(1, int(checkpoints.horizon) + 1):
        w = w - lr * (oracle.grad(w) + 1e-3 * w)
        checkpoints.record(k, w)


def takes_row_norms_in_a_loop(oracle, w, checkpoints, lr: float = 0.1):
    for k in range(1, int(checkpoints.horizon) + 1):
        grad = oracle.grad(w)
        w = w - lr * grad / np.sqrt(1e-3 + np.sum(grad * grad, axis=2))[:, :, None]
        checkpoints.record(k, w)


def reaches_behind_in_a_loop(oracle, w, checkpoints, lr: float = 0.1):
    for k in range(1, int(checkpoints.horizon) + 1):
        w = w - lr * oracle._problem.grad(w)
        checkpoints.record(k, w)


DRIVER_FAULTS = {
    leaves_out: ("answers", "past the checkpoint at 2 .* stop at each of checkpoints.positions", {}),
    returns_early: ("answers", "before its horizon 40, .* return a sentence", {}),
    reports_nothing: ("answers", "call checkpoints.record", {}),
    reports_its_start: ("answers", "never changes; report where the run is", {}),
    flattens: ("answers", "float64 of the shape of the start", {}),
    never_ends: ("answers", "end the loop at checkpoints.horizon", {}),
    swallows_stop: ("stop", "let Stop pass", {}),
    goes_on_after_stop: ("stop", "catch it and return at once", {}),
    knows_its_horizon: ("horizon", "let nothing depend on the horizon", {}),
    draws_in_a_loop: ("determinism", "take the randomness out", {}),
    caches_answers: ("determinism", "costs 40 evaluations, then 0; ask the oracle", {}),
    mixes_in_a_loop: ("batch", "or leave batched=True out", {"batched": True}),
    takes_signs_in_a_loop: ("rotation", "on a rotated problem .* remove the claim", {"rotation_equivariant": True}),
    decays_in_a_loop: ("isometry", "turned and shifted it goes elsewhere by 1; remove .* no decay",
                       {"isometry_equivariant": True}),
    takes_row_norms_in_a_loop: ("isometry", "whole runs: no row of its own", {"isometry_equivariant": True}),
    reaches_behind_in_a_loop: ("evaluations", "past the oracle", {}),
}  # fmt: skip


@pytest.mark.parametrize("batched", [False, True])
def test_a_driver_without_a_fault_conforms(batched):
    method = ovp.DriverMethod("loop", loop, "lr", "gradient-descent", batched, isometry_equivariant=True)
    assert {name for name, reason in ask_all(method).items() if reason} == (set() if batched else {"batch"})


@pytest.mark.parametrize("drive", DRIVER_FAULTS, ids=lambda drive: drive.__name__)
def test_a_fault_of_a_driver_is_found(drive):
    check, told, members = DRIVER_FAULTS[drive]
    memory.clear()
    refuse(ovp.DriverMethod("faulty", drive, clock="lr", **members), check, told)


# The doors.

PLUGIN = '''\
"""A plug-in of a stranger."""

import bench_ovp as ovp


def descend(oracle, w, state, k, lr: float):
    """Gradient descent.

    Args:
        lr: step size, units of time per iteration.

    Source: Cauchy (1847).
    """
    return w - lr * oracle.grad(w), state


def spoil(oracle, w, state, k, lr: float = 0.1):
    """Gradient descent in place.

    Args:
        lr: step size, units of time per iteration.

    Source: nobody.
    """
    w -= lr * oracle.grad(w)
    return w, state


def sleep(oracle, w, state, k):
    """A step that hangs.

    Source: nobody.
    """
    import time

    time.sleep(600)


def leave(oracle, w, state, k):
    """A step that takes its process with it.

    Source: nobody.
    """
    import os

    if k == 25 and len(w) == 1:
        os._exit(7)
    return w - 0.1 * oracle.grad(w), state


@ovp.hookimpl
def bench_ovp_optimizers():
    return [OFFERED]
'''
numbers = itertools.count()


def write_module(folder, *methods):
    name = f"conformance_plugin_{next(numbers)}"
    offered = ", ".join(f'ovp.StepMethod("my-{m}", {m}, compile=False)' for m in methods)
    (folder / f"{name}.py").write_text(PLUGIN.replace("OFFERED", offered))
    return name


def test_the_pytest_door(tmp_path):
    name = write_module(tmp_path, "descend", "spoil")
    (tmp_path / "test_plugin.py").write_text(
        f"import {name}\nfrom bench_ovp.testing import conformance\n"
        f'test_conformance = conformance({name}, parameters={{"my-descend": {{"lr": 0.1}}}})\n'
    )
    words = [sys.executable, "-m", "pytest", "-v", "-rfs", "-p", "no:cacheprovider", "-W", "error"]
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(words, cwd=tmp_path, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True,
                          timeout=120)  # fmt: skip
    assert done.returncode == 1, done.stdout
    assert "test_plugin.py::test_conformance[my-descend-purity] PASSED" in done.stdout
    assert "test_plugin.py::test_conformance[my-descend-rotation] SKIPPED" in done.stdout
    assert "test_plugin.py::test_conformance[my-spoil-purity] FAILED" in done.stdout
    assert "my-spoil-purity: the step writes into w, which it was given" in done.stdout
    assert "Traceback" not in done.stdout


def test_a_module_a_class_and_a_method_are_listed(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    module = __import__(write_module(tmp_path, "spoil", "sleep"))
    assert {check.subject for check in list_checks(module)} == {"my-spoil", "my-sleep"}
    assert "good-purity" in [check.id for check in list_checks(GOOD)]
    assert "valley-gradient" in [check.id for check in list_checks(Valley)]
    assert conformance(Valley).__name__ == "test_conformance"
    with pytest.raises(InputError, match="parameters are given for 'else', which is not offered"):
        list_checks(GOOD, {"else": {}})
    with pytest.raises(InputError, match="good has no parameter 'rl'; did you mean 'lr'"):
        list_checks(GOOD, {"good": {"rl": 1.0}})
    with pytest.raises(InputError, match=r"does not load as a plug-in: .*implements no hook"):
        list_checks(itertools)


def test_check_of_a_file_says_what_fails(invoke, tmp_path):
    file = f"{write_module(tmp_path, 'descend', 'spoil')}.py"
    done = invoke("check", file, "-p", "my-descend.lr=1e-1")
    assert done.exit_code == 1, done.output
    lines = done.stdout.splitlines()
    assert "ok       my-descend-purity" in lines
    assert "skipped  my-descend-rotation: the method does not claim to commute with rotations" in lines
    [failure] = [line for line in lines if line.startswith("FAILS") and "my-spoil-purity" in line]
    assert "return a new array" in failure
    assert re.fullmatch(rf"{file}: 26 checks: \d+ ok, \d fail, 8 skipped", lines[-1])


def test_check_of_what_is_sound_exits_with_0(invoke):
    done = invoke("check", "toy-case-2", "-p", "n=2")
    assert done.exit_code == 0, done.output
    assert re.search(r"^toy-case-2: 22 checks: 22 ok, 0 fail, 0 skipped$", done.stdout, re.MULTILINE)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("havy-ball",), "no problem, optimizer, plug-in or file is called 'havy-ball'; did you mean 'heavy-ball'?"),
        (("nowhere.py",), "cannot read the plug-in nowhere.py: No such file or directory; check the path"),
        (("nowhere.yaml",), "there is no such file; check the path"),
        (("heavy-ball", "-p", "bta=0.5"), "heavy-ball has no parameter 'bta'; did you mean 'beta'?"),
        (("heavy-ball", "-p", "beta"), "-p beta: write KEY=VALUE or NAME.KEY=VALUE"),
        (("optimizers", "-p", "lr=0.1"), "-p KEY=VALUE could mean gradient-descent or"),
        (("heavy-ball", "-p", "nesterov.lr=1"), "'nesterov' is not checked here"),
    ],
)
def test_check_of_nonsense_exits_with_2(invoke, words, told):
    done = invoke("check", *words)
    assert done.exit_code == 2
    assert told in done.stderr
    assert "Traceback" not in done.output


def test_a_check_that_hangs_or_kills_its_process_is_named(invoke, tmp_path):
    file = f"{write_module(tmp_path, 'leave')}.py"
    done = invoke("check", file)
    assert done.exit_code == 1
    lines = done.stdout.splitlines()
    assert "FAILS    my-leave-batch: it ends the process, with exit code 7; raise an exception" in done.stdout
    assert {"ok       my-leave-purity", "ok       my-leave-travels"} <= set(lines)
    assert len(lines) == 14
    begun = time.monotonic()
    from bench_ovp.testing.target import Target
    from bench_ovp.testing.watch import run_checks

    file = f"{write_module(tmp_path, 'sleep')}.py"
    answers = run_checks(Target(str(tmp_path / file)), limit=1.0)
    hung = next(answer for answer in answers if answer.verdict == "FAILS")
    answers.close()
    assert hung.check == "my-sleep-answers"
    assert "does not return within 1 s; bound its loops" in hung.message
    assert time.monotonic() - begun < 30.0
