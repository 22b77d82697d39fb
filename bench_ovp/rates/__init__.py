"""The law detector: from a loss curve to a law, a value and an interval."""

from bench_ovp.rates.rate import Evidence, Rate, fit_rate

__all__ = ["Evidence", "Rate", "fit_rate"]
