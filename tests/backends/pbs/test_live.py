"""The stand-in that runs its jobs prints them as they were recorded."""

from __future__ import annotations

import re

import pytest

from tests.support.clusters.pbs_shown import folded
from tests.support.clusters.pbs_stages import STAGES, template


@pytest.mark.parametrize("stage", [name for name, one in STAGES.items() if not one.json])
def test_long_attributes_are_folded_as_they_were_recorded(stage):
    shown = re.findall(r"(?m)^    \S+ = .*(?:\n\t.*)+", template(stage))
    assert shown
    for attribute in shown:
        assert folded(attribute.replace("\n\t", "")) == attribute
