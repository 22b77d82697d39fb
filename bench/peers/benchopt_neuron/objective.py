from benchmark_utils.numpy_neuron import loss
from benchopt import BaseObjective
from benchopt.stopping_criterion import NoCriterion


class Objective(BaseObjective):
    """The loss of n ReLU students against one teacher, averaged over Gaussian inputs."""

    name = "One ReLU neuron"
    sampling_strategy = "callback"
    stopping_criterion = NoCriterion(strategy="callback")

    def set_data(self, start, teacher):
        self.start, self.teacher = start, teacher

    def get_objective(self):
        return {"start": self.start, "teacher": self.teacher}

    def evaluate_result(self, w):
        return {"value": loss(w, self.teacher)}

    def get_one_result(self):
        return {"w": self.start}
