"""What each query of a method is charged."""

from __future__ import annotations

import numpy as np
import pytest

from bench_ovp.oracle import Oracle
from bench_ovp.problems import Problem

N, D = 2, 3


class Valley:
    """½‖w‖²."""

    name = "valley"

    def start(self, seeds):
        return np.stack([np.random.default_rng(seed).standard_normal((N, D)) for seed in seeds])

    def loss(self, w):
        return 0.5 * np.sum(w * w, axis=(1, 2))

    def grad(self, w):
        return w.copy()

    def hessian(self, w):
        return np.broadcast_to(np.eye(N * D), (len(w), N * D, N * D))

    gauss_newton = hessian


@pytest.fixture
def w():
    return Problem(Valley).start(range(4))


@pytest.fixture
def oracle():
    return Oracle(Problem(Valley), runs=4, curvature_cost=N * D)


@pytest.mark.parametrize(
    ("query", "price"), [("grad", 1), ("loss", 1), ("loss_and_grad", 1), ("hessian", 6), ("gauss_newton", 6)]
)
def test_each_query_has_its_price(oracle, w, query, price):
    getattr(oracle, query)(w)
    assert oracle.evaluations == price
    getattr(oracle, query)(w + 1.0)
    assert oracle.evaluations == 2 * price


def test_the_answers_are_the_problems(oracle, w):
    problem = Problem(Valley)
    loss, grad = oracle.loss_and_grad(w)
    assert np.array_equal(loss, problem.loss(w))
    assert np.array_equal(grad, problem.grad(w))
    assert np.array_equal(oracle.loss(w), loss)
    assert np.array_equal(oracle.grad(w), grad)
    assert oracle.hessian(w).shape == oracle.gauss_newton(w).shape == (4, N * D, N * D)


def test_a_query_about_some_runs_is_shared_and_rounded_up(oracle, w):
    oracle.grad(w[:1])
    assert oracle.evaluations == 1
    oracle.grad(w[1:])
    assert oracle.evaluations == 1
    oracle.grad(w[:2])
    assert oracle.evaluations == 2


def test_fewer_runs_keep_what_they_were_charged(oracle, w):
    oracle.hessian(w)
    oracle.narrow(1)
    assert oracle.evaluations == 6
    oracle.grad(w[:1])
    assert oracle.evaluations == 7


def test_compiled_code_charges_for_all_runs_together(oracle, w):
    oracle.grad(w)
    oracle.charge(10 * len(w))
    assert oracle.evaluations == 11


def test_an_unknown_question_names_the_known_ones(oracle):
    with pytest.raises(AttributeError, match="no 'gradient'; it answers loss, grad, loss_and_grad, hessian"):
        oracle.gradient(None)
