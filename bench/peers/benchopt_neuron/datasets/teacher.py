import numpy as np
from benchopt import BaseDataset


class Dataset(BaseDataset):
    """A Gaussian start for each repetition, the same for all solvers; the teacher is the first unit vector."""

    name = "teacher"
    parameters = {"n": [1, 5, 10], "d": [10], "sigma": [0.1]}  # noqa: RUF012

    def get_data(self):
        rng = np.random.default_rng(self.get_seed(use_dataset=True, use_repetition=True))
        return {"start": self.sigma * rng.standard_normal((self.n, self.d)), "teacher": np.eye(self.d)[0]}
