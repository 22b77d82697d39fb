"""The conformance kit: what a plug-in must keep, as checks that its author can run."""

from .catalogue import list_checks
from .check import Check, Inapplicable, Nonconformance
from .door import conformance

__all__ = ["Check", "Inapplicable", "Nonconformance", "conformance", "list_checks"]
