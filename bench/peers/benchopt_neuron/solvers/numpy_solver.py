import numpy as np
from benchmark_utils.numpy_neuron import gradient
from benchmark_utils.schedule import BETA, LR, METHODS, STEPS, next_checkpoint
from benchopt import BaseSolver


class Solver(BaseSolver):
    """Gradient descent and the heavy ball, in NumPy."""

    name = "numpy"
    parameters = {"method": METHODS}  # noqa: RUF012

    def set_objective(self, start, teacher):
        self.start, self.teacher = start, teacher

    def get_next(self, stop_val):
        return next_checkpoint(stop_val)

    def run(self, callback):
        w = self.w = self.start.copy()
        velocity = np.zeros_like(w)
        done = 0
        while callback() and done < STEPS:
            if self.method == "heavy-ball":
                velocity *= BETA
                velocity -= LR * gradient(w, self.teacher)
                w += velocity
            else:
                w -= LR * gradient(w, self.teacher)
            done += 1

    def get_result(self):
        return {"w": self.w}
