"""What changed between two runs of suites: pairs matched, their results tested, from tables alone."""

from .change import Changes, Pair, Shift, Speed, compare_results

__all__ = ["Changes", "Pair", "Shift", "Speed", "compare_results"]
