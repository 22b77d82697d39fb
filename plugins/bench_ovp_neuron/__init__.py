"""The single-neuron teacher of Xu & Du (2023) and its special cases, in closed form."""

from bench_ovp.hookspecs import hookimpl


@hookimpl
def bench_ovp_problems():
    """The paper's problems."""
    from .problems import ExactNeuron, TeacherNeuron, ToyCase1, ToyCase2, ToyCase3

    return [TeacherNeuron, ExactNeuron, ToyCase1, ToyCase2, ToyCase3]
