"""Imports that wait: nothing is lost by them."""

from __future__ import annotations

import subprocess
import sys

import pytest

SCRIPT = """
import sys
import bench_ovp.report.style
assert "scipy.stats" not in sys.modules and "scipy.cluster" not in sys.modules
import matplotlib
matplotlib.use("Agg")
import numpy as np
import seaborn as sns
points = np.random.default_rng(0).standard_normal((20, 3))
{use}
import scipy.cluster, scipy.stats
assert hasattr(scipy.stats, "norm") and hasattr(scipy.cluster, "hierarchy")
"""
USES = {
    "a density": "height = sns.kdeplot(points[:, 0], cumulative=True).lines[0].get_ydata()\nassert height[-1] > 0.99",
    "clusters": "assert len(sns.clustermap(points).dendrogram_row.reordered_ind) == 20",
    "neither": "",
}


@pytest.mark.parametrize("use", USES)
def test_seaborn_has_all_of_scipy_once_it_asks_for_it(use):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", SCRIPT.format(use=USES[use])], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
