"""The behaviours, in the order in which the matrix shows them."""

from tests.conformance.behaviours import running, looking, changing, arrays, waiting  # isort: skip
from tests.conformance.behaviours.kept import ALONE, BEHAVIOURS, LONG

__all__ = ["ALONE", "BEHAVIOURS", "LONG", "arrays", "changing", "looking", "running", "waiting"]
