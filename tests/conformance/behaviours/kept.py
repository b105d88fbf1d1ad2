"""Where behaviours are kept: functions that fail by an assertion where they do not hold.

The docstring of each is the sentence that stands in the matrix.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.conformance.bench import Bench

Behaviour = Callable[[Bench], None]
BEHAVIOURS: dict[str, Behaviour] = {}
LONG: set[str] = set()
"""Those that wait for something that takes a site a minute or so."""
ALONE: set[str] = set()
"""Those that would disturb others."""
HOSTILE = 'it\'s a "name" with $(date) `date` ; & | , = and é'


def behaviour(function: Behaviour) -> Behaviour:
    BEHAVIOURS[function.__name__] = function
    return function


def long(function: Behaviour) -> Behaviour:
    LONG.add(function.__name__)
    return function


def alone(function: Behaviour) -> Behaviour:
    ALONE.add(function.__name__)
    return function
