"""The commits that the gate is tried on can still be made from the present code."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.gate_scenarios import SCENARIOS, Scenario

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_what_a_scenario_changes_is_there_once(scenario: Scenario) -> None:
    assert (ROOT / scenario.file).read_text(encoding="utf-8").count(scenario.old) == 1
    assert scenario.old != scenario.new
